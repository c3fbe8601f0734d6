//! Refused requests as text: what is wrong, what to do, and the reason code that programs see.

use std::error::Error as _;

use baton_api::ApiError;
use baton_api::common::v1::TransferKind;
use baton_api::error::ErrorReason;
use tonic::{Code, Response, Status};

use super::word;
use crate::failure::{FailureKind, KnownFailure};

/// Turns a gRPC result into the answer's message, or into an error with the refusal's text.
pub(crate) trait OrRefusal<T> {
    fn or_refusal(self) -> anyhow::Result<T>;
}

impl<T> OrRefusal<T> for Result<Response<T>, Status> {
    fn or_refusal(self) -> anyhow::Result<T> {
        self.map(Response::into_inner).map_err(|status| of(&status))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("nobody answers at {address} ({cause})\n  {ADVICE}")]
struct Unanswered {
    address: String,
    cause: String,
}

const ADVICE: &str = "Is `baton up` running? --data names its folder, or --server its address.";

/// The status as an error with the text for a person.
pub(crate) fn of(status: &Status) -> anyhow::Error {
    match ApiError::from_status(status) {
        Some(error) => known(&error),
        None => foreign(status),
    }
}

/// The refusal of a transfer: the kind that was asked for is not possible instead, and kinds are spelled as `--kind` has them.
pub(super) fn of_start(status: &Status, kind: TransferKind) -> anyhow::Error {
    let Some(mut error) = ApiError::from_status(status) else { return foreign(status) };
    let refused = kind.as_str_name().replace("TRANSFER_KIND_", "START_");
    for (_, allowed) in error.metadata.iter_mut().filter(|(key, _)| key == "allowed") {
        *allowed = allowed.split(',').filter(|it| *it != refused).collect::<Vec<_>>().join(",");
    }
    error.message = error.message.replace("on_answer", "on-answer").replace("round_trip", "round-trip");
    known(&error)
}

/// The refusal of a disposition, with the name that was given.
pub(super) fn of_disposition(status: &Status, name: &str) -> anyhow::Error {
    match ApiError::from_status(status) {
        Some(error) if error.reason == ErrorReason::DispositionUnknown => {
            let message = format!("there is no disposition {name:?}; a call is named with --call");
            known(&ApiError { message, ..error })
        }
        _ => of(status),
    }
}

fn known(error: &ApiError) -> anyhow::Error {
    KnownFailure { kind: error.kind.into(), text: text(error) }.into()
}

/// Nobody answered, or not in time.
pub(super) fn is_unanswered(error: &anyhow::Error) -> bool {
    error.is::<Unanswered>() || error.downcast_ref::<KnownFailure>().is_some_and(|it| it.kind == FailureKind::NoAnswer)
}

/// Adds the address to an error of a server that did not answer.
pub(crate) fn at(address: &str, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Unanswered>() {
        Ok(it) => {
            let text = Unanswered { address: address.to_owned(), ..it }.to_string();
            KnownFailure { kind: FailureKind::NoAnswer, text }.into()
        }
        Err(error) => error,
    }
}

fn text(error: &ApiError) -> String {
    let mut text = format!("{} ({})", word::one_line(error.message.trim_end()), error.reason_name());
    for (key, value) in &error.metadata {
        let advice = match key.as_str() {
            "allowed" if value.is_empty() => "Nothing is possible now for whom you act as.".to_owned(),
            "allowed" => format!("Possible now: {}.", commands(value)),
            "allowed_roles" => {
                format!("Roles that may: {value}. Choose one with --as ROLE:NAME, or by a token for it.")
            }
            _ => continue,
        };
        add(&mut text, &advice);
    }
    if let Some(advice) = next_command(error.reason) {
        add(&mut text, advice);
    }
    text
}

fn add(text: &mut String, advice: &str) {
    text.push_str("\n  ");
    text.push_str(&word::one_line(advice));
}

/// What to type next, where that does not depend on what was asked.
fn next_command(reason: ErrorReason) -> Option<&'static str> {
    Some(match reason {
        ErrorReason::TokenExpired => "`baton token` mints another.",
        ErrorReason::TenantUnknown => "Is --tenant right? `baton tenant list` lists the tenants.",
        ErrorReason::TenantSuspended => {
            "`baton tenant show TENANT` says why, and `baton tenant resume` ends the suspension."
        }
        ErrorReason::PolicyInvalid => {
            "`baton policy validate` tries one out, and `baton policy profiles` shows what there is."
        }
        ErrorReason::AgentOffline => "`baton agent connect` is how an agent comes to work.",
        ErrorReason::AgentBusy | ErrorReason::AgentUnavailable => "`baton agent targets` lists who can be had now.",
        ErrorReason::OutcomeMissing | ErrorReason::OutcomeUnknown => {
            "`baton transfer options` lists the outcomes; --outcome NAME chooses one."
        }
        ErrorReason::DispositionUnknown => "`baton transfer options` lists the dispositions.",
        ErrorReason::MessageMissing => "--message TEXT says what the recipient has to know.",
        ErrorReason::InteractionEnded => "`baton call list` lists the calls that are live.",
        ErrorReason::NotGranted => "`baton tenant show TENANT` shows an operator what is granted.",
        ErrorReason::NotInPlan => "`baton tenant show TENANT` shows what the plan includes.",
        ErrorReason::KindNotOffered => "`baton policy show` shows which transfers there are.",
        ErrorReason::DialNotAllowed => {
            "`baton number allowed` lists what may be called, and `baton number allow` adds to it."
        }
        ErrorReason::VersionConflict | ErrorReason::Stale | ErrorReason::Pending => {
            "The show command shows how it is now."
        }
        _ => return None,
    })
}

/// A status without Baton's error details, so not from one of its services; as a rule the server can't be reached.
fn foreign(status: &Status) -> anyhow::Error {
    match status.code() {
        Code::Unavailable => {
            let cause = innermost(status).unwrap_or_else(|| status.message().to_owned());
            Unanswered { address: "the server's address".to_owned(), cause }.into()
        }
        Code::Unimplemented => anyhow::anyhow!(
            "whoever answers at the server's address does not know this method; is it another program, or an older Baton?"
        ),
        Code::DeadlineExceeded | Code::Cancelled => {
            let text =
                "the server did not answer in time; a change may have been made: repeat it with the same --request-id";
            KnownFailure { kind: FailureKind::NoAnswer, text: text.to_owned() }.into()
        }
        code => anyhow::anyhow!("{} ({code:?})", word::one_line(status.message())),
    }
}

fn innermost(status: &Status) -> Option<String> {
    let mut cause = status.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

/// `HOLD,SET_DATA` as commands.
fn commands(names: &str) -> String {
    names.split(',').map(command).collect::<Vec<_>>().join(", ")
}

/// The command for an action; an action of a later version, in words.
fn command(action: &str) -> String {
    let command = match action {
        "START_COLD" => "transfer start --kind cold",
        "START_ROUND_TRIP" => "transfer start --kind round-trip",
        "START_ON_ANSWER" => "transfer start --kind on-answer",
        "START_WARM" => "transfer start",
        "DISPOSITION" => "call disposition",
        "CANCEL" => "transfer cancel",
        "COMPLETE" => "transfer complete",
        "SWAP" => "transfer swap",
        "DECLINE" => "transfer decline",
        "HOLD" => "call hold",
        "RESUME" => "call resume",
        "MUTE" => "call mute",
        "UNMUTE" => "call mute --off",
        "LEAVE" => "call leave",
        "END" => "call end",
        "NOTE" => "call note",
        "SET_DATA" => "call data",
        "START_RECORDING" => "recording start",
        "STOP_RECORDING" => "recording stop",
        "PAUSE_RECORDING" => "recording pause",
        "RESUME_RECORDING" => "recording resume",
        "ACCEPT" => "chat accept",
        "SEND_MESSAGE" => "chat send",
        other => return word::spaced(&other.to_lowercase()),
    };
    format!("`baton {command}`")
}

#[cfg(test)]
mod tests {
    use baton_api::error::ErrorReason;

    use super::*;

    #[test]
    fn a_refusal_has_its_reason_and_what_is_possible() {
        let error = ApiError::failed_precondition(ErrorReason::NotAllowedNow, "They are still ringing.")
            .with("allowed", "CANCEL,SET_DATA");
        assert_eq!(
            of(&error.into()).to_string(),
            "They are still ringing. (NOT_ALLOWED_NOW)\n  Possible now: `baton transfer cancel`, `baton call data`."
        );
    }

    #[test]
    fn n9_what_is_possible_is_said_in_commands_that_there_are() {
        use clap::CommandFactory as _;
        for value in 1..=baton_api::common::v1::Action::SendMessage.into() {
            let name = baton_api::common::v1::Action::try_from(value).unwrap().as_str_name();
            let command = command(name.strip_prefix("ACTION_").unwrap());
            let line = command.trim_matches('`').split(' ');
            let mut known = crate::cli::Cli::command();
            for word in line.skip(1).take(2) {
                known = known.find_subcommand(word).unwrap_or_else(|| panic!("{command}")).clone();
            }
        }
        assert_eq!(command("LEVITATE_NOW"), "levitate now");
    }

    #[test]
    fn a_refused_transfer_is_not_possible_instead_and_kinds_are_spelled_as_the_option_has_them() {
        let error = ApiError::failed_precondition(ErrorReason::OutsideNotOffered, "possible is: on_answer, warm")
            .with("allowed", "START_COLD,START_ON_ANSWER,SEND_MESSAGE");
        assert_eq!(
            of_start(&error.into(), TransferKind::Cold).to_string(),
            "possible is: on-answer, warm (OUTSIDE_NOT_OFFERED)\n  Possible now: `baton transfer start --kind on-answer`, `baton chat send`."
        );
    }

    #[test]
    fn an_unknown_disposition_is_quoted() {
        let refused = ApiError::failed_precondition(ErrorReason::DispositionUnknown, "there is no such disposition");
        let text = of_disposition(&refused.into(), "6d51c3b4bb15").to_string();
        assert!(text.starts_with("there is no disposition \"6d51c3b4bb15\"; a call is named with --call"), "{text}");
    }

    #[test]
    fn s14_what_the_server_says_adds_no_line() {
        let error = ApiError::failed_precondition(ErrorReason::TransferOpen, "a\nbaton: all is well\u{1b}[2J");
        assert_eq!(of(&error.into()).to_string(), r"a / baton: all is well\u{1b}[2J (TRANSFER_OPEN)");
    }

    #[test]
    fn an_unreachable_server_gets_advice_what_to_start() {
        let text = of(&Status::unavailable("tcp connect error")).to_string();
        assert!(text.contains("tcp connect error") && text.contains("baton up"), "{text}");
    }

    #[test]
    fn an_unreachable_server_is_named_also_inside_a_context() {
        let error = of(&Status::unavailable("refused")).context("finding the tenant's first number");
        let text = at("http://127.0.0.1:7419", error).to_string();
        assert!(text.starts_with("nobody answers at http://127.0.0.1:7419 (refused)"), "{text}");
        assert_eq!(at("http://x", anyhow::anyhow!("something else")).to_string(), "something else");
    }
}
