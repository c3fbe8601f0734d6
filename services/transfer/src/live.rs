//! An interaction with the policy under which it goes on: what every decision and every projection needs.

use baton_domain::{
    Actor, Interaction, Policy,
    permit::{allowed, refused},
    project::{self, Claims, MediaPlan, Queueing, TransferRecord},
};
use std::{ops::Deref, sync::Arc};

#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) state: Interaction,
    pub(crate) policy: Arc<Policy>,
}

impl Deref for Live {
    type Target = Interaction;

    fn deref(&self) -> &Interaction {
        &self.state
    }
}

impl Live {
    pub(crate) fn plan(&self) -> MediaPlan {
        project::plan(&self.state, &self.policy)
    }

    pub(crate) fn claims(&self) -> Claims {
        project::claims(&self.state)
    }

    pub(crate) fn queueing(&self) -> Queueing {
        project::queueing(&self.state)
    }

    pub(crate) fn deadline_us(&self) -> Option<i64> {
        project::deadline(&self.state, &self.policy)
    }

    /// The open transfer, or else the last one.
    pub(crate) fn last_transfer(&self) -> Option<TransferRecord> {
        let last = || self.journey.iter().rev().find_map(TransferRecord::of_hop);
        project::open_transfer(&self.state, &self.policy).or_else(last)
    }

    /// The actions that this actor may take now, and why not the others.
    pub(crate) fn actions(
        &self,
        actor: &Actor,
    ) -> (baton_domain::ActionSet, Vec<(baton_domain::Action, baton_domain::Refusal)>) {
        (allowed(&self.state, &self.policy, actor), refused(&self.state, &self.policy, actor))
    }
}
