//! An agent chooses their state.

use baton_api::ApiError;
use baton_api::presence::v1::{SetStateRequest, SetStateResponse};
use baton_runtime::auth::Caller;
use tonic::Status;

use crate::convert;
use crate::core::{Asked, Core};
use crate::ids::AgentId;
use crate::record::AgentRecord;
use crate::state::{Change, Wish};

const METHOD: &str = "/baton.presence.v1.PresenceService/SetState";

/// What they chose holds, whatever changed by itself before.
pub(crate) async fn set_state(
    core: &Core,
    caller: &Caller,
    agent: AgentId,
    wish: Wish,
    request: &SetStateRequest,
) -> Result<SetStateResponse, Status> {
    let asked = Asked { caller, method: METHOD, request_id: &request.request_id, request };
    core.change_once(asked, async |edit| {
        let before = edit.agent(agent).await?.ok_or_else(|| ApiError::not_found("agent"))?;
        let reason = match &wish {
            Wish::Available => String::new(),
            Wish::Away(reason) => reason.clone(),
        };
        let standing = edit.settle(agent, &before.standing, [Change::Wished(wish)], &reason).await?;
        let presence = convert::presence(&AgentRecord { standing, ..before });
        Ok(SetStateResponse { presence: Some(presence) })
    })
    .await
}
