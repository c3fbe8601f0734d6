//! How far the log has come, in memory. Readers wait on it, so that an append wakes only the readers that it concerns.

use std::collections::HashMap;

use crate::{Envelope, EventMatcher};

/// The last position of all, and of each tenant.
#[derive(Debug)]
pub(super) struct Watermarks {
    last: u64,
    /// Only of tenants that have had an event since the start.
    of_tenants: HashMap<String, u64>,
    /// The last position at the start; stands in for the other tenants', which only the file knows.
    at_start: u64,
}

impl Watermarks {
    pub(super) fn new(last: u64) -> Self {
        Self { last, of_tenants: HashMap::new(), at_start: last }
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// After this position no event can match the filter.
    pub(super) fn last_for(&self, filter: &EventMatcher) -> u64 {
        let Some(tenant) = &filter.tenant else { return self.last };
        self.of_tenants.get(tenant).copied().unwrap_or(self.at_start)
    }

    /// These events are in the log, the last of them at `to` or before. Two appends may arrive here in either order.
    pub(super) fn advance(&mut self, to: u64, events: &[Envelope]) {
        self.last = self.last.max(to);
        for event in events {
            match self.of_tenants.get_mut(&event.tenant) {
                Some(last) => *last = (*last).max(to),
                None => drop(self.of_tenants.insert(event.tenant.clone(), to)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tenant: &str) -> Envelope {
        Envelope {
            id: uuid::Uuid::nil(),
            tenant: tenant.into(),
            aggregate: "interaction/1".into(),
            sequence: 1,
            event_type: "interaction.opened".into(),
            area: "transfer".into(),
            payload: Vec::new(),
            actor: "system".into(),
            traceparent: String::new(),
            time_us: 0,
        }
    }

    #[test]
    fn an_append_concerns_its_tenants_and_whoever_reads_all() {
        let [all, acme, globex, other] =
            [None, Some("acme"), Some("globex"), Some("other")].map(|tenant| match tenant {
                None => EventMatcher::all(),
                Some(tenant) => EventMatcher::all().of_tenant(tenant),
            });
        let mut watermarks = Watermarks::new(5);
        watermarks.advance(9, &[event("globex")]);
        watermarks.advance(7, &[event("acme"), event("globex")]);
        let last = [all, acme, globex, other].map(|filter| watermarks.last_for(&filter));
        assert_eq!(last, [9, 7, 9, 5]);
    }
}
