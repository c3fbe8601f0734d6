//! The sections of the configuration. `default.toml` describes the keys; the comments here say only what an empty value means.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use baton_words::SwitchId;
use serde::{Deserialize, Deserializer};

use super::issuers::{DevelopmentKey, IssuerConfig};
use super::storage::{self, S3Endpoint, StorageUrl};
use crate::server::WebOrigin;
use crate::service_name::ServiceName;

/// A duration in milliseconds: at least one, at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "u64")]
pub struct Millis(u64);

impl Millis {
    const LONGEST: u64 = 10 * 366 * 86_400_000;
    pub(super) const DAY: Self = Self(86_400_000);

    pub fn get(self) -> u64 {
        self.0
    }

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
    pub listen: SocketAddr,
    pub internal_listen: SocketAddr,
    /// Empty: no page of another origin.
    pub web_origins: Vec<WebOrigin>,
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    #[serde(deserialize_with = "at_least_one")]
    pub connections_per_peer: usize,
    #[serde(deserialize_with = "at_least_one")]
    pub connections_per_tenant: usize,
    pub first_token_ms: Millis,
    pub idle_ms: Millis,
    pub age_ms: Millis,
    pub health_listen: SocketAddr,
    pub concurrency_per_connection: usize,
    pub streams_per_connection: u32,
    pub drain_ms: Millis,
    /// 0: the listener closes at once.
    pub drain_delay_ms: u32,
}

/// `[limits]`: of each of the two listeners, for everybody but Baton's own services.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    pub open_calls_per_connection: usize,
    pub open_calls_per_peer: usize,
    #[serde(deserialize_with = "at_least_one")]
    pub calls_at_once_per_tenant: usize,
    pub receive_ms: Millis,
    pub send_ms: Millis,
    pub queued_bytes_per_connection: usize,
    pub queued_bytes_per_tenant: usize,
    pub queued_bytes: usize,
}

/// `[rates]`: calls a second; 0 is any number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    pub calls_of_tenant: u32,
    pub changes_of_tenant: u32,
    pub changes_of_subject: u32,
    /// So many seconds' calls may come at once after a pause.
    pub burst_s: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { calls_of_tenant: 20_000, changes_of_tenant: 2_000, changes_of_subject: 100, burst_s: 10 }
    }
}

/// `[data]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    pub dir: PathBuf,
    #[serde(deserialize_with = "at_least_one_day")]
    pub calls_kept_days: u32,
    /// 0: there is always enough.
    pub min_free_mib: u64,
    /// 0: as much as there is.
    pub tenant_mib: u32,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `None`: files in the data folder.
    #[serde(deserialize_with = "optional_path")]
    pub url_file: Option<PathBuf>,
    #[serde(deserialize_with = "schema_prefix")]
    pub schema_prefix: String,
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    pub patience_ms: Millis,
}

/// `[nats]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsConfig {
    /// Empty: none.
    pub url: String,
    /// Empty: none, or that of the URL.
    pub user: String,
    #[serde(deserialize_with = "optional_path")]
    pub password_file: Option<PathBuf>,
    /// `None`: nothing is shown to the servers.
    #[serde(deserialize_with = "optional_path")]
    pub credentials_file: Option<PathBuf>,
    /// `None`: whom the machine trusts.
    #[serde(deserialize_with = "optional_path")]
    pub ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "namespace")]
    pub namespace: String,
    #[serde(deserialize_with = "at_least_one")]
    pub replicas: usize,
    #[serde(deserialize_with = "at_least_one")]
    pub max_mib: usize,
}

impl NatsConfig {
    /// What is wrong, each with its key and what to do.
    pub(super) fn problems(&self) -> Option<String> {
        let is_half = self.user.is_empty() != self.password_file.is_none();
        is_half.then(|| "nats.user and nats.password_file: one of them is missing; write both, or none".to_owned())
    }
}

/// `[peers]`: empty where it is not known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeersConfig {
    pub presence: String,
    pub recording: String,
    pub routing: String,
    pub telephony: String,
    pub transfer: String,
}

impl PeersConfig {
    /// Where a service is; `None` if that is not written, and for the gateway, which nobody calls.
    pub fn address(&self, of: ServiceName) -> Option<&str> {
        let address = match of {
            ServiceName::Presence => &self.presence,
            ServiceName::Recording => &self.recording,
            ServiceName::Routing => &self.routing,
            ServiceName::Telephony => &self.telephony,
            ServiceName::Transfer => &self.transfer,
            ServiceName::Gateway => return None,
        };
        Some(address.as_str()).filter(|it| !it.is_empty())
    }
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// `None`: in the data folder.
    #[serde(deserialize_with = "optional_path")]
    pub key_file: Option<PathBuf>,
    pub stream_grace_ms: Millis,
    #[serde(deserialize_with = "at_least_one_day")]
    pub max_token_days: u32,
    pub development_key: DevelopmentKey,
    pub jwks_refresh_ms: Millis,
    pub jwks_kept_ms: Millis,
    /// Empty: Baton's own key alone.
    pub issuers: Vec<IssuerConfig>,
}

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
    pub log: String,
    pub format: LogFormat,
    /// Empty: traces are not exported.
    pub otlp_endpoint: String,
}

/// `[transfer]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferConfig {
    pub compare_interval_ms: Millis,
    pub answer_wait_ms: Millis,
    pub outgoing_switch_id: SwitchId,
}

/// `[presence]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceConfig {
    pub lease_ms: Millis,
}

/// `[routing]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingConfig {
    pub rescan_interval_ms: Millis,
}

/// `[telephony]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelephonyConfig {
    pub switch_id: SwitchId,
    /// Empty: the simulated switch of `baton up`.
    pub switch_address: String,
    pub resync_interval_ms: Millis,
}

/// `[recording]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingConfig {
    /// `None`: in the data folder.
    #[serde(deserialize_with = "storage::storage_url")]
    pub storage_url: Option<StorageUrl>,
    /// `None`: AWS.
    #[serde(deserialize_with = "storage::endpoint")]
    pub s3_endpoint: Option<S3Endpoint>,
    /// `None`: the object store has none.
    #[serde(deserialize_with = "storage::region")]
    pub s3_region: Option<String>,
    /// `None`: the environment of the process knows.
    #[serde(deserialize_with = "optional_path")]
    pub s3_credentials_file: Option<PathBuf>,
    /// 0: recordings are never deleted.
    pub retention_days: u32,
    /// 0: messages are never deleted.
    pub messages_kept_days: u32,
    #[serde(deserialize_with = "ten_minutes_at_most")]
    pub shortest_message_ms: i64,
    pub retention_scan_ms: Millis,
}

impl RecordingConfig {
    /// What is wrong, each with its key and what to do.
    pub(super) fn problems(&self) -> Vec<String> {
        let is_bucket = matches!(self.storage_url, Some(StorageUrl::Bucket { .. }));
        if is_bucket && self.s3_endpoint.is_none() && self.s3_region.is_none() {
            return vec![
                "recording.s3_region: AWS needs the region of the bucket, for example eu-central-1; another object store needs \
                 recording.s3_endpoint"
                    .to_owned(),
            ];
        }
        let given = [
            ("s3_endpoint", self.s3_endpoint.is_some()),
            ("s3_region", self.s3_region.is_some()),
            ("s3_credentials_file", self.s3_credentials_file.is_some()),
        ];
        let needless = given.into_iter().filter(|it| !is_bucket && it.1);
        needless
            .map(|it| {
                format!("recording.{}: recording.storage_url is not s3://BUCKET; write that, or leave this out", it.0)
            })
            .collect()
    }
}

/// `[switch]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchConfig {
    pub listen: SocketAddr,
    /// `None`: in the data folder.
    #[serde(deserialize_with = "optional_path")]
    pub data_dir: Option<PathBuf>,
    pub heard_kept_ms: Millis,
    pub sound: bool,
}

/// It is part of the names of streams and subjects.
fn namespace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let namespace = String::deserialize(deserializer)?;
    let is_plain = namespace.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    if is_plain && namespace.len() <= 32 {
        Ok(namespace)
    } else {
        Err(serde::de::Error::custom("must be lower-case letters and digits, at most 32"))
    }
}

/// It is part of statements as it stands.
fn schema_prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let prefix = String::deserialize(deserializer)?;
    let is_plain = prefix.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_plain && (1..=20).contains(&prefix.len()) {
        Ok(prefix)
    } else {
        Err(serde::de::Error::custom("must be 1 to 20 lower-case letters, digits and underscores"))
    }
}

/// No message is longer.
fn ten_minutes_at_most<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let ms = i64::deserialize(deserializer)?;
    if (0..=600_000).contains(&ms) { Ok(ms) } else { Err(serde::de::Error::custom("must be 0 to 600000")) }
}

/// With 0 no client could connect.
fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = usize::deserialize(deserializer)?;
    if number == 0 { Err(serde::de::Error::custom("must be at least 1")) } else { Ok(number) }
}

/// With 0 no token would be accepted, and no call would outlive its end.
fn at_least_one_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let days = u32::deserialize(deserializer)?;
    if days == 0 { Err(serde::de::Error::custom("must be at least 1")) } else { Ok(days) }
}

/// Empty text means "not set".
pub(super) fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}
