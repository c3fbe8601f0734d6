//! Whether a connection that has rested in a pool still leads to the server.
//!
//! # Theory of operation
//! A server that is started again, or has lost one of its processes, ends all its connections. Of those that rest nobody learns it before
//! the next statement, which would fail. To try each of them out before it is used would cost a round trip each time.
//!
//! So one is tried out for all. What answers on a connection is the server that it was made to, which was there all the time since then. A
//! connection that rests since a later moment leads to the same server, until that may have been started again after the answer. A start takes
//! some time, and for so long none is tried out. Nor is one that has rested for less: the pool had an answer on it when it was given back.
//!
//! Only a dead connection is replaced. A slow server is not away: the statement waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::{Connection as _, PgConnection};

/// A server that has ended its connections takes no others sooner. An empty one without `fsync`, on two cores that did nothing else, needed 33 ms
/// after one of its processes was killed, and 44 ms when it was started again.
const START: Duration = Duration::from_millis(20);
/// How long an answer is waited for. On a connection that is dead the error comes at once.
const ANSWER_PATIENCE: Duration = Duration::from_millis(50);

/// The last answer of the server to a connection of one pool that was tried out.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastAnswer(Arc<Mutex<Option<ServerAnswer>>>);

#[derive(Debug, Clone, Copy)]
struct ServerAnswer {
    /// When the connection was made.
    made: Instant,
    came: Instant,
}

impl ServerAnswer {
    /// Whether a connection that rests since `rests_since` leads to the server that gave this answer, and that is still there.
    fn vouches_for(self, rests_since: Instant, now: Instant) -> bool {
        self.made <= rests_since && now.saturating_duration_since(self.came) < START
    }
}

impl LastAnswer {
    /// Whether this connection is not dead; it is tried out if nothing else says so.
    #[expect(clippy::disallowed_methods, reason = "a server's time is real, whatever a test's is")]
    pub(crate) async fn is_usable(&self, connection: &mut PgConnection, rest: &PoolConnectionMetadata) -> bool {
        let now = Instant::now();
        let before = |duration| now.checked_sub(duration).unwrap_or(now);
        let is_vouched_for = || self.0.lock().is_some_and(|it| it.vouches_for(before(rest.idle_for), now));
        if rest.idle_for < START || is_vouched_for() {
            return true;
        }
        match tokio::time::timeout(ANSWER_PATIENCE, connection.ping()).await {
            Ok(Ok(())) => *self.0.lock() = Some(ServerAnswer { made: before(rest.age), came: Instant::now() }),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a connection is dead; making another one");
                return false;
            }
            Err(_) => tracing::debug!("the server is slow"),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_vouches_for_what_rests_since_its_connection_was_made_until_the_server_may_have_been_started_again() {
        #[expect(clippy::disallowed_methods, reason = "any moment")]
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let answer = ServerAnswer { made: at(1_000), came: at(2_000) };
        let cases = [
            ("rests since before", 1_500, 2_019, true),
            ("rests since the connection was made", 1_000, 2_000, true),
            ("rests since after the answer", 2_010, 2_015, true),
            ("may be from before the server was started", 999, 2_000, false),
            ("the answer is old", 1_500, 2_020, false),
        ];
        for (case, rests_since, now, is_vouched_for) in cases {
            assert_eq!(answer.vouches_for(at(rests_since), at(now)), is_vouched_for, "{case}");
        }
    }
}
