//! Rooms: the members of a room hear what its treatment says.

use std::collections::BTreeSet;

use super::Engine;
use super::error::SwitchError;
use super::ids::RoomId;
use super::ledger::LedgerAction;
use super::model::{PlaybackEnd, RoomTreatment, SwitchRoom};

impl Engine {
    /// Creates a room, or changes what is heard in it.
    pub fn ensure_room(&mut self, id: &RoomId, tenant: &str, treatment: RoomTreatment) -> Result<(), SwitchError> {
        if tenant.is_empty() {
            return Err(SwitchError::invalid("tenant", "must not be empty"));
        }
        match self.rooms.get_mut(id) {
            Some(room) if room.tenant != tenant => return Err(id.used()),
            Some(room) if room.treatment == treatment => return Ok(()),
            Some(room) => room.treatment = treatment,
            None => self.create_room(id, tenant, treatment)?,
        }
        self.emit(tenant, LedgerAction::RoomEnsured { room_id: id.clone(), treatment });
        Ok(())
    }

    /// Removes an empty room, with its announcements and recordings.
    pub fn destroy_room(&mut self, id: &RoomId) -> Result<(), SwitchError> {
        let room = self.rooms.get(id).ok_or_else(|| id.not_found())?;
        if !room.members.is_empty() {
            return Err(id.wrong_state("has members"));
        }
        let Some(room) = self.rooms.remove(id) else { return Ok(()) };
        for playing in &room.playing {
            self.finish_playback(&playing.playback, PlaybackEnd::TargetGone);
        }
        for recording in &room.recordings {
            self.finish_recording(recording);
        }
        self.emit(&room.tenant, LedgerAction::RoomDestroyed { room_id: id.clone() });
        Ok(())
    }

    fn create_room(&mut self, id: &RoomId, tenant: &str, treatment: RoomTreatment) -> Result<(), SwitchError> {
        let limit = self.limits.rooms;
        if self.rooms.len() >= limit {
            return Err(SwitchError::TooMany { what: "rooms", limit });
        }
        let room = SwitchRoom {
            tenant: tenant.to_owned(),
            treatment,
            members: BTreeSet::new(),
            playing: Vec::new(),
            recordings: Vec::new(),
        };
        self.rooms.insert(id.clone(), room);
        Ok(())
    }
}
