//! The simulated phones: which there are, how they behave when they are called, and the actions of the people at them.

use std::collections::BTreeMap;

use super::error::SwitchError;
use super::flows::is_key;
use super::ids::LegId;
use super::ledger::LedgerAction;
use super::legs::{NewLeg, SwitchLeg};
use super::model::{AnswerBehaviour, EndCause, LegDirection, PhoneRecord, Side, SwitchLegState};
use super::tones::{CUSTOMER_HZ, PHONE_HZ, phone_tones};
use super::{Effect, Engine};

const LONGEST_ADDRESS: usize = 64;
const LONGEST_DELAY_MS: i64 = 3_600_000;
const MOST_KEYS: usize = 64;

/// The phones of all tenants, by tenant and address.
#[derive(Debug)]
pub(crate) struct PhoneBook(BTreeMap<String, BTreeMap<String, PhoneRecord>>);

impl PhoneBook {
    pub(crate) fn new(phones: Vec<PhoneRecord>) -> Self {
        let mut book = Self(BTreeMap::new());
        for phone in phones {
            book.put(phone);
        }
        book
    }

    pub(crate) fn find(&self, tenant: &str, address: &str) -> Option<&PhoneRecord> {
        self.0.get(tenant)?.get(address)
    }

    /// The phone that a dialled address reaches: a number is the same with and without its `+`.
    pub(crate) fn reached_by(&self, tenant: &str, address: &str) -> Option<&PhoneRecord> {
        self.find(tenant, address).or_else(|| self.find(tenant, &format!("+{address}")))
    }

    fn put(&mut self, phone: PhoneRecord) {
        self.0.entry(phone.tenant.clone()).or_default().insert(phone.address.clone(), phone);
    }

    fn count(&self, tenant: &str) -> usize {
        self.0.get(tenant).map_or(0, BTreeMap::len)
    }

    /// The first default tone that no phone of the tenant has; when all are in use they are given out again.
    fn next_tone(&self, tenant: &str) -> u32 {
        let in_use = |hz: &u32| self.0.get(tenant).is_some_and(|phones| phones.values().any(|p| p.tone_hz == *hz));
        let again = || phone_tones().nth(self.count(tenant) % phone_tones().count());
        phone_tones().find(|hz| !in_use(hz)).or_else(again).unwrap_or(CUSTOMER_HZ)
    }
}

/// Selects legs of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// All legs of this phone.
    Address(String),
    Leg(LegId),
}

impl Selector {
    fn matches(&self, id: &LegId, leg: &SwitchLeg) -> bool {
        match self {
            Self::Address(address) => leg.address == *address,
            Self::Leg(leg_id) => id == leg_id,
        }
    }

    fn nothing(&self) -> SwitchError {
        match self {
            Self::Address(address) => {
                SwitchError::NotFound { what: "leg of that phone in a state for this", id: address.clone() }
            }
            Self::Leg(id) => id.not_found(),
        }
    }
}

/// A customer's call, as the simulator's client requested it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedCall {
    /// The tenant of the called number.
    pub tenant: String,
    /// The customer's number.
    pub from: String,
    /// The called number.
    pub to: String,
    /// The customer's tone; 0: the usual one.
    pub tone_hz: u32,
}

pub(crate) fn check_address(field: &'static str, text: &str) -> Result<(), SwitchError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+*#._@:-".contains(&b);
    if (1..=LONGEST_ADDRESS).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(())
    } else {
        Err(SwitchError::invalid(field, "must be 1 to 64 characters of A-Z a-z 0-9 + * # . _ @ : -"))
    }
}

fn check_tone(hz: u32) -> Result<(), SwitchError> {
    if hz == 0 || PHONE_HZ.contains(&hz) {
        Ok(())
    } else {
        Err(SwitchError::invalid("tone_hz", "must be 0 or 300 to 3900"))
    }
}

impl Engine {
    /// Creates or changes a phone.
    pub fn put_phone(&mut self, mut phone: PhoneRecord) -> Result<PhoneRecord, SwitchError> {
        check_address("address", &phone.address)?;
        check_tone(phone.tone_hz)?;
        if let AnswerBehaviour::AnswersAfter { delay_ms } | AnswerBehaviour::Declines { delay_ms } = phone.behaviour
            && !(0..=LONGEST_DELAY_MS).contains(&delay_ms)
        {
            return Err(SwitchError::invalid("delay_ms", "must be 0 to 3600000"));
        }
        let known = self.phones.find(&phone.tenant, &phone.address).map(|known| known.tone_hz);
        let limit = self.limits.phones;
        if known.is_none() && self.phones.count(&phone.tenant) >= limit {
            return Err(SwitchError::TooMany { what: "phones of this tenant", limit });
        }
        if phone.tone_hz == 0 {
            phone.tone_hz = known.unwrap_or_else(|| self.phones.next_tone(&phone.tenant));
        }
        self.phones.put(phone.clone());
        self.effects.push(Effect::PhonePut(phone.clone()));
        Ok(phone)
    }

    /// Removes a phone; its live legs go on.
    pub fn delete_phone(&mut self, tenant: &str, address: &str) -> Result<(), SwitchError> {
        let removed = self.phones.0.get_mut(tenant).and_then(|phones| phones.remove(address));
        let phone = removed.ok_or_else(|| SwitchError::NotFound { what: "phone", id: address.to_owned() })?;
        self.effects.push(Effect::PhoneDeleted { tenant: phone.tenant, address: phone.address });
        Ok(())
    }

    /// A tenant's phones in order of their addresses, from the one after `after`.
    pub fn phones(&self, tenant: &str, after: &str) -> impl Iterator<Item = &PhoneRecord> {
        let phones = self.phones.0.get(tenant).into_iter().flat_map(BTreeMap::values);
        phones.skip_while(move |phone| phone.address.as_str() <= after)
    }

    /// A customer calls; `leg_id` is a fresh one.
    pub fn place_call(&mut self, call: &PlacedCall, leg_id: LegId) -> Result<LegId, SwitchError> {
        check_address("from", &call.from)?;
        check_address("to", &call.to)?;
        check_tone(call.tone_hz)?;
        self.check_room_for_a_leg()?;
        self.begin_inbound(call, &leg_id);
        Ok(leg_id)
    }

    pub fn answer_phone(&mut self, tenant: &str, selector: &Selector) -> Result<Vec<LegId>, SwitchError> {
        let legs = self.select(tenant, selector, is_ringing_phone)?;
        for leg in &legs {
            self.answer_leg(leg);
        }
        Ok(legs)
    }

    pub fn decline_phone(&mut self, tenant: &str, selector: &Selector) -> Result<Vec<LegId>, SwitchError> {
        let legs = self.select(tenant, selector, is_ringing_phone)?;
        for leg in &legs {
            self.end_leg(leg, EndCause::Declined, Side::Phone);
        }
        Ok(legs)
    }

    /// Hangs up: before the answer only a caller can, after it both sides.
    pub fn hang_up_phone(&mut self, tenant: &str, selector: &Selector) -> Result<Vec<LegId>, SwitchError> {
        let legs = self.select(tenant, selector, |leg| !is_ringing_phone(leg))?;
        for leg in &legs {
            let is_ringing = self.legs.get(leg).is_some_and(|leg| leg.state == SwitchLegState::Ringing);
            let cause = if is_ringing { EndCause::Cancelled } else { EndCause::Normal };
            self.end_leg(leg, cause, Side::Phone);
        }
        Ok(legs)
    }

    /// The phone sends silence, or its tone again.
    pub fn mute_phone(&mut self, tenant: &str, selector: &Selector, muted: bool) -> Result<Vec<LegId>, SwitchError> {
        let legs = self.select(tenant, selector, |_| true)?;
        for id in &legs {
            let Some(leg) = self.legs.get_mut(id).filter(|leg| leg.phone_muted != muted) else { continue };
            leg.phone_muted = muted;
            self.emit(tenant, LedgerAction::LegMuted { leg_id: id.clone(), muted, side: Side::Phone });
        }
        Ok(legs)
    }

    /// Keys are pressed, one after the other.
    pub fn press_keys(&mut self, tenant: &str, selector: &Selector, keys: &str) -> Result<Vec<LegId>, SwitchError> {
        if !(1..=MOST_KEYS).contains(&keys.len()) || !keys.chars().all(is_key) {
            return Err(SwitchError::invalid("keys", "must be 1 to 64 of 0-9, * and #"));
        }
        let legs = self.select(tenant, selector, |leg| leg.state != SwitchLegState::Ringing)?;
        for leg in &legs {
            self.keys_pressed(leg, keys);
        }
        Ok(legs)
    }

    fn begin_inbound(&mut self, call: &PlacedCall, leg_id: &LegId) {
        let own = self.phones.find(&call.tenant, &call.from).map_or(CUSTOMER_HZ, |phone| phone.tone_hz);
        let tone = self.tones.tone(if call.tone_hz == 0 { own } else { call.tone_hz });
        let new = NewLeg {
            tenant: call.tenant.clone(),
            address: call.from.clone(),
            called: Some(call.to.clone()),
            direction: LegDirection::Inbound,
            tone,
            variables: BTreeMap::new(),
            ring_us: self.limits.inbound_ring_us,
        };
        self.begin_leg(leg_id.clone(), new);
        let (leg_id, address, called) = (leg_id.clone(), call.from.clone(), call.to.clone());
        self.emit(&call.tenant, LedgerAction::CallPlaced { leg_id, address, called });
    }

    fn select(
        &self,
        tenant: &str,
        selector: &Selector,
        fits: impl Fn(&SwitchLeg) -> bool,
    ) -> Result<Vec<LegId>, SwitchError> {
        let matching = self.legs.iter().filter(|(id, leg)| leg.tenant == tenant && selector.matches(id, leg));
        let legs: Vec<LegId> = matching.filter(|(_, leg)| fits(leg)).map(|(id, _)| id.clone()).collect();
        if legs.is_empty() { Err(selector.nothing()) } else { Ok(legs) }
    }
}

/// A dialled leg that rings: it can be picked up or refused, but there is nothing yet to hang up.
fn is_ringing_phone(leg: &SwitchLeg) -> bool {
    leg.direction == LegDirection::Outbound && leg.state == SwitchLegState::Ringing
}
