//! Doubt about plans that were restored after the machine has started anew.
//!
//! A plan is carried out as soon as it is written, while it is still on its way to the disk. If the process crashes, nothing is lost by that: the
//! system has the plan. If the *machine* stops, the newest plan may be lost, and the one before it is what a start finds. To carry that one out
//! would move the customer back until the newest comes again (S2). So after another start of the machine, a restored plan is doubtful: nothing is
//! done for it before the transfer service has pushed this version or a newer one. It does so soon if a plan was lost, as it had no answer to
//! that one, and with every plan after a start of its own. Where it pushes nothing for a while, there is nothing newer, or it is down; what is here is then
//! the best that is known, and is carried out after all.
//!
//! On `PostgreSQL` a plan is on the disk when it is written: there is no doubt.

use std::sync::Arc;
use std::time::Duration;

use baton_store::Db;
use uuid::Uuid;

use crate::name_registry::InteractionHandle;
use crate::plan::Plan;
use crate::report::ReportContext;
use crate::store::{self, Kept, PersistError, StoreWrite};

/// Several times the longest pause before the transfer service pushes again what had no answer.
const LONGEST_DOUBT: Duration = Duration::from_secs(30);
/// Where Linux says which start of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Which start of the machine this is.
#[derive(Debug)]
pub struct MachineStart {
    /// 0: the system does not say.
    number: i64,
    /// It is not the one in which the plans of the database were written, or that is not known.
    pub is_another: bool,
}

impl MachineStart {
    pub async fn look(db: &Db) -> Result<Self, PersistError> {
        let number = tokio::fs::read_to_string(BOOT_ID).await.ok().and_then(|text| number(&text)).unwrap_or(0);
        let is_another =
            db.shows_what_may_be_lost() && (number == 0 || store::kept(db, Kept::MachineStart).await? != number);
        Ok(Self { number, is_another })
    }

    /// Ends the doubt about these when it has lasted long enough. Only then the start is written down: a crash before begins the doubt anew.
    pub async fn trust_later(self, doubtful: Vec<InteractionHandle>, context: ReportContext) {
        if !doubtful.is_empty() {
            tracing::info!(
                interactions = doubtful.len(),
                "the machine has started anew; interactions go on when the transfer service has pushed their plans, or in half a minute"
            );
            let stopping = context.lifecycle.soft();
            if stopping.run_until_cancelled(context.clock.sleep(LONGEST_DOUBT)).await.is_none() {
                return;
            }
            let late = doubtful.iter().filter(|handle| trust(handle)).count();
            tracing::info!(interactions = late, "nothing newer was pushed; the plans that are known are carried out");
        }
        context.journal.post(StoreWrite::Keep(Kept::MachineStart, self.number)).await;
    }
}

/// Has the plan carried out if it was doubtful; returns whether it was.
pub fn trust(handle: &InteractionHandle) -> bool {
    handle.plans.send_if_modified(|plan| {
        let doubtful = plan.as_ref().filter(|it| it.is_doubtful);
        let Some(trusted) = doubtful.map(|it| Plan { is_doubtful: false, ..Plan::clone(it) }) else { return false };
        *plan = Some(Arc::new(trusted));
        true
    })
}

/// The text is a UUID and a line end. Half of it is enough to tell starts apart.
fn number(boot_id: &str) -> Option<i64> {
    let (_, half) = Uuid::try_parse(boot_id.trim()).ok()?.as_u64_pair();
    Some(half.cast_signed())
}
