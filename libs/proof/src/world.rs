//! A world: an interaction, and what time it is there. Where the first ones come from, and who is in them.

use baton_domain::{
    Actor, AgentRef, Interaction, Opening, Policy, StaffRole, Target,
    interaction::{LegSource, Outside},
    machine::FlowStep,
};
use baton_words::{AgentId, InteractionId, RecordingMode, SwitchId, TeamId};
use uuid::Uuid;

/// When every world begins, microseconds since the epoch.
const BEGIN_US: i64 = 1_000_000_000_000;
/// For how long the first agent's phone may ring.
pub(crate) const FIRST_RING_MS: i64 = 20_000;
const AGENTS_FROM: u128 = 1;
const TEAM: u128 = 500;

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
pub(crate) fn agent(no: u8) -> AgentRef {
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

pub(crate) fn team() -> Target {
    Target::Team { id: TeamId(Uuid::from_u128(TEAM)), name: "the team".into() }
}

pub(crate) fn supervisor() -> Actor {
    Actor::Staff { role: StaffRole::Supervisor, subject: "supervisor".into(), for_agent: None }
}

/// How a call can begin: the customer calls and agent 1 is rung, or agent 1 calls the customer; or the customer opens a chat. On a number that records all, or where agents start
/// recording by hand; without `recorded` nobody does.
pub(crate) fn beginnings(policy: &Policy, recorded: bool) -> Vec<World> {
    let modes: &[RecordingMode] =
        if recorded { &[RecordingMode::All, RecordingMode::Manual] } else { &[RecordingMode::Manual] };
    let both = modes.iter().flat_map(|mode| {
        let steps = vec![
            FlowStep::RingAgent { agent: agent(1), ring_ms: FIRST_RING_MS },
            FlowStep::Voicemail("the number's box".into()),
        ];
        let called = opening(*mode, steps, LegSource::Inbound("the customer".into()));
        let outside = Outside { phone: "32470000000".into(), allowed_by: "+32".into() };
        let calls = opening(*mode, vec![], LegSource::Outside(outside));
        [baton_domain::open(called, policy, BEGIN_US).0, baton_domain::place(calls, policy, agent(1), BEGIN_US).0]
    });
    let steps = vec![
        FlowStep::RingAgent { agent: agent(1), ring_ms: FIRST_RING_MS },
        FlowStep::Voicemail("the number's box".into()),
    ];
    let chat = opening(RecordingMode::All, steps, LegSource::Written);
    let all = both.chain([baton_domain::open(chat, policy, BEGIN_US).0]);
    all.map(|interaction| World { interaction, now_us: BEGIN_US, broken: None, likeness: 0 }).collect()
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
