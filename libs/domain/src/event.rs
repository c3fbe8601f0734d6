//! What is published: each change of state says what happened, to whom, and whose doing it was. An event carries its own facts: whoever
//! writes it for the outside needs nothing but the event and the interaction's id, and a consumer can rebuild the picture from events alone
//! (B613).

use crate::{
    actor::{Actor, ExternalRef, Recipient, Target},
    cause::Cause,
    input::SegmentEnd,
    interaction::Summary,
    queue::Pool,
};
use baton_words::{
    AgentId, Direction, DivertedTo, Exclusion, FlowOutcome, IvrFlowId, LegNo, Medium, MessageNo, QueueId, Reason,
    RecordingMode, RecordingNo, SegmentNo, SwitchId, TeamId, TransferKind, TransferNo,
};
use smallvec::SmallVec;
use std::sync::Arc;

/// Something that happened. The state and its events are committed together (E1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// 1, 2, 3… within the interaction, without gaps (E2).
    pub sequence: i64,
    /// Whose doing it was.
    pub actor: Actor,
    /// Why it happened (B612).
    pub cause: Cause,
    pub kind: EventKind,
}

/// What happened. Documented one by one in `baton.event.v1`. Times are microseconds since the epoch, durations microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    Opened(Box<Opened>),
    Ended(Box<Ended>),
    FlowStep {
        step: u32,
        what: StepTaken,
    },
    /// Waits in a queue, or that of a team, at this position, from 1.
    Queued {
        pool: Pool,
        transfer: Option<TransferNo>,
        position: u32,
    },
    /// Waits no more: somebody answered (no reason), or it gave up.
    Dequeued {
        pool: Pool,
        transfer: Option<TransferNo>,
        reason: Option<Reason>,
        waited_us: i64,
    },
    AgentOffered {
        agent: AgentId,
        transfer: Option<TransferNo>,
        pool: Option<Pool>,
    },
    OfferFailed {
        agent: AgentId,
        transfer: Option<TransferNo>,
        pool: Option<Pool>,
        reason: Reason,
        rang_us: i64,
    },
    AgentJoined {
        agent: AgentId,
        leg: LegNo,
        transfer: Option<TransferNo>,
        pool: Option<Pool>,
        rang_us: i64,
    },
    AgentLeft {
        agent: AgentId,
        reason: Reason,
        in_call_us: i64,
        wrap_up_us: i64,
    },
    PrimaryChanged {
        from: Option<AgentId>,
        to: AgentId,
    },
    CustomerHeld,
    CustomerResumed {
        held_us: i64,
    },
    /// The customer has been on hold for long: somebody should look after them.
    HoldReminder {
        held_us: i64,
    },
    MuteChanged {
        agent: AgentId,
        muted: bool,
    },
    NoteAdded {
        note: u32,
    },
    /// An agent has said how their participation ended. `transfer`: the one whose recipient they were, where it came to nothing.
    Dispositioned {
        agent: AgentId,
        transfer: Option<TransferNo>,
        disposition: Arc<str>,
        /// How long after they had left.
        after_us: i64,
    },
    DataChanged {
        set: Arc<[Arc<str>]>,
        removed: Arc<[Arc<str>]>,
    },
    Announced {
        name: &'static str,
    },
    CustomerLeft,
    CustomerAnswered {
        allowed_by: Arc<str>,
        rang_us: i64,
    },
    TransferStarted(Box<TransferStarted>),
    TransferOffered {
        transfer: TransferNo,
        recipient: Recipient,
    },
    /// The recipient is in another call, and is waited for (B504).
    TransferWaiting {
        transfer: TransferNo,
        recipient: AgentId,
    },
    TransferConsulting {
        transfer: TransferNo,
        recipient: Recipient,
    },
    TransferJoined {
        transfer: TransferNo,
        recipient: Recipient,
    },
    /// The recipient answered, and waits; the customer is still with the initiator (B305).
    TransferAccepted {
        transfer: TransferNo,
        recipient: Recipient,
    },
    /// The initiator went back to the customer; the recipient waits.
    TransferSwapped {
        transfer: TransferNo,
        recipient: Recipient,
    },
    TransferCompleted {
        transfer: TransferNo,
        initiator: AgentId,
        recipient: Recipient,
        duration_us: i64,
    },
    TransferDiverted {
        transfer: TransferNo,
        to: DivertedTo,
        reason: Reason,
        duration_us: i64,
    },
    TransferFailed {
        transfer: TransferNo,
        reason: Reason,
        duration_us: i64,
    },
    TransferCancelled {
        transfer: TransferNo,
        reason: Reason,
        duration_us: i64,
    },
    TransferAbandoned {
        transfer: TransferNo,
        duration_us: i64,
    },
    RecordingStarted(Box<RecordingStarted>),
    RecordingEnded {
        recording: RecordingNo,
    },
    RecordingPaused {
        recording: Option<RecordingNo>,
    },
    RecordingResumed {
        recording: Option<RecordingNo>,
    },
    SegmentStarted {
        recording: RecordingNo,
        segment: SegmentNo,
        agents: SmallVec<[AgentId; 2]>,
    },
    SegmentEnded {
        recording: RecordingNo,
        segment: SegmentNo,
        end: SegmentEnd,
    },
    Excluded {
        recording: RecordingNo,
        from_us: i64,
        to_us: i64,
        reason: Exclusion,
    },
    /// The customer is in an IVR flow.
    FlowEntered {
        flow: IvrFlowId,
        transfer: TransferNo,
    },
    /// The flow has collected digits; of sensitive ones nothing else is known.
    FlowCollected {
        flow: IvrFlowId,
        transfer: TransferNo,
        key: Arc<str>,
        digits: Option<u32>,
    },
    /// The customer is in it no more.
    FlowLeft {
        flow: IvrFlowId,
        transfer: TransferNo,
        outcome: FlowOutcome,
        duration_us: i64,
    },
    /// The transfer is completed: the customer is back with who had sent them into an IVR flow (B406).
    TransferReturned {
        transfer: TransferNo,
        initiator: AgentId,
        duration_us: i64,
    },
    /// The transfer is completed: the customer is in the IVR flow that it went to, for good.
    TransferInFlow {
        transfer: TransferNo,
        initiator: AgentId,
        duration_us: i64,
    },
    /// Somebody wrote in a chat. The text is kept beside the interaction, and not published.
    MessageSent {
        message: MessageNo,
        /// 1, 2, 3… of those that the customer sees; none: the agents alone see it.
        shown: Option<u32>,
        /// Personal data.
        text: Arc<str>,
    },
    /// A number outside is called for a transfer; with the rule that allows it (X3).
    ExternalDialled {
        transfer: TransferNo,
        leg: LegNo,
        external: Arc<ExternalRef>,
    },
    /// Nobody answered outside, or it was taken back.
    ExternalFailed {
        transfer: TransferNo,
        external: Arc<ExternalRef>,
        reason: Reason,
        rang_us: i64,
    },
    ExternalJoined {
        transfer: TransferNo,
        leg: LegNo,
        external: Arc<ExternalRef>,
        rang_us: i64,
    },
    ExternalLeft {
        external: Arc<ExternalRef>,
        reason: Reason,
        in_call_us: i64,
    },
    /// The customer is with somebody outside, and no longer with an agent.
    ExternalTookOver {
        from: Option<AgentId>,
        external: Arc<ExternalRef>,
    },
    /// The customer has left, and the agent goes on with whom they called outside (B409).
    CustomerChanged {
        external: Arc<ExternalRef>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The switch that the call is on.
    pub switch: SwitchId,
    pub medium: Medium,
    pub direction: Direction,
    /// The number that was called, or called from.
    pub number: Arc<str>,
    /// The customer's number or address; may be empty. Personal data.
    pub customer: Arc<str>,
    /// A stable pseudonym of the customer within the tenant; empty without a number.
    pub customer_key: Arc<str>,
    pub recording_mode: RecordingMode,
    /// The call flow of the number; none for a call that an agent places.
    pub flow_id: Option<Arc<str>>,
}

/// The whole record of the contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub reason: Reason,
    pub direction: Direction,
    pub number: Arc<str>,
    /// The call flow of the number; none for a call that an agent places.
    pub flow_id: Option<Arc<str>>,
    /// A stable pseudonym of the customer within the tenant; empty without a number.
    pub customer_key: Arc<str>,
    pub summary: Summary,
}

/// A step of the call flow that was taken, with whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepTaken {
    RingAgent(AgentId),
    RingTeam(TeamId),
    Voicemail(Arc<str>),
    Disconnect,
    Queue(QueueId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferStarted {
    pub transfer: TransferNo,
    pub kind: TransferKind,
    pub initiator: AgentId,
    pub target: Target,
    /// One of the policy's outcomes, or empty (B503).
    pub outcome: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingStarted {
    pub recording: RecordingNo,
    pub agent: AgentId,
    pub by_hand: bool,
    /// The number that was called, or called from.
    pub number: Arc<str>,
    /// The customer's number or address; may be empty. Personal data.
    pub customer: Arc<str>,
    /// A stable pseudonym of the customer within the tenant; empty without a number.
    pub customer_key: Arc<str>,
    pub direction: Direction,
}
