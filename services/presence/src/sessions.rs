//! The sessions of agents' clients, each with a lease (B605).
//!
//! A session lives in memory. A heartbeat moves its lease and touches nothing else; one task for each session sleeps until the
//! lease is over and then ends the session. The database stores only the start of an agent's first session and the end of the
//! last one. After a restart, each agent who was online has a session without a client for one lease, so that their client can
//! come back before they are shown as offline.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_runtime::auth::TenantId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ids::{AgentId, SessionId};

/// Sessions of one agent. More are a client that does not end its old ones: no agent has that many clients.
pub(crate) const MAX_SESSIONS: usize = 16;

pub(crate) type AgentKey = (TenantId, AgentId);

#[derive(Default)]
pub(crate) struct AgentSessions(Mutex<HashMap<AgentKey, HashMap<SessionId, Arc<AgentSession>>>>);

#[derive(Debug)]
pub(crate) struct AgentSession {
    pub(crate) id: SessionId,
    lease_until_us: AtomicI64,
    said_goodbye: AtomicBool,
    goodbye: Notify,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    LeaseExpired,
    Goodbye,
}

impl SessionEnd {
    /// The reason as it is in the event.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::LeaseExpired => "lease_expired",
            Self::Goodbye => "goodbye",
        }
    }
}

impl AgentSession {
    /// A session whose lease is over at `lease_until_us`, unless it is renewed.
    pub(crate) fn new(lease_until_us: i64) -> Arc<Self> {
        Arc::new(Self {
            id: SessionId(baton_runtime::ids::new_uuid()),
            lease_until_us: AtomicI64::new(lease_until_us),
            said_goodbye: AtomicBool::new(false),
            goodbye: Notify::new(),
            over: CancellationToken::new(),
        })
    }

    /// Moves the lease. Costs one store.
    pub(crate) fn renew(&self, lease_until_us: i64) {
        self.lease_until_us.fetch_max(lease_until_us, Ordering::Relaxed);
    }

    /// Ends the session without waiting for its lease.
    pub(crate) fn say_goodbye(&self) {
        self.said_goodbye.store(true, Ordering::Relaxed);
        self.goodbye.notify_one();
    }

    /// Waits until the session has to end.
    pub(crate) async fn ends(&self, clock: &baton_runtime::Clock) -> SessionEnd {
        loop {
            let until_us = self.lease_until_us.load(Ordering::Relaxed);
            if self.said_goodbye.load(Ordering::Relaxed) {
                return SessionEnd::Goodbye;
            }
            if clock.now_us() >= until_us {
                return SessionEnd::LeaseExpired;
            }
            tokio::select! {
                () = self.goodbye.notified() => {}
                () = clock.sleep_until(until_us) => {}
            }
        }
    }
}

impl AgentSessions {
    /// Adds a session; `false` if the agent has too many.
    pub(crate) fn add(&self, key: &AgentKey, session: &Arc<AgentSession>) -> bool {
        let mut all = self.all();
        let own = all.entry(key.clone()).or_default();
        if own.len() >= MAX_SESSIONS {
            return false;
        }
        own.insert(session.id, Arc::clone(session));
        true
    }

    /// Removes a session, and says how many the agent still has.
    pub(crate) fn remove(&self, key: &AgentKey, id: SessionId) -> usize {
        let mut all = self.all();
        let Some(own) = all.get_mut(key) else { return 0 };
        own.remove(&id);
        let left = own.len();
        if left == 0 {
            all.remove(key);
        }
        left
    }

    fn all(&self) -> MutexGuard<'_, HashMap<AgentKey, HashMap<SessionId, Arc<AgentSession>>>> {
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
        let session = AgentSession::new(15);
        let (end, ()) = tokio::join!(session.ends(&clock), async {
            for heartbeat in [5, 10, 14] {
                clock.sleep_until(heartbeat).await;
                session.renew(heartbeat + 15);
            }
        });
        assert_eq!((end, clock.now_us()), (SessionEnd::LeaseExpired, 29));
    }

    #[tokio::test]
    async fn a_goodbye_needs_no_time() {
        let (clock, _driver) = Clock::simulated(0);
        let session = AgentSession::new(15);
        session.say_goodbye();
        assert_eq!(session.ends(&clock).await, SessionEnd::Goodbye);
    }
}
