//! Policy as data: one TOML file a profile, and a tenant's overrides on it. There is no branch on a profile's name anywhere; what two
//! products do differently is a field here.

mod check;
mod parse;
mod profiles;

pub use parse::{PolicyError, parse, parse_file, restore};
pub use profiles::{PROFILES, Profile, profile};

use crate::{action::ActionSet, actor::OutsideSort, machine::SearchRules};
use baton_words::{AgentState, Direction, Medium, TargetSort, TransferKind};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A transfer policy. Frozen in an interaction when it opens (decision 2). All times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Documentation only, never looked at by code.
    pub name: String,
    pub interaction: InteractionRules,
    /// How a customer is handed over: a row for each kind. A kind that a profile lacks is absent.
    pub methods: BTreeMap<TransferKind, Method>,
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
    /// How often a customer may be handed to the same agent by name; 0 for any number (T8). A team or a queue asks whoever is free.
    pub max_hops_to_agent: u32,
    /// How long an agent wraps up after a call; 0 for not at all.
    pub wrap_up_ms: i64,
    /// How long a call may last; then it is ended.
    pub max_call_ms: i64,
    /// How long a phone may ring in a call that an agent places: first the agent's own, then the customer's.
    pub dial_ring_ms: i64,
    /// How many calls to numbers outside the tenant may have at the same time, those that agents place among them; 0 for any number (X3).
    pub outside_max: u32,
    /// How many of them one agent may have begun; 0 for any number.
    pub outside_max_per_agent: u32,
    /// The states in which an agent may place a call (F9). Who is in a call already, or reserved for one, never may.
    pub dial_states: Vec<AgentState>,
    /// How often an agent's phone is dialled anew in a call flow, or for an agent's own call, when it could not be reached.
    pub redials: u8,
    /// In a call flow: after how long who declined or missed is asked again; 0 for never.
    pub again_after_ms: i64,
    /// In a call flow: what happens when nobody of a team can be asked (F3).
    pub when_nobody: WhenNobody,
    /// How long a customer may be on hold while no transfer is open; then they are taken off hold. 0: as long as the call.
    pub hold_max_ms: i64,
    /// After how long on hold, and again after each such time, a reminder is published; 0 for never.
    pub hold_reminder_ms: i64,
    /// How long a message in voicemail may take before its end is no longer waited for.
    pub voicemail_ms: i64,
    /// How long presence may take to answer for a claim, before the agent counts as unreachable.
    pub claim_answer_ms: i64,
    /// How much later than telephony's own ring time a silent phone counts as unreachable (T4).
    pub ring_silence_ms: i64,
    /// How long telephony may take to show the customer with the recipient who has taken over.
    pub hand_over_ms: i64,
    /// How long the announcement that the customer has left may take (C3: all is over 15 s after they left).
    pub farewell_ms: i64,
    /// What becomes of a customer who is held, or cut off from their agent, when the last agent is gone (C4). Nobody's voicemail is meant
    /// by it: `next_step` and `disconnect` alone.
    pub orphan: Vec<Fallback>,
    /// What agents hear when the customer hangs up while on hold (B209).
    pub customer_gone: CustomerGone,
    /// The tenant's own list of what a transfer is for (B503); with an empty one, transfers have none.
    pub outcomes: Vec<Arc<str>>,
    /// The tenant's own list of how a turn with a customer ended (B507); with an empty one, nothing is dispositioned.
    pub dispositions: Vec<Arc<str>>,
    /// An agent who leaves a call wraps up until they have dispositioned it, or for `wrap_up_ms`.
    pub needs_disposition: bool,
}

/// One way of handing a customer over: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Where the customer is while a recipient is looked for.
    pub customer: CustomerMeanwhile,
    /// What a customer in the lobby hears meanwhile.
    pub hears: Hears,
    /// When the initiator is released.
    pub released: ReleaseMoment,
    /// When a transfer to a queue has succeeded (B404): what `released` says of agents and teams begins then.
    #[serde(default = "QueueSuccess::answered")]
    pub queue_success: QueueSuccess,
    /// What happens when nobody could be had, or nobody answered, while the initiator is still there.
    pub on_unanswered: OnUnanswered,
    /// How the customer is after a transfer that did not go through (B105, B205).
    pub after_failure: AfterFailure,
    /// Whoever starts it must choose one of `interaction.outcomes` (B503).
    pub needs_outcome: bool,
    /// Whoever starts it must write something to the recipient (B303).
    pub needs_message: bool,
    /// To whom, and how a recipient is found.
    pub offer: OfferRules,
    /// While it waits or rings.
    pub offered: PhaseRules,
    /// The private consult and the three-way; without them the recipient takes over by answering.
    #[serde(default)]
    pub consult: Option<ConsultRules>,
    /// While the customer is in an IVR flow: exactly where the kind goes to one.
    #[serde(default)]
    pub away: Option<PhaseRules>,
}

/// What it takes to find a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferRules {
    /// The sorts of target that this kind of transfer goes to.
    pub targets: Vec<TargetSort>,
    /// What the tenant's plan must include; empty for nothing (B104).
    pub entitlement: String,
    /// How long one recipient's phone may ring.
    pub ring_ms: i64,
    /// How long a team, or an agent who is in another call, may be waited for in all.
    pub wait_ms: i64,
    /// How often an agent's phone is dialled anew when it could not be reached, or the switch does not know whether it was dialled. A number
    /// outside never is (S2).
    pub redials: u8,
    /// After how long who declined or missed is asked again; 0 for never (A5, decision 9).
    pub again_after_ms: i64,
    /// What happens when nobody of a team can be asked.
    pub when_nobody: WhenNobody,
    /// The states in which an agent may be chosen.
    pub choosable: Vec<AgentState>,
    /// Those of the choosable states in which a picker recommends an agent (B501).
    pub recommended: Vec<AgentState>,
    /// What happens when the chosen agent is in another call (B504).
    pub when_busy: WhenBusy,
    /// Where `targets` names numbers outside: which of them, by the direction of the call (B408).
    pub outside: OutsideRules,
    /// Where the customer goes when there is no recipient and no initiator, in order of preference; the last must be `disconnect`.
    pub fallback: Vec<Fallback>,
}

/// Which numbers outside a kind of transfer goes to: of each sort, in calls of these directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideRules {
    /// Configured with user number forwarding.
    pub forwarding: Vec<Direction>,
    /// Configured without.
    pub not_forwarding: Vec<Direction>,
    /// Typed in.
    pub typed: Vec<Direction>,
}

impl OfferRules {
    /// Where a customer of this medium can be transferred to.
    pub fn sorts(&self, medium: Medium) -> impl Iterator<Item = TargetSort> {
        self.targets.iter().copied().filter(move |sort| sort.is_of(medium))
    }
}

impl OutsideRules {
    /// Whether a number of this sort can be chosen in a call of this direction.
    pub fn allows(&self, sort: OutsideSort, direction: Direction) -> bool {
        let directions = match sort {
            OutsideSort::Forwarding => &self.forwarding,
            OutsideSort::NotForwarding => &self.not_forwarding,
            OutsideSort::Typed => &self.typed,
        };
        directions.contains(&direction)
    }
}

/// A consult before the recipient takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsultRules {
    /// What happens when the recipient answers while the customer is with the initiator: they stayed there (B309), or were taken off hold (B106).
    pub answered_while_resumed: AnsweredWhileResumed,
    /// How the customer is when the recipient takes over in the consult (C4, B206).
    pub hold_after_complete: HoldAfterComplete,
    /// An initiator who mutes themselves in the consult or the three-way hands over by it (B203).
    pub mute_hands_over: bool,
    /// What happens when the customer leaves while the initiator is with a recipient outside, or keeps one waiting (B409).
    pub customer_gone: ConsultCustomerGone,
    /// While initiator and recipient talk in private; and while the recipient waits alone, because they have accepted (B305) or the initiator has
    /// swapped (B602).
    pub consulting: PhaseRules,
    /// While all three hear each other.
    pub joined: PhaseRules,
}

/// One phase of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRules {
    /// How long it may last (C5: a deadline in every phase). What happens then: `on_timeout`.
    pub max_ms: i64,
    pub on_timeout: Ending,
    /// What it means that the initiator leaves.
    pub initiator_leaves: Ending,
    pub initiator_may: ActionSet,
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

/// Where a customer is while a recipient is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerMeanwhile {
    /// With the initiator.
    Stays,
    /// On hold, from the moment on at which somebody is reserved.
    Hold,
    /// Alone, with ringing or music: the initiator is released.
    Lobby,
}

/// When the initiator is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseMoment {
    /// As soon as it waits in a team's queue; for an agent as `reserved`.
    Enqueued,
    /// As soon as somebody is reserved. Before, nothing changes for the customer (F2).
    Reserved,
    /// When the recipient answers.
    Answered,
    /// When somebody commits: by completing, by leaving, or by muting themselves.
    Committed,
    /// Not at all: the customer comes back to them (B406).
    Never,
}

/// When a transfer to a queue has succeeded. It has failed if the queue is closed, or not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueSuccess {
    /// As soon as it waits in the queue.
    Enqueued,
    /// When somebody answers: until then an initiator who would be released early stays with the customer.
    Answered,
}

impl QueueSuccess {
    /// What policies of earlier versions mean.
    fn answered() -> Self {
        Self::Answered
    }
}

/// What happens when nobody could be had while the initiator is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnanswered {
    /// The transfer fails; the initiator keeps the customer.
    Fail,
    /// The customer goes where an unanswered transfer goes (B102).
    Fallback,
}

/// What happens when nobody of a team can be asked: it is empty, or all have declined or missed and are not to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenNobody {
    /// Wait for somebody, until the time is over.
    Wait,
    /// Give up.
    Leave,
}

/// What happens when an agent who was chosen by name is in another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenBusy {
    /// They are not to be had.
    Refuse,
    /// They see that a transfer waits for them, and are offered it when they are free (B504). A waiting customer stays with the initiator.
    Wait,
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

/// How the customer is after a transfer that did not go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterFailure {
    /// On hold, until the initiator takes them off. Who talked with the initiator while a team or a queue was waited for goes on talking.
    Held,
    /// As they are at that moment.
    AsIs,
    /// With the initiator.
    Resumed,
}

/// What happens when the recipient answers while the customer is not on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredWhileResumed {
    /// They join it.
    Join,
    /// The customer is put on hold again for the consult.
    Hold,
    /// They wait with music, and the conversation goes on until the initiator completes the transfer (B305).
    Wait,
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

/// What happens when the customer leaves, and there is somebody outside whom the initiator has called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultCustomerGone {
    /// The call ends, as `interaction.customer_gone` says.
    End,
    /// The initiator goes on with them: they are the customer then, and can't be handed over outside.
    GoOn,
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
    /// How this kind of transfer works; none where the policy does not have it.
    pub fn method(&self, kind: TransferKind) -> Option<&Method> {
        self.methods.get(&kind)
    }

    /// The whole policy, in the form in which it is read.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// What any rule asks the tenant's plan for; and so what a plan can include.
    pub fn known_entitlements(&self) -> impl Iterator<Item = &str> {
        self.methods.values().map(|method| method.offer.entitlement.as_str()).filter(|it| !it.is_empty())
    }

    /// Whether the tenant's plan includes this method (B104).
    pub fn entitled(&self, method: &Method) -> bool {
        let needed = &method.offer.entitlement;
        needed.is_empty() || self.entitlements.iter().any(|has| has == needed)
    }
}

impl Method {
    pub(crate) fn mute_hands_over(&self) -> bool {
        self.consult.as_ref().is_some_and(|consult| consult.mute_hands_over)
    }

    pub(crate) fn search_rules(&self, house: &InteractionRules) -> SearchRules {
        SearchRules {
            ring_us: self.offer.ring_ms * 1000,
            wait_us: self.offer.wait_ms * 1000,
            redials: self.offer.redials,
            choosable: self.offer.choosable.iter().copied().collect(),
            again_after_us: self.offer.again_after_ms * 1000,
            waits_for_nobody: self.offer.when_nobody == WhenNobody::Wait,
            waits_if_busy: self.offer.when_busy == WhenBusy::Wait,
            claim_answer_us: house.claim_answer_ms * 1000,
            silence_us: house.ring_silence_ms * 1000,
            accepts: false,
        }
    }
}

impl InteractionRules {
    /// For the agent who calls.
    pub(crate) fn caller_rules(&self) -> SearchRules {
        let choosable = self.dial_states.iter().copied().collect();
        SearchRules { choosable, ..self.search_rules(self.dial_ring_ms, 0) }
    }

    /// For a step of the call flow.
    pub(crate) fn search_rules(&self, ring_ms: i64, wait_ms: i64) -> SearchRules {
        SearchRules {
            ring_us: ring_ms * 1000,
            wait_us: wait_ms * 1000,
            redials: self.redials,
            choosable: smallvec::smallvec![AgentState::Available],
            again_after_us: self.again_after_ms * 1000,
            waits_for_nobody: self.when_nobody == WhenNobody::Wait,
            waits_if_busy: false,
            claim_answer_us: self.claim_answer_ms * 1000,
            silence_us: self.ring_silence_ms * 1000,
            accepts: false,
        }
    }
}
