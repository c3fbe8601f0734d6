//! Pauses between tries that never give up.

use std::time::Duration;

use baton_runtime::client::Backoff;

/// Pauses from `min`, doubling up to `max`, with jitter. The caller tries for ever.
pub(crate) fn endless(min: Duration, max: Duration) -> Backoff {
    Backoff::try_new(min, max).unwrap_or_default()
}
