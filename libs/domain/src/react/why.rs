//! Why: the cause of each event. The input sets it ([`by_command`], [`by_fact`], [`by_time`]); where a rule decided, the place that follows the rule
//! says so, for what it does ([`Advance::by`]); and where time was up, which time it was, for all that comes of it ([`Advance::limited`]). What is
//! merely a consequence keeps the cause of its input.

use super::advance::Advance;
use crate::{
    action::Action,
    actor::Actor,
    cause::{Cause, FactSort, HouseField, MethodField, QueueRule, RuleField, StepField, Trigger},
    input::Fact,
    interaction::{Interaction, LegState, Seeker, Stage},
    machine::{Failed, OfferState},
};
use baton_words::{AgentId, LegNo, Reason, TransferKind};

pub(super) fn by_the_call(actor: &Actor) -> Cause {
    Cause { trigger: Trigger::Call, agent: actor.agent(), limit: None, rule: None }
}

pub(super) fn by_command(actor: &Actor, action: Action) -> Cause {
    Cause { trigger: Trigger::Command(action), agent: actor.agent(), limit: None, rule: None }
}

pub(super) fn by_fact(i: &Interaction, fact: &Fact) -> Cause {
    let (agent, reason) = match fact {
        Fact::LegUp(leg, _) => (whose_leg(i, *leg), None),
        Fact::LegEnded(leg, reason) => (whose_leg(i, *leg), Some(*reason)),
        Fact::ClaimGranted(claim) | Fact::ClaimQueued(claim) => (whose_claim(i, *claim), None),
        Fact::ClaimRefused(claim, reason) => (whose_claim(i, *claim), Some(*reason)),
        _ => (None, None),
    };
    let connected =
        matches!(fact, Fact::LegUp(leg, _) if i.parties.iter().any(|it| it.leg.no == *leg && it.leg.is_up()));
    Cause { trigger: Trigger::Fact(FactSort::of(fact, connected), reason), agent, limit: None, rule: None }
}

/// Which time it was that is up, whoever looks at it says ([`Advance::limited`]).
pub(super) fn by_time() -> Cause {
    Cause { trigger: Trigger::Deadline, agent: None, limit: None, rule: None }
}

fn whose_leg(i: &Interaction, leg: LegNo) -> Option<AgentId> {
    let present = i.parties.iter().find(|party| party.leg.no == leg);
    if let Some(party) = present {
        return party.agent_id();
    }
    let rung = i.search()?.offers.iter();
    rung.filter(|offer| matches!(offer.state, OfferState::Ringing { leg: own, .. } if own == leg))
        .map(|offer| offer.agent.id)
        .next()
}

fn whose_claim(i: &Interaction, claim: baton_words::ClaimNo) -> Option<AgentId> {
    i.search()?.offers.iter().find(|offer| offer.claim == claim).map(|offer| offer.agent.id)
}

/// For whom the search that is under way looks, and so whose rules it follows.
enum SoughtBy {
    /// The step of the call flow, by its number.
    Step(u32),
    Caller,
    Transfer(TransferKind),
}

impl Advance<'_> {
    /// Does what this rule has decided, if it is one.
    pub(super) fn by(&mut self, rule: impl Into<Option<RuleField>>, act: impl FnOnce(&mut Self)) {
        let before = self.cause.rule;
        self.cause.rule = rule.into().or(before);
        act(self);
        self.cause.rule = before;
    }

    /// What follows is so because a time is up: the one that this rule sets.
    pub(super) fn limited(&mut self, limit: Option<RuleField>) {
        self.cause.limit = limit;
    }

    /// Why an offer failed: sets the time that was up, and gives the rule by which the agent could not be had.
    pub(super) fn of_failure(&mut self, failed: &Failed) -> Option<RuleField> {
        let limit = match (self.cause.trigger, failed.reason, failed.rang_us) {
            (Trigger::Deadline, Reason::Busy, _) => self.of_search(WAIT),
            // Withdrawn from whom it rang: the time of the queue is up.
            (Trigger::Deadline, Reason::Timeout, _) => self.cause.limit,
            (Trigger::Deadline, Reason::NoAnswer, _) => self.of_search(RING),
            (Trigger::Deadline, _, None) => Some(RuleField::House(HouseField::ClaimAnswer)),
            (Trigger::Deadline, _, Some(_)) => Some(RuleField::House(HouseField::RingSilence)),
            (_, Reason::NoAnswer, _) => self.of_ring(),
            _ => None,
        };
        self.limited(limit);
        match (failed.reason, self.cause.trigger) {
            (Reason::Offline | Reason::NotAvailable, _) => self.of_search(CHOOSABLE),
            (Reason::Busy, Trigger::Fact(FactSort::ClaimRefused, _)) => self.of_busy(),
            _ => None,
        }
    }

    /// Why nobody answered outside: sets the time that was up.
    pub(super) fn of_outside_failure(&mut self, reason: Reason) {
        let limit = match (self.cause.trigger, reason) {
            (Trigger::Deadline, _) => Some(RuleField::House(HouseField::RingSilence)),
            (_, Reason::NoAnswer) => self.of_search(RING),
            _ => None,
        };
        self.limited(limit);
    }

    /// The rule that says what becomes of an agent, chosen by name for a transfer, who is in another call (B504).
    pub(super) fn of_busy(&self) -> Option<RuleField> {
        let by_name = self.i.search().is_some_and(|search| search.target.pool().is_none());
        self.of_search(WHEN_BUSY).filter(|_| by_name)
    }

    /// Why nobody was found: sets the time that was up, and gives the rule by which the search did not go on.
    pub(super) fn of_nobody(&mut self) -> Option<RuleField> {
        match self.cause.trigger {
            // An agent alone has a deadline by their offer, which has failed.
            Trigger::Deadline if self.i.search().is_some_and(|search| search.target.pool().is_some()) => {
                let limit = self.of_wait();
                self.limited(limit);
                None
            }
            Trigger::Fact(FactSort::Exhausted, _) => match self.i.search().and_then(|search| search.target.queue()) {
                Some(queue) => Some(RuleField::Queue(QueueRule::WhenDeclined(queue.when_declined))),
                None => self.of_search(WHEN_NOBODY),
            },
            Trigger::Fact(FactSort::Unattended, _) => {
                let queue = self.i.search().and_then(|search| search.target.queue());
                queue.map(|queue| RuleField::Queue(QueueRule::WhenUnattended(queue.when_unattended)))
            }
            _ => None,
        }
    }

    /// What says how long a phone may ring.
    fn of_ring(&self) -> Option<RuleField> {
        let queue = self.i.search().and_then(|search| search.ring_of_queue());
        queue.map(|queue| RuleField::Queue(QueueRule::Ring(queue.ring_ms))).or_else(|| self.of_search(RING))
    }

    /// What says how long a team or a queue is waited for.
    fn of_wait(&self) -> Option<RuleField> {
        let queue = self.i.search().and_then(|search| search.wait_of_queue());
        queue.map(|queue| RuleField::Queue(QueueRule::MaxWait(queue.wait_ms))).or_else(|| self.of_search(WAIT))
    }

    /// The rule of the search that is under way.
    fn of_search(&self, find: fn(SoughtBy) -> Option<RuleField>) -> Option<RuleField> {
        find(match (&self.i.stage, &self.i.transfer) {
            (Stage::Seeking(Seeker::Flow(_)), _) => SoughtBy::Step(self.i.flow.next as u32),
            (Stage::Seeking(Seeker::Caller(_)), _) => SoughtBy::Caller,
            (_, Some(transfer)) => SoughtBy::Transfer(transfer.kind),
            _ => return None,
        })
    }

    /// The customer whom an agent calls: for how long their phone may ring, if it was that.
    pub(super) fn of_customers_phone(&mut self, reason: Reason) {
        let rings = matches!(self.i.customer().leg.state, LegState::Ringing { .. });
        if rings && reason == Reason::NoAnswer {
            self.limited(Some(RuleField::House(HouseField::DialRing)));
        }
    }
}

type FindField = fn(SoughtBy) -> Option<RuleField>;

const RING: FindField = |sought| {
    Some(match sought {
        SoughtBy::Step(no) => RuleField::Step(no, StepField::Ring),
        SoughtBy::Caller => RuleField::House(HouseField::DialRing),
        SoughtBy::Transfer(kind) => RuleField::Method(kind, MethodField::Ring),
    })
};
const WAIT: FindField = |sought| match sought {
    SoughtBy::Step(no) => Some(RuleField::Step(no, StepField::Wait)),
    SoughtBy::Caller => None,
    SoughtBy::Transfer(kind) => Some(RuleField::Method(kind, MethodField::Wait)),
};
const WHEN_NOBODY: FindField = |sought| match sought {
    SoughtBy::Step(_) => Some(RuleField::House(HouseField::WhenNobody)),
    SoughtBy::Caller => None,
    SoughtBy::Transfer(kind) => Some(RuleField::Method(kind, MethodField::WhenNobody)),
};
const WHEN_BUSY: FindField = |sought| match sought {
    SoughtBy::Step(_) | SoughtBy::Caller => None,
    SoughtBy::Transfer(kind) => Some(RuleField::Method(kind, MethodField::WhenBusy)),
};
/// A call flow asks whoever is available.
const CHOOSABLE: FindField = |sought| match sought {
    SoughtBy::Step(_) => None,
    SoughtBy::Caller => Some(RuleField::House(HouseField::DialStates)),
    SoughtBy::Transfer(kind) => Some(RuleField::Method(kind, MethodField::Choosable)),
};
