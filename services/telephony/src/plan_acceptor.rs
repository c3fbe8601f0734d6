//! Accepts plans: fences old versions off, stores new ones, and starts the task of an interaction that has none.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::common::v1::ProjectionVersion;
use baton_api::error::ErrorReason;
use baton_api::telephony::v1::MediaPlan;
use baton_runtime::telemetry;
use baton_store::Db;
use baton_words::SwitchId;
use prost::Message as _;

use crate::doubt::{self, MachineStart};
use crate::interaction::{InteractionContext, InteractionDriver};
use crate::name_registry::InteractionHandle;
use crate::plan::{self, InteractionId, Plan};
use crate::store::{self, PersistError, PlanRow, RestoredOperations, StoreWrite};

pub struct PlanAcceptor {
    db: Db,
    switch: SwitchId,
    context: Arc<InteractionContext>,
}

/// Why a plan was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Malformed(ApiError),
    /// A newer version was accepted before.
    #[error("the plan has version {given}, and version {seen} was taken over already")]
    Stale {
        given: u64,
        /// The newest version.
        seen: u64,
    },
    #[error("the plan is for the switch {given}, and this service drives {own}")]
    OtherSwitch { given: SwitchId, own: SwitchId },
    #[error("the plan could not be kept")]
    Persist(#[from] PersistError),
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Malformed(error) => error,
            ApplyError::OtherSwitch { .. } => {
                let why =
                    format!("{error}; see telephony.switch_id and transfer.outgoing_switch_id in the configuration");
                Self::invalid_argument("plan.switch_id", why)
            }
            ApplyError::Stale { seen, .. } => {
                let message = format!("{error}; push the newest version.");
                Self::aborted(ErrorReason::Stale, message).with("version", seen)
            }
            ApplyError::Persist(_) => Self::unavailable("Telephony can't keep the plan now; push it again."),
        }
    }
}

enum FoundInteraction {
    Running(InteractionHandle),
    /// The interaction is finished; it ended at this version.
    Tombstone(u64),
    /// The interaction is new (version 0), or its stored plan could not be read at the start.
    NotRunning(u64, RestoredOperations),
}

impl PlanAcceptor {
    pub fn new(db: Db, switch: SwitchId, context: Arc<InteractionContext>) -> Self {
        Self { db, switch, context }
    }

    /// Starts the tasks of all unfinished interactions. One whose plan can't be read goes on with its next plan.
    pub async fn restore(&self) -> Result<(), PersistError> {
        let machine = MachineStart::look(&self.db).await?;
        let mut doubtful = Vec::new();
        for row in store::unfinished(&self.db).await? {
            let Some(mut plan) = read_plan(&row) else {
                let error = store::bad("plans", "plan", &row.interaction);
                tracing::error!(%error, "an interaction does not go on before its next plan comes");
                continue;
            };
            let restored = store::operations(&self.db, &row.interaction).await?;
            plan.is_doubtful = machine.is_another;
            // Generation 0 is no session: the interaction waits for a snapshot.
            let (handle, inbox) = InteractionHandle::new(Some(Arc::new(plan)));
            if self.context.names.open(&row.interaction, &handle).is_ok() {
                doubtful.extend(machine.is_another.then(|| handle.clone()));
                self.start(InteractionDriver::new(row.interaction, Arc::clone(&self.context), inbox, 0, restored));
            }
        }
        if machine.is_another {
            let report = self.context.report.clone();
            self.context.report.lifecycle.spawn("telephony doubtful plans", machine.trust_later(doubtful, report));
        }
        Ok(())
    }

    /// The interaction begins to carry the plan out when it is written, and the answer comes when it is on disk. What a power cut undoes in
    /// between is [made up for](crate::doubt).
    pub async fn apply(&self, wire: &MediaPlan) -> Result<(), ApplyError> {
        let mut plan = plan::parse(wire).map_err(ApplyError::Malformed)?;
        if plan.switch != self.switch {
            return Err(ApplyError::OtherSwitch { given: plan.switch, own: self.switch.clone() });
        }
        plan.trace = telemetry::current_trace();
        let handle = match self.find(&plan.interaction).await? {
            FoundInteraction::Running(handle) => handle,
            FoundInteraction::Tombstone(version) if plan.version == version => {
                return self.db.settled().await.map_err(|error| PersistError::from(error).into());
            }
            FoundInteraction::Tombstone(seen) | FoundInteraction::NotRunning(seen, _) if plan.version < seen => {
                return Err(ApplyError::Stale { given: plan.version, seen });
            }
            FoundInteraction::Tombstone(_) => self.open(&plan.interaction, RestoredOperations::default()),
            FoundInteraction::NotRunning(_, restored) => self.open(&plan.interaction, restored),
        };
        self.accept(&handle, plan, wire).await
    }

    /// The interactions whose plan is not on disk here at this version or a newer one.
    pub async fn lacking(&self, asked: &[ProjectionVersion]) -> Result<Vec<String>, PersistError> {
        let mut lacking = Vec::new();
        for it in asked {
            let known = match InteractionId::parse(&it.interaction_id) {
                Some(id) => self.durable_version(&id).await?,
                None => 0,
            };
            if known < it.version {
                lacking.push(it.interaction_id.clone());
            }
        }
        Ok(lacking)
    }

    /// 0: there is none.
    async fn durable_version(&self, id: &InteractionId) -> Result<u64, PersistError> {
        if let Some(handle) = self.context.names.handle(id) {
            let accepted = *handle.accepted.lock().await;
            return Ok(if accepted.durable { accepted.version } else { 0 });
        }
        // One that is stored and not running could not be read at the start: it goes on with its next plan.
        let row = store::plan_of(&self.db, id).await?.filter(|row| row.finished);
        Ok(row.map_or(0, |row| row.version))
    }

    async fn accept(&self, handle: &InteractionHandle, plan: Plan, wire: &MediaPlan) -> Result<(), ApplyError> {
        let (version, mut queued) = {
            let mut accepted = handle.accepted.lock().await;
            let version = plan.version;
            if version < accepted.version {
                return Err(ApplyError::Stale { given: version, seen: accepted.version });
            }
            if version == accepted.version && accepted.durable {
                // The version is not new; the interaction checks again whether the switch matches it.
                if !doubt::trust(handle) {
                    handle.plans.send_modify(|_| {});
                }
                return Ok(());
            }
            accepted.version = version;
            accepted.durable = false;
            (version, self.context.report.journal.queue(self.write(&plan, wire)).await)
        };
        queued.written().await?;
        {
            let accepted = handle.accepted.lock().await;
            if accepted.version == version {
                handle.plans.send_replace(Some(Arc::new(plan)));
            }
        }
        queued.committed().await?;
        let mut accepted = handle.accepted.lock().await;
        if accepted.version == version {
            accepted.durable = true;
        }
        Ok(())
    }

    fn write(&self, plan: &Plan, wire: &MediaPlan) -> StoreWrite {
        StoreWrite::Plan(PlanRow {
            interaction: plan.interaction.clone(),
            tenant: plan.tenant.clone(),
            version: plan.version,
            plan: wire.encode_to_vec(),
            ended_at_us: plan.ended.then(|| self.context.report.clock.now_us()),
            finished: false,
        })
    }

    async fn find(&self, id: &InteractionId) -> Result<FoundInteraction, PersistError> {
        if let Some(handle) = self.context.names.handle(id) {
            return Ok(FoundInteraction::Running(handle));
        }
        Ok(match store::plan_of(&self.db, id).await? {
            Some(row) if row.finished => FoundInteraction::Tombstone(row.version),
            Some(row) => FoundInteraction::NotRunning(row.version, store::operations(&self.db, id).await?),
            None => FoundInteraction::NotRunning(0, store::operations(&self.db, id).await?),
        })
    }

    fn open(&self, id: &InteractionId, restored: RestoredOperations) -> InteractionHandle {
        let (handle, inbox) = InteractionHandle::new(None);
        match self.context.names.open(id, &handle) {
            Ok(generation) => {
                // Operations that were requested before may be on the switch: then a snapshot is needed first.
                let is_new = restored.operations.is_empty();
                let generation = if is_new { generation } else { 0 };
                self.start(InteractionDriver::new(id.clone(), Arc::clone(&self.context), inbox, generation, restored));
                if !is_new {
                    self.context.link_requests.resync();
                }
                handle
            }
            Err(existing) => existing,
        }
    }

    fn start(&self, interaction: InteractionDriver) {
        self.context.report.lifecycle.spawn("interaction", interaction.run());
    }
}

fn read_plan(row: &PlanRow) -> Option<Plan> {
    plan::parse(&MediaPlan::decode(row.plan.as_slice()).ok()?).ok()
}
