//! The customer who leaves.

use super::step::Step;
use crate::{
    event::EventKind,
    ids::AnnouncementNo,
    interaction::{Counters, CustomerLine, Phase, Stage},
    policy::CustomerGone,
    project::CUSTOMER_DISCONNECTED,
    words::{Actor, Reason},
};

/// How long to wait for the end of an announcement (C3: 15 s at most after the customer left).
const FAREWELL_US: i64 = 10 * 1_000_000;

impl Step<'_> {
    /// The agent who calls is on the line: now the customer's phone is to ring.
    pub(super) fn dial_customer(&mut self) {
        if let CustomerLine::ToDial(outside) = &self.i.customer.line {
            let until_us = self.now + self.i.policy.interaction.dial_ring_ms * 1000;
            self.i.customer.line = CustomerLine::Ringing(outside.clone(), until_us);
            self.touch();
        }
    }

    /// The customer whom we called is on the line.
    pub(super) fn customer_answered(&mut self) {
        if let CustomerLine::Ringing(outside, _) = &self.i.customer.line {
            self.i.customer.line = CustomerLine::Answered(outside.clone());
            self.act_as(Actor::Customer);
            self.emit(EventKind::CustomerAnswered);
            if let Some(agent) = self.i.primary {
                self.first_hop(agent, self.i.opened_at_us);
            }
        }
    }

    /// The customer's leg is over.
    pub(super) fn customer_gone(&mut self, reason: Reason) {
        if self.i.customer.gone || self.i.ended() {
            return;
        }
        self.i.customer.gone = true;
        self.i.customer.seen_in = None;
        let never_there = !matches!(self.i.customer.line, CustomerLine::Inbound(_) | CustomerLine::Answered(_));
        if never_there || reason == Reason::SwitchLost {
            return self.end(reason);
        }
        self.act_as(Actor::Customer);
        self.emit(EventKind::CustomerLeft);
        if let Stage::Exiting { .. } = self.i.stage {
            return self.end(Reason::Voicemail);
        }
        self.abandon();
        let apart = self.i.customer.held && !self.i.agents.is_empty();
        if apart && self.i.policy.interaction.customer_gone == CustomerGone::Announce {
            self.farewell();
        } else {
            self.end(Reason::CustomerLeft);
        }
    }

    fn abandon(&mut self) {
        let no = self.transfer_no();
        self.drop_search(Reason::CustomerLeft);
        if let Some(no) = no {
            self.close(Phase::Abandoned, Some(Reason::CustomerLeft), None);
            self.emit(EventKind::TransferAbandoned { transfer: no });
        }
    }

    /// The agents who were apart from the customer are told, then released (B209).
    fn farewell(&mut self) {
        let announcement = AnnouncementNo(Counters::take(&mut self.i.counters.announcement));
        self.i.stage = Stage::Farewell { announcement, until_us: self.now + FAREWELL_US };
        self.act_as(Actor::System);
        self.emit(EventKind::Announced { name: CUSTOMER_DISCONNECTED });
    }
}
