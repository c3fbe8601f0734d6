//! What one input costs on one core: `react` with its events and all four projections, on whole warm transfers of an interaction that has
//! three transfers behind it. Only accepted inputs are counted. The limit beside it: the same state, copied once per input.

use baton_domain::{
    Actor, AgentRef, Command, Fact, Input, Interaction, Opening, Policy, StartTransfer, Target,
    interaction::{LegSource, Party},
    machine::{FlowStep, OfferState},
    permit::allowed,
    project,
};
use baton_words::{AgentId, InteractionId, LegNo, Reason, RecordingMode, Room, SwitchId, TransferKind};
use divan::{Bencher, black_box, counter::ItemsCount};
use uuid::Uuid;

fn main() {
    divan::main();
}

fn agent(n: u128) -> AgentRef {
    AgentRef { id: AgentId(Uuid::from_u128(n)), name: "Ada".into(), phone: "ada".into(), voicemail: true }
}

/// Plays inputs and remembers those that were accepted and changed something.
struct Script {
    i: Interaction,
    policy: Policy,
    now: i64,
    inputs: Vec<Input>,
}

impl Script {
    fn play(&mut self, input: Input) {
        self.now += 1_000;
        let reaction = baton_domain::react(&mut self.i, &self.policy, input.clone(), self.now).expect("accepted");
        if reaction.changed {
            self.inputs.push(input);
        }
    }

    fn fact(&mut self, fact: Fact) {
        self.play(Input::Fact(fact));
    }

    fn place(&mut self) {
        for leg in project::plan(&self.i, &self.policy).legs {
            if leg.room.is_some() {
                self.fact(Fact::LegUp(leg.leg, leg.room));
            }
        }
        if let Some(segment) = project::plan(&self.i, &self.policy).segment {
            self.fact(Fact::SegmentLive(segment.segment));
        }
        for segment in self.i.recorder.closing.clone() {
            let end = baton_domain::input::SegmentEnd { started_at_us: 1, ended_at_us: 2, failed: false };
            self.fact(Fact::SegmentEnded(segment.no, end));
        }
    }

    fn grant_and_answer(&mut self) {
        let claim = self.i.search().expect("a search").offers[0].claim;
        self.fact(Fact::ClaimGranted(claim));
        self.place();
        let OfferState::Ringing { leg, .. } = self.i.search().expect("a search").offers[0].state else {
            panic!("it rings")
        };
        self.fact(Fact::LegUp(leg, None));
        self.place();
    }

    /// One whole warm transfer: start, ring, consult, join, leave.
    fn transfer(&mut self, from: u128, to: u128) {
        let by = Actor::Agent(agent(from).id);
        let start = StartTransfer {
            kind: TransferKind::Warm,
            target: Target::Agent(agent(to)),
            message: "".into(),
            outcome: "".into(),
        };
        self.play(Input::Command(by.clone(), Command::Start(start)));
        self.grant_and_answer();
        self.play(Input::Command(by, Command::Resume));
        self.place();
        let leg = self.i.agent(agent(from).id).expect("present").leg.no;
        self.fact(Fact::LegEnded(leg, Reason::HungUp));
        self.place();
    }
}

/// An interaction with three transfers behind it, and the inputs of the fourth.
fn fourth_transfer() -> (Interaction, Policy, Vec<Input>) {
    let policy = baton_domain::policy::parse("lead_center", "", vec!["warm_transfer".into()]).expect("valid");
    let opening = Opening {
        id: InteractionId(Uuid::from_u128(99)),
        tenant: "acme".into(),
        switch: SwitchId::default(),
        number: "+3225550100".into(),
        customer: "+32470000000".into(),
        customer_key: "".into(),
        origin: LegSource::Inbound("in-1".into()),
        flow_id: Some("main".into()),
        steps: vec![FlowStep::RingAgent { agent: agent(1), ring_ms: 20_000 }],
        skip_voicemail: false,
        recording: RecordingMode::All,
        policy_version: 1,
    };
    let (i, _) = baton_domain::open(opening, &policy, 0);
    let mut script = Script { i, policy, now: 0, inputs: Vec::new() };
    script.fact(Fact::LegUp(LegNo(1), Some(Room::Lobby)));
    script.grant_and_answer();
    script.transfer(1, 2);
    script.transfer(2, 3);
    script.transfer(3, 1);
    let before = script.i.clone();
    script.inputs.clear();
    script.transfer(1, 2);
    (before, script.policy, script.inputs)
}

/// Everything that the service computes for one input.
fn advance(i: &mut Interaction, policy: &Policy, input: Input, now: i64) {
    let reaction = baton_domain::react(i, policy, input, now).expect("accepted");
    assert!(reaction.changed);
    black_box(reaction.events);
    black_box(project::plan(i, policy));
    black_box(project::claims(i));
    black_box(project::wait(i));
    black_box(project::deadline(i, policy));
    for agent in i.agents().filter_map(Party::agent_id) {
        black_box(allowed(i, policy, &Actor::Agent(agent)));
    }
}

#[divan::bench]
fn whole_warm_transfer(bencher: Bencher) {
    let (before, policy, inputs) = fourth_transfer();
    bencher.counter(ItemsCount::new(inputs.len())).with_inputs(|| (before.clone(), inputs.clone())).bench_local_values(
        |(mut i, inputs)| {
            for (at, input) in inputs.into_iter().enumerate() {
                advance(&mut i, &policy, input, 1_000_000 + at as i64);
            }
            i
        },
    );
}

/// The limit: nothing but a copy of the state for each input.
#[divan::bench]
fn limit_one_copy_per_input(bencher: Bencher) {
    let (before, _, inputs) = fourth_transfer();
    bencher.counter(ItemsCount::new(inputs.len())).bench_local(|| {
        for _ in &inputs {
            black_box(before.clone());
        }
    });
}
