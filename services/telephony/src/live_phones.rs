//! Which agents' phones have a live leg: a phone is dialled only when its last leg is gone (F4, R11).
//!
//! A claim on an agent takes the phone, so that nobody else's customer rings it. But a claim may be over before the switch has hung up, while
//! Baton catches up after a fault; and an agent may use the phone without Baton. So telephony looks once more, on the switch itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::operation::Stamp;
use crate::switch::{LegSnapshot, SwitchEvent, SwitchEventKind};

/// A tenant's phone.
type Phone = (String, String);

#[derive(Debug, Default)]
pub struct LivePhones {
    state: Mutex<LivePhonesState>,
    /// Counts the legs that have ended.
    freed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct LivePhonesState {
    /// The live legs of each phone, each with the time at which it was seen.
    legs: HashMap<Phone, BTreeMap<String, Stamp>>,
    phones: HashMap<String, Phone>,
    /// Legs that have ended since the last snapshot was begun: it may still show them.
    ended: HashMap<String, Stamp>,
}

impl LivePhones {
    /// The phone has a live leg other than this one.
    pub fn is_busy(&self, tenant: &str, phone: &str, leg: &str) -> bool {
        self.state.lock().is_busy(&key(tenant, phone), leg)
    }

    /// Notes that the phone is about to be dialled. `false`: it is busy.
    pub fn take(&self, tenant: &str, phone: &str, leg: &str, stamp: Stamp) -> bool {
        let (mut state, phone) = (self.state.lock(), key(tenant, phone));
        if state.is_busy(&phone, leg) {
            return false;
        }
        state.put(phone, leg, stamp);
        true
    }

    /// The leg has ended, or was never dialled.
    pub fn free(&self, leg: &str, stamp: Stamp) {
        let mut state = self.state.lock();
        state.ended.insert(leg.to_owned(), stamp);
        if state.remove(leg) {
            self.freed.send_modify(|count| *count += 1);
        }
    }

    /// Changes whenever a phone may have become free.
    pub fn freed(&self) -> watch::Receiver<u64> {
        self.freed.subscribe()
    }

    pub fn follow(&self, event: &SwitchEvent, stamp: Stamp) {
        match &event.kind {
            SwitchEventKind::InboundCall(call) => {
                self.state.lock().put(key(&call.tenant, &call.from), &call.leg, stamp);
            }
            SwitchEventKind::Ended { leg, .. } => self.free(leg, stamp),
            _ => {}
        }
    }

    /// Takes over what a snapshot shows, but for what has changed since it was begun.
    pub fn correct(&self, legs: &[LegSnapshot], snapshot: Stamp) {
        let mut state = self.state.lock();
        let shown: HashSet<_> = legs.iter().map(|it| it.name.as_str()).collect();
        let is_gone = |leg: &&String| !shown.contains(leg.as_str()) && state.stamp_of(leg) <= Some(snapshot);
        let gone: Vec<_> = state.phones.keys().filter(is_gone).cloned().collect();
        for leg in &gone {
            state.remove(leg);
        }
        state.ended.retain(|_, stamp| *stamp > snapshot);
        for leg in legs {
            if !state.ended.contains_key(&leg.name) {
                state.put(key(&leg.tenant, &leg.address), &leg.name, snapshot);
            }
        }
        if !gone.is_empty() {
            self.freed.send_modify(|count| *count += 1);
        }
    }
}

impl LivePhonesState {
    fn is_busy(&self, phone: &Phone, leg: &str) -> bool {
        self.legs.get(phone).is_some_and(|legs| legs.keys().any(|it| it != leg))
    }

    fn stamp_of(&self, leg: &str) -> Option<Stamp> {
        self.legs.get(self.phones.get(leg)?)?.get(leg).copied()
    }

    fn put(&mut self, phone: Phone, leg: &str, stamp: Stamp) {
        self.legs.entry(phone.clone()).or_default().entry(leg.to_owned()).or_insert(stamp);
        self.phones.insert(leg.to_owned(), phone);
    }

    fn remove(&mut self, leg: &str) -> bool {
        let Some(phone) = self.phones.remove(leg) else { return false };
        if let Some(legs) = self.legs.get_mut(&phone) {
            legs.remove(leg);
            if legs.is_empty() {
                self.legs.remove(&phone);
            }
        }
        true
    }
}

fn key(tenant: &str, phone: &str) -> Phone {
    (tenant.to_owned(), phone.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::{LegEnding, LegOrigin, LegProgress};

    fn shown(name: &str) -> LegSnapshot {
        LegSnapshot {
            name: name.to_owned(),
            tenant: "acme".to_owned(),
            address: "ada".to_owned(),
            progress: LegProgress::Up,
            room: None,
            muted: None,
            origin: LegOrigin::Foreign,
        }
    }

    #[test]
    fn f4_a_phone_is_busy_until_its_leg_has_ended() {
        let phones = LivePhones::default();
        assert!(phones.take("acme", "ada", "l1", Stamp(1)));
        assert!(!phones.take("acme", "ada", "l2", Stamp(1)));
        assert!(phones.take("zeta", "ada", "l3", Stamp(1)), "another tenant's phone");
        assert!(!phones.is_busy("acme", "ada", "l1"), "its own leg");
        let ended = SwitchEventKind::Ended { leg: "l1".to_owned(), why: LegEnding::HungUp };
        phones.follow(&SwitchEvent { sequence: 1, at_us: 1, kind: ended }, Stamp(2));
        assert!(phones.take("acme", "ada", "l2", Stamp(2)));
    }

    #[test]
    fn r11_a_snapshot_shows_what_was_not_seen_and_changes_nothing_that_is_newer() {
        let phones = LivePhones::default();
        phones.correct(&[shown("l1")], Stamp(1));
        assert!(phones.is_busy("acme", "ada", "l2"));
        phones.free("l1", Stamp(3));
        phones.correct(&[shown("l1")], Stamp(2));
        assert!(!phones.is_busy("acme", "ada", "l2"), "it ended while the snapshot was taken");
        assert!(phones.take("acme", "ada", "l2", Stamp(4)));
        phones.correct(&[], Stamp(3));
        assert!(phones.is_busy("acme", "ada", "l3"), "it was dialled while the snapshot was taken");
        phones.correct(&[], Stamp(4));
        assert!(!phones.is_busy("acme", "ada", "l3"));
    }
}
