//! How far the log has come, in memory: what its readers wait on, so that an append costs those nothing whom it does not
//! concern.

use std::collections::HashMap;

use crate::{Envelope, Filter};

/// The last position, and each tenant's.
#[derive(Debug)]
pub(super) struct Head {
    last: u64,
    /// Of those who have had an event since the start: one number a tenant.
    of_tenants: HashMap<String, u64>,
    /// Whose the events before the start are, only the file knows.
    at_start: u64,
}

impl Head {
    pub(super) fn new(last: u64) -> Self {
        Self { last, of_tenants: HashMap::new(), at_start: last }
    }

    /// The position of the last event.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Behind this, no event can fit the filter.
    pub(super) fn last_for(&self, filter: &Filter) -> u64 {
        let Some(tenant) = &filter.tenant else { return self.last };
        self.of_tenants.get(tenant).copied().unwrap_or(self.at_start)
    }

    /// These are in the log, the last of them at most at `to`. Of two appends, either may come here first.
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
                None => Filter::all(),
                Some(tenant) => Filter::all().of_tenant(tenant),
            });
        let mut head = Head::new(5);
        head.advance(9, &[event("globex")]);
        head.advance(7, &[event("acme"), event("globex")]);
        let last = [all, acme, globex, other].map(|filter| head.last_for(&filter));
        assert_eq!(last, [9, 7, 9, 5]);
    }
}
