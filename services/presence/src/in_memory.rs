//! The claims of one tenant without a database: the same decisions ([`decide`] and [`AgentStatus`]), kept in memory. The random walk
//! (`tests/walk`) plays them against the other cores in simulated time.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::ApiError;
use baton_api::common::v1::{AgentRef, Medium, Reason};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::{ListCandidatesResponse, SyncClaimsRequest, SyncClaimsResponse};
use baton_api::transfer::v1::{ClaimFact, Fact, claim_fact, fact};
use prost::Message as _;
use uuid::Uuid;

use crate::decide::{ClaimWrite, ClaimsDecision, KnownState, QueueWrite, RowWrite, decide};
use crate::grpc::claims;
use crate::ids::AgentId;
use crate::record::{ClaimMedium, QueuedClaim, next_of};
use crate::status::{AgentStatus, Occupied, RequestedState, ShownState, StatusChange};
use crate::store::claims::{ClaimRow, ClaimState};

/// The agents of one tenant, and the claims on them.
#[derive(Default)]
pub struct ClaimsInMemory {
    agents: BTreeMap<AgentId, Agent>,
    teams: BTreeMap<Uuid, BTreeSet<AgentId>>,
    /// By interaction, and by claim.
    claims: BTreeMap<String, BTreeMap<String, ClaimRow>>,
    /// The newest version of each interaction.
    versions: BTreeMap<String, i64>,
    /// What the transfer service has not acknowledged, by interaction and claim.
    unreported: BTreeMap<(String, String), Fact>,
}

struct Agent {
    profile: AgentRef,
    status: AgentStatus,
    /// Those that wait until they are free, in order.
    queued: Vec<QueuedClaim>,
}

impl ClaimsInMemory {
    /// Adds an agent who is offline. Their id must be a UUID.
    pub fn add_agent(&mut self, profile: AgentRef, now_us: i64) -> Result<(), ApiError> {
        let id = AgentId::parse("agent_id", &profile.agent_id)?;
        self.agents.insert(id, Agent { profile, status: AgentStatus::new(now_us), queued: Vec::new() });
        Ok(())
    }

    pub fn add_team(&mut self, team: Uuid, members: impl IntoIterator<Item = Uuid>) {
        self.teams.insert(team, members.into_iter().map(AgentId).collect());
    }

    /// A client of the agent connects, or the last one goes.
    pub fn connect(&mut self, agent: Uuid, online: bool, now_us: i64) {
        let change = if online { StatusChange::Connected(None) } else { StatusChange::Disconnected };
        self.settle(AgentId(agent), [change], now_us);
    }

    /// The agent says whether they are available.
    pub fn request(&mut self, agent: Uuid, available: bool, now_us: i64) {
        let state = if available { RequestedState::Available } else { RequestedState::Away("lunch".to_owned()) };
        self.settle(AgentId(agent), [StatusChange::StateRequested(state)], now_us);
    }

    /// Whether a claim may reserve them now.
    pub fn is_available(&self, agent: Uuid) -> bool {
        self.agents.get(&AgentId(agent)).is_some_and(|it| it.status.is_available())
    }

    pub fn is_not_responding(&self, agent: Uuid) -> bool {
        self.agents.get(&AgentId(agent)).is_some_and(|it| it.status.state() == ShownState::NotResponding)
    }

    /// As [`ClaimService.SyncClaims`](baton_api::presence::v1::claim_service_server::ClaimService::sync_claims) does.
    pub fn sync(&mut self, request: SyncClaimsRequest, now_us: i64) -> Result<SyncClaimsResponse, ApiError> {
        let projection = claims::projection(request)?;
        let id = &projection.interaction_id;
        let seen = self.versions.get(id).copied();
        if seen.is_some_and(|seen| seen > projection.version) {
            return Err(ApiError::aborted(ErrorReason::Stale, "A newer version was applied already."));
        }
        self.versions.insert(id.clone(), projection.version);
        let claims = self.claims.get(id).cloned().unwrap_or_default();
        let queued = self.agents.values().flat_map(|agent| &agent.queued).filter(|it| it.interaction_id == *id);
        let queued: BTreeMap<_, _> = queued.map(|it| (it.claim_id.clone(), it.clone())).collect();
        let named = KnownState::agents_of(&projection, &claims, &queued);
        let known = self.agents.iter();
        let agents = known.clone().filter(|(id, _)| named.contains(id)).map(|(id, it)| (*id, it.status.clone()));
        let phones = known.map(|(id, it)| (*id, it.profile.phone.clone()));
        let (agents, phones) = (agents.collect(), phones.collect());
        let known = KnownState { claims, queued, agents, phones, is_first: seen.is_none(), now_us };
        let ClaimsDecision { answers, writes, queue, wrapped_up } = decide(&projection, known)?;
        for write in queue {
            self.apply_queue(write);
        }
        for write in writes {
            self.apply(id, write, now_us);
        }
        for (agent, _) in wrapped_up {
            self.settle(agent, [StatusChange::Dispositioned(id.clone())], now_us);
        }
        self.promote(now_us);
        let claims = projection.wanted.iter().zip(&answers);
        Ok(SyncClaimsResponse {
            claims: claims.map(|(it, answer)| claims::status(it.claim_id.clone(), answer)).collect(),
        })
    }

    /// As [`ClaimService.ListCandidates`](baton_api::presence::v1::claim_service_server::ClaimService::list_candidates) does.
    pub fn candidates(&self, team: Uuid, medium: Medium, skip: &[String]) -> ListCandidatesResponse {
        let medium = ClaimMedium::of(medium);
        let members = self.teams.get(&team).into_iter().flatten().filter_map(|id| self.agents.get_key_value(id));
        let left: Vec<_> = members.filter(|(_, it)| !skip.contains(&it.profile.agent_id)).collect();
        let anybody_left = !left.is_empty();
        let signed_in = left.iter().filter(|(_, it)| it.status.online).count().try_into().unwrap_or(i32::MAX);
        let mut free: Vec<_> = left.into_iter().filter(|(_, it)| it.status.is_available_for(medium)).collect();
        let chats = |it: &Agent| if medium == ClaimMedium::Chat { it.status.chats } else { 0 };
        free.sort_by_key(|(id, it)| (chats(it), it.status.idle_since_us, **id));
        ListCandidatesResponse {
            free: free.len().try_into().unwrap_or(i32::MAX),
            agents: free.into_iter().map(|(_, it)| it.profile.clone()).collect(),
            anybody_left,
            signed_in,
        }
    }

    /// When something runs out by itself; none: nothing does.
    pub fn deadline_us(&self) -> Option<i64> {
        let reserved = self.claims.values().flat_map(BTreeMap::values);
        let reserved = reserved.filter(|it| it.state == ClaimState::Reserved).map(|it| it.expires_at_us);
        let agents = self.agents.values();
        let queued = agents.clone().flat_map(|it| &it.queued).map(|it| it.expires_at_us);
        let wrap_ups = agents.filter_map(|it| it.status.wrap_up.as_ref()).map(|it| it.until_us);
        reserved.chain(queued).chain(wrap_ups).min()
    }

    /// Ends what has run out.
    pub fn expire(&mut self, now_us: i64) {
        let reserved = self.claims.values().flat_map(BTreeMap::values);
        let run_out = reserved.filter(|it| it.state == ClaimState::Reserved && it.expires_at_us <= now_us);
        let run_out: Vec<_> = run_out.cloned().collect();
        for claim in run_out {
            self.report(&claim, claim_fact::State::Expired, now_us);
            if claim.medium == ClaimMedium::Voice {
                self.settle_sharing(&claim, &StatusChange::PhoneFreed, now_us);
            }
            self.settle(claim.agent_id, [StatusChange::freed(claim.medium)], now_us);
            self.put(ClaimRow { state: ClaimState::Expired, reason: Reason::Expired, ..claim });
        }
        let queued = self.agents.values().flat_map(|it| &it.queued).filter(|it| it.expires_at_us <= now_us);
        let queued: Vec<_> = queued.cloned().collect();
        for queued in queued {
            let expired = row_of(&queued, String::new(), ClaimState::Expired, Reason::Expired);
            self.report(&expired, claim_fact::State::Expired, now_us);
            self.put(expired);
            self.apply_queue(QueueWrite::Remove(queued));
        }
        let over = |it: &Agent| it.status.wrap_up.as_ref().is_some_and(|it| it.until_us <= now_us);
        let wrapped_up: Vec<_> = self.agents.iter().filter(|(_, it)| over(it)).map(|(id, _)| *id).collect();
        for agent in wrapped_up {
            self.settle(agent, [StatusChange::WrapUpEnded], now_us);
        }
        self.promote(now_us);
    }

    /// The facts that the transfer service has not acknowledged, with the interaction and the claim of each.
    pub fn unreported(&self) -> impl Iterator<Item = (&str, &str, &Fact)> {
        self.unreported.iter().map(|((interaction, claim), fact)| (interaction.as_str(), claim.as_str(), fact))
    }

    pub fn acknowledge(&mut self, interaction_id: &str, claim_id: &str) {
        self.unreported.remove(&(interaction_id.to_owned(), claim_id.to_owned()));
    }

    /// Forgets an interaction that ended long ago, as pruning does.
    pub fn forget(&mut self, interaction_id: &str) {
        self.claims.remove(interaction_id);
        self.versions.remove(interaction_id);
    }

    /// What is wrong with the claims as they are: an agent has two (A1), is shown otherwise than they are (A3), or a claim that is over
    /// still occupies somebody (A2).
    pub fn wrong(&self) -> Option<String> {
        self.agents.iter().find_map(|(id, agent)| {
            let active = self.claims.values().flat_map(BTreeMap::values);
            let active = active.filter(|it| it.agent_id == *id && it.state.is_active()).count();
            let expected = usize::from(agent.status.occupied.is_some()) + agent.status.chats.unsigned_abs() as usize;
            let too_many = agent.status.chats > agent.status.capacity.chat;
            (active != expected || too_many)
                .then(|| format!("agent {id} has {active} claims, and {expected} occupy them"))
        })
    }

    /// The claims that occupy an agent or wait for one.
    pub fn open(&self) -> usize {
        let active = self.claims.values().flat_map(BTreeMap::values).filter(|it| it.state.is_active());
        active.count() + self.agents.values().map(|it| it.queued.len()).sum::<usize>()
    }

    fn apply_queue(&mut self, write: QueueWrite) {
        let (QueueWrite::Put(claim) | QueueWrite::Remove(claim)) = &write;
        let Some(agent) = self.agents.get_mut(&claim.agent) else { return };
        agent.queued.retain(|it| it.claim_id != claim.claim_id);
        if let QueueWrite::Put(claim) = write {
            agent.queued.push(claim);
            agent.queued.sort_by(|one, other| (one.since_us, &one.claim_id).cmp(&(other.since_us, &other.claim_id)));
        }
    }

    fn apply(&mut self, interaction_id: &str, write: ClaimWrite, now_us: i64) {
        if let Some(change) = write.row.phone_change() {
            self.settle_sharing(write.row.claim(), &change, now_us);
        }
        let row = match write.row {
            RowWrite::Insert(claim) | RowWrite::Update(claim) => claim,
            RowWrite::Revive(claim) => ClaimRow { state: ClaimState::Engaged, reason: Reason::Unspecified, ..claim },
            RowWrite::Release(claim, reason) => ClaimRow { state: ClaimState::Released, reason, ..claim },
        };
        if row.state == ClaimState::Expired {
            self.report(&row, claim_fact::State::Expired, now_us);
        }
        debug_assert_eq!(row.interaction_id, interaction_id, "a claim of another interaction");
        self.put(row);
        if let Some((_, changes)) = write.effect {
            self.settle(write.agent, changes, now_us);
        }
    }

    /// Whoever is free, and may be chosen, is given to the first of those who wait for them (B504).
    fn promote(&mut self, now_us: i64) {
        let next = |(id, it): (&AgentId, &Agent)| {
            let queued = next_of(&it.status, &it.queued, now_us)?;
            Some(row_of(queued, it.profile.phone.clone(), ClaimState::Reserved, Reason::Unspecified))
                .map(|row| (*id, row))
        };
        while let Some((id, row)) = self.agents.iter().find_map(next) {
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.queued.retain(|it| it.claim_id != row.claim_id);
            }
            self.report(&row, claim_fact::State::Granted, now_us);
            let medium = row.medium;
            if medium == ClaimMedium::Voice {
                self.settle_sharing(&row, &StatusChange::PhoneTaken, now_us);
            }
            self.put(row);
            self.settle(id, [StatusChange::taken(medium, Occupied::Reserved)], now_us);
        }
    }

    fn settle(&mut self, agent: AgentId, changes: impl IntoIterator<Item = StatusChange>, now_us: i64) {
        let Some(agent) = self.agents.get_mut(&agent) else { return };
        for change in changes {
            agent.status = agent.status.after(change, now_us);
        }
    }

    fn settle_sharing(&mut self, claim: &ClaimRow, change: &StatusChange, now_us: i64) {
        let sharing = self.agents.iter().filter(|(id, it)| **id != claim.agent_id && it.profile.phone == claim.phone);
        let sharing: Vec<_> = sharing.map(|(id, _)| *id).collect();
        for agent in sharing {
            self.settle(agent, [change.clone()], now_us);
        }
    }

    fn put(&mut self, row: ClaimRow) {
        self.claims.entry(row.interaction_id.clone()).or_default().insert(row.claim_id.clone(), row);
    }

    fn report(&mut self, claim: &ClaimRow, state: claim_fact::State, observed_at_us: i64) {
        let reason = if state == claim_fact::State::Expired { Reason::Expired } else { Reason::Unspecified };
        let content = ClaimFact { claim_id: claim.claim_id.clone(), state: state.into(), reason: reason.into() };
        let fact = Fact { observed_at_us, fact: Some(fact::Fact::Claim(content)) };
        self.unreported.insert((claim.interaction_id.clone(), claim.claim_id.clone()), fact);
    }
}

fn row_of(queued: &QueuedClaim, phone: String, state: ClaimState, reason: Reason) -> ClaimRow {
    ClaimRow {
        claim_id: queued.claim_id.clone(),
        interaction_id: queued.interaction_id.clone(),
        agent_id: queued.agent,
        medium: queued.medium(),
        phone,
        state,
        reason,
        expires_at_us: queued.expires_at_us,
        inbox: queued.inbox.encode_to_vec(),
        since_us: queued.since_us,
    }
}
