//! Deadlines: what happens although nobody does anything (C5, T2). Each is later than whoever should have reported by several seconds: they
//! are for silence (T4).

use super::advance::Advance;
use crate::{
    cause::{AwayField, HouseField, RuleField},
    event::EventKind,
    interaction::{ExitTo, LegState, Stage},
    machine::{SearchInput, TransferInput},
    project::{call_limit_us, customer_ring_deadline_us, hold_deadlines_us},
};
use baton_words::{ExitOutcome, Reason};

/// Which time it is for which an exit is waited for.
fn exit_limit(to: &ExitTo) -> RuleField {
    match to {
        ExitTo::Mailbox(_) => RuleField::House(HouseField::Voicemail),
        ExitTo::Flow(visit) => RuleField::Away(visit.kind, AwayField::Max),
    }
}

impl Advance<'_> {
    pub(super) fn tick(&mut self) {
        self.search(SearchInput::Tick);
        self.tick_transfer();
        self.tick_customer();
        self.tick_hold();
        self.tick_stage();
    }

    fn tick_transfer(&mut self) {
        let Some(transfer) = &self.i.transfer else { return };
        let method = self.policy.method(transfer.kind);
        let due = method.filter(|method| transfer.deadline_us(method, &self.policy.interaction) <= self.now);
        if let Some(limit) = due.map(|method| transfer.limited_by(method)) {
            self.limited(Some(limit));
            self.transfer(TransferInput::PhaseOver);
        }
    }

    fn tick_customer(&mut self) {
        if customer_ring_deadline_us(self.i, self.policy).is_some_and(|at_us| at_us <= self.now) {
            self.limited_by(HouseField::RingSilence);
            self.customer_gone(Reason::NoAnswer);
        }
    }

    /// F11: nobody is on hold for ever, and somebody is reminded.
    fn tick_hold(&mut self) {
        let Some((reminder_us, limit_us)) = hold_deadlines_us(self.i, self.policy) else { return };
        if limit_us.is_some_and(|at_us| at_us <= self.now) {
            self.limited_by(HouseField::HoldMax);
            self.hold(false);
            self.primary_takes_tenure();
        } else if reminder_us.is_some_and(|at_us| at_us <= self.now)
            && let Stage::Served(service) = &mut self.i.stage
            && let Some(hold) = &mut service.hold
        {
            hold.reminded_at_us = self.now;
            let held_us = self.now - hold.since_us;
            self.limited_by(HouseField::HoldReminder);
            self.emit(EventKind::HoldReminder { held_us });
        }
    }

    fn tick_stage(&mut self) {
        match &self.i.stage {
            Stage::Exiting(exit) if exit.until_us <= self.now => {
                let (no, limit) = (exit.no, exit_limit(&exit.to));
                self.limited(Some(limit));
                self.exit_over(no, ExitOutcome::Unknown);
            }
            Stage::Farewell { until_us, .. } if *until_us <= self.now => {
                self.limited_by(HouseField::Farewell);
                self.end(Reason::CustomerLeft);
            }
            Stage::Seeking(_) | Stage::Served(_) if call_limit_us(self.i, self.policy) <= self.now => {
                self.limited_by(HouseField::MaxCall);
                self.end(Reason::Timeout);
            }
            _ => {}
        }
    }

    fn limited_by(&mut self, field: HouseField) {
        self.limited(Some(RuleField::House(field)));
    }

    /// The agent who calls is on the line: now the customer's phone is to ring.
    pub(super) fn dial_customer(&mut self) {
        let (since_us, ring_us) = (self.now, self.policy.interaction.dial_ring_ms * 1000);
        let leg = &mut self.i.customer_mut().leg;
        if leg.state == LegState::Planned {
            leg.state = LegState::Ringing { since_us, until_us: since_us + ring_us };
            self.touch();
        }
    }
}
