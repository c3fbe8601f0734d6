//! The events of this service, written in the transaction of the change that they report.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{AgentStateChanged, DirectoryChanged, EventData};
use baton_runtime::auth::TenantId;
use baton_runtime::telemetry;
use baton_store::outbox::{self, OutboxRow};
use baton_store::{StoreError, Tx};
use prost::Message as _;

use crate::ids::AgentId;
use crate::status::ShownState;

const AREA: &str = "presence";

/// What all events of one change have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeContext<'a> {
    pub(crate) tenant: &'a TenantId,
    /// A token's subject, or `system`.
    pub(crate) actor: &'a str,
    pub(crate) now_us: i64,
}

/// An agent's shown state changed. `reason` is a word such as `goodbye`, or the reason that the agent gave for being away.
pub(crate) async fn state_changed(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    agent: AgentId,
    (from, to): (ShownState, ShownState),
    reason: &str,
) -> Result<(), StoreError> {
    let data = Data::AgentStateChanged(AgentStateChanged {
        agent_id: agent.to_string(),
        from: from.name().to_owned(),
        to: to.name().to_owned(),
        reason: reason.to_owned(),
    });
    append(tx, context, format!("agent/{agent}"), "agent.state_changed", data).await
}

/// `what` (agent or team) with this id was `created`, `updated` or `deleted`.
pub(crate) async fn directory_changed(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    what: &str,
    id: String,
    change: &str,
) -> Result<(), StoreError> {
    let aggregate = format!("{what}/{id}");
    let data = Data::DirectoryChanged(DirectoryChanged { what: what.to_owned(), id, change: change.to_owned() });
    append(tx, context, aggregate, "directory.changed", data).await
}

async fn append(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    aggregate: String,
    event_type: &str,
    data: Data,
) -> Result<(), StoreError> {
    let tenant = context.tenant.as_str();
    let row = OutboxRow {
        id: baton_runtime::ids::new_uuid(),
        tenant: tenant.to_owned(),
        sequence: outbox::next_sequence(tx, tenant, &aggregate).await?,
        aggregate,
        event_type: event_type.to_owned(),
        area: AREA.to_owned(),
        payload: EventData { data: Some(data) }.encode_to_vec(),
        actor: context.actor.to_owned(),
        traceparent: telemetry::traceparent(),
        time_us: context.now_us,
    };
    outbox::append(tx, &[row]).await
}
