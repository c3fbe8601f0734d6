//! Forgetting a customer (S11): first the audio, then the calls, batch after batch, and at last the event with the answer. Each step can be
//! repeated, so that a request that failed half way is repeated as a whole.

use super::{InteractionApi, policies};
use crate::{command_handler::CommandHandler, store};
use baton_api::{
    ApiError,
    error::ErrorReason,
    event::v1::{CustomerForgotten, event_data::Data},
    recording::v1::ForgetCustomerRequest as ForgetRecordingsRequest,
    telephone,
    transfer::v1::{ForgetCustomerRequest, ForgetCustomerResponse},
};
use baton_bus::caller_actor;
use baton_runtime::auth::Caller;
use baton_store::{change, idempotent, outbox, requests::RequestKey};
use baton_words::InteractionId;
use std::sync::Arc;
use tonic::Status;
use uuid::Uuid;

/// Calls that one transaction erases: each is read and written as a whole.
const BATCH: i64 = 50;

impl InteractionApi {
    pub(super) async fn forget(
        &self,
        caller: &Caller,
        request: &ForgetCustomerRequest,
    ) -> Result<ForgetCustomerResponse, Status> {
        let tenant = caller.tenant()?.as_str();
        let key = RequestKey::new(tenant, &caller.subject, "ForgetCustomer", &request.request_id)?;
        let customer_key = self.handler.tenants.pseudonym(tenant, &telephone::caller(&request.address));
        if customer_key.is_empty() {
            return Err(
                ApiError::invalid_argument("address", "is missing, or stands for everybody who withheld it").into()
            );
        }
        if let Some(id) = store::customer::unfinished(&self.handler.db, tenant, &customer_key).await? {
            return Err(in_use(id).into());
        }
        let forget = ForgetRecordingsRequest {
            tenant: tenant.to_owned(),
            customer_key: customer_key.clone(),
            actor: Some(caller_actor(caller)),
            request_id: request.request_id.clone(),
        };
        let audio = self.peers.recording.clone().forget_customer(forget).await?.into_inner();
        let (recordings, messages) = (audio.recordings, audio.messages);
        let interactions = erase(&self.handler, tenant, &customer_key).await?;
        let now_us = self.handler.clock.now_us();
        let customer_key = &customer_key;
        idempotent(
            &self.handler.db,
            &key,
            request,
            now_us,
            change!(|tx| {
                let aggregate = format!("customer/{customer_key}");
                let sequence = outbox::next_sequence(tx, tenant, &aggregate).await?;
                let forgotten =
                    CustomerForgotten { customer_key: customer_key.clone(), interactions, recordings, messages };
                let (about, data) = ((tenant, aggregate.as_str(), sequence), Data::CustomerForgotten(forgotten));
                outbox::append(tx, &[policies::event(caller, about, "customer.forgotten", data, now_us)]).await?;
                Ok(ForgetCustomerResponse { customer_key: customer_key.clone(), interactions, recordings, messages })
            }),
        )
        .await
    }
}

/// Returns how many calls the customer has.
async fn erase(handler: &Arc<CommandHandler>, tenant: &str, customer_key: &str) -> Result<i32, Status> {
    let (mut count, mut last) = (0, InteractionId(Uuid::nil()));
    loop {
        let ids = store::customer::after(&handler.db, (tenant, customer_key), last, BATCH).await?;
        let Some(newest) = ids.last() else { return Ok(count) };
        last = *newest;
        count += i32::try_from(ids.len()).unwrap_or(i32::MAX);
        handler.forget_customer(&ids).await?.map_err(in_use)?;
    }
}

fn in_use(id: InteractionId) -> ApiError {
    let message = "A call of this customer is live, or has just ended: try again when it is over.";
    ApiError::failed_precondition(ErrorReason::InUse, message).with("interaction_id", id)
}
