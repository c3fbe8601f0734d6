//! What is shown for as long as somebody looks: lists that are read again and again, and streams that go on after a break.

use std::time::Duration;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_runtime::client::{Backoff, GrpcChannel};
use clap::Args;
use tonic::{Code, Status};

use super::output::Listing;
use super::session::ClientSession;
use super::{output, refusal};

/// Between two readings of a list.
const READ_EVERY: Duration = Duration::from_secs(1);
/// A restart takes seconds, an upgrade minutes; a server that is away for longer does not come back by itself.
const GIVE_UP_AFTER: Duration = Duration::from_mins(10);

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Go on, and print the list again whenever it changes, until Ctrl-C: for programs one array a line, or one YAML document.
    #[arg(short = 'w', long)]
    watch: bool,
}

/// Prints what `read` makes: once, or whenever it changes.
pub(super) async fn list(
    session: &ClientSession,
    args: &WatchArgs,
    read: impl AsyncFn() -> anyhow::Result<Listing>,
) -> anyhow::Result<()> {
    let mut shown = read().await?;
    if !args.watch {
        return session.out.print_list(&shown);
    }
    session.out.print_next_list(&shown)?;
    let mut give_up_us = None;
    loop {
        session.clock.sleep(READ_EVERY).await;
        let now = match read().await {
            Err(error) if refusal::is_unanswered(&error) => {
                let until_us = *give_up_us.get_or_insert_with(|| lost(session, "the list"));
                if session.clock.now_us() < until_us {
                    continue;
                }
                return Err(error);
            }
            now => now?,
        };
        if give_up_us.take().is_some() {
            output::diagnostic("Connected again.");
        }
        if now != shown {
            session.out.note("")?;
            session.out.print_next_list(&now)?;
            shown = now;
        }
    }
}

/// Says that the connection is lost, and returns when to give up.
fn lost(session: &ClientSession, what: &str) -> i64 {
    output::diagnostic(&format!(
        "The connection is lost; {what} goes on when the server answers again. Ctrl-C ends it."
    ));
    session.clock.after(GIVE_UP_AFTER)
}

/// Opens a stream again after a break, on a channel with a fresh token; `broken` is what ended it, if anything did.
pub(super) async fn again<T>(
    session: &ClientSession,
    what: &str,
    broken: Option<Status>,
    open: impl AsyncFn(GrpcChannel) -> Result<T, Status>,
) -> anyhow::Result<T> {
    if let Some(status) = broken.filter(|it| !is_break(it, session.can_mint_tokens())) {
        return Err(refusal::of(&status));
    }
    let until_us = lost(session, what);
    let mut failures = 0;
    loop {
        failures += 1;
        session.clock.sleep(Backoff::default().pause(failures)).await;
        match open(session.reader_channel()?).await {
            Ok(stream) => {
                output::diagnostic("Connected again.");
                return Ok(stream);
            }
            Err(status) if is_break(&status, false) && session.clock.now_us() < until_us => {}
            Err(status) => return Err(refusal::of(&status)),
        }
    }
}

/// Whether the stream broke, and was not refused. A token that has expired is a break where another one can be minted.
fn is_break(status: &Status, can_mint: bool) -> bool {
    match ApiError::from_status(status) {
        Some(error) => error.is_retryable() || (can_mint && error.reason == ErrorReason::TokenExpired),
        // The connection's own errors have no reason; which code they have depends on where it broke.
        None => matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::DeadlineExceeded
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n3_a_break_is_told_from_a_refusal() {
        for code in [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled] {
            assert!(is_break(&Status::new(code, "h2 protocol error"), false), "{code:?}");
        }
        assert!(is_break(&ApiError::unavailable("stopping").into(), false));
        let refused = [ApiError::not_found("call"), ApiError::permission_denied("no"), ApiError::internal("a fault")];
        assert!(refused.into_iter().all(|it| !is_break(&it.into(), true)));
        let expired = || Status::from(ApiError::unauthenticated(ErrorReason::TokenExpired, "the token has expired"));
        assert!(is_break(&expired(), true) && !is_break(&expired(), false));
    }
}
