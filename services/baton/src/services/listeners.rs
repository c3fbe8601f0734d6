//! The listeners of a process: whose tokens each accepts, and what happens when one breaks.

use std::net::SocketAddr;
use std::time::Duration;

use baton_runtime::auth::{Issuers, Role, SigningKey, Verifier};
use baton_runtime::config::Config;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::{BoundServer, ServeError};
use tokio_util::sync::CancellationToken;

use super::ServicesIdentity;

/// Customers in a chat have no issuer: Baton makes their tokens.
const VISITORS: &[Role] = &[Role::Visitor];
const SERVICES_AND_VISITORS: &[Role] = &[Role::Service, Role::Visitor];

/// Whose tokens `up` accepts.
pub(crate) fn of_up(config: &Config, key: &SigningKey, issuers: Issuers) -> Verifier {
    let all = own(config, key).with_issuers(issuers);
    if accepts_own_key(config) { all } else { all.own_for(VISITORS) }
}

fn own(config: &Config, key: &SigningKey) -> Verifier {
    key.verifier().with_longest(Duration::from_hours(24) * config.auth.max_token_days)
}

/// Whose tokens a service accepts that is a process of its own: one listener has its clients' calls and other services'.
pub(crate) fn of_service(config: &Config, identity: &ServicesIdentity, issuers: Issuers) -> Verifier {
    let is_for_clients = config.auth.development_key.is_accepted(false, !config.auth.issuers.is_empty());
    match identity {
        ServicesIdentity::Key(key) | ServicesIdentity::Certificates(Some(key)) if is_for_clients => {
            own(config, key).with_issuers(issuers)
        }
        ServicesIdentity::Key(key) => own(config, key).with_issuers(issuers).own_for(SERVICES_AND_VISITORS),
        ServicesIdentity::Certificates(Some(key)) => own(config, key).with_issuers(issuers).own_for(VISITORS),
        ServicesIdentity::Certificates(None) => Verifier::of_issuers(issuers),
    }
}

/// Whether clients may come with tokens of the data folder's key. In `up` they may unless there are issuers, or the configuration says otherwise.
pub(crate) fn accepts_own_key(config: &Config) -> bool {
    config.auth.development_key.is_accepted(true, !config.auth.issuers.is_empty())
}

pub(crate) fn address(is_tls: bool, listener: SocketAddr) -> String {
    format!("{}://{listener}", if is_tls { "https" } else { "http" })
}

/// Serves clients until `stopping`; then `leaving` is cancelled, and `drained` when the last call has ended. `following`, which keeps health up to
/// date until `leaving`, begins after serving has begun with saying that it serves.
pub(crate) async fn serve_until_drained(
    listener: BoundServer,
    following: impl Future<Output = ()>,
    (stopping, leaving, drained): (CancellationToken, CancellationToken, CancellationToken),
) -> Result<(), ServeError> {
    let serving = async {
        let served = listener.serve(stopping).await;
        leaving.cancel();
        served
    };
    let (served, ()) = futures::future::join(serving, following).await;
    drained.cancel();
    served
}

/// Stops everything when a listener ends.
pub(crate) async fn ended<E: std::error::Error>(
    lifecycle: Lifecycle,
    listener: &'static str,
    serving: impl Future<Output = Result<(), E>>,
) {
    if let Err(error) = serving.await {
        tracing::error!(%error, listener, "a listener broke; stopping");
    }
    lifecycle.stop();
}
