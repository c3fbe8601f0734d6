//! What a service needs of the configuration before it can be a process of its own: said all at once, with what to write.

use std::net::{Ipv4Addr, SocketAddr};

use baton_runtime::ServiceName;
use baton_runtime::config::Config;

use crate::failure::UsageError;

/// Refuses a configuration with which the service can't be of use.
pub(super) fn check(service: ServiceName, config: &Config) -> Result<(), UsageError> {
    let missing = missing(service, config);
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("`baton serve {service}` needs more of its configuration:\n  {}", missing.join("\n  "));
    Err(UsageError::new(text))
}

fn is_address(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

/// What is missing, each as its key and what to write.
pub(crate) fn missing(service: ServiceName, config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    let mut need = |is_there: bool, text: &str| {
        if !is_there {
            missing.push(text.to_owned());
        }
    };
    let accepts_key = config.auth.development_key.is_accepted(false, false);
    need(
        config.auth.key_file.is_some()
            || (config.tls.has_internal() && service != ServiceName::Telephony && !accepts_key),
        "auth.key_file: the key that services know each other by, the same for all of them (`openssl rand -hex 32`); with certificates \
         (tls.internal_certificate_file) telephony alone needs it, for the simulated switch",
    );
    need(
        service == ServiceName::Gateway || config.database.url_file.is_some(),
        "database.url_file: a file with the URL of a PostgreSQL database, where `baton migrate` has made the tables",
    );
    need(!config.nats.url.is_empty(), "nats.url: the NATS servers for events, for example nats://nats:4222");
    need(
        service != ServiceName::Recording || config.recording.storage_url.is_some(),
        "recording.storage_url: where audio is kept, a bucket (s3://BUCKET/PREFIX) or a folder that outlives the process (file:///PATH)",
    );
    need(
        service != ServiceName::Telephony || !config.telephony.switch_address.is_empty(),
        "telephony.switch_address: the switch that it drives, for example http://switch:7450",
    );
    for callee in service.calls() {
        let text = format!("peers.{callee}: where the {callee} service is, for example http://{callee}:7401");
        need(config.peers.address(*callee).is_some_and(is_address), &text);
    }
    need(
        accepts_key || !config.auth.issuers.is_empty(),
        "auth.issuers: whose tokens are accepted, see docs/identity.md; or auth.development_key = true, for tokens of auth.key_file",
    );
    let near = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listeners = match service {
        ServiceName::Gateway => (config.server.listen, near),
        _ => (near, config.server.internal_listen),
    };
    missing.extend(config.tls.refusal(listeners.0, listeners.1));
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(key, value)| (format!("BATON_{key}"), (*value).to_owned()));
        Config::load_from(None, variables).unwrap()
    }

    fn keys(service: ServiceName, variables: &[(&str, &str)]) -> Vec<String> {
        missing(service, &config(variables)).iter().map(|it| it.split(':').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let of_transfer = [
            "auth.key_file",
            "database.url_file",
            "nats.url",
            "peers.presence",
            "peers.recording",
            "peers.routing",
            "peers.telephony",
            "auth.issuers",
        ];
        assert_eq!(keys(ServiceName::Transfer, &[]), of_transfer);
        let text = check(ServiceName::Telephony, &config(&[])).unwrap_err().to_string();
        assert!(
            text.starts_with("`baton serve telephony` needs") && text.contains("\n  telephony.switch_address: "),
            "{text}"
        );
    }

    #[test]
    fn what_a_service_does_not_use_is_not_asked_for() {
        let given = [
            ("AUTH__KEY_FILE", "k"),
            ("AUTH__DEVELOPMENT_KEY", "true"),
            ("NATS__URL", "nats://n"),
            ("PEERS__PRESENCE", "http://p"),
            ("PEERS__RECORDING", "http://r"),
            ("PEERS__ROUTING", "http://o"),
            ("PEERS__TRANSFER", "http://t"),
        ];
        assert_eq!(keys(ServiceName::Gateway, &given), [""; 0]);
        assert_eq!(keys(ServiceName::Recording, &given), ["database.url_file", "recording.storage_url"]);
        let bare = [given.as_slice(), &[("PEERS__ROUTING", "routing:7401")]].concat();
        assert_eq!(keys(ServiceName::Gateway, &bare), ["peers.routing"], "no scheme");
        let open = [given.as_slice(), &[("SERVER__LISTEN", "0.0.0.0:7400")]].concat();
        assert_eq!(keys(ServiceName::Gateway, &open), ["server.listen"], "in plain text, for everybody");
        assert_eq!(keys(ServiceName::Routing, &open), ["database.url_file"], "it does not listen there");
    }
}
