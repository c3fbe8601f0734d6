//! `baton health`: whether a Baton is there and ready, for people and for probes.

use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_runtime::Clock;
use baton_runtime::client::GrpcChannel;
use clap::Args;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::context::choice::ServerArgs;
use crate::failure::UsageError;
use crate::stdout::print_line;

const DEADLINE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    server: ServerArgs,
}

/// Fails unless Baton is ready: exit code 1.
pub(crate) async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let chosen = args.server.choose_address()?;
    let server = chosen.known_server().ok_or_else(|| {
        UsageError::new(format!("no `baton up` runs in {}: name a server with --server", chosen.data().display()))
    })?;
    let channel = GrpcChannel::anonymous(&server, Clock::real())?.with_default_deadline(DEADLINE);
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    let status = answer.with_context(|| format!("{server} does not answer"))?.into_inner().status();
    if status == ServingStatus::Serving {
        print_line(&format!("{server} is ready"));
        return Ok(());
    }
    bail!("{server} answers and is not ready: it is stopping, or its switch is not connected; its log says which")
}
