//! Announcements.

use super::Engine;
use super::error::SwitchError;
use super::ids::PlaybackId;
use super::ledger::{LedgerAction, PlaybackLocation};
use super::model::{ActivePlayback, PlayTarget, PlaybackEnd, Playing};
use super::timers::Due;
use super::tones::{AnnouncementTone, FRAME_US, announcement};

#[derive(Debug, Clone)]
pub struct PlaybackRequest {
    /// Good for one attempt.
    pub playback_id: PlaybackId,
    pub target: PlayTarget,
    /// The announcement's name.
    pub announcement: String,
}

impl From<&PlayTarget> for PlaybackLocation {
    fn from(target: &PlayTarget) -> Self {
        match target {
            PlayTarget::Room(room) => Self { room_id: Some(room.clone()), leg_id: None },
            PlayTarget::Leg(leg) => Self { room_id: None, leg_id: Some(leg.clone()) },
        }
    }
}

impl Engine {
    /// Plays an announcement, once for each id, and returns its length in ms; 0 if there is none of that name, which an event reports.
    pub fn play(&mut self, request: PlaybackRequest) -> Result<i64, SwitchError> {
        let PlaybackRequest { playback_id, target, announcement: name } = request;
        if self.used_playbacks.contains(&playback_id) {
            return Err(playback_id.used());
        }
        let tenant = self.tenant_of(&target)?;
        let Some(announcement) = announcement(&name) else {
            self.used_playbacks.insert(playback_id.clone());
            let message = format!("there is no announcement {name:.64}");
            self.emit(
                &tenant,
                LedgerAction::PlaybackFailed { playback_id, at: PlaybackLocation::from(&target), message },
            );
            return Ok(0);
        };
        self.begin_playback(playback_id, tenant, target, announcement)?;
        Ok(announcement.frames * FRAME_US / 1_000)
    }

    pub fn stop_playback(&mut self, id: &PlaybackId) -> Result<(), SwitchError> {
        if self.playbacks.contains_key(id) {
            self.finish_playback(id, PlaybackEnd::Stopped);
            Ok(())
        } else {
            Err(id.not_found())
        }
    }

    pub(crate) fn playback_over(&mut self, id: &PlaybackId) {
        self.finish_playback(id, PlaybackEnd::Completed);
    }

    pub(crate) fn finish_playback(&mut self, id: &PlaybackId, end: PlaybackEnd) {
        let Some(playback) = self.playbacks.remove(id) else { return };
        self.timers.cancel([playback.timer]);
        if let Some(playing) = self.playing(&playback.target) {
            playing.retain(|playing| playing.playback != *id);
        }
        let at = PlaybackLocation::from(&playback.target);
        let announcement = playback.announcement.to_owned();
        self.emit(&playback.tenant, LedgerAction::PlaybackFinished { playback_id: id.clone(), at, announcement, end });
    }

    fn begin_playback(
        &mut self,
        id: PlaybackId,
        tenant: String,
        target: PlayTarget,
        announcement: AnnouncementTone,
    ) -> Result<(), SwitchError> {
        let limit = self.limits.playing;
        let tone = self.tones.tone(announcement.hz);
        let ends_at_us = (self.frame() + announcement.frames) * FRAME_US;
        let started_at_us = self.frame_start_us();
        match self.playing(&target) {
            Some(playing) if playing.len() < limit => playing.push(Playing { playback: id.clone(), tone }),
            _ => return Err(SwitchError::TooMany { what: "announcements here", limit }),
        }
        self.used_playbacks.insert(id.clone());
        let timer = self.timers.set(ends_at_us, Due::PlaybackOver(id.clone()));
        let at = PlaybackLocation::from(&target);
        let name = announcement.name;
        self.emit(
            &tenant,
            LedgerAction::PlaybackStarted { playback_id: id.clone(), at, announcement: name.to_owned() },
        );
        self.playbacks.insert(id, ActivePlayback { tenant, target, announcement: name, started_at_us, timer });
        Ok(())
    }

    fn tenant_of(&self, target: &PlayTarget) -> Result<String, SwitchError> {
        match target {
            PlayTarget::Leg(leg) => self.controllable(leg).map(|leg| leg.tenant.clone()),
            PlayTarget::Room(id) => {
                let room = self.rooms.get(id).ok_or_else(|| id.not_found())?;
                Ok(room.tenant.clone())
            }
        }
    }

    fn playing(&mut self, target: &PlayTarget) -> Option<&mut Vec<Playing>> {
        match target {
            PlayTarget::Leg(leg) => self.legs.get_mut(leg).map(|leg| &mut leg.playing),
            PlayTarget::Room(room) => self.rooms.get_mut(room).map(|room| &mut room.playing),
        }
    }
}
