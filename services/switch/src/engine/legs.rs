//! The live legs: the controller's commands on them, and how a leg ends.

use std::collections::BTreeMap;

use super::Engine;
use super::error::SwitchError;
use super::ids::{ExitId, LegId, RoomId};
use super::ledger::LedgerAction;
use super::model::{EndCause, EndedLeg, ExitReport, LegDirection, PlaybackEnd, Playing, Side, SwitchLegState};
use super::timers::{Due, TimerKey};
use super::tones::Tone;
use super::track::Track;

const IS_RINGING: &str = "is not answered yet";
const IS_IN_AN_EXIT: &str = "is in an exit";

#[derive(Debug)]
pub struct SwitchLeg {
    pub tenant: String,
    /// Of the phone at the other end.
    pub address: String,
    /// Inbound: the number that was called.
    pub called: Option<String>,
    pub direction: LegDirection,
    pub state: SwitchLegState,
    pub room: Option<RoomId>,
    /// By the controller: others don't hear it.
    pub muted: bool,
    /// By the person at the phone: the phone sends silence.
    pub phone_muted: bool,
    /// The controller's own, given back in the snapshot.
    pub variables: BTreeMap<String, String>,
    /// When it was dialled or came in.
    pub started_at_us: i64,
    pub answered_at_us: Option<i64>,
    /// Set while it is in voicemail, or in an IVR flow.
    pub exit: Option<ExitId>,
    pub(crate) tone: Tone,
    pub(crate) playing: Vec<Playing>,
    pub(crate) heard: Option<Track>,
    pub(crate) timers: Vec<TimerKey>,
}

impl SwitchLeg {
    /// The sound of its phone in this frame; none before it is answered.
    pub(crate) fn voice(&self, frame: i64) -> Option<&[i16]> {
        (self.state != SwitchLegState::Ringing && !self.phone_muted).then(|| self.tone.frame(frame))
    }

    /// The part of its voice that others in its room hear in this frame.
    pub(crate) fn speech(&self, frame: i64) -> Option<&[i16]> {
        if self.muted { None } else { self.voice(frame) }
    }
}

pub(crate) struct NewLeg {
    pub(crate) tenant: String,
    pub(crate) address: String,
    pub(crate) called: Option<String>,
    pub(crate) direction: LegDirection,
    pub(crate) tone: Tone,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) ring_us: i64,
}

impl Engine {
    /// Answers an inbound call.
    pub fn answer(&mut self, id: &LegId) -> Result<(), SwitchError> {
        let leg = self.leg(id)?;
        if leg.direction == LegDirection::Outbound {
            return Err(id.wrong_state("was dialled: its phone answers it"));
        }
        self.answer_leg(id);
        Ok(())
    }

    /// Without a cause, it is the ordinary one of the leg's state.
    pub fn hang_up(&mut self, id: &LegId, cause: Option<EndCause>) -> Result<(), SwitchError> {
        let usual = match self.leg(id)?.state {
            SwitchLegState::Ringing => EndCause::Cancelled,
            SwitchLegState::Up | SwitchLegState::Exited => EndCause::Normal,
        };
        self.end_leg(id, cause.unwrap_or(usual), Side::Controller);
        Ok(())
    }

    /// How a leg of this run has ended: for a controller that was away then.
    pub fn leg_end(&self, id: &LegId) -> Result<EndedLeg, SwitchError> {
        self.ended_legs.get(id).copied().ok_or_else(|| id.not_found())
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

    /// Others in its room no longer hear the leg, or hear it again.
    pub fn set_mute(&mut self, id: &LegId, muted: bool) -> Result<(), SwitchError> {
        let leg = self.legs.get_mut(id).ok_or_else(|| id.not_found())?;
        if leg.muted != muted {
            leg.muted = muted;
            let tenant = leg.tenant.clone();
            self.emit(&tenant, LedgerAction::LegMuted { leg_id: id.clone(), muted, side: Side::Controller });
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
            SwitchLeg {
                tenant: new.tenant,
                address: new.address,
                called: new.called,
                direction: new.direction,
                state: SwitchLegState::Ringing,
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
        let Some(leg) = self.legs.get_mut(id).filter(|leg| leg.state == SwitchLegState::Ringing) else {
            return;
        };
        leg.state = SwitchLegState::Up;
        leg.answered_at_us = Some(now_us);
        let tenant = leg.tenant.clone();
        self.timers.cancel(leg.timers.drain(..));
        self.emit(&tenant, LedgerAction::LegAnswered { leg_id: id.clone() });
    }

    /// Removes a leg, with its timers, announcements, exit and heard sound.
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
            self.end_flow(exit, ExitReport::Left);
        }
        self.forget_flows(id);
        if let Some(track) = leg.heard.take() {
            self.close_heard(id, track);
        }
        self.emit(&leg.tenant, LedgerAction::LegEnded { leg_id: id.clone(), cause, side });
    }

    pub(crate) fn leg(&self, id: &LegId) -> Result<&SwitchLeg, SwitchError> {
        self.legs.get(id).ok_or_else(|| id.not_found())
    }

    /// The leg, if it is answered and in the controller's hands.
    pub(crate) fn controllable(&self, id: &LegId) -> Result<&SwitchLeg, SwitchError> {
        let leg = self.leg(id)?;
        match leg.state {
            SwitchLegState::Up => Ok(leg),
            SwitchLegState::Ringing => Err(id.wrong_state(IS_RINGING)),
            SwitchLegState::Exited => Err(id.wrong_state(IS_IN_AN_EXIT)),
        }
    }

    fn settle(&mut self, id: &LegId, tenant: &str, from: Option<RoomId>, to: Option<RoomId>) {
        if let Some(room) = from.as_ref().and_then(|from| self.rooms.get_mut(from)) {
            room.members.remove(id);
        }
        if let Some(leg) = self.legs.get_mut(id) {
            leg.room.clone_from(&to);
        }
        self.emit(tenant, LedgerAction::LegMoved { leg_id: id.clone(), room_id: to, from_room_id: from });
    }

    /// Takes a leg out of its room without an event, on its way into an exit.
    pub(crate) fn take_out(&mut self, id: &LegId) {
        let room = self.legs.get_mut(id).and_then(|leg| leg.room.take());
        if let Some(room) = room.and_then(|room| self.rooms.get_mut(&room)) {
            room.members.remove(id);
        }
    }
}
