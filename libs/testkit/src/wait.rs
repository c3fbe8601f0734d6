//! Waiting for a condition, with a bound and a helpful failure.

use std::time::Duration;

use anyhow::bail;
use baton_runtime::Clock;

/// How long a test waits for a condition that should soon hold: long enough for a busy machine.
pub const BOUND: Duration = Duration::from_secs(15);
/// Between two looks, after the first ones: what is waited for has often happened already.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
const FIRST_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Calls `ask` until it returns `Ok`, for `bound` at most. An `Err` describes the present state; the last one is in the failure.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> anyhow::Result<()> {
/// use baton_testkit::{BOUND, eventually};
///
/// let mut tries = 0;
/// let third = eventually("the third try", BOUND, async || {
///     tries += 1;
///     if tries >= 3 { Ok(tries) } else { Err(format!("try {tries}")) }
/// })
/// .await?;
/// assert_eq!(third, 3);
/// # Ok(()) }
/// ```
pub async fn eventually<T>(
    what: &str,
    bound: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> anyhow::Result<T> {
    let clock = Clock::real();
    let deadline_us = clock.after(bound);
    let mut pause = FIRST_POLL_INTERVAL;
    loop {
        let seen = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(seen) => seen,
        };
        if clock.now_us() >= deadline_us {
            bail!("waited {bound:?} for {what}; last seen: {seen}");
        }
        clock.sleep(pause).await;
        pause = (pause * 2).min(POLL_INTERVAL);
    }
}

/// Checks that `ask` returns `Ok` for a while, where something must *not* happen and there is nothing to wait for.
pub async fn stays<T>(
    what: &str,
    time: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> anyhow::Result<()> {
    let clock = Clock::real();
    let until_us = clock.after(time);
    while clock.now_us() < until_us {
        if let Err(seen) = ask().await {
            bail!("{what} did not stay so for {time:?}: {seen}");
        }
        clock.sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_come_is_named_with_what_was_seen() {
        let never = eventually("spring", Duration::from_millis(30), async || Err::<(), _>("snow".to_owned())).await;
        let message = never.unwrap_err().to_string();
        assert!(message.contains("spring") && message.contains("snow"), "{message}");
    }

    #[tokio::test]
    async fn what_changes_did_not_stay() {
        let mut calls = 0;
        let stayed = stays("the sun", Duration::from_secs(5), async || {
            calls += 1;
            if calls < 3 { Ok(()) } else { Err("a cloud".to_owned()) }
        })
        .await;
        assert!(stayed.unwrap_err().to_string().contains("a cloud"));
        stays("the sun", Duration::from_millis(20), async || Ok(())).await.unwrap();
    }
}
