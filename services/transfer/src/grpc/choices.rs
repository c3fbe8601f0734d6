//! The picker of a transfer: agents and teams as presence knows them, then queues, IVR flows and numbers outside as routing does; one list with pages.

use super::{TransferApi, outside, parse, queue, watch::CHECKPOINT_EVERY};
use crate::{
    convert::{
        refusal_status,
        words::{medium, target},
    },
    live::Live,
};
use baton_api::{
    ApiError, Known,
    common::v1::{Target as WireTarget, TargetSort, target::Target as Wire},
    presence::v1::{AgentState, ListChoicesRequest, PickerTarget, TargetFilter, TransferTarget},
    routing::v1::{ListIvrChoicesRequest, ListQueueChoicesRequest, ResolveQueueRequest},
    transfer::v1::{
        ListTransferTargetsRequest, ListTransferTargetsResponse, WatchTransferTargetsRequest,
        WatchTransferTargetsResponse,
    },
};
use baton_domain::{
    Refusal, Target,
    interaction::Party,
    policy::{OfferRules, ReleaseMoment, WhenBusy},
};
use baton_runtime::{auth::Caller, lifecycle};
use baton_words::{AgentId, QueueId, TargetSort as Sort, TransferKind};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

/// How often a picker that is watched is looked at again. Agents, queues and numbers are known to three services: asking them all is simpler than to
/// put their changes together, and a picker is open for as long as somebody chooses.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The parts of the list, in their order, each with what its page tokens begin with.
const SECTIONS: [(Section, &str); 4] = [
    (Section::AgentsAndTeams, ""),
    (Section::Queues, "queue/"),
    (Section::IvrFlows, "ivr/"),
    (Section::Outside, "external/"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    AgentsAndTeams,
    Queues,
    IvrFlows,
    Outside,
}

/// What is chosen from.
struct TransferPicker<'a> {
    live: &'a Live,
    kind: TransferKind,
    offer: &'a OfferRules,
    /// The customer comes back, so that an IVR flow must be one for round trips (B407).
    comes_back: bool,
    filter: TargetFilter,
    /// Who are in the interaction, or choose.
    skip: Vec<AgentId>,
    /// What the agent chose the last time (B502).
    last: Option<&'a Target>,
}

impl TransferApi {
    pub(super) async fn choices(
        &self,
        caller: &Caller,
        request: ListTransferTargetsRequest,
    ) -> Result<ListTransferTargetsResponse, Status> {
        let unknown = || ApiError::invalid_argument("kind", "must be one of the kinds of transfer");
        let kind = request.kind().known().ok_or_else(unknown)?;
        let (live, actor) = self.chooser(caller, &request.interaction_id, &request.for_agent_id).await?;
        let refused = || refusal_status(Refusal::KindNotOffered(kind), &live, &actor);
        let method = live.policy.method(kind).ok_or_else(refused)?;
        let last = self.last_choice(&live, &actor).await?;
        let picker = TransferPicker {
            live: &live,
            kind,
            offer: &method.offer,
            comes_back: method.released == ReleaseMoment::Never,
            filter: request.filter.unwrap_or_default(),
            skip: live.agents().filter_map(Party::agent_id).chain(actor.agent()).collect(),
            last: last.as_ref().map(|last| &last.target),
        };
        let size = parse::page_size(request.page_size)? as usize;
        let mut targets = Vec::new();
        if let Some(queue) = picker.last_queue().filter(|_| request.page_token.is_empty() && size > 1) {
            targets.extend(self.queue_choice(&live, queue).await?);
        }
        let (first, mut token) = picker.section_of(&request.page_token);
        for (section, prefix) in SECTIONS.into_iter().skip(first).filter(|(section, _)| picker.has(*section)) {
            let room = size.saturating_sub(targets.len());
            if room == 0 {
                return Ok(ListTransferTargetsResponse { targets, next_page_token: prefix.to_owned() });
            }
            let (found, next) = self.section(section, &picker, room, std::mem::take(&mut token)).await?;
            targets.extend(found);
            if !next.is_empty() {
                return Ok(ListTransferTargetsResponse { targets, next_page_token: format!("{prefix}{next}") });
            }
        }
        Ok(ListTransferTargetsResponse { targets, next_page_token: String::new() })
    }

    /// The same list again and again, until the interaction is over.
    pub(super) async fn watch_choices(
        &self,
        caller: &Caller,
        request: WatchTransferTargetsRequest,
    ) -> Result<ReceiverStream<Result<WatchTransferTargetsResponse, Status>>, Status> {
        let permit = self.watchers.take(caller.tenant()?.as_str()).map_err(|error| {
            ApiError::resource_exhausted(format!("No more pickers can be watched: {error}. End some streams first."))
        })?;
        let asked = ListTransferTargetsRequest {
            interaction_id: request.interaction_id,
            kind: request.kind,
            filter: request.filter,
            page_size: request.max_targets,
            page_token: String::new(),
            for_agent_id: request.for_agent_id,
        };
        // What can't be listed can't be watched.
        let first = self.choices(caller, asked.clone()).await?;
        let (out, receiver) = mpsc::channel(1);
        let (api, caller) = (self.clone(), caller.clone());
        lifecycle::spawn(async move {
            let _permit = permit;
            let sending = out.clone();
            tokio::select! {
                over = api.follow_choices(&caller, &asked, first, &out) => if let Err(status) = over {
                    // It fails when the client has gone.
                    let _ = sending.send(Err(status)).await;
                },
                () = sending.closed() => {}
            }
        });
        Ok(ReceiverStream::new(receiver))
    }

    async fn follow_choices(
        &self,
        caller: &Caller,
        asked: &ListTransferTargetsRequest,
        first: ListTransferTargetsResponse,
        out: &mpsc::Sender<Result<WatchTransferTargetsResponse, Status>>,
    ) -> Result<(), Status> {
        let id = parse::interaction_id(&asked.interaction_id)?;
        let mut seen = self.handler.hub.watch(id);
        let clock = &self.handler.clock;
        let (mut shown, mut due_us) = (None, 0);
        let mut next = Ok(first);
        loop {
            if self.handler.load(id).await?.is_none_or(|live| live.ended()) {
                return Ok(());
            }
            let now = next?;
            if shown.as_ref() != Some(&now) || clock.now_us() >= due_us {
                let has_more = !now.next_page_token.is_empty();
                let answer = WatchTransferTargetsResponse { targets: now.targets.clone(), has_more };
                if out.send(Ok(answer)).await.is_err() {
                    return Ok(());
                }
                (shown, due_us) = (Some(now), clock.after(CHECKPOINT_EVERY));
            }
            tokio::select! {
                () = clock.sleep(LOOK_EVERY) => {}
                changed = seen.changed() => if changed.is_err() { return Ok(()) },
            }
            next = self.choices(caller, asked.clone()).await;
        }
    }

    /// At most so many of a section, and the token of its next page; empty when there is no more of it.
    async fn section(
        &self,
        section: Section,
        picker: &TransferPicker<'_>,
        room: usize,
        page_token: String,
    ) -> Result<(Vec<TransferTarget>, String), Status> {
        let (tenant, page_size) = (picker.live.tenant.to_string(), i32::try_from(room).unwrap_or(i32::MAX));
        match section {
            Section::AgentsAndTeams => {
                let asked = picker.of_presence(page_size, page_token);
                let found = self.peers.presence.clone().list_choices(asked).await?.into_inner();
                Ok((found.targets, found.next_page_token))
            }
            Section::Queues => {
                let search = picker.filter.search.clone();
                let asked = ListQueueChoicesRequest { tenant, search, page_size, page_token };
                let found = self.peers.routing.clone().list_queue_choices(asked).await?.into_inner();
                let first = picker.last_queue().map(|id| id.to_string());
                let shown = found.statistics.iter().filter(|it| picker.filter.include_unavailable || it.open);
                let shown = shown.filter(|it| first.as_ref() != Some(&it.queue_id));
                Ok((shown.map(|it| queue::choice(it, false)).collect(), found.next_page_token))
            }
            Section::IvrFlows => {
                let query = picker.filter.search.clone();
                let asked =
                    ListIvrChoicesRequest { tenant, round_trip: picker.comes_back, query, page_size, page_token };
                let found = self.peers.routing.clone().list_ivr_choices(asked).await?.into_inner();
                let last = picker.last.map(target);
                let targets = found.ivr_flows.into_iter().map(|flow| {
                    let own = WireTarget { target: Some(Wire::IvrFlowId(flow.ivr_flow_id)) };
                    let chosen_last = last.as_ref() == Some(&own);
                    let target = Some(PickerTarget { target: Some(own), name: flow.name, ..PickerTarget::default() });
                    TransferTarget { target, choosable: true, chosen_last, ..TransferTarget::default() }
                });
                Ok((targets.collect(), found.next_page_token))
            }
            Section::Outside => {
                let choices = outside::Choices {
                    live: picker.live,
                    kind: picker.kind,
                    search: &picker.filter.search,
                    include_unavailable: picker.filter.include_unavailable,
                    page_size,
                    token: &page_token,
                    last: picker.last,
                };
                outside::choices(self, choices).await
            }
        }
    }

    /// The queue that was chosen last, unless it is gone or closed: it comes first.
    async fn queue_choice(&self, live: &Live, id: QueueId) -> Result<Option<TransferTarget>, Status> {
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
}

impl TransferPicker<'_> {
    /// Whether this kind goes there, in this medium. Queues, flows and numbers outside are of no team.
    fn has(&self, section: Section) -> bool {
        let sorts = || self.offer.sorts(self.live.medium);
        let goes_to = |sort| sorts().any(|own| own == sort) && self.filter.team_id.is_empty();
        match section {
            Section::AgentsAndTeams => sorts().any(|sort| matches!(sort, Sort::Agent | Sort::Team)),
            Section::Queues => goes_to(Sort::Queue),
            Section::IvrFlows => goes_to(Sort::IvrFlow),
            Section::Outside => goes_to(Sort::External),
        }
    }

    /// Where a page token goes on: the section, and the token in it.
    fn section_of(&self, token: &str) -> (usize, String) {
        let marked = SECTIONS.iter().enumerate().skip(1);
        let mut marked = marked.filter(|(_, (section, _))| self.has(*section));
        let found = marked.find_map(|(at, (_, prefix))| Some((at, token.strip_prefix(prefix)?)));
        let (at, inner) = found.unwrap_or((0, token));
        (at, inner.to_owned())
    }

    /// What is searched for comes before what was chosen.
    fn last_queue(&self) -> Option<QueueId> {
        let last = self.last.and_then(Target::queue).map(|queue| queue.id);
        last.filter(|_| self.has(Section::Queues) && self.filter.search.is_empty())
    }

    fn of_presence(&self, page_size: i32, page_token: String) -> ListChoicesRequest {
        let of_presence = self.last.filter(|last| matches!(last, Target::Agent(_) | Target::Team { .. }));
        ListChoicesRequest {
            tenant: self.live.tenant.to_string(),
            skip_agent_ids: self.skip.iter().map(ToString::to_string).collect(),
            target_sorts: self.offer.targets.iter().map(|sort| TargetSort::from(*sort).into()).collect(),
            choosable: self.offer.choosable.iter().map(|state| AgentState::from(*state).into()).collect(),
            recommended: self.offer.recommended.iter().map(|state| AgentState::from(*state).into()).collect(),
            waits_if_busy: self.offer.when_busy == WhenBusy::Wait,
            chosen_last: of_presence.map(target),
            filter: Some(self.filter.clone()),
            page_size,
            page_token,
            medium: medium(self.live.medium),
        }
    }
}
