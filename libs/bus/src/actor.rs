//! Who acts, by their token. What that is as text is the contract's ([`baton_api::actor_text`]).

use baton_api::common::v1::{Actor, actor::Kind};
use baton_runtime::auth::{Caller, Role};

/// Who acts, by their token.
pub fn caller_actor(caller: &Caller) -> Actor {
    let kind = match caller.role {
        Role::Agent => Kind::Agent,
        Role::Admin => Kind::Admin,
        Role::ServiceAccount => Kind::Service,
        Role::Supervisor | Role::Analyst => Kind::Supervisor,
        Role::Operator => Kind::Operator,
        Role::Service | Role::Simulator => Kind::System,
        Role::Visitor => Kind::Customer,
    };
    // Baton is one, whichever of its services acts.
    let id = if kind == Kind::System { String::new() } else { caller.subject.clone() };
    Actor { kind: kind.into(), id, for_agent_id: String::new() }
}

#[cfg(test)]
mod tests {
    use baton_api::actor_text::actor_text;

    use super::*;

    #[test]
    fn baton_itself_has_no_id_and_everybody_else_has_the_tokens() {
        let by = |caller: &Caller| actor_text(&caller_actor(caller));
        assert_eq!(by(&Caller::service("transfer")), "system");
        assert_eq!(by(&Caller::of_tenant("acme".parse().unwrap(), "ada", Role::Agent)), "agent/ada");
    }
}
