//! Configuration: `default.toml` (which is also its documentation), then a file, then `BATON_<SECTION>__<KEY>`.
//!
//! A key that is not in `default.toml` is refused with an error that names the file or variable and the key: a typo must not
//! silently mean the default. The same holds for variables that begin with `BATON_`, except the few that the client reads.

mod error;
mod issuers;
mod sections;
mod storage;
mod tls;

use std::collections::BTreeSet;
use std::path::Path;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Deserialize;

pub use error::ConfigError;
pub use issuers::{DevelopmentKey, IssuerConfig};
pub use sections::{
    AuthConfig, DataConfig, DatabaseConfig, LimitsConfig, LogFormat, Millis, NatsConfig, PeersConfig, PresenceConfig,
    RateLimits, RecordingConfig, RoutingConfig, ServerConfig, SwitchConfig, TelemetryConfig, TelephonyConfig,
    TransferConfig,
};
pub use storage::{S3Endpoint, StorageUrl};
pub use tls::TlsConfig;

/// All keys, with their defaults and comments.
pub const DEFAULT_TOML: &str = include_str!("../../default.toml");

const ENV_PREFIX: &str = "BATON_";
const ENV_SEPARATOR: &str = "__";
/// Read by the command-line client, not configuration.
const CLIENT_VARIABLES: [&str; 3] = ["BATON_CONTEXT", "BATON_SERVER", "BATON_TOKEN"];

/// `default.toml` describes the sections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub limits: LimitsConfig,
    pub rates: RateLimits,
    pub data: DataConfig,
    pub database: DatabaseConfig,
    pub nats: NatsConfig,
    pub peers: PeersConfig,
    pub auth: AuthConfig,
    pub tls: TlsConfig,
    pub telemetry: TelemetryConfig,
    pub transfer: TransferConfig,
    pub presence: PresenceConfig,
    pub routing: RoutingConfig,
    pub telephony: TelephonyConfig,
    pub recording: RecordingConfig,
    pub switch: SwitchConfig,
}

impl Config {
    /// The configuration of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_from(
            file,
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// The configuration from this file and these variables.
    pub fn load_from(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULT_TOML));
        let known = keys(&figment)?;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            figment = add(figment, &known, &FileLayer { path, text })?;
        }
        for variable in variables.into_iter().filter_map(Variable::new) {
            if !known.contains(&variable.key) {
                return Err(ConfigError::unknown_variable(&variable.name, variable.key, &known));
            }
            figment = add(figment, &known, &variable)?;
        }
        let config: Self = figment.extract().map_err(|error| ConfigError::from_figment(&error))?;
        let mut problems =
            [config.tls.problems(), crate::auth::Issuers::problems(&config.auth), config.recording.problems()].concat();
        problems.extend(config.nats.problems());
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Meaningless { problems }) }
    }
}

impl Default for Config {
    /// The defaults of `default.toml`.
    ///
    /// # Panics
    /// If `default.toml` does not fit the sections; a test prevents that.
    fn default() -> Self {
        match Self::load_from(None, []) {
            Ok(config) => config,
            Err(error) => panic!("default.toml: {error}"),
        }
    }
}

/// Merges a layer over the others, if all of its keys are known.
fn add(figment: Figment, known: &BTreeSet<String>, layer: &(impl Provider + Layer)) -> Result<Figment, ConfigError> {
    let keys = keys(&Figment::from(layer))?;
    match keys.into_iter().find(|key| !known.contains(key)) {
        Some(key) => Err(ConfigError::unknown(layer.origin(), key, known)),
        None => Ok(figment.merge(layer)),
    }
}

/// A source of values.
trait Layer {
    fn origin(&self) -> String;
}

/// The keys of all values, with their sections.
fn keys(figment: &Figment) -> Result<BTreeSet<String>, ConfigError> {
    let values: Dict = figment.extract().map_err(|error| ConfigError::from_figment(&error))?;
    let mut keys = BTreeSet::new();
    collect("", &values, &mut keys);
    Ok(keys)
}

fn collect(prefix: &str, values: &Dict, keys: &mut BTreeSet<String>) {
    for (name, value) in values {
        let path = format!("{prefix}{name}");
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => collect(&format!("{path}."), inner, keys),
            Value::Dict(..) => {}
            _ => {
                keys.insert(path);
            }
        }
    }
}

/// A file; errors name it by the path that was given.
struct FileLayer<'a> {
    path: &'a Path,
    text: String,
}

impl Layer for FileLayer<'_> {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }
}

impl Provider for FileLayer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Toml::string(&self.text).data()
    }
}

struct Variable {
    name: String,
    key: String,
    value: String,
}

impl Variable {
    fn new((name, value): (String, String)) -> Option<Self> {
        if CLIENT_VARIABLES.contains(&name.as_str()) || is_service_link(&name) {
            return None;
        }
        let key = name.strip_prefix(ENV_PREFIX)?.replace(ENV_SEPARATOR, ".").to_lowercase();
        Some(Self { name, key, value })
    }
}

/// What Kubernetes sets for a Service whose name begins with `baton`: `BATON_TRANSFER_SERVICE_HOST`, `BATON_TRANSFER_PORT_7401_TCP`.
fn is_service_link(name: &str) -> bool {
    !name.contains(ENV_SEPARATOR)
        && ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|part| {
            name.find(part).is_some_and(|at| matches!(name.as_bytes().get(at + part.len()), None | Some(b'_')))
        })
}

fn variable_of(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', ENV_SEPARATOR).to_uppercase())
}

impl Layer for Variable {
    fn origin(&self) -> String {
        format!("environment variable {}", self.name)
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let Ok(value) = self.value.parse::<Value>();
        let nested = figment::util::nest(&self.key, value);
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
