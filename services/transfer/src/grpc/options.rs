//! What can be chosen when an interaction is handed over: by the policy under which it began, and by what the agent chose the last time.

use super::{TransferApi, parse};
use crate::{
    convert::{
        refusal_status,
        words::{at, kind, refusal_reason, target},
    },
    live::Live,
    store::transfers,
};
use baton_api::{
    ApiError, Known,
    common::v1::{Target as WireTarget, TargetSort, target::Target as Wire},
    presence::v1::{AgentState, ListChoicesRequest, PickerTarget, TransferTarget},
    routing::v1::ListIvrChoicesRequest,
    transfer::v1::{
        GetTransferOptionsRequest, GetTransferOptionsResponse, LastChoice, ListTransferTargetsRequest,
        ListTransferTargetsResponse, TransferOption,
    },
};
use baton_domain::{
    Action, Actor, Refusal, Target,
    interaction::Party,
    permit::permit,
    policy::{Method, ReleaseMoment, WhenBusy},
    project::TransferRecord,
};
use baton_runtime::auth::Caller;
use baton_words::{AgentId, TransferKind};
use std::sync::Arc;
use tonic::Status;

/// How the page tokens of IVR flows begin.
const IVR_PAGE: &str = "ivr.";

impl TransferApi {
    pub(super) async fn options(
        &self,
        caller: &Caller,
        request: &GetTransferOptionsRequest,
    ) -> Result<GetTransferOptionsResponse, Status> {
        let (live, actor) = self.chooser(caller, &request.interaction_id, &request.for_agent_id).await?;
        let house = &live.policy.interaction;
        let last = self.last_choice(&live, &actor).await?;
        Ok(GetTransferOptionsResponse {
            options: live.policy.methods.iter().map(|(kind, method)| option(&live, &actor, *kind, method)).collect(),
            outcomes: house.outcomes.iter().map(ToString::to_string).collect(),
            dispositions: house.dispositions.iter().map(ToString::to_string).collect(),
            last_choice: last.map(|last| last_choice(&live, &last)),
            kept_message: actor.agent().map(|agent| kept_message(&live, agent)).unwrap_or_default(),
        })
    }

    pub(super) async fn choices(
        &self,
        caller: &Caller,
        request: ListTransferTargetsRequest,
    ) -> Result<ListTransferTargetsResponse, Status> {
        let unknown = || ApiError::invalid_argument("kind", "must be one of the kinds of transfer");
        let kind = request.kind().known().ok_or_else(unknown)?;
        let (live, actor) = self.chooser(caller, &request.interaction_id, &request.for_agent_id).await?;
        let refused = || refusal_status(Refusal::KindNotOffered(kind), &live, &actor);
        let offer = &live.policy.method(kind).ok_or_else(refused)?.offer;
        let last = self.last_choice(&live, &actor).await?;
        let goes_to = |wanted: &[baton_words::TargetSort]| offer.targets.iter().any(|sort| wanted.contains(sort));
        let (flows, others) = (
            goes_to(&[baton_words::TargetSort::IvrFlow]),
            goes_to(&[baton_words::TargetSort::Agent, baton_words::TargetSort::Team]),
        );
        // Flows come after everybody who can be asked, on pages of their own.
        if let Some(token) = request.page_token.strip_prefix(IVR_PAGE).or((flows && !others).then_some("")) {
            let comes_back = live.policy.method(kind).is_some_and(|it| it.released == ReleaseMoment::Never);
            return self.ivr_choices(&live, &request, token, (comes_back, last)).await;
        }
        let in_it: Vec<AgentId> = live.agents().filter_map(Party::agent_id).chain(actor.agent()).collect();
        let choices = ListChoicesRequest {
            tenant: live.tenant.to_string(),
            skip_agent_ids: in_it.iter().map(ToString::to_string).collect(),
            target_sorts: offer.targets.iter().map(|sort| TargetSort::from(*sort).into()).collect(),
            choosable: offer.choosable.iter().map(|state| AgentState::from(*state).into()).collect(),
            recommended: offer.recommended.iter().map(|state| AgentState::from(*state).into()).collect(),
            waits_if_busy: offer.when_busy == WhenBusy::Wait,
            chosen_last: last.map(|last| target(&last.target)),
            filter: request.filter,
            page_size: request.page_size,
            page_token: request.page_token,
        };
        let found = self.peers.presence.clone().list_choices(choices).await?.into_inner();
        let next_page_token = match found.next_page_token {
            token if token.is_empty() && flows => IVR_PAGE.to_owned(),
            token => token,
        };
        Ok(ListTransferTargetsResponse { targets: found.targets, next_page_token })
    }

    /// The IVR flows that can be chosen: where the customer is to come back, those that are marked for it (B407).
    async fn ivr_choices(
        &self,
        live: &Live,
        request: &ListTransferTargetsRequest,
        page_token: &str,
        (round_trip, last): (bool, Option<TransferRecord>),
    ) -> Result<ListTransferTargetsResponse, Status> {
        let query = request.filter.as_ref().map(|filter| filter.search.clone()).unwrap_or_default();
        let (tenant, page_token) = (live.tenant.to_string(), page_token.to_owned());
        let choices = ListIvrChoicesRequest { tenant, round_trip, query, page_size: request.page_size, page_token };
        let found = self.peers.routing.clone().list_ivr_choices(choices).await?.into_inner();
        let last = last.map(|last| target(&last.target));
        let targets = found.ivr_flows.into_iter().map(|flow| {
            let own = WireTarget { target: Some(Wire::IvrFlowId(flow.ivr_flow_id)) };
            let chosen_last = last.as_ref() == Some(&own);
            let target = Some(PickerTarget { target: Some(own), name: flow.name, ..PickerTarget::default() });
            TransferTarget { target, choosable: true, recommended: false, would_wait: false, chosen_last }
        });
        let next_page_token = match found.next_page_token {
            token if token.is_empty() => token,
            token => format!("{IVR_PAGE}{token}"),
        };
        Ok(ListTransferTargetsResponse { targets: targets.collect(), next_page_token })
    }

    /// The interaction, if the caller may see it, and as whom they would hand it over.
    async fn chooser(&self, caller: &Caller, id: &str, for_agent_id: &str) -> Result<(Arc<Live>, Actor), Status> {
        let actor = parse::actor(caller, for_agent_id)?;
        Ok((self.handler.visible(caller, id).await?, actor))
    }

    /// What the agent chose the last time, in whatever interaction.
    async fn last_choice(&self, live: &Live, actor: &Actor) -> Result<Option<TransferRecord>, Status> {
        match actor.agent() {
            Some(agent) => Ok(transfers::last_of(&self.handler.db, &live.tenant, agent).await?),
            None => Ok(None),
        }
    }
}

fn option(live: &Live, actor: &Actor, own: TransferKind, method: &Method) -> TransferOption {
    let refusal = permit(&live.state, &live.policy, actor, Action::Start(own)).err();
    TransferOption {
        kind: kind(own),
        target_sorts: method.offer.targets.iter().map(|sort| TargetSort::from(*sort).into()).collect(),
        needs_outcome: method.needs_outcome,
        needs_message: method.needs_message,
        waits_if_busy: method.offer.when_busy == WhenBusy::Wait,
        refusal: refusal.map(refusal_reason).unwrap_or_default().into(),
    }
}

/// What the agent wrote with their last transfer of this interaction, unless it reached somebody (B308).
fn kept_message(live: &Live, agent: AgentId) -> String {
    let last = live.journey.iter().rev().find_map(|hop| Some((hop.by.as_ref()?, hop.outcome)));
    let kept = last.filter(|(by, outcome)| by.from == agent && outcome.to().is_none());
    kept.map(|(by, _)| by.message.to_string()).unwrap_or_default()
}

/// An outcome that the policy does not list any more is not offered again.
fn last_choice(live: &Live, last: &TransferRecord) -> LastChoice {
    let name = match &last.target {
        Target::Agent(agent) => &agent.name,
        Target::Team { name, .. } => name,
        Target::IvrFlow(flow) => &flow.name,
    };
    let listed = live.policy.interaction.outcomes.contains(&last.outcome);
    LastChoice {
        target: Some(target(&last.target)),
        name: name.to_string(),
        kind: kind(last.kind),
        outcome: if listed { last.outcome.to_string() } else { String::new() },
        choose_time: Some(at(last.started_at_us)),
    }
}
