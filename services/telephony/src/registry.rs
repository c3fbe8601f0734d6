//! Takes plans over: fences old ones off, keeps new ones, and starts the task of an interaction that has none.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::telephony::v1::MediaPlan;
use baton_runtime::telemetry;
use baton_store::Db;
use prost::Message as _;

use crate::book::Slot;
use crate::interaction::{Interaction, Ways};
use crate::plan::{self, InteractionId, Plan};
use crate::store::{self, KeepError, PlanRow, Restored, Write};

/// The way in for plans.
pub struct Registry {
    db: Db,
    ways: Arc<Ways>,
}

/// Why a plan was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is malformed.
    #[error(transparent)]
    Malformed(ApiError),
    /// A newer one was seen.
    #[error("the plan has version {given}, and version {seen} was taken over already")]
    Stale {
        /// The plan's version.
        given: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// It could not be kept.
    #[error("the plan could not be kept")]
    Keep(#[from] KeepError),
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Malformed(error) => error,
            ApplyError::Stale { seen, .. } => {
                let message = format!("{error}; push the newest version.");
                Self::aborted(ErrorReason::Stale, message).with("version", seen)
            }
            ApplyError::Keep(_) => Self::unavailable("Telephony can't keep the plan now; push it again."),
        }
    }
}

enum Found {
    /// The interaction has a task.
    Task(Slot),
    /// It ended at this version, and nothing of it is left.
    Tombstone(u64),
    /// It has no task: it is met for the first time (version 0), or what was kept of it could not be read at the start.
    None(u64, Restored),
}

impl Registry {
    /// Without any interaction.
    pub fn new(db: Db, ways: Arc<Ways>) -> Self {
        Self { db, ways }
    }

    /// Starts the tasks of all interactions of which something may be left. One that can't be read goes on with its next plan.
    pub async fn restore(&self) -> Result<(), KeepError> {
        for row in store::unfinished(&self.db).await? {
            let Some(plan) = read_plan(&row) else {
                let error = store::bad("plans", "plan", &row.interaction);
                tracing::error!(%error, "an interaction does not go on before its next plan comes");
                continue;
            };
            let restored = store::things(&self.db, &row.interaction).await?;
            // What is on the switch is not known: generation 0 is no session.
            let (slot, inlets) = Slot::new(Some(Arc::new(plan)));
            if self.ways.book.open(&row.interaction, &slot).is_ok() {
                self.start(Interaction::new(row.interaction, Arc::clone(&self.ways), inlets, 0, restored));
            }
        }
        Ok(())
    }

    /// Takes a plan over. Making it true begins before it is on disk: whatever of it must not happen twice is written down
    /// after it, by the same writer.
    pub async fn apply(&self, wire: &MediaPlan) -> Result<(), ApplyError> {
        let mut plan = plan::parse(wire).map_err(ApplyError::Malformed)?;
        plan.trace = telemetry::current_trace();
        let slot = match self.find(&plan.interaction).await? {
            Found::Task(slot) => slot,
            Found::Tombstone(version) if plan.version == version => return Ok(()),
            Found::Tombstone(seen) | Found::None(seen, _) if plan.version < seen => {
                return Err(ApplyError::Stale { given: plan.version, seen });
            }
            Found::Tombstone(_) => self.open(&plan.interaction, Restored::default()),
            Found::None(_, restored) => self.open(&plan.interaction, restored),
        };
        self.take_over(&slot, plan, wire).await
    }

    async fn take_over(&self, slot: &Slot, plan: Plan, wire: &MediaPlan) -> Result<(), ApplyError> {
        let (version, queued) = {
            let mut accepted = slot.accepted.lock().await;
            let version = plan.version;
            if version < accepted.version {
                return Err(ApplyError::Stale { given: version, seen: accepted.version });
            }
            if version == accepted.version && accepted.durable {
                // Nothing is new; the interaction looks whether something is to be healed.
                slot.plans.send_modify(|_| {});
                return Ok(());
            }
            accepted.version = version;
            accepted.durable = false;
            let queued = self.ways.report.journal.queue(self.write(&plan, wire)).await;
            slot.plans.send_replace(Some(Arc::new(plan)));
            (version, queued)
        };
        queued.committed().await?;
        let mut accepted = slot.accepted.lock().await;
        accepted.durable |= accepted.version == version;
        Ok(())
    }

    fn write(&self, plan: &Plan, wire: &MediaPlan) -> Write {
        Write::Plan(PlanRow {
            interaction: plan.interaction.clone(),
            tenant: plan.tenant.clone(),
            version: plan.version,
            plan: wire.encode_to_vec(),
            ended_at_us: plan.ended.then(|| self.ways.report.clock.now_us()),
            finished: false,
        })
    }

    async fn find(&self, id: &InteractionId) -> Result<Found, KeepError> {
        if let Some(slot) = self.ways.book.slot(id) {
            return Ok(Found::Task(slot));
        }
        Ok(match store::plan_of(&self.db, id).await? {
            Some(row) if row.finished => Found::Tombstone(row.version),
            Some(row) => Found::None(row.version, store::things(&self.db, id).await?),
            None => Found::None(0, store::things(&self.db, id).await?),
        })
    }

    fn open(&self, id: &InteractionId, restored: Restored) -> Slot {
        let (slot, inlets) = Slot::new(None);
        match self.ways.book.open(id, &slot) {
            Ok(generation) => {
                // What was asked for before may be on the switch: then it is looked at first.
                let is_new = restored.things.is_empty();
                let generation = if is_new { generation } else { 0 };
                self.start(Interaction::new(id.clone(), Arc::clone(&self.ways), inlets, generation, restored));
                if !is_new {
                    self.ways.orders.look();
                }
                slot
            }
            Err(there) => there,
        }
    }

    fn start(&self, interaction: Interaction) {
        self.ways.report.lifecycle.spawn("interaction", interaction.run());
    }
}

fn read_plan(row: &PlanRow) -> Option<Plan> {
    plan::parse(&MediaPlan::decode(row.plan.as_slice()).ok()?).ok()
}
