//! Sessions: who is connected, and until when that is believed (B605).
//!
//! A session lives in memory and by its lease. A heartbeat moves the lease and touches nothing else; one task for each
//! session sleeps until the lease is over and then ends the session. The database hears of the first session of an agent
//! and of the end of the last one. After a restart, those who were online have a session without a client for one lease,
//! so that their clients can come back before anybody sees them leave.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_runtime::auth::TenantId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ids::{AgentId, SessionId};

/// More clients than this have not been seen with one person; more sessions are a client that does not end its old ones.
pub(crate) const MAX_SESSIONS: usize = 16;

/// One agent's.
pub(crate) type Whose = (TenantId, AgentId);

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Whose, HashMap<SessionId, Arc<Session>>>>);

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    lease_until_us: AtomicI64,
    said_goodbye: AtomicBool,
    goodbye: Notify,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    LeaseExpired,
    Goodbye,
}

impl End {
    /// The reason in the event.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::LeaseExpired => "lease_expired",
            Self::Goodbye => "goodbye",
        }
    }
}

impl Session {
    /// A session that lives until then, unless it is heard.
    pub(crate) fn new(lease_until_us: i64) -> Arc<Self> {
        Arc::new(Self {
            id: SessionId(baton_runtime::ids::new_uuid()),
            lease_until_us: AtomicI64::new(lease_until_us),
            said_goodbye: AtomicBool::new(false),
            goodbye: Notify::new(),
            over: CancellationToken::new(),
        })
    }

    /// The client was heard. Costs one store.
    pub(crate) fn renew(&self, lease_until_us: i64) {
        self.lease_until_us.fetch_max(lease_until_us, Ordering::Relaxed);
    }

    /// The client leaves in an orderly way.
    pub(crate) fn say_goodbye(&self) {
        self.said_goodbye.store(true, Ordering::Relaxed);
        self.goodbye.notify_one();
    }

    /// Waits until the session has to end.
    pub(crate) async fn ends(&self, clock: &baton_runtime::Clock) -> End {
        loop {
            let until_us = self.lease_until_us.load(Ordering::Relaxed);
            if self.said_goodbye.load(Ordering::Relaxed) {
                return End::Goodbye;
            }
            if clock.now_us() >= until_us {
                return End::LeaseExpired;
            }
            tokio::select! {
                () = self.goodbye.notified() => {}
                () = clock.sleep_until(until_us) => {}
            }
        }
    }
}

impl Sessions {
    /// Adds a session; `false` if the agent has too many.
    pub(crate) fn add(&self, whose: &Whose, session: &Arc<Session>) -> bool {
        let mut all = self.all();
        let own = all.entry(whose.clone()).or_default();
        if own.len() >= MAX_SESSIONS {
            return false;
        }
        own.insert(session.id, Arc::clone(session));
        true
    }

    /// Removes a session, and says how many the agent still has.
    pub(crate) fn remove(&self, whose: &Whose, id: SessionId) -> usize {
        let mut all = self.all();
        let Some(own) = all.get_mut(whose) else { return 0 };
        own.remove(&id);
        let left = own.len();
        if left == 0 {
            all.remove(whose);
        }
        left
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Whose, HashMap<SessionId, Arc<Session>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use baton_runtime::Clock;
    use baton_runtime::lifecycle;

    use super::*;

    #[tokio::test]
    async fn a_session_ends_one_lease_after_the_last_heartbeat() {
        let (clock, driver) = Clock::simulated(0);
        lifecycle::spawn(driver.run());
        let session = Session::new(15);
        let (end, ()) = tokio::join!(session.ends(&clock), async {
            for heartbeat in [5, 10, 14] {
                clock.sleep_until(heartbeat).await;
                session.renew(heartbeat + 15);
            }
        });
        assert_eq!((end, clock.now_us()), (End::LeaseExpired, 29));
    }

    #[tokio::test]
    async fn a_goodbye_needs_no_time() {
        let (clock, _driver) = Clock::simulated(0);
        let session = Session::new(15);
        session.say_goodbye();
        assert_eq!(session.ends(&clock).await, End::Goodbye);
    }
}
