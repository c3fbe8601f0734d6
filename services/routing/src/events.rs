//! The events of this service, written in the transaction of the change that they report.

use baton_api::common::v1::Actor;
use baton_api::common::v1::actor::Kind;
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::routing_changed::Configuration;
use baton_api::event::v1::{Change, RoutingCallRefused, RoutingChanged};
use baton_bus::{OutgoingEvent, actor_text, caller_actor};
use baton_runtime::auth::{Caller, TenantId};
use baton_store::{StoreError, Tx};
use tonic::Status;

/// A part of the configuration is like this now, or was before it was deleted.
pub(crate) async fn changed(
    tx: &mut Tx,
    caller: &Caller,
    change: Change,
    configuration: Configuration,
    now_us: i64,
) -> Result<(), Status> {
    let tenant = caller.tenant()?.as_str();
    let aggregate = match &configuration {
        Configuration::Number(it) => format!("number/{}", it.number),
        Configuration::CallFlow(it) => format!("call_flow/{}", it.call_flow_id),
        Configuration::IvrFlow(it) => format!("ivr_flow/{}", it.ivr_flow_id),
        Configuration::DialRule(it) => format!("dial_rule/{}", it.prefix),
        Configuration::ExternalNumber(it) => format!("external_number/{}", it.external_number_id),
        Configuration::Queue(it) => format!("queue/{}", it.queue_id),
    };
    let data = Data::RoutingChanged(RoutingChanged { change: change.into(), configuration: Some(configuration) });
    let actor = caller_actor(caller);
    Ok(append(tx, tenant, aggregate, ("routing.changed", data), &actor, now_us).await?)
}

/// A call for a number that the tenant does not have was refused. All such events are of one aggregate: what is called is the callers' choice.
pub(crate) async fn call_refused(
    tx: &mut Tx,
    tenant: &TenantId,
    number: String,
    now_us: i64,
) -> Result<(), StoreError> {
    let event = ("routing.call_refused", Data::RoutingCallRefused(RoutingCallRefused { number }));
    append(tx, tenant.as_str(), "number/unknown".to_owned(), event, &baton(), now_us).await
}

/// What Baton does of itself.
fn baton() -> Actor {
    Actor { kind: Kind::System.into(), ..Actor::default() }
}

async fn append(
    tx: &mut Tx,
    tenant: &str,
    aggregate: String,
    (event_type, data): (&str, Data),
    actor: &Actor,
    now_us: i64,
) -> Result<(), StoreError> {
    let actor = &actor_text(actor);
    OutgoingEvent { tenant, aggregate, area: "routing", event_type, data, actor, now_us }.append(tx).await
}

/// What an update did.
pub(crate) fn update_of(was_there: bool) -> Change {
    if was_there { Change::Updated } else { Change::Created }
}
