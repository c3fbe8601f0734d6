//! The stream of events on the NATS servers of the configuration.

use std::time::Duration;

use baton_bus::{Bus, BusError, JetStreamOptions, SourceCursor, StreamSettings};
use baton_runtime::Clock;
use baton_runtime::config::NatsConfig;
use baton_runtime::secret_file;

use crate::failure::UsageError;

/// How long a command waits for a connection that was begun a moment ago.
const PATIENCE: Duration = Duration::from_secs(3);
const MIB: i64 = 1024 * 1024;

/// How to reach it; `None` if no servers are named.
pub(crate) fn options(config: &NatsConfig) -> Result<Option<JetStreamOptions>, UsageError> {
    let urls: Vec<_> = config.url.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    if urls.is_empty() {
        return Ok(None);
    }
    if let Some(file) = &config.credentials_file {
        // The library reads it again for each connection.
        secret_file::read(file).map_err(|error| UsageError::new(format!("nats.credentials_file {error}")))?;
    }
    let password = config.password_file.as_deref().map(secret_file::read).transpose();
    let password = password.map_err(|error| UsageError::new(format!("nats.password_file {error}")))?;
    Ok(Some(JetStreamOptions {
        urls,
        user: password.map(|password| (config.user.clone(), password.trim().to_owned())),
        credentials_file: config.credentials_file.clone(),
        ca_file: config.ca_file.clone(),
        namespace: config.namespace.clone(),
    }))
}

/// What it is to be like.
pub(crate) fn settings(config: &NatsConfig) -> StreamSettings {
    StreamSettings {
        replicas: config.replicas,
        max_bytes: i64::try_from(config.max_mib).unwrap_or(i64::MAX).saturating_mul(MIB),
    }
}

/// How far a service's events are in the stream, once the connection is there.
pub(crate) async fn until_connected(bus: &Bus, service: &str) -> Result<Option<SourceCursor>, BusError> {
    let clock = Clock::real();
    let until_us = clock.after(PATIENCE);
    loop {
        match bus.cursor(service).await {
            Err(BusError::JetStream(error)) if error.is_passing() && clock.now_us() < until_us => {
                clock.sleep(Duration::from_millis(100)).await;
            }
            asked => return asked,
        }
    }
}
