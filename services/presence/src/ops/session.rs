//! Opens and closes sessions.

use std::sync::Arc;
use std::time::Duration;

use baton_api::ApiError;
use baton_runtime::client::Backoff;
use tonic::Status;

use crate::core::PresenceCore;
use crate::sessions::{AgentKey, AgentSession, MAX_SESSIONS, SessionEnd};
use crate::status::{RequestedState, StatusChange};

/// Opens a session: the agent is online from here on, until the lease of the last session is over.
pub(crate) async fn open(
    core: &Arc<PresenceCore>,
    key: AgentKey,
    requested: Option<RequestedState>,
) -> Result<Arc<AgentSession>, Status> {
    let this = Arc::clone(core);
    core.detached(async move {
        let session = AgentSession::new(this.clock.now_us() + this.lease_us);
        let opened = connect(&this, &key, requested, &session).await;
        if opened.is_err() {
            // It may have been added, or even committed: the ordinary way to end it cleans up.
            session.say_goodbye();
        }
        watch(&this, key, Arc::clone(&session));
        opened.map(|()| session)
    })
    .await
}

async fn connect(
    core: &PresenceCore,
    key: &AgentKey,
    requested: Option<RequestedState>,
    session: &Arc<AgentSession>,
) -> Result<(), Status> {
    let (tenant, agent) = key;
    core.change(tenant, &format!("agent/{agent}"), async |edit| {
        let before = edit.agent(*agent).await?.ok_or_else(|| ApiError::not_found("agent"))?;
        if !core.sessions.add(key, session) {
            return Err(too_many());
        }
        edit.settle(*agent, &before.status, [StatusChange::Connected(requested)], "connected").await?;
        Ok(())
    })
    .await
}

/// After a restart, agents who were online stay so for one lease.
pub(crate) fn grant_grace(core: &Arc<PresenceCore>) {
    let until_us = core.clock.now_us() + core.lease_us;
    for tenant in core.index.tenants() {
        for agent in core.index.tenant(&tenant).online() {
            let key = (tenant.clone(), agent);
            let session = AgentSession::new(until_us);
            if core.sessions.add(&key, &session) {
                watch(core, key, session);
            }
        }
    }
}

/// Closes the session at its end. A session that is open when the service stops is left as it is.
fn watch(core: &Arc<PresenceCore>, key: AgentKey, session: Arc<AgentSession>) {
    let this = Arc::clone(core);
    core.lifecycle.spawn("presence session", async move {
        tokio::select! {
            () = this.lifecycle.stopping() => {}
            end = session.ends(&this.clock) => {
                close(&this, &key, &session, end).await;
                session.over.cancel();
            }
        }
    });
}

/// Retries until it succeeds: as long as the session is not closed, the agent is shown as available.
async fn close(core: &Arc<PresenceCore>, key: &AgentKey, session: &AgentSession, end: SessionEnd) {
    let backoff = Backoff::default();
    let mut failures = 0;
    while let Err(status) = close_once(core, key, session, end).await {
        failures += 1;
        tracing::warn!(error = status.message(), "a session could not be closed yet");
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = core.clock.sleep(backoff.pause(failures).max(Duration::from_millis(10))) => {}
        }
    }
}

async fn close_once(
    core: &Arc<PresenceCore>,
    key: &AgentKey,
    session: &AgentSession,
    end: SessionEnd,
) -> Result<(), Status> {
    let (tenant, agent) = key;
    let _busy = core.clock.busy();
    core.change(tenant, "system", async |edit| {
        // Both while we have the writer: a session that opens before keeps the agent online, and of two ends one is the last.
        if core.sessions.remove(key, session.id) > 0 {
            return Ok(());
        }
        if let Some(before) = edit.agent(*agent).await? {
            edit.settle(*agent, &before.status, [StatusChange::Disconnected], end.reason()).await?;
        }
        Ok(())
    })
    .await
}

fn too_many() -> Status {
    let message = format!("An agent has {MAX_SESSIONS} sessions at most. Say goodbye in those that are not used.");
    ApiError::resource_exhausted(message).into()
}
