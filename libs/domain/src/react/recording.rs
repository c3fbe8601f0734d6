//! What follows for the recording from any change: whose tenure it is, whether a segment is wanted now, and what is being left out.
//!
//! A segment is wanted exactly while the customer talks with an agent, is not held, recording is on and not paused. So a consult can't be
//! in one (B208, R1). Every stretch of a tenure is either in a segment or in an exclusion (R2).

use super::step::Step;
use crate::{
    event::{EventKind, Exclusion},
    ids::{AgentId, RecordingNo, SegmentNo},
    input::SegmentEnd,
    interaction::{Counters, Gap, Phase, Segment, SuspendedTenure, Tenure},
};
use smallvec::SmallVec;

/// So many segments in a row that could not be written are enough; the next hold, pause or tenure tries again.
const MAX_FAILURES: u8 = 3;

impl Step<'_> {
    /// From here on the customer's conversation is this agent's: whoever took them off hold, or has become primary (B206). The tenure
    /// before gives way while the transfer is undecided, and is over otherwise.
    pub(super) fn take_tenure(&mut self, agent: AgentId) {
        if self.i.recording.tenure.is_some_and(|tenure| tenure.agent == agent) {
            return;
        }
        self.close_segment();
        self.close_gap();
        self.i.recording.failures = 0;
        match self.i.recording.tenure.take() {
            Some(tenure) if self.may_come_back(tenure.agent) => {
                self.i.recording.suspended.push(SuspendedTenure { tenure, since_us: self.now });
            }
            Some(tenure) => self.end_tenure(tenure),
            None => {}
        }
        let at = self.i.recording.suspended.iter().position(|suspended| suspended.tenure.agent == agent);
        let back = at.map(|at| self.i.recording.suspended.remove(at));
        self.i.recording.tenure = Some(back.map_or(Tenure { agent, recording: None }, |suspended| suspended.tenure));
        if let Some(SuspendedTenure { tenure: Tenure { recording: Some(recording), .. }, since_us }) = back {
            self.exclude(recording, since_us, Exclusion::OtherTenure);
        }
        self.touch();
    }

    fn may_come_back(&self, agent: AgentId) -> bool {
        let undecided = self.i.open_transfer().filter(|transfer| transfer.phase != Phase::HandedOver);
        let takes_part = undecided.is_some_and(|it| it.initiator.id == agent || it.recipient == Some(agent));
        takes_part && self.i.agent(agent).is_some()
    }

    /// The transfer is decided: of those who gave way, at most this agent comes back.
    pub(super) fn end_suspended_but(&mut self, agent: Option<AgentId>) {
        let (kept, ended) =
            self.i.recording.suspended.drain(..).partition(|suspended| Some(suspended.tenure.agent) == agent);
        self.i.recording.suspended = kept;
        let ended: SmallVec<[SuspendedTenure; 1]> = ended;
        for suspended in ended {
            self.end_tenure(suspended.tenure);
        }
    }

    fn close_tenure(&mut self) {
        self.close_segment();
        self.close_gap();
        if let Some(tenure) = self.i.recording.tenure.take() {
            self.end_tenure(tenure);
        }
        self.end_suspended_but(None);
    }

    /// Who leaves takes their tenure with them, also one that gave way.
    pub(super) fn end_suspended_of(&mut self, agent: AgentId) {
        let at = self.i.recording.suspended.iter().position(|suspended| suspended.tenure.agent == agent);
        if let Some(suspended) = at.map(|at| self.i.recording.suspended.remove(at)) {
            self.end_tenure(suspended.tenure);
        }
    }

    /// The tenure is over: its recording ends as soon as its segments have.
    fn end_tenure(&mut self, tenure: Tenure) {
        self.i.recording.ending.extend(tenure.recording);
        self.touch();
    }

    /// Called after every change. While nobody has the customer there is no tenure: ringing and voicemail are not left out of anything.
    pub(super) fn settle_recording(&mut self) {
        if self.i.primary.is_none() || self.i.customer.gone {
            self.close_tenure();
        } else {
            self.settle_segment();
            self.settle_gap();
        }
        self.end_recordings();
    }

    fn settle_segment(&mut self) {
        let talking = self.i.talking();
        let r = &mut self.i.recording;
        let due = talking && r.on() && !r.paused;
        if !due {
            r.failures = 0;
        }
        match (due && r.failures < MAX_FAILURES, r.current.is_some()) {
            (true, false) => self.open_segment(),
            (false, true) => self.close_segment(),
            _ => {}
        }
    }

    fn open_segment(&mut self) {
        let Some(tenure) = self.i.recording.tenure else { return };
        let recording = tenure.recording.unwrap_or_else(|| self.open_recording(tenure.agent));
        let no = SegmentNo(Counters::take(&mut self.i.counters.segment));
        self.i.recording.current = Some(Segment { no, recording, live: false });
        self.close_gap();
    }

    fn open_recording(&mut self, agent: AgentId) -> RecordingNo {
        let recording = RecordingNo(Counters::take(&mut self.i.counters.recording));
        self.i.recording.tenure = Some(Tenure { agent, recording: Some(recording) });
        let by_hand = !self.i.recording.automatic;
        self.emit(EventKind::RecordingStarted { recording, agent, by_hand });
        recording
    }

    fn close_segment(&mut self) {
        if let Some(segment) = self.i.recording.current.take() {
            self.i.recording.closing.push(segment);
        }
    }

    /// What is left out now, and why; a change of the reason closes one stretch and opens the next. Before the customer is there, there is
    /// nothing to leave out.
    fn settle_gap(&mut self) {
        let r = &self.i.recording;
        let reason = match r.tenure {
            None => None,
            Some(_) if r.current.is_some() || !self.i.customer.connected() => None,
            Some(_) if self.i.customer.held => Some(Exclusion::OnHold),
            Some(_) if r.paused => Some(Exclusion::Paused),
            Some(_) if r.on() => Some(Exclusion::NotWritten),
            Some(_) => Some(Exclusion::NotStarted),
        };
        if r.gap.map(|gap| gap.reason) != reason {
            self.close_gap();
            self.i.recording.gap = reason.map(|reason| Gap { from_us: self.now, reason });
        }
    }

    /// A stretch of a tenure of which nothing is ever recorded is nobody's exclusion.
    fn close_gap(&mut self) {
        let recording = self.i.recording.tenure.and_then(|tenure| tenure.recording);
        let Some(gap) = self.i.recording.gap.take() else { return };
        if let Some(recording) = recording {
            self.exclude(recording, gap.from_us, gap.reason);
        }
    }

    /// Says what was left out until now.
    fn exclude(&mut self, recording: RecordingNo, from_us: i64, reason: Exclusion) {
        if from_us < self.now {
            self.emit(EventKind::Excluded { recording, from_us, to_us: self.now, reason });
        }
    }

    /// Recordings whose tenure is over and whose segments are all known.
    fn end_recordings(&mut self) {
        let r = &mut self.i.recording;
        let closing = &r.closing;
        let Some(at) = r.ending.iter().position(|no| !closing.iter().any(|segment| segment.recording == *no)) else {
            return;
        };
        let recording = r.ending.remove(at);
        self.emit(EventKind::RecordingEnded { recording });
        self.end_recordings();
    }

    /// The switch writes.
    pub(super) fn segment_live(&mut self, no: SegmentNo) {
        let agents = self.i.agents.iter().map(|agent| agent.who.id).collect();
        let r = &mut self.i.recording;
        let Some(segment) =
            r.current.iter_mut().chain(&mut r.closing).find(|segment| segment.no == no && !segment.live)
        else {
            return;
        };
        segment.live = true;
        let recording = segment.recording;
        self.emit(EventKind::SegmentStarted { recording, segment: no, agents });
    }

    /// The switch has closed a segment. One that ends though it is still wanted is followed by another.
    pub(super) fn segment_ended(&mut self, no: SegmentNo, end: SegmentEnd) {
        let r = &mut self.i.recording;
        let recording = if let Some(at) = r.closing.iter().position(|segment| segment.no == no) {
            r.closing.remove(at).recording
        } else if let Some(segment) = r.current.take_if(|segment| segment.no == no) {
            r.failures = if end.failed { r.failures + 1 } else { 0 };
            segment.recording
        } else {
            return;
        };
        if end.never_begun() {
            // It was wanted for so short a time that nobody began it: there is nothing to tell of.
            self.touch();
        } else {
            self.emit(EventKind::SegmentEnded { recording, segment: no, end });
        }
    }
}
