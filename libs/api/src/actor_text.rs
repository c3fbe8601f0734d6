//! An actor as text, for the outbox and for headers: `agent/0192…`, `supervisor/<subject>`, `customer`, `system`. Whoever acted for an agent has
//! the agent before it: `for/0192…/service/<subject>`.

use crate::common::v1::{Actor, actor::Kind};

/// Empty for an actor that is not given.
pub fn actor_text(actor: &Actor) -> String {
    let Some((_, name)) = KINDS.iter().find(|(kind, _)| *kind == actor.kind()) else { return String::new() };
    let own = if actor.id.is_empty() { (*name).to_owned() } else { format!("{name}/{}", actor.id) };
    if actor.for_agent_id.is_empty() { own } else { format!("{FOR}{}/{own}", actor.for_agent_id) }
}

const FOR: &str = "for/";

const KINDS: [(Kind, &str); 8] = [
    (Kind::Agent, "agent"),
    (Kind::Supervisor, "supervisor"),
    (Kind::Admin, "admin"),
    (Kind::Service, "service"),
    (Kind::Operator, "operator"),
    (Kind::Customer, "customer"),
    (Kind::External, "external"),
    (Kind::System, "system"),
];

/// Reads the text of [`actor_text`]. Any other text is an actor that is not given.
pub fn parse_actor(text: &str) -> Actor {
    let for_agent = text.strip_prefix(FOR).and_then(|rest| rest.split_once('/'));
    let (for_agent_id, own) = for_agent.unwrap_or(("", text));
    let (name, id) = own.split_once('/').unwrap_or((own, ""));
    let Some((kind, _)) = KINDS.iter().find(|(_, known)| *known == name) else { return Actor::default() };
    Actor { kind: (*kind).into(), id: id.to_owned(), for_agent_id: for_agent_id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_survives_being_text() {
        for (kind, _) in KINDS {
            for for_agent_id in ["", "a1"] {
                let id = if matches!(kind, Kind::Customer | Kind::External | Kind::System) { "" } else { "a/1" };
                let actor = Actor { kind: kind.into(), id: id.into(), for_agent_id: for_agent_id.into() };
                assert_eq!(parse_actor(&actor_text(&actor)), actor);
            }
        }
    }

    #[test]
    fn a_text_that_names_no_actor_is_an_actor_that_is_not_given() {
        assert_eq!(parse_actor(""), Actor::default());
        assert_eq!(parse_actor("robot/1"), Actor::default());
    }
}
