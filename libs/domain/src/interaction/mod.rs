//! The aggregate: everything that is true of one call as the customer lives it. What is *wanted* of the world is in here (a held customer, a
//! ringing agent); what was *observed* is kept beside it (the room a leg is in), so that an event can follow the fact.

mod journey;
mod opening;
mod participation;
mod party;
mod tally;

pub use journey::{HandedOver, Hop, HopOutcome};
pub use opening::Opening;
pub(crate) use participation::MAX_PARTICIPATIONS;
pub use participation::{Dispositioned, Participation};
pub use party::{Leg, LegSource, LegState, Outside, Party, PartyNo, Who};
pub(crate) use tally::Activity;
pub use tally::{Summary, Tally, Times};

use crate::{
    actor::{Actor, ExternalRef, Target},
    machine::{Flow, IvrFlow, Recorder, Search, Transfer},
};
use baton_words::{
    AgentId, AnnouncementNo, ClaimNo, Direction, ExitNo, InteractionId, LegNo, Medium, Reason, SwitchId, TransferKind,
    TransferNo,
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::{collections::BTreeMap, sync::Arc};

/// The most notes of an interaction: all of them are in each view.
pub const MAX_NOTES: usize = 100;
/// The most transfers, those that came to nothing among them: each stays in the journey.
pub const MAX_TRANSFERS: usize = 100;
/// The most messages of a chat.
pub const MAX_MESSAGES: u32 = 10_000;
/// The most keys of attached data.
pub const MAX_DATA: usize = 64;
/// How many released claims are kept: more than are ever released before presence has taken notice, unless it is down.
pub(crate) const RELEASED_KEPT: usize = 16;

/// One call as the customer lives it, from first contact to last goodbye. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    pub id: InteractionId,
    pub tenant: Arc<str>,
    /// The switch that all its legs are on.
    #[serde(default)]
    pub switch: SwitchId,
    /// Grows by one with each change.
    pub version: u64,
    /// The sequence of its last event.
    pub sequence: i64,
    pub opened_at_us: i64,
    /// When it last changed.
    pub updated_at_us: i64,
    pub medium: Medium,
    pub direction: Direction,
    /// The number that was called, or called from.
    pub number: Arc<str>,
    /// The customer and the agents who are connected, in order of arrival.
    pub parties: SmallVec<[Party; 3]>,
    /// Which party is the customer. A party always: one who has left is a party whose leg is over.
    pub customer: PartyNo,
    /// See [`Opening::customer_key`].
    #[serde(default = "no_key")]
    pub customer_key: Arc<str>,
    pub stage: Stage,
    pub flow: Flow,
    /// The open transfer; one that has ended is a hop of the journey.
    pub transfer: Option<Transfer>,
    /// Every hop so far (B603).
    pub journey: Vec<Hop>,
    /// Notes (B204).
    pub notes: Vec<Note>,
    /// Attached data.
    pub data: BTreeMap<Arc<str>, Arc<str>>,
    /// The participations of agents who have left, where the policy has dispositions (B507).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participations: Vec<Participation>,
    pub recorder: Recorder,
    /// The last claims that were released, so that presence learns why.
    pub released: SmallVec<[ReleasedClaim; 4]>,
    pub tally: Tally,
    pub counters: Counters,
    /// The version of the tenant's policy under which it began, and goes on (decision 2).
    pub policy_version: u64,
}

/// Where an interaction stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// No agent has the customer, and somebody is looked for.
    Seeking(Seeker),
    /// An agent has the customer.
    Served(Service),
    /// The customer is in voicemail, or in an IVR flow that nobody waits for.
    Exiting(Exit),
    /// The customer has left, and the agents who were apart from them hear so (B209).
    Farewell {
        announcement: AnnouncementNo,
        /// When to stop waiting for its end.
        until_us: i64,
    },
    Ended(Reason),
}

/// Of an interaction that began before customers had keys.
fn no_key() -> Arc<str> {
    "".into()
}

/// For whom somebody is looked for while no agent has the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeker {
    /// A step of the call flow.
    Flow(Box<Search>),
    /// The agent who calls a customer: their own phone rings first.
    Caller(Box<Search>),
    /// The open transfer, whose initiator is released. The search is the transfer's.
    Transfer,
}

/// An agent has the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub primary: PartyNo,
    /// The customer is on hold.
    pub hold: Option<Hold>,
    /// The customer is in an IVR flow, and comes back (B406). Never on hold meanwhile (C1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Exit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub since_us: i64,
    /// When somebody was last reminded of it; the beginning before.
    pub reminded_at_us: i64,
}

/// The customer's leg leaves Baton's rooms, and may come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub no: ExitNo,
    #[serde(flatten)]
    pub to: ExitTo,
    /// When to stop waiting for its end.
    pub until_us: i64,
}

/// Where a leg leaves to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitTo {
    /// Voicemail: an agent's id, or the name of a call flow's box.
    Mailbox(Arc<str>),
    Flow(Box<FlowVisit>),
}

/// The customer's way through an IVR flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowVisit {
    pub flow: Arc<IvrFlow>,
    /// The transfer by which they came there, and its kind.
    pub transfer: TransferNo,
    pub kind: TransferKind,
    pub since_us: i64,
    /// The switch has said that they are in it.
    pub seen: bool,
    /// How many of the data that the flow has collected and set are known.
    pub known: u32,
}

/// What somebody wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub author: Actor,
    /// Personal data.
    pub text: Arc<str>,
    pub at_us: i64,
}

/// A claim that is over. The last few are kept in the claims' projection, so that presence learns why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedClaim {
    pub claim: ClaimNo,
    pub agent: AgentId,
    pub reason: Reason,
    /// How long the agent wraps up, ms (A4).
    pub wrap_up_ms: i64,
    /// Whether their disposition ends that, and nothing else does (B507).
    #[serde(default, skip_serializing_if = "Closing::is_free")]
    pub closing: Closing,
}

/// What a disposition means for the wrap-up of whoever owes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Nothing: the wrap-up ends by itself, or when the agent says that they are ready.
    #[default]
    Free,
    /// The agent wraps up until they have dispositioned the participation, or until the time is over.
    Due,
    /// They have: the wrap-up is over.
    Done,
}

impl Closing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_free(&self) -> bool {
        *self == Self::Free
    }
}

/// The last number given of each sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub party: u32,
    pub leg: u32,
    pub claim: u32,
    pub wait: u32,
    pub transfer: u32,
    pub recording: u32,
    pub segment: u32,
    pub announcement: u32,
    pub exit: u32,
    /// How many of the exits went to IVR flows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flow_exit: u32,
    /// Messages of a chat.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub message: u32,
    /// Those of them that the customer sees: to them no number is missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shown_message: u32,
    /// What is written in all of them, in bytes, at most 4 GiB: they are kept beside the interaction.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub message_bytes: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Counters {
    /// The next number of a sort.
    pub(crate) fn take(counter: &mut u32) -> u32 {
        *counter += 1;
        *counter
    }

    pub(crate) fn next_leg(&mut self) -> LegNo {
        LegNo(Self::take(&mut self.leg))
    }
}

impl Interaction {
    /// Erases who the customer is, what was written, and what was attached; all that is counted stays, and the customer's key. For one that is
    /// over.
    pub fn forget_customer(&mut self) {
        let nothing: Arc<str> = "".into();
        let customer = self.customer_mut();
        customer.who = Who::Customer { address: nothing.clone() };
        if let LegSource::Outside(outside) = &mut customer.leg.origin {
            outside.phone = nothing.clone();
        }
        for note in &mut self.notes {
            note.text = nothing.clone();
        }
        for given in self.participations.iter_mut().filter_map(|participation| participation.given.as_mut()) {
            given.disposition.note = nothing.clone();
        }
        for by in self.journey.iter_mut().filter_map(|hop| hop.by.as_mut()) {
            by.message = nothing.clone();
        }
        for hop in &mut self.journey {
            if let Target::External(external) = &mut hop.target {
                *external = Arc::new(ExternalRef { number: nothing.clone(), ..external.as_ref().clone() });
            }
        }
        self.data.clear();
        self.counters.message_bytes = 0;
        self.version += 1;
    }

    pub fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    pub fn party(&self, no: PartyNo) -> Option<&Party> {
        self.parties.iter().find(|party| party.no == no)
    }

    /// # Panics
    /// Never: the customer is a party from the opening on, and none but agents are taken out.
    pub fn customer(&self) -> &Party {
        self.party(self.customer).expect("the customer is a party from the opening on")
    }

    pub(crate) fn customer_mut(&mut self) -> &mut Party {
        let no = self.customer;
        self.parties.iter_mut().find(|party| party.no == no).expect("the customer is a party from the opening on")
    }

    /// The agents who are connected, in order of arrival.
    pub fn agents(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.agent().is_some())
    }

    /// The connected agent with this id.
    pub fn agent(&self, id: AgentId) -> Option<&Party> {
        self.parties.iter().find(|party| party.agent_id() == Some(id))
    }

    /// The agent who has the customer.
    pub fn primary(&self) -> Option<AgentId> {
        self.primary_party().and_then(Party::agent_id)
    }

    /// Who has the customer: an agent, or a party outside to whom they were handed over.
    pub fn primary_party(&self) -> Option<&Party> {
        self.service().and_then(|service| self.party(service.primary))
    }

    /// The parties outside who are connected, but for the customer.
    pub fn externals(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.no != self.customer && party.external().is_some())
    }

    /// The customer has left, and the agent goes on with whom they called outside: that one is the customer now (B409).
    pub fn goes_on_outside(&self) -> bool {
        self.customer().external().is_some()
    }

    /// The pseudonym of whoever is the customer now; [`Interaction::customer_key`] is that of whom the interaction began with.
    pub fn present_customer_key(&self) -> &Arc<str> {
        self.customer().external().map_or(&self.customer_key, |external| &external.key)
    }

    /// What a phone shows that is dialled: an agent's the customer, the customer's the number.
    pub fn shown_to(&self, dialled: &LegSource) -> &Arc<str> {
        match dialled {
            LegSource::Outside(outside) if outside.shows_customer && self.shows_customer() => self.customer().address(),
            LegSource::Outside(_) => &self.number,
            LegSource::Inbound(_) | LegSource::Phone(_) | LegSource::Written => self.customer().address(),
        }
    }

    /// The customer has called, with a number that can be shown.
    fn shows_customer(&self) -> bool {
        self.direction == Direction::Inbound && !self.customer().address().is_empty() && !self.goes_on_outside()
    }

    pub fn service(&self) -> Option<&Service> {
        match &self.stage {
            Stage::Served(service) => Some(service),
            _ => None,
        }
    }

    pub fn held(&self) -> bool {
        self.service().is_some_and(|service| service.hold.is_some())
    }

    /// The search that is under way: for the call flow, for the agent who calls, or for the open transfer.
    pub fn search(&self) -> Option<&Search> {
        match &self.stage {
            Stage::Seeking(Seeker::Flow(search) | Seeker::Caller(search)) => Some(search),
            _ => self.transfer.as_ref().and_then(Transfer::search),
        }
    }

    /// No phone was ever dialled for it: only the customer's own leg is there.
    pub fn nobody_was_rung(&self) -> bool {
        self.counters.leg == 1
    }

    /// The customer is with at least one agent, and not held.
    pub fn talking(&self) -> bool {
        let with_agent = self.primary().is_some() && !self.held() && !self.away();
        with_agent && self.customer().leg.is_up()
    }

    /// The customer is in an IVR flow, and comes back to who has them.
    pub fn away(&self) -> bool {
        self.service().is_some_and(|service| service.away.is_some())
    }

    /// Where the customer's leg is, or is to be, outside of Baton's rooms.
    pub fn exit(&self) -> Option<&Exit> {
        match &self.stage {
            Stage::Exiting(exit) => Some(exit),
            Stage::Served(service) => service.away.as_ref(),
            _ => None,
        }
    }

    /// The first participation of this agent that they have not dispositioned.
    pub fn open_participation(&self, agent: AgentId) -> Option<&Participation> {
        self.participations.iter().find(|participation| participation.agent == agent && participation.given.is_none())
    }

    /// The agent has left it, and has said how each time ended.
    pub(crate) fn has_dispositioned(&self, agent: AgentId) -> bool {
        let mut own = self.participations.iter().filter(|it| it.agent == agent).peekable();
        own.peek().is_some() && own.all(|it| it.given.is_some())
    }

    /// Nothing of it is left to do in the world: it is over, and every segment's end is known.
    pub fn settled(&self) -> bool {
        self.ended() && !self.recorder.maybe_live()
    }
}
