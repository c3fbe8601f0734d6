//! The live legs: what a controller does to them, and how a leg ends.

use std::collections::BTreeMap;

use super::Engine;
use super::error::SwitchError;
use super::happening::What;
use super::ids::{ExitId, LegId, RoomId};
use super::model::{Direction, EndCause, LegState, PlaybackEnd, Playing, Side};
use super::timers::{Due, TimerKey};
use super::tones::Tone;
use super::track::Track;

const IS_RINGING: &str = "is not answered yet";
const IS_IN_AN_EXIT: &str = "is in an exit";

/// A live leg.
#[derive(Debug)]
pub struct Leg {
    /// Whose call it is.
    pub tenant: String,
    /// The phone at the other end.
    pub address: String,
    /// Inbound: the number that was called.
    pub called: Option<String>,
    /// Who started it.
    pub direction: Direction,
    /// How far it has come.
    pub state: LegState,
    /// The room it is in.
    pub room: Option<RoomId>,
    /// Nobody hears it.
    pub muted: bool,
    /// The phone sends nothing.
    pub phone_muted: bool,
    /// What the client wants back in the snapshot.
    pub variables: BTreeMap<String, String>,
    /// When it was dialled or came in.
    pub started_at_us: i64,
    /// When it was answered.
    pub answered_at_us: Option<i64>,
    /// The exit that it is in.
    pub exit: Option<ExitId>,
    pub(crate) tone: Tone,
    pub(crate) playing: Vec<Playing>,
    pub(crate) heard: Option<Track>,
    pub(crate) timers: Vec<TimerKey>,
}

impl Leg {
    /// What its phone says in this frame; nothing before it is answered.
    pub(crate) fn voice(&self, frame: i64) -> Option<&[i16]> {
        (self.state != LegState::Ringing && !self.phone_muted).then(|| self.tone.frame(frame))
    }

    /// What others in its room hear of it in this frame.
    pub(crate) fn speech(&self, frame: i64) -> Option<&[i16]> {
        if self.muted { None } else { self.voice(frame) }
    }
}

/// What is known of a leg when it begins.
pub(crate) struct NewLeg {
    pub(crate) tenant: String,
    pub(crate) address: String,
    pub(crate) called: Option<String>,
    pub(crate) direction: Direction,
    pub(crate) tone: Tone,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) ring_us: i64,
}

impl Engine {
    /// Answers an inbound call.
    pub fn answer(&mut self, id: &LegId) -> Result<(), SwitchError> {
        let leg = self.leg(id)?;
        if leg.direction == Direction::Outbound {
            return Err(id.wrong_state("was dialled: its phone answers it"));
        }
        self.answer_leg(id);
        Ok(())
    }

    /// Hangs up.
    pub fn hang_up(&mut self, id: &LegId, cause: Option<EndCause>) -> Result<(), SwitchError> {
        let usual = match self.leg(id)?.state {
            LegState::Ringing => EndCause::Cancelled,
            LegState::Up | LegState::Exited => EndCause::Normal,
        };
        self.end_leg(id, cause.unwrap_or(usual), Side::Controller);
        Ok(())
    }

    /// Puts an answered leg into a room, out of the one it was in.
    pub fn move_leg(&mut self, id: &LegId, room_id: &RoomId) -> Result<(), SwitchError> {
        let leg = self.controllable(id)?;
        let tenant = leg.tenant.clone();
        let from = leg.room.clone();
        let room = self.rooms.get_mut(room_id).filter(|room| room.tenant == tenant);
        let room = room.ok_or_else(|| room_id.not_found())?;
        if from.as_ref() == Some(room_id) {
            return Ok(());
        }
        room.members.insert(id.clone());
        self.settle(id, &tenant, from, Some(room_id.clone()));
        Ok(())
    }

    /// Takes a leg out of its room.
    pub fn remove_leg(&mut self, id: &LegId) -> Result<(), SwitchError> {
        let leg = self.controllable(id)?;
        let (tenant, from) = (leg.tenant.clone(), leg.room.clone());
        if from.is_some() {
            self.settle(id, &tenant, from, None);
        }
        Ok(())
    }

    /// Others don't hear the leg, or do again.
    pub fn set_mute(&mut self, id: &LegId, muted: bool) -> Result<(), SwitchError> {
        let leg = self.legs.get_mut(id).ok_or_else(|| id.not_found())?;
        if leg.muted != muted {
            leg.muted = muted;
            let tenant = leg.tenant.clone();
            self.emit(&tenant, What::LegMuted { leg_id: id.clone(), muted, side: Side::Controller });
        }
        Ok(())
    }

    /// A leg begins to ring.
    pub(crate) fn begin_leg(&mut self, id: LegId, new: NewLeg) {
        let timeout = self.timers.set(self.now_us + new.ring_us, Due::RingTimeout(id.clone()));
        self.forget_messages();
        let heard = self.open_heard(&id, &new.tenant, &new.address);
        self.legs.insert(
            id,
            Leg {
                tenant: new.tenant,
                address: new.address,
                called: new.called,
                direction: new.direction,
                state: LegState::Ringing,
                room: None,
                muted: false,
                phone_muted: false,
                variables: new.variables,
                started_at_us: self.now_us,
                answered_at_us: None,
                exit: None,
                tone: new.tone,
                playing: Vec::new(),
                heard,
                timers: vec![timeout],
            },
        );
    }

    /// A ringing leg is answered; any other stays as it is.
    pub(crate) fn answer_leg(&mut self, id: &LegId) {
        let now_us = self.now_us;
        let Some(leg) = self.legs.get_mut(id).filter(|leg| leg.state == LegState::Ringing) else {
            return;
        };
        leg.state = LegState::Up;
        leg.answered_at_us = Some(now_us);
        let tenant = leg.tenant.clone();
        self.timers.cancel(leg.timers.drain(..));
        self.emit(&tenant, What::LegAnswered { leg_id: id.clone() });
    }

    /// A leg is gone, and with it all that was only there for it.
    pub(crate) fn end_leg(&mut self, id: &LegId, cause: EndCause, side: Side) {
        let Some(mut leg) = self.legs.remove(id) else { return };
        self.timers.cancel(leg.timers.drain(..));
        if let Some(room) = leg.room.as_ref().and_then(|room| self.rooms.get_mut(room)) {
            room.members.remove(id);
        }
        for playing in std::mem::take(&mut leg.playing) {
            self.finish_playback(&playing.playback, PlaybackEnd::TargetGone);
        }
        if let Some(exit) = &leg.exit {
            self.end_exit(exit);
        }
        if let Some(track) = leg.heard.take() {
            self.close_heard(id, track);
        }
        self.emit(&leg.tenant, What::LegEnded { leg_id: id.clone(), cause, side });
    }

    /// The leg, if it is there.
    pub(crate) fn leg(&self, id: &LegId) -> Result<&Leg, SwitchError> {
        self.legs.get(id).ok_or_else(|| id.not_found())
    }

    /// The leg, if it can be put somewhere.
    pub(crate) fn controllable(&self, id: &LegId) -> Result<&Leg, SwitchError> {
        let leg = self.leg(id)?;
        match leg.state {
            LegState::Up => Ok(leg),
            LegState::Ringing => Err(id.wrong_state(IS_RINGING)),
            LegState::Exited => Err(id.wrong_state(IS_IN_AN_EXIT)),
        }
    }

    fn settle(&mut self, id: &LegId, tenant: &str, from: Option<RoomId>, to: Option<RoomId>) {
        if let Some(room) = from.as_ref().and_then(|from| self.rooms.get_mut(from)) {
            room.members.remove(id);
        }
        if let Some(leg) = self.legs.get_mut(id) {
            leg.room.clone_from(&to);
        }
        self.emit(tenant, What::LegMoved { leg_id: id.clone(), room_id: to, from_room_id: from });
    }

    /// Takes a leg out of its room without a word: it goes where no room is.
    pub(crate) fn take_out(&mut self, id: &LegId) {
        let room = self.legs.get_mut(id).and_then(|leg| leg.room.take());
        if let Some(room) = room.and_then(|room| self.rooms.get_mut(&room)) {
            room.members.remove(id);
        }
    }
}
