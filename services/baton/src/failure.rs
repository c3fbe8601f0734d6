//! How a command reports that it failed: one or two lines for a person, and an exit code for a script.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use baton_api::ErrorKind;
use baton_runtime::config::ConfigError;
use baton_runtime::telemetry::TelemetryError;

use crate::client::word;
use crate::stdout::{self, StdoutError};

/// The kinds of failure that a script can tell apart; the values are the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FailureKind {
    /// None of the others.
    Other = 1,
    /// What was named is not there.
    NotFound = 3,
    /// It is there, but not in a state in which this is possible.
    NotNow = 4,
    /// The token, or whoever it is for, may not.
    NotAllowed = 5,
    /// The server does not answer, or not in time: a change may have been made.
    NoAnswer = 6,
    /// The command line, the configuration or a value in them is wrong (`EX_USAGE`).
    Usage = ConfigError::EXIT_CODE,
    /// Something inside failed: the calls live on, on the switch (`EX_SOFTWARE`).
    Internal = 70,
}

impl From<ErrorKind> for FailureKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidArgument => Self::Usage,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists
            | ErrorKind::FailedPrecondition
            | ErrorKind::Aborted
            | ErrorKind::ResourceExhausted => Self::NotNow,
            ErrorKind::PermissionDenied | ErrorKind::Unauthenticated => Self::NotAllowed,
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => Self::NoAnswer,
            ErrorKind::Unimplemented | ErrorKind::Internal => Self::Other,
        }
    }
}

/// A failure of a known kind, with the text for a person.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct KnownFailure {
    pub(crate) kind: FailureKind,
    pub(crate) text: String,
}

impl KnownFailure {
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self { kind: FailureKind::NotFound, text: text.into() }
    }

    pub(crate) fn not_now(text: impl Into<String>) -> Self {
        Self { kind: FailureKind::NotNow, text: text.into() }
    }
}

/// The command line parses, but makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl UsageError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The command has printed why it failed; only the exit code is left to set.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub(crate) struct AlreadyReported;

/// Something inside failed, and the process ended as a crash would: the switch and its calls live on (`EX_SOFTWARE`).
#[derive(Debug, thiserror::Error)]
#[error(
    "something inside failed (the last error above says what): Baton has stopped, as after a crash. {calls} Start `baton up` again; if \
     it stops at once again, mend what the error names first"
)]
pub(crate) struct InternalFailure {
    /// What became of the calls: a sentence.
    pub(crate) calls: String,
}

/// Prints help, the version, or what is wrong with the command line.
pub(crate) fn report_command_line(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        return exit(stdout::noted(printed).map_err(Into::into));
    }
    let steers = |argument: OsString| word::harmless(&argument.to_string_lossy()) != argument.to_string_lossy();
    if std::env::args_os().any(steers) {
        // The error repeats the argument. Rendered as plain text it has no colours either.
        print_error(&word::harmless(&error.render().to_string()));
    } else {
        // If the terminal is gone, nobody can read it.
        let _ = error.print();
    }
    ExitCode::from(FailureKind::Usage as u8)
}

/// The exit code of a command that has ended, after printing why it failed, if it did.
pub(crate) fn exit(ended: anyhow::Result<()>) -> ExitCode {
    let ended = ended.and_then(|()| Ok(stdout::outcome()?));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<StdoutError>().is_some_and(StdoutError::is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    if !error.is::<AlreadyReported>() {
        print_error(&word::harmless(&format!("baton: {}", chain(error))));
    }
    ExitCode::from(kind(error) as u8)
}

/// If the terminal is gone, nobody can read it.
fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn kind(error: &anyhow::Error) -> FailureKind {
    if let Some(known) = error.downcast_ref::<KnownFailure>() {
        return known.kind;
    }
    if error.is::<InternalFailure>() {
        return FailureKind::Internal;
    }
    let usage = error.is::<UsageError>() || error.is::<ConfigError>() || error.is::<TelemetryError>();
    if usage { FailureKind::Usage } else { FailureKind::Other }
}

/// The error with its causes; a cause that the text so far contains already is left out.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_printed_once() {
        let error = anyhow::anyhow!("the disk is full").context("writing a failed: the disk is full").context("saving");
        assert_eq!(chain(&error), "saving: writing a failed: the disk is full");
    }

    #[test]
    fn a_wrong_configuration_has_its_own_exit_code_also_with_a_context() {
        let wrong = Err::<(), _>(ConfigError::Value { origin: "x".into(), key: "y".into(), message: "z".into() })
            .context("reading")
            .unwrap_err();
        assert_eq!(report(&wrong), ExitCode::from(64));
        assert_eq!(report(&anyhow::anyhow!("x")), ExitCode::from(1));
    }

    #[test]
    fn n10_each_kind_of_failure_has_its_exit_code_also_with_a_context() {
        let there_is_none = anyhow::Error::from(KnownFailure::not_found("no such call")).context("looking");
        assert_eq!(report(&there_is_none), ExitCode::from(3));
        assert_eq!(FailureKind::from(ErrorKind::FailedPrecondition) as u8, 4);
        assert_eq!(FailureKind::from(ErrorKind::Unauthenticated) as u8, 5);
        assert_eq!(FailureKind::from(ErrorKind::Unavailable) as u8, 6);
        assert_eq!(FailureKind::from(ErrorKind::InvalidArgument) as u8, 64);
    }

    #[test]
    fn n4_only_a_closed_pipe_is_quiet() {
        let stdout = |kind| anyhow::Error::from(StdoutError::from(std::io::Error::from(kind)));
        assert_eq!(report(&stdout(std::io::ErrorKind::BrokenPipe)), ExitCode::SUCCESS);
        assert_eq!(report(&stdout(std::io::ErrorKind::StorageFull)), ExitCode::from(1));
    }
}
