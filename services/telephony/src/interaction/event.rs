//! What the switch says happened to one interaction.

use baton_api::recording::v1::SegmentHeader;
use prost::Message as _;

use super::Interaction;
use crate::fact;
use crate::store::{UploadRow, Write};
use crate::switch::{ClosedRecording, Ending, Event, ExitEnd, LegState, What};
use crate::thing::Key;
use crate::world::LegThere;

impl Interaction {
    pub(super) fn hear_event(&mut self, event: Event) {
        let at_us = event.at_us;
        match event.what {
            What::Ringing { leg } => self.hear_leg(&leg, LegState::Ringing),
            What::Answered { leg } => self.hear_leg(&leg, LegState::Up),
            What::Ended { leg, why } => self.leg_ended(&leg, why, at_us),
            What::PlaybackOver { playback } => {
                self.world.playbacks.remove(&playback);
                self.observe(&Key::announcement(&playback), fact::announcement_over(&playback), at_us);
            }
            What::RecordingStarted { recording, started_at_us } => {
                self.recording_runs(&recording, started_at_us, at_us);
            }
            What::RecordingClosed(closed) => self.recording_closed(&closed, at_us),
            What::RecordingFailed { recording } => self.recording_lost(&recording, at_us),
            What::ExitOver { exit, leg, end } => self.exit_over(&exit, &leg, end, at_us),
            What::InboundCall(_) | What::Other => {}
        }
    }

    /// A leg rings or is up. It never goes back from up to ringing.
    fn hear_leg(&mut self, name: &str, state: LegState) {
        let Some(key) = self.leg_key(name) else { return };
        let there = self.world.legs.get(name);
        if there.is_some_and(|it| it.state != LegState::Ringing) {
            return;
        }
        let there = LegThere { state, ..LegThere::ringing(self.ways.moments.now()) };
        self.put_leg(&key, name, there);
    }

    /// A switch that is stopped in order ends each leg; it is one fact for all of them (S4).
    fn leg_ended(&mut self, name: &str, why: Ending, at_us: i64) {
        if why == Ending::SwitchLost {
            return self.lose_switch(&format!("stopped-{}", self.boot_id));
        }
        self.world.legs.remove(name);
        if let Some(key) = self.leg_key(name) {
            self.observe(&key, fact::ended(&key.id, why), at_us);
        }
    }

    /// It is there, also when it is over: then its file is being completed, or it was given up and is to be stopped.
    pub(super) fn recording_runs(&mut self, recording: &str, started_at_us: i64, at_us: i64) {
        self.world.recordings.insert(recording.to_owned(), self.ways.moments.now());
        self.observe(&Key::segment(recording), fact::segment_live(recording, started_at_us), at_us);
    }

    /// The file is complete: from here on it is the archive's, whatever the transfer service does.
    pub(super) fn recording_closed(&mut self, closed: &ClosedRecording, at_us: i64) {
        self.world.recordings.remove(&closed.recording);
        let key = Key::segment(&closed.recording);
        let what = fact::segment_closed(&closed.recording, closed.started_at_us, closed.ended_at_us, closed.torn);
        self.observe(&key, what, at_us);
        self.upload(&key, closed, false);
    }

    /// The segment was begun and there will be no file.
    pub(super) fn recording_lost(&mut self, recording: &str, at_us: i64) {
        self.world.recordings.remove(recording);
        let key = Key::segment(recording);
        let fact = self.world.things.get(&key).and_then(|it| it.fact.as_ref());
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

    fn upload(&mut self, key: &Key, closed: &ClosedRecording, lost: bool) {
        let (Some(thing), Some(plan)) = (self.world.things.get_mut(key), &self.plan) else { return };
        thing.missed_at_us = None;
        let header = SegmentHeader {
            tenant: plan.tenant.clone(),
            interaction_id: self.id.to_string(),
            recording_id: thing.detail.clone(),
            segment_id: key.id.clone(),
            started_at_us: closed.started_at_us,
            ended_at_us: closed.ended_at_us,
            sha256: closed.sha256.clone(),
            torn: closed.torn,
            lost,
        };
        self.writes.push(Write::Upload(UploadRow {
            segment: key.id.clone(),
            header: header.encode_to_vec(),
            lost,
            ..UploadRow::default()
        }));
    }

    /// From now on the uploader sees to it. One that is not on the list is found again by the next look.
    pub(super) fn segment_listed(&mut self, key: &Key, listed: bool) {
        if let Some(thing) = self.world.things.get_mut(key) {
            thing.delivered |= listed;
        }
    }

    fn exit_over(&mut self, exit: &str, leg: &str, end: ExitEnd, at_us: i64) {
        if let Some(there) = self.world.legs.get_mut(leg).filter(|_| end == ExitEnd::Returned) {
            *there = LegThere { state: LegState::Up, ..LegThere::ringing(self.ways.moments.now()) };
        }
        self.observe(&Key::exit(exit), fact::exit_over(exit, end), at_us);
    }
}
