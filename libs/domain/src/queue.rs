//! Queues: customers who wait for whoever has the skills. A search knows of its queue what it needs, as it was when it was chosen; who serves it, and
//! in which order they are asked, is routing's.

use baton_words::{QueueId, TeamId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Those of whom whoever is free is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    Team(TeamId),
    Queue(QueueId),
}

impl Pool {
    pub fn team(self) -> Option<TeamId> {
        match self {
            Self::Team(id) => Some(id),
            Self::Queue(_) => None,
        }
    }

    pub fn queue(self) -> Option<QueueId> {
        match self {
            Self::Queue(id) => Some(id),
            Self::Team(_) => None,
        }
    }
}

/// A queue, with what it says of whoever waits in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub id: QueueId,
    /// Display name.
    pub name: Arc<str>,
    /// Whose is higher is served first.
    pub priority: u8,
    /// How long one agent's phone may ring. A method or a step that says less has its way.
    pub ring_ms: i64,
    /// How long one may wait in it. A method that says less has its way.
    pub wait_ms: i64,
    /// What happens when nobody who serves it is signed in.
    pub when_unattended: Instead,
    /// What happens when all who serve it have declined or missed.
    pub when_declined: Instead,
    /// Where one waits on, when the time is over or the queue closes.
    pub overflow: Option<Box<Queue>>,
}

/// What happens instead of being offered to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// To wait, until the time is over.
    Wait,
    /// To wait in the next queue; without one, to give up.
    Overflow,
    /// Nobody is found.
    GiveUp,
}

/// From which queue an agent got the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromQueue {
    pub queue: QueueId,
    /// How long the customer had waited, in whatever queues.
    pub waited_us: i64,
}

impl Queue {
    /// How long one may wait in it and in all that follow it.
    pub(crate) fn whole_wait_ms(&self) -> i64 {
        self.wait_ms + self.overflow.as_ref().map_or(0, |next| next.whole_wait_ms())
    }
}
