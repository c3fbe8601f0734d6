//! What came of a proof, as people read it.

use crate::{bound::Bound, invariants::Invariant};
use baton_words::TransferKind;
use std::fmt;

/// What came of a proof.
#[derive(Debug, Clone)]
pub struct Report {
    /// The policy's name.
    pub policy: String,
    pub bound: Bound,
    pub completeness: Completeness,
    /// That differ in something that matters.
    pub situations: usize,
    /// From one situation to another, or back.
    pub steps: usize,
    /// Steps in the longest of the ways that were gone.
    pub depth: usize,
    /// What no way leads to.
    pub unreached: Vec<Unreached>,
    /// What can break.
    pub broken: Vec<Broken>,
}

/// Whether everything within the bound was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    Complete,
    /// As many steps as the bound allows were gone before.
    Stopped,
}

/// A kind of transfer that the policy has and that can never be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreached {
    pub kind: TransferKind,
}

/// A rule that can break.
#[derive(Debug, Clone)]
pub struct Broken {
    pub invariant: Invariant,
    /// The shortest way there.
    pub story: Vec<StoryStep>,
}

/// One step of a story.
#[derive(Debug, Clone)]
pub struct StoryStep {
    /// What happens: `agent 1 starts a warm transfer to agent 2`.
    pub happening: String,
    /// How it is then: `customer on hold, agent 1 in private; warm transfer 1: offered`.
    pub then: String,
}

impl Report {
    /// Everything was looked at, nothing can break, and everything can be reached.
    pub fn is_proved(&self) -> bool {
        self.completeness == Completeness::Complete && self.broken.is_empty() && self.unreached.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for broken in &self.broken {
            writeln!(f, "{broken}")?;
        }
        for unreached in &self.unreached {
            writeln!(f, "no way leads to a completed {} transfer\n", unreached.kind)?;
        }
        let (situations, steps, depth) = (self.situations, self.steps, self.depth);
        writeln!(f, "bound: {}", self.bound)?;
        writeln!(f, "looked at: {situations} situations by {steps} steps, up to {depth} in a row")?;
        f.write_str(match self.completeness {
            Completeness::Complete => "complete within bound\n",
            Completeness::Stopped => {
                "not complete: the bound's steps are used up, and what was not looked at may break something\n"
            }
        })?;
        let name = &self.policy;
        match (self.broken.len() + self.unreached.len(), self.completeness) {
            (0, Completeness::Complete) => write!(f, "{name}: nothing can break"),
            (0, Completeness::Stopped) => write!(f, "{name}: nothing was found so far, and nothing is proved"),
            (wrong, _) => write!(f, "{name}: {wrong} can go wrong"),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} can break: {}", self.invariant.id, self.invariant.says)?;
        for (at, step) in self.story.iter().enumerate() {
            writeln!(f, "  {:>2}. {}", at + 1, step.happening)?;
            writeln!(f, "      {}", step.then)?;
        }
        Ok(())
    }
}
