//! Issuers of the site's own (Keycloak, Entra ID, a file of keys): their tokens are verified, and none are made.
//!
//! Each issuer has a task that fetches the keys that it publishes ([`refresh`]): at the start, now and then, and when a token names a key
//! that is not among them. A call never waits for that. It finds the key in what was fetched last ([`issuer`]); while nobody knows whether there is
//! such a key, it is told to try again. What a token's claims mean, and what an issuer may say at all, is configuration ([`settings`],
//! [`mapping`]).
//!
//! Rules, each owned by one module here:
//! - A key verifies only what its own kind, curve, `alg` and `use` allow ([`keys`]), so that no token can choose another use of it.
//! - A key that is no longer published takes with it what it has verified: who remembers a token asks [`KeyInUse::is_published`].
//! - While fetching fails, the last keys are used, but not for ever; an unknown key is fetched for at most every ten seconds.
//! - No issuer can name a tenant or a role that its configuration does not list.

mod claim_path;
mod fetch;
mod issuer;
mod keys;
mod mapping;
mod refresh;
mod report;
mod settings;
#[cfg(test)]
mod test_issuer;
#[cfg(test)]
mod test_keys;
#[cfg(test)]
mod test_site;

use std::sync::Arc;

use jsonwebtoken::Header;

use self::issuer::Issuer;
pub(super) use self::issuer::{IssuedToken, KeyInUse};
use self::refresh::{Refresh, RefreshTimes};
pub use self::report::IssuerReport;
use self::settings::IssuerSettings;
use super::TokenError;
use crate::clock::Clock;
use crate::config::{AuthConfig, ConfigError, DevelopmentKey};
use crate::lifecycle::Lifecycle;

/// The issuers whose tokens are accepted; clones are the same. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Issuers(Arc<[Arc<Issuer>]>);

impl Issuers {
    /// Begins to fetch the keys of all issuers of the configuration, for as long as the lifecycle lasts. It does not wait for them: until they
    /// are there, tokens of that issuer are refused with `UNAVAILABLE`.
    pub fn start(config: &AuthConfig, clock: &Clock, lifecycle: &Lifecycle) -> Result<Self, ConfigError> {
        let times = RefreshTimes {
            period: config.jwks_refresh_ms.duration(),
            kept: config.jwks_kept_ms.duration(),
            longest_fetch: fetch::LONGEST,
        };
        Self::start_with(config, clock, lifecycle, times)
    }

    fn start_with(
        config: &AuthConfig,
        clock: &Clock,
        lifecycle: &Lifecycle,
        times: RefreshTimes,
    ) -> Result<Self, ConfigError> {
        super::provider::install();
        let settings = IssuerSettings::all(config).map_err(|problems| ConfigError::Meaningless { problems })?;
        let all: Arc<[_]> = settings.into_iter().map(|it| Arc::new(Issuer::new(it))).collect();
        for issuer in all.iter() {
            let name = format!("keys of {}", issuer.settings.issuer);
            let refresh = Refresh::new(Arc::clone(issuer), clock.clone(), times);
            let soft = lifecycle.soft();
            lifecycle.spawn(name, async move {
                soft.run_until_cancelled(refresh.run()).await;
            });
        }
        Ok(Self(all))
    }

    /// What is wrong with the configuration of issuers: all of it, each with its key and what to do.
    pub(crate) fn problems(config: &AuthConfig) -> Vec<String> {
        let mut problems = IssuerSettings::all(config).err().unwrap_or_default();
        if config.development_key == DevelopmentKey::Refused && config.issuers.is_empty() {
            problems.push(
                "auth.development_key: is false, and there are no issuers, so that nobody could call; add [[auth.issuers]] \
                 (docs/identity.md), or write true"
                    .to_owned(),
            );
        }
        problems
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks everything of a token with this header and issuer, but what depends on the time; `None` for an issuer that there is not.
    pub(super) fn read(&self, token: &str, header: &Header, issuer: &str) -> Option<Result<IssuedToken, TokenError>> {
        let issuer = self.0.iter().find(|it| it.settings.issuer == issuer)?;
        Some(issuer.read(token, header))
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod fetch_tests;
#[cfg(test)]
#[path = "refresh_tests.rs"]
mod refresh_tests;
#[cfg(test)]
#[path = "token_tests.rs"]
mod token_tests;
