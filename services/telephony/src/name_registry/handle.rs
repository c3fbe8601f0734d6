//! The channels to an interaction's task: the sending ends, which the registry holds, and the receiving ends of the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, watch};

use crate::operation::Stamp;
use crate::plan::Plan;
use crate::switch::{ClosedRecording, FlowReport, LegSnapshot, RoomSnapshot, SwitchEvent};

/// Messages that may wait for one interaction.
const QUEUE_LENGTH: usize = 256;

#[derive(Debug)]
pub enum InteractionMessage {
    /// Something happened to one of its legs, playbacks, recordings or exits.
    Event(SwitchEvent),
    Snapshot(Box<SnapshotSlice>),
    /// The switch has been silent for so long that its legs are taken for lost.
    Silent,
}

/// What a snapshot of the switch shows of one interaction.
#[derive(Clone, Debug, Default)]
pub struct SnapshotSlice {
    /// When the snapshot was begun.
    pub stamp: Stamp,
    /// The session in which it was taken.
    pub generation: u64,
    pub boot_id: String,
    pub legs: Vec<LegSnapshot>,
    pub rooms: Vec<RoomSnapshot>,
    pub playbacks: Vec<String>,
    /// Running recordings, with the time of their first sample.
    pub recordings: Vec<(String, i64)>,
    /// Complete recordings, whose file can be fetched.
    pub closed: Vec<ClosedRecording>,
    /// How far its flows are.
    pub flows: Vec<FlowReport>,
}

/// The receiving ends, held by the interaction's task.
#[derive(Debug)]
pub struct InteractionInbox {
    /// The newest plan; `None` before the first.
    pub plans: watch::Receiver<Option<Arc<Plan>>>,
    pub messages: mpsc::Receiver<InteractionMessage>,
    /// A message was dropped because the queue was full: a resync is needed.
    pub overflowed: Arc<AtomicBool>,
}

/// The sending ends. All clones are the same.
#[derive(Clone, Debug)]
pub struct InteractionHandle {
    pub plans: watch::Sender<Option<Arc<Plan>>>,
    /// For fencing. Locked while a plan is accepted.
    pub accepted: Arc<tokio::sync::Mutex<AcceptedPlan>>,
    messages: mpsc::Sender<InteractionMessage>,
    overflowed: Arc<AtomicBool>,
}

/// The newest accepted plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct AcceptedPlan {
    /// 0: none was accepted yet.
    pub version: u64,
    /// That version is on disk.
    pub durable: bool,
}

impl InteractionHandle {
    pub fn new(plan: Option<Arc<Plan>>) -> (Self, InteractionInbox) {
        let accepted = AcceptedPlan { version: plan.as_ref().map_or(0, |it| it.version), durable: plan.is_some() };
        let (plans, newest) = watch::channel(plan);
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let overflowed = Arc::<AtomicBool>::default();
        let handle = Self {
            plans,
            accepted: Arc::new(tokio::sync::Mutex::new(accepted)),
            messages: sender,
            overflowed: Arc::clone(&overflowed),
        };
        (handle, InteractionInbox { plans: newest, messages: receiver, overflowed })
    }

    pub(super) fn send(&self, message: InteractionMessage) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.messages.try_send(message) {
            self.overflowed.store(true, Ordering::Relaxed);
        }
    }
}
