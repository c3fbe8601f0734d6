//! Health follows the database: without it a service can do nothing that is asked of it.
//!
//! Not the other services, which would make all of them go when one does, and not NATS, without which only events wait.

use std::time::Duration;

use baton_runtime::server::Readiness;
use baton_runtime::{Clock, ServiceName};
use baton_store::{Databases, Db};
use tokio_util::sync::CancellationToken;

const PERIOD: Duration = Duration::from_secs(1);
/// A server that is busy for a moment is not away.
const FAILURES: u32 = 3;

/// Says *not serving* while the database does not answer, and for good from `leaving` on.
pub(super) async fn follow(
    readiness: Readiness,
    (service, databases): (ServiceName, Databases),
    leaving: CancellationToken,
) {
    if service != ServiceName::Gateway {
        match databases.with_connections(1).open(service.as_str()).await {
            Ok(db) => drop(leaving.run_until_cancelled(watch(&readiness, &db)).await),
            Err(error) => tracing::warn!(%error, "whether the database answers is not known"),
        }
    }
    leaving.cancelled().await;
    readiness.withdraw().await;
}

async fn watch(readiness: &Readiness, db: &Db) {
    let (clock, mut failures) = (Clock::real(), 0);
    loop {
        match db.answers().await {
            Ok(()) if failures >= FAILURES => {
                tracing::info!("the database answers again");
                failures = 0;
                readiness.restore().await;
            }
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures == FAILURES {
                    tracing::warn!(%error, "the database does not answer: not ready until it does");
                    readiness.withdraw().await;
                }
            }
        }
        clock.sleep(PERIOD).await;
    }
}
