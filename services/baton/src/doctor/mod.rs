//! `baton doctor`: looks through an installation of separate processes, from where it runs, and says of each thing whether it is well. Of
//! what is not, it says what to do.
//!
//! It changes nothing (a small file that it writes to the storage of audio is deleted again), and it needs what a service has: the configuration with its files.

mod database;
mod finding;
mod identity;
mod peers;
mod storage;
mod stream;

use std::path::PathBuf;

use baton_runtime::auth::SigningKey;
use baton_runtime::config::Config;
use baton_runtime::{Clock, ServiceName};
use clap::Args;

use crate::failure::AlreadyReported;
use crate::serve::needs;
use crate::stdout::try_print_line;
use finding::Finding;

const NOT_CONFIGURED: &str = "\
No configuration file was given (--config): what is checked are the defaults of separate services (`baton serve`),
with what BATON_… variables set. For a `baton up` there is `baton health`.
";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Look at what this service needs, and not at what all of them need.
    service: Option<ServiceName>,
    /// Configuration file of the services; what it does not set has its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Fails if anything is wrong: exit code 1.
pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.as_deref())?;
    if args.config.is_none() {
        try_print_line(NOT_CONFIGURED)?;
    }
    let services = args.service.map_or_else(|| ServiceName::ALL.to_vec(), |it| vec![it]);
    let mut wrong = 0;
    let mut say = |findings: Vec<Finding>| {
        wrong += findings.iter().filter(|it| it.is_wrong()).count();
        findings.iter().try_for_each(|it| try_print_line(&it.to_string()))
    };
    say(settings(&services, &config))?;
    let (key, finding) = key(&config);
    say(finding.into_iter().collect())?;
    say(identity::look(&config, &services, &Clock::real()).await)?;
    say(database::look(&config, &services, &Clock::real()).await)?;
    say(stream::look(&config, &services, &Clock::real()).await)?;
    say(storage::look(&config, &services, &Clock::real()).await)?;
    say(peers::look(&config, &services, key.as_ref()).await)?;
    if wrong == 0 {
        try_print_line("Everything that was looked at is well.")?;
        return Ok(());
    }
    let count = if wrong == 1 { "One finding is".to_owned() } else { format!("{wrong} findings are") };
    try_print_line(&format!("{count} wrong."))?;
    Err(AlreadyReported.into())
}

/// The key that services know each other by, or what is wrong with it.
fn key(config: &Config) -> (Option<SigningKey>, Option<Finding>) {
    let Some(file) = &config.auth.key_file else { return (None, None) };
    match SigningKey::load(file) {
        Ok(Some(key)) => (Some(key), None),
        Ok(None) => (None, Some(Finding::wrong("key", "auth.key_file is not there: give all services the same one"))),
        Err(error) => {
            let text = format!("auth.key_file can't be used: {}", crate::failure::chain(&error.into()));
            (None, Some(Finding::wrong("key", text)))
        }
    }
}

/// What is missing for any of the services, once.
fn settings(services: &[ServiceName], config: &Config) -> Vec<Finding> {
    let mut missing: Vec<_> = services.iter().flat_map(|it| needs::missing(*it, config)).collect();
    missing.sort();
    missing.dedup();
    if missing.is_empty() {
        return vec![Finding::well("settings", "nothing is missing")];
    }
    missing.into_iter().map(|it| Finding::wrong("settings", it)).collect()
}
