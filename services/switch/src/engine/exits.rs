//! Exits to voicemail: a leg leaves the controller's hands until it hangs up. For those into IVR flows see `flows`.

use super::Engine;
use super::error::SwitchError;
use super::ids::{ExitId, LegId, RecordingId, UsedIds};
use super::ledger::LedgerAction;
use super::model::{AudioSource, EndCause, ExitReport, PlaybackEnd, Side, SwitchLegState, VoicemailExit};
use super::timers::Due;
use super::tones::{AnnouncementTone, BEEP, FRAME_US, VOICEMAIL_GREETING};

const USUAL_MESSAGE_MS: i64 = 120_000;
const LONGEST_MESSAGE_MS: i64 = 600_000;
const LONGEST_MAILBOX: usize = 128;

/// Ids of exits, each good for one attempt.
#[derive(Debug)]
pub(crate) struct UsedExits(UsedIds<ExitId>);

impl UsedExits {
    pub(crate) fn new(limit: usize) -> Self {
        Self(UsedIds::new(limit))
    }

    pub(crate) fn contains(&self, id: &ExitId) -> bool {
        self.0.contains(id)
    }

    pub(crate) fn note(&mut self, id: ExitId) {
        self.0.insert(id);
    }
}

impl VoicemailExit {
    /// The announcement that the mailbox plays in this frame.
    pub(crate) fn says(&self, frame: i64) -> Option<AnnouncementTone> {
        match frame - self.first_frame {
            n if n < 0 => None,
            n if n < VOICEMAIL_GREETING.frames => Some(VOICEMAIL_GREETING),
            n if n < VOICEMAIL_GREETING.frames + BEEP.frames => Some(BEEP),
            _ => None,
        }
    }
}

impl Engine {
    /// Sends a leg to voicemail, once for each exit id, and returns the id under which the message will be kept.
    pub fn exit_to_voicemail(
        &mut self,
        leg_id: &LegId,
        id: &ExitId,
        mailbox: &str,
        max_message_ms: i64,
    ) -> Result<RecordingId, SwitchError> {
        let max_message_ms = if max_message_ms == 0 { USUAL_MESSAGE_MS } else { max_message_ms };
        if mailbox.len() > LONGEST_MAILBOX || !(1..=LONGEST_MESSAGE_MS).contains(&max_message_ms) {
            return Err(SwitchError::invalid(
                "voicemail",
                "must have a mailbox of 128 bytes at most and a max_message_ms of 0 to 600000",
            ));
        }
        if self.used_exits.contains(id) {
            return Err(id.used());
        }
        let tenant = self.controllable(leg_id)?.tenant.clone();
        self.used_exits.note(id.clone());
        self.leave_control(leg_id, id);
        let first_frame = self.frame();
        let listens_at_us = (first_frame + VOICEMAIL_GREETING.frames + BEEP.frames) * FRAME_US;
        let timer = self.timers.set(listens_at_us, Due::MailboxListens(id.clone()));
        self.exits.insert(
            id.clone(),
            VoicemailExit {
                tenant: tenant.clone(),
                leg: leg_id.clone(),
                first_frame,
                max_message_us: max_message_ms * 1_000,
                recording: None,
                timers: vec![timer],
            },
        );
        let (exit_id, leg_id) = (id.clone(), leg_id.clone());
        self.emit(&tenant, LedgerAction::ExitStarted { exit_id, leg_id, mailbox: mailbox.to_owned() });
        Ok(RecordingId::of_voicemail(id))
    }

    /// The greeting and the beep are over: the recording of the message begins.
    pub(crate) fn mailbox_listens(&mut self, id: &ExitId) {
        let Some(exit) = self.exits.get_mut(id) else { return };
        let recording = RecordingId::of_voicemail(id);
        exit.recording = Some(recording.clone());
        let (tenant, leg) = (exit.tenant.clone(), exit.leg.clone());
        let full_at_us = self.now_us + exit.max_message_us;
        exit.timers = vec![self.timers.set(full_at_us, Due::MailboxFull(id.clone()))];
        self.begin_recording(recording, &tenant, AudioSource::Voice(leg));
    }

    /// The message is as long as it may be.
    pub(crate) fn mailbox_full(&mut self, id: &ExitId) {
        if let Some(leg) = self.exits.get(id).map(|exit| exit.leg.clone()) {
            self.end_leg(&leg, EndCause::Normal, Side::Switch);
        }
    }

    /// The leg in the exit is gone.
    pub(crate) fn end_exit(&mut self, id: &ExitId) {
        let Some(exit) = self.exits.remove(id) else { return };
        self.timers.cancel(exit.timers);
        if let Some(recording) = &exit.recording {
            self.finish_recording(recording);
        }
        self.emit(
            &exit.tenant,
            LedgerAction::ExitEnded {
                exit_id: id.clone(),
                leg_id: exit.leg,
                outcome: ExitReport::Left,
                recording_id: exit.recording,
            },
        );
    }

    pub(crate) fn leave_control(&mut self, leg_id: &LegId, exit_id: &ExitId) {
        self.take_out(leg_id);
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        leg.state = SwitchLegState::Exited;
        leg.exit = Some(exit_id.clone());
        for playing in std::mem::take(&mut leg.playing) {
            self.finish_playback(&playing.playback, PlaybackEnd::TargetGone);
        }
    }
}
