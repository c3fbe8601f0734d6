//! How often callers may call: so many calls a second of a tenant, so many changes of it and of each subject.
//!
//! Time is real. Where it is simulated nothing is limited: a simulated second takes no time, and its calls cost no neighbour anything.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton_api::ApiError;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, RateLimiter};

use crate::auth::{Caller, Role, TenantId};
use crate::config::RateLimits;

/// After so many calls, those who have not called for long are forgotten.
const FORGET_AFTER: usize = 4_096;

/// A subject of a tenant, or of none.
type Subject = (Option<TenantId>, String);

#[derive(Debug)]
pub(super) struct Rates {
    calls_of_tenant: Rate<TenantId>,
    changes_of_tenant: Rate<TenantId>,
    changes_of_subject: Rate<Subject>,
}

impl Rates {
    pub(super) fn new(limits: &RateLimits) -> Self {
        let burst_s = limits.burst_s;
        Self {
            calls_of_tenant: Rate::new(
                limits.calls_of_tenant,
                burst_s,
                "calls of your tenant",
                "rates.calls_of_tenant",
            ),
            changes_of_tenant: Rate::new(
                limits.changes_of_tenant,
                burst_s,
                "changes of your tenant",
                "rates.changes_of_tenant",
            ),
            changes_of_subject: Rate::new(
                limits.changes_of_subject,
                burst_s,
                "changes of yours",
                "rates.changes_of_subject",
            ),
        }
    }

    /// Refuses a call that comes too soon.
    pub(super) fn check(&self, caller: &Caller, is_change: bool) -> Result<(), ApiError> {
        if caller.role == Role::Service {
            return Ok(());
        }
        if is_change {
            // The subject first: what is refused to one of them does not count for the others.
            self.changes_of_subject.check(&(caller.tenant.clone(), caller.subject.clone()))?;
        }
        let Some(tenant) = &caller.tenant else {
            return Ok(());
        };
        self.calls_of_tenant.check(tenant)?;
        if is_change { self.changes_of_tenant.check(tenant) } else { Ok(()) }
    }
}

/// So many a second for each key.
#[derive(Debug)]
struct Rate<K: Hash + Eq + Clone> {
    /// `None`: any number.
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    clock: DefaultClock,
    checked: AtomicUsize,
    limit: u32,
    what: &'static str,
    key: &'static str,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(limit: u32, burst_s: u32, what: &'static str, key: &'static str) -> Self {
        let quota = NonZeroU32::new(limit).map(|each_second| {
            let burst = each_second.saturating_mul(NonZeroU32::new(burst_s).unwrap_or(NonZeroU32::MIN));
            governor::Quota::per_second(each_second).allow_burst(burst)
        });
        Self {
            limiter: quota.map(RateLimiter::keyed),
            clock: DefaultClock::default(),
            checked: AtomicUsize::new(0),
            limit,
            what,
            key,
        }
    }

    fn check(&self, who: &K) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.checked.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET_AFTER) {
            limiter.retain_recent();
        }
        limiter.check_key(who).map_err(|until| self.refuse(until.wait_time_from(self.clock.now())))
    }

    fn refuse(&self, wait: Duration) -> ApiError {
        let message = format!("There are more than {} {} a second ({}); slow down.", self.limit, self.what, self.key);
        let mut error = ApiError::resource_exhausted(message).with("limit_per_second", self.limit);
        error.retry_after = Some(wait);
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(tenant: &str, subject: &str) -> Caller {
        Caller::of_tenant(tenant.parse().unwrap(), subject, Role::Supervisor)
    }

    #[test]
    fn s2_each_limit_says_its_name_and_when_to_come_again_and_concerns_nobody_else() {
        let limits = RateLimits { calls_of_tenant: 8, changes_of_tenant: 6, changes_of_subject: 3, burst_s: 1 };
        let rates = Rates::new(&limits);
        let until_refused = |caller: &Caller, is_change| {
            (0..).find_map(|n| rates.check(caller, is_change).err().map(|error| (n, error))).unwrap()
        };
        let (changes, error) = until_refused(&caller("acme", "eve"), true);
        assert_eq!(changes, 3);
        assert!(error.message.contains("rates.changes_of_subject"), "{error:?}");
        assert!(error.retry_after.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_secs(1)));
        for subject in ["ann", "bob"] {
            let (changes, error) = until_refused(&caller("acme", subject), true);
            assert!(changes <= 3, "{changes}");
            assert!(error.message.contains("rates.changes_of"), "{error:?}");
        }
        let (_, error) = until_refused(&caller("acme", "cid"), false);
        assert!(error.message.contains("rates.calls_of_tenant"), "{error:?}");
        assert_eq!(rates.check(&caller("rival", "eve"), true), Ok(()));
    }

    #[test]
    fn no_limit_is_none_and_services_have_none() {
        let rates =
            Rates::new(&RateLimits { calls_of_tenant: 0, changes_of_tenant: 0, changes_of_subject: 0, burst_s: 1 });
        assert!((0..10_000).all(|_| rates.check(&caller("acme", "eve"), true).is_ok()));
        let service = Caller { tenant: None, subject: "telephony".to_owned(), role: Role::Service };
        let rates =
            Rates::new(&RateLimits { calls_of_tenant: 1, changes_of_tenant: 1, changes_of_subject: 1, burst_s: 1 });
        assert!((0..10_000).all(|_| rates.check(&service, true).is_ok()));
    }
}
