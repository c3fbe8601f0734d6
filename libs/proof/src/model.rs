//! The exploration: the worlds as a model that the model checker walks through.

use crate::{
    alike::Likeness,
    bound::Bound,
    happening::{self, Happening},
    invariants::{INVARIANTS, Rule},
    report::{Broken, Completeness, Report, Unreached},
    transitions, words,
    world::{World, beginnings},
};
use baton_domain::{
    Actor, Input, Interaction, Policy,
    interaction::{Hop, HopOutcome},
};
use baton_words::{Phase, TransferKind, TransferNo};
use stateright::{Checker, Model, Property};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A policy that is being proved.
pub(crate) struct Proof {
    pub(crate) policy: Policy,
    pub(crate) bound: Bound,
    likeness: Likeness,
    /// A bit for each invariant that was seen to break: only the first way there is told, which is the shortest.
    broken: AtomicU64,
    /// A bit for each kind of transfer by which a recipient has taken over.
    completed: AtomicU32,
}

/// Explores everything that can happen under this policy within the bound. `meanwhile` is called again and again until it is done, with how many
/// situations were found so far; how long it takes decides how soon the end is noticed.
pub fn prove(policy: &Policy, bound: &Bound, meanwhile: impl FnMut(usize)) -> Report {
    let report = explore(policy, bound, meanwhile);
    // Several threads don't look at the shortest ways first; where there is something to show, one does.
    if report.broken.is_empty() || bound.threads == 1 {
        return report;
    }
    explore(policy, &Bound { threads: 1, ..*bound }, |_| std::thread::yield_now())
}

fn explore(policy: &Policy, bound: &Bound, mut meanwhile: impl FnMut(usize)) -> Report {
    let (policy, likeness) = (policy.clone(), Likeness::new(policy));
    let mut builder =
        Proof { policy, bound: *bound, likeness, broken: AtomicU64::new(0), completed: AtomicU32::new(0) }.checker();
    if let Some(most) = bound.most_steps {
        builder = builder.target_state_count(most.get());
    }
    let checker = builder.threads(bound.threads).spawn_bfs();
    while !checker.is_done() {
        meanwhile(checker.unique_state_count());
    }
    let checker = checker.join();
    let proof = checker.model();
    let broken = INVARIANTS.iter().enumerate().filter_map(|(at, invariant)| {
        let way = checker.discovery(PROPERTIES[at].0)?.into_vec();
        Some(Broken { invariant: *invariant, story: words::story(proof, way, at) })
    });
    let stopped = bound.most_steps.is_some_and(|most| checker.state_count() >= most.get());
    Report {
        policy: proof.policy.name.clone(),
        bound: *bound,
        completeness: if stopped { Completeness::Stopped } else { Completeness::Complete },
        situations: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        unreached: proof.unreached(),
        broken: broken.collect(),
    }
}

impl Proof {
    /// What a policy allows on paper and nobody can ever do: each kind must be able to come to its good end.
    fn unreached(&self) -> Vec<Unreached> {
        let completed = self.completed.load(Ordering::Relaxed);
        let kinds = TransferKind::ALL.iter().filter(|kind| self.policy.methods.contains_key(kind));
        kinds.filter(|kind| completed & bit(**kind) == 0).map(|kind| Unreached { kind: *kind }).collect()
    }

    /// What a supervisor does from outside is no way for those who are in the call.
    fn note_completion(&self, before: &World, happening: &Happening, after: &World) {
        let by_staff = matches!(happening, Happening::Input(Input::Command(Actor::Staff { .. }, _)));
        if let Some(open) = before.interaction.transfer.as_ref().filter(|open| !by_staff && open.is_undecided())
            && is_decided(&after.interaction, open.no)
        {
            self.completed.fetch_or(bit(open.kind), Ordering::Relaxed);
        }
    }

    fn known(&self, mut world: World) -> World {
        world.likeness = self.likeness.of(&world, &self.policy);
        world
    }
}

fn bit(kind: TransferKind) -> u32 {
    1 << kind as u32
}

/// The recipient has taken over, or the customer has gone through a flow, or is in it for good.
fn is_decided(i: &Interaction, no: TransferNo) -> bool {
    let open = i.transfer.as_ref().is_some_and(|open| open.no == no && !open.is_undecided());
    let went_through = |outcome: HopOutcome| outcome.to().is_some() || outcome.phase() == Phase::Completed;
    let completed = |hop: &Hop| hop.by.as_ref().is_some_and(|by| by.transfer == no) && went_through(hop.outcome);
    open || i.journey.last().is_some_and(completed)
}

impl Model for Proof {
    type State = World;
    type Action = Happening;

    fn init_states(&self) -> Vec<World> {
        beginnings(&self.policy, self.bound.recording).into_iter().map(|world| self.known(world)).collect()
    }

    fn actions(&self, world: &World, all: &mut Vec<Happening>) {
        happening::possible(world, &self.policy, &self.bound, all);
    }

    fn next_state(&self, world: &World, happening: Happening) -> Option<World> {
        let after = transitions::follow(world, &happening, &self.policy)?;
        self.note_completion(world, &happening, &after);
        Some(self.known(after))
    }

    /// Telephony reports the end of a segment before there are two others.
    fn within_boundary(&self, world: &World) -> bool {
        world.interaction.recorder.closing.len() <= 1
    }

    fn properties(&self) -> Vec<Property<Self>> {
        PROPERTIES.iter().map(|(name, condition)| Property::always(name, *condition)).collect()
    }
}

/// What the checker looks at: an invariant by its index in [`INVARIANTS`], as its name and as its condition.
type IndexedProperty = (&'static str, fn(&Proof, &World) -> bool);

macro_rules! properties {
    ($($at:literal)*) => { [$((stringify!($at), holds::<$at>)),*] };
}

/// One for each invariant: another number of them does not compile.
const PROPERTIES: [IndexedProperty; INVARIANTS.len()] = properties!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41
    42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
);

fn holds<const AT: usize>(proof: &Proof, world: &World) -> bool {
    let holds = match INVARIANTS[AT].rule {
        Rule::Situation(check) => world.broken.is_some() || check(proof, world).is_ok(),
        Rule::Transition(_) => world.broken != Some(AT),
    };
    holds || proof.broken.fetch_or(1 << AT, Ordering::Relaxed) & 1 << AT != 0
}
