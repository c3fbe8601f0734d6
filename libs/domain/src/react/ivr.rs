//! IVR flows: the customer goes into one, what it collects becomes attached data, and they come out of it. Whether somebody waits for them is
//! the transfer's to say.

use super::advance::Advance;
use crate::{
    actor::Actor,
    event::EventKind,
    input::{FlowDatum, FlowEnd, FlowValue},
    interaction::{Counters, Exit, ExitTo, FlowVisit, MAX_DATA, Seeker, Stage},
    machine::{IvrFlow, TransferInput},
    policy::Method,
};
use baton_words::{ExitNo, FlowOutcome, Reason};
use std::sync::Arc;

/// What the attached data says of digits that stay on the switch.
const COLLECTED: &str = "collected";

impl Advance<'_> {
    /// Sends the customer into the flow of the open transfer.
    pub(super) fn send_away(&mut self, flow: Arc<IvrFlow>, method: &Method) {
        let Some(open) = &self.i.transfer else { return };
        let (transfer, kind) = (open.no, open.kind);
        let max_ms = method.away.as_ref().unwrap_or(&method.offered).max_ms;
        let no = ExitNo(Counters::take(&mut self.i.counters.exit));
        self.i.counters.flow_exit += 1;
        let visit = FlowVisit { flow, transfer, kind, since_us: self.now, seen: false, known: 0 };
        let exit = Exit { no, to: ExitTo::Flow(Box::new(visit)), until_us: self.now + max_ms * 1000 };
        self.hold(false);
        if let Stage::Served(service) = &mut self.i.stage {
            service.away = Some(exit);
        }
        self.touch();
        self.transfer(TransferInput::SentAway);
    }

    /// The customer is seen in the flow, which has collected and set all of this so far.
    pub(super) fn in_flow(&mut self, no: ExitNo, data: Vec<FlowDatum>) {
        let Some(visit) = self.visit(no) else { return };
        let (flow, transfer) = (visit.flow.id, visit.transfer);
        if !std::mem::replace(&mut visit.seen, true) {
            self.emit(EventKind::FlowEntered { flow, transfer });
            self.transfer(TransferInput::InFlow);
        }
        self.collected(no, data);
    }

    /// The customer comes out of the flow. Of one that was too short to be seen, they were in it nevertheless.
    pub(super) fn flow_over(&mut self, no: ExitNo, end: FlowEnd, data: Vec<FlowDatum>) {
        match end {
            FlowEnd::Unknown => self.collected(no, data),
            _ => self.in_flow(no, data),
        }
        let Some(visit) = self.visit(no) else { return };
        let next = match end {
            FlowEnd::Transferred(index) => visit.flow.leaves_by(index),
            _ => None,
        };
        // Whichever is reported first: that they left the flow, or that their leg is over.
        if end == FlowEnd::Left {
            return self.customer_gone(Reason::HungUp);
        }
        let outcome = match end {
            FlowEnd::Ended => FlowOutcome::Ended,
            FlowEnd::Transferred(_) => FlowOutcome::Transferred,
            FlowEnd::Unknown => FlowOutcome::Failed,
            FlowEnd::Returned | FlowEnd::Left => FlowOutcome::Returned,
        };
        self.out_of_flow_as(outcome);
        if self.i.transfer.is_some() {
            return self.transfer(TransferInput::FlowOver(end != FlowEnd::Unknown));
        }
        if end == FlowEnd::Ended {
            return self.end(Reason::Disconnected);
        }
        if let Some(step) = next {
            self.i.flow.insert(step);
        }
        self.advance_flow();
    }

    /// The customer is in no flow any more, if they were in one.
    pub(super) fn out_of_flow(&mut self, outcome: FlowOutcome) {
        if matches!(self.i.exit(), Some(Exit { to: ExitTo::Flow(_), .. })) {
            self.out_of_flow_as(outcome);
        }
    }

    fn out_of_flow_as(&mut self, outcome: FlowOutcome) {
        let exit = match &mut self.i.stage {
            Stage::Served(service) => service.away.take(),
            Stage::Exiting(exit) => {
                let exit = exit.clone();
                self.i.stage = Stage::Seeking(Seeker::Transfer);
                Some(exit)
            }
            _ => None,
        };
        if let Some(Exit { to: ExitTo::Flow(visit), .. }) = exit {
            let (flow, transfer, duration_us) = (visit.flow.id, visit.transfer, self.now - visit.since_us);
            self.emit(EventKind::FlowLeft { flow, transfer, outcome, duration_us });
        }
    }

    /// Takes in what is new of what the flow has collected and set.
    fn collected(&mut self, no: ExitNo, data: Vec<FlowDatum>) {
        let Some(visit) = self.visit(no) else { return };
        let (flow, transfer, known) = (visit.flow.id, visit.transfer, visit.known as usize);
        visit.known = visit.known.max(data.len() as u32);
        for FlowDatum { key, value } in data.into_iter().skip(known) {
            let (value, digits) = match value {
                FlowValue::Set(value) => (value, None),
                FlowValue::Digits(value) => {
                    let count = value.len() as u32;
                    (value, Some(Some(count)))
                }
                FlowValue::Secret => (COLLECTED.into(), Some(None)),
            };
            let before = self.actor().clone();
            if let Some(digits) = digits {
                self.act_as(Actor::Customer);
                self.emit(EventKind::FlowCollected { flow, transfer, key: key.clone(), digits });
            }
            if self.i.data.contains_key(&key) || self.i.data.len() < MAX_DATA {
                self.i.data.insert(key.clone(), value);
                self.emit(EventKind::DataChanged { set: [key].into(), removed: [].into() });
            }
            self.act_as(before);
            self.touch();
        }
    }

    fn visit(&mut self, no: ExitNo) -> Option<&mut FlowVisit> {
        let exit = match &mut self.i.stage {
            Stage::Exiting(exit) => exit,
            Stage::Served(service) => service.away.as_mut()?,
            _ => return None,
        };
        match &mut exit.to {
            ExitTo::Flow(visit) if exit.no == no => Some(visit),
            _ => None,
        }
    }
}
