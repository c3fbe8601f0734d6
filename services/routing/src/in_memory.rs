//! The waits of one tenant without a database: the same decisions, kept in memory. The random walk (`tests/walk`) plays them against the other
//! cores in simulated time.

use std::collections::{BTreeMap, HashMap};

use baton_api::ApiError;
use baton_api::common::v1::Medium;
use baton_api::presence::v1::ListCandidatesResponse;
use baton_api::routing::v1::{SyncWaitRequest, SyncWaitResponse};
use baton_api::transfer::v1::{Fact, ProposalFact, fact};
use uuid::Uuid;

use crate::grpc::route;
use crate::hold_off::HoldOff;
use crate::match_pass::decide;
use crate::pool_rules::{Candidates as Found, PoolRules};
use crate::store::waits::{StoredWait, WaitPool, WaitRow, WaitState};
use crate::sync_wait::{is_same_round, next_row, stale};

/// Whom presence names of a team for one more of this medium, without those. Teams alone are waited for: queues are configured in the database.
type Candidates<'a> = &'a dyn Fn(Uuid, Medium, &[String]) -> ListCandidatesResponse;

/// What the interactions of one tenant wait for.
#[derive(Default)]
pub struct WaitsInMemory {
    rows: BTreeMap<String, WaitRow>,
    hold_off: HoldOff,
    /// What the transfer service has not acknowledged, by interaction.
    unreported: BTreeMap<String, ProposalFact>,
}

impl WaitsInMemory {
    /// As [`RouteService.SyncWait`](baton_api::routing::v1::route_service_server::RouteService::sync_wait) does.
    pub fn sync(
        &mut self,
        request: SyncWaitRequest,
        now_us: i64,
        candidates: Candidates<'_>,
    ) -> Result<SyncWaitResponse, ApiError> {
        let projection = route::projection(request)?;
        let id = &projection.interaction_id;
        let known = self.rows.get(id);
        if !known.is_some_and(|it| it.version == projection.version && it.wait == projection.wait) {
            let next = next_row(known, &projection, now_us).ok_or_else(stale)?;
            let before = known.and_then(|it| it.wait.as_ref());
            match &next.wait {
                None => self.hold_off.wait_is_over(id, now_us),
                Some(_) if is_same_round(before, next.wait.as_ref()) => {}
                Some(wait) => drop(self.hold_off.asks_anew(id, &wait.skip, now_us)),
            }
            self.rows.insert(id.clone(), next);
            if let Some(wait) = &projection.wait {
                self.pass(&[(wait.pool, wait.medium)], Some(id), now_us, candidates);
                self.ask_individually(Some(id), now_us, candidates);
            }
        }
        let row = self.rows.get(id);
        let (state, proposal) =
            row.map_or((WaitState::None, ProposalFact::default()), |it| (it.state, it.proposal.clone()));
        Ok(SyncWaitResponse {
            exhausted: state == WaitState::Exhausted,
            reason: proposal.reason,
            proposed: proposal.agents,
            position: if state == WaitState::Waiting { self.position(id) } else { 0 },
        })
    }

    /// Proposes whoever is free to the interactions that have waited longest; then asks for each that is left whether anybody is.
    pub fn propose(&mut self, now_us: i64, candidates: Candidates<'_>) {
        let pools = self.waiting().filter_map(|row| row.wait.as_ref()).map(|wait| (wait.pool, wait.medium));
        let mut pools: Vec<_> = pools.collect();
        pools.sort_unstable();
        pools.dedup();
        self.pass(&pools, None, now_us, candidates);
        self.ask_individually(None, now_us, candidates);
    }

    /// The proposals that the transfer service has not acknowledged, with the interaction of each.
    pub fn unreported(&self) -> impl Iterator<Item = (&str, Fact)> {
        self.unreported.iter().map(|(interaction, proposal)| {
            let fact = Some(fact::Fact::Proposal(proposal.clone()));
            (interaction.as_str(), Fact { observed_at_us: 0, fact })
        })
    }

    /// Acknowledges a proposal, unless there is another one by now.
    pub fn acknowledge(&mut self, interaction_id: &str, wait_id: &str) {
        if self.unreported.get(interaction_id).is_some_and(|it| it.wait_id == wait_id) {
            self.unreported.remove(interaction_id);
        }
    }

    /// Forgets an interaction that ended long ago, as pruning does.
    pub fn forget(&mut self, interaction_id: &str) {
        self.rows.remove(interaction_id);
        self.unreported.remove(interaction_id);
    }

    /// The interactions that wait.
    pub fn open(&self) -> usize {
        self.waiting().count()
    }

    fn waiting(&self) -> impl Iterator<Item = &WaitRow> {
        self.rows.values().filter(|row| row.state == WaitState::Waiting)
    }

    /// From 1.
    fn position(&self, interaction_id: &str) -> i32 {
        let Some(own) = self.rows.get(interaction_id) else { return 0 };
        let pool = own.wait.as_ref().map(|wait| wait.pool);
        let before = self.waiting().filter(|row| row.wait.as_ref().map(|wait| wait.pool) == pool);
        before.filter(|row| row.position() <= own.position()).count() as i32
    }

    fn pass(&mut self, pools: &[(WaitPool, Medium)], asking: Option<&str>, now_us: i64, candidates: Candidates<'_>) {
        let held_off = self.hold_off.agents(now_us);
        let named = pools.iter().map(|(pool, medium)| {
            let mut named = candidates(pool.id(), *medium, &held_off);
            if !named.anybody_left && !held_off.is_empty() {
                named.anybody_left = candidates(pool.id(), *medium, &[]).anybody_left;
            }
            ((*pool, *medium), named)
        });
        let named: HashMap<_, _> = named.collect();
        self.decide_each(asking, now_us, |wait| named.get(&(wait.pool, wait.medium)).cloned());
    }

    fn ask_individually(&mut self, asking: Option<&str>, now_us: i64, candidates: Candidates<'_>) {
        let is_asked = |wait: &StoredWait| !wait.skip.is_empty();
        let named = |wait: &StoredWait| candidates(wait.pool.id(), wait.medium, &wait.skip);
        self.decide_each(asking, now_us, |wait| is_asked(wait).then(|| named(wait)));
    }

    /// In the order of their positions.
    fn decide_each(
        &mut self,
        asking: Option<&str>,
        now_us: i64,
        named: impl Fn(&StoredWait) -> Option<ListCandidatesResponse>,
    ) {
        let mut rows: Vec<_> = self.waiting().cloned().collect();
        rows.sort_by_key(WaitRow::position);
        for row in rows {
            let Some(wait) = &row.wait else { continue };
            let Some(named) = named(wait) else { continue };
            let (rules, all_signed_in) = (PoolRules::of_team(wait.pool.id()).of(wait.medium), named.signed_in);
            let named = Found { found: named, all_signed_in };
            let answer = decide(wait, &rules, &named, |agent_id| !self.hold_off.covers(agent_id, now_us));
            let Some((state, proposal)) = answer else { continue };
            for agent in &proposal.agents {
                self.hold_off.start(&agent.agent_id, &row.interaction_id, now_us);
            }
            if asking != Some(&row.interaction_id) {
                self.unreported.insert(row.interaction_id.clone(), proposal.clone());
            }
            self.rows.insert(row.interaction_id.clone(), WaitRow { state, proposal, ..row });
        }
    }
}
