//! The events of this service, written with the change that they tell of.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{AgentStateChanged, DirectoryChanged, EventData};
use baton_runtime::auth::TenantId;
use baton_runtime::telemetry;
use baton_store::outbox::{self, OutboxRow};
use baton_store::{StoreError, Tx};
use prost::Message as _;

use crate::ids::AgentId;
use crate::state::State;

const AREA: &str = "presence";

/// Whose doing, where and when: the same for all events of one change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) tenant: &'a TenantId,
    /// A token's subject, or `system`.
    pub(crate) actor: &'a str,
    pub(crate) now_us: i64,
}

/// An agent's shown state changed, and why.
pub(crate) async fn state_changed(
    tx: &mut Tx,
    occasion: Occasion<'_>,
    agent: AgentId,
    (from, to): (State, State),
    reason: &str,
) -> Result<(), StoreError> {
    let data = Data::AgentStateChanged(AgentStateChanged {
        agent_id: agent.to_string(),
        from: from.name().to_owned(),
        to: to.name().to_owned(),
        reason: reason.to_owned(),
    });
    append(tx, occasion, format!("agent/{agent}"), "agent.state_changed", data).await
}

/// `what` (agent or team) with this id was `created`, `updated` or `deleted`.
pub(crate) async fn directory_changed(
    tx: &mut Tx,
    occasion: Occasion<'_>,
    what: &str,
    id: String,
    change: &str,
) -> Result<(), StoreError> {
    let aggregate = format!("{what}/{id}");
    let data = Data::DirectoryChanged(DirectoryChanged { what: what.to_owned(), id, change: change.to_owned() });
    append(tx, occasion, aggregate, "directory.changed", data).await
}

async fn append(
    tx: &mut Tx,
    occasion: Occasion<'_>,
    aggregate: String,
    event_type: &str,
    data: Data,
) -> Result<(), StoreError> {
    let tenant = occasion.tenant.as_str();
    let row = OutboxRow {
        id: baton_runtime::ids::new_uuid(),
        tenant: tenant.to_owned(),
        sequence: outbox::next_sequence(tx, tenant, &aggregate).await?,
        aggregate,
        event_type: event_type.to_owned(),
        area: AREA.to_owned(),
        payload: EventData { data: Some(data) }.encode_to_vec(),
        actor: occasion.actor.to_owned(),
        traceparent: telemetry::traceparent(),
        time_us: occasion.now_us,
    };
    outbox::append(tx, &[row]).await
}
