//! Where NATS is, and what the stream and its subjects are called there.

use std::fmt;
use std::path::PathBuf;

use async_nats::ServerAddr;
use baton_api::nats_text::{token, unescaped};

use super::JetStreamError;
use crate::EventMatcher;
use crate::envelope::partition;

/// The stream's name, unless a namespace is added to it.
const STREAM: &str = "BATON_EVT";
/// What the bell rings on: it must not be a subject of the stream.
const BELL: &str = "baton.bell.v1.events";
const MAX_NAMESPACE: usize = 32;
/// Instead of a tenant, in messages that are no events: no tenant's token has this character.
const NO_TENANT: &str = "~";

/// How to reach the NATS servers, and which stream there is meant.
#[derive(Clone, Default)]
pub struct JetStreamOptions {
    /// The servers of one cluster: `nats://10.0.0.1:4222`, or `tls://…`. At least one; a password in it is never shown.
    pub urls: Vec<String>,
    /// A name and its password, which is never shown; `None`: those of the URLs.
    pub user: Option<(String, String)>,
    /// A credentials file, as `nsc generate creds` writes it; `None` for servers that want none.
    pub credentials_file: Option<PathBuf>,
    /// A PEM file with the authority that signed the servers' certificates; `None` for those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Empty in production. With `x` the stream is `BATON_EVT_x` and its subjects are `x.baton.evt.v1.…`, so that several
    /// Batons, or tests, can use the same servers. Letters, digits, `-` and `_`, at most 32.
    pub namespace: String,
}

impl fmt::Debug for JetStreamOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JetStreamOptions")
            .field("urls", &self.servers())
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("credentials_file", &self.credentials_file)
            .field("ca_file", &self.ca_file)
            .field("namespace", &self.namespace)
            .finish()
    }
}

impl JetStreamOptions {
    /// The servers without user names and passwords, for people to read.
    pub(super) fn servers(&self) -> String {
        let shown: Vec<_> = self.urls.iter().map(|url| without_password(url)).collect();
        shown.join(", ")
    }

    pub(super) fn addresses(&self) -> Result<Vec<ServerAddr>, JetStreamError> {
        let parsed = self.urls.iter().map(|url| {
            url.parse().map_err(|_| {
                let why = format!("one of {} is no address of a server", self.servers());
                JetStreamError::Options { option: "url", why }
            })
        });
        parsed.collect()
    }

    /// The user, or else the first user name in the URLs and its password; without a password it is a token.
    pub(super) fn user(&self) -> Result<Option<(String, Option<String>)>, JetStreamError> {
        if let Some((user, password)) = self.user.clone() {
            return Ok(Some((user, Some(password))));
        }
        let plain = |text: &str| unescaped(text).unwrap_or_else(|| text.to_owned());
        let users = self.addresses()?.into_iter().find_map(|address| {
            let user = plain(address.username().filter(|it| !it.is_empty())?);
            Some((user, address.password().map(plain)))
        });
        Ok(users)
    }

    pub(super) fn names(&self) -> Result<StreamNames, JetStreamError> {
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        if self.namespace.len() > MAX_NAMESPACE || !self.namespace.chars().all(fits) {
            let why = "it has only letters, digits, `-` and `_`, at most 32".to_owned();
            return Err(JetStreamError::Options { option: "namespace", why });
        }
        if self.urls.is_empty() {
            return Err(JetStreamError::Options { option: "url", why: "there is none".to_owned() });
        }
        Ok(StreamNames::new(&self.namespace))
    }
}

/// What comes between `//` and the last `@` before the path is secret.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

/// The names of the stream and of its subjects.
#[derive(Debug, Clone)]
pub(super) struct StreamNames {
    pub(super) stream: String,
    /// What comes before a subject of [`Envelope::subject`](crate::Envelope::subject): empty, or ends with a dot.
    pub(super) prefix: String,
    pub(super) bell: String,
}

impl StreamNames {
    fn new(namespace: &str) -> Self {
        if namespace.is_empty() {
            return Self { stream: STREAM.to_owned(), prefix: String::new(), bell: BELL.to_owned() };
        }
        Self {
            stream: format!("{STREAM}_{namespace}"),
            prefix: format!("{namespace}."),
            bell: format!("{namespace}.{BELL}"),
        }
    }

    /// All that the stream has.
    pub(super) fn all(&self) -> String {
        format!("{}baton.evt.v1.>", self.prefix)
    }

    pub(super) fn of_tenant(&self, tenant: Option<&str>) -> String {
        tenant.map_or_else(|| self.all(), |tenant| format!("{}baton.evt.v1.{}.>", self.prefix, token(tenant)))
    }

    /// What a filter's reader has to look through: an aggregate's events are in one partition of the tenant's.
    pub(super) fn of_filter(&self, filter: &EventMatcher) -> String {
        let tenant = filter.tenant.as_deref();
        let Some(aggregate) = &filter.aggregate else { return self.of_tenant(tenant) };
        let tenant = tenant.map_or_else(|| "*".to_owned(), token);
        format!("{}baton.evt.v1.{tenant}.*.{}.>", self.prefix, partition(aggregate))
    }

    /// What one service publishes, of all tenants: what its fence is about.
    pub(super) fn of_area(&self, area: &str) -> String {
        format!("{}baton.evt.v1.*.{}.>", self.prefix, token(area))
    }

    /// Where it is written that a service's events go on elsewhere; within [`Self::of_area`], and no tenant's.
    pub(super) fn epoch(&self, area: &str) -> String {
        format!("{}baton.evt.v1.{NO_TENANT}.{}.0.epoch", self.prefix, token(area))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let urls = vec!["nats://baton:se@cret@nats-1:4222".to_owned(), "nats-2".to_owned(), "token@nats-3".to_owned()];
        let shown = format!("{:?}", JetStreamOptions { urls, ..JetStreamOptions::default() });
        assert!(shown.contains("nats://nats-1:4222, nats-2, nats-3"), "{shown}");
        assert!(!shown.contains("cret") && !shown.contains("token"), "{shown}");
    }

    #[test]
    fn a_namespace_separates_the_stream_and_all_subjects() {
        let named = |namespace: &str| {
            let urls = vec!["nats://nats-1".to_owned()];
            JetStreamOptions { urls, namespace: namespace.to_owned(), ..JetStreamOptions::default() }.names()
        };
        let (plain, x) = (named("").unwrap(), named("x").unwrap());
        assert_eq!((plain.stream.as_str(), plain.all().as_str()), ("BATON_EVT", "baton.evt.v1.>"));
        assert_eq!((x.stream.as_str(), x.all().as_str()), ("BATON_EVT_x", "x.baton.evt.v1.>"));
        assert_eq!(x.of_tenant(Some("a.b")), "x.baton.evt.v1.a%2Eb.>");
        assert_eq!(x.of_area("transfer"), "x.baton.evt.v1.*.transfer.>");
        let about = EventMatcher::all().about("interaction/1");
        assert_eq!(plain.of_filter(&about), "baton.evt.v1.*.*.39.>");
        assert_eq!(x.of_filter(&about.of_tenant("acme")), "x.baton.evt.v1.acme.*.39.>");
        for bad in ["a.b", "*", ">", "a b", &"a".repeat(33)] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
