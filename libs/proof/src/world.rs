//! A world: an interaction, and what time it is there. Where the first ones come from, and who is in them.

use baton_domain::{
    Actor, AgentRef, ExternalRef, Interaction, Opening, OutsideSort, Policy, StaffRole, Target,
    interaction::{LegSource, Outside},
    machine::{FlowStep, IvrElement, IvrFlow, IvrStep},
    queue::{Instead, Queue},
};
use baton_words::{AgentId, InteractionId, IvrFlowId, QueueId, RecordingMode, SwitchId, TeamId};
use std::sync::Arc;
use uuid::Uuid;

/// When every world begins, microseconds since the epoch.
const BEGIN_US: i64 = 1_000_000_000_000;
/// For how long the first agent's phone may ring.
pub(crate) const FIRST_RING_MS: i64 = 20_000;
const AGENTS_FROM: u128 = 1;
const TEAM: u128 = 500;
const QUEUE: u128 = 600;

/// One situation that can come about.
#[derive(Debug, Clone)]
pub struct World {
    pub interaction: Interaction,
    /// Microseconds since the epoch.
    pub now_us: i64,
    /// What led here has broken this invariant, by its index: nothing is looked at from here on.
    pub(crate) broken: Option<usize>,
    /// The same in all worlds that are alike (`alike.rs`).
    pub(crate) likeness: u64,
}

impl World {
    /// At this time.
    pub fn new(interaction: Interaction, now_us: i64) -> Self {
        Self { interaction, now_us, broken: None, likeness: 0 }
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.likeness == other.likeness
    }
}

impl std::hash::Hash for World {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.likeness);
    }
}

/// The agent with this number, from 1. The second has a voicemail box.
pub fn agent(no: u8) -> AgentRef {
    AgentRef {
        id: AgentId(Uuid::from_u128(AGENTS_FROM + u128::from(no))),
        name: format!("agent {no}").into(),
        phone: format!("phone-{no}").into(),
        voicemail: no == 2,
    }
}

/// The number of an agent of [`agent`].
pub(crate) fn number_of(agent: AgentId) -> u8 {
    u8::try_from(agent.0.as_u128() - AGENTS_FROM).unwrap_or(u8::MAX)
}

/// The team that transfers go to.
pub fn team() -> Target {
    Target::Team { id: TeamId(Uuid::from_u128(TEAM)), name: "the team".into() }
}

/// A queue that overflows into another, which gives up.
pub(crate) fn queue() -> Target {
    let second = Queue {
        id: QueueId(Uuid::from_u128(QUEUE + 1)),
        name: "the second queue".into(),
        priority: 5,
        ring_ms: 60_000,
        wait_ms: 30_000,
        when_unattended: Instead::Wait,
        when_declined: Instead::GiveUp,
        overflow: None,
    };
    Target::Queue(Box::new(Queue {
        id: QueueId(Uuid::from_u128(QUEUE)),
        name: "the queue".into(),
        priority: 7,
        ring_ms: 15_000,
        wait_ms: 60_000,
        when_unattended: Instead::Overflow,
        when_declined: Instead::Wait,
        overflow: Some(Box::new(second)),
    }))
}

/// An IVR flow: one that gives the customer back, or one that transfers them on, to the next step and to agent 2.
pub fn flow(transfers_on: bool) -> Target {
    let element = |step| IvrElement { label: "".into(), step };
    let mut elements = Vec::new();
    if transfers_on {
        let ring = FlowStep::RingAgent { agent: agent(2), ring_ms: FIRST_RING_MS };
        elements = [None, Some(Box::new(ring))].map(IvrStep::Transfer).map(element).into();
    }
    elements.push(element(IvrStep::Return));
    let id = IvrFlowId(Uuid::from_u128(if transfers_on { 601 } else { 600 }));
    Target::IvrFlow(IvrFlow { id, name: "the flow".into(), round_trip: !transfers_on, elements }.into())
}

/// A number outside of this sort.
pub fn outside(sort: OutsideSort) -> Target {
    Target::External(Arc::new(ExternalRef {
        id: (sort != OutsideSort::Typed).then(|| "the workshop".into()),
        name: "".into(),
        number: "+32470000009".into(),
        key: "".into(),
        allowed_by: "+32".into(),
        forwarding: sort == OutsideSort::Forwarding,
    }))
}

pub(crate) fn supervisor() -> Actor {
    Actor::Staff { role: StaffRole::Supervisor, subject: "supervisor".into(), for_agent: None }
}

/// How an interaction can begin: the customer calls and agent 1 is rung, or agent 1 calls the customer; or the customer opens a chat. Calls on a
/// number that records all, or where agents start recording by hand; without `recorded` nobody does.
pub(crate) fn beginnings(policy: &Policy, recorded: bool) -> Vec<World> {
    let modes: &[RecordingMode] =
        if recorded { &[RecordingMode::All, RecordingMode::Manual] } else { &[RecordingMode::Manual] };
    let steps = || {
        let ring = FlowStep::RingAgent { agent: agent(1), ring_ms: FIRST_RING_MS };
        vec![ring, FlowStep::Voicemail("the number's box".into())]
    };
    let calls = modes.iter().flat_map(|mode| {
        let called = opening(*mode, steps(), LegSource::Inbound("the customer".into()));
        let outside = Outside { phone: "32470000000".into(), allowed_by: "+32".into(), shows_customer: false };
        let placed = opening(*mode, vec![], LegSource::Outside(outside));
        [baton_domain::open(called, policy, BEGIN_US).0, baton_domain::place(placed, policy, agent(1), BEGIN_US).0]
    });
    let chat = opening(RecordingMode::All, steps(), LegSource::Written);
    let all = calls.chain([baton_domain::open(chat, policy, BEGIN_US).0]);
    all.map(|interaction| World::new(interaction, BEGIN_US)).collect()
}

fn opening(recording: RecordingMode, steps: Vec<FlowStep>, origin: LegSource) -> Opening {
    Opening {
        id: InteractionId(Uuid::from_u128(1)),
        tenant: "proof".into(),
        switch: SwitchId::default(),
        number: "+3225550100".into(),
        customer: "+32470000000".into(),
        customer_key: "".into(),
        origin,
        flow_id: None,
        steps,
        skip_voicemail: false,
        recording,
        policy_version: 1,
    }
}
