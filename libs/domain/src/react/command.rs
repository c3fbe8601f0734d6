//! Commands: what an actor wants. [`check`] refuses; what comes after it can't fail.

use super::step::Step;
use crate::{
    event::EventKind,
    ids::{RecordingNo, TransferNo},
    input::{Command, RecordingCommand, StartTransfer},
    interaction::{Counters, Interaction, Note, Phase, Transfer},
    permit::{Refusal, permit, permit_data, permit_target},
    words::{Actor, Kind, Reason},
};
use std::sync::Arc;

/// Whether the command is accepted.
pub(super) fn check(interaction: &Interaction, actor: &Actor, command: &Command) -> Result<(), Refusal> {
    permit(interaction, actor, command.action())?;
    match command {
        Command::Start(start) => permit_target(interaction, start),
        Command::SetData { set, remove } => permit_data(interaction, set, remove),
        _ => Ok(()),
    }
}

impl Step<'_> {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Start(start) => self.start(start),
            Command::Decline => self.decline(),
            Command::Cancel => self.cancel_transfer(Reason::Requested),
            Command::Complete => self.hand_over(true),
            Command::Hold => self.hold_customer(),
            Command::Resume => self.resume_customer(),
            Command::SetMute(muted) => self.set_mute(muted),
            Command::Leave => self.leave(),
            Command::End => self.end(Reason::Requested),
            Command::Note(text) => self.note(text),
            Command::SetData { set, remove } => self.set_data(set, remove),
            Command::Recording(command) => self.steer_recording(command),
        }
    }

    fn start(&mut self, start: StartTransfer) {
        let Actor::Agent(agent) = *self.actor() else { return };
        let Some(initiator) = self.i.agent(agent).map(|engaged| engaged.who.clone()) else { return };
        let no = TransferNo(Counters::take(&mut self.i.counters.transfer));
        let (kind, target) = (start.kind, start.target);
        self.i.transfer = Some(Transfer {
            no,
            kind,
            target: target.clone(),
            initiator,
            message: start.message,
            phase: Phase::Offered,
            reason: None,
            recipient: None,
            resumed: false,
            started_at_us: self.now,
            phase_since_us: self.now,
            ended_at_us: 0,
        });
        self.emit(EventKind::TransferStarted { transfer: no, kind });
        let rules = self.i.policy.offer(kind);
        let (ring_ms, wait_ms, choosable) = (rules.ring_ms, rules.wait_ms, rules.choosable.iter().copied().collect());
        let by_team = matches!(target, crate::words::Target::Team { .. });
        self.search(target, ring_ms, wait_ms, choosable);
        if by_team {
            self.begin_offering(kind);
        }
    }

    /// From here on the world follows the transfer: cold releases the initiator, warm puts the customer on hold.
    pub(super) fn begin_offering(&mut self, kind: Kind) {
        match kind {
            Kind::Cold => self.release_initiator(),
            Kind::Warm if !self.transfer().is_some_and(|transfer| transfer.resumed) && self.initiator_present() => {
                self.hold(true);
            }
            Kind::Warm => {}
        }
    }

    fn decline(&mut self) {
        let Actor::Agent(agent) = *self.actor() else { return };
        let Some(search) = &self.i.search else { return };
        if let Some(at) = search.offers.iter().position(|offer| offer.who.id == agent) {
            self.offer_failed(at, Reason::Declined);
        }
    }

    fn hold_customer(&mut self) {
        self.hold(true);
        if let Some(transfer) = self.transfer() {
            transfer.resumed = false;
        }
        if self.phase() == Some(Phase::Joined) {
            self.enter(Phase::Consulting);
        }
    }

    /// Takes the customer off hold: in a consult that joins all; the tenure is then that agent's (B206).
    fn resume_customer(&mut self) {
        self.hold(false);
        let by = if let Actor::Agent(agent) = *self.actor() { Some(agent) } else { self.i.primary };
        if let Some(transfer) = self.transfer() {
            transfer.resumed = true;
        }
        if self.phase() == Some(Phase::Consulting) {
            self.join();
        }
        if let Some(agent) = by.filter(|agent| self.i.agent(*agent).is_some()) {
            self.take_tenure(agent);
        }
    }

    fn set_mute(&mut self, muted: bool) {
        let Actor::Agent(agent) = *self.actor() else { return };
        let Some(engaged) = self.i.agents.iter_mut().find(|engaged| engaged.who.id == agent) else { return };
        engaged.muted = muted;
        self.emit(EventKind::MuteChanged { agent, muted });
        let with_recipient = matches!(self.phase(), Some(Phase::Consulting | Phase::Joined));
        let initiator = self.i.open_transfer().is_some_and(|transfer| transfer.initiator.id == agent);
        if muted && with_recipient && initiator && self.i.policy.warm.mute_hands_over {
            self.hand_over(false);
        }
    }

    fn leave(&mut self) {
        if let Actor::Agent(agent) = *self.actor() {
            self.agent_gone(agent, Reason::HungUp);
        }
    }

    fn note(&mut self, text: Arc<str>) {
        let (author, supervisor) = match self.actor() {
            Actor::Agent(agent) => (Some(*agent), None),
            Actor::Supervisor(subject) => (None, Some(subject.clone())),
            Actor::Customer | Actor::System => (None, None),
        };
        self.i.notes.push(Note { author, supervisor, text, at_us: self.now });
        self.emit(EventKind::NoteAdded);
    }

    fn set_data(&mut self, set: Vec<(Arc<str>, Arc<str>)>, remove: Vec<Arc<str>>) {
        let removed: Arc<[_]> = remove.into_iter().filter(|key| self.i.data.remove(key).is_some()).collect();
        let changed: Arc<[_]> = set.iter().map(|(key, _)| key.clone()).collect();
        self.i.data.extend(set);
        if !removed.is_empty() || !changed.is_empty() {
            self.emit(EventKind::DataChanged { set: changed, removed });
        }
    }

    fn steer_recording(&mut self, command: RecordingCommand) {
        let recording = self.i.recording.tenure.and_then(|tenure| tenure.recording);
        match command {
            RecordingCommand::Start => {
                self.i.recording.by_hand = true;
                // Who starts it wants it written: a pause from before it was stopped is over.
                self.unpause(recording);
            }
            RecordingCommand::Stop => self.i.recording.by_hand = false,
            RecordingCommand::Pause => {
                self.i.recording.paused = true;
                self.emit(EventKind::RecordingPaused { recording });
            }
            RecordingCommand::Resume => self.unpause(recording),
        }
        self.i.recording.failures = 0;
        self.touch();
    }

    fn unpause(&mut self, recording: Option<RecordingNo>) {
        if std::mem::take(&mut self.i.recording.paused) {
            self.emit(EventKind::RecordingResumed { recording });
        }
    }
}
