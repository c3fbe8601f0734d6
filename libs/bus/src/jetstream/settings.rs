//! The stream's settings: made once, and compared field by field.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use baton_runtime::clock::Clock;
use baton_runtime::ids::new_uuid;
use serde_json::json;

use super::connection::{self, Notices};
use super::requests::GENERATION;
use super::{JetStreamBus, JetStreamError, JetStreamOptions};

/// Atomic batches, with the corrections that they needed.
const NEEDED: (i64, i64, i64) = (2, 12, 3);
const NEEDED_TEXT: &str = "2.12.3";
/// How long events can be replayed. After that only the services' own databases know of them.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);
/// How long the servers know a message by its id. Nothing rests on it.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// What may differ from site to site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSettings {
    /// On how many servers each event is: 1, 3 or 5. With 3 any one of them may fail.
    pub replicas: usize,
    /// The most bytes that the stream may have; beyond that events wait in the services' databases.
    pub max_bytes: i64,
}

impl Default for StreamSettings {
    /// Three servers, and 10 GiB: seven days of some million calls.
    fn default() -> Self {
        Self { replicas: 3, max_bytes: 10 * 1024 * 1024 * 1024 }
    }
}

impl JetStreamBus {
    /// Makes the stream, or brings the one that there is to the settings. Doing it twice does nothing more.
    ///
    /// # Errors
    /// NATS does not answer, is too old, or does not permit it; or the stream has a setting that can't be changed. Each says
    /// what to do.
    pub async fn ensure(options: &JetStreamOptions, settings: StreamSettings) -> Result<(), JetStreamError> {
        let bus = Self::connected_now(options).await?;
        let name = bus.0.names.stream.clone();
        match bus.config().await {
            Err(JetStreamError::NoStream { .. }) => {
                let config = bus.configured(Config::default(), settings);
                bus.ask::<Info>("making the stream", format!("STREAM.CREATE.{name}"), &json!(config)).await?;
            }
            Err(error) => return Err(error),
            Ok(config) => {
                let wanted = bus.configured(config.clone(), settings);
                if config != wanted {
                    bus.update(&name, &wanted).await?;
                }
            }
        }
        Ok(())
    }

    /// What of the stream is not as it should be, each as a sentence that says what to do; empty if all is well.
    ///
    /// # Errors
    /// NATS does not answer, is too old, or does not permit this user to read; or there is no stream.
    pub async fn check(options: &JetStreamOptions, settings: StreamSettings) -> Result<Vec<String>, JetStreamError> {
        let bus = Self::connected_now(options).await?;
        let config = bus.config().await?;
        // What a service asks for all the time: that this user may do it shows nowhere else.
        let all = bus.0.names.all();
        bus.last_on(&all).await?;
        if config.allow_direct {
            bus.piece(json!({ "next_by_subj": all, "seq": 1 }), 1).await?;
        }
        let wanted = bus.configured(config.clone(), settings);
        Ok(differences(&config, &wanted))
    }

    async fn connected_now(options: &JetStreamOptions) -> Result<Self, JetStreamError> {
        let names = options.names()?;
        let notices = Arc::new(Notices::new(options, &names));
        let client = connection::connect_now(options, &notices).await?;
        let (major, minor, patch) = NEEDED;
        if !client.is_server_compatible(major, minor, patch) {
            return Err(JetStreamError::TooOld { version: client.server_info().version, needed: NEEDED_TEXT });
        }
        Ok(Self::over(client, names, notices, Clock::real()))
    }

    async fn config(&self) -> Result<Config, JetStreamError> {
        let subject = format!("STREAM.INFO.{}", self.0.names.stream);
        let info: Info = self.ask("reading what the stream is", subject, &json!({})).await?;
        Ok(info.config)
    }

    async fn update(&self, name: &str, wanted: &Config) -> Result<(), JetStreamError> {
        let updated = self.ask::<Info>("changing the stream", format!("STREAM.UPDATE.{name}"), &json!(wanted)).await;
        match updated {
            Err(JetStreamError::Refused { error, .. }) if error.error_code() == ErrorCode::STREAM_INVALID_CONFIG => {
                let text = format!("{error}; copy what you need from it, delete it, and run `baton migrate` again");
                Err(JetStreamError::Fixed { stream: name.to_owned(), text })
            }
            updated => updated.map(|_| ()),
        }
    }

    /// The configuration as it should be; what Baton has no opinion about stays.
    fn configured(&self, mut config: Config, settings: StreamSettings) -> Config {
        config.name.clone_from(&self.0.names.stream);
        config.subjects = vec![self.0.names.all()];
        config.storage = StorageType::File;
        config.retention = RetentionPolicy::Limits;
        config.num_replicas = settings.replicas;
        config.max_age = MAX_AGE;
        config.max_bytes = settings.max_bytes;
        config.discard = DiscardPolicy::New;
        config.duplicate_window = DUPLICATE_WINDOW;
        config.allow_direct = true;
        config.allow_atomic_publish = true;
        config.metadata.entry(GENERATION.to_owned()).or_insert_with(|| new_uuid().to_string());
        config
    }
}

/// The settings that are not as wanted, with what is lost by that.
fn differences(is: &Config, wanted: &Config) -> Vec<String> {
    const MIGRATE: &str = "run `baton migrate`";
    let mut found = Vec::new();
    let mut compare = |what: &str, is: String, wanted: String, why: &str, cure: &str| {
        if is != wanted {
            found.push(format!("{what} is {is} and should be {wanted}: {why}; {cure}"));
        }
    };
    let anew = "delete the stream when its events are not needed any more, and run `baton migrate`";
    compare(
        "storage",
        format!("{:?}", is.storage),
        format!("{:?}", wanted.storage),
        "events would not outlive the server",
        anew,
    );
    let why = "events would be deleted when somebody has read them";
    compare("retention", format!("{:?}", is.retention), format!("{:?}", wanted.retention), why, anew);
    compare("subjects", is.subjects.join(", "), wanted.subjects.join(", "), "events would be missing", MIGRATE);
    let (few, many) = (is.num_replicas.to_string(), wanted.num_replicas.to_string());
    compare(
        "the number of replicas",
        few,
        many,
        "the loss of a server would be another one than is planned for",
        MIGRATE,
    );
    compare("max_age", seconds(is.max_age), seconds(wanted.max_age), "events are kept for seven days", MIGRATE);
    let (is_bytes, wanted_bytes) = (is.max_bytes.to_string(), wanted.max_bytes.to_string());
    compare("max_bytes", is_bytes, wanted_bytes, "the servers' disks are planned for this", MIGRATE);
    let why = "a full stream has to refuse events, not to forget some that nobody has read";
    compare("discard", format!("{:?}", is.discard), format!("{:?}", wanted.discard), why, MIGRATE);
    let why = "readers would have to ask the leader";
    compare("allow_direct", is.allow_direct.to_string(), wanted.allow_direct.to_string(), why, MIGRATE);
    let (is_atomic, wanted_atomic) = (is.allow_atomic_publish.to_string(), wanted.allow_atomic_publish.to_string());
    compare("allow_atomic", is_atomic, wanted_atomic, "nothing can be published without it", MIGRATE);
    let (is_window, wanted_window) = (seconds(is.duplicate_window), seconds(wanted.duplicate_window));
    compare("duplicate_window", is_window, wanted_window, "other readers count on it", MIGRATE);
    if !is.metadata.contains_key(GENERATION) {
        found.push(format!("the metadata {GENERATION} is missing: the stream was not made by Baton; {MIGRATE}"));
    }
    found
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
