//! Requests into types, at the edge.

use baton_api::{ApiError, data_class, error::ErrorReason, page, transfer::v1::InteractionFilter};
use baton_domain::{Actor, StaffRole};
use baton_runtime::auth::{Caller, Role};
use baton_words::{AgentId, InteractionId, NotAnId, SwitchId, TransferNo};
use std::sync::Arc;
use tonic::Status;

/// Who acts: from the token alone, but for the agent for whom a supervisor, an admin or a service account acts. Who may name one is decided
/// here; what the named agent may do, by the core.
pub(crate) fn actor(caller: &Caller, for_agent_id: &str) -> Result<Actor, Status> {
    let named: Option<AgentId> = match for_agent_id {
        "" => None,
        text => Some(text.parse().map_err(|_| ApiError::invalid_argument("for_agent_id", "is no agent id (a UUID)"))?),
    };
    let role = match caller.role {
        Role::Agent => {
            let own = agent(caller)?;
            if named.is_some_and(|named| named != own) {
                let message = "An agent acts for themselves: leave `for_agent_id` empty.";
                return Err(ApiError::permission_denied(message).into());
            }
            return Ok(Actor::Agent(own));
        }
        Role::Visitor => return Ok(Actor::Customer),
        Role::Admin => StaffRole::Admin,
        Role::ServiceAccount => StaffRole::Service,
        _ => StaffRole::Supervisor,
    };
    Ok(Actor::Staff { role, subject: caller.subject.as_str().into(), for_agent: named })
}

fn agent(caller: &Caller) -> Result<AgentId, Status> {
    caller.subject.parse().map_err(|_| {
        let message = "The subject of an agent's token must be the agent's id (a UUID); mint one with `baton token --role agent`.";
        ApiError::unauthenticated(ErrorReason::TokenInvalid, message).into()
    })
}

/// As whom the caller looks; nobody for an analyst, who may do nothing and is shown nothing personal.
pub(crate) fn viewer(caller: &Caller) -> Result<Option<Actor>, Status> {
    match caller.role {
        Role::Analyst => Ok(None),
        _ => actor(caller, "").map(Some),
    }
}

/// Whose things the caller may see: an agent those that they are or were a party of, everybody else all of the tenant.
pub(crate) fn only_of(caller: &Caller) -> Result<Option<AgentId>, Status> {
    match caller.role {
        Role::Agent => agent(caller).map(Some),
        _ => Ok(None),
    }
}

/// Refuses an analyst who filters by what they are not shown: the answer would tell whose pseudonym it is (S16).
pub(crate) fn may_filter(caller: &Caller, filter: Option<&InteractionFilter>) -> Result<(), Status> {
    let is_personal = filter.is_some_and(|it| data_class::conceal(it) != *it);
    if caller.role == Role::Analyst && is_personal {
        let message = "An analyst is not shown customers' numbers, and filters by `customer_key` instead.";
        return Err(ApiError::permission_denied(message).with("field", "filter.customer").into());
    }
    Ok(())
}

pub(crate) fn interaction_id(text: &str) -> Result<InteractionId, Status> {
    text.parse().map_err(|_| ApiError::invalid_argument("interaction_id", "is no interaction id (a UUID)").into())
}

pub(crate) fn switch_id(field: &str, text: &str) -> Result<SwitchId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid_argument(field, "is no switch id (1 to 63 of a-z, 0-9 and `-`)"))
}

/// A transfer of this interaction.
pub(crate) fn transfer_of(id: InteractionId, text: &str) -> Result<TransferNo, Status> {
    let bad = |_: NotAnId| ApiError::invalid_argument("transfer_id", "is no transfer id");
    match TransferNo::parse(text).map_err(bad)? {
        (of, no) if of == id => Ok(no),
        _ => Err(ApiError::invalid_argument("transfer_id", "is of another interaction").into()),
    }
}

/// A text that somebody wrote, of limited length. Lines and tabs are part of it; other control characters steer a terminal.
pub(crate) fn text(field: &str, text: &str, min: usize, max: usize) -> Result<Arc<str>, Status> {
    let refused = |why: String| Err(ApiError::invalid_argument(field, why).into());
    let length = text.chars().count();
    if !(min..=max).contains(&length) {
        return refused(format!("has {length} characters; {min} to {max} are allowed"));
    }
    if min > 0 && text.trim().is_empty() {
        return refused("has nothing but blanks".to_owned());
    }
    if let Some(odd) = text.chars().find(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
        return refused(format!(
            "has the control character U+{:04X}; of these, only line ends and tabs are allowed",
            odd as u32
        ));
    }
    Ok(text.into())
}

pub(crate) fn page_size(size: i32) -> Result<i64, Status> {
    Ok(page::size(size)? as i64)
}

pub(crate) fn bad_page_token() -> Status {
    ApiError::invalid_argument("page_token", "must be the `next_page_token` of the page before").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(given: &str, min: usize) -> Option<String> {
        text("text", given, min, 9).err().map(|status| status.message().to_owned())
    }

    #[test]
    fn a_text_has_its_length_and_something_in_it_and_steers_no_terminal() {
        for good in ["call back", "one\ntwo", "a\tb\r\n", "\u{1f600}"] {
            assert_eq!(why(good, 1), None, "{good:?}");
        }
        assert_eq!(why("", 0), None);
        for (bad, word) in
            [("", "0 characters"), ("0123456789", "10 characters"), (" \n", "blanks"), ("\u{1b}[31m", "U+001B")]
        {
            assert!(why(bad, 1).unwrap().contains(word), "{bad:?}");
        }
    }
}
