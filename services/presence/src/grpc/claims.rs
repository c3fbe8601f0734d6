//! `ClaimService`, for the other services.

use std::sync::Arc;

use baton_api::common::v1::{Reason, TargetSort, target};
use baton_api::presence::v1::claim_service_server::ClaimService;
use baton_api::presence::v1::{
    Claim, ClaimStatus, CompareClaimsRequest, CompareClaimsResponse, InboxItem, ListCandidatesRequest,
    ListCandidatesResponse, ListChoicesRequest, ListChoicesResponse, LookupAgentsRequest, LookupAgentsResponse,
    LookupTeamsRequest, LookupTeamsResponse, ReleasedClaim, SyncClaimsRequest, SyncClaimsResponse,
    WatchAvailabilityRequest, WatchAvailabilityResponse, claim, claim_status,
};
use baton_api::{ApiError, fields, page};
use baton_follow::compare;
use baton_runtime::stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{PresenceApi, parse, watch_availability};
use crate::convert;
use crate::ids::{AgentId, TeamId};
use crate::index::{Choice, PickerFilter, TargetKey};
use crate::ops::sync_claims;
use crate::page::DirectoryCursor;
use crate::projection::{ClaimDecision, ClaimsProjection, Released, Wanted};
use crate::record::ClaimMedium;
use crate::status::{Occupied, ShownState};

/// Agents in one look-up.
const MAX_LOOKUP: usize = 100;
/// Agents that a wait may skip: all of the largest team.
const MAX_SKIPPED: usize = 10_000;
const DEFAULT_CANDIDATES: usize = 10;
const MAX_CANDIDATES: usize = 100;
/// Claims that one interaction may list.
const MAX_CLAIMS: usize = 1_000;
/// The longest wrap-up: a day.
const MAX_WRAP_UP_MS: i64 = 24 * 60 * 60 * 1_000;

#[tonic::async_trait]
impl ClaimService for PresenceApi {
    type WatchAvailabilityStream = BoxStream<'static, Result<WatchAvailabilityResponse, Status>>;

    async fn sync_claims(&self, request: Request<SyncClaimsRequest>) -> Result<Response<SyncClaimsResponse>, Status> {
        let projection = projection(request.into_inner())?;
        let ids: Vec<String> = projection.wanted.iter().map(|it| it.claim_id.clone()).collect();
        let core = Arc::clone(&self.core);
        let done = self.core.detached(async move { sync_claims::sync_claims(&core, projection).await });
        let claims = ids.into_iter().zip(done.await?).map(|(id, decision)| status(id, &decision));
        Ok(Response::new(SyncClaimsResponse { claims: claims.collect() }))
    }

    async fn compare_claims(
        &self,
        request: Request<CompareClaimsRequest>,
    ) -> Result<Response<CompareClaimsResponse>, Status> {
        let asked = &request.get_ref().versions;
        compare::check(asked)?;
        let lacking_interaction_ids = compare::lacking(&self.core.db, "claim_versions", asked).await?;
        Ok(Response::new(CompareClaimsResponse { lacking_interaction_ids }))
    }

    async fn lookup_agents(
        &self,
        request: Request<LookupAgentsRequest>,
    ) -> Result<Response<LookupAgentsResponse>, Status> {
        let message = request.get_ref();
        let tenant = parse::tenant(&message.tenant)?;
        let ids = parse::agent_ids("agent_ids", &message.agent_ids, MAX_LOOKUP)?;
        let index = self.core.index.known(&tenant);
        let found = index.into_iter().flat_map(|index| ids.iter().filter_map(move |id| index.agent(*id)));
        let agents = found.map(|it| convert::agent_ref(&it)).collect();
        Ok(Response::new(LookupAgentsResponse { agents }))
    }

    async fn lookup_teams(
        &self,
        request: Request<LookupTeamsRequest>,
    ) -> Result<Response<LookupTeamsResponse>, Status> {
        let message = request.get_ref();
        let tenant = parse::tenant(&message.tenant)?;
        let ids = parse::team_ids("team_ids", &message.team_ids, MAX_LOOKUP)?;
        let index = self.core.index.known(&tenant);
        let found = index.into_iter().flat_map(|index| ids.iter().filter_map(move |id| index.team(*id)));
        let teams = found.map(|it| convert::team_ref(&it)).collect();
        Ok(Response::new(LookupTeamsResponse { teams }))
    }

    async fn list_candidates(
        &self,
        request: Request<ListCandidatesRequest>,
    ) -> Result<Response<ListCandidatesResponse>, Status> {
        let message = request.get_ref();
        let tenant = parse::tenant(&message.tenant)?;
        let skip = parse::agent_ids("skip_agent_ids", &message.skip_agent_ids, MAX_SKIPPED)?;
        let limit = match usize::try_from(message.limit) {
            Ok(0) => DEFAULT_CANDIDATES,
            Ok(limit) => limit.min(MAX_CANDIDATES),
            Err(_) => return Err(ApiError::invalid_argument("limit", "must not be negative").into()),
        };
        let index = self.core.index.known(&tenant);
        let medium = ClaimMedium::of(message.medium());
        let found = if message.skills.is_empty() && message.team_ids.is_empty() {
            let team = TeamId::parse("team_id", &message.team_id)?;
            index.and_then(|it| it.candidates(team, medium, &skip, limit)).ok_or_else(|| ApiError::not_found("team"))?
        } else {
            let teams: Vec<_> = parse::team_ids("team_ids", &message.team_ids, MAX_LOOKUP)?.into_iter().collect();
            index.map(|it| it.candidates_with(&message.skills, &teams, medium, &skip, limit)).unwrap_or_default()
        };
        Ok(Response::new(ListCandidatesResponse {
            agents: found.free.iter().map(|it| convert::agent_ref(it)).collect(),
            anybody_left: found.anybody_left,
            signed_in: found.signed_in.try_into().unwrap_or(i32::MAX),
            free: found.count.try_into().unwrap_or(i32::MAX),
        }))
    }

    async fn list_choices(
        &self,
        request: Request<ListChoicesRequest>,
    ) -> Result<Response<ListChoicesResponse>, Status> {
        let message = request.get_ref();
        let (tenant, choice, filter, size, after) = fields::all((
            parse::tenant(&message.tenant),
            choice(message),
            parse::filter(message.filter.as_ref(), None),
            page::size(message.page_size),
            DirectoryCursor::parse(&message.page_token),
        ))?;
        let filter = PickerFilter { choice: Some(choice.clone()), ..filter };
        let Some(index) = self.core.index.known(&tenant) else {
            return Ok(Response::new(ListChoicesResponse::default()));
        };
        let page = index.targets(&filter, &after, size, |it| it.choice(&choice)).ok_or_else(parse::another_order)?;
        Ok(Response::new(ListChoicesResponse { targets: page.targets, next_page_token: page.next_token }))
    }

    async fn watch_availability(
        &self,
        _request: Request<WatchAvailabilityRequest>,
    ) -> Result<Response<Self::WatchAvailabilityStream>, Status> {
        let (out, responses) = mpsc::channel(watch_availability::BUFFER);
        let core = Arc::clone(&self.core);
        self.core.lifecycle.spawn("presence availability", async move {
            watch_availability::serve(&core, out).await;
        });
        Ok(Response::new(stream::endless(ReceiverStream::new(responses))))
    }
}

fn choice(message: &ListChoicesRequest) -> Result<Choice, ApiError> {
    let states = |states: &[i32]| states.iter().map(|it| parse::choosable(*it)).collect::<Result<Vec<_>, _>>();
    let goes_to = |sort: TargetSort| message.target_sorts().any(|it| it == sort);
    let last = match message.chosen_last.as_ref().and_then(|it| it.target.as_ref()) {
        Some(target::Target::AgentId(id)) => Some(TargetKey::Agent(AgentId::parse("chosen_last.agent_id", id)?)),
        Some(target::Target::TeamId(id)) => Some(TargetKey::Team(TeamId::parse("chosen_last.team_id", id)?)),
        // Of queues, IVR flows and numbers outside presence knows nothing.
        Some(target::Target::QueueId(_) | target::Target::IvrFlowId(_) | target::Target::External(_)) | None => None,
    };
    Ok(Choice {
        agents: goes_to(TargetSort::Agent),
        teams: goes_to(TargetSort::Team),
        skip: parse::agent_ids("skip_agent_ids", &message.skip_agent_ids, MAX_SKIPPED)?,
        choosable: states(&message.choosable)?,
        recommended: states(&message.recommended)?,
        waits_if_busy: message.waits_if_busy,
        medium: ClaimMedium::of(message.medium()),
        last,
    })
}

pub(crate) fn projection(request: SyncClaimsRequest) -> Result<ClaimsProjection, ApiError> {
    if request.claims.len() > MAX_CLAIMS || request.released.len() > MAX_CLAIMS {
        return Err(ApiError::invalid_argument("claims", format!("must be {MAX_CLAIMS} at most")));
    }
    if request.ended && !request.claims.is_empty() {
        return Err(ApiError::invalid_argument("claims", "must be empty when the interaction has ended"));
    }
    let version = i64::try_from(request.version);
    Ok(ClaimsProjection {
        tenant: parse::tenant(&request.tenant)?,
        interaction_id: parse::foreign_id("interaction_id", &request.interaction_id)?,
        version: version.map_err(|_| ApiError::invalid_argument("version", "is too large"))?,
        wanted: request.claims.into_iter().map(wanted).collect::<Result<_, _>>()?,
        released: request.released.iter().map(released).collect::<Result<_, _>>()?,
        ended: request.ended,
    })
}

fn wanted(claim: Claim) -> Result<Wanted, ApiError> {
    let occupied = match claim.state() {
        claim::State::Reserved => Occupied::Reserved,
        claim::State::Engaged => Occupied::Engaged,
        claim::State::Unspecified => {
            return Err(ApiError::invalid_argument("claims.state", "must be RESERVED or ENGAGED"));
        }
    };
    let expires_at_us = match (occupied, claim.expires_at_us) {
        (Occupied::Engaged, _) => 0,
        (Occupied::Reserved, 0) => {
            return Err(ApiError::invalid_argument("claims.expires_at_us", "says when a reservation ends: each does"));
        }
        (Occupied::Reserved, at_us) => at_us,
    };
    let mut choosable = claim.choosable.iter().map(|it| parse::choosable(*it)).collect::<Result<Vec<_>, _>>()?;
    if choosable.is_empty() {
        choosable.push(ShownState::Available);
    }
    Ok(Wanted {
        claim_id: parse::foreign_id("claims.claim_id", &claim.claim_id)?,
        agent: AgentId::parse("claims.agent_id", &claim.agent_id)?,
        occupied,
        expires_at_us,
        choosable,
        waits_if_busy: claim.waits_if_busy,
        medium: ClaimMedium::of(claim.inbox.as_ref().map(InboxItem::medium).unwrap_or_default()),
        inbox: claim.inbox.unwrap_or_default(),
    })
}

fn released(claim: &ReleasedClaim) -> Result<Released, ApiError> {
    if !(0..=MAX_WRAP_UP_MS).contains(&claim.wrap_up_ms) {
        let why = format!("must be 0 to {MAX_WRAP_UP_MS}");
        return Err(ApiError::invalid_argument("released.wrap_up_ms", why));
    }
    Ok(Released {
        claim_id: parse::foreign_id("released.claim_id", &claim.claim_id)?,
        agent: AgentId::parse("released.agent_id", &claim.agent_id)?,
        reason: claim.reason(),
        wrap_up_us: claim.wrap_up_ms * 1_000,
        closing: claim.closing(),
    })
}

pub(crate) fn status(claim_id: String, decision: &ClaimDecision) -> ClaimStatus {
    let (state, reason) = match decision {
        ClaimDecision::Granted => (claim_status::State::Granted, Reason::Unspecified),
        ClaimDecision::Queued => (claim_status::State::Queued, Reason::Unspecified),
        ClaimDecision::Refused(reason) => (claim_status::State::Refused, *reason),
        ClaimDecision::Expired => (claim_status::State::Expired, Reason::Expired),
    };
    ClaimStatus { claim_id, state: state as i32, reason: reason as i32 }
}
