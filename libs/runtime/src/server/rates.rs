//! How often callers may call: so many calls a second of a tenant, so many changes of it and of each subject.
//!
//! Time is real. Where it is simulated nothing is limited: a simulated second takes no time, and its calls cost no neighbour anything.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton_api::ApiError;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

use crate::auth::{Caller, Role, TenantId, TenantLimits};
use crate::config::RateLimits;

/// After so many calls, those who have not called for long are forgotten.
const FORGET_AFTER: usize = 4_096;
/// Changes a second of a subject while space is short, and how many at once after a pause: more than people make, and less than a disk can take
/// for days.
const CHANGES_WHILE_SHORT: (u32, u32) = (1, 20);

/// A subject of a tenant, or of none.
type Subject = (Option<TenantId>, String);

#[derive(Debug)]
pub(super) struct Rates {
    calls_of_tenant: Rate<TenantId>,
    changes_of_tenant: Rate<TenantId>,
    changes_of_subject: Rate<Subject>,
    changes_while_short: Rate<Subject>,
}

/// Of a call that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallKind {
    /// It makes Baton write something.
    pub(super) is_change: bool,
    /// The disk is nearly full, or the tenant has stored as much as it may.
    pub(super) is_space_short: bool,
}

impl Rates {
    pub(super) fn new(limits: &RateLimits) -> Self {
        let burst_s = limits.burst_s;
        Self {
            calls_of_tenant: Rate::new(
                (limits.calls_of_tenant, burst_s),
                "calls of your tenant",
                "rates.calls_of_tenant, or the tenant's own limit",
            ),
            changes_of_tenant: Rate::new(
                (limits.changes_of_tenant, burst_s),
                "changes of your tenant",
                "rates.changes_of_tenant, or the tenant's own limit",
            ),
            changes_of_subject: Rate::new(
                (limits.changes_of_subject, burst_s),
                "changes of yours",
                "rates.changes_of_subject",
            ),
            changes_while_short: Rate::new(
                CHANGES_WHILE_SHORT,
                "changes of yours",
                "the most while space is short: data.min_free_mib, or what your tenant may store",
            ),
        }
    }

    /// Refuses a call that comes too soon.
    pub(super) fn check(&self, caller: &Caller, call: CallKind, own: TenantLimits) -> Result<(), ApiError> {
        if caller.role == Role::Service {
            return Ok(());
        }
        if call.is_change {
            // The subject first: what is refused to one of them does not count for the others.
            let subject = (caller.tenant.clone(), caller.subject.clone());
            self.changes_of_subject.check(&subject, 0)?;
            if call.is_space_short && is_person(caller.role) {
                self.changes_while_short.check(&subject, 0)?;
            }
        }
        let Some(tenant) = &caller.tenant else {
            return Ok(());
        };
        self.calls_of_tenant.check(tenant, own.calls_per_second)?;
        if call.is_change { self.changes_of_tenant.check(tenant, own.changes_per_second) } else { Ok(()) }
    }
}

/// A program acts for many people at once: its calls go on.
fn is_person(role: Role) -> bool {
    matches!(role, Role::Agent | Role::Supervisor | Role::Admin)
}

/// So many a second for each key.
#[derive(Debug)]
struct Rate<K: Hash + Eq + Clone> {
    /// `None`: any number.
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    /// Of the keys that have another limit than the rest: few, and each as it was last.
    own: Mutex<HashMap<K, (u32, Arc<DefaultDirectRateLimiter>)>>,
    clock: DefaultClock,
    checked: AtomicUsize,
    limit: u32,
    burst_s: u32,
    what: &'static str,
    set_by: &'static str,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new((limit, burst_s): (u32, u32), what: &'static str, set_by: &'static str) -> Self {
        Self {
            limiter: quota(limit, burst_s).map(RateLimiter::keyed),
            own: Mutex::default(),
            clock: DefaultClock::default(),
            checked: AtomicUsize::new(0),
            limit,
            burst_s,
            what,
            set_by,
        }
    }

    /// `own`: this one's own limit; 0 for everybody's.
    fn check(&self, who: &K, own: u32) -> Result<(), ApiError> {
        if let Some(quota) = quota(own, self.burst_s) {
            let checked = self.own_limiter(who, own, quota).check();
            return checked.map_err(|until| self.refuse(own, until.wait_time_from(self.clock.now())));
        }
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.checked.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET_AFTER) {
            limiter.retain_recent();
        }
        limiter.check_key(who).map_err(|until| self.refuse(self.limit, until.wait_time_from(self.clock.now())))
    }

    fn own_limiter(&self, who: &K, limit: u32, quota: Quota) -> Arc<DefaultDirectRateLimiter> {
        let mut own = self.own.lock();
        match own.get(who) {
            Some((same, limiter)) if *same == limit => Arc::clone(limiter),
            _ => {
                let limiter = Arc::new(RateLimiter::direct(quota));
                own.insert(who.clone(), (limit, Arc::clone(&limiter)));
                limiter
            }
        }
    }

    fn refuse(&self, limit: u32, wait: Duration) -> ApiError {
        let message = format!("There are more than {limit} {} a second ({}); slow down.", self.what, self.set_by);
        let mut error = ApiError::resource_exhausted(message).with("limit_per_second", limit);
        error.retry_after = Some(wait);
        error
    }
}

/// `None`: any number.
fn quota(limit: u32, burst_s: u32) -> Option<Quota> {
    let each_second = NonZeroU32::new(limit)?;
    let burst = each_second.saturating_mul(NonZeroU32::new(burst_s).unwrap_or(NonZeroU32::MIN));
    Some(Quota::per_second(each_second).allow_burst(burst))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: CallKind = CallKind { is_change: false, is_space_short: false };
    const CHANGE: CallKind = CallKind { is_change: true, is_space_short: false };
    const NO_OWN: TenantLimits = TenantLimits { calls_per_second: 0, changes_per_second: 0, stored_mib: 0 };

    fn until_refused(rates: &Rates, caller: &Caller, call: CallKind, own: TenantLimits) -> (usize, ApiError) {
        (0..).find_map(|n| rates.check(caller, call, own).err().map(|error| (n, error))).unwrap()
    }

    fn caller(tenant: &str, subject: &str) -> Caller {
        Caller::of_tenant(tenant.parse().unwrap(), subject, Role::Supervisor)
    }

    #[test]
    fn s2_each_limit_says_its_name_and_when_to_come_again_and_concerns_nobody_else() {
        let limits = RateLimits { calls_of_tenant: 8, changes_of_tenant: 6, changes_of_subject: 3, burst_s: 1 };
        let rates = Rates::new(&limits);
        let until_refused = |caller: &Caller, call| until_refused(&rates, caller, call, NO_OWN);
        let (changes, error) = until_refused(&caller("acme", "eve"), CHANGE);
        assert_eq!(changes, 3);
        assert!(error.message.contains("rates.changes_of_subject"), "{error:?}");
        assert!(error.retry_after.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_secs(1)));
        for subject in ["ann", "bob"] {
            let (changes, error) = until_refused(&caller("acme", subject), CHANGE);
            assert!(changes <= 3, "{changes}");
            assert!(error.message.contains("rates.changes_of"), "{error:?}");
        }
        let (_, error) = until_refused(&caller("acme", "cid"), READ);
        assert!(error.message.contains("rates.calls_of_tenant"), "{error:?}");
        assert_eq!(rates.check(&caller("rival", "eve"), CHANGE, NO_OWN), Ok(()));
    }

    #[test]
    fn no_limit_is_none_and_services_have_none() {
        let rates =
            Rates::new(&RateLimits { calls_of_tenant: 0, changes_of_tenant: 0, changes_of_subject: 0, burst_s: 1 });
        assert!((0..10_000).all(|_| rates.check(&caller("acme", "eve"), CHANGE, NO_OWN).is_ok()));
        let service = Caller { tenant: None, subject: "telephony".to_owned(), role: Role::Service };
        let rates =
            Rates::new(&RateLimits { calls_of_tenant: 1, changes_of_tenant: 1, changes_of_subject: 1, burst_s: 1 });
        assert!((0..10_000).all(|_| rates.check(&service, CHANGE, NO_OWN).is_ok()));
    }

    #[test]
    fn s2_a_tenants_own_limits_count_instead_of_everybodys_from_when_they_are_set() {
        let rates =
            Rates::new(&RateLimits { calls_of_tenant: 4, changes_of_tenant: 4, changes_of_subject: 0, burst_s: 1 });
        let own = |calls, changes| TenantLimits { calls_per_second: calls, changes_per_second: changes, stored_mib: 0 };
        let (calls, error) = until_refused(&rates, &caller("acme", "eve"), READ, own(50, 0));
        assert!((50..60).contains(&calls), "{calls}");
        assert!(error.message.contains("more than 50 calls") && error.message.contains("own limit"), "{error:?}");
        let (calls, _) = until_refused(&rates, &caller("acme", "eve"), READ, own(60, 0));
        assert!((60..70).contains(&calls), "{calls}: the operator has raised it");
        let (changes, error) = until_refused(&rates, &caller("bell", "eve"), CHANGE, own(50, 7));
        assert!((7..9).contains(&changes) && error.message.contains("more than 7 changes"), "{changes} {error:?}");
        let (calls, _) = until_refused(&rates, &caller("rival", "eve"), READ, NO_OWN);
        assert!((4..6).contains(&calls), "{calls}");
    }

    #[test]
    fn s2_while_space_is_short_a_subject_changes_as_often_as_people_do() {
        let rates = Rates::new(&RateLimits::default());
        let short = CallKind { is_space_short: true, ..CHANGE };
        let (changes, error) = until_refused(&rates, &caller("acme", "eve"), short, NO_OWN);
        assert!((20..22).contains(&changes) && error.message.contains("space is short"), "{changes} {error:?}");
        assert_eq!(rates.check(&caller("acme", "ann"), short, NO_OWN), Ok(()));
        assert_eq!(rates.check(&caller("acme", "eve"), READ, NO_OWN), Ok(()), "it may look");
        let program = Caller::of_tenant("acme".parse().unwrap(), "crm", Role::ServiceAccount);
        assert!((0..100).all(|_| rates.check(&program, short, NO_OWN).is_ok()));
    }
}
