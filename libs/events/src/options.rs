//! Where NATS is, who reads, and what.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use baton_api::nats_text::token;

use crate::{Cursor, FeedError};

/// How to reach NATS.
#[derive(Clone, Default)]
pub struct NatsOptions {
    /// The servers of one cluster: `nats://10.0.0.1:4222`, or `tls://…` for TLS. At least one.
    pub servers: Vec<String>,
    /// Who reads.
    pub login: Login,
    /// A PEM file with the authority that signed the servers' certificates; `None` for those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// What the server's answers are sent to: needed where the user may not subscribe to `_INBOX.>`, which is the default. For
    /// example `_INBOX_acme`. No wildcards, no dot at an end.
    pub inbox_prefix: Option<String>,
}

/// Who reads. Secrets come from files, so that they are in no list of processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Nobody in particular, or whom the server's URL names.
    #[default]
    Anonymous,
    /// A user and a file with their password; white space at its end does not count.
    User { name: String, password_file: PathBuf },
    /// A credentials file (`.creds`), as `nsc` writes it.
    Credentials(PathBuf),
    /// A file with the seed of an nkey (`SU…`).
    Nkey(PathBuf),
}

/// Where reading begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// With the oldest event that the stream keeps (seven days, as Baton sets it).
    #[default]
    Beginning,
    /// After what was read.
    After(Cursor),
    /// With the first event that NATS got at this time or later. An event that happened shortly before may be among them.
    Recorded(SystemTime),
    /// With the next event that is published.
    Now,
}

/// Which events are read, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedOptions {
    /// `BATON_EVT`, or what a tenant's copy of it is called.
    pub stream: String,
    /// As `nats.namespace` of Baton's configuration: mostly empty. With `x` the subjects begin with `x.`, and the name of the
    /// stream is to be given, too: `BATON_EVT_x`.
    pub namespace: String,
    /// The tenant's id; `None` for all tenants, whose sequences are then to be told apart by tenant.
    pub tenant: Option<String>,
    /// Only what these services publish, for example `transfer`; empty for all. Each service numbers its events by itself, so this makes no
    /// gaps.
    pub services: Vec<String>,
    /// Where to begin.
    pub from: ReadFrom,
}

impl Default for FeedOptions {
    /// Every event of every tenant, from the beginning of `BATON_EVT`.
    fn default() -> Self {
        Self {
            stream: "BATON_EVT".to_owned(),
            namespace: String::new(),
            tenant: None,
            services: Vec::new(),
            from: ReadFrom::Beginning,
        }
    }
}

impl FeedOptions {
    /// Every event of a tenant, from the beginning of `BATON_EVT`.
    pub fn of_tenant(tenant: impl Into<String>) -> Self {
        Self { tenant: Some(tenant.into()), ..Self::default() }
    }

    /// The same events, from somewhere else.
    #[must_use]
    pub fn from(self, from: ReadFrom) -> Self {
        Self { from, ..self }
    }

    /// The filters of the consumer.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let namespace = if self.namespace.is_empty() { String::new() } else { format!("{}.", self.namespace) };
        let tenant = self.tenant.as_deref().map_or_else(|| "*".to_owned(), token);
        if self.services.is_empty() {
            let tenant = if self.tenant.is_some() { format!("{tenant}.") } else { String::new() };
            return vec![format!("{namespace}baton.evt.v1.{tenant}>")];
        }
        self.services.iter().map(|service| format!("{namespace}baton.evt.v1.{tenant}.{}.>", token(service))).collect()
    }

    pub(crate) fn check(&self) -> Result<(), FeedError> {
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        for (option, text) in [("stream", &self.stream), ("namespace", &self.namespace)] {
            if !text.chars().all(fits) || (option == "stream" && text.is_empty()) {
                let why = format!("`{text}` is not letters, digits, `-` and `_`");
                return Err(FeedError::Options { option, why });
            }
        }
        match &self.from {
            ReadFrom::After(cursor) if cursor.stream.name != self.stream => {
                Err(FeedError::OtherStream { cursor: cursor.stream.name.clone(), stream: self.stream.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl NatsOptions {
    /// The servers without user names and passwords, for people to read.
    pub(crate) fn shown(&self) -> String {
        let shown: Vec<_> = self.servers.iter().map(|url| without_password(url)).collect();
        shown.join(", ")
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NatsOptions")
            .field("servers", &self.shown())
            .field("login", &self.login)
            .field("ca_file", &self.ca_file)
            .field("inbox_prefix", &self.inbox_prefix)
            .finish()
    }
}

/// What comes between `//` and the last `@` is secret.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let servers = vec!["tls://reports:se@cret@nats-1:4222".to_owned(), "nats-2".to_owned()];
        let shown = format!("{:?}", NatsOptions { servers, ..NatsOptions::default() });
        assert!(shown.contains("tls://nats-1:4222, nats://nats-2") && !shown.contains("cret"), "{shown}");
    }

    #[test]
    fn options_become_the_subjects_of_those_events_alone() {
        let options = FeedOptions::default();
        assert_eq!(options.subjects(), ["baton.evt.v1.>"]);
        assert_eq!(FeedOptions::of_tenant("a.b").subjects(), ["baton.evt.v1.a%2Eb.>"]);
        let services = vec!["transfer".to_owned(), "x.>".to_owned()];
        let some = FeedOptions { namespace: "x".into(), services, ..options };
        assert_eq!(some.subjects(), ["x.baton.evt.v1.*.transfer.>", "x.baton.evt.v1.*.x%2E%3E.>"]);
    }

    #[test]
    fn names_that_no_server_takes_are_refused() {
        for (stream, namespace) in [("", ""), ("a.b", ""), ("a b", ""), ("BATON_EVT", "*"), ("BATON_EVT", "a.>")] {
            let options = FeedOptions { stream: stream.into(), namespace: namespace.into(), ..FeedOptions::default() };
            assert!(matches!(options.check(), Err(FeedError::Options { .. })), "{stream} {namespace}");
        }
    }
}
