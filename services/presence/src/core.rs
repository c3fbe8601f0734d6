//! The one place where presence changes: database first, then memory, in the order of the commits.
//!
//! Changes share the database's one writer; memory is always what the last durable commit left, and takes each over in the order
//! of the commits (`commit_order`). A change runs in a task of its own: a caller that goes away half way must not leave memory
//! behind the database.

use std::future::Future;
use std::sync::Arc;

use baton_api::ApiError;
use baton_bus::{actor_text, caller_actor};
use baton_runtime::auth::{AdmissionList, Caller, TenantId};
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::{Clock, call};
use baton_store::requests::RequestKey;
use baton_store::{Db, StoreError};
use prost::Message;
use tokio::sync::Notify;
use tonic::Status;

use crate::commit_order::CommitOrder;
use crate::deadline::Deadline;
use crate::edit::{Edit, Effects};
use crate::events::ChangeContext;
use crate::index::Index;
use crate::sessions::AgentSessions;
use crate::store::{claims, deleted_ids, records, teams};

/// What all parts of the service share.
pub(crate) struct PresenceCore {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) lease_us: i64,
    pub(crate) index: Index,
    pub(crate) sessions: AgentSessions,
    /// When the next reservation or wrap-up runs out.
    pub(crate) deadline: Deadline,
    /// A reservation ran out.
    pub(crate) expired: Arc<Notify>,
    /// Refuses the tokens of agents who were deleted.
    admitted: AdmissionList,
    order: CommitOrder,
}

/// A client's request for a change, with all that makes a second request the same one.
pub(crate) struct ChangeRequest<'a, Request> {
    pub(crate) caller: &'a Caller,
    /// The full name of the method.
    pub(crate) method: &'static str,
    pub(crate) request_id: &'a str,
    pub(crate) message: &'a Request,
}

impl PresenceCore {
    /// Reads all agents and teams into memory.
    pub(crate) async fn read(
        db: Db,
        clock: Clock,
        lifecycle: Lifecycle,
        lease_us: i64,
        admitted: AdmissionList,
    ) -> Result<Self, StoreError> {
        let core = Self {
            db,
            clock,
            lifecycle,
            lease_us,
            index: Index::new(),
            sessions: AgentSessions::default(),
            deadline: Deadline::default(),
            expired: Arc::default(),
            admitted,
            order: CommitOrder::default(),
        };
        core.fill().await?;
        Ok(core)
    }

    async fn fill(&self) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        for record in records::all(&mut tx).await? {
            self.index.tenant(&record.tenant.clone()).put_agent(record.id, Some(record));
        }
        for record in teams::all(&mut tx).await? {
            self.index.tenant(&record.tenant.clone()).put_team(record.id, Some(record));
        }
        self.admitted.deleted(deleted_ids::agents(&mut tx).await?);
        tx.rollback().await?;
        self.find_deadline().await
    }

    /// Reads the next moment at which something runs out. A change that is committed meanwhile notes its own deadline.
    pub(crate) async fn find_deadline(&self) -> Result<(), StoreError> {
        let next = claims::next_deadline(&mut self.db.read().await?).await?;
        if let Some(at_us) = next {
            self.deadline.note(at_us);
        }
        Ok(())
    }

    /// Runs `work` to its end, also when its caller is gone.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let busy = self.clock.busy();
        let task = lifecycle::spawn(call::carry(async move {
            let _busy = busy;
            work.await
        }));
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a change panicked");
            Err(ApiError::internal("The change failed; the service's log says why.").into())
        })
    }

    /// One change that no client requested: committed, then taken over by memory.
    pub(crate) async fn change<T>(
        &self,
        tenant: &TenantId,
        actor: &str,
        change: impl AsyncFnOnce(&mut Edit<'_>) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut tx = self.db.begin().await?;
        let context = ChangeContext { tenant, actor, now_us: self.clock.now_us() };
        let mut effects = Effects::default();
        let result = change(&mut Edit { tx: &mut tx, effects: &mut effects, context }).await;
        let Ok(value) = result else {
            tx.rollback().await?;
            return result;
        };
        effects.load(&mut tx).await?;
        let mut ticket = self.order.ticket();
        let committed = tx.commit().await;
        ticket.wait_for_earlier().await;
        committed?;
        self.take_over(effects);
        Ok(value)
    }

    /// One change that a client requested: the same request again changes nothing and is answered the same (B609).
    pub(crate) async fn change_once<Request, Response>(
        &self,
        request: ChangeRequest<'_, Request>,
        change: impl AsyncFnOnce(&mut Edit<'_>) -> Result<Response, Status>,
    ) -> Result<Response, Status>
    where
        Request: Message,
        Response: Message + Default,
    {
        let tenant = request.caller.tenant()?;
        let actor = actor_text(&caller_actor(request.caller));
        let key = RequestKey::new(tenant.as_str(), &request.caller.subject, request.method, request.request_id)?;
        let mut effects = Effects::default();
        let mut ticket = None;
        let result = baton_store::idempotent(&self.db, &key, request.message, self.clock.now_us(), async |tx| {
            let context = ChangeContext { tenant, actor: &actor, now_us: self.clock.now_us() };
            let response = change(&mut Edit { tx: &mut *tx, effects: &mut effects, context }).await?;
            effects.load(tx).await?;
            ticket = Some(self.order.ticket());
            Ok(response)
        })
        .await;
        if let Some(ticket) = &mut ticket {
            ticket.wait_for_earlier().await;
        }
        let response = result?;
        self.take_over(effects);
        Ok(response)
    }

    /// Brings memory up to the commit. It neither waits nor fails.
    fn take_over(&self, effects: Effects) {
        for (tenant, id, record) in effects.agents_now {
            if record.is_none() {
                self.admitted.deleted([(tenant.clone(), id.to_string())]);
            }
            if self.index.tenant(&tenant).put_agent(id, record) {
                self.index.announce(&tenant);
            }
        }
        for (tenant, id, record) in effects.teams_now {
            self.index.tenant(&tenant).put_team(id, record);
            self.index.announce(&tenant);
        }
        if let Some(at_us) = effects.deadline_us {
            self.deadline.note(at_us);
        }
        if effects.expired {
            self.expired.notify_one();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
