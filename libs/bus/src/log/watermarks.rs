//! How far the log has come, in memory. Readers wait on it, so that an append wakes only the readers that it concerns.

use std::collections::HashMap;

use super::rows::Appended;
use crate::EventMatcher;

/// The last position of all, each tenant's own, and that of the last event of each type, or a later one.
#[derive(Debug)]
pub(super) struct Watermarks {
    last: u64,
    of_tenants: HashMap<String, u64>,
    /// Of the types that came since the start.
    of_types: HashMap<String, u64>,
    /// Events of the other types are before this position.
    at_start: u64,
}

impl Watermarks {
    pub(super) fn new(last: u64, of_tenants: HashMap<String, u64>) -> Self {
        Self { last, of_tenants, of_types: HashMap::new(), at_start: last }
    }

    /// After this position no event can match the filter; a tenant's position if the filter names a tenant.
    pub(super) fn last_for(&self, filter: &EventMatcher) -> u64 {
        match &filter.tenant {
            Some(tenant) => self.of_tenants.get(tenant).copied().unwrap_or(0),
            None if filter.is_of_tenant_alone() => self.last,
            None => {
                let of_types = self.of_types.iter().filter(|(it, _)| filter.matches_type(it)).map(|(_, last)| *last);
                of_types.fold(self.at_start, u64::max)
            }
        }
    }

    /// This is in the log now. Two appends may arrive here in either order.
    pub(super) fn advance(&mut self, appended: Appended) {
        self.last = self.last.max(appended.last);
        for event_type in appended.types {
            let last = self.of_types.entry(event_type).or_default();
            *last = (*last).max(appended.last);
        }
        for (tenant, to) in appended.of_tenants {
            let last = self.of_tenants.entry(tenant).or_default();
            *last = (*last).max(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn appended<const N: usize>(last: u64, of_tenants: [(&str, u64); N]) -> Appended {
        let of_tenants = of_tenants.map(|(tenant, last)| (tenant.to_owned(), last)).into();
        Appended { last, of_tenants, types: BTreeSet::new() }
    }

    #[test]
    fn whoever_reads_some_types_of_all_tenants_is_concerned_by_these_and_by_what_was_there_before() {
        let recordings = EventMatcher::types(["recording.*", "interaction.ended"]).unwrap();
        let mut watermarks = Watermarks::new(5, HashMap::new());
        let mut last_after = |last, of_type: &str| {
            watermarks.advance(Appended { last, of_tenants: Vec::new(), types: [of_type.to_owned()].into() });
            watermarks.last_for(&recordings)
        };
        assert_eq!(
            [last_after(6, "transfer.started"), last_after(8, "recording.made"), last_after(7, "interaction.ended")],
            [5, 8, 8]
        );
        assert_eq!([last_after(9, "interaction.opened"), last_after(10, "interaction.ended")], [8, 10]);
    }

    #[test]
    fn an_append_concerns_its_tenants_and_whoever_reads_all() {
        let [all, acme, globex, other] =
            [None, Some("acme"), Some("globex"), Some("other")].map(|tenant| match tenant {
                None => EventMatcher::all(),
                Some(tenant) => EventMatcher::all().of_tenant(tenant),
            });
        let mut watermarks = Watermarks::new(5, HashMap::from([("globex".to_owned(), 5)]));
        watermarks.advance(appended(9, [("globex", 8)]));
        watermarks.advance(appended(7, [("acme", 1), ("globex", 6)]));
        let last = [all, acme, globex, other].map(|filter| watermarks.last_for(&filter));
        assert_eq!(last, [9, 1, 8, 0]);
    }
}
