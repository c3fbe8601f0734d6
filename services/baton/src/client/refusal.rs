//! Refused requests as text: what is wrong, what to do, and the reason code that programs see.

use std::error::Error as _;

use baton_api::ApiError;
use tonic::{Code, Response, Status};

use super::word;

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
        Some(error) => anyhow::anyhow!(text(&error)),
        None => foreign(status),
    }
}

/// Adds the address to an error of a server that did not answer.
pub(super) fn at(address: &str, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Unanswered>() {
        Ok(it) => Unanswered { address: address.to_owned(), ..it }.into(),
        Err(error) => error,
    }
}

fn text(error: &ApiError) -> String {
    let mut text = format!("{} ({})", error.message.trim_end(), error.reason_name());
    for (key, value) in &error.metadata {
        let advice = match key.as_str() {
            "allowed" if value.is_empty() => "Nothing is possible now for whom you act as.".to_owned(),
            "allowed" => format!("Possible now: {}.", actions(value)),
            "allowed_roles" => format!("Roles that may: {value}. Choose one with --as ROLE:NAME."),
            _ => continue,
        };
        text.push_str("\n  ");
        text.push_str(&advice);
    }
    text
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
        code => anyhow::anyhow!("{} ({code:?})", status.message()),
    }
}

fn innermost(status: &Status) -> Option<String> {
    let mut cause = status.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

/// `HOLD,SET_DATA` as words.
fn actions(names: &str) -> String {
    let words: Vec<_> = names.split(',').map(|it| word::spaced(&it.to_lowercase())).collect();
    words.join(", ")
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
            "They are still ringing. (NOT_ALLOWED_NOW)\n  Possible now: cancel, set data."
        );
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
