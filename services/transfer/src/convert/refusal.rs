//! Refusals as clients see them: with the interaction as it is now.

use super::{view, words};
use crate::live::Live;
use baton_api::{ApiError, ErrorKind, error::ErrorReason};
use baton_domain::{Actor, Refusal};
use baton_words::Reason;
use tonic::Status;

/// A refusal as the client sees it: the reason, what is possible instead (T6), and the interaction as it is now.
pub(crate) fn refusal_status(refusal: Refusal, live: &Live, actor: &Actor) -> Status {
    let reason = words::refusal_reason(refusal);
    let kind = if reason == ErrorReason::Limit { ErrorKind::ResourceExhausted } else { ErrorKind::FailedPrecondition };
    // What an interaction has too much of does not become less by itself.
    let error = ApiError::new(kind, reason, refusal.to_string()).without_retry();
    let error = match refusal {
        Refusal::OutsideNotOffered(.., possible) => {
            let kinds: Vec<_> = possible.iter().map(baton_words::TransferKind::name).collect();
            error.with("possible_kinds", kinds.join(","))
        }
        _ => error,
    };
    as_it_is_now(error, live, actor)
}

/// The client decided on a version that is no longer: nothing has changed, and here is the interaction as it is now.
pub(crate) fn version_conflict(live: &Live, actor: &Actor) -> Status {
    let why = format!("The interaction is at version {} by now: look at it, and decide anew.", live.version);
    as_it_is_now(ApiError::aborted(ErrorReason::VersionConflict, why), live, actor)
}

/// Why an agent can't be had, as an error's reason and in words that follow on who is meant.
pub(crate) fn unavailable(reason: Reason) -> (ErrorReason, &'static str) {
    match reason {
        Reason::Busy => (ErrorReason::AgentBusy, "on a call, or reserved for one"),
        Reason::Offline => (ErrorReason::AgentOffline, "offline"),
        _ => (ErrorReason::AgentUnavailable, "not available (away, in wrap-up, or not responding)"),
    }
}

fn as_it_is_now(error: ApiError, live: &Live, actor: &Actor) -> Status {
    // The customer sees nothing of what goes on among agents.
    if *actor == Actor::Customer {
        return error.into();
    }
    let possible: Vec<_> = live.actions(actor).0.iter().map(words::action_name).collect();
    let error = error.with("allowed", possible.join(",")).with("version", live.version);
    error.carrying(&view::brief(live, actor)).into()
}
