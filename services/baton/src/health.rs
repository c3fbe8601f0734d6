//! `baton health`: whether a Baton is there and ready, for people and for probes.

use std::time::Duration;

use anyhow::bail;
use baton_runtime::Clock;
use baton_runtime::client::GrpcChannel;
use clap::Args;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::context::choice::ServerArgs;
use crate::client::refusal;
use crate::client::session::nobody_runs_in;
use crate::failure::{FailureKind, KnownFailure};
use crate::stdout::print_line;

const DEADLINE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    server: ServerArgs,
}

/// Fails unless Baton is ready: exit code 1, or 6 if nobody answers.
pub(crate) async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let chosen = args.server.choose_address()?;
    let server = chosen.known_server().ok_or_else(|| nobody_runs_in(chosen.data()))?;
    let channel = GrpcChannel::anonymous(&server, Clock::real())?.with_default_deadline(DEADLINE);
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    let status = answer.map_err(|status| unanswered(&server, &status))?.into_inner().status();
    if status == ServingStatus::Serving {
        print_line(&format!("{server} is ready"));
        return Ok(());
    }
    bail!("{server} answers and is not ready: it is stopping, or its switch is not connected; its log says which")
}

fn unanswered(server: &str, status: &Status) -> anyhow::Error {
    match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => {
            let text = format!("{server} did not answer in {} s", DEADLINE.as_secs());
            KnownFailure { kind: FailureKind::NoAnswer, text }.into()
        }
        _ => refusal::at(server, refusal::of(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_answers_is_told_from_a_fault() {
        for (status, says) in [
            (Status::unavailable("tcp connect error"), "nobody answers at http://x (tcp connect error)"),
            (Status::deadline_exceeded("late"), "http://x did not answer in 3 s"),
        ] {
            let error = unanswered("http://x", &status);
            assert!(error.to_string().starts_with(says), "{error}");
            assert_eq!(error.downcast_ref::<KnownFailure>().unwrap().kind, FailureKind::NoAnswer);
        }
        assert!(!unanswered("http://x", &Status::unimplemented("what?")).is::<KnownFailure>());
    }
}
