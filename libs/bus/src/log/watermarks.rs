//! How far the log has come, in memory. Readers wait on it, so that an append wakes only the readers that it concerns.

use std::collections::HashMap;

use super::rows::Appended;
use crate::EventMatcher;

/// The last position of all, and each tenant's own.
#[derive(Debug)]
pub(super) struct Watermarks {
    last: u64,
    of_tenants: HashMap<String, u64>,
}

impl Watermarks {
    pub(super) fn new(last: u64, of_tenants: HashMap<String, u64>) -> Self {
        Self { last, of_tenants }
    }

    /// After this position no event can match the filter; a tenant's position if the filter names a tenant.
    pub(super) fn last_for(&self, filter: &EventMatcher) -> u64 {
        let Some(tenant) = &filter.tenant else { return self.last };
        self.of_tenants.get(tenant).copied().unwrap_or(0)
    }

    /// This is in the log now. Two appends may arrive here in either order.
    pub(super) fn advance(&mut self, appended: Appended) {
        self.last = self.last.max(appended.last);
        for (tenant, to) in appended.of_tenants {
            let last = self.of_tenants.entry(tenant).or_default();
            *last = (*last).max(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended<const N: usize>(last: u64, of_tenants: [(&str, u64); N]) -> Appended {
        Appended { last, of_tenants: of_tenants.map(|(tenant, last)| (tenant.to_owned(), last)).into() }
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
