//! What can be chosen when an interaction is handed over: by the policy under which it began, and by what the agent chose the last time.

use super::{TransferApi, parse, queue};
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
    presence::v1::{AgentState, ListChoicesRequest, TransferTarget},
    routing::v1::{ListQueueChoicesRequest, ResolveQueueRequest},
    transfer::v1::{
        GetTransferOptionsRequest, GetTransferOptionsResponse, LastChoice, ListTransferTargetsRequest,
        ListTransferTargetsResponse, TransferOption,
    },
};
use baton_domain::{
    Action, Actor, Refusal, Target,
    interaction::Party,
    permit::permit,
    policy::{Method, OfferRules, WhenBusy},
    project::TransferRecord,
};
use baton_runtime::auth::Caller;
use baton_words::{AgentId, QueueId, TargetSort as Sort, TransferKind};
use std::sync::Arc;
use tonic::{Code, Status};

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
        let page = Page::of(&request, offer, last.as_ref().map(|last| &last.target))?;
        if page.of_queues.is_some() {
            return Ok(self.with_queues(&live, &page, ListTransferTargetsResponse::default()).await?);
        }
        let first = match page.last_queue.filter(|_| page.is_first && page.size > 1) {
            Some(id) => self.queue_choice(&live, &id).await?,
            None => None,
        };
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
            page_size: page.size - i32::from(first.is_some()),
            page_token: request.page_token,
        };
        let found = self.peers.presence.clone().list_choices(choices).await?.into_inner();
        let targets = first.into_iter().chain(found.targets).collect();
        let listed = ListTransferTargetsResponse { targets, next_page_token: found.next_page_token };
        if listed.next_page_token.is_empty() && page.has_queues {
            return Ok(self.with_queues(&live, &page, listed).await?);
        }
        Ok(listed)
    }

    /// Fills the rest of a page with queues (B302), which come after agents and teams.
    async fn with_queues(
        &self,
        live: &Live,
        page: &Page,
        mut listed: ListTransferTargetsResponse,
    ) -> Result<ListTransferTargetsResponse, Status> {
        let room = page.size - i32::try_from(listed.targets.len()).unwrap_or(page.size);
        if room < 1 {
            listed.next_page_token = QUEUES.to_owned();
            return Ok(listed);
        }
        let asked = ListQueueChoicesRequest {
            tenant: live.tenant.to_string(),
            search: page.search.clone(),
            page_size: room,
            page_token: page.of_queues.clone().unwrap_or_default(),
        };
        let found = self.peers.routing.clone().list_queue_choices(asked).await?.into_inner();
        let is_last = |id: &str| page.last_queue.is_some_and(|last| last.to_string() == id);
        let shown = found.statistics.iter().filter(|it| page.unavailable_too || it.open);
        let shown = shown.filter(|it| !is_last(&it.queue_id) || page.size == 1);
        listed.targets.extend(shown.map(|it| queue::choice(it, is_last(&it.queue_id))));
        let more = Some(found.next_page_token).filter(|token| !token.is_empty());
        listed.next_page_token = more.map(|token| format!("{QUEUES}{token}")).unwrap_or_default();
        Ok(listed)
    }

    /// The queue that was chosen last, unless it is gone or closed.
    async fn queue_choice(&self, live: &Live, id: &QueueId) -> Result<Option<TransferTarget>, Status> {
        let asked = ResolveQueueRequest { tenant: live.tenant.to_string(), queue_id: id.to_string() };
        match self.peers.routing.clone().resolve_queue(asked).await {
            Ok(found) => {
                let now = found.into_inner().statistics.filter(|now| now.open);
                Ok(now.map(|now| queue::choice(&now, true)))
            }
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
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

/// What a page token begins with that goes on among the queues.
const QUEUES: &str = "queues:";

/// One page of a picker.
struct Page {
    size: i32,
    is_first: bool,
    /// Where it goes on among the queues; none: it begins with agents and teams.
    of_queues: Option<String>,
    /// Queues come after the agents and teams.
    has_queues: bool,
    /// The queue that was chosen last, which comes first (B502).
    last_queue: Option<QueueId>,
    search: String,
    unavailable_too: bool,
}

impl Page {
    fn of(request: &ListTransferTargetsRequest, offer: &OfferRules, last: Option<&Target>) -> Result<Self, Status> {
        let filter = request.filter.clone().unwrap_or_default();
        let has_queues = offer.targets.contains(&Sort::Queue) && filter.team_id.is_empty();
        let last_queue = last.and_then(Target::queue).filter(|_| has_queues && filter.search.is_empty());
        Ok(Self {
            size: i32::try_from(parse::page_size(request.page_size)?).unwrap_or(i32::MAX),
            is_first: request.page_token.is_empty(),
            of_queues: request.page_token.strip_prefix(QUEUES).map(str::to_owned).filter(|_| has_queues),
            has_queues,
            last_queue: last_queue.map(|queue| queue.id),
            search: filter.search,
            unavailable_too: filter.include_unavailable,
        })
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
        Target::Queue(queue) => &queue.name,
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
