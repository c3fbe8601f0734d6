//! A verifier whose keys come from a little issuer, in simulated time; the answers are real.

use std::time::Duration;

use serde_json::{Value, json};

use super::test_issuer::TestIssuer;
use super::test_keys::TestKey;
use super::*;
use crate::auth::{Caller, TokenError, Verifier};
use crate::clock::BusyGuard;
use crate::config::{Config, IssuerConfig};

pub(super) const START_US: i64 = 1_800_000_000_000_000;
pub(super) const ISSUER: &str = "https://id.example";
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// Between two fetches.
pub(super) const PERIOD: Duration = Duration::from_mins(5);
/// For one fetch.
const UNTIL_LATE: Duration = Duration::from_millis(300);

/// A verifier of tokens of one issuer, and the time, which passes only when it is told to.
pub(super) struct Site {
    pub(super) verifier: Verifier,
    pub(super) clock: Clock,
    held: Option<BusyGuard>,
    lifecycle: Lifecycle,
}

impl Site {
    /// Its keys were fetched, or tried to.
    pub(super) async fn start(config: IssuerConfig) -> Self {
        Self::start_keeping(config, Duration::from_hours(24)).await
    }

    pub(super) async fn start_keeping(config: IssuerConfig, kept: Duration) -> Self {
        let (clock, driver) = Clock::simulated(START_US);
        crate::lifecycle::spawn(driver.run_on_one_thread());
        let lifecycle = Lifecycle::new();
        let mut auth = Config::default().auth;
        auth.issuers = vec![IssuerConfig {
            issuer: ISSUER.to_owned(),
            audience: vec!["baton".to_owned()],
            tenants: vec!["acme".to_owned()],
            roles: vec!["admin".to_owned()],
            ..config
        }];
        let times = RefreshTimes { period: auth.jwks_refresh_ms.duration(), kept, longest_fetch: UNTIL_LATE };
        let issuers = Issuers::start_with(&auth, &clock, &lifecycle, times).unwrap();
        let mut this = Self { verifier: Verifier::of_issuers(issuers), clock, held: None, lifecycle };
        this.pass(Duration::from_millis(1)).await;
        this
    }

    pub(super) async fn of(issuer: &TestIssuer) -> Self {
        Self::start(IssuerConfig { jwks_url: issuer.url(), ..IssuerConfig::default() }).await
    }

    /// What falls due meanwhile is done when this returns.
    pub(super) async fn pass(&mut self, time: Duration) {
        let until_us = self.clock.after(time);
        self.held = None;
        self.clock.sleep_until(until_us).await;
        self.held = Some(self.clock.busy());
    }

    pub(super) fn claims(&self) -> Value {
        let now_s = self.clock.now_us() / 1_000_000;
        json!({"iss": ISSUER, "aud": "baton", "sub": "eve", "exp": now_s + 3_600})
    }

    /// What happens to a fresh token of this key.
    pub(super) fn read(&self, key: &TestKey) -> Result<Caller, TokenError> {
        self.verify(&key.token(&self.claims()))
    }

    pub(super) fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        self.verifier.verify(token, self.clock.now_us()).map(|it| it.caller)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

pub(super) fn is_unavailable(result: &Result<Caller, TokenError>) -> bool {
    matches!(result, Err(TokenError::Unavailable(_)))
}

pub(super) fn is_withdrawn(result: &Result<Caller, TokenError>) -> bool {
    matches!(result, Err(TokenError::Invalid(why)) if why.contains("does not publish the key"))
}
