//! The task that keeps an issuer's keys fresh.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::FetchError;
use super::issuer::Issuer;
use super::keys::{KeySet, NotKeys};
use super::settings::KeySource;
use crate::client::Backoff;
use crate::clock::{Clock, micros};

/// Between two fetches, whoever asks: tokens with made-up key ids must not make Baton hammer an issuer.
pub(super) const LEAST_PAUSE: Duration = Duration::from_secs(10);
/// Between two looks at a file.
pub(super) const FILE_PERIOD: Duration = Duration::from_secs(5);
/// After failures, the first and the longest pause.
const RETRIES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// How often, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefreshTimes {
    /// Between two fetches that were good.
    pub(super) period: Duration,
    /// How long keys are used while fetches fail.
    pub(super) kept: Duration,
    /// For one fetch.
    pub(super) longest_fetch: Duration,
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Keys(#[from] NotKeys),
}

/// Fetches one issuer's keys, again and again.
pub(super) struct Refresh {
    issuer: Arc<Issuer>,
    clock: Clock,
    times: RefreshTimes,
    backoff: Backoff,
    /// When the keys were fetched that are used.
    fetched_us: Option<i64>,
    /// Since the last good one.
    failures: u32,
}

impl Refresh {
    pub(super) fn new(issuer: Arc<Issuer>, clock: Clock, mut times: RefreshTimes) -> Self {
        if matches!(issuer.settings.source, KeySource::File(_)) {
            times.period = times.period.min(FILE_PERIOD);
        }
        let backoff = Backoff::try_new(RETRIES.0, RETRIES.1.min(times.period).max(RETRIES.0)).unwrap_or_default();
        Self { issuer, clock, times, backoff, fetched_us: None, failures: 0 }
    }

    /// Never ends.
    pub(super) async fn run(mut self) {
        loop {
            let began_us = self.clock.now_us();
            {
                let _busy = self.clock.busy();
                self.once(began_us).await;
            }
            self.wait(began_us).await;
        }
    }

    async fn once(&mut self, began_us: i64) {
        let asked = self.issuer.asked();
        match self.fetch().await {
            Ok(keys) => {
                self.note_good(&keys);
                self.issuer.publish(keys, asked);
                (self.fetched_us, self.failures) = (Some(began_us), 0);
            }
            Err(error) => {
                self.issuer.ask_again(asked);
                self.failures = self.failures.saturating_add(1);
                self.note_failure(&error);
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, RefreshError> {
        let text = self.issuer.settings.source.fetch(self.times.longest_fetch).await?;
        let before = self.issuer.keys().unwrap_or_default();
        Ok(KeySet::read(&text, &before)?)
    }

    /// Until it is time to fetch again: by the clock, or because a token names an unknown key.
    async fn wait(&mut self, began_us: i64) {
        let pause = if self.failures == 0 { self.times.period } else { self.backoff.pause(self.failures) };
        let due_us = self.clock.after(pause);
        if let Some(end_us) = self.fetched_us.map(|it| it.saturating_add(micros(self.times.kept)))
            && end_us <= due_us
            && self.failures > 0
        {
            self.clock.sleep_until(end_us).await;
            self.forget();
        }
        let asked = async {
            self.issuer.wanted().await;
            self.clock.sleep_until(began_us.saturating_add(micros(LEAST_PAUSE))).await;
        };
        tokio::select! {
            () = self.clock.sleep_until(due_us) => {}
            () = asked => {}
        }
    }

    fn forget(&mut self) {
        self.fetched_us = None;
        self.issuer.forget();
        tracing::error!(
            issuer = self.issuer.settings.issuer,
            "an issuer's keys are too old to be used (auth.jwks_kept_ms): its tokens are refused until they can be fetched"
        );
    }

    /// Logged when it is news.
    fn note_good(&self, keys: &KeySet) {
        let issuer = self.issuer.settings.issuer.as_str();
        if self.failures > 0 {
            tracing::warn!(issuer, keys = keys.len(), "an issuer's keys can be fetched again");
        }
        let before = self.issuer.keys();
        if keys.len() == 0 && before.as_ref().is_none_or(|it| it.len() > 0) {
            let reasons = keys.left_out.join("; ");
            tracing::warn!(issuer, reasons, "an issuer publishes no key that can be used: its tokens are refused");
        } else if before.is_none_or(|it| !keys.has_the_keys_of(&it)) {
            tracing::info!(issuer, keys = keys.len(), left_out = keys.left_out.len(), "an issuer's keys have changed");
        }
    }

    /// Logged when it is news.
    fn note_failure(&self, error: &RefreshError) {
        if self.failures != 1 {
            return;
        }
        let (issuer, error) = (self.issuer.settings.issuer.as_str(), chain(error));
        let what = if self.fetched_us.is_some() {
            "an issuer's keys can't be fetched: the last ones are used, for auth.jwks_kept_ms at most"
        } else {
            "an issuer's keys can't be fetched: its tokens are refused until they can"
        };
        tracing::warn!(issuer, error, "{what}");
    }
}

/// The error with its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
}
