//! The call flow: what happens to a customer whom no agent has, step after step.

use crate::{actor::AgentRef, event::StepTaken, queue::Queue};
use baton_words::TeamId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The steps that a call takes while no agent has it, frozen when it came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The call flow's id; none for a call that an agent places, and for a number without a flow.
    #[serde(alias = "name")]
    pub id: Option<Arc<str>>,
    /// In order.
    pub steps: Vec<FlowStep>,
    /// The index of the next one to take.
    pub next: usize,
    /// Unanswered transfers go to the next step, and not to the recipient's voicemail (B102).
    pub skip_voicemail: bool,
}

/// One step of a call flow. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowStep {
    RingAgent {
        agent: AgentRef,
        ring_ms: i64,
    },
    RingTeam {
        team: TeamId,
        name: Arc<str>,
        /// For how long each agent's phone may ring.
        ring_ms: i64,
        /// For how long the team is waited for in all.
        wait_ms: i64,
    },
    /// Take a message in this box.
    Voicemail(Arc<str>),
    /// End the call.
    Disconnect,
    /// Wait in a queue, as it was when the call came in.
    Queue(Box<Queue>),
}

impl Flow {
    /// Takes the next step: its number, from 1, and what it is. None: there is no more.
    pub(crate) fn advance(&mut self) -> Option<(u32, FlowStep)> {
        let step = self.steps.get(self.next)?.clone();
        self.next += 1;
        Some((self.next as u32, step))
    }

    /// Makes this the next step.
    pub(crate) fn insert(&mut self, step: FlowStep) {
        self.steps.insert(self.next, step);
    }

    pub(crate) fn has_more(&self) -> bool {
        self.next < self.steps.len()
    }
}

impl FlowStep {
    /// The step as its event tells of it.
    pub(crate) fn taken(&self) -> StepTaken {
        match self {
            Self::RingAgent { agent, .. } => StepTaken::RingAgent(agent.id),
            Self::RingTeam { team, .. } => StepTaken::RingTeam(*team),
            Self::Voicemail(mailbox) => StepTaken::Voicemail(mailbox.clone()),
            Self::Disconnect => StepTaken::Disconnect,
            Self::Queue(queue) => StepTaken::Queue(queue.id),
        }
    }
}
