//! Whom a team or a queue asks: as it is configured now.

use baton_api::common::v1::{Medium, Reason};
use baton_api::presence::v1::{ListCandidatesRequest, ListCandidatesResponse};
use baton_api::routing::v1::Queue;
use baton_api::routing::v1::queue::{Instead, Strategy};
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError};

use crate::hours::Hours;
use crate::store::queues;
use crate::store::served;
use crate::store::waits::WaitPool;
use crate::strategy::{self, Past};

/// Who can be asked, of those who are not left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates {
    pub(crate) found: ListCandidatesResponse,
    /// Of a queue: who serves it and is signed in, left out or not.
    pub(crate) all_signed_in: i32,
}

/// How the waits of one pool are answered.
#[derive(Debug, Clone)]
pub(crate) struct PoolRules {
    pub(crate) pool: WaitPool,
    /// What presence is asked, but for the tenant and who is left out.
    pub(crate) asked: ListCandidatesRequest,
    strategy: Strategy,
    past: Past,
    is_closed: bool,
    /// Whoever waits is told when nobody is signed in.
    tells_unattended: bool,
    /// Whoever waits is told when all have declined; in a queue that lets them wait, they are asked again anyway when their pause is over.
    tells_declined: bool,
}

impl PoolRules {
    pub(crate) async fn read(
        reader: &mut Reader,
        tenant: &TenantId,
        pool: WaitPool,
        now_us: i64,
    ) -> Result<Self, StoreError> {
        let id = match pool {
            WaitPool::Team(team) => return Ok(Self::of_team(team)),
            WaitPool::Queue(id) => id,
        };
        // One that is gone is closed.
        let Some(stored) = queues::look_up(reader, tenant, id).await? else {
            return Ok(Self { pool, is_closed: true, ..Self::of_team(id) });
        };
        let queue = stored.message;
        let (hours, strategy) = (Hours::of(&queue), queue.strategy());
        let past = match strategy {
            Strategy::FewestCallsToday => {
                let calls = served::calls_since(reader, tenant, hours.day_start_us(now_us)).await?;
                Past { calls, ..Past::default() }
            }
            Strategy::RoundRobin => Past { asked_us: served::last_asked(reader, tenant, id).await?, ..Past::default() },
            _ => Past::default(),
        };
        Ok(Self {
            pool,
            asked: asked(&queue),
            strategy,
            past,
            is_closed: !hours.is_open(now_us),
            tells_unattended: matches!(queue.when_unattended(), Instead::Overflow | Instead::GiveUp),
            tells_declined: matches!(queue.when_declined(), Instead::Overflow | Instead::GiveUp),
        })
    }

    /// The same for whoever waits in this medium.
    pub(crate) fn of(mut self, medium: Medium) -> Self {
        self.asked.set_medium(medium);
        self
    }

    /// For what an agent is wanted: a call where nothing else is said.
    pub(crate) fn medium(&self) -> Medium {
        if self.asked.medium() == Medium::Chat { Medium::Chat } else { Medium::Voice }
    }

    pub(crate) fn of_team(team: uuid::Uuid) -> Self {
        Self {
            pool: WaitPool::Team(team),
            asked: ListCandidatesRequest { team_id: team.to_string(), ..ListCandidatesRequest::default() },
            strategy: Strategy::LongestIdle,
            past: Past::default(),
            is_closed: false,
            tells_unattended: false,
            tells_declined: true,
        }
    }

    /// Whether agents have to be asked for at all.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Puts the candidates into the order in which they are asked.
    pub(crate) fn order(&self, found: &mut ListCandidatesResponse) {
        strategy::order(self.strategy, &mut found.agents, &self.past);
    }

    pub(crate) fn at_once(&self) -> usize {
        strategy::at_once(self.strategy)
    }

    /// Whether turns are kept of who was asked.
    pub(crate) fn keeps_turns(&self) -> bool {
        self.strategy == Strategy::RoundRobin
    }

    /// Why nobody can be proposed who is not among the candidates, if whoever waits is to know it. For a queue it counts who is signed in.
    pub(crate) fn nobody(&self, candidates: &Candidates) -> Option<Reason> {
        let nobody_left = match self.pool {
            WaitPool::Team(_) => !candidates.found.anybody_left,
            WaitPool::Queue(_) => candidates.found.signed_in == 0,
        };
        match self.pool {
            _ if self.is_closed => Some(Reason::QueueClosed),
            _ if !nobody_left => None,
            WaitPool::Queue(_) if candidates.all_signed_in == 0 => {
                self.tells_unattended.then_some(Reason::NobodySignedIn)
            }
            _ => self.tells_declined.then_some(Reason::NobodyAvailable),
        }
    }
}

/// What presence is asked for a queue.
pub(crate) fn asked(queue: &Queue) -> ListCandidatesRequest {
    ListCandidatesRequest {
        skills: queue.required_skills.clone(),
        team_ids: queue.team_ids.clone(),
        ..ListCandidatesRequest::default()
    }
}
