//! A call that is refused for its tenant's sake leaves a trace: an event and a warning, as there is no interaction of it (F1).

use super::policies;
use crate::command_handler::CommandHandler;
use baton_api::{
    ApiError,
    error::ErrorReason,
    event::v1::{InteractionRefused, event_data::Data, interaction_refused::Cause},
    telephone,
};
use baton_runtime::auth::{Caller, Role, TenantId};
use baton_store::{StoreError, change, outbox};
use tonic::Status;

/// Who refuses it: this service, of itself.
const SUBJECT: &str = "transfer";

/// Takes note of the refusal, if it is one for the tenant's sake, and gives it back.
pub(super) async fn note(handler: &CommandHandler, tenant: &str, called: &str, refused: Status) -> Status {
    let cause = match ApiError::of(&refused).reason {
        ErrorReason::TenantSuspended => Cause::Suspended,
        ErrorReason::Limit => Cause::Limit,
        _ => return refused,
    };
    let number = telephone::as_sent(called);
    let why = if cause == Cause::Limit { "it has as many as it may" } else { "it is suspended" };
    tracing::warn!(tenant, number, why, "a call came in for a tenant that takes none now; it is refused");
    let Ok(id) = tenant.parse::<TenantId>() else { return refused };
    match publish(handler, &id, InteractionRefused { number, cause: cause.into() }).await {
        Ok(()) => refused,
        Err(error) => error.into(),
    }
}

async fn publish(handler: &CommandHandler, tenant: &TenantId, refused: InteractionRefused) -> Result<(), StoreError> {
    let aggregate = format!("tenant/{tenant}");
    let caller = Caller { tenant: Some(tenant.clone()), subject: SUBJECT.to_owned(), role: Role::Service };
    let (caller, aggregate, refused) = (&caller, &aggregate, &refused);
    handler
        .db
        .change(change!(|tx| {
            let sequence = outbox::next_sequence(tx, tenant.as_str(), aggregate).await?;
            let of = (tenant.as_str(), aggregate.as_str(), sequence);
            let data = Data::InteractionRefused(refused.clone());
            let event = policies::event(caller, of, "interaction.refused", data, handler.clock.now_us());
            outbox::append(tx, &[event]).await
        }))
        .await
}
