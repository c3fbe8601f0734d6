//! How one world follows another.

use crate::{
    happening::Happening,
    invariants::{INVARIANTS, Rule},
    world::World,
};
use baton_domain::{Input, Interaction, Policy, Reaction, Refusal};

/// One step from a world to the next, as the rules look at it.
pub(crate) struct Transition<'a> {
    pub(crate) before: &'a World,
    pub(crate) happening: &'a Happening,
    pub(crate) after: &'a World,
    /// What the core has answered.
    pub(crate) answer: &'a Result<Reaction, Refusal>,
    pub(crate) policy: &'a Policy,
}

impl Transition<'_> {
    pub(crate) fn was(&self) -> &Interaction {
        &self.before.interaction
    }

    pub(crate) fn is(&self) -> &Interaction {
        &self.after.interaction
    }

    /// The core says that something has changed.
    pub(crate) fn changed(&self) -> bool {
        self.answer.as_ref().is_ok_and(|reaction| reaction.changed)
    }
}

/// What comes of a happening; none if that changes nothing and breaks nothing. The likeness is not yet known.
pub(crate) fn follow(before: &World, happening: &Happening, policy: &Policy) -> Option<World> {
    let mut after = before.clone();
    let input = match happening {
        Happening::ShortlyBefore(at_us) => {
            after.now_us = at_us - 1;
            return Some(after);
        }
        Happening::Deadline(at_us) => {
            after.now_us = *at_us;
            Input::Tick
        }
        Happening::Input(input) => input.clone(),
    };
    let by_command = matches!(input, Input::Command(..));
    let answer = baton_domain::react(&mut after.interaction, policy, input, after.now_us);
    let step = Transition { before, happening, after: &after, answer: &answer, policy };
    let (changed, broken) = (step.changed(), broken(&step));
    after.broken = broken;
    (changed || by_command || broken.is_some()).then_some(after)
}

/// The first rule that the step breaks.
fn broken(step: &Transition<'_>) -> Option<usize> {
    INVARIANTS.iter().position(|invariant| matches!(invariant.rule, Rule::Transition(holds) if !holds(step)))
}
