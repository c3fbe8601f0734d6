//! How an interaction begins: by a call that comes in, or by one that an agent places.

use super::CommandHandler;
use crate::{error::SubmitError, live::Live, store};
use baton_api::ApiError;
use baton_domain::{AgentRef, Event, Interaction, Opening, Policy, interaction::LegSource};
use baton_store::{
    StoreError, Tx,
    requests::{self, BodyHash, KeptAnswer, KnownRequest, RequestKey},
};
use baton_words::InteractionId;
use std::sync::Arc;
use tonic::Status;
use uuid::Uuid;

/// A call that an agent places, with everything that was looked up for it.
pub(crate) struct OutgoingCall {
    pub(crate) opening: Opening,
    pub(crate) policy: Arc<Policy>,
    pub(crate) agent: AgentRef,
}

impl CommandHandler {
    /// Begins an interaction, or gives the one that the same leg began before.
    pub(crate) async fn open(
        self: &Arc<Self>,
        opening: Opening,
        policy: Arc<Policy>,
    ) -> Result<InteractionId, SubmitError> {
        let mut tx = self.db.begin().await?;
        if let LegSource::Inbound(leg) = &opening.origin
            && let Some(known) = store::interactions::by_leg(&mut tx, &opening.tenant, &opening.switch, leg).await?
        {
            tx.rollback().await?;
            return Ok(known);
        }
        within_limit(&mut tx, &opening.tenant).await?;
        let (state, events) = baton_domain::open(opening, &policy, self.clock.now_us());
        self.insert(&mut tx, &state, &events).await?;
        let id = state.id;
        self.commit(tx, Some(Arc::new(Live { state, policy }))).await?;
        Ok(id)
    }

    async fn insert(&self, tx: &mut Tx, state: &Interaction, events: &[Event]) -> Result<(), StoreError> {
        store::interactions::insert(tx, state).await?;
        store::events::append(tx, state, events, self.clock.now_us()).await?;
        store::interactions::note_parties(tx, state, events).await
    }

    /// Begins a call that an agent places, once. `placed`: what it begins with, or why it can't; either is answered. Its id is kept as the answer.
    pub(crate) async fn place(
        self: &Arc<Self>,
        key: &RequestKey,
        body: BodyHash,
        placed: Result<OutgoingCall, Status>,
    ) -> Result<Arc<Live>, Status> {
        let _busy = self.clock.busy();
        let mut tx = self.db.begin().await?;
        match requests::begin(&mut tx, key, body, self.clock.now_us()).await? {
            KnownRequest::New => {}
            KnownRequest::Answered(KeptAnswer::Refused(refusal)) => {
                tx.rollback().await?;
                return Err(refusal.into());
            }
            KnownRequest::Answered(KeptAnswer::Ok(id)) => {
                let id = placed_before(&id)?;
                return self.as_committed(tx, id).await;
            }
            KnownRequest::DifferentBody => return Err(requests::reused().into()),
            KnownRequest::Pending => return Err(SubmitError::Conflict.into()),
        }
        let OutgoingCall { opening, policy, agent } = match placed {
            Ok(placed) => placed,
            Err(status) => {
                requests::answer(&mut tx, key, &KeptAnswer::Refused((&status).into())).await?;
                tx.commit().await?;
                return Err(status);
            }
        };
        within_limit(&mut tx, &opening.tenant).await?;
        let caller = agent.id;
        let (state, events) = baton_domain::place(opening, &policy, agent, self.clock.now_us());
        self.insert(&mut tx, &state, &events).await?;
        store::interactions::note_agent(&mut tx, state.id, caller, store::interactions::AgentPart::Party).await?;
        let live = Arc::new(Live { state, policy });
        requests::answer(&mut tx, key, &KeptAnswer::Ok(live.id.0.into_bytes().to_vec())).await?;
        self.commit(tx, Some(Arc::clone(&live))).await?;
        Ok(live)
    }
}

/// Refuses one more call of a tenant that has as many as its plan allows. It is not kept under a request id: a retry may succeed.
async fn within_limit(tx: &mut Tx, tenant: &str) -> Result<(), SubmitError> {
    let Some(record) = store::tenants::read_in(tx, tenant).await? else { return Ok(()) };
    let limit = record.live_interactions;
    if limit == 0 || store::interactions::live_of(tx, tenant).await? < u64::from(limit) {
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
