//! How a command reports that it failed: one or two lines for a person, and an exit code for a script.

use std::process::ExitCode;

use baton_runtime::config::ConfigError;
use baton_runtime::telemetry::TelemetryError;

/// The command line or the configuration is wrong (`EX_USAGE`).
const USAGE: u8 = ConfigError::EXIT_CODE;

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

impl InternalFailure {
    pub(crate) const EXIT_CODE: u8 = 70;
}

/// Prints help, the version, or what is wrong with the command line.
pub(crate) fn report_command_line(error: &clap::Error) -> ExitCode {
    // If the terminal is gone, nobody can read it.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// Prints why the command failed.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if !error.is::<AlreadyReported>() {
        eprintln!("baton: {}", chain(error));
    }
    if error.is::<InternalFailure>() {
        return ExitCode::from(InternalFailure::EXIT_CODE);
    }
    let usage = error.is::<UsageError>() || error.is::<ConfigError>() || error.is::<TelemetryError>();
    ExitCode::from(if usage { USAGE } else { 1 })
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
}
