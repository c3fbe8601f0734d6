//! Events of the switch for one interaction.

use super::InteractionDriver;
use crate::fact;
use crate::observed::ObservedLeg;
use crate::operation::OperationKey;
use crate::store::{SegmentOwner, StoreWrite};
use crate::switch::{
    ClosedRecording, ExitEnd, FlowEnding, FlowReport, LegEnding, LegProgress, SwitchEvent, SwitchEventKind,
};

impl InteractionDriver {
    pub(super) fn handle_event(&mut self, event: SwitchEvent) {
        let at_us = event.at_us;
        match event.kind {
            SwitchEventKind::Ringing { leg } => self.leg_progressed(&leg, LegProgress::Ringing),
            SwitchEventKind::Answered { leg } => self.leg_progressed(&leg, LegProgress::Up),
            SwitchEventKind::Ended { leg, why } => self.leg_ended(&leg, why, at_us),
            SwitchEventKind::PlaybackOver { playback } => {
                self.observed.playbacks.remove(&playback);
                self.observe(&OperationKey::announcement(&playback), fact::announcement_over(&playback), at_us);
            }
            SwitchEventKind::RecordingStarted { recording, started_at_us } => {
                self.recording_runs(&recording, started_at_us, at_us);
            }
            SwitchEventKind::RecordingClosed(closed) => self.recording_closed(&closed, at_us),
            SwitchEventKind::RecordingFailed { recording } => self.recording_lost(&recording, at_us),
            SwitchEventKind::ExitOver { exit, leg, end } => self.exit_over(&exit, &leg, end, at_us),
            SwitchEventKind::Flow(report) => self.flow(&report, at_us),
            SwitchEventKind::InboundCall(_) | SwitchEventKind::Other => {}
        }
    }

    /// Ignores a late ringing of a leg that is up already.
    fn leg_progressed(&mut self, name: &str, progress: LegProgress) {
        let Some(key) = self.leg_key(name) else { return };
        let actual = self.observed.legs.get(name);
        if actual.is_some_and(|it| it.progress != LegProgress::Ringing) {
            return;
        }
        let actual = ObservedLeg { progress, ..ObservedLeg::ringing(self.context.logical_clock.now()) };
        self.put_leg(&key, name, actual);
    }

    /// A switch that is stopped in an orderly way ends each leg; that is one fact for all of them (S4).
    fn leg_ended(&mut self, name: &str, why: LegEnding, at_us: i64) {
        if why == LegEnding::SwitchLost {
            return self.lose_switch(&format!("stopped-{}", self.boot_id));
        }
        self.observed.legs.remove(name);
        if let Some(key) = self.leg_key(name) {
            self.observe(&key, fact::ended(&key.id, why), at_us);
        }
    }

    /// Also for a segment that is over: then its file is being completed, or it was given up and is to be stopped.
    pub(super) fn recording_runs(&mut self, recording: &str, started_at_us: i64, at_us: i64) {
        self.observed.recordings.insert(recording.to_owned(), self.context.logical_clock.now());
        self.observe(&OperationKey::segment(recording), fact::segment_live(recording, started_at_us), at_us);
    }

    /// The file is complete, and is uploaded whatever the transfer service does.
    pub(super) fn recording_closed(&mut self, closed: &ClosedRecording, at_us: i64) {
        self.observed.recordings.remove(&closed.recording);
        let key = OperationKey::segment(&closed.recording);
        let content = fact::segment_closed(&closed.recording, closed.started_at_us, closed.ended_at_us, closed.torn);
        self.observe(&key, content, at_us);
        self.upload(&key, closed, false);
    }

    /// The segment may have begun, and there will be no file.
    pub(super) fn recording_lost(&mut self, recording: &str, at_us: i64) {
        self.observed.recordings.remove(recording);
        let key = OperationKey::segment(recording);
        let fact = self.observed.operations.get(&key).and_then(|it| it.fact.as_ref());
        let started_at_us = fact::segment_started_at_us(fact);
        self.observe(&key, fact::segment_failed(recording, started_at_us), at_us);
        if started_at_us > 0 {
            let closed = ClosedRecording {
                recording: recording.to_owned(),
                started_at_us,
                ended_at_us: at_us,
                sha256: String::new(),
                torn: true,
            };
            self.upload(&key, &closed, true);
        }
    }

    fn upload(&mut self, key: &OperationKey, closed: &ClosedRecording, lost: bool) {
        let (Some(operation), Some(plan)) = (self.observed.operations.get_mut(key), &self.plan) else { return };
        operation.missing_since_us = None;
        let owner = SegmentOwner {
            tenant: plan.tenant.clone(),
            interaction: self.id.clone(),
            recording_id: operation.detail.clone(),
        };
        self.writes.push(StoreWrite::Upload(owner.upload(closed, lost)));
    }

    /// A committed upload is the task of the uploader. The next snapshot shows a segment whose upload was not committed
    /// again.
    pub(super) fn upload_committed(&mut self, key: &OperationKey, committed: bool) {
        if let Some(operation) = self.observed.operations.get_mut(key) {
            operation.upload_stored |= committed;
        }
    }

    /// An IVR flow has come so far, or is over: then the leg is in no room, unless it is gone.
    pub(super) fn flow(&mut self, report: &FlowReport, at_us: i64) {
        let FlowReport { exit, leg, end, data } = report;
        let in_it = self.observed.legs.get(leg).is_some_and(|it| it.progress == LegProgress::Exited(exit.clone()));
        if in_it && end.is_some_and(|end| end != FlowEnding::Left) {
            self.change_leg(leg, |actual| (actual.progress, actual.room) = (LegProgress::Up, None));
        }
        let content = match end {
            None => fact::in_flow(exit, data.clone()),
            Some(end) => fact::flow_over(exit, *end, data.clone()),
        };
        self.observe(&OperationKey::exit(exit), content, at_us);
    }

    fn exit_over(&mut self, exit: &str, leg: &str, end: ExitEnd, at_us: i64) {
        if let Some(actual) = self.observed.legs.get_mut(leg).filter(|_| end == ExitEnd::Returned) {
            *actual =
                ObservedLeg { progress: LegProgress::Up, ..ObservedLeg::ringing(self.context.logical_clock.now()) };
        }
        self.observe(&OperationKey::exit(exit), fact::exit_over(exit, end), at_us);
    }
}
