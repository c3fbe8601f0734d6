//! Those who wait for one team, longest first, read as far as there is something to say to them.

use std::collections::VecDeque;
use std::sync::Arc;

use baton_api::presence::v1::ListCandidatesResponse;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError};
use uuid::Uuid;

use crate::people::CANDIDATES;
use crate::store::waits::{self, Place, WaitRow};

/// Waits in one read.
const PAGE: usize = 50;

/// The queue of one team, and who could be proposed in it.
pub(crate) struct Queue {
    pub(crate) candidates: Arc<ListCandidatesResponse>,
    pub(crate) rows: VecDeque<WaitRow>,
    pub(crate) team: Uuid,
    read_up_to: Place,
    is_read: bool,
}

impl Queue {
    /// Nothing is read yet.
    pub(crate) fn new(team: Uuid, candidates: ListCandidatesResponse) -> Self {
        Self {
            candidates: Arc::new(candidates),
            rows: VecDeque::new(),
            team,
            read_up_to: Place::default(),
            is_read: false,
        }
    }

    /// Somebody can be proposed, or nobody will ever be: otherwise those who wait go on waiting.
    pub(crate) fn says_something(&self, is_free: impl Fn(&str) -> bool) -> bool {
        !self.candidates.anybody_left || self.candidates.agents.iter().any(|it| is_free(&it.agent_id))
    }

    /// Presence named as many as it was asked for: there may be more.
    pub(crate) fn is_cut(&self) -> bool {
        self.candidates.agents.len() >= CANDIDATES
    }

    /// The place of the next who waits.
    pub(crate) async fn first(&mut self, reader: &mut Reader, tenant: &TenantId) -> Result<Option<Place>, StoreError> {
        if self.rows.is_empty() && !self.is_read {
            self.rows = waits::waiting(reader, tenant, self.team, &self.read_up_to, PAGE as i64).await?.into();
            self.is_read = self.rows.len() < PAGE;
            self.read_up_to = self.rows.back().map(WaitRow::place).unwrap_or_default();
        }
        Ok(self.rows.front().map(WaitRow::place))
    }
}
