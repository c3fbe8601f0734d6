//! Deadlines: what happens although nobody does anything (C5, T2). Each is later than whoever should have reported by several seconds:
//! they are for silence (T4).

use super::step::Step;
use crate::{
    input::ExitOutcome,
    interaction::{CustomerLine, Phase, Stage},
    permit::rules,
    policy::Ending,
    project::{HAND_OVER_US, RING_SILENCE_US, offer_deadline},
    words::{Kind, Reason},
};

impl Step<'_> {
    pub(super) fn tick(&mut self) {
        self.tick_offers();
        self.tick_search();
        self.tick_transfer();
        self.tick_stage();
    }

    fn tick_offers(&mut self) {
        // Silence says nothing of the agent (B604): telephony itself tells of a phone that rang out, before this (T4).
        while let Some(at) = self.overdue_offer() {
            self.offer_failed(at, Reason::Unreachable);
        }
    }

    fn overdue_offer(&self) -> Option<usize> {
        self.i.search.as_ref()?.offers.iter().position(|offer| offer_deadline(offer) <= self.now)
    }

    fn tick_search(&mut self) {
        let Some(search) = self.i.search.as_ref().filter(|search| search.until_us <= self.now) else { return };
        let reason =
            search.last_failure.unwrap_or(if search.ringing() { Reason::NoAnswer } else { Reason::NobodyAvailable });
        // Whose phone still rings has let nothing ring out (B604).
        self.drop_search(Reason::Timeout);
        self.search_over(reason);
    }

    fn tick_transfer(&mut self) {
        let Some(transfer) = self.i.open_transfer() else { return };
        let (phase, kind, since) = (transfer.phase, transfer.kind, transfer.phase_since_us);
        if phase == Phase::HandedOver {
            if since + HAND_OVER_US <= self.now {
                self.fail_handed_over();
            }
            return;
        }
        let limits = rules(self.i, phase);
        if kind == Kind::Cold || since + limits.max_ms * 1000 > self.now {
            return;
        }
        match limits.on_timeout {
            Ending::Complete if phase != Phase::Offered => self.hand_over(true),
            _ => self.cancel_transfer(Reason::Timeout),
        }
    }

    /// The recipient has the customer as far as anybody knows, but telephony never showed it.
    fn fail_handed_over(&mut self) {
        let Some(no) = self.transfer_no() else { return };
        let to = self.i.primary;
        self.close(Phase::Failed, Some(Reason::Timeout), to);
        self.emit(crate::event::EventKind::TransferFailed { transfer: no, reason: Reason::Timeout });
    }

    fn tick_stage(&mut self) {
        if let CustomerLine::Ringing(_, until_us) = self.i.customer.line
            && until_us + RING_SILENCE_US <= self.now
        {
            self.customer_gone(Reason::NoAnswer);
        }
        match self.i.stage {
            Stage::Exiting { exit, until_us } if until_us <= self.now => self.exit_over(exit, ExitOutcome::Unknown),
            Stage::Farewell { until_us, .. } if until_us <= self.now => self.end(Reason::CustomerLeft),
            Stage::Seeking | Stage::Served if self.call_limit_us() <= self.now => self.end(Reason::Timeout),
            _ => {}
        }
    }

    fn call_limit_us(&self) -> i64 {
        self.i.opened_at_us + self.i.policy.interaction.max_call_ms * 1000
    }
}
