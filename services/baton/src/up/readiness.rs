//! Health follows the switch: without it no call can be taken or changed, so balancers are told.

use baton_runtime::server::Readiness;
use baton_telephony::link::LinkState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Says *not serving* while the switch is not connected, and *serving* while it is, until the token is cancelled.
pub(super) async fn follow_switch(
    readiness: Readiness,
    mut link: watch::Receiver<LinkState>,
    until: CancellationToken,
) {
    let following = async {
        loop {
            let is_up = matches!(*link.borrow_and_update(), LinkState::Up { .. });
            if is_up {
                readiness.restore().await;
            } else {
                readiness.withdraw().await;
            }
            if link.changed().await.is_err() {
                return;
            }
        }
    };
    until.run_until_cancelled(following).await;
}
