//! The one place where presence changes: database first, then memory.
//!
//! Each change gives what it touches a new version, and memory takes over only what is newer than what it has: so it comes to be what
//! the last durable commit left, in whatever order commits return. A change runs in a task of its own: a caller that goes away half way
//! must not leave memory behind the database.

use std::future::Future;
use std::sync::Arc;

use baton_api::ApiError;
use baton_runtime::auth::{AdmissionList, Caller, TenantId};
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::{Clock, call};
use baton_store::requests::RequestKey;
use baton_store::{Db, Done, StoreError};
use prost::Message;
use tokio::sync::Notify;
use tonic::Status;

use crate::applied::AppliedVersions;
use crate::deadline::Deadline;
use crate::edit::{Edit, Effects};
use crate::events::ChangeContext;
use crate::index::Index;
use crate::sessions::AgentSessions;
use crate::store::{claims, deleted_ids, records, sites, teams};

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
    pub(crate) to_report: Arc<Notify>,
    /// Refuses the tokens of agents who were deleted.
    admitted: AdmissionList,
    /// Of the claims of interactions.
    pub(crate) applied: AppliedVersions,
}

/// A client's request for a change, with all that makes a second request the same one.
pub(crate) struct ChangeRequest<'a, Request> {
    pub(crate) caller: &'a Caller,
    /// The caller, as events name them.
    pub(crate) actor: &'a str,
    /// The full name of the method.
    pub(crate) method: &'static str,
    pub(crate) request_id: &'a str,
    pub(crate) message: &'a Request,
}

impl PresenceCore {
    /// Reads all agents, teams and sites into memory.
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
            to_report: Arc::default(),
            admitted,
            applied: AppliedVersions::default(),
        };
        core.fill().await?;
        Ok(core)
    }

    async fn fill(&self) -> Result<(), StoreError> {
        let stored = self.db.change(|mut tx| async move {
            let (agents, teams) = (records::all(&mut tx).await?, teams::all(&mut tx).await?);
            let stored = (agents, teams, sites::all(&mut tx).await?, deleted_ids::agents(&mut tx).await?);
            Ok::<_, StoreError>(tx.undone(stored))
        });
        let (agents, teams, sites, deleted) = stored.await?;
        for record in agents {
            self.index.tenant(&record.tenant.clone()).put_agent(record.id, Some(record));
        }
        for record in teams {
            self.index.tenant(&record.tenant.clone()).put_team(record.id, Some(record));
        }
        for record in sites {
            self.index.tenant(&record.tenant.clone()).put_site(record.id, Some(record));
        }
        self.admitted.deleted(deleted);
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

    /// One change that no client requested: committed, then taken over by memory. It runs again when another one was in its way.
    pub(crate) async fn change<'a, T, F>(
        &self,
        tenant: &'a TenantId,
        actor: &'a str,
        mut change: impl FnMut(Edit<'a>) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<(Edit<'a>, T), Status>>,
    {
        let context = ChangeContext { tenant, actor, now_us: self.clock.now_us() };
        let (value, effects) = self.db.change(|tx| finish(change(Edit::new(tx, context)))).await?;
        self.take_over(tenant, effects);
        Ok(value)
    }

    /// One change that a client requested: the same request again changes nothing and is answered the same (B609).
    pub(crate) async fn change_once<'a, Request, Response, F>(
        &self,
        request: ChangeRequest<'a, Request>,
        mut change: impl FnMut(Edit<'a>) -> F,
    ) -> Result<Response, Status>
    where
        Request: Message,
        Response: Message + Default,
        F: Future<Output = Result<(Edit<'a>, Response), Status>>,
    {
        let tenant = request.caller.tenant()?;
        let key = RequestKey::new(tenant.as_str(), &request.caller.subject, request.method, request.request_id)?;
        let now_us = self.clock.now_us();
        let context = ChangeContext { tenant, actor: request.actor, now_us };
        let change = |tx| finish(change(Edit::new(tx, context)));
        let (response, effects) = baton_store::idempotent_with(&self.db, &key, request.message, now_us, change).await?;
        if let Some(effects) = effects {
            self.take_over(tenant, effects);
        }
        Ok(response)
    }

    /// Brings memory up to the commit. It neither waits nor fails.
    fn take_over(&self, tenant: &TenantId, effects: Effects) {
        let index = self.index.tenant(tenant);
        for (id, record) in effects.agents_now {
            if record.is_none() {
                self.admitted.deleted([(tenant.clone(), id.to_string())]);
            }
            if index.put_agent(id, record) {
                self.index.announce(tenant);
            }
        }
        for (id, record) in effects.teams_now {
            index.put_team(id, record);
            self.index.announce(tenant);
        }
        for (id, record) in effects.sites_now {
            index.put_site(id, record);
        }
        if let Some(at_us) = effects.deadline_us {
            self.deadline.note(at_us);
        }
        if effects.to_report {
            self.to_report.notify_one();
        }
    }
}

async fn finish<'a, T>(
    edited: impl Future<Output = Result<(Edit<'a>, T), Status>>,
) -> Result<Done<(T, Effects)>, Status> {
    let (edit, value) = edited.await?;
    Ok(edit.finish(value).await?)
}

#[cfg(test)]
pub(crate) mod tests;
