//! The events of this service, written in the transaction of the change that they report.

use baton_api::event::v1::agent_state_changed::Cause;
use baton_api::event::v1::directory_changed::{SiteContent, TeamContent, What};
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{AgentStateChanged, Change, DirectoryChanged};
use baton_bus::OutgoingEvent;
use baton_runtime::auth::TenantId;
use baton_store::{StoreError, Tx};

use crate::convert;
use crate::ids::{AgentId, SiteId, TeamId};
use crate::record::{SiteRecord, TeamRecord};
use crate::status::{AgentStatus, ShownState};

const AREA: &str = "presence";

/// What all events of one change have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeContext<'a> {
    pub(crate) tenant: &'a TenantId,
    /// A token's subject, or `system`.
    pub(crate) actor: &'a str,
    pub(crate) now_us: i64,
}

/// Why an agent's shown state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateCause<'a> {
    cause: Cause,
    /// The call behind it; empty if there is none.
    interaction_id: &'a str,
}

impl From<Cause> for StateCause<'_> {
    fn from(cause: Cause) -> Self {
        Self { cause, interaction_id: "" }
    }
}

impl<'a> StateCause<'a> {
    pub(crate) fn in_call(cause: Cause, interaction_id: &'a str) -> Self {
        Self { cause, interaction_id }
    }
}

/// An agent's shown state changed.
pub(crate) async fn state_changed(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    agent: AgentId,
    (before, after): (&AgentStatus, &AgentStatus),
    cause: StateCause<'_>,
) -> Result<(), StoreError> {
    let wrapped_up = before.wrap_up.as_ref().filter(|_| before.state() == ShownState::WrapUp);
    let interaction_id = match cause.interaction_id {
        "" => wrapped_up.map_or("", |it| it.interaction_id.as_str()),
        interaction_id => interaction_id,
    };
    let data = Data::AgentStateChanged(AgentStateChanged {
        agent_id: agent.to_string(),
        from: convert::agent_state(before.state()).into(),
        to: convert::agent_state(after.state()).into(),
        cause: cause.cause.into(),
        away_reason: after.away_reason().to_owned(),
        previous_state_ms: ms(context.now_us) - ms(before.state_since_us),
        interaction_id: interaction_id.to_owned(),
    });
    append(tx, context, format!("agent/{agent}"), "agent.state_changed", data).await
}

/// Each moment is rounded by itself, so that the sum of durations is the duration of the sum.
fn ms(us: i64) -> i64 {
    us.div_euclid(1_000)
}

/// An agent was created, changed or deleted.
pub(crate) async fn agent_changed(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    id: AgentId,
    change: Change,
) -> Result<(), StoreError> {
    let changed = DirectoryChanged {
        what: What::Agent.into(),
        id: id.to_string(),
        change: change.into(),
        team: None,
        site: None,
    };
    let aggregate = format!("agent/{id}");
    append(tx, context, aggregate, "directory.changed", Data::DirectoryChanged(changed)).await
}

/// A team was created or changed, and is like this now; or it was deleted (`None`).
pub(crate) async fn team_changed(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    id: TeamId,
    change: Change,
    now: Option<&TeamRecord>,
) -> Result<(), StoreError> {
    let team = now.map(|team| TeamContent {
        team_id: id.to_string(),
        name: team.name.clone(),
        agent_ids: team.members.iter().map(AgentId::to_string).collect(),
    });
    let changed =
        DirectoryChanged { what: What::Team.into(), id: id.to_string(), change: change.into(), team, site: None };
    append(tx, context, format!("team/{id}"), "directory.changed", Data::DirectoryChanged(changed)).await
}

/// A site was created or renamed, and is like this now; or it was deleted (`None`).
pub(crate) async fn site_changed(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    id: SiteId,
    change: Change,
    now: Option<&SiteRecord>,
) -> Result<(), StoreError> {
    let site = now.map(|site| SiteContent { site_id: id.to_string(), name: site.name.clone() });
    let changed =
        DirectoryChanged { what: What::Site.into(), id: id.to_string(), change: change.into(), team: None, site };
    append(tx, context, format!("site/{id}"), "directory.changed", Data::DirectoryChanged(changed)).await
}

async fn append(
    tx: &mut Tx,
    context: ChangeContext<'_>,
    aggregate: String,
    event_type: &str,
    data: Data,
) -> Result<(), StoreError> {
    let (tenant, actor, now_us) = (context.tenant.as_str(), context.actor, context.now_us);
    OutgoingEvent { tenant, aggregate, area: AREA, event_type, data, actor, now_us }.append(tx).await
}
