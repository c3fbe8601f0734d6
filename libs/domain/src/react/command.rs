//! Commands: what an actor wants. [`approve`] refuses, or says with whom and by which rules; what comes after it can't fail.

use super::advance::Advance;
use crate::{
    actor::{Actor, AgentRef, Target},
    event::{EventKind, TransferStarted},
    input::{Command, Disposition, Message, RecordingCommand, StartTransfer},
    interaction::{Counters, Interaction, MAX_NOTES, Note, Party},
    machine::{SearchInput, Transfer, TransferInput, TransferState},
    permit::{Refusal, permit, permit_data, permit_disposition, permit_message, permit_target, permit_transfer},
    policy::{Method, Policy},
};
use baton_words::{AgentId, MessageNo, Reason, TransferNo, Visibility};
use std::sync::Arc;

/// A command that is accepted, with whom it is about.
pub(super) enum Approved<'p> {
    Start { start: StartTransfer, initiator: AgentRef, method: &'p Method },
    Decline(AgentId),
    Cancel,
    Complete,
    Swap,
    Hold,
    Resume,
    SetMute { agent: AgentId, muted: bool },
    Leave(AgentId),
    End,
    Note(Arc<str>),
    Disposition(AgentId, Disposition),
    SetData { set: Vec<(Arc<str>, Arc<str>)>, remove: Vec<Arc<str>> },
    Recording(RecordingCommand),
    Accept(AgentId),
    SendMessage(Message),
    CustomerLeaves,
}

/// Whether the command is accepted.
pub(super) fn approve<'p>(
    i: &Interaction,
    policy: &'p Policy,
    actor: &Actor,
    command: Command,
) -> Result<Approved<'p>, Refusal> {
    permit(i, policy, actor, command.action())?;
    let agent = || actor.agent().ok_or(Refusal::NotAParty);
    Ok(match command {
        Command::Start(start) => {
            let method = permit_target(i, policy, &start)?;
            let initiator = i.agent(agent()?).and_then(Party::agent).ok_or(Refusal::NotAParty)?.clone();
            Approved::Start { start, initiator, method }
        }
        Command::Decline(transfer) => {
            permit_transfer(i, transfer)?;
            Approved::Decline(agent()?)
        }
        Command::Cancel(transfer) => {
            permit_transfer(i, Some(transfer))?;
            Approved::Cancel
        }
        Command::Complete(transfer) => {
            permit_transfer(i, Some(transfer))?;
            Approved::Complete
        }
        Command::Swap(transfer) => {
            permit_transfer(i, Some(transfer))?;
            Approved::Swap
        }
        Command::Hold => Approved::Hold,
        Command::Resume => Approved::Resume,
        Command::SetMute(muted) => Approved::SetMute { agent: agent()?, muted },
        Command::Leave if *actor == Actor::Customer => Approved::CustomerLeaves,
        Command::Leave => Approved::Leave(agent()?),
        Command::End => Approved::End,
        Command::Note(text) => Approved::Note(text),
        Command::Disposition(disposition) => {
            permit_disposition(policy, &disposition)?;
            Approved::Disposition(agent()?, disposition)
        }
        Command::SetData { set, remove } => {
            permit_data(i, &set, &remove)?;
            Approved::SetData { set, remove }
        }
        Command::Recording(command) => Approved::Recording(command),
        Command::Accept(transfer) => {
            permit_transfer(i, transfer)?;
            Approved::Accept(agent()?)
        }
        Command::SendMessage(message) => {
            permit_message(i, actor, message.visibility)?;
            Approved::SendMessage(message)
        }
    })
}

impl Advance<'_> {
    pub(super) fn carry_out(&mut self, approved: Approved<'_>) {
        match approved {
            Approved::Start { start, initiator, method } => self.start(start, initiator, method),
            Approved::Decline(agent) => self.search(SearchInput::Declined(agent)),
            Approved::Cancel => self.transfer(TransferInput::Cancel(Reason::Requested)),
            Approved::Complete => self.transfer(TransferInput::Complete),
            Approved::Swap => self.swap(),
            Approved::Hold => self.hold_customer(),
            Approved::Resume => self.resume_customer(),
            Approved::SetMute { agent, muted } => self.set_mute(agent, muted),
            Approved::Leave(agent) => self.agent_gone(agent, Reason::HungUp),
            Approved::End => self.end(Reason::Requested),
            Approved::Note(text) => self.note(text),
            Approved::Disposition(agent, disposition) => self.disposition(agent, disposition),
            Approved::SetData { set, remove } => self.set_data(set, remove),
            Approved::Recording(command) => self.record(|recorder| recorder.command(command)),
            Approved::Accept(agent) => self.search(SearchInput::Accepted(agent)),
            Approved::SendMessage(message) => self.send(message),
            Approved::CustomerLeaves => self.customer_gone(Reason::HungUp),
        }
    }

    fn start(&mut self, start: StartTransfer, initiator: AgentRef, method: &Method) {
        let no = TransferNo(Counters::take(&mut self.i.counters.transfer));
        let StartTransfer { kind, target, message, outcome } = start;
        let (target, flow) = match target {
            Target::IvrFlow(flow) => (Target::IvrFlow(flow.named()), Some(flow)),
            target => (target, None),
        };
        self.emit(EventKind::TransferStarted(Box::new(TransferStarted {
            transfer: no,
            kind,
            initiator: initiator.id,
            target: target.clone(),
            outcome: outcome.clone(),
        })));
        let state = if flow.is_some() {
            TransferState::Away
        } else {
            let rules = method.search_rules(&self.policy.interaction);
            TransferState::Seeking(Box::new(self.begin_search(target.clone(), rules, Some(initiator.id))))
        };
        self.i.transfer = Some(Transfer {
            no,
            kind,
            target,
            initiator,
            message,
            outcome,
            state,
            resumed: false,
            started_at_us: self.now,
            since_us: self.now,
        });
        if let Some(flow) = flow {
            self.send_away(flow, method);
        }
        self.outside_dialled();
    }

    fn hold_customer(&mut self) {
        self.hold(true);
        if let Some(transfer) = &mut self.i.transfer {
            transfer.resumed = false;
        }
        self.transfer(TransferInput::CustomerHeld);
    }

    /// Takes the customer off hold: in a consult that joins all; the tenure is then that of whoever did it (B206).
    fn resume_customer(&mut self) {
        self.hold(false);
        if let Some(transfer) = &mut self.i.transfer {
            transfer.resumed = true;
        }
        self.transfer(TransferInput::CustomerResumed);
        let by = self.actor().agent().or(self.i.primary());
        if let Some(agent) = by.filter(|agent| self.i.agent(*agent).is_some()) {
            self.take_tenure(agent);
        }
    }

    /// The initiator goes to the customer, and the conversation is theirs again; or back to the recipient (B602).
    fn swap(&mut self) {
        let Some(transfer) = &mut self.i.transfer else { return };
        let to_the_customer = matches!(transfer.state, TransferState::Consulting { .. });
        transfer.resumed = to_the_customer;
        let initiator = transfer.initiator.id;
        self.transfer(TransferInput::Swap);
        if to_the_customer {
            self.take_tenure(initiator);
        }
    }

    fn set_mute(&mut self, agent: AgentId, muted: bool) {
        for party in self.i.parties.iter_mut().filter(|party| party.agent_id() == Some(agent)) {
            party.muted = muted;
        }
        self.emit(EventKind::MuteChanged { agent, muted });
        let initiator = self.i.transfer.as_ref().is_some_and(|transfer| transfer.initiator.id == agent);
        if muted && initiator {
            self.transfer(TransferInput::InitiatorMuted);
        }
    }

    fn note(&mut self, text: Arc<str>) {
        self.i.notes.push(Note { author: self.actor().clone(), text, at_us: self.now });
        self.emit(EventKind::NoteAdded { note: self.i.notes.len() as u32 });
    }

    /// What was written to the recipient is among the notes of a chat from their answer on (B306): with the whole history they are what the
    /// recipient has to go by.
    pub(super) fn note_what_was_written_to_the_recipient(&mut self, recipient: AgentId) {
        let Some(transfer) = self.i.transfer.as_ref().filter(|_| self.i.medium.is_written()) else { return };
        let (author, text) = (Actor::Agent(transfer.initiator.id), transfer.message.clone());
        if text.trim().is_empty() || self.i.notes.len() >= MAX_NOTES {
            return;
        }
        self.act_as(author);
        self.note(text);
        self.act_as(Actor::Agent(recipient));
    }

    fn send(&mut self, message: Message) {
        let (Message { visibility, text }, counters) = (message, &mut self.i.counters);
        let no = MessageNo(Counters::take(&mut counters.message));
        let shown = (visibility == Visibility::Everyone).then(|| Counters::take(&mut counters.shown_message));
        counters.message_bytes = counters.message_bytes.saturating_add(text.len() as u32);
        self.emit(EventKind::MessageSent { message: no, shown, text });
    }

    fn set_data(&mut self, set: Vec<(Arc<str>, Arc<str>)>, remove: Vec<Arc<str>>) {
        let removed: Arc<[_]> = remove.into_iter().filter(|key| self.i.data.remove(key).is_some()).collect();
        let changed: Arc<[_]> = set.iter().map(|(key, _)| key.clone()).collect();
        self.i.data.extend(set);
        if !removed.is_empty() || !changed.is_empty() {
            self.emit(EventKind::DataChanged { set: changed, removed });
        }
    }
}
