//! The walk: many interactions at once, with the agents, phones and customers around them, in simulated time. Between the cores is a network
//! that delays, repeats, drops and reorders what they send. After each step everything is looked at that must always hold.

use crate::{
    agenda::{Agenda, Event, Observer, Report},
    switch::{Switch, SwitchLeg},
    telephony::Driver,
};
use baton_api::common::v1::AgentRef as WireAgent;
use baton_domain::{
    Input, Interaction, Opening, Target,
    interaction::{LegSource, Outside},
    machine::FlowStep,
    policy::{PROFILES, parse},
    project,
};
use baton_presence::in_memory::ClaimsInMemory;
use baton_proof::{Watch, World, agent, team};
use baton_routing::in_memory::WaitsInMemory;
use baton_telephony::{
    plan,
    switch::{LegProgress, SwitchEventKind},
};
use baton_transfer::wire;
use baton_words::{InteractionId, LegNo, Phase, RecordingMode, SwitchId};
use std::{
    collections::{BTreeMap, VecDeque, hash_map::DefaultHasher},
    hash::Hasher,
};
use uuid::Uuid;

/// The agents there are.
pub(crate) const AGENTS: u8 = 12;
/// The agents of the team.
const MEMBERS: u8 = 5;
/// So many interactions at once.
const AT_ONCE: usize = 10;
const BEGIN_US: i64 = 1_000_000_000_000;
const SECOND_US: i64 = 1_000_000;
/// What was sent and has not been answered is sent again.
const AGAIN_US: i64 = SECOND_US;
/// Nothing that was sent arrives later.
const LONGEST_DELAY_US: i64 = 3 * SECOND_US;
/// An interaction that is over is remembered for so long: longer than anything about it can be under way.
const REMEMBERED_US: i64 = 60 * SECOND_US;
/// After so long with nobody new everything is over.
const LONGEST_DRAIN_US: i64 = 24 * 3600 * SECOND_US;
/// One step in so many is looked at with all the rules.
const THOROUGH: u64 = 16;
/// Steps of each interaction that are kept, to tell how it came to what is wrong.
const KEPT: usize = 120;

/// How far it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) interactions: u64,
    /// How the transfers ended.
    pub(crate) ended: BTreeMap<Phase, u64>,
    pub(crate) inputs: u64,
    pub(crate) refused: u64,
    pub(crate) sent: u64,
    pub(crate) dropped: u64,
    /// In simulated time, seconds.
    pub(crate) seconds: i64,
    /// Of everything that happened, in order: the same seed gives the same one.
    pub(crate) digest: u64,
}

/// What must not be, and how it came about.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    pub(crate) says: String,
    pub(crate) interaction: Option<InteractionId>,
    pub(crate) story: Vec<String>,
}

/// One interaction at the transfer service.
pub(crate) struct Live {
    pub(crate) world: World,
    /// Its policy, among those of the walk.
    pub(crate) policy: usize,
    /// The versions that telephony, presence and routing have.
    has: [u64; 3],
    story: VecDeque<String>,
    /// It may be forgotten then.
    forget_at_us: Option<i64>,
}

/// Everything there is.
pub(crate) struct Walk {
    pub(crate) now_us: i64,
    pub(crate) rng: fastrand::Rng,
    pub(crate) agenda: Agenda,
    pub(crate) watches: Vec<Watch>,
    pub(crate) live: BTreeMap<InteractionId, Live>,
    pub(crate) drivers: BTreeMap<InteractionId, Driver>,
    pub(crate) switch: Switch,
    pub(crate) presence: ClaimsInMemory,
    routing: WaitsInMemory,
    /// Reports that are under way, by their number; and when the last message of each observer arrives: they keep their order.
    under_way: BTreeMap<(Observer, InteractionId), u64>,
    arrives_us: BTreeMap<(Observer, InteractionId), i64>,
    reports: u64,
    expires_at_us: i64,
    wanted: u64,
    walked: Walked,
    digest: DefaultHasher,
    wrong: Option<Wrong>,
    closing_since_us: Option<i64>,
}

impl Walk {
    pub(crate) fn new(seed: u64, interactions: u64) -> anyhow::Result<Self> {
        let mut watches = Vec::new();
        for profile in PROFILES {
            let plan = vec!["warm_transfer".to_owned()];
            let lists = "[interaction]\noutcomes = ['Billing']\ndispositions = ['Sold']\n";
            watches.push(Watch::new(parse(profile.name, lists, plan)?));
        }
        let mut presence = ClaimsInMemory::default();
        for no in 1..=AGENTS {
            let own = agent(no);
            let wire = WireAgent {
                agent_id: own.id.to_string(),
                name: own.name.to_string(),
                phone: own.phone.to_string(),
                voicemail: own.voicemail,
            };
            presence.add_agent(wire, BEGIN_US).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        }
        if let Target::Team { id, .. } = team() {
            presence.add_team(id.0, (1..=MEMBERS).map(|no| agent(no).id.0));
        }
        Ok(Self {
            now_us: BEGIN_US,
            rng: fastrand::Rng::with_seed(seed),
            agenda: Agenda::default(),
            watches,
            live: BTreeMap::new(),
            drivers: BTreeMap::new(),
            switch: Switch::default(),
            presence,
            routing: WaitsInMemory::default(),
            under_way: BTreeMap::new(),
            arrives_us: BTreeMap::new(),
            reports: 0,
            expires_at_us: i64::MAX,
            wanted: interactions,
            walked: Walked::default(),
            digest: DefaultHasher::new(),
            wrong: None,
            closing_since_us: None,
        })
    }

    /// Walks until everything is over. `meanwhile` is told now and then how many interactions there were.
    pub(crate) fn walk(mut self, mut meanwhile: impl FnMut(u64)) -> Result<Walked, Wrong> {
        for no in 1..=AGENTS {
            self.presence.connect(agent(no).id.0, true, self.now_us);
            self.agenda.plan(self.now_us + self.rng.i64(SECOND_US..40 * SECOND_US), Event::AgentLife(no));
        }
        self.agenda.plan(self.now_us, Event::Arrival);
        while let Some((at_us, event)) = self.agenda.next() {
            self.now_us = self.now_us.max(at_us);
            if let Event::Arrival = event {
                meanwhile(self.walked.interactions);
            }
            self.happen(event);
            if let Some(wrong) = self.wrong.take() {
                return Err(wrong);
            }
            if self.is_closing() && self.live.is_empty() {
                break;
            }
            if self.closing_since_us.is_some_and(|since_us| self.now_us - since_us > LONGEST_DRAIN_US) {
                let first = self.live.keys().next().copied();
                let still = first.map(|id| self.still(id)).unwrap_or_default();
                return Err(self.wrong_of(first, &format!("T11: it is not over a day after nobody new came: {still}")));
            }
        }
        if let Some(left) = self.left() {
            return Err(self.wrong_of(None, &format!("T11: when all is over there is left: {left}")));
        }
        self.walked.seconds = (self.now_us - BEGIN_US) / SECOND_US;
        self.walked.digest = self.digest.finish();
        Ok(self.walked)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.walked.interactions >= self.wanted
    }

    /// What keeps an interaction from being forgotten.
    fn still(&self, id: InteractionId) -> String {
        let live = self.live.get(&id);
        let (version, has) = live.map(|live| (live.world.interaction.version, live.has)).unwrap_or_default();
        let driver = self.drivers.get(&id);
        let operations = driver.into_iter().flat_map(|driver| &driver.observed.operations);
        let open: Vec<_> = operations.filter(|(_, it)| !it.is_over()).map(|(key, _)| key.clone()).collect();
        let unreported = driver.map(|driver| driver.unreported.len()).unwrap_or_default();
        let on_switch = self.switch.has(id);
        format!(
            "version {version}, others have {has:?}; open {open:?}, {unreported} unreported, on the switch: {on_switch}"
        )
    }

    fn left(&self) -> Option<String> {
        let claims = Some(self.presence.open()).filter(|open| *open > 0).map(|open| format!("{open} claims"));
        let waits = Some(self.routing.open()).filter(|open| *open > 0).map(|open| format!("{open} waits"));
        let reports = self.presence.unreported().next().map(|(_, claim, _)| format!("a report of claim {claim}"));
        claims.or(waits).or(reports).or_else(|| self.switch.left())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrival(),
            Event::Person(id) => self.person(id),
            Event::AgentLife(no) => self.agent_life(no),
            Event::Tick(id) => self.tick(id),
            Event::Push(id) => self.push_again(id),
            Event::Forget(id) => self.forget(id),
            Event::Plan(id, plan) => match plan::parse(&plan) {
                Ok(plan) => {
                    let version = plan.version;
                    self.take_plan(id, plan);
                    self.send(Event::HasPlan(id, version));
                }
                Err(error) => self.break_off(id, &format!("X4: telephony refuses the plan: {error:?}")),
            },
            Event::HasPlan(id, version) => self.has(id, 0, version),
            Event::Claims(id, request) => self.claims_arrive(id, *request),
            Event::HasClaims(id, version, answer) => {
                self.has(id, 1, version);
                match wire::of_claims(id, &answer) {
                    Ok(facts) => facts.into_iter().for_each(|fact| self.submit(id, &Input::Fact(fact))),
                    Err(error) => self.break_off(id, &format!("presence's answer is refused: {error:?}")),
                }
            }
            Event::Wait(id, wait, request) => self.wait_arrives(id, wait, *request),
            Event::HasWait(id, version, wait, answer) => {
                self.has(id, 2, version);
                match wait.map(|wait| wire::of_wait(wait, &answer)) {
                    Some(Ok(Some(fact))) => self.submit(id, &Input::Fact(fact)),
                    Some(Err(error)) => self.break_off(id, &format!("routing's answer is refused: {error:?}")),
                    _ => {}
                }
            }
            Event::Report(report) => self.report_arrives(report),
            Event::Acknowledged(report) => self.acknowledged(&report),
            Event::NoAnswer(report) => {
                if self.under_way.get(&(report.of, report.interaction)) == Some(&report.no) {
                    self.under_way.remove(&(report.of, report.interaction));
                    self.report_of(report.of, report.interaction);
                }
            }
            Event::Expire => {
                if self.presence.deadline_us().is_some_and(|at_us| at_us <= self.now_us) {
                    self.presence.expire(self.now_us);
                    self.presence_changed();
                }
            }
            Event::Match => {
                let (presence, now_us) = (&self.presence, self.now_us);
                self.routing.propose(now_us, &|team, medium, skip| presence.candidates(team, medium, skip));
                self.report_proposals();
            }
            Event::Switch(id, kind) => {
                self.say(id, || format!("switch {kind:?}"));
                self.switch_says(id, kind);
            }
            Event::OnSwitch(what) => self.on_switch(what),
            Event::Pass(id) => self.pass(id),
        }
    }
}

/// Interactions: they begin, are advanced, and are over.
impl Walk {
    fn arrival(&mut self) {
        if self.is_closing() {
            return;
        }
        let after_us = self.rng.i64(SECOND_US / 2..8 * SECOND_US);
        self.agenda.plan(self.now_us + after_us, Event::Arrival);
        if self.live.values().filter(|live| !live.world.interaction.ended()).count() >= AT_ONCE {
            return;
        }
        self.walked.interactions += 1;
        if self.is_closing() {
            self.closing_since_us = Some(self.now_us);
        }
        let id = InteractionId(Uuid::from_u128(1 << 64 | u128::from(self.walked.interactions)));
        let policy = self.rng.usize(0..self.watches.len());
        let interaction = match self.rng.u32(0..5) {
            0 => self.placed(id, policy),
            1 => self.chat(id, policy),
            _ => self.called(id, policy),
        };
        let live = Live {
            world: World::new(interaction, self.now_us),
            policy,
            has: [0; 3],
            story: VecDeque::new(),
            forget_at_us: None,
        };
        self.live.insert(id, live);
        self.say(id, || format!("begins under {}", PROFILES[policy].name));
        self.push(id);
        self.agenda.plan(self.now_us + self.rng.i64(SECOND_US..20 * SECOND_US), Event::Person(id));
    }

    fn called(&mut self, id: InteractionId, policy: usize) -> Interaction {
        let name = format!("in-{id}");
        let leg = SwitchLeg {
            interaction: id,
            phone: name.clone(),
            outside: true,
            progress: LegProgress::Ringing,
            room: None,
            up_since_us: None,
        };
        self.switch.legs.insert(name.clone(), leg);
        self.drivers.insert(id, Driver::of_call(&LegNo(1).of(id), &name));
        let steps = self.steps();
        let opening = self.opening(id, LegSource::Inbound(name.into()), steps);
        baton_domain::open(opening, self.watches[policy].policy(), self.now_us).0
    }

    fn chat(&mut self, id: InteractionId, policy: usize) -> Interaction {
        let steps = self.steps();
        let opening = self.opening(id, LegSource::Written, steps);
        baton_domain::open(opening, self.watches[policy].policy(), self.now_us).0
    }

    fn steps(&mut self) -> Vec<FlowStep> {
        let ring = FlowStep::RingAgent { agent: agent(self.rng.u8(1..=AGENTS)), ring_ms: 20_000 };
        let Target::Team { id: team, name: of_team } = team() else { unreachable!("a team is a team") };
        let team = FlowStep::RingTeam { team, name: of_team, ring_ms: 15_000, wait_ms: 60_000 };
        match self.rng.u32(0..4) {
            0 => vec![ring],
            1 => vec![team],
            2 => vec![ring, team, FlowStep::Voicemail("desk".into())],
            _ => vec![team, FlowStep::Voicemail("desk".into())],
        }
    }

    fn placed(&mut self, id: InteractionId, policy: usize) -> Interaction {
        let phone = format!("32470{:06}", self.walked.interactions % 1_000_000);
        let origin =
            LegSource::Outside(Outside { phone: phone.into(), allowed_by: "+32".into(), shows_customer: false });
        let opening = self.opening(id, origin, Vec::new());
        let caller = agent(self.rng.u8(1..=AGENTS));
        baton_domain::place(opening, self.watches[policy].policy(), caller, self.now_us).0
    }

    fn opening(&mut self, id: InteractionId, origin: LegSource, steps: Vec<FlowStep>) -> Opening {
        let modes = [RecordingMode::All, RecordingMode::Incoming, RecordingMode::Outgoing, RecordingMode::Manual];
        Opening {
            id,
            tenant: "walk".into(),
            switch: SwitchId::default(),
            number: "+3225550100".into(),
            customer: "+32470000000".into(),
            customer_key: "".into(),
            origin,
            flow_id: (!steps.is_empty()).then(|| "main".into()),
            steps,
            skip_voicemail: self.rng.bool(),
            recording: modes[self.rng.usize(0..modes.len())],
            policy_version: 1,
        }
    }

    /// Gives an interaction an input, and looks at what comes of it.
    pub(crate) fn submit(&mut self, id: InteractionId, input: &Input) {
        if self.wrong.is_some() {
            return;
        }
        self.walked.inputs += 1;
        let (now_us, thorough) = (self.now_us, self.walked.inputs.is_multiple_of(THOROUGH));
        let Some(live) = self.live.get_mut(&id) else { return };
        let watch = &self.watches[live.policy];
        let before = World::new(live.world.interaction.clone(), now_us);
        live.world.now_us = now_us;
        let answer = baton_domain::react(&mut live.world.interaction, watch.policy(), input.clone(), now_us);
        let broken = watch.broken((&before, input, &live.world), &answer, thorough);
        let (sequence, version) = (before.interaction.sequence, live.world.interaction.version);
        let events = answer.as_ref().map(|reaction| reaction.events.as_slice()).unwrap_or_default();
        let gap = events.iter().zip(sequence + 1..).any(|(event, no)| event.sequence != no);
        let changed = version != before.interaction.version;
        self.walked.refused += u64::from(answer.is_err());
        let text = format!(
            "{input:?} -> version {version}{}",
            answer.err().map(|it| format!(" refused: {it:?}")).unwrap_or_default()
        );
        self.say(id, || text);
        if gap {
            return self.break_off(id, "E2: the events have a gap");
        }
        if let Some((invariant, why)) = broken {
            return self.break_off(id, &format!("{}: {}: {why}", invariant.id, invariant.says));
        }
        if changed {
            self.push(id);
        }
    }

    fn tick(&mut self, id: InteractionId) {
        let Some(live) = self.live.get(&id) else { return };
        let deadline_us = project::deadline(&live.world.interaction, self.watches[live.policy].policy());
        if deadline_us.is_some_and(|at_us| at_us <= self.now_us) {
            self.submit(id, &Input::Tick);
        }
    }

    /// An interaction that is over, and of which everybody knows, is forgotten a while later.
    fn forget(&mut self, id: InteractionId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let settled = live.world.interaction.settled() && live.has == [live.world.interaction.version; 3];
        let done = settled && self.drivers.get(&id).is_some_and(Driver::is_done) && !self.switch.has(id);
        let now_us = self.now_us;
        match live.forget_at_us.filter(|_| done) {
            Some(at_us) if at_us <= now_us => {
                let hops = self.live.remove(&id).into_iter().flat_map(|live| live.world.interaction.journey);
                for hop in hops.filter(|hop| hop.by.is_some()) {
                    *self.walked.ended.entry(hop.outcome.phase()).or_default() += 1;
                }
                self.drivers.remove(&id);
                self.switch.forget(id);
                self.presence.forget(&id.to_string());
                self.routing.forget(&id.to_string());
                self.under_way.retain(|(_, of), _| *of != id);
                self.arrives_us.retain(|(_, of), _| *of != id);
            }
            _ => {
                live.forget_at_us = done.then(|| live.forget_at_us.unwrap_or(now_us + REMEMBERED_US));
                self.agenda.plan(now_us + REMEMBERED_US, Event::Forget(id));
            }
        }
    }
}

/// What the others are sent, and answer.
impl Walk {
    /// Sends what the interaction wants to everybody who has not got it.
    fn push(&mut self, id: InteractionId) {
        let Some(live) = self.live.get(&id) else { return };
        let (i, policy) = (&live.world.interaction, self.watches[live.policy].policy());
        let version = i.version;
        let queueing = project::queueing(i);
        let wait = queueing.wait.as_ref().map(|it| it.wait);
        let all = [
            Event::Plan(id, Box::new(wire::media(i, &project::plan(i, policy)))),
            Event::Claims(id, Box::new(wire::claims(i, &project::claims(i)))),
            Event::Wait(id, wait, Box::new(wire::wait(i, &queueing))),
        ];
        let (deadline_us, lacking, ended) =
            (project::deadline(i, policy), live.has.map(|has| has < version), i.ended() && live.forget_at_us.is_none());
        for (event, _) in all.into_iter().zip(lacking).filter(|(_, lacks)| *lacks) {
            self.send(event);
        }
        if lacking.contains(&true) {
            self.agenda.plan(self.now_us + 2 * AGAIN_US, Event::Push(id));
        }
        if let Some(at_us) = deadline_us {
            self.agenda.plan(at_us, Event::Tick(id));
        }
        if ended {
            self.forget(id);
        }
    }

    fn push_again(&mut self, id: InteractionId) {
        let lacks = |live: &Live| live.has.iter().any(|has| *has < live.world.interaction.version);
        if self.live.get(&id).is_some_and(lacks) {
            self.push(id);
        }
    }

    fn has(&mut self, id: InteractionId, receiver: usize, version: u64) {
        if let Some(live) = self.live.get_mut(&id) {
            live.has[receiver] = live.has[receiver].max(version);
        }
    }

    fn claims_arrive(&mut self, id: InteractionId, request: baton_api::presence::v1::SyncClaimsRequest) {
        let version = request.version;
        // An older one is refused, and changes nothing.
        let Ok(answer) = self.presence.sync(request, self.now_us) else { return };
        self.say(id, || format!("presence {:?}", answer.claims));
        self.presence_changed();
        if let Some(wrong) = self.presence.wrong() {
            return self.break_off(id, &format!("A1: {wrong}"));
        }
        self.send(Event::HasClaims(id, version, Box::new(answer)));
    }

    fn wait_arrives(
        &mut self,
        id: InteractionId,
        wait: Option<baton_words::WaitNo>,
        request: baton_api::routing::v1::SyncWaitRequest,
    ) {
        let (presence, version, now_us) = (&self.presence, request.version, self.now_us);
        let answer = self.routing.sync(request, now_us, &|team, medium, skip| presence.candidates(team, medium, skip));
        let Ok(answer) = answer else { return };
        self.report_proposals();
        if self.routing.open() > 0 {
            self.agenda.plan(now_us + SECOND_US, Event::Match);
        }
        self.send(Event::HasWait(id, version, wait, Box::new(answer)));
    }

    /// Something may run out at another time, somebody may be free, and there may be something to report.
    pub(crate) fn presence_changed(&mut self) {
        if let Some(at_us) = self.presence.deadline_us().filter(|at_us| *at_us != self.expires_at_us) {
            self.expires_at_us = at_us;
            self.agenda.plan(at_us, Event::Expire);
        }
        if self.routing.open() > 0 {
            self.agenda.plan(self.now_us + 20_000, Event::Match);
        }
        let of: Vec<_> = self.presence.unreported().filter_map(|(of, ..)| of.parse().ok()).collect();
        for id in of {
            self.report_of(Observer::Presence, id);
        }
    }

    fn report_proposals(&mut self) {
        let of: Vec<_> = self.routing.unreported().filter_map(|(of, _)| of.parse().ok()).collect();
        for id in of {
            self.report_of(Observer::Routing, id);
        }
    }

    pub(crate) fn report_of_telephony(&mut self, id: InteractionId) {
        self.report_of(Observer::Telephony, id);
    }

    /// Sends what is not acknowledged, unless something is under way.
    fn report_of(&mut self, of: Observer, id: InteractionId) {
        if self.under_way.contains_key(&(of, id)) {
            return;
        }
        let own = id.to_string();
        let mut facts: Vec<_> = match of {
            Observer::Telephony => {
                let unreported = self.drivers.get(&id).into_iter().flat_map(|driver| driver.unreported.values());
                unreported.map(|(position, fact)| (format!("{position:020}"), fact.clone())).collect()
            }
            Observer::Presence => {
                let unreported = self.presence.unreported().filter(|(of, ..)| *of == own);
                unreported.map(|(_, claim, fact)| (claim.to_owned(), fact.clone())).collect()
            }
            Observer::Routing => {
                let unreported = self.routing.unreported().filter(|(of, _)| *of == own);
                unreported.map(|(_, fact)| (proposed_in(&fact), fact)).collect()
            }
        };
        if facts.is_empty() {
            return;
        }
        facts.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.reports += 1;
        let report = Report { of, interaction: id, no: self.reports, facts };
        self.under_way.insert((of, id), report.no);
        self.agenda.plan(self.now_us + AGAIN_US, Event::NoAnswer(report.clone()));
        self.send_in_order(Event::Report(report.clone()), report.of, id);
    }

    fn report_arrives(&mut self, report: Report) {
        for (_, fact) in &report.facts {
            match wire::fact(report.interaction, fact) {
                Ok(fact) => self.submit(report.interaction, &Input::Fact(fact)),
                Err(error) => {
                    return self.break_off(report.interaction, &format!("a fact is refused: {error:?}: {fact:?}"));
                }
            }
        }
        self.send(Event::Acknowledged(report));
    }

    fn acknowledged(&mut self, report: &Report) {
        let id = report.interaction;
        for (key, _) in &report.facts {
            match report.of {
                Observer::Telephony => {
                    if let Some(driver) = self.drivers.get_mut(&id) {
                        driver.unreported.retain(|_, (position, _)| format!("{position:020}") != *key);
                    }
                }
                Observer::Presence => self.presence.acknowledge(&id.to_string(), key),
                Observer::Routing => self.routing.acknowledge(&id.to_string(), key),
            }
        }
        if self.under_way.get(&(report.of, id)) == Some(&report.no) {
            self.under_way.remove(&(report.of, id));
            self.report_of(report.of, id);
        }
    }

    /// The switch and telephony are connected by a stream: what is said there arrives, in order, a moment later.
    pub(crate) fn tell_telephony(&mut self, id: InteractionId, kind: SwitchEventKind) {
        self.agenda.plan(self.now_us + 5_000, Event::Switch(id, kind));
    }

    /// Over the network: late, twice, or never.
    fn send(&mut self, event: Event) {
        self.walked.sent += 1;
        let copies = match self.rng.u32(0..100) {
            0..4 => 0,
            4..8 => 2,
            _ => 1,
        };
        self.walked.dropped += u64::from(copies == 0);
        let times_us: Vec<_> = (0..copies).map(|_| self.now_us + self.delay_us()).collect();
        if let Some((first_us, more_us)) = times_us.split_first() {
            for at_us in more_us {
                self.agenda.plan(*at_us, event.clone());
            }
            self.agenda.plan(*first_us, event);
        }
    }

    /// Over a connection that keeps the order, and may lose a message.
    fn send_in_order(&mut self, event: Event, of: Observer, id: InteractionId) {
        self.walked.sent += 1;
        let at_us = (self.now_us + self.delay_us()).max(self.arrives_us.get(&(of, id)).copied().unwrap_or_default());
        self.arrives_us.insert((of, id), at_us);
        if self.rng.u32(0..100) < 4 {
            self.walked.dropped += 1;
        } else {
            self.agenda.plan(at_us, event);
        }
    }

    fn delay_us(&mut self) -> i64 {
        match self.rng.u32(0..50) {
            0 => self.rng.i64(SECOND_US / 10..LONGEST_DELAY_US),
            _ => self.rng.i64(500..20_000),
        }
    }
}

fn proposed_in(fact: &baton_api::transfer::v1::Fact) -> String {
    match &fact.fact {
        Some(baton_api::transfer::v1::fact::Fact::Proposal(proposal)) => proposal.wait_id.clone(),
        _ => String::new(),
    }
}

/// What is wrong.
impl Walk {
    /// Keeps what happens, for the digest and for the story.
    pub(crate) fn say(&mut self, id: InteractionId, what: impl FnOnce() -> String) {
        let line = format!("{:>12.3} s  {}", (self.now_us - BEGIN_US) as f64 / 1e6, what());
        self.digest.write(line.as_bytes());
        if let Some(live) = self.live.get_mut(&id) {
            if live.story.len() == KEPT {
                live.story.pop_front();
            }
            live.story.push_back(line.clone());
        }
    }

    pub(crate) fn break_off(&mut self, id: InteractionId, says: &str) {
        if self.wrong.is_none() {
            self.wrong = Some(self.wrong_of(Some(id), says));
        }
    }

    fn wrong_of(&self, interaction: Option<InteractionId>, says: &str) -> Wrong {
        let live = interaction.and_then(|id| self.live.get(&id));
        let state = live.map(|live| format!("{:#?}", live.world.interaction));
        let story = live.into_iter().flat_map(|live| live.story.iter().cloned()).chain(state).collect();
        Wrong { says: says.to_owned(), interaction, story }
    }
}
