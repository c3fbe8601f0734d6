//! Policy as data: one TOML file a profile, and a tenant's overrides on it. There is no branch on a profile's name anywhere; what two
//! products do differently is a field here.

mod check;
mod parse;
mod profiles;

pub use parse::{PolicyError, parse, restore};
pub use profiles::{PROFILES, Profile, profile};

use crate::{
    action::ActionSet,
    words::{AgentState, Kind, TargetSort},
};
use serde::{Deserialize, Serialize};

/// A transfer policy. Frozen in an interaction when it opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name; documentation only, never looked at by code.
    pub name: String,
    /// What holds with and without a transfer.
    pub interaction: InteractionRules,
    /// Cold transfers.
    pub cold: ColdRules,
    /// Warm transfers.
    pub warm: WarmRules,
    /// What the tenant's plan includes. Not part of the file: it comes with the tenant.
    #[serde(skip)]
    pub entitlements: Vec<String>,
}

/// What holds with and without a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionRules {
    /// How often a customer may be handed on (T8).
    pub max_hops: u32,
    /// How long an agent wraps up after a call, ms; 0 for not at all.
    pub wrap_up_ms: i64,
    /// How long a call may last, ms; then it is ended.
    pub max_call_ms: i64,
    /// How long a phone may ring in a call that an agent places: first the agent's own, then the customer's; ms.
    pub dial_ring_ms: i64,
    /// What becomes of a customer who is held, or cut off from their agent, when the last agent is gone (C4). Nobody's voicemail is meant
    /// by it: `next_step` and `disconnect` alone.
    pub orphan: Vec<Fallback>,
    /// What agents hear when the customer hangs up while on hold (B209).
    pub customer_gone: CustomerGone,
}

/// What it takes to find a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferRules {
    /// The sorts of target that this kind of transfer goes to.
    pub targets: Vec<TargetSort>,
    /// What the tenant's plan must include; empty for nothing (B104).
    pub entitlement: String,
    /// How long one recipient's phone may ring, ms.
    pub ring_ms: i64,
    /// How long a team may be waited for in all, ms.
    pub wait_ms: i64,
    /// How often an agent's phone is dialled anew when it could not be reached, or nobody knows whether it was dialled. A number outside
    /// never is (S2).
    pub redials: u8,
    /// The states in which an agent may be chosen.
    pub choosable: Vec<AgentState>,
    /// Where the customer goes when there is no recipient and no initiator, in order of preference; the last must be `disconnect`.
    pub fallback: Vec<Fallback>,
}

/// Cold transfers: the initiator is released at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColdRules {
    /// Finding the recipient.
    pub offer: OfferRules,
    /// What happens when the recipient can't be reserved: nothing (the initiator keeps the customer), or the fallback (B102).
    pub on_refused: OnRefused,
    /// What the customer hears meanwhile.
    pub customer_hears: Hears,
}

/// Warm transfers: the initiator stays until somebody commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmRules {
    /// Finding the recipient.
    pub offer: OfferRules,
    /// How the customer is after a transfer that did not go through (B105, B205).
    pub after_failure: AfterFailure,
    /// What happens when the recipient answers while the initiator has taken the customer off hold (B106).
    pub answered_while_resumed: AnsweredWhileResumed,
    /// How the customer is when the recipient takes over in the consult (C4, B206).
    pub hold_after_complete: HoldAfterComplete,
    /// An initiator who mutes themselves in the consult or the three-way hands over by it (B203).
    pub mute_hands_over: bool,
    /// While it waits or rings.
    pub offered: PhaseRules,
    /// While initiator and recipient talk in private.
    pub consulting: PhaseRules,
    /// While all three hear each other.
    pub joined: PhaseRules,
}

/// One phase of a warm transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRules {
    /// How long it may last, ms (C5: a deadline in every phase). What happens then: `on_timeout`.
    pub max_ms: i64,
    /// What happens then.
    pub on_timeout: Ending,
    /// What it means that the initiator leaves.
    pub initiator_leaves: Ending,
    /// What the initiator may do.
    pub initiator_may: ActionSet,
    /// What the recipient may do.
    pub recipient_may: ActionSet,
}

/// How a phase ends. A phase that has a recipient can't go on without the initiator in any other way than by being completed, and one that
/// has none can't be completed: there these words are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The recipient takes over.
    Complete,
    /// The transfer goes on without the initiator, as a cold one does.
    Continue,
    /// The transfer is taken back.
    Cancel,
}

/// What happens when a recipient can't be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRefused {
    /// The transfer fails; the initiator keeps the customer.
    Fail,
    /// The customer goes where an unanswered transfer goes.
    Fallback,
}

/// What a waiting customer hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hears {
    /// Ringing, as if they called the recipient.
    Ringback,
    /// Hold music.
    Music,
}

/// How the customer is after a failed transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterFailure {
    /// On hold, until the initiator takes them off.
    Held,
    /// As they are at that moment.
    AsIs,
    /// With the initiator.
    Resumed,
}

/// What happens when the recipient answers into a resumed conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredWhileResumed {
    /// They join it.
    Join,
    /// The customer is put on hold again for the consult.
    Hold,
}

/// How the customer is when the recipient takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldAfterComplete {
    /// Off hold, with the recipient.
    Release,
    /// Still held; the recipient takes them off.
    Keep,
}

/// What agents hear when the held customer hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerGone {
    /// An announcement; then the call ends.
    Announce,
    /// Nothing: the call ends.
    End,
}

/// Where a customer goes whom nobody takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// To the recipient's personal voicemail, if they have one and the call flow does not skip it.
    Voicemail,
    /// To the next step of the call flow, if there is one.
    NextStep,
    /// The call ends.
    Disconnect,
}

impl Policy {
    /// The rules for finding a recipient.
    pub fn offer(&self, kind: Kind) -> &OfferRules {
        match kind {
            Kind::Cold => &self.cold.offer,
            Kind::Warm => &self.warm.offer,
        }
    }

    /// What any rule asks the tenant's plan for; and so what a plan can include.
    pub fn known_entitlements(&self) -> impl Iterator<Item = &str> {
        [&self.cold.offer, &self.warm.offer]
            .into_iter()
            .map(|rules| rules.entitlement.as_str())
            .filter(|it| !it.is_empty())
    }

    /// Whether the tenant's plan includes this kind (B104).
    pub fn entitled(&self, kind: Kind) -> bool {
        let needed = &self.offer(kind).entitlement;
        needed.is_empty() || self.entitlements.iter().any(|has| has == needed)
    }
}
