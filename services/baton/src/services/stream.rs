//! The stream of events on the NATS servers of the configuration.

use baton_bus::{JetStreamOptions, StreamSettings};
use baton_runtime::config::NatsConfig;

const MIB: i64 = 1024 * 1024;

/// How to reach it; `None` if no servers are named.
pub(crate) fn options(config: &NatsConfig) -> Option<JetStreamOptions> {
    let urls: Vec<_> = config.url.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    (!urls.is_empty()).then(|| JetStreamOptions {
        urls,
        credentials_file: config.credentials_file.clone(),
        ca_file: config.ca_file.clone(),
        namespace: config.namespace.clone(),
    })
}

/// What it is to be like.
pub(crate) fn settings(config: &NatsConfig) -> StreamSettings {
    StreamSettings {
        replicas: config.replicas,
        max_bytes: i64::try_from(config.max_mib).unwrap_or(i64::MAX).saturating_mul(MIB),
    }
}
