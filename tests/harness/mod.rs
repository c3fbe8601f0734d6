//! Runs scenarios and checks their results.
//!
//! - [`suite`] runs them, many at a time, against one shared Baton or one of [`own`]; [`pending`] knows which rows are not built yet, and [`report`]
//!   tells of all rows at the end.
//! - [`office`] sets up the beginning of most scenarios: agents at their desks, and a customer who talks with one of them.
//! - [`ears`] analyses what was heard; [`aftermath`] checks that nothing is left at the end, and [`rebuilt`] that the events alone tell the same as the
//!   API.

pub(crate) mod aftermath;
pub(crate) mod ears;
pub(crate) mod office;
pub(crate) mod own;
pub(crate) mod pending;
pub(crate) mod rebuilt;
mod report;
pub(crate) mod scenario;
pub(crate) mod suite;

pub(crate) use office::Office;
pub(crate) use own::on_its_own;
pub(crate) use scenario::{Scenario, alone, shared};

use std::time::Duration;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_runtime::Clock;
use tonic::Status;

/// Lets people talk for so long, as sound takes time. It is not for waiting for a condition.
pub(crate) async fn talk_for(ms: u64) {
    Clock::real().sleep(Duration::from_millis(ms)).await;
}

/// The time, microseconds since the epoch.
pub(crate) fn now_us() -> i64 {
    Clock::real().now_us()
}

/// A timestamp in microseconds since the epoch.
pub(crate) fn at_us(time: &prost_types::Timestamp) -> i64 {
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000
}

/// The typed reason of a refusal; an error if it was none.
pub(crate) fn refused<T>(answer: Result<T, Status>) -> anyhow::Result<ErrorReason> {
    match answer {
        Ok(_) => anyhow::bail!("it was not refused"),
        Err(status) => match ApiError::from_status(&status) {
            Some(error) => Ok(error.reason),
            None => anyhow::bail!("the refusal has no reason: {status:?}"),
        },
    }
}
