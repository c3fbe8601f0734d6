//! A phone that is busy: it is dialled as soon as it is free, or is reported as busy.

use std::time::Duration;

use baton_runtime::clock::micros;

use super::InteractionDriver;
use crate::fact;
use crate::operation::OperationKey;
use crate::plan::WantedDial;
use crate::reconcile::ReconcileStep;
use crate::switch::LegEnding;

/// Longer than it takes to hang up what nobody wants any more; a phone that is still busy then is used without Baton.
const PATIENCE: Duration = Duration::from_secs(2);

impl InteractionDriver {
    /// Which phones that are to ring are busy, and which of them have been for too long. A number outside may have any number of calls.
    pub(super) fn check_phones(&mut self) {
        let Some(plan) = self.plan.clone() else { return };
        let now_us = self.now_us();
        let to_ring = plan.legs.iter().filter_map(|leg| Some((&leg.id, leg.dial()?)));
        let busy: Vec<_> = to_ring
            .filter(|(id, dial)| {
                let is_open = !self.observed.was_requested(&OperationKey::leg(id)) && dial.ring_until_us > 0;
                is_open && is_agents(dial) && self.context.phones.is_busy(&plan.tenant, &dial.phone, id)
            })
            .map(|(id, _)| id.clone())
            .collect();
        self.awaited_phones.retain(|leg, _| busy.contains(leg));
        for leg in busy {
            let since_us = *self.awaited_phones.entry(leg.clone()).or_insert(now_us);
            if now_us - since_us >= micros(PATIENCE) {
                tracing::info!(interaction.id = %self.id, leg.id = leg, "a phone is used without Baton: busy");
                let key = OperationKey::leg(&leg);
                self.add_operation(key.clone(), &leg, "");
                self.observe(&key, fact::ended(&leg, LegEnding::Busy), now_us);
                self.awaited_phones.remove(&leg);
            }
        }
    }

    /// When the next phone has been awaited for long enough.
    pub(super) fn phones_awaited_until_us(&self) -> Option<i64> {
        self.awaited_phones.values().min().map(|since_us| since_us + micros(PATIENCE))
    }

    /// `false`: it is busy.
    pub(super) fn take_phone(&self, leg: &str, dial: &WantedDial) -> bool {
        let stamp = self.context.logical_clock.now();
        !is_agents(dial) || self.context.phones.take(&self.tenant(), &dial.phone, leg, stamp)
    }

    /// It is not dialled after all.
    pub(super) fn give_phone_back(&self, step: &ReconcileStep) {
        if let ReconcileStep::Dial { leg, .. } = step {
            self.context.phones.free(leg, self.context.logical_clock.now());
        }
    }
}

fn is_agents(dial: &WantedDial) -> bool {
    dial.allowed_by.is_none()
}
