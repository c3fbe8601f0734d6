//! One advance in progress: the state, the time, why it happens, whose doing it is, and the events so far.

use super::Reaction;
use crate::{
    actor::Actor,
    cause::Cause,
    event::{Event, EventKind, RecordingStarted},
    interaction::{Activity, Interaction, LegState},
    machine::{Conversation, Recorded, Recorder},
    policy::Policy,
    project::room_of,
};
use baton_words::AgentId;

pub(super) struct Advance<'a> {
    pub(super) i: &'a mut Interaction,
    pub(super) policy: &'a Policy,
    pub(super) now: i64,
    /// Who had the customer last.
    pub(super) last_primary: Option<AgentId>,
    /// Why it happens.
    pub(super) cause: Cause,
    actor: Actor,
    events: Vec<Event>,
    changed: bool,
    /// What the customer did until now.
    activity: Activity,
    #[cfg(debug_assertions)]
    before: Interaction,
}

impl<'a> Advance<'a> {
    pub(super) fn new(i: &'a mut Interaction, policy: &'a Policy, now: i64, (cause, actor): (Cause, Actor)) -> Self {
        #[cfg(debug_assertions)]
        let before = i.clone();
        let last_primary = i.primary();
        let activity = i.activity();
        Self {
            i,
            policy,
            now,
            last_primary,
            cause,
            actor,
            events: Vec::new(),
            changed: false,
            activity,
            #[cfg(debug_assertions)]
            before,
        }
    }

    /// Says what happened. Where something happens, something has changed.
    pub(super) fn emit(&mut self, kind: EventKind) {
        self.i.sequence += 1;
        self.events.push(Event { sequence: self.i.sequence, actor: self.actor.clone(), cause: self.cause, kind });
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

    /// Gives the recorder something to do, and publishes what came of it.
    pub(super) fn record(&mut self, act: impl FnOnce(&mut Recorder) -> Recorded) {
        if self.i.medium.is_written() {
            return;
        }
        let recorded = act(&mut self.i.recorder);
        self.publish(recorded);
    }

    fn publish(&mut self, recorded: Recorded) {
        if !recorded.changed {
            return;
        }
        self.changed = true;
        if let Some((recording, agent, by_hand)) = recorded.started {
            self.emit(EventKind::RecordingStarted(Box::new(RecordingStarted {
                recording,
                agent,
                by_hand,
                number: self.i.number.clone(),
                customer: self.i.customer().address().clone(),
                customer_key: self.i.present_customer_key().clone(),
                direction: self.i.direction,
            })));
        }
        for event in recorded.events {
            self.emit(event);
        }
    }

    /// Counts what the customer did until now.
    pub(super) fn count(&mut self) {
        self.i.tally.count(self.activity, self.now);
    }

    pub(super) fn finish(mut self) -> Reaction {
        if self.changed {
            self.count();
            self.place_who_writes();
            self.complete_if_placed();
            self.settle_recorder();
            self.i.version += 1;
            self.i.updated_at_us = self.now;
            #[cfg(debug_assertions)]
            assert_sound(self.i, self.policy);
        } else {
            #[cfg(debug_assertions)]
            debug_assert_eq!(*self.i, self.before, "S5: an untouched state is an unchanged state");
        }
        Reaction { events: self.events, changed: self.changed }
    }

    /// In a chat there is no switch that must follow: whoever is wanted somewhere is there as soon as it is decided.
    fn place_who_writes(&mut self) {
        if !self.i.medium.is_written() {
            return;
        }
        for at in 0..self.i.parties.len() {
            let seen_in = room_of(self.i, &self.i.parties[at]);
            let leg = &mut self.i.parties[at].leg;
            if leg.is_up() {
                leg.state = LegState::Up { seen_in };
            }
        }
    }

    fn settle_recorder(&mut self) {
        if self.i.medium.is_written() {
            return;
        }
        let customer = &self.i.customer().leg;
        let now = Conversation {
            served: self.i.primary().is_some() && !customer.is_over(),
            connected: customer.is_up(),
            held: self.i.held(),
            away: self.i.away(),
            talking: self.i.talking(),
        };
        let recorded = self.i.recorder.settle(now, &mut self.i.counters, self.now);
        self.publish(recorded);
    }
}

/// What must hold after every change; each with the id of its invariant.
#[cfg(debug_assertions)]
fn assert_sound(i: &Interaction, policy: &Policy) {
    use crate::interaction::Stage;

    let agents = i.agents().chain(i.externals()).count();
    debug_assert!(!i.ended() || (agents == 0 && i.search().is_none() && i.transfer.is_none()), "T5: {i:?}");
    debug_assert!(i.recorder.current.is_none() || i.talking(), "R1: {i:?}");
    debug_assert!(i.service().is_none() || i.primary_party().is_some(), "C4: {i:?}");
    debug_assert!(
        !matches!(i.stage, Stage::Seeking(_)) || i.search().is_some(),
        "C1: nobody has the customer and nobody is looked for: {i:?}"
    );
    debug_assert!(
        !matches!(i.stage, Stage::Seeking(_) | Stage::Exiting(_)) || agents == 0,
        "C2: nobody has the customer although somebody is there: {i:?}"
    );
    debug_assert!(i.transfer.is_none() || !i.customer().leg.is_over(), "C3: a transfer without a customer: {i:?}");
    let away = matches!(&i.transfer, Some(transfer) if transfer.state == crate::machine::TransferState::Away);
    debug_assert!(!i.away() || away && !i.held(), "C1: away without a transfer, or on hold, too: {i:?}");
    debug_assert!(!away || i.exit().is_some(), "C1: a transfer into a flow in which the customer is not: {i:?}");
    debug_assert!(!i.medium.is_written() || !i.held() && i.recorder.current.is_none(), "B309: {i:?}");
    debug_assert!(
        !i.medium.is_written()
            || i.parties.iter().filter(|it| it.leg.is_up()).all(|it| it.leg.seen_in() == room_of(i, it)),
        "C1: somebody who writes is elsewhere than decided: {i:?}"
    );
    debug_assert!(crate::project::deadline(i, policy).is_some() || i.ended(), "C5: {i:?}");
}
