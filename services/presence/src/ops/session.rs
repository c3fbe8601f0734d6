//! Sessions begin and end.

use std::sync::Arc;
use std::time::Duration;

use baton_api::ApiError;
use baton_runtime::client::Backoff;
use tonic::Status;

use crate::core::Core;
use crate::sessions::{End, MAX_SESSIONS, Session, Whose};
use crate::state::{Change, Wish};

/// Opens a session: the agent is online from here on, until the lease of the last session is over.
pub(crate) async fn open(core: &Arc<Core>, whose: Whose, wish: Option<Wish>) -> Result<Arc<Session>, Status> {
    let this = Arc::clone(core);
    core.detached(async move {
        let session = Session::new(this.clock.now_us() + this.lease_us);
        let opened = connect(&this, &whose, wish, &session).await;
        if opened.is_err() {
            // It may have been added, or even committed: its end goes the ordinary way.
            session.say_goodbye();
        }
        watch(&this, whose, Arc::clone(&session));
        opened.map(|()| session)
    })
    .await
}

async fn connect(core: &Core, whose: &Whose, wish: Option<Wish>, session: &Arc<Session>) -> Result<(), Status> {
    let (tenant, agent) = whose;
    core.change(tenant, &format!("agent/{agent}"), async |edit| {
        let before = edit.agent(*agent).await?.ok_or_else(|| ApiError::not_found("agent"))?;
        if !core.sessions.add(whose, session) {
            return Err(too_many());
        }
        edit.settle(*agent, &before.standing, [Change::Connected(wish)], "connected").await?;
        Ok(())
    })
    .await
}

/// After a restart: everybody who was online stays so for one lease.
pub(crate) fn grant_grace(core: &Arc<Core>) {
    let until_us = core.clock.now_us() + core.lease_us;
    for tenant in core.index.tenants() {
        for agent in core.index.tenant(&tenant).online() {
            let whose = (tenant.clone(), agent);
            let session = Session::new(until_us);
            if core.sessions.add(&whose, &session) {
                watch(core, whose, session);
            }
        }
    }
}

/// Ends the session when its time has come. A session that is open when the service stops is left as it is.
fn watch(core: &Arc<Core>, whose: Whose, session: Arc<Session>) {
    let this = Arc::clone(core);
    core.lifecycle.spawn("presence session", async move {
        tokio::select! {
            () = this.lifecycle.stopping() => {}
            end = session.ends(&this.clock) => {
                close(&this, &whose, &session, end).await;
                session.over.cancel();
            }
        }
    });
}

/// Closing must happen: while the database does not let us, the agent would be shown as available.
async fn close(core: &Arc<Core>, whose: &Whose, session: &Session, end: End) {
    let backoff = Backoff::default();
    let mut failures = 0;
    while let Err(status) = close_once(core, whose, session, end).await {
        failures += 1;
        tracing::warn!(error = status.message(), "a session could not be closed yet");
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = core.clock.sleep(backoff.pause(failures).max(Duration::from_millis(10))) => {}
        }
    }
}

async fn close_once(core: &Arc<Core>, whose: &Whose, session: &Session, end: End) -> Result<(), Status> {
    let (tenant, agent) = whose;
    let _busy = core.clock.busy();
    core.change(tenant, "system", async |edit| {
        // Both while the writer is ours: an opening that comes first keeps the agent online, and of two ends one is the last.
        if core.sessions.remove(whose, session.id) > 0 {
            return Ok(());
        }
        if let Some(before) = edit.agent(*agent).await? {
            edit.settle(*agent, &before.standing, [Change::Disconnected], end.reason()).await?;
        }
        Ok(())
    })
    .await
}

fn too_many() -> Status {
    let message = format!("An agent has {MAX_SESSIONS} sessions at most. Say goodbye in those that are not used.");
    ApiError::resource_exhausted(message).into()
}
