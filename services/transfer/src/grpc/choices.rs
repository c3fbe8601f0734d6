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
    page,
    presence::v1::{AgentState, ListChoicesRequest, PickerTarget, TargetFilter, TransferTarget},
    routing::v1::{
        IvrFlow, ListIvrChoicesRequest, ListQueueChoicesRequest, ResolveIvrFlowRequest, ResolveQueueRequest,
    },
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
use baton_words::{AgentId, TargetSort as Sort, TransferKind};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

/// How often a picker that is watched is looked at again. Agents, queues and numbers are known to three services: asking them all is simpler than to
/// put their changes together, and a picker is open for as long as somebody chooses.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The parts of the list, in their order, each with its name in page tokens.
const SECTIONS: [(Section, &str); 4] = [
    (Section::AgentsAndTeams, "agent"),
    (Section::Queues, "queue"),
    (Section::IvrFlows, "ivr"),
    (Section::Outside, "external"),
];
/// What begins a page token if what was chosen last was on a page before it, and is not shown again.
const LAST_IS_SHOWN: &str = "last/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    AgentsAndTeams,
    Queues,
    IvrFlows,
    Outside,
}

/// How routing says that a target is gone, or that it may not be chosen any more.
const GONE: [Code; 3] = [Code::NotFound, Code::FailedPrecondition, Code::PermissionDenied];

/// Where a page begins. The default is the beginning of the list.
#[derive(Debug, Default, PartialEq, Eq)]
struct PageStart {
    last_is_shown: bool,
    /// Of [`SECTIONS`].
    section: usize,
    /// The section's own page token; empty for its beginning.
    token: String,
}

impl PageStart {
    fn read(token: &str) -> Option<Self> {
        let rest = token.strip_prefix(LAST_IS_SHOWN);
        let (section, inner) = rest.unwrap_or(token).split_once('/')?;
        let section = SECTIONS.iter().position(|(_, name)| *name == section)?;
        Some(Self { last_is_shown: rest.is_some(), section, token: inner.to_owned() })
    }

    fn token(&self) -> String {
        let last = if self.last_is_shown { LAST_IS_SHOWN } else { "" };
        format!("{last}{}/{}", SECTIONS[self.section].1, self.token)
    }
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
        let mut place = page::after(&request.page_token, PageStart::read)?.unwrap_or_default();
        let mut targets = Vec::new();
        if request.page_token.is_empty() {
            targets.extend(self.chosen_last(&picker).await?);
            place.last_is_shown = !targets.is_empty();
        }
        let sections = SECTIONS.iter().enumerate().skip(place.section);
        for (at, section) in sections.map(|(at, (section, _))| (at, *section)).filter(|(_, it)| picker.has(*it)) {
            place.section = at;
            let room = size.saturating_sub(targets.len());
            if room == 0 {
                return Ok(ListTransferTargetsResponse { targets, next_page_token: place.token() });
            }
            let found;
            (found, place.token) = self.section(section, &picker, room, std::mem::take(&mut place.token)).await?;
            targets.extend(found.into_iter().filter(|it| !(place.last_is_shown && it.chosen_last)));
            if !place.token.is_empty() {
                return Ok(ListTransferTargetsResponse { targets, next_page_token: place.token() });
            }
        }
        Ok(ListTransferTargetsResponse { targets, next_page_token: String::new() })
    }

    /// The queue, IVR flow or number outside that the agent chose the last time, which comes first (B502), unless it is gone or may not be chosen any
    /// more. An agent or a team is put first by presence.
    async fn chosen_last(&self, picker: &TransferPicker<'_>) -> Result<Option<TransferTarget>, Status> {
        // What is searched for comes before what was chosen.
        let Some(last) = picker.last.filter(|_| picker.filter.search.is_empty()) else { return Ok(None) };
        let tenant = picker.live.tenant.to_string();
        let mut routing = self.peers.routing.clone();
        let found = match last {
            Target::Queue(own) if picker.has(Section::Queues) => {
                let asked = ResolveQueueRequest { tenant, queue_id: own.id.to_string() };
                let found = routing.resolve_queue(asked).await;
                found.map(|it| it.into_inner().statistics.map(|now| queue::choice(&now, true)))
            }
            Target::IvrFlow(own) if picker.has(Section::IvrFlows) => {
                let asked = ResolveIvrFlowRequest { tenant, ivr_flow_id: own.id.to_string() };
                let found = routing.resolve_ivr_flow(asked).await.map(|it| it.into_inner().ivr_flow);
                found.map(|flow| flow.filter(|it| it.round_trip || !picker.comes_back).map(|it| flow_choice(&it, true)))
            }
            Target::External(own) if picker.has(Section::Outside) => {
                outside::chosen_last(self, &picker.of_outside(1, ""), own).await.map(Some)
            }
            _ => return Ok(None),
        };
        match found {
            Ok(found) => Ok(found.filter(|it| it.choosable || picker.filter.include_unavailable)),
            Err(status) if GONE.contains(&status.code()) => Ok(None),
            Err(status) => Err(status),
        }
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
                let last = picker.last.and_then(Target::queue).map(|it| it.id.to_string());
                let shown = found.statistics.iter().filter(|it| picker.filter.include_unavailable || it.lets_in);
                let targets = shown.map(|it| queue::choice(it, last.as_ref() == Some(&it.queue_id)));
                Ok((targets.collect(), found.next_page_token))
            }
            Section::IvrFlows => {
                let query = picker.filter.search.clone();
                let asked =
                    ListIvrChoicesRequest { tenant, round_trip: picker.comes_back, query, page_size, page_token };
                let found = self.peers.routing.clone().list_ivr_choices(asked).await?.into_inner();
                let last = picker.last.map(target);
                let targets = found.ivr_flows.into_iter().map(|flow| {
                    let chosen_last = last.as_ref() == Some(&ivr_flow(&flow));
                    flow_choice(&flow, chosen_last)
                });
                Ok((targets.collect(), found.next_page_token))
            }
            Section::Outside => outside::choices(self, &picker.of_outside(page_size, &page_token)).await,
        }
    }
}

/// An IVR flow in the picker of a transfer.
fn flow_choice(flow: &IvrFlow, chosen_last: bool) -> TransferTarget {
    let target = PickerTarget { target: Some(ivr_flow(flow)), name: flow.name.clone(), ..PickerTarget::default() };
    TransferTarget { target: Some(target), choosable: true, chosen_last, ..TransferTarget::default() }
}

fn ivr_flow(flow: &IvrFlow) -> WireTarget {
    WireTarget { target: Some(Wire::IvrFlowId(flow.ivr_flow_id.clone())) }
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

    fn of_outside<'a>(&'a self, page_size: i32, token: &'a str) -> outside::Choices<'a> {
        outside::Choices {
            live: self.live,
            kind: self.kind,
            search: &self.filter.search,
            include_unavailable: self.filter.include_unavailable,
            page_size,
            token,
            last: self.last,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_leads_back_to_its_place_and_another_is_refused() {
        for last_is_shown in [false, true] {
            for section in 0..SECTIONS.len() {
                let place = PageStart { last_is_shown, section, token: "1.a/b".to_owned() };
                assert_eq!(PageStart::read(&place.token()), Some(place));
            }
        }
        for token in ["x", "last/", "nobody/1", "queue"] {
            assert_eq!(PageStart::read(token), None, "{token}");
        }
    }
}
