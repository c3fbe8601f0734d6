//! Dialling: rings a phone once for each leg id, whatever the outcome.

use std::collections::BTreeMap;

use super::Engine;
use super::error::SwitchError;
use super::ids::LegId;
use super::ledger::LedgerAction;
use super::legs::NewLeg;
use super::model::{AnswerBehaviour, EndCause, LegDirection, PhoneRecord, Side};
use super::phones::check_address;
use super::timers::Due;

const LONGEST_RING_MS: i64 = 600_000;
const MOST_VARIABLES: usize = 16;
const LONGEST_VARIABLE: usize = 256;

#[derive(Debug, Clone)]
pub struct DialRequest {
    /// Good for one attempt.
    pub leg_id: LegId,
    pub tenant: String,
    /// The phone's.
    pub address: String,
    /// Shown on the phone.
    pub caller_id: String,
    pub ring_timeout_ms: i64,
    /// Given back in the snapshot.
    pub variables: BTreeMap<String, String>,
}

impl DialRequest {
    fn check(&self) -> Result<(), SwitchError> {
        check_address("address", &self.address)?;
        if self.tenant.is_empty() {
            return Err(SwitchError::invalid("tenant", "must not be empty"));
        }
        if !(1..=LONGEST_RING_MS).contains(&self.ring_timeout_ms) {
            return Err(SwitchError::invalid("ring_timeout_ms", "must be 1 to 600000"));
        }
        let fits = |text: &String| text.len() <= LONGEST_VARIABLE;
        let variables_fit = self.variables.iter().all(|(name, value)| fits(name) && fits(value));
        if self.variables.len() > MOST_VARIABLES || !variables_fit || !fits(&self.caller_id) {
            return Err(SwitchError::invalid("variables", "must be 16 at most, with 256 bytes each, as the caller id"));
        }
        Ok(())
    }
}

impl Engine {
    /// Rings a phone, once for each leg id.
    pub fn dial(&mut self, dial: DialRequest) -> Result<(), SwitchError> {
        dial.check()?;
        if self.used_legs.contains(&dial.leg_id) || self.legs.contains_key(&dial.leg_id) {
            return Err(dial.leg_id.used());
        }
        self.check_room_for_a_leg()?;
        self.used_legs.insert(dial.leg_id.clone());
        let (leg_id, address) = (dial.leg_id.clone(), dial.address.clone());
        self.emit(
            &dial.tenant,
            LedgerAction::LegDialed { leg_id: leg_id.clone(), address, caller_id: dial.caller_id.clone() },
        );
        let phone = self.phones.reached_by(&dial.tenant, &dial.address).cloned();
        let refusal = match phone.as_ref().map(|phone| phone.behaviour) {
            None | Some(AnswerBehaviour::Unreachable) => Some((EndCause::Unreachable, Side::Switch)),
            Some(AnswerBehaviour::Busy) => Some((EndCause::Busy, Side::Phone)),
            Some(_) => None,
        };
        match (refusal, phone) {
            (Some((cause, side)), _) => self.emit(&dial.tenant, LedgerAction::LegEnded { leg_id, cause, side }),
            (None, Some(phone)) => self.ring(dial, &phone),
            (None, None) => {}
        }
        Ok(())
    }

    /// Refuses if the switch has all the legs that it may have.
    pub(crate) fn check_room_for_a_leg(&self) -> Result<(), SwitchError> {
        let limit = self.limits.legs;
        if self.legs.len() < limit { Ok(()) } else { Err(SwitchError::TooMany { what: "legs", limit }) }
    }

    fn ring(&mut self, dial: DialRequest, phone: &PhoneRecord) {
        let id = dial.leg_id;
        let new = NewLeg {
            tenant: dial.tenant.clone(),
            address: phone.address.clone(),
            called: None,
            direction: LegDirection::Outbound,
            tone: self.tones.tone(phone.tone_hz),
            variables: dial.variables,
            ring_us: dial.ring_timeout_ms * 1_000,
        };
        self.begin_leg(id.clone(), new);
        self.emit(&dial.tenant, LedgerAction::LegRinging { leg_id: id.clone() });
        // Set after the ring time: of two at the same moment the end of the ring time comes first.
        match phone.behaviour {
            AnswerBehaviour::AnswersAfter { delay_ms } => {
                self.set_leg_timer(&id, delay_ms, Due::PhoneAnswers(id.clone()));
            }
            AnswerBehaviour::Declines { delay_ms } => self.set_leg_timer(&id, delay_ms, Due::PhoneDeclines(id.clone())),
            _ => {}
        }
    }

    fn set_leg_timer(&mut self, id: &LegId, in_ms: i64, due: Due) {
        let key = self.timers.set(self.now_us.saturating_add(in_ms * 1_000), due);
        if let Some(leg) = self.legs.get_mut(id) {
            leg.timers.push(key);
        }
    }
}
