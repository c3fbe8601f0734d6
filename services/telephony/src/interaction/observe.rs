//! Observations: kept with their operation, stored, and reported.

use std::time::Duration;

use baton_api::transfer::v1::Fact;
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_runtime::clock::micros;
use prost::Message as _;

use super::InteractionDriver;
use super::last_look::{self, LastLook, RingEnd};
use crate::fact;
use crate::link::LinkState;
use crate::observed::ObservedLeg;
use crate::operation::{Operation, OperationKey, OperationKind};
use crate::store::{OperationRow, StoreWrite};
use crate::switch::{LegEnding, LegProgress};

/// An operation is given up when two snapshots, this far apart, do not show it.
pub(super) const SECOND_SNAPSHOT: Duration = Duration::from_secs(1);

impl InteractionDriver {
    /// Keeps and reports an observation, unless it equals the last one or the operation is over.
    pub(super) fn observe(&mut self, key: &OperationKey, content: FactContent, at_us: i64) {
        self.note(key, content, at_us, true);
    }

    /// Without `report` the observation is only kept, because one other fact covers several operations.
    pub(super) fn note(&mut self, key: &OperationKey, content: FactContent, at_us: i64, report: bool) {
        let Some(operation) = self.observed.operations.get_mut(key) else { return };
        let last = operation.fact.as_ref().and_then(|it| it.fact.as_ref());
        if operation.is_over() || last == Some(&content) {
            return;
        }
        let fact = Fact { observed_at_us: at_us, fact: Some(content) };
        operation.confirmed = true;
        operation.fact = Some(fact.clone());
        let (is_over, is_flow) = (operation.is_over(), operation.detail == Operation::FLOW);
        let position = if report { self.position + 1 } else { 0 };
        self.writes.push(StoreWrite::Observed {
            interaction: self.id.clone(),
            key: key.clone(),
            fact: fact.encode_to_vec(),
            position,
        });
        if is_over && key.kind == OperationKind::Exit && !is_flow {
            self.message_is_due(&key.id);
        }
        if report {
            self.position = position;
            self.reporter.put(position, key.clone(), fact, self.trace);
        }
    }

    /// Adds an operation that is not requested of the switch: an inbound leg, or a leg that is never dialled.
    pub(super) fn add_operation(&mut self, key: OperationKey, name: &str, detail: &str) {
        let (row, operation) = self.new_operation(key.clone(), name, detail);
        self.writes.push(StoreWrite::Requested(row));
        self.observed.operations.insert(key, operation);
    }

    pub(super) fn new_operation(&self, key: OperationKey, name: &str, detail: &str) -> (OperationRow, Operation) {
        let boot_id = match &*self.context.link.borrow() {
            LinkState::Up { boot_id, .. } => boot_id.clone(),
            LinkState::Down => String::new(),
        };
        let (name, detail) = (name.to_owned(), detail.to_owned());
        let operation = Operation {
            name: name.clone(),
            detail: detail.clone(),
            boot_id: boot_id.clone(),
            stamp: self.context.logical_clock.now(),
            ..Operation::default()
        };
        (OperationRow { interaction: self.id.clone(), key, name, detail, boot_id }, operation)
    }

    pub(super) fn put_leg(&mut self, key: &OperationKey, name: &str, actual: ObservedLeg) {
        if let Some(operation) = self.observed.operations.get_mut(key) {
            operation.confirmed = true;
            operation.missing_since_us = None;
        }
        self.observed.legs.insert(name.to_owned(), actual);
    }

    /// The key of the leg with this name on the switch.
    pub(super) fn leg_key(&self, name: &str) -> Option<OperationKey> {
        let mut legs = self.observed.operations.iter().filter(|(key, _)| key.kind == OperationKind::Leg);
        legs.find(|(_, operation)| operation.name == name).map(|(key, _)| key.clone())
    }

    /// Observes state and room of each leg. Called once a pass, so that rooms in between are not reported.
    pub(super) fn observe_legs(&mut self) {
        let now_us = self.now_us();
        let names: Vec<_> = self.observed.legs.keys().cloned().collect();
        for name in names {
            let (Some(key), Some(actual)) = (self.leg_key(&name), self.observed.legs.get(&name)) else { continue };
            let inbound = key.id != name || self.is_inbound(&key);
            match actual.progress {
                LegProgress::Ringing if inbound => {}
                // How a leg ended whose end nobody saw follows from it; for the interaction nothing does.
                LegProgress::Ringing => self.note(&key, fact::ringing(&key.id), now_us, false),
                LegProgress::Up | LegProgress::Exited(_) => {
                    let room = actual.room.as_deref().unwrap_or_default();
                    self.observe(&key, fact::up(&key.id, room), now_us);
                }
            }
        }
    }

    fn is_inbound(&self, key: &OperationKey) -> bool {
        let leg = self.plan.as_ref().and_then(|plan| plan.legs.iter().find(|leg| leg.id == key.id));
        leg.is_some_and(|leg| leg.dial().is_none())
    }

    /// Only here the end of a ring time is decided (T4). While the switch is not connected, a leg may have been answered.
    /// After the process stood still, what the switch has to say is heard first (R2).
    pub(super) fn check_deadlines(&mut self) {
        let now_us = self.heard_us();
        let Some(plan) = self.plan.clone() else { return };
        let mut rings_too_long = Vec::new();
        for leg in &plan.legs {
            let key = OperationKey::leg(&leg.id);
            let rang_out = leg.dial().is_some_and(|dial| dial.ring_until_us <= now_us);
            if !rang_out || self.observed.is_over(&key) || self.was_answered(leg.name()) {
                continue;
            }
            if !self.observed.was_requested(&key) {
                self.add_operation(key.clone(), leg.name(), "");
                self.observe(&key, fact::ended(&leg.id, LegEnding::Unreachable), now_us);
            } else if self.is_ready() && leg.dial().is_some_and(|dial| dial.ring_until_us > 0) {
                if self.observed.legs.contains_key(leg.name()) {
                    rings_too_long.push((key, leg.id.clone()));
                } else {
                    // It has stopped ringing by itself, perhaps while nobody listened.
                    self.ended_unheard.insert(key);
                }
            }
        }
        if self.has_looked(!rings_too_long.is_empty()) {
            for (key, leg) in rings_too_long {
                self.observe(&key, fact::ended(&leg, LegEnding::NoAnswer), now_us);
            }
        }
        let overdue = self.next_second_snapshot_us().is_some_and(|at_us| at_us <= now_us);
        if overdue && !self.awaits_resync {
            self.request_resync();
        }
    }

    /// Whether the switch was asked once more since somebody rang too long.
    fn has_looked(&mut self, somebody_rings_too_long: bool) -> bool {
        if !somebody_rings_too_long {
            self.last_look = None;
            return false;
        }
        let at_us = self.now_us();
        let ring_end = last_look::decide(&mut self.last_look, self.seen, at_us);
        if ring_end == RingEnd::Look {
            self.last_look = Some(LastLook::Requested { stamp: self.context.logical_clock.now(), at_us });
            self.request_resync();
        }
        ring_end == RingEnd::Judge
    }

    fn was_answered(&self, name: &str) -> bool {
        self.observed.legs.get(name).is_some_and(|actual| actual.progress != LegProgress::Ringing)
    }

    fn next_second_snapshot_us(&self) -> Option<i64> {
        let operations = self.observed.operations.iter();
        let open = operations.filter(|(key, operation)| !operation.is_over() || self.observed.awaits_file(key));
        open.filter_map(|(_, operation)| operation.missing_since_us).min().map(|at_us| at_us + micros(SECOND_SNAPSHOT))
    }

    /// The next deadline; `i64::MAX`: there is none.
    pub(super) fn wake_at_us(&self) -> i64 {
        let ready = self.is_ready();
        let legs = self.plan.iter().flat_map(|plan| &plan.legs);
        let ring_ends = legs.filter_map(|leg| {
            let key = OperationKey::leg(&leg.id);
            let open = !self.observed.is_over(&key) && !self.was_answered(leg.name());
            let dial = leg.dial().filter(|dial| open && dial.ring_until_us > 0);
            let ring_until_us =
                dial.filter(|_| ready || !self.observed.was_requested(&key)).map(|dial| dial.ring_until_us)?;
            match self.last_look {
                // Its time is over already.
                Some(look) if ring_until_us <= self.heard_us() => look.wake_at_us(),
                _ => Some(ring_until_us),
            }
        });
        let second_snapshot = self.next_second_snapshot_us().filter(|_| !self.awaits_resync);
        let retry = self.retry_at_us.filter(|_| ready);
        ring_ends.chain(second_snapshot).chain(retry).chain(self.phones_awaited_until_us()).min().unwrap_or(i64::MAX)
    }
}
