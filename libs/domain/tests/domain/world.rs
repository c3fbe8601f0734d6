//! An interaction with a world around it that does at once what the projections say, unless the test holds it back.

use baton_domain::queue::{Instead, Queue};
use baton_domain::{
    Action, ActionSet, Actor, AgentRef, Command, Event, EventKind, ExternalRef, Fact, Input, Interaction, Opening,
    OutsideSort, Policy, Reaction, Refusal, StaffRole, StartTransfer, Target,
    input::{Disposition, Message},
    interaction::{LegSource, Outside, Party},
    machine::{FlowStep, IvrElement, IvrFlow, IvrStep, OfferState},
    permit::allowed,
    policy::ReleaseMoment,
    project::{self, MediaPlan, TransferRecord},
};
use baton_words::{
    AgentId, ClaimNo, InteractionId, IvrFlowId, LegNo, Phase, QueueId, Reason, RecordingMode, SwitchId, TargetSort,
    TeamId, TransferKind, TransferNo, Visibility,
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

pub fn supervisor() -> Actor {
    Actor::Staff { role: StaffRole::Supervisor, subject: "boss".into(), for_agent: None }
}

/// A program of the tenant, on behalf of an agent.
pub fn on_behalf_of(n: u128) -> Actor {
    Actor::Staff { role: StaffRole::Service, subject: "crm".into(), for_agent: Some(agent(n).id) }
}

pub fn ring(n: u128) -> FlowStep {
    FlowStep::RingAgent { agent: agent(n), ring_ms: 20_000 }
}

pub fn team() -> Target {
    Target::Team { id: TeamId(Uuid::from_u128(500)), name: "support".into() }
}

/// An IVR flow that gives the customer back, unless they are to be transferred on.
pub fn flow(transfers_on: bool) -> Target {
    let element = |step| IvrElement { label: "".into(), step };
    let collect = IvrStep::Collect {
        key: "pin".into(),
        announcement: "please_wait".into(),
        min: 4,
        max: 4,
        terminator: "#".into(),
        first_digit_ms: 5_000,
        between_digits_ms: 2_000,
        tries: 2,
        sensitive: true,
    };
    let mut elements = vec![element(IvrStep::Play("please_wait".into())), element(collect)];
    if transfers_on {
        elements.push(element(IvrStep::Transfer(None)));
        elements.push(element(IvrStep::Transfer(Some(Box::new(ring(3))))));
    }
    elements.push(element(IvrStep::Return));
    let id = IvrFlowId(Uuid::from_u128(if transfers_on { 701 } else { 700 }));
    Target::IvrFlow(Arc::new(IvrFlow { id, name: "payment".into(), round_trip: !transfers_on, elements }))
}

/// A queue that overflows into another, for whatever reason there is; the other gives up.
pub fn queue() -> Target {
    let second = Queue {
        id: QueueId(Uuid::from_u128(601)),
        name: "second level".into(),
        priority: 5,
        ring_ms: 60_000,
        wait_ms: 30_000,
        when_unattended: Instead::GiveUp,
        when_declined: Instead::GiveUp,
        overflow: None,
    };
    Target::Queue(Box::new(Queue {
        id: QueueId(Uuid::from_u128(600)),
        name: "first level".into(),
        priority: 8,
        ring_ms: 10_000,
        wait_ms: 20_000,
        when_unattended: Instead::Overflow,
        when_declined: Instead::Overflow,
        overflow: Some(Box::new(second)),
    }))
}

pub fn policy(profile: &str, overrides: &str) -> Arc<Policy> {
    Arc::new(baton_domain::policy::parse(profile, overrides, vec!["warm_transfer".into()]).expect("a valid policy"))
}

/// The first of the policy's outcomes, if it has any.
pub fn outcome(policy: &Policy) -> Arc<str> {
    policy.interaction.outcomes.first().cloned().unwrap_or_default()
}

/// What the initiator writes where the policy wants it.
pub fn message(policy: &Policy, kind: TransferKind) -> Arc<str> {
    let needed = policy.method(kind).is_some_and(|method| method.needs_message);
    if needed { "as agreed".into() } else { "".into() }
}

fn opening(recording: RecordingMode, steps: Vec<FlowStep>, origin: LegSource) -> Opening {
    Opening {
        id: InteractionId(Uuid::from_u128(99)),
        tenant: "acme".into(),
        switch: SwitchId::default(),
        number: "+3225550100".into(),
        customer: "+32470000000".into(),
        customer_key: "".into(),
        origin,
        flow_id: Some("main".into()),
        steps,
        skip_voicemail: false,
        recording,
        policy_version: 1,
    }
}

/// The laboratory.
#[derive(Clone, Debug)]
pub struct World {
    pub i: Interaction,
    pub policy: Arc<Policy>,
    pub now: i64,
    pub events: Vec<Event>,
}

impl World {
    pub fn new(policy: Arc<Policy>, recording: RecordingMode, flow: Vec<FlowStep>) -> Self {
        let now = 1_000 * SECOND;
        let origin = LegSource::Inbound("in-1".into());
        let (i, events) = baton_domain::open(opening(recording, flow, origin), &policy, now);
        Self { i, policy, now, events }
    }

    /// Agent 1 calls a customer.
    pub fn placed(policy: Arc<Policy>, recording: RecordingMode) -> Self {
        let now = 1_000 * SECOND;
        let origin = LegSource::Outside(Outside {
            phone: "32470000000".into(),
            allowed_by: "+32".into(),
            shows_customer: false,
        });
        let (i, events) = baton_domain::place(opening(recording, vec![], origin), &policy, agent(1), now);
        Self { i, policy, now, events }
    }

    /// A customer opens a chat.
    pub fn chat(policy: Arc<Policy>, flow: Vec<FlowStep>) -> Self {
        let now = 1_000 * SECOND;
        let (i, events) = baton_domain::open(opening(RecordingMode::All, flow, LegSource::Written), &policy, now);
        Self { i, policy, now, events }
    }

    /// A customer who chats with agent 1.
    pub fn chatting(profile: &str) -> Self {
        let mut world = Self::chat(policy(profile, ""), vec![ring(1), FlowStep::Voicemail("desk".into())]);
        world.grant();
        world.accept(1);
        world
    }

    /// An agent takes what is offered to them in the application.
    pub fn accept(&mut self, n: u128) {
        self.does(n, self.command_of(Action::Accept));
    }

    /// Somebody writes to all.
    pub fn says(&mut self, actor: Actor, text: &str) -> Result<Reaction, Refusal> {
        self.input(Input::Command(actor, Command::SendMessage(said_to(Visibility::Everyone, text))))
    }

    /// A customer who talks with agent 1.
    pub fn talking(profile: &str) -> Self {
        Self::talking_by(policy(profile, ""))
    }

    pub fn talking_by(policy: Arc<Policy>) -> Self {
        let mut world = Self::new(policy, RecordingMode::All, vec![ring(1), FlowStep::Voicemail("desk".into())]);
        world.grant();
        world.answer(1);
        world.place();
        world
    }

    pub fn plan(&self) -> MediaPlan {
        project::plan(&self.i, &self.policy)
    }

    pub fn deadline(&self) -> Option<i64> {
        project::deadline(&self.i, &self.policy)
    }

    pub fn allowed(&self, actor: &Actor) -> ActionSet {
        allowed(&self.i, &self.policy, actor)
    }

    /// The open transfer, or the last one.
    pub fn last_transfer(&self) -> Option<TransferRecord> {
        project::transfers(&self.i, &self.policy).last()
    }

    pub fn phase(&self) -> Phase {
        self.last_transfer().expect("a transfer").phase
    }

    pub fn reason(&self) -> Option<Reason> {
        self.last_transfer().expect("a transfer").reason
    }

    fn open_no(&self) -> TransferNo {
        self.i.transfer.as_ref().map_or(TransferNo(0), |transfer| transfer.no)
    }

    /// The command of an action; a start is one to agent 4.
    pub fn command_of(&self, action: Action) -> Command {
        command_of(action, self.i.transfer.as_ref().map(|transfer| transfer.no))
    }

    pub fn cancel(&self) -> Command {
        Command::Cancel(self.open_no())
    }

    pub fn complete(&self) -> Command {
        Command::Complete(self.open_no())
    }

    pub fn decline(&self) -> Command {
        self.command_of(Action::Decline)
    }

    pub fn input(&mut self, input: Input) -> Result<Reaction, Refusal> {
        let reaction = baton_domain::react(&mut self.i, &self.policy, input, self.now)?;
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

    pub fn start(&mut self, from: u128, kind: TransferKind, to: u128) -> Result<Reaction, Refusal> {
        self.start_to(from, kind, Target::Agent(agent(to)))
    }

    pub fn start_to(&mut self, from: u128, kind: TransferKind, target: Target) -> Result<Reaction, Refusal> {
        let (message, outcome) = (message(&self.policy, kind), outcome(&self.policy));
        self.command(from, Command::Start(StartTransfer { kind, target, message, outcome }))
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
        let offers = self.i.search().into_iter().flat_map(|search| &search.offers);
        offers.filter(|offer| matches!(offer.state, OfferState::Claiming { .. })).map(|offer| offer.claim).collect()
    }

    /// The leg of an agent, ringing or connected.
    pub fn leg(&self, n: u128) -> Option<LegNo> {
        let id = agent(n).id;
        let offers = self.i.search().into_iter().flat_map(|search| &search.offers);
        let ringing = offers.into_iter().find_map(|offer| match offer.state {
            OfferState::Ringing { leg, .. } if offer.agent.id == id => Some(leg),
            _ => None,
        });
        ringing.or_else(|| self.i.agent(id).map(|party| party.leg.no))
    }

    pub fn answer(&mut self, n: u128) {
        self.answer_only(n);
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
        let leg = self.i.customer().leg.no;
        self.fact(Fact::LegEnded(leg, Reason::HungUp));
    }

    pub fn no_answer(&mut self, n: u128) {
        let leg = self.leg(n).expect("a leg");
        self.fact(Fact::LegEnded(leg, Reason::NoAnswer));
        self.place();
    }

    /// Telephony does all that the plan says, and reports it.
    pub fn place(&mut self) {
        for _ in 0..10 {
            let plan = self.plan();
            let mut changed = false;
            for leg in plan.legs.iter().filter(|leg| leg.room.is_some()) {
                changed |= self.fact(Fact::LegUp(leg.leg, leg.room)).changed;
            }
            if let Some(exit) = plan.exit.filter(|exit| exit.flow.is_some()) {
                changed |= self.fact(Fact::InFlow(exit.exit, vec![])).changed;
            }
            if let Some(segment) = plan.segment {
                changed |= self.fact(Fact::SegmentLive(segment.segment)).changed;
            }
            for segment in self.i.recorder.closing.clone() {
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
        self.now = self.deadline().expect("a deadline");
        self.input(Input::Tick).expect("a tick is never refused");
    }

    pub fn happened(&self, wanted: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| wanted(&event.kind))
    }

    pub fn agents_in(&self) -> Vec<u128> {
        self.i.agents().filter_map(Party::agent_id).map(|agent| agent.0.as_u128()).collect()
    }
}

/// A message of a chat.
pub fn said_to(visibility: Visibility, text: &str) -> Message {
    Message { visibility, text: text.into() }
}

/// The command of an action, about this open transfer.
pub fn command_of(action: Action, open: Option<TransferNo>) -> Command {
    use baton_domain::RecordingCommand;
    let no = open.unwrap_or(TransferNo(0));
    match action {
        Action::Start(kind) => Command::Start(StartTransfer {
            kind,
            target: if kind == TransferKind::RoundTrip { flow(false) } else { Target::Agent(agent(4)) },
            message: "please take over".into(),
            outcome: "".into(),
        }),
        Action::Cancel => Command::Cancel(no),
        Action::Complete => Command::Complete(no),
        Action::Swap => Command::Swap(no),
        Action::Decline => Command::Decline(open),
        Action::Hold => Command::Hold,
        Action::Resume => Command::Resume,
        Action::Mute => Command::SetMute(true),
        Action::Unmute => Command::SetMute(false),
        Action::Leave => Command::Leave,
        Action::End => Command::End,
        Action::Note => Command::Note("a note".into()),
        Action::Disposition => Command::Disposition(Disposition { name: "Other".into(), note: "a note".into() }),
        Action::SetData => Command::SetData { set: vec![("k".into(), "v".into())], remove: vec![] },
        Action::StartRecording => Command::Recording(RecordingCommand::Start),
        Action::StopRecording => Command::Recording(RecordingCommand::Stop),
        Action::PauseRecording => Command::Recording(RecordingCommand::Pause),
        Action::ResumeRecording => Command::Recording(RecordingCommand::Resume),
        Action::Accept => Command::Accept(open),
        Action::SendMessage => Command::SendMessage(said_to(Visibility::Everyone, "hello")),
    }
}

/// A number outside of this sort.
pub fn outside(sort: OutsideSort) -> Target {
    let (id, name, forwarding) = match sort {
        OutsideSort::Forwarding => (Some("ext-1".into()), "The workshop", true),
        OutsideSort::NotForwarding => (Some("ext-2".into()), "The taxis", false),
        OutsideSort::Typed => (None, "", false),
    };
    let (number, key, allowed_by) = ("+32470000009".into(), "key of 9".into(), "+3247".into());
    Target::External(Arc::new(ExternalRef { id, name: name.into(), number, key, allowed_by, forwarding }))
}

/// A profile whose transfers go outside too, wherever the tenant may have that.
pub fn goes_outside(profile: &str) -> Arc<Policy> {
    let plain = policy(profile, "");
    // Who stays and waits for the customer to come back can't be left for a number outside.
    let methods = plain.methods.iter().filter(|(_, method)| method.released != ReleaseMoment::Never);
    let targets = methods.map(|(kind, method)| {
        let others = method.offer.targets.iter().filter(|sort| **sort != TargetSort::External);
        let all: Vec<_> = others.chain([&TargetSort::External]).map(|sort| format!("\"{sort}\"")).collect();
        format!("[methods.{kind}.offer]\ntargets = [{}]\n", all.join(", "))
    });
    let targets: Vec<_> = targets.collect();
    // A recipient outside can do nothing in Baton: the initiator alone must be able to end it.
    let consults = plain.methods.iter().filter(|(_, method)| method.consult.is_some());
    let consults = consults.map(|(kind, _)| format!("[methods.{kind}.consult]\ncustomer_gone = \"go_on\"\n"));
    let consults: Vec<_> = consults.collect();
    policy(profile, &(targets.concat() + &consults.concat()))
}
