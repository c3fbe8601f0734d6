//! An actor as text, for the outbox and for headers: `agent/0192…`, `supervisor/<subject>`, `customer`, `system`.

use baton_api::common::v1::{Actor, actor::Kind};

/// Empty for an actor that is not given.
pub fn actor_text(actor: &Actor) -> String {
    match actor.kind() {
        Kind::Unspecified => String::new(),
        Kind::Agent => format!("agent/{}", actor.id),
        Kind::Supervisor => format!("supervisor/{}", actor.id),
        Kind::Customer => "customer".to_owned(),
        Kind::System => "system".to_owned(),
    }
}

/// Reads the text of [`actor_text`]. Any other text is an actor that is not given.
pub fn parse_actor(text: &str) -> Actor {
    let (kind, id) = text.split_once('/').unwrap_or((text, ""));
    let kind = match kind {
        "agent" => Kind::Agent,
        "supervisor" => Kind::Supervisor,
        "customer" => Kind::Customer,
        "system" => Kind::System,
        _ => return Actor::default(),
    };
    Actor { kind: kind.into(), id: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_survives_being_text() {
        for kind in [Kind::Agent, Kind::Supervisor, Kind::Customer, Kind::System] {
            let id = if matches!(kind, Kind::Agent | Kind::Supervisor) { "a/1" } else { "" };
            let actor = Actor { kind: kind.into(), id: id.into() };
            assert_eq!(parse_actor(&actor_text(&actor)), actor);
        }
    }

    #[test]
    fn a_text_that_names_no_actor_is_an_actor_that_is_not_given() {
        assert_eq!(parse_actor(""), Actor::default());
        assert_eq!(parse_actor("robot/1"), Actor::default());
    }
}
