//! `baton version`: which version this is, and which one answers.

use std::time::Duration;

use baton_runtime::Clock;
use baton_runtime::client::GrpcChannel;
use baton_runtime::server::VERSION_HEADER;
use clap::Args;
use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::client::context::choice::ServerArgs;
use crate::client::output::{self, Output, OutputArgs};

/// The crate's, and in a release build the commit.
pub(crate) const VERSION: &str = env!("BUILT_VERSION");
/// Whoever asks for the version does not want to wait.
const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: VersionArgs) -> anyhow::Result<()> {
    let out = Output::new(&args.output);
    let chosen = args.server.choose_address()?;
    let address = chosen.server();
    let Some(server) = version_of(&address).await? else {
        if chosen.known_server().is_some() {
            output::diagnostic(&format!("Nobody answers at {address}."));
        }
        return out.value(&json!({ "version": VERSION }), &format!("baton {VERSION}"));
    };
    let value = json!({ "version": VERSION, "server": { "address": address, "version": server } });
    out.value(&value, &format!("baton {VERSION}\nserver {server}, at {address}"))
}

/// What the server says of itself in any answer, also in a refusal; health is open to everybody. `None`: nobody answers.
async fn version_of(address: &str) -> anyhow::Result<Option<String>> {
    let channel = GrpcChannel::anonymous(address, Clock::real())?.with_default_deadline(DEADLINE);
    let (metadata, has_answered) = match HealthClient::new(channel).check(HealthCheckRequest::default()).await {
        Ok(answer) => (answer.metadata().clone(), true),
        Err(status) => (status.metadata().clone(), false),
    };
    let said = metadata.get(VERSION_HEADER).and_then(|it| it.to_str().ok()).map(str::to_owned);
    Ok(said.or_else(|| has_answered.then(|| "unknown (it does not say)".to_owned())))
}
