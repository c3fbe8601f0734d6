//! The legs to numbers outside that there are, counted in the transaction that has another one dialled: caps are never exceeded by one (X3).

use baton_api::{ApiError, ErrorKind, error::ErrorReason};
use baton_domain::{Interaction, Policy, project::outside_legs};
use baton_store::{StoreError, Tx, on};
use baton_words::{AgentId, LegNo};

/// A cap that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CapReached {
    Tenant(u32),
    Agent(u32),
}

/// What is changed of an interaction's legs.
pub(crate) struct OutsideLegs {
    new: Vec<LegNo>,
    gone: Vec<LegNo>,
}

impl OutsideLegs {
    /// `before`: none for an interaction that begins.
    pub(crate) fn between(before: Option<&Interaction>, after: &Interaction) -> Self {
        let was = before.map(outside_legs).unwrap_or_default();
        let is = outside_legs(after);
        Self {
            new: is.iter().filter(|leg| !was.contains(leg)).copied().collect(),
            gone: was.iter().filter(|leg| !is.contains(leg)).copied().collect(),
        }
    }

    pub(crate) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// Notes what is new, which `by` has dialled, and what is gone. A cap that is reached: then nothing is to be committed.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        (after, policy): (&Interaction, &Policy),
        by: AgentId,
    ) -> Result<Option<CapReached>, StoreError> {
        for leg in &self.gone {
            tx.statement("DELETE FROM outside_legs WHERE interaction_id = $1 AND leg = $2")
                .bind(after.id.0)
                .bind(i64::from(leg.0))
                .run()
                .await?;
        }
        if !self.has_new() {
            return Ok(None);
        }
        if let Some(cap) = reached(tx, &after.tenant, policy, by).await? {
            return Ok(Some(cap));
        }
        for leg in &self.new {
            tx.statement("INSERT INTO outside_legs (interaction_id, leg, tenant, agent_id) VALUES ($1, $2, $3, $4)")
                .bind(after.id.0)
                .bind(i64::from(leg.0))
                .bind(&*after.tenant)
                .bind(by.0)
                .run()
                .await?;
        }
        Ok(None)
    }
}

/// The cap that one more leg would exceed.
async fn reached(tx: &mut Tx, tenant: &str, policy: &Policy, by: AgentId) -> Result<Option<CapReached>, StoreError> {
    let house = &policy.interaction;
    let caps = (house.outside_max, house.outside_max_per_agent);
    if caps == (0, 0) {
        return Ok(None);
    }
    // Of two that begin at once, the second counts the first.
    tx.lock([format!("transfer/outside/{tenant}")]).await?;
    let (all, own): (i64, i64) = on!(tx, conn => sqlx::query_as(
        "SELECT COUNT(*), COUNT(CASE WHEN agent_id = $2 THEN 1 END) FROM outside_legs WHERE tenant = $1")
        .bind(tenant).bind(by.0).fetch_one(conn).await)?;
    let is_reached = |cap: u32, count: i64| cap > 0 && count >= i64::from(cap);
    Ok(match caps {
        (cap, _) if is_reached(cap, all) => Some(CapReached::Tenant(cap)),
        (_, cap) if is_reached(cap, own) => Some(CapReached::Agent(cap)),
        _ => None,
    })
}

impl From<CapReached> for ApiError {
    fn from(cap: CapReached) -> Self {
        let (cap, whose) = match cap {
            CapReached::Tenant(cap) => (cap, "the tenant"),
            CapReached::Agent(cap) => (cap, "the agent"),
        };
        let message = format!(
            "There are {cap} calls to numbers outside, which is as many as the policy lets {whose} have at the same time; try again when one has \
             ended."
        );
        Self::new(ErrorKind::ResourceExhausted, ErrorReason::OutsideLimit, message)
    }
}
