//! The same rules, for whoever plays the core in another way than by exploring it: a step that has happened is looked at by itself.

use crate::{
    bound::Bound,
    happening::Happening,
    invariants::{INVARIANTS, Invariant, Rule},
    model::Proof,
    transitions::Transition,
    world::World,
};
use baton_domain::{Actor, Command, Input, Policy, Reaction, Refusal, permit};

/// Looks at the steps of interactions that live under one policy.
pub struct Watch {
    proof: Proof,
}

impl Watch {
    /// Of calls under this policy.
    pub fn new(policy: Policy) -> Self {
        Self { proof: Proof::new(policy, Bound { recording: true, ..Bound::QUICK }) }
    }

    pub fn policy(&self) -> &Policy {
        &self.proof.policy
    }

    /// The first rule that this step breaks, and what is wrong. `thorough`: also the rules for which everything is tried that anybody might do
    /// now, which takes a hundred times as long.
    pub fn broken(
        &self,
        (before, input, after): (&World, &Input, &World),
        answer: &Result<Reaction, Refusal>,
        thorough: bool,
    ) -> Option<(Invariant, String)> {
        let happening = match input {
            Input::Tick => Happening::Deadline(after.now_us),
            other => Happening::Input(other.clone()),
        };
        if let (Input::Command(actor, command), Err(refusal)) = (input, answer) {
            return self.refused(before, (actor, command), after, refusal);
        }
        let step = Transition { before, happening: &happening, after, answer, policy: &self.proof.policy };
        INVARIANTS.into_iter().find_map(|invariant| {
            let wrong = match invariant.rule {
                Rule::Transition(holds) => (!holds(&step)).then(String::new),
                // What has not changed was looked at before.
                Rule::Situation(_) | Rule::Trial(_) if !step.changed() => None,
                Rule::Situation(check) => check(&self.proof, after).err(),
                Rule::Trial(check) => {
                    if thorough {
                        check(&self.proof, after).err()
                    } else {
                        None
                    }
                }
            };
            wrong.map(|wrong| (invariant, wrong))
        })
    }
    /// A refusal changes nothing, and comes to nobody who was told that they may; but for what the command names: a target, or to whom a message is (T6).
    fn refused(
        &self,
        before: &World,
        (actor, command): (&Actor, &Command),
        after: &World,
        refusal: &Refusal,
    ) -> Option<(Invariant, String)> {
        let names_it = match command {
            Command::Start(_) => matches!(
                refusal,
                Refusal::TargetInInteraction
                    | Refusal::AgentHopLimit(_)
                    | Refusal::TargetNotOffered(..)
                    | Refusal::TargetNotOfMedium(..)
                    | Refusal::FlowTransfersOn(_)
                    | Refusal::FlowNotForRoundTrip(_)
                    | Refusal::OutsideNotOffered(..)
                    | Refusal::CustomerIsOutside
            ),
            Command::SendMessage(_) => *refusal == Refusal::AgentsOnly,
            _ => false,
        };
        let shown = permit::allowed(&before.interaction, &self.proof.policy, actor).contains(command.action());
        let wrong = if before.interaction != after.interaction {
            "the refusal has changed something".to_owned()
        } else if shown && !names_it {
            format!("{actor:?} may {}, and is refused: {refusal:?}", command.action())
        } else {
            return None;
        };
        INVARIANTS.into_iter().find(|invariant| invariant.id == "T6").map(|invariant| (invariant, wrong))
    }
}
