//! How an interaction is reached: what it is told, the ends that the book holds and those that the interaction's task holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, watch};

use crate::plan::Plan;
use crate::switch::{ClosedRecording, Event, LegInSight, RoomInSight};
use crate::thing::Stamp;

/// Messages that may wait for one interaction.
const MAILBOX: usize = 256;

/// What an interaction is told.
#[derive(Debug)]
pub enum Message {
    /// Something happened to a thing of its.
    Event(Event),
    /// What is there of it.
    Look(Box<Share>),
    /// The switch has been silent for so long that its legs are taken for lost.
    Silent,
}

/// An interaction's share of a look at the switch.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// When the look was begun.
    pub stamp: Stamp,
    /// The session in which it was taken.
    pub generation: u64,
    /// The run of the switch.
    pub boot_id: String,
    /// Its legs.
    pub legs: Vec<LegInSight>,
    /// Its rooms.
    pub rooms: Vec<RoomInSight>,
    /// Its announcements.
    pub playbacks: Vec<String>,
    /// Its recordings that run.
    pub recordings: Vec<(String, i64)>,
    /// Its recordings that can be fetched.
    pub closed: Vec<ClosedRecording>,
}

/// The receiving ends of an interaction's slot.
#[derive(Debug)]
pub struct Inlets {
    /// The newest plan.
    pub plans: watch::Receiver<Option<Arc<Plan>>>,
    /// What it is told.
    pub mailbox: mpsc::Receiver<Message>,
    /// A message found the mailbox full: something was missed.
    pub overflowed: Arc<AtomicBool>,
}

/// How an interaction is reached.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The newest plan.
    pub plans: watch::Sender<Option<Arc<Plan>>>,
    /// Which version was taken over, for fencing. Held while a plan is taken over.
    pub accepted: Arc<tokio::sync::Mutex<Accepted>>,
    mailbox: mpsc::Sender<Message>,
    overflowed: Arc<AtomicBool>,
}

/// What was taken over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accepted {
    /// The newest version.
    pub version: u64,
    /// That version is on disk.
    pub durable: bool,
}

impl Slot {
    /// A slot, and the ends that the interaction's task holds.
    pub fn new(plan: Option<Arc<Plan>>) -> (Self, Inlets) {
        let accepted = Accepted { version: plan.as_ref().map_or(0, |it| it.version), durable: plan.is_some() };
        let (plans, newest) = watch::channel(plan);
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let overflowed = Arc::<AtomicBool>::default();
        let slot = Self {
            plans,
            accepted: Arc::new(tokio::sync::Mutex::new(accepted)),
            mailbox: sender,
            overflowed: Arc::clone(&overflowed),
        };
        (slot, Inlets { plans: newest, mailbox, overflowed })
    }

    pub(super) fn tell(&self, message: Message) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.mailbox.try_send(message) {
            self.overflowed.store(true, Ordering::Relaxed);
        }
    }
}
