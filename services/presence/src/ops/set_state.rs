//! An agent requests a state, or a supervisor does for them.

use baton_api::ApiError;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_api::presence::v1::{SetStateRequest, SetStateResponse};
use baton_bus::{actor_text, caller_actor};
use baton_runtime::auth::Caller;
use baton_store::change;
use tonic::Status;

use crate::convert;
use crate::core::{ChangeRequest, PresenceCore};
use crate::ids::AgentId;
use crate::record::AgentRecord;
use crate::status::{RequestedState, StatusChange};

const METHOD: &str = "/baton.presence.v1.PresenceService/SetState";

/// Also clears the automatic states: `WRAP_UP` and `NOT_RESPONDING`.
pub(crate) async fn set_state(
    core: &PresenceCore,
    caller: &Caller,
    agent: AgentId,
    requested: RequestedState,
    request: &SetStateRequest,
) -> Result<SetStateResponse, Status> {
    let (actor, request_id) = (&actor_text(&caller_actor(caller)), &request.request_id);
    let change_request = ChangeRequest { caller, actor, method: METHOD, request_id, message: request };
    let requested = [StatusChange::StateRequested(requested)];
    let requested = &requested;
    core.change_once(
        change_request,
        change!(|edit| {
            edit.lock_agents([agent], []).await?;
            let before = edit.agent(agent).await?.ok_or_else(|| ApiError::not_found("agent"))?;
            let status = edit.settle(agent, &before.status, requested.clone(), Cause::Requested).await?;
            let presence = convert::presence(&AgentRecord { status, ..before });
            Ok(SetStateResponse { presence: Some(presence) })
        }),
    )
    .await
}
