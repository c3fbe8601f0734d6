//! Traces that are not delivered are said so: at the first failure, then once a minute, with what to do.

use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use parking_lot::Mutex;

use crate::clock::{Clock, micros};

/// Between two warnings.
const WARN_INTERVAL: Duration = Duration::from_mins(1);

/// An exporter whose failures are counted and logged.
#[derive(Debug)]
pub(super) struct WatchedExporter<E> {
    inner: E,
    endpoint: String,
    undelivered: Mutex<Undelivered>,
}

#[derive(Debug, Default)]
struct Undelivered {
    spans: usize,
    warned_at_us: Option<i64>,
}

impl Undelivered {
    /// Counts spans that were not delivered. Returns how many were not since the last warning, if another one is due.
    fn add(&mut self, spans: usize, now_us: i64) -> Option<usize> {
        self.spans += spans;
        let is_due = self.warned_at_us.is_none_or(|at_us| now_us - at_us >= micros(WARN_INTERVAL));
        is_due.then(|| {
            self.warned_at_us = Some(now_us);
            std::mem::take(&mut self.spans)
        })
    }
}

impl<E> WatchedExporter<E> {
    pub(super) fn new(inner: E, endpoint: String) -> Self {
        Self { inner, endpoint, undelivered: Mutex::default() }
    }
}

impl<E: SpanExporter> SpanExporter for WatchedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch).await;
        if let Err(error) = &exported {
            let due = self.undelivered.lock().add(spans, Clock::real().now_us());
            if let Some(spans) = due {
                tracing::warn!(
                    endpoint = self.endpoint, spans, %error,
                    "traces are not delivered and are lost: check that a collector takes OTLP over gRPC there, or empty telemetry.otlp_endpoint"
                );
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n7_traces_that_are_not_delivered_are_said_so_once_a_minute_and_counted() {
        let mut undelivered = Undelivered::default();
        assert_eq!(undelivered.add(3, 0), Some(3));
        assert_eq!(undelivered.add(2, 1_000_000), None);
        assert_eq!(undelivered.add(2, 59_999_999), None);
        assert_eq!(undelivered.add(1, 60_000_000), Some(5));
    }
}
