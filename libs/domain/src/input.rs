//! What can come in: an actor wants something, something was observed, or a deadline has passed.

use crate::{
    action::Action,
    actor::{Actor, AgentRef, Target},
};
use baton_words::{
    AnnouncementNo, ClaimNo, ExitNo, ExitOutcome, LegNo, Reason, Room, SegmentNo, TransferKind, TransferNo, Visibility,
    WaitNo,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// An actor wants something; it may be refused.
    Command(Actor, Command),
    /// Something was observed; it is never refused, and a repeated one changes nothing (S5).
    Fact(Fact),
    /// Time has passed. Changes nothing before a deadline.
    Tick,
}

/// What an actor wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Hand the customer over.
    Start(StartTransfer),
    /// Not take what rings: for this transfer, or (none) for the call flow.
    Decline(Option<TransferNo>),
    /// Take this transfer back.
    Cancel(TransferNo),
    /// Hand over now, by this transfer.
    Complete(TransferNo),
    /// Go from the recipient of this transfer to the customer, or back (B602).
    Swap(TransferNo),
    /// Put the customer on hold.
    Hold,
    /// Take the customer off hold.
    Resume,
    /// Mute (true) or unmute oneself.
    SetMute(bool),
    /// Leave; the same as hanging up the phone.
    Leave,
    /// End it for everybody.
    End,
    /// Write a note.
    Note(Arc<str>),
    /// Say how the participation ended that the agent has left (B507).
    Disposition(Disposition),
    /// Set and remove attached data.
    SetData {
        /// Keys and values to set.
        set: Vec<(Arc<str>, Arc<str>)>,
        /// Keys to remove.
        remove: Vec<Arc<str>>,
    },
    /// Steer the recording.
    Recording(RecordingCommand),
    /// Take what is offered in a chat: for this transfer, or (none) for the call flow. In a call, it is the phone that takes it.
    Accept(Option<TransferNo>),
    /// Write to the others in a chat.
    SendMessage(Message),
}

impl Command {
    /// The action that must be permitted for it.
    pub fn action(&self) -> Action {
        match self {
            Self::Start(start) => Action::Start(start.kind),
            Self::Decline(_) => Action::Decline,
            Self::Cancel(_) => Action::Cancel,
            Self::Complete(_) => Action::Complete,
            Self::Swap(_) => Action::Swap,
            Self::Hold => Action::Hold,
            Self::Resume => Action::Resume,
            Self::SetMute(true) => Action::Mute,
            Self::SetMute(false) => Action::Unmute,
            Self::Leave => Action::Leave,
            Self::End => Action::End,
            Self::Note(_) => Action::Note,
            Self::Disposition(_) => Action::Disposition,
            Self::SetData { .. } => Action::SetData,
            Self::Recording(command) => command.action(),
            Self::Accept(_) => Action::Accept,
            Self::SendMessage(_) => Action::SendMessage,
        }
    }
}

/// A transfer to start, with its target looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartTransfer {
    pub kind: TransferKind,
    pub target: Target,
    /// Shown to the recipient; may be empty.
    pub message: Arc<str>,
    /// What the transfer is for: one of the policy's outcomes, or empty (B503).
    pub outcome: Arc<str>,
}

/// Something to write to the others in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub visibility: Visibility,
    /// Personal data.
    pub text: Arc<str>,
}

/// How a participation ended, as its agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// One of the policy's dispositions.
    pub name: Arc<str>,
    /// May be empty. Personal data.
    pub note: Arc<str>,
}

/// What may be asked of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingCommand {
    /// Start by hand.
    Start,
    /// Stop what was started by hand.
    Stop,
    /// Write nothing for a while.
    Pause,
    /// Go on after a pause.
    Resume,
}

impl RecordingCommand {
    /// The action that must be permitted for it.
    pub fn action(self) -> Action {
        match self {
            Self::Start => Action::StartRecording,
            Self::Stop => Action::StopRecording,
            Self::Pause => Action::PauseRecording,
            Self::Resume => Action::ResumeRecording,
        }
    }
}

/// What was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A leg is connected, and in this room (in none yet: it was answered).
    LegUp(LegNo, Option<Room>),
    /// A leg is over.
    LegEnded(LegNo, Reason),
    /// An announcement is over, failed, or nobody knows.
    AnnouncementOver(AnnouncementNo),
    /// An exit is over.
    ExitOver(ExitNo, ExitOutcome),
    /// The customer is in an IVR flow, which has collected and set all of this so far.
    InFlow(ExitNo, Vec<FlowDatum>),
    /// The customer's way through an IVR flow is over, with all that it has collected and set.
    FlowOver(ExitNo, FlowEnd, Vec<FlowDatum>),
    /// A segment is being written.
    SegmentLive(SegmentNo),
    /// A segment is closed.
    SegmentEnded(SegmentNo, SegmentEnd),
    /// The agent is reserved.
    ClaimGranted(ClaimNo),
    /// The agent is in another call; presence keeps the claim, and grants it when they are free (B504).
    ClaimQueued(ClaimNo),
    /// The agent can't be had, or the reservation ran out.
    ClaimRefused(ClaimNo, Reason),
    /// Routing has taken the interaction into the queue of the team, at this position, from 1.
    Queued(WaitNo, u32),
    /// Routing proposes these, best first.
    Proposed(WaitNo, Vec<AgentRef>),
    /// Routing has nobody left to propose.
    Exhausted(WaitNo),
    /// No leg lives: the switch restarted, or was silent too long.
    SwitchLost,
    /// Nobody who serves the queue is signed in.
    Unattended(WaitNo),
    /// The queue is closed at this hour.
    Closed(WaitNo),
}

/// How the customer's way through an IVR flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEnd {
    /// An element gave them back.
    Returned,
    /// The flow came to its end.
    Ended,
    /// The transfer element at this index, from 0.
    Transferred(u32),
    /// The customer hung up there.
    Left,
    /// It could not be begun or gone through, or the switch no longer knows.
    Unknown,
}

/// What a flow has collected or set, under a key of the attached data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowDatum {
    pub key: Arc<str>,
    pub value: FlowValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowValue {
    /// An element set it.
    Set(Arc<str>),
    /// The customer pressed it.
    Digits(Arc<str>),
    /// The customer pressed it, and it stays on the switch.
    Secret,
}

/// How a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEnd {
    /// When the first sample was taken, microseconds since the epoch; 0 if it never was.
    pub started_at_us: i64,
    /// When the last sample was taken.
    pub ended_at_us: i64,
    /// It could not be written, or was lost.
    pub failed: bool,
}

impl SegmentEnd {
    /// It was no longer wanted before it was begun: nothing was written, and nothing is lost.
    pub fn never_begun(&self) -> bool {
        !self.failed && self.started_at_us == 0
    }
}
