//! Opens, renews and closes sessions.

use std::sync::Arc;
use std::time::Duration;

use baton_api::ApiError;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_runtime::client::Backoff;
use baton_store::{change, requests};
use tonic::Status;

use crate::core::PresenceCore;
use crate::ids::SessionId;
use crate::sessions::{AgentKey, AgentSession, OpeningRequest, SessionEnd};
use crate::status::{RequestedState, StatusChange};

/// What a client wants of its new session.
#[derive(Debug, Clone)]
pub(crate) struct SessionWanted {
    pub(crate) requested: Option<RequestedState>,
    /// The same request again gets the same session, as long as that lives.
    pub(crate) opening: Option<OpeningRequest>,
}

/// Opens a session: the agent is online from here on, until the lease of the last session is over.
pub(crate) async fn open(
    core: &Arc<PresenceCore>,
    key: AgentKey,
    wanted: SessionWanted,
) -> Result<Arc<AgentSession>, Status> {
    let this = Arc::clone(core);
    core.detached(async move {
        let fresh = AgentSession::new(this.clock.now_us() + this.lease_us, wanted.opening);
        let opened = connect(&this, &key, wanted.requested, &fresh).await;
        if opened.as_ref().is_ok_and(|it| it.id != fresh.id) {
            return opened;
        }
        if opened.is_err() {
            // It may have been added, or even committed: the ordinary way to end it cleans up.
            fresh.end_with(SessionEnd::Goodbye);
        }
        watch(&this, key, fresh);
        opened
    })
    .await
}

/// The session that is open afterwards: `fresh`, or the one that the same request has opened before.
async fn connect(
    core: &PresenceCore,
    key: &AgentKey,
    requested: Option<RequestedState>,
    fresh: &Arc<AgentSession>,
) -> Result<Arc<AgentSession>, Status> {
    let (tenant, agent) = key;
    let connected = &[StatusChange::Connected(requested)];
    core.change(
        tenant,
        &format!("agent/{agent}"),
        change!(|edit| {
            edit.lock_agents([*agent], []).await?;
            let before = edit.agent(*agent).await?.ok_or_else(|| ApiError::not_found("agent"))?;
            if let Some(earlier) = opened_before(core, key, fresh)? {
                return Ok(earlier);
            }
            core.sessions.add(key, fresh);
            edit.settle(*agent, &before.status, connected.clone(), Cause::Connected).await?;
            Ok(Arc::clone(fresh))
        }),
    )
    .await
}

/// The living session of the same request, with a renewed lease.
fn opened_before(
    core: &PresenceCore,
    key: &AgentKey,
    fresh: &AgentSession,
) -> Result<Option<Arc<AgentSession>>, ApiError> {
    let Some(opening) = &fresh.opening else { return Ok(None) };
    let Some(earlier) = core.sessions.opened_by(key, &opening.key) else { return Ok(None) };
    if earlier.id == fresh.id {
        // This change was overtaken, and runs again.
        return Ok(None);
    }
    if earlier.opening.as_ref() != Some(opening) {
        return Err(requests::reused());
    }
    let is_alive = earlier.renew(core.clock.now_us() + core.lease_us);
    Ok(is_alive.then_some(earlier))
}

/// Renews the lease of an agent's session, and says until when it holds.
pub(crate) fn renew(core: &PresenceCore, key: &AgentKey, id: SessionId) -> Result<i64, ApiError> {
    let until_us = core.clock.now_us() + core.lease_us;
    let renewed = core.sessions.get(key, id).filter(|it| it.renew(until_us));
    renewed.map(|_| until_us).ok_or_else(|| ApiError::not_found("session"))
}

/// Ends an agent's session, and waits until that is committed. One that is over already is left so.
pub(crate) async fn close(core: &PresenceCore, key: &AgentKey, id: SessionId) -> Result<(), ApiError> {
    let Some(session) = core.sessions.get(key, id) else { return Ok(()) };
    session.end_with(SessionEnd::Goodbye);
    tokio::select! {
        () = session.over.cancelled() => Ok(()),
        // A session that has not been closed when the service stops is left to the lease that follows the restart.
        () = core.lifecycle.stopping() => Err(ApiError::unavailable("The server is stopping; close the session again.")),
    }
}

/// After a restart, agents who were online stay so for one lease.
pub(crate) fn grant_grace(core: &Arc<PresenceCore>) {
    let until_us = core.clock.now_us() + core.lease_us;
    for tenant in core.index.tenants() {
        for agent in core.index.tenant(&tenant).online() {
            let key = (tenant.clone(), agent);
            let session = AgentSession::new(until_us, None);
            core.sessions.add(&key, &session);
            watch(core, key, session);
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
                // The agent has others, and it is not among them any more.
                if end != SessionEnd::GaveWay {
                    write_end(&this, &key, &session, end).await;
                }
                session.over.cancel();
            }
        }
    });
}

/// Retries until it succeeds: as long as the session is not closed, the agent is shown as available.
async fn write_end(core: &Arc<PresenceCore>, key: &AgentKey, session: &AgentSession, end: SessionEnd) {
    let backoff = Backoff::default();
    let mut failures = 0;
    while let Err(status) = write_end_once(core, key, session, end).await {
        failures += 1;
        tracing::warn!(error = status.message(), "a session could not be closed yet");
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = core.clock.sleep(backoff.pause(failures).max(Duration::from_millis(10))) => {}
        }
    }
}

async fn write_end_once(
    core: &Arc<PresenceCore>,
    key: &AgentKey,
    session: &AgentSession,
    end: SessionEnd,
) -> Result<(), Status> {
    let (tenant, agent) = key;
    let _busy = core.clock.busy();
    core.change(
        tenant,
        "system",
        change!(|edit| {
            // Both while we have the agent: a session that opens before keeps them online, and of two ends one is the last.
            edit.lock_agents([*agent], []).await?;
            if core.sessions.remove(key, session.id) > 0 {
                return Ok(());
            }
            if let Some(before) = edit.agent(*agent).await? {
                edit.settle(*agent, &before.status, [StatusChange::Disconnected], end.cause()).await?;
            }
            Ok(())
        }),
    )
    .await
}
