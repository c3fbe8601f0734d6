//! The sections of the configuration; what each key means is written in `default.toml`, once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A duration in milliseconds: at least one, at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "u64")]
pub struct Millis(u64);

impl Millis {
    const LONGEST: u64 = 10 * 366 * 86_400_000;

    /// The number of milliseconds.
    pub fn get(self) -> u64 {
        self.0
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl TryFrom<u64> for Millis {
    type Error = String;

    fn try_from(ms: u64) -> Result<Self, Self::Error> {
        if (1..=Self::LONGEST).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(format!("{ms} ms is not between 1 ms and ten years"))
        }
    }
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where services connect.
    pub internal_listen: SocketAddr,
    /// Connections open at once, on each listener.
    #[serde(deserialize_with = "some")]
    pub connections: usize,
    /// Calls under way on one connection.
    pub concurrency_per_connection: usize,
    /// Streams and calls open on one connection.
    pub streams_per_connection: u32,
    /// Time to finish when stopping.
    pub drain_ms: Millis,
}

/// `[data]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data folder.
    pub dir: PathBuf,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The signing key's file; `None`: in the data folder.
    #[serde(deserialize_with = "set")]
    pub key_file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[telemetry]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// What is logged.
    pub log: String,
    /// How log lines look.
    pub format: LogFormat,
    /// Where traces go; empty: nowhere.
    pub otlp_endpoint: String,
}

/// `[transfer]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferConfig {
    /// Period of pushing projections again.
    pub repush_interval_ms: Millis,
    /// How long a call without a deadline waits for the world.
    pub answer_wait_ms: Millis,
}

/// `[presence]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceConfig {
    /// Silence after which an agent is offline.
    pub lease_ms: Millis,
}

/// `[routing]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingConfig {
    /// Period of looking at waits again.
    pub rescan_interval_ms: Millis,
}

/// `[telephony]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelephonyConfig {
    /// Where the switch is; empty: the simulated one that was started along.
    pub switch_address: String,
    /// Period of comparing the switch with the plans.
    pub resync_interval_ms: Millis,
}

/// `[recording]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingConfig {
    /// Where audio is kept; `None`: in the data folder.
    #[serde(deserialize_with = "set")]
    pub storage_dir: Option<PathBuf>,
    /// Days after which recordings are deleted; 0: never.
    pub retention_days: u32,
    /// Period of looking for expired recordings.
    pub retention_scan_ms: Millis,
}

/// `[switch]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchConfig {
    /// Where the simulated switch listens.
    pub listen: SocketAddr,
    /// Its files; `None`: in the data folder.
    #[serde(deserialize_with = "set")]
    pub data_dir: Option<PathBuf>,
    /// How long what phones heard is kept.
    pub heard_kept_ms: Millis,
    /// Whether sound is mixed.
    pub sound: bool,
}

/// At least one, or nobody could connect.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = usize::deserialize(deserializer)?;
    if number == 0 { Err(serde::de::Error::custom("must be at least 1")) } else { Ok(number) }
}

/// Empty text means "not set".
fn set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}
