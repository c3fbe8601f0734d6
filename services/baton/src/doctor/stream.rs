//! The stream of events, and how far each service has published.

use std::time::Duration;

use baton_bus::{Bus, JetStreamBus, Relay};
use baton_runtime::config::Config;
use baton_runtime::{Clock, ServiceName};
use baton_store::Databases;
use baton_store::outbox;

use super::finding::Finding;
use crate::failure::chain;
use crate::services::server_databases::for_command;
use crate::services::stream;

const ABOUT: &str = "events";
/// Events are published within milliseconds; what is older waits for something.
const LATE: Duration = Duration::from_secs(30);

pub(super) async fn look(config: &Config, services: &[ServiceName], clock: &Clock) -> Vec<Finding> {
    let options = match stream::options(&config.nats) {
        Ok(Some(options)) => options,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Finding::wrong(ABOUT, error.to_string())],
    };
    let mut findings = match JetStreamBus::check(&options, stream::settings(&config.nats)).await {
        Ok(wrong) if wrong.is_empty() => vec![Finding::well(ABOUT, "the stream is as it should be")],
        Ok(wrong) => wrong.into_iter().map(|it| Finding::wrong(ABOUT, it)).collect(),
        Err(error) => return vec![Finding::wrong(ABOUT, chain(&error.into()))],
    };
    let bus: Bus = match JetStreamBus::open(&options, clock.clone()).await {
        Ok(bus) => bus.into(),
        Err(error) => return vec![Finding::wrong(ABOUT, chain(&error.into()))],
    };
    // What is wrong with them is said where they are looked at.
    let Ok(Some(databases)) = for_command(&config.database) else { return findings };
    // Telephony publishes nothing.
    let publishing = services.iter().filter(|it| !matches!(it, ServiceName::Gateway | ServiceName::Telephony));
    for service in publishing {
        let finding = lag(&databases, &bus, *service, clock).await;
        findings.push(finding.unwrap_or_else(|error| Finding::wrong(format!("events of {service}"), chain(&error))));
    }
    findings
}

/// What is committed and not in the stream yet.
async fn lag(databases: &Databases, bus: &Bus, service: ServiceName, clock: &Clock) -> anyhow::Result<Finding> {
    let about = format!("events of {service}");
    let db = databases.open(service.as_str()).await?;
    stream::until_connected(bus, service.as_str()).await?;
    let cursor = Relay::new(service.as_str(), db.clone(), bus.clone(), clock.clone()).look().await?;
    let (waiting, _) = outbox::after(&db, &cursor, outbox::MAX_BATCH).await?;
    let Some(oldest) = waiting.first() else { return Ok(Finding::well(about, "all are published")) };
    let count = if waiting.len() == outbox::MAX_BATCH {
        format!("{} or more", waiting.len())
    } else {
        waiting.len().to_string()
    };
    let age = Duration::from_micros(u64::try_from(clock.wall_us() - oldest.time_us).unwrap_or(0));
    let text = format!("{count} wait to be published, the oldest for {} s", age.as_secs());
    if age < LATE {
        return Ok(Finding::well(about, text));
    }
    Ok(Finding::wrong(
        about,
        format!("{text}: does `baton serve {service}` run, and does its log say that NATS is away?"),
    ))
}
