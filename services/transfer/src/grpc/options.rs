//! What can be chosen when an interaction is handed over: by the policy under which it began, and by what the agent chose the last time.

use super::{
    TransferApi, outside,
    outside::{Choices, PickerPage},
    parse,
};
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
    common::v1::TargetSort,
    presence::v1::{AgentState, ListChoicesRequest},
    transfer::v1::{
        GetTransferOptionsRequest, GetTransferOptionsResponse, LastChoice, ListTransferTargetsRequest,
        ListTransferTargetsResponse, TransferOption,
    },
};
use baton_domain::{
    Action, Actor, Refusal, Target,
    interaction::Party,
    permit::permit,
    policy::{Method, WhenBusy},
    project::TransferRecord,
};
use baton_runtime::auth::Caller;
use baton_words::{AgentId, TransferKind};
use std::sync::Arc;
use tonic::Status;

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
        let filter = request.filter.clone().unwrap_or_default();
        // Numbers outside are of no team.
        let goes_outside = offer.targets.contains(&baton_words::TargetSort::External) && filter.team_id.is_empty();
        let outside = |token, page_size| {
            let (search, include_unavailable) = (filter.search.as_str(), filter.include_unavailable);
            let last = last.as_ref().map(|last| &last.target);
            Choices { live: &live, kind, search, include_unavailable, page_size, token, last }
        };
        let page_token = match PickerPage::parse(&request.page_token) {
            PickerPage::Outside(token) if goes_outside => {
                let (targets, next_page_token) = outside::choices(self, outside(token, request.page_size)).await?;
                return Ok(ListTransferTargetsResponse { targets, next_page_token });
            }
            PickerPage::Outside(_) => return Err(parse::bad_page_token().into()),
            PickerPage::Inside(token) => token.to_owned(),
        };
        let in_it: Vec<AgentId> = live.agents().filter_map(Party::agent_id).chain(actor.agent()).collect();
        let choices = ListChoicesRequest {
            tenant: live.tenant.to_string(),
            skip_agent_ids: in_it.iter().map(ToString::to_string).collect(),
            target_sorts: offer.targets.iter().map(|sort| TargetSort::from(*sort).into()).collect(),
            choosable: offer.choosable.iter().map(|state| AgentState::from(*state).into()).collect(),
            recommended: offer.recommended.iter().map(|state| AgentState::from(*state).into()).collect(),
            waits_if_busy: offer.when_busy == WhenBusy::Wait,
            chosen_last: last.as_ref().filter(|last| last.target.external().is_none()).map(|last| target(&last.target)),
            filter: request.filter.clone(),
            page_size: request.page_size,
            page_token,
        };
        let found = self.peers.presence.clone().list_choices(choices).await?.into_inner();
        let (mut targets, mut next_page_token) = (found.targets, found.next_page_token);
        if next_page_token.is_empty() && goes_outside {
            let left = parse::page_size(request.page_size)? - targets.len() as i64;
            if left > 0 {
                let (more, next) = outside::choices(self, outside("", left as i32)).await?;
                targets.extend(more);
                next_page_token = next;
            } else {
                next_page_token = PickerPage::first_outside();
            }
        }
        Ok(ListTransferTargetsResponse { targets, next_page_token })
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
        outside: outside::option(live, own, method),
    }
}

/// What the agent wrote with their last transfer of this interaction, unless it reached somebody (B308).
fn kept_message(live: &Live, agent: AgentId) -> String {
    let last = live.journey.iter().rev().find_map(|hop| Some((hop.by.as_ref()?, hop.outcome)));
    let kept = last.filter(|(by, outcome)| by.from == agent && !outcome.reached());
    kept.map(|(by, _)| by.message.to_string()).unwrap_or_default()
}

/// An outcome that the policy does not list any more is not offered again.
fn last_choice(live: &Live, last: &TransferRecord) -> LastChoice {
    let name = match &last.target {
        Target::Agent(agent) => &agent.name,
        Target::Team { name, .. } => name,
        Target::External(own) => &outside::name(own),
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
