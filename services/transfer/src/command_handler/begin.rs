//! How an interaction begins: by a call that comes in, by one that an agent places, or by a chat that a customer opens.

use super::{CommandHandler, not_found};
use crate::{
    error::SubmitError,
    live::Live,
    store::{self, outside::OutsideLegs},
};
use baton_api::ApiError;
use baton_domain::{AgentRef, Event, Opening, Policy, interaction::LegSource};
use baton_runtime::telemetry;
use baton_store::{
    StoreError, Tx, outbox,
    requests::{self, BodyHash, KeptAnswer, KnownRequest, RequestKey},
};
use baton_words::InteractionId;
use std::sync::Arc;
use tonic::Status;
use uuid::Uuid;

/// An interaction that somebody asks for, with everything that was looked up for it.
pub(crate) struct NewInteraction {
    pub(crate) opening: Opening,
    pub(crate) policy: Arc<Policy>,
    /// The agent who calls; none for a chat, which a customer opens.
    pub(crate) caller: Option<AgentRef>,
}

impl CommandHandler {
    /// Begins an interaction, or gives the one that the same leg began before.
    pub(crate) async fn open(
        self: &Arc<Self>,
        opening: Opening,
        policy: Arc<Policy>,
    ) -> Result<InteractionId, SubmitError> {
        let (opening, policy, now_us) = (&opening, &policy, self.clock.now_us());
        let opened = self.db.change(|mut tx| async move {
            if let LegSource::Inbound(leg) = &opening.origin
                && let Some(known) = store::interactions::by_leg(&mut tx, &opening.tenant, &opening.switch, leg).await?
            {
                return Ok(tx.undone((known, None)));
            }
            within_limit(&mut tx, &opening.tenant).await?;
            let (state, events) = baton_domain::open(opening.clone(), policy, now_us);
            let live = Arc::new(Live { state, policy: Arc::clone(policy) });
            insert(&mut tx, &live, &events, now_us).await?;
            Ok::<_, SubmitError>(tx.done((live.id, Some(live))))
        });
        let (id, live) = opened.await?;
        if let Some(live) = live {
            self.notify(&live, telemetry::current_trace());
        }
        Ok(id)
    }

    /// Begins an interaction that somebody asks for, once: a call that an agent places, or a chat. `placed`: what it begins with, or why it can't;
    /// either is answered. Its id is kept as the answer.
    pub(crate) async fn place(
        self: &Arc<Self>,
        key: &RequestKey,
        body: BodyHash,
        placed: Result<NewInteraction, Status>,
    ) -> Result<Arc<Live>, Status> {
        let _busy = self.clock.busy();
        let (placed, now_us) = (&placed, self.clock.now_us());
        let outcome = self.db.change(|mut tx| async move {
            match requests::begin(&mut tx, key, body, now_us).await? {
                KnownRequest::New => {}
                known => return Ok(tx.undone(Begun::Before(known))),
            }
            let NewInteraction { opening, policy, caller } = match placed {
                Ok(placed) => placed,
                Err(status) => {
                    requests::answer(&mut tx, key, &KeptAnswer::Refused(status.into())).await?;
                    return Ok(tx.done(Begun::Refused(status.clone())));
                }
            };
            within_limit(&mut tx, &opening.tenant).await?;
            let (state, events) = match caller {
                Some(agent) => baton_domain::place(opening.clone(), policy, agent.clone(), now_us),
                None => baton_domain::open(opening.clone(), policy, now_us),
            };
            let live = Arc::new(Live { state, policy: Arc::clone(policy) });
            insert(&mut tx, &live, &events, now_us).await?;
            if let Some(agent) = caller {
                let outside = OutsideLegs::between(None, &live.state);
                if let Some(cap) = outside.note(&mut tx, (&live.state, policy), agent.id).await? {
                    return Err(SubmitError::Status(ApiError::from(cap).into()));
                }
                store::interactions::note_agent(&mut tx, live.id, agent.id, store::interactions::AgentPart::Party)
                    .await?;
            }
            requests::answer(&mut tx, key, &KeptAnswer::Ok(live.id.0.into_bytes().to_vec())).await?;
            Ok::<_, SubmitError>(tx.done(Begun::Now(live)))
        });
        match outcome.await? {
            Begun::Now(live) => {
                self.notify(&live, telemetry::current_trace());
                Ok(live)
            }
            Begun::Refused(status) => Err(status),
            Begun::Before(KnownRequest::Answered(KeptAnswer::Ok(id))) => {
                self.load(placed_before(&id)?).await?.ok_or_else(|| not_found("interaction"))
            }
            Begun::Before(KnownRequest::Answered(KeptAnswer::Refused(refusal))) => Err(refusal.into()),
            Begun::Before(KnownRequest::DifferentBody) => Err(requests::reused().into()),
            Begun::Before(KnownRequest::Pending | KnownRequest::New) => Err(SubmitError::Conflict.into()),
        }
    }
}

/// What became of a request to place a call.
enum Begun {
    Now(Arc<Live>),
    Refused(Status),
    /// The request is known.
    Before(KnownRequest),
}

/// A new interaction with its events. One that the same leg has begun meanwhile overtakes it.
async fn insert(tx: &mut Tx, live: &Live, events: &[Event], now_us: i64) -> Result<(), StoreError> {
    if !store::interactions::insert(tx, live).await? {
        return Err(StoreError::Overtaken(None));
    }
    outbox::append(tx, &store::events::rows(live, events, now_us)).await?;
    store::interactions::note_parties(tx, live, events).await
}

/// Refuses one more call of a tenant that has as many as its plan allows. It is not kept under a request id: a retry may succeed.
async fn within_limit(tx: &mut Tx, tenant: &str) -> Result<(), SubmitError> {
    let Some(record) = store::tenants::read_in(tx, tenant).await? else { return Ok(()) };
    let limit = record.live_interactions;
    if limit == 0 {
        return Ok(());
    }
    // Of two that begin at once, the second counts the first.
    tx.lock([format!("transfer/calls/{tenant}")]).await?;
    if store::interactions::live_of(tx, tenant).await? < u64::from(limit) {
        return Ok(());
    }
    let message = format!(
        "The tenant has {limit} calls, which is as many as its plan allows at the same time; try again when one has ended."
    );
    Err(SubmitError::Status(ApiError::resource_exhausted(message).into()))
}

/// The id that was kept when a call was placed.
fn placed_before(kept: &[u8]) -> Result<InteractionId, Status> {
    let id = Uuid::from_slice(kept).map_err(|_| Status::internal("the stored answer is no id of an interaction"));
    id.map(InteractionId)
}
