//! An interaction with a world around it that does at once what the projections say, unless the test holds it back.

use baton_domain::{
    AgentId, Command, Event, EventKind, Fact, Input, Interaction, InteractionId, Opening, Policy, Reaction, Refusal,
    StartTransfer,
    ids::{ClaimNo, LegNo},
    interaction::{CustomerLine, FlowStep, OfferState, Outside},
    project,
    words::{Actor, AgentRef, Kind, Reason, RecordingMode, Target},
};
use std::sync::Arc;
use uuid::Uuid;

pub const SECOND: i64 = 1_000_000;

/// The agent with this number; agent 1 takes the first call.
pub fn agent(n: u128) -> AgentRef {
    AgentRef {
        id: AgentId(Uuid::from_u128(n)),
        name: format!("agent {n}").into(),
        phone: format!("phone-{n}").into(),
        voicemail: n == 2,
    }
}

pub fn by(n: u128) -> Actor {
    Actor::Agent(agent(n).id)
}

pub fn policy(profile: &str, overrides: &str) -> Arc<Policy> {
    Arc::new(baton_domain::policy::parse(profile, overrides, vec!["warm_transfer".into()]).expect("a valid policy"))
}

fn opening(policy: Arc<Policy>, recording: RecordingMode, flow: Vec<FlowStep>, line: CustomerLine) -> Opening {
    Opening {
        id: InteractionId(Uuid::from_u128(99)),
        tenant: "acme".into(),
        number: "+3225550100".into(),
        customer: "+32470000000".into(),
        line,
        flow,
        skip_voicemail: false,
        recording,
        policy,
        policy_version: 1,
    }
}

/// The laboratory.
#[derive(Clone, Debug)]
pub struct World {
    pub i: Interaction,
    pub now: i64,
    pub events: Vec<Event>,
}

impl World {
    pub fn new(policy: Arc<Policy>, recording: RecordingMode, flow: Vec<FlowStep>) -> Self {
        let now = 1_000 * SECOND;
        let line = CustomerLine::Inbound("in-1".into());
        let (i, events) = baton_domain::open(opening(policy, recording, flow, line), now);
        Self { i, now, events: events.into_vec() }
    }

    /// Agent 1 calls a customer.
    pub fn placed(policy: Arc<Policy>, recording: RecordingMode) -> Self {
        let now = 1_000 * SECOND;
        let line = CustomerLine::ToDial(Outside { phone: "32470000000".into(), allowed_by: "+32".into() });
        let (i, events) = baton_domain::place(opening(policy, recording, vec![], line), agent(1), now);
        Self { i, now, events: events.into_vec() }
    }

    /// A customer who talks with agent 1.
    pub fn talking(profile: &str) -> Self {
        let flow = vec![FlowStep::RingAgent(agent(1), 20_000), FlowStep::Voicemail("desk".into())];
        let mut world = Self::new(policy(profile, ""), RecordingMode::All, flow);
        world.grant();
        world.answer(1);
        world.place();
        world
    }

    pub fn input(&mut self, input: Input) -> Result<Reaction, Refusal> {
        let reaction = baton_domain::react(&mut self.i, input, self.now)?;
        self.events.extend(reaction.events.iter().cloned());
        Ok(reaction)
    }

    pub fn fact(&mut self, fact: Fact) -> Reaction {
        self.input(Input::Fact(fact)).expect("a fact is never refused")
    }

    pub fn command(&mut self, n: u128, command: Command) -> Result<Reaction, Refusal> {
        self.input(Input::Command(by(n), command))
    }

    pub fn does(&mut self, n: u128, command: Command) {
        self.command(n, command).expect("permitted");
        self.place();
    }

    pub fn start(&mut self, from: u128, kind: Kind, to: u128) -> Result<Reaction, Refusal> {
        let target = Target::Agent(agent(to));
        self.command(from, Command::Start(StartTransfer { kind, target, message: "".into() }))
    }

    /// Presence grants every claim that is asked for.
    pub fn grant(&mut self) {
        for claim in self.claiming() {
            self.fact(Fact::ClaimGranted(claim));
        }
        self.place();
    }

    pub fn refuse(&mut self, reason: Reason) {
        for claim in self.claiming() {
            self.fact(Fact::ClaimRefused(claim, reason));
        }
        self.place();
    }

    fn claiming(&self) -> Vec<ClaimNo> {
        let offers = self.i.search.iter().flat_map(|search| &search.offers);
        offers.filter(|offer| matches!(offer.state, OfferState::Claiming { .. })).map(|offer| offer.claim).collect()
    }

    /// The leg of an agent, ringing or connected.
    pub fn leg(&self, n: u128) -> Option<LegNo> {
        let id = agent(n).id;
        let ringing = self.i.search.iter().flat_map(|search| &search.offers).find_map(|offer| match offer.state {
            OfferState::Ringing { leg, .. } if offer.who.id == id => Some(leg),
            _ => None,
        });
        ringing.or_else(|| self.i.agent(id).map(|agent| agent.leg))
    }

    pub fn answer(&mut self, n: u128) {
        let leg = self.leg(n).expect("a leg");
        self.fact(Fact::LegUp(leg, None));
        self.place();
    }

    /// The phone is answered; nothing else is reported.
    pub fn answer_only(&mut self, n: u128) {
        let leg = self.leg(n).expect("a leg");
        self.fact(Fact::LegUp(leg, None));
    }

    pub fn hang_up(&mut self, n: u128) {
        let leg = self.leg(n).expect("a leg");
        self.fact(Fact::LegEnded(leg, Reason::HungUp));
        self.place();
    }

    pub fn customer_hangs_up(&mut self) {
        self.fact(Fact::LegEnded(LegNo(1), Reason::HungUp));
    }

    pub fn no_answer(&mut self, n: u128) {
        let leg = self.leg(n).expect("a leg");
        self.fact(Fact::LegEnded(leg, Reason::NoAnswer));
        self.place();
    }

    /// Telephony does all that the plan says, and reports it.
    pub fn place(&mut self) {
        for _ in 0..10 {
            let plan = project::plan(&self.i);
            let mut changed = false;
            for leg in plan.legs.iter().filter(|leg| leg.room.is_some()) {
                changed |= self.fact(Fact::LegUp(leg.leg, leg.room)).changed;
            }
            if let Some(segment) = plan.segment {
                changed |= self.fact(Fact::SegmentLive(segment.segment)).changed;
            }
            for segment in self.i.recording.closing.clone() {
                let end = baton_domain::input::SegmentEnd { started_at_us: 1, ended_at_us: 2, failed: false };
                changed |= self.fact(Fact::SegmentEnded(segment.no, end)).changed;
            }
            if !changed {
                return;
            }
        }
        panic!("the world never came to rest");
    }

    pub fn pass(&mut self, us: i64) {
        self.now += us;
    }

    pub fn tick_at_deadline(&mut self) {
        self.now = project::deadline(&self.i).expect("a deadline");
        self.input(Input::Tick).expect("a tick is never refused");
    }

    pub fn happened(&self, wanted: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| wanted(&event.kind))
    }

    pub fn agents_in(&self) -> Vec<u128> {
        self.i.agents.iter().map(|agent| agent.who.id.0.as_u128()).collect()
    }
}
