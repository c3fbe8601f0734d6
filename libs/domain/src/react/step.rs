//! One advance in progress: the state, the time, whose doing it is, and the events so far. The methods here are the vocabulary in which
//! the other files of this module are written.

use super::Reaction;
use crate::{
    event::{Event, EventKind, Events},
    ids::{AgentId, ClaimNo, TransferNo},
    interaction::{Counters, Engaged, Interaction, Phase, ReleasedClaim, Stage, Transfer},
    words::{Actor, Reason},
};

/// One advance in progress.
pub(super) struct Step<'a> {
    pub(super) i: &'a mut Interaction,
    pub(super) now: i64,
    actor: Actor,
    events: Events,
    changed: bool,
}

impl<'a> Step<'a> {
    pub(super) fn new(i: &'a mut Interaction, now: i64, actor: Actor) -> Self {
        Self { i, now, actor, events: Events::new(), changed: false }
    }

    /// Says what happened. Where something happens, something has changed.
    pub(super) fn emit(&mut self, kind: EventKind) {
        self.i.sequence += 1;
        self.events.push(Event { sequence: self.i.sequence, actor: self.actor.clone(), kind });
        self.changed = true;
    }

    /// Says that the state has changed, where no event tells of it.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// From here on it is somebody else's doing.
    pub(super) fn act_as(&mut self, actor: Actor) {
        self.actor = actor;
    }

    pub(super) fn finish(mut self) -> Reaction {
        if self.changed {
            self.complete_if_placed();
            self.settle_recording();
            self.i.version += 1;
            self.i.updated_at_us = self.now;
            #[cfg(debug_assertions)]
            assert_sound(self.i);
        }
        Reaction { events: self.events, changed: self.changed }
    }

    /// Puts the customer on hold, or takes them off.
    pub(super) fn hold(&mut self, held: bool) {
        if self.i.customer.held != held {
            self.i.customer.held = held;
            self.emit(if held { EventKind::CustomerHeld } else { EventKind::CustomerResumed });
        }
    }

    /// Gives the customer to an agent.
    pub(super) fn make_primary(&mut self, agent: AgentId) {
        self.i.stage = Stage::Served;
        if self.i.primary != Some(agent) {
            let from = self.i.primary.replace(agent);
            self.emit(EventKind::PrimaryChanged { from, to: agent });
        }
    }

    /// Takes an agent out: their leg and claim leave the projections.
    pub(super) fn remove_agent(&mut self, agent: AgentId, reason: Reason) -> Option<Engaged> {
        let at = self.i.agents.iter().position(|engaged| engaged.who.id == agent)?;
        let engaged = self.i.agents.remove(at);
        let wrap_up_ms = self.i.policy.interaction.wrap_up_ms;
        self.release(ReleasedClaim { claim: engaged.claim, agent, reason, wrap_up_ms });
        self.emit(EventKind::AgentLeft { agent, reason });
        self.end_suspended_of(agent);
        Some(engaged)
    }

    /// Remembers why a claim is over, for a while.
    pub(super) fn release(&mut self, released: ReleasedClaim) {
        if self.i.released.len() == crate::interaction::RELEASED_KEPT {
            self.i.released.remove(0);
        }
        self.i.released.push(released);
        self.touch();
    }

    pub(super) fn next_claim(&mut self) -> ClaimNo {
        ClaimNo(Counters::take(&mut self.i.counters.claim))
    }

    /// The open transfer, to change it.
    pub(super) fn transfer(&mut self) -> Option<&mut Transfer> {
        self.i.transfer.as_mut().filter(|transfer| transfer.phase.is_open())
    }

    /// The open transfer's phase.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.i.open_transfer().map(|transfer| transfer.phase)
    }

    /// The open transfer's number.
    pub(super) fn transfer_no(&self) -> Option<TransferNo> {
        self.i.open_transfer().map(|transfer| transfer.no)
    }

    /// The initiator of the open transfer is still connected.
    pub(super) fn initiator_present(&self) -> bool {
        self.i.open_transfer().is_some_and(|transfer| self.i.agent(transfer.initiator.id).is_some())
    }
}

/// What must hold after every change; each with the id of its invariant.
#[cfg(debug_assertions)]
fn assert_sound(i: &Interaction) {
    let open = i.open_transfer();
    debug_assert!(!i.ended() || (i.agents.is_empty() && i.search.is_none() && open.is_none()), "T5: {i:?}");
    debug_assert!(i.recording.current.is_none() || i.talking(), "R1: {i:?}");
    debug_assert!(i.stage != Stage::Served || i.primary.is_some_and(|agent| i.agent(agent).is_some()), "C4: {i:?}");
    debug_assert!(
        i.stage != Stage::Seeking || i.search.is_some() || i.customer.gone,
        "C1: nobody has the customer and nobody is looked for: {i:?}"
    );
    debug_assert!(
        !matches!(i.stage, Stage::Seeking | Stage::Exiting { .. }) || i.agents.is_empty(),
        "C2: nobody has the customer although somebody is there: {i:?}"
    );
    debug_assert!(open.is_none() || !i.customer.gone, "C3: a transfer without a customer: {i:?}");
    debug_assert!(crate::project::deadline(i).is_some() || i.settled() || i.ended(), "C5: {i:?}");
}
