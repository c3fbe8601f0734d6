//! Calls that agents place: everything that such a call begins with, looked up and frozen. Nothing outside is dialled without a rule (X3).

use super::{InteractionApi, commands, parse};
use crate::{
    command_handler::{NewInteraction, not_found},
    convert::{self, facts, view, words},
    live::Live,
};
use baton_api::{
    ApiError, fields,
    presence::v1::LookupAgentsRequest,
    recording::v1::ResolveModeRequest,
    routing::v1::ResolveDialRequest,
    transfer::v1::{PlaceCallRequest, PlaceCallResponse},
};
use baton_domain::{
    Actor, Opening,
    interaction::{LegSource, Outside, Stage},
};
use baton_runtime::{auth::Caller, ids};
use baton_store::requests::{BodyHash, RequestKey};
use baton_words::InteractionId;
use tonic::Status;

impl InteractionApi {
    pub(super) async fn place(&self, caller: &Caller, request: PlaceCallRequest) -> Result<PlaceCallResponse, Status> {
        let (tenant, actor) = (caller.tenant()?.as_str(), parse::actor(caller, &request.for_agent_id)?);
        let key = RequestKey::new(tenant, &caller.subject, "PlaceCall", &request.request_id)?;
        let opening = self.outgoing(tenant, &actor, &request).await;
        if let Err(status) = &opening
            && ApiError::of(status).is_retryable()
        {
            return Err(status.clone());
        }
        let placed = self.handler.place(&key, BodyHash::of(&request), opening).await?;
        let (live, outcome) = commands::outcome(&self.handler, placed, &mut decided).await?;
        outcome?;
        Ok(PlaceCallResponse { interaction: Some(view::interaction(&live, Some(&actor))) })
    }

    async fn outgoing(
        &self,
        tenant: &str,
        actor: &Actor,
        request: &PlaceCallRequest,
    ) -> Result<NewInteraction, Status> {
        let Some(agent) = actor.agent() else {
            return Err(ApiError::invalid_argument("for_agent_id", "name the agent who calls").into());
        };
        let (tenant, number, to) = (tenant.to_owned(), request.from_number.clone(), request.to_number.clone());
        let lookup = LookupAgentsRequest { tenant: tenant.clone(), agent_ids: vec![agent.to_string()] };
        let dial = ResolveDialRequest {
            tenant: tenant.clone(),
            number: number.clone(),
            to: to.clone(),
            external_number_id: String::new(),
        };
        let mode = ResolveModeRequest { tenant: tenant.clone(), number: number.clone() };
        let (mut presence, mut routing, mut recording) =
            (self.peers.presence.clone(), self.peers.routing.clone(), self.peers.recording.clone());
        let policy = self.handler.policies.current(&tenant);
        let (found, dial) = futures::join!(presence.lookup_agents(lookup), routing.resolve_dial(dial));
        let allowed_by = dial.map_err(|it| as_asked(&it, AS_PLACED))?.into_inner().allowed_by;
        let agent = found?.get_ref().agents.first().map(facts::agent).ok_or_else(|| not_found("agent"))??;
        let (mode, policy) = futures::join!(recording.resolve_mode(mode), policy);
        let mode = mode.map_err(|it| as_asked(&it, AS_PLACED))?;
        let (policy_version, policy) = policy?;
        let opening = Opening {
            id: InteractionId(ids::new_uuid()),
            tenant: tenant.as_str().into(),
            switch: self.outgoing_switch.clone(),
            number: number.into(),
            origin: LegSource::Outside(Outside {
                phone: to.trim_start_matches('+').into(),
                allowed_by: allowed_by.into(),
                shows_customer: false,
            }),
            customer_key: self.handler.tenants.pseudonym(&tenant, &to).into(),
            customer: to.into(),
            flow_id: None,
            steps: Vec::new(),
            skip_voicemail: false,
            recording: words::parse_mode(mode.get_ref().mode()),
            policy_version,
        };
        Ok(NewInteraction { opening, policy, caller: Some(agent) })
    }
}

/// The fields of routing's and recording's requests, as `PlaceCall` has them.
const AS_PLACED: &[(&str, &str)] = &[("number", "from_number"), ("to", "to_number")];

/// Another service's refusal for the client, who knows the fields of its own request alone.
pub(super) fn as_asked(refused: &Status, names: &[(&str, &'static str)]) -> Status {
    let error = ApiError::of(refused);
    let fields = error.fields.iter().map(|(field, why)| {
        let asked = names.iter().find(|(own, _)| own == field).map_or(field.as_str(), |(_, asked)| asked);
        Err(ApiError::invalid_argument(asked, why))
    });
    match fields::each::<(), Vec<()>>(fields) {
        Ok(_) => refused.clone(),
        Err(renamed) => renamed.into(),
    }
}

/// What the agent who calls is answered: nothing while they are being reserved; a clear refusal when they can't call; otherwise OK (F9).
fn decided(live: &Live) -> Option<Result<(), Status>> {
    match live.stage {
        Stage::Ended(reason) if live.nobody_was_rung() => {
            let (reason, why) = convert::unavailable(reason);
            let message = format!(
                "The agent who calls is {why}. The policy says in which states they may call (interaction.dial_states)."
            );
            Some(Err(ApiError::failed_precondition(reason, message).with("interaction_id", live.id).into()))
        }
        Stage::Seeking(_) if live.nobody_was_rung() => None,
        _ => Some(Ok(())),
    }
}
