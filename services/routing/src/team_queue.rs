//! The waits for one team or in one queue, in their order, read from the database as far as they can be answered.

use std::collections::VecDeque;
use std::sync::Arc;

use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError};

use crate::pool_rules::{Candidates, PoolRules};
use crate::presence::CANDIDATES;
use crate::store::waits::{self, QueuePosition, WaitRow};

/// Waits in one read.
const PAGE: usize = 50;

/// The queue of one team, or a queue, for one medium, and the agents who may be proposed to it.
pub(crate) struct TeamQueue {
    pub(crate) candidates: Arc<Candidates>,
    pub(crate) rows: VecDeque<WaitRow>,
    pub(crate) rules: Arc<PoolRules>,
    read_up_to: QueuePosition,
    is_read: bool,
}

impl TeamQueue {
    /// Without waits: they are read on demand.
    pub(crate) fn new(rules: PoolRules, candidates: Candidates) -> Self {
        Self {
            candidates: Arc::new(candidates),
            rows: VecDeque::new(),
            rules: Arc::new(rules),
            read_up_to: QueuePosition::default(),
            is_read: false,
        }
    }

    /// Whether its waits can be answered: an agent can be proposed, or none is left. Otherwise they go on waiting.
    pub(crate) fn is_answerable(&self, is_free: impl Fn(&str) -> bool) -> bool {
        self.rules.nobody(&self.candidates).is_some()
            || self.candidates.found.agents.iter().any(|it| is_free(&it.agent_id))
    }

    /// Whether presence named as many agents as it was asked for, and may have more.
    pub(crate) fn may_have_more(&self) -> bool {
        self.candidates.found.agents.len() >= CANDIDATES
    }

    /// The position of the next wait.
    pub(crate) async fn first_position(
        &mut self,
        reader: &mut Reader,
        tenant: &TenantId,
    ) -> Result<Option<QueuePosition>, StoreError> {
        if self.rows.is_empty() && !self.is_read {
            let (pool, medium) = (self.rules.pool, self.rules.medium());
            self.rows = waits::waiting(reader, tenant, (pool, medium), &self.read_up_to, PAGE as i64).await?.into();
            self.is_read = self.rows.len() < PAGE;
            self.read_up_to = self.rows.back().map(WaitRow::position).unwrap_or_default();
        }
        Ok(self.rows.front().map(WaitRow::position))
    }
}
