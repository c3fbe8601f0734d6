//! The sessions of agents' clients, each with a lease (B605).
//!
//! A session lives in memory. A heartbeat moves its lease and touches nothing else; one task for each session sleeps until the
//! lease is over and then ends the session. The database stores only the start of an agent's first session and the end of the
//! last one. After a restart, each agent who was online has a session without a client for one lease, so that their client can
//! come back before they are shown as offline.
//!
//! An agent has [`MAX_SESSIONS`] at most. One more is never refused: one whose connection has broken gives way, or else the session that was
//! silent for longest. A client that lost its connection cannot end what it left behind, and must not be locked out by it (F6).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use baton_api::event::v1::agent_state_changed::Cause;
use baton_runtime::auth::TenantId;
use baton_store::requests::{BodyHash, RequestKey};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ids::{AgentId, SessionId};

/// Sessions of one agent: more than anybody has clients.
pub(crate) const MAX_SESSIONS: usize = 16;

/// The lease of a session that has ended: later renewals can't revive it.
const ENDED: i64 = i64::MIN;

pub(crate) type AgentKey = (TenantId, AgentId);

#[derive(Default)]
pub(crate) struct AgentSessions(Mutex<HashMap<AgentKey, HashMap<SessionId, Arc<AgentSession>>>>);

#[derive(Debug)]
pub(crate) struct AgentSession {
    pub(crate) id: SessionId,
    /// The request that opened it, if it was one that can be repeated.
    pub(crate) opening: Option<OpeningRequest>,
    lease_until_us: AtomicI64,
    /// Its connection has broken, and nothing was heard of its client since.
    is_left: AtomicBool,
    end: OnceLock<SessionEnd>,
    ended: Notify,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

/// A unary request for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpeningRequest {
    pub(crate) key: RequestKey,
    pub(crate) body: BodyHash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    LeaseExpired,
    Goodbye,
    /// The agent opened one more than [`MAX_SESSIONS`], and this one was silent for longest.
    GaveWay,
}

impl SessionEnd {
    /// The cause as it is in the event.
    pub(crate) fn cause(self) -> Cause {
        match self {
            Self::LeaseExpired | Self::GaveWay => Cause::LeaseExpired,
            Self::Goodbye => Cause::Goodbye,
        }
    }
}

impl AgentSession {
    /// A session whose lease is over at `lease_until_us`, unless it is renewed.
    pub(crate) fn new(lease_until_us: i64, opening: Option<OpeningRequest>) -> Arc<Self> {
        Arc::new(Self {
            id: SessionId(baton_runtime::ids::new_uuid()),
            opening,
            lease_until_us: AtomicI64::new(lease_until_us),
            is_left: AtomicBool::new(false),
            end: OnceLock::new(),
            ended: Notify::new(),
            over: CancellationToken::new(),
        })
    }

    /// Notes that the connection has broken. The lease goes on.
    pub(crate) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// Moves the lease; `false` if the session has ended. Costs two stores.
    pub(crate) fn renew(&self, lease_until_us: i64) -> bool {
        self.is_left.store(false, Ordering::Relaxed);
        let later = |until_us| (until_us != ENDED).then_some(lease_until_us.max(until_us));
        self.lease_until_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).is_ok()
    }

    /// Ends the session without waiting for its lease.
    pub(crate) fn end_with(&self, end: SessionEnd) {
        // The first end counts.
        let _ = self.end.set(end);
        self.lease_until_us.store(ENDED, Ordering::Relaxed);
        self.ended.notify_one();
    }

    /// Waits until the session has to end. From then on, it can't be renewed.
    pub(crate) async fn ends(&self, clock: &baton_runtime::Clock) -> SessionEnd {
        loop {
            if let Some(end) = self.end.get() {
                return *end;
            }
            let until_us = self.lease_until_us.load(Ordering::Relaxed);
            if clock.heard_us() >= until_us {
                // A heartbeat that came a moment before wins.
                let swapped =
                    self.lease_until_us.compare_exchange(until_us, ENDED, Ordering::Relaxed, Ordering::Relaxed);
                if swapped.is_ok() {
                    return *self.end.get_or_init(|| SessionEnd::LeaseExpired);
                }
                continue;
            }
            tokio::select! {
                () = self.ended.notified() => {}
                () = clock.sleep_until(until_us) => {}
            }
        }
    }
}

impl AgentSessions {
    /// Adds a session. If the agent has too many, one that was left gives way, or else the one that was silent for longest.
    pub(crate) fn add(&self, key: &AgentKey, session: &Arc<AgentSession>) {
        let mut all = self.all();
        let own = all.entry(key.clone()).or_default();
        own.insert(session.id, Arc::clone(session));
        if own.len() > MAX_SESSIONS {
            let silent_for = |it: &&Arc<AgentSession>| {
                let has_client = !it.is_left.load(Ordering::Relaxed);
                (has_client, it.lease_until_us.load(Ordering::Relaxed), it.id)
            };
            let others = own.values().filter(|it| it.id != session.id);
            if let Some(oldest) = others.min_by_key(silent_for).map(Arc::clone) {
                own.remove(&oldest.id);
                oldest.end_with(SessionEnd::GaveWay);
            }
        }
    }

    pub(crate) fn get(&self, key: &AgentKey, id: SessionId) -> Option<Arc<AgentSession>> {
        self.all().get(key)?.get(&id).map(Arc::clone)
    }

    /// The session that a request with this key opened.
    pub(crate) fn opened_by(&self, agent: &AgentKey, request: &RequestKey) -> Option<Arc<AgentSession>> {
        let all = self.all();
        let mut own = all.get(agent)?.values();
        own.find(|it| it.opening.as_ref().is_some_and(|opening| opening.key == *request)).map(Arc::clone)
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
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use baton_runtime::Clock;
    use baton_runtime::lifecycle;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_session_ends_one_lease_after_the_last_heartbeat() {
        let (clock, driver) = Clock::simulated(0);
        lifecycle::spawn(driver.run());
        let session = AgentSession::new(15, None);
        let (end, ()) = tokio::join!(session.ends(&clock), async {
            for heartbeat in [5, 10, 14] {
                clock.sleep_until(heartbeat).await;
                assert!(session.renew(heartbeat + 15));
            }
        });
        assert_eq!((end, clock.now_us()), (SessionEnd::LeaseExpired, 29));
        assert!(!session.renew(99), "what has ended is not renewed");
    }

    #[tokio::test]
    async fn a_goodbye_needs_no_time() {
        let (clock, _driver) = Clock::simulated(0);
        let session = AgentSession::new(15, None);
        session.end_with(SessionEnd::Goodbye);
        assert_eq!(session.ends(&clock).await, SessionEnd::Goodbye);
    }

    #[test]
    fn f6_what_a_broken_connection_left_behind_gives_way_before_a_living_client() {
        let sessions = AgentSessions::default();
        let key = ("acme".parse().unwrap(), AgentId(Uuid::from_u128(1)));
        let living: Vec<_> = (0..2).map(|n| AgentSession::new(n, None)).collect();
        for session in &living {
            sessions.add(&key, session);
        }
        for n in 0..100 {
            let tab = AgentSession::new(50 + n, None);
            sessions.add(&key, &tab);
            tab.leave();
        }
        assert!(living.iter().all(|it| it.end.get().is_none()), "their heartbeats are older, and they live");
    }

    #[test]
    fn the_session_that_was_silent_for_longest_gives_way() {
        let sessions = AgentSessions::default();
        let key = ("acme".parse().unwrap(), AgentId(Uuid::from_u128(1)));
        let all: Vec<_> = (0..MAX_SESSIONS as i64).map(|n| AgentSession::new(n, None)).collect();
        for session in &all {
            sessions.add(&key, session);
        }
        assert!(all[0].renew(99), "the first one lives");
        sessions.add(&key, &AgentSession::new(50, None));
        assert_eq!(all[1].end.get(), Some(&SessionEnd::GaveWay));
        assert_eq!(all.iter().filter(|it| sessions.get(&key, it.id).is_some()).count(), MAX_SESSIONS - 1);
        assert_eq!(sessions.remove(&key, all[1].id), MAX_SESSIONS);
    }
}
