//! The recorder: whose tenure it is, whether a segment is wanted now, and what is being left out.
//!
//! A *tenure* is one primary agent's time with the customer and becomes one recording; a *segment* is one uninterrupted stretch of it. A
//! segment is wanted exactly while the customer talks with an agent, is not held, recording is on and not paused. So a consult can't be in one
//! (B208, R1). Every stretch of a tenure is either in a segment or in an exclusion (R2).

use crate::{
    event::EventKind,
    input::{RecordingCommand, SegmentEnd},
    interaction::Counters,
};
use baton_words::{AgentId, Direction, Exclusion, RecordingMode, RecordingNo, SegmentNo};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// So many segments in a row that could not be written are enough; the next hold, pause or tenure tries again.
const MAX_FAILURES: u8 = 3;

/// What is recorded of an interaction. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorder {
    /// The number's setting when the call came in.
    pub mode: RecordingMode,
    /// That setting records this call without anybody's doing.
    pub automatic: bool,
    /// Somebody started it by hand; it carries over to the next agent (B207).
    pub by_hand: bool,
    pub paused: bool,
    /// The tenure that is under way; none while no agent has the customer.
    pub tenure: Option<Tenure>,
    /// Tenures that gave way while a transfer is undecided: whoever comes back goes on with theirs (B206, decision 7).
    pub suspended: SmallVec<[SuspendedTenure; 1]>,
    /// The segment that is wanted now.
    pub current: Option<Segment>,
    /// Segments that are no longer wanted and whose end was not yet reported.
    pub closing: SmallVec<[Segment; 2]>,
    /// Recordings whose tenure is over and some of whose segments are still closing.
    pub ending: SmallVec<[RecordingNo; 2]>,
    /// The stretch that is being left out now.
    pub gap: Option<Gap>,
    /// Segments in a row that could not be written.
    pub failures: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenure {
    pub agent: AgentId,
    /// Its recording, once something of it was recorded.
    pub recording: Option<RecordingNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedTenure {
    pub tenure: Tenure,
    pub since_us: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub no: SegmentNo,
    pub recording: RecordingNo,
    /// The switch has said that it writes.
    pub live: bool,
}

/// A stretch that is being left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub from_us: i64,
    pub reason: Exclusion,
}

/// How the customer's conversation is at this moment.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "five independent facts")]
pub(crate) struct Conversation {
    /// An agent has the customer, and the customer has not left.
    pub(crate) served: bool,
    /// The customer is on the line.
    pub(crate) connected: bool,
    pub(crate) held: bool,
    /// The customer is in an IVR flow, and comes back.
    pub(crate) away: bool,
    /// The customer is with an agent, and not held.
    pub(crate) talking: bool,
}

/// What came of an input: events to publish, in order. `changed` also where there is none.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) events: SmallVec<[EventKind; 1]>,
    /// A recording that has begun; the interaction's facts are added by whoever publishes it.
    pub(crate) started: Option<(RecordingNo, AgentId, bool)>,
    pub(crate) changed: bool,
}

impl Recorded {
    fn changed() -> Self {
        Self { changed: true, ..Self::default() }
    }

    fn push(&mut self, event: EventKind) {
        self.changed = true;
        self.events.push(event);
    }
}

impl Recorder {
    pub(crate) fn new(mode: RecordingMode, direction: Direction) -> Self {
        Self {
            mode,
            automatic: mode.records(direction),
            by_hand: false,
            paused: false,
            tenure: None,
            suspended: SmallVec::new(),
            current: None,
            closing: SmallVec::new(),
            ending: SmallVec::new(),
            gap: None,
            failures: 0,
        }
    }

    /// Something is to be recorded whenever the customer talks with an agent.
    pub fn on(&self) -> bool {
        self.automatic || self.by_hand
    }

    /// The switch writes, or may still write, a segment.
    pub fn maybe_live(&self) -> bool {
        self.current.is_some() || !self.closing.is_empty()
    }

    /// The recording of the tenure that is under way.
    pub fn recording(&self) -> Option<RecordingNo> {
        self.tenure.and_then(|tenure| tenure.recording)
    }

    pub(crate) fn command(&mut self, command: RecordingCommand) -> Recorded {
        let mut out = Recorded::changed();
        let recording = self.recording();
        match command {
            RecordingCommand::Start => {
                self.by_hand = true;
                // Who starts it wants it written: a pause from before it was stopped is over.
                self.unpause(&mut out);
            }
            RecordingCommand::Stop => self.by_hand = false,
            RecordingCommand::Pause => {
                self.paused = true;
                out.push(EventKind::RecordingPaused { recording });
            }
            RecordingCommand::Resume => self.unpause(&mut out),
        }
        self.failures = 0;
        out
    }

    fn unpause(&mut self, out: &mut Recorded) {
        if std::mem::take(&mut self.paused) {
            out.push(EventKind::RecordingResumed { recording: self.recording() });
        }
    }

    /// From here on the customer's conversation is this agent's: whoever took them off hold, or has become primary (B206). The tenure before
    /// is suspended while its agent may come back, and is over otherwise.
    pub(crate) fn take_tenure(&mut self, agent: AgentId, other_may_come_back: bool, now_us: i64) -> Recorded {
        let mut out = Recorded::default();
        if self.tenure.is_some_and(|tenure| tenure.agent == agent) {
            return out;
        }
        out.changed = true;
        self.close_segment();
        self.close_gap(now_us, &mut out);
        self.failures = 0;
        match self.tenure.take() {
            Some(tenure) if other_may_come_back => self.suspended.push(SuspendedTenure { tenure, since_us: now_us }),
            Some(tenure) => self.ending.extend(tenure.recording),
            None => {}
        }
        let back = self.take_suspended(agent);
        self.tenure = Some(back.map_or(Tenure { agent, recording: None }, |suspended| suspended.tenure));
        if let Some(SuspendedTenure { tenure: Tenure { recording: Some(recording), .. }, since_us }) = back {
            exclude(recording, since_us, now_us, Exclusion::OtherTenure, &mut out);
        }
        out
    }

    /// The tenure is over, though its agent stays: who is talked with from here on is somebody else (B409).
    pub(crate) fn end_tenure(&mut self, now_us: i64) -> Recorded {
        let mut out = Recorded::changed();
        self.close_tenure(now_us, &mut out);
        out
    }

    /// The transfer is decided: of the suspended tenures at most this agent's comes back.
    pub(crate) fn end_suspended_but(&mut self, agent: Option<AgentId>) -> Recorded {
        let (kept, ended) = self.suspended.drain(..).partition(|it| Some(it.tenure.agent) == agent);
        self.suspended = kept;
        let ended: SmallVec<[SuspendedTenure; 1]> = ended;
        self.ending.extend(ended.iter().filter_map(|suspended| suspended.tenure.recording));
        Recorded { changed: !ended.is_empty(), ..Recorded::default() }
    }

    /// Who leaves takes their suspended tenure with them.
    pub(crate) fn agent_left(&mut self, agent: AgentId) -> Recorded {
        let suspended = self.take_suspended(agent);
        self.ending.extend(suspended.and_then(|suspended| suspended.tenure.recording));
        Recorded { changed: suspended.is_some(), ..Recorded::default() }
    }

    fn take_suspended(&mut self, agent: AgentId) -> Option<SuspendedTenure> {
        let at = self.suspended.iter().position(|suspended| suspended.tenure.agent == agent)?;
        Some(self.suspended.remove(at))
    }

    /// Called after every change. Ringing and voicemail are left out of nothing: there is no tenure.
    pub(crate) fn settle(&mut self, now: Conversation, counters: &mut Counters, now_us: i64) -> Recorded {
        let mut out = Recorded::default();
        if now.served {
            self.settle_segment(now, counters, now_us, &mut out);
            self.settle_gap(now, now_us, &mut out);
        } else {
            self.close_tenure(now_us, &mut out);
        }
        self.end_recordings(&mut out);
        out
    }

    fn close_tenure(&mut self, now_us: i64, out: &mut Recorded) {
        self.close_segment();
        self.close_gap(now_us, out);
        let suspended = self.suspended.drain(..).map(|suspended| suspended.tenure);
        let over = self.tenure.take().into_iter().chain(suspended);
        self.ending.extend(over.filter_map(|tenure| tenure.recording));
    }

    fn settle_segment(&mut self, now: Conversation, counters: &mut Counters, now_us: i64, out: &mut Recorded) {
        let due = now.talking && self.on() && !self.paused;
        if !due {
            self.failures = 0;
        }
        match (due && self.failures < MAX_FAILURES, self.current.is_some()) {
            (true, false) => self.open_segment(counters, now_us, out),
            (false, true) => self.close_segment(),
            _ => {}
        }
    }

    fn open_segment(&mut self, counters: &mut Counters, now_us: i64, out: &mut Recorded) {
        let Some(tenure) = &mut self.tenure else { return };
        let recording = *tenure.recording.get_or_insert_with(|| {
            let recording = RecordingNo(Counters::take(&mut counters.recording));
            out.started = Some((recording, tenure.agent, !self.automatic));
            recording
        });
        let no = SegmentNo(Counters::take(&mut counters.segment));
        self.current = Some(Segment { no, recording, live: false });
        out.changed = true;
        self.close_gap(now_us, out);
    }

    fn close_segment(&mut self) {
        self.closing.extend(self.current.take());
    }

    /// What is left out now, and why; a change of the reason closes one stretch and opens the next. Before the customer is there, there is
    /// nothing to leave out.
    fn settle_gap(&mut self, now: Conversation, now_us: i64, out: &mut Recorded) {
        let reason = match self.tenure {
            None => None,
            Some(_) if self.current.is_some() || !now.connected => None,
            Some(_) if now.away => Some(Exclusion::InFlow),
            Some(_) if now.held => Some(Exclusion::OnHold),
            Some(_) if self.paused => Some(Exclusion::Paused),
            Some(_) if self.on() => Some(Exclusion::NotWritten),
            Some(_) => Some(Exclusion::NotStarted),
        };
        if self.gap.map(|gap| gap.reason) != reason {
            self.close_gap(now_us, out);
            self.gap = reason.map(|reason| Gap { from_us: now_us, reason });
        }
    }

    /// A stretch of a tenure of which nothing is ever recorded is left out of nothing.
    fn close_gap(&mut self, now_us: i64, out: &mut Recorded) {
        if let (Some(gap), Some(recording)) = (self.gap.take(), self.recording()) {
            exclude(recording, gap.from_us, now_us, gap.reason, out);
        }
    }

    /// Recordings whose tenure is over and whose segments are all known.
    fn end_recordings(&mut self, out: &mut Recorded) {
        let closing = &self.closing;
        self.ending.retain(|recording| {
            let open = closing.iter().any(|segment| segment.recording == *recording);
            if !open {
                out.push(EventKind::RecordingEnded { recording: *recording });
            }
            open
        });
    }

    /// The switch writes.
    pub(crate) fn segment_live(&mut self, no: SegmentNo, agents: SmallVec<[AgentId; 2]>) -> Recorded {
        let mut out = Recorded::default();
        let mut known = self.current.iter_mut().chain(&mut self.closing);
        if let Some(segment) = known.find(|segment| segment.no == no && !segment.live) {
            segment.live = true;
            let recording = segment.recording;
            out.push(EventKind::SegmentStarted { recording, segment: no, agents });
        }
        out
    }

    /// The switch has closed a segment. One that ends though it is still wanted is followed by another.
    pub(crate) fn segment_ended(&mut self, no: SegmentNo, end: SegmentEnd) -> Recorded {
        let recording = if let Some(at) = self.closing.iter().position(|segment| segment.no == no) {
            self.closing.remove(at).recording
        } else if let Some(segment) = self.current.take_if(|segment| segment.no == no) {
            self.failures = if end.failed { self.failures + 1 } else { 0 };
            segment.recording
        } else {
            return Recorded::default();
        };
        let mut out = Recorded::changed();
        // One that was wanted for so short a time that it was never begun is not told of.
        if !end.never_begun() {
            out.push(EventKind::SegmentEnded { recording, segment: no, end });
        }
        out
    }
}

/// Says what was left out until now.
fn exclude(recording: RecordingNo, from_us: i64, now_us: i64, reason: Exclusion, out: &mut Recorded) {
    if from_us < now_us {
        out.push(EventKind::Excluded { recording, from_us, to_us: now_us, reason });
    }
}
