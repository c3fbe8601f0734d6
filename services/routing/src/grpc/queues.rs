//! The part of `RoutingService` that says which queues there are, and how they stand.

use baton_api::error::ErrorReason;
use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::{
    DeleteQueueRequest, DeleteQueueResponse, GetQueueRequest, GetQueueResponse, GetQueueStatisticsRequest,
    GetQueueStatisticsResponse, ListQueueStatisticsRequest, ListQueueStatisticsResponse, ListQueuesRequest,
    ListQueuesResponse, Queue, QueueStatistics, UpdateQueueRequest, UpdateQueueResponse,
};
use baton_api::{ApiError, fields, name, page};
use baton_runtime::auth::{Caller, TenantId};
use baton_runtime::ids;
use baton_store::{Etag, Tx, change};
use tonic::Status;
use uuid::Uuid;

use super::RoutingApi;
use super::configuration::{configuration_request, fresh_etag, given, lock};
use crate::events;
use crate::flow;
use crate::page::ConfigurationCursor;
use crate::queue::{self, MAX_CHAIN, QueueChange};
use crate::statistics;
use crate::store::flows;
use crate::store::named::Stored;
use crate::store::queues::{self, MAX_QUEUES};
use crate::store::waits;
use crate::upsert::Upsert;

impl RoutingApi {
    pub(super) async fn read_queue(
        &self,
        tenant: &TenantId,
        request: &GetQueueRequest,
    ) -> Result<GetQueueResponse, Status> {
        let queue = self.stored_queue(tenant, &request.queue_id).await?.shown();
        Ok(GetQueueResponse { queue: Some(queue) })
    }

    async fn stored_queue(&self, tenant: &TenantId, id: &str) -> Result<Stored<Queue>, Status> {
        let id = flow::uuid("queue_id", id)?;
        let found = queues::look_up(&mut self.matcher.core.db.read().await?, tenant, id).await?;
        Ok(found.ok_or_else(|| ApiError::not_found("queue"))?)
    }

    pub(super) async fn read_queues(
        &self,
        tenant: &TenantId,
        request: &ListQueuesRequest,
    ) -> Result<ListQueuesResponse, Status> {
        let (found, next_page_token) = self.queue_page(tenant, request.page_size, &request.page_token).await?;
        Ok(ListQueuesResponse { queues: found.into_iter().map(Stored::shown).collect(), next_page_token })
    }

    async fn queue_page(
        &self,
        tenant: &TenantId,
        page_size: i32,
        page_token: &str,
    ) -> Result<(Vec<Stored<Queue>>, String), Status> {
        let (size, after) = fields::all((page::size(page_size), ConfigurationCursor::parse(page_token)))?;
        let mut found = queues::list(&mut self.matcher.core.db.read().await?, tenant, &after, size + 1).await?;
        let token = page::cut(&mut found, size, |it| {
            ConfigurationCursor { key: name::key(&it.message.name), id: it.id }.token()
        });
        Ok((found, token))
    }

    pub(super) async fn read_queue_statistics(
        &self,
        tenant: &TenantId,
        request: &GetQueueStatisticsRequest,
    ) -> Result<GetQueueStatisticsResponse, Status> {
        let queue = self.stored_queue(tenant, &request.queue_id).await?.shown();
        let now = statistics::of(&self.matcher.core, tenant, &queue).await?;
        Ok(GetQueueStatisticsResponse { statistics: Some(now) })
    }

    pub(super) async fn list_statistics(
        &self,
        tenant: &TenantId,
        request: &ListQueueStatisticsRequest,
    ) -> Result<ListQueueStatisticsResponse, Status> {
        let (found, next_page_token) = self.queue_page(tenant, request.page_size, &request.page_token).await?;
        Ok(ListQueueStatisticsResponse { statistics: self.of_queues(tenant, found).await?, next_page_token })
    }

    /// Those whose name has this in it, as the picker of a transfer shows them.
    pub(super) async fn queue_choices(
        &self,
        tenant: &TenantId,
        search: &str,
        (page_size, page_token): (i32, &str),
    ) -> Result<(Vec<QueueStatistics>, String), Status> {
        let search = name::key(search);
        let (mut token, mut found, size) = (page_token.to_owned(), Vec::new(), page::size(page_size)?);
        loop {
            let (queues, next) = self.queue_page(tenant, page_size, &token).await?;
            let is_last =
                |at: &Stored<Queue>| ConfigurationCursor { key: name::key(&at.message.name), id: at.id }.token();
            for queue in queues.into_iter().filter(|it| name::key(&it.message.name).contains(&search)) {
                if found.len() == size {
                    let last = found.last().map(is_last).unwrap_or_default();
                    return Ok((self.of_queues(tenant, found).await?, last));
                }
                found.push(queue);
            }
            if next.is_empty() || found.len() == size && search.is_empty() {
                return Ok((self.of_queues(tenant, found).await?, next));
            }
            token = next;
        }
    }

    async fn of_queues(&self, tenant: &TenantId, found: Vec<Stored<Queue>>) -> Result<Vec<QueueStatistics>, Status> {
        let mut all = Vec::with_capacity(found.len());
        for stored in found {
            all.push(statistics::of(&self.matcher.core, tenant, &stored.message).await?);
        }
        Ok(all)
    }

    pub(super) async fn change_queue(
        &self,
        caller: &Caller,
        request: &UpdateQueueRequest,
    ) -> Result<UpdateQueueResponse, Status> {
        let tenant = caller.tenant()?;
        let sent = given(request.queue.as_ref(), "queue")?;
        let (id, upsert) =
            fields::all((queue_id(&sent.queue_id, request.allow_missing, ids::new_uuid()), upsert(sent, request)))?;
        // Checked before the transaction, which must not wait for presence; used in it, so that a retry gets the first answer.
        let known = match upsert.all().find_map(QueueChange::targets) {
            Some(targets) => self.matcher.core.presence.check(tenant, &targets).await,
            None => Ok(()),
        };
        let change = configuration_request(caller, "UpdateQueue", &request.request_id, request);
        let (upsert, known) = (&upsert, &known);
        let changed = self
            .change_once(
                change,
                change!(|tx| {
                    lock(tx).await?;
                    let before = queues::get(tx, tenant, id).await?;
                    let change = match &before {
                        Some(_) => upsert.change(),
                        None => upsert.creation("queue")?,
                    };
                    let before = before.unwrap_or_else(|| missing(id));
                    before.etag.check(&sent.etag, "queue")?;
                    if change.targets().is_some() {
                        known.clone()?;
                    }
                    let queue = change.of(&before.message)?;
                    if queue == before.message {
                        return Ok(UpdateQueueResponse { queue: Some(before.shown()) });
                    }
                    let others = queues::all_now(tx, tenant).await?;
                    fits_in(&queue, &others)?;
                    if queue.name != before.message.name {
                        name::QUEUE.refuse_twin(&queue.name, &queues::alike(tx, tenant, id, &queue.name).await?)?;
                    }
                    let stored = Stored { id, message: queue, etag: fresh_etag() };
                    queues::put(tx, tenant, &stored).await?;
                    let queue = stored.shown();
                    let change = events::update_of(before.etag != Etag::default());
                    self.changed(tx, caller, change, Configuration::Queue(queue.clone())).await?;
                    Ok(UpdateQueueResponse { queue: Some(queue) })
                }),
            )
            .await?;
        // Who waits may have somebody now.
        self.matcher.worker(tenant).wake();
        Ok(changed)
    }

    pub(super) async fn remove_queue(
        &self,
        caller: &Caller,
        request: &DeleteQueueRequest,
    ) -> Result<DeleteQueueResponse, Status> {
        let tenant = caller.tenant()?;
        let id = flow::uuid("queue_id", &request.queue_id)?;
        let change = configuration_request(caller, "DeleteQueue", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let queue = queues::get(tx, tenant, id).await?.ok_or_else(|| ApiError::not_found("queue"))?;
                if let Some(in_use) = used_by(tx, tenant, id).await? {
                    return Err(in_use.into());
                }
                queues::delete(tx, tenant, id).await?;
                self.changed(tx, caller, Change::Deleted, Configuration::Queue(queue.shown())).await?;
                Ok(DeleteQueueResponse {})
            }),
        )
        .await
    }
}

/// What leads to this queue, or is in it, as the reason why it can't be deleted.
async fn used_by(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<Option<ApiError>, Status> {
    let in_use = |message: &str, what: &str, by: String| {
        Ok(Some(ApiError::failed_precondition(ErrorReason::InUse, message).with(what, by)))
    };
    let text = id.to_string();
    let others = queues::all_now(tx, tenant).await?;
    if let Some(other) = others.iter().find(|it| it.message.overflow_queue_id == text) {
        return in_use("Another queue overflows into it: change that one first.", "queue", other.id.to_string());
    }
    if let Some(flow) = flows::leading_to(tx, tenant, &text).await? {
        return in_use("A call flow leads to it: change that first.", "call_flow", flow.to_string());
    }
    match waits::any_in(tx, tenant, id).await? {
        Some(waiting) => in_use("A customer waits in it: delete it when nobody does.", "interaction", waiting),
        None => Ok(None),
    }
}

/// Whether the queue that it overflows into is there, and the chain of them ends.
fn fits_in(queue: &Queue, others: &[Stored<Queue>]) -> Result<(), ApiError> {
    let field = "queue.overflow_queue_id";
    let is_new = !others.iter().any(|it| it.message.queue_id == queue.queue_id);
    if is_new && others.len() >= MAX_QUEUES {
        return Err(ApiError::resource_exhausted(format!("a tenant has {MAX_QUEUES} queues at most")));
    }
    let find = |id: &str| others.iter().map(|it| &it.message).find(|it| it.queue_id == id && id != queue.queue_id);
    let mut next = queue.overflow_queue_id.as_str();
    for length in 1.. {
        if next.is_empty() {
            return Ok(());
        }
        if next == queue.queue_id || length >= MAX_CHAIN {
            let why = format!("leads back to this queue, or over more than {MAX_CHAIN} queues");
            return Err(ApiError::invalid_argument(field, why));
        }
        let Some(found) = find(next) else {
            return Err(ApiError::invalid_argument(field, "there is no such queue; create it first"));
        };
        next = &found.overflow_queue_id;
    }
    Ok(())
}

fn queue_id(text: &str, allow_missing: bool, fresh_id: Uuid) -> Result<Uuid, ApiError> {
    match text {
        "" if allow_missing => Ok(fresh_id),
        "" => {
            let why = "must be a UUID; may be empty with allow_missing alone, for a new queue";
            Err(ApiError::invalid_argument("queue.queue_id", why))
        }
        text => flow::uuid("queue.queue_id", text),
    }
}

fn upsert(sent: &Queue, request: &UpdateQueueRequest) -> Result<Upsert<QueueChange>, ApiError> {
    let asked = (request.update_mask.as_ref(), request.allow_missing);
    let is_set = |field: &str| queue::is_set(sent, field);
    Upsert::parse(asked, queue::FIELDS, is_set, |names| QueueChange::parse(sent, names))
}

/// What a queue that is to be created is like before.
fn missing(id: Uuid) -> Stored<Queue> {
    let queue = Queue { queue_id: id.to_string(), ..Queue::default() };
    Stored { id, message: queue, etag: Etag::default() }
}
