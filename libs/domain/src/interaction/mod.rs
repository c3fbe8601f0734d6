//! The aggregate: everything that is true of one call as the customer lives it. What is *wanted* of the world is in here (a held customer,
//! a ringing agent); what was *observed* is kept beside it (the room a leg is in), so that an event can follow the fact.

mod agents;
mod customer;
mod recording;
mod search;
mod transfer;

pub(crate) use agents::RELEASED_KEPT;
pub use agents::{Engaged, ReleasedClaim};
pub use customer::{Customer, CustomerLine, Outside};
pub use recording::{Gap, Recording, Segment, SuspendedTenure, Tenure};
pub use search::{Offer, OfferState, Search};
pub use transfer::{Hop, Phase, Transfer};

use crate::{
    ids::{AgentId, AnnouncementNo, ExitNo, InteractionId},
    policy::Policy,
    words::{AgentRef, Direction, Reason, RecordingMode},
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::{collections::BTreeMap, sync::Arc};

/// The most notes of an interaction: all of them are in each view.
pub const MAX_NOTES: usize = 100;
/// The most keys of attached data.
pub const MAX_DATA: usize = 64;

/// One call as the customer lives it, from first contact to last goodbye.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    /// Which.
    pub id: InteractionId,
    /// Whose.
    pub tenant: Arc<str>,
    /// Grows by one with each change.
    pub version: u64,
    /// The sequence of its last event.
    pub sequence: i64,
    /// When it began.
    pub opened_at_us: i64,
    /// When it last changed.
    pub updated_at_us: i64,
    /// Which way the call was placed.
    pub direction: Direction,
    /// The number that was called, or called from.
    pub number: Arc<str>,
    /// The customer's leg and whether they are held.
    pub customer: Customer,
    /// The agents who are connected, in order of arrival.
    pub agents: SmallVec<[Engaged; 2]>,
    /// The agent who has the customer.
    pub primary: Option<AgentId>,
    /// Where it stands.
    pub stage: Stage,
    /// What happens to a customer whom no agent has.
    pub flow: Flow,
    /// Looking for an agent: for the call flow, or for the open transfer.
    pub search: Option<Search>,
    /// The open transfer, or the last one.
    pub transfer: Option<Transfer>,
    /// Every hop so far (B603).
    pub journey: Vec<Hop>,
    /// Notes (B204).
    pub notes: Vec<Note>,
    /// Attached data.
    pub data: BTreeMap<Arc<str>, Arc<str>>,
    /// What is recorded.
    pub recording: Recording,
    /// The last claims that were released, so that presence learns why.
    pub released: SmallVec<[ReleasedClaim; 4]>,
    /// Where the next numbers come from.
    pub counters: Counters,
    /// The version of the tenant's policy that is frozen here.
    pub policy_version: u64,
    /// The policy itself; put back by whoever loads the state.
    #[serde(skip, default = "no_policy")]
    pub policy: Arc<Policy>,
}

/// Where an interaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nobody has the customer: the call flow, a cold transfer or a fallback looks for somebody.
    Seeking,
    /// An agent has the customer.
    Served,
    /// The customer is in voicemail.
    Exiting {
        /// The attempt.
        exit: ExitNo,
        /// When to stop waiting for its end.
        until_us: i64,
    },
    /// The customer has left, and the agents hear so (B209).
    Farewell {
        /// What they hear.
        announcement: AnnouncementNo,
        /// When to stop waiting for its end.
        until_us: i64,
    },
    /// Over.
    Ended(Reason),
}

/// The steps that a call takes while no agent has it, frozen when it came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// In order.
    pub steps: Vec<FlowStep>,
    /// The next one to take.
    pub next: usize,
    /// Unanswered transfers go to the next step, and not to the recipient's voicemail (B102).
    pub skip_voicemail: bool,
    /// The voicemail box of the exit that is under way.
    pub mailbox: Option<Arc<str>>,
}

/// One step of a call flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowStep {
    /// Ring one agent, for so long.
    RingAgent(AgentRef, i64),
    /// Ring the agents of a team.
    RingTeam {
        /// Which.
        team: crate::ids::TeamId,
        /// Its name.
        name: Arc<str>,
        /// For how long each, ms.
        ring_ms: i64,
        /// For how long in all, ms.
        wait_ms: i64,
    },
    /// Take a message in this box.
    Voicemail(Arc<str>),
    /// End the call.
    Disconnect,
}

/// What an agent wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who; nobody for a supervisor.
    pub author: Option<AgentId>,
    /// The supervisor.
    #[serde(default)]
    pub supervisor: Option<Arc<str>>,
    /// What. Personal data.
    pub text: Arc<str>,
    /// When.
    pub at_us: i64,
}

/// The last number given of each sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the sorts")]
pub struct Counters {
    pub leg: u32,
    pub claim: u32,
    pub wait: u32,
    pub transfer: u32,
    pub recording: u32,
    pub segment: u32,
    pub announcement: u32,
    pub exit: u32,
}

impl Counters {
    /// The next number of a sort.
    pub(crate) fn take(counter: &mut u32) -> u32 {
        *counter += 1;
        *counter
    }
}

/// What an interaction begins with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Which.
    pub id: InteractionId,
    /// Whose.
    pub tenant: Arc<str>,
    /// The number that was called, or called from.
    pub number: Arc<str>,
    /// The customer's number or address; may be empty. Personal data.
    pub customer: Arc<str>,
    /// How the customer is connected.
    pub line: CustomerLine,
    /// The steps of the number's call flow.
    pub flow: Vec<FlowStep>,
    /// See [`Flow::skip_voicemail`].
    pub skip_voicemail: bool,
    /// What is recorded on the number.
    pub recording: RecordingMode,
    /// The tenant's policy.
    pub policy: Arc<Policy>,
    /// Its version.
    pub policy_version: u64,
}

impl Interaction {
    /// It is over.
    pub fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// The open transfer.
    pub fn open_transfer(&self) -> Option<&Transfer> {
        self.transfer.as_ref().filter(|transfer| transfer.phase.is_open())
    }

    /// The connected agent with this id.
    pub fn agent(&self, id: AgentId) -> Option<&Engaged> {
        self.agents.iter().find(|agent| agent.who.id == id)
    }

    /// The customer is with at least one agent, and not held.
    pub fn talking(&self) -> bool {
        self.stage == Stage::Served && !self.customer.held && self.customer.connected() && !self.agents.is_empty()
    }

    /// Nothing of it is left to do in the world: it is over, and every segment's end is known.
    pub fn settled(&self) -> bool {
        self.ended() && self.recording.closing.is_empty() && self.recording.current.is_none()
    }
}

fn no_policy() -> Arc<Policy> {
    use std::sync::LazyLock;
    static DEFAULT: LazyLock<Arc<Policy>> = LazyLock::new(|| {
        Arc::new(
            crate::policy::parse("lead_center", "", vec![]).expect("the built-in profile is valid, a test says so"),
        )
    });
    DEFAULT.clone()
}
