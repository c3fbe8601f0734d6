//! `agent connect`: keeps agents connected, and prints what they receive.

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{Agent, AgentState, GetPresenceRequest};
use baton_runtime::client::{Backoff, GrpcChannel};
use baton_runtime::lifecycle::Lifecycle;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{INBOX, PRESENCE, inbox_text, presence_text};
use crate::client::agent_connection::{AgentConnection, AgentUpdate};
use crate::client::event_text::Names;
use crate::client::refusal::{self, OrRefusal};
use crate::client::session::ClientSession;
use crate::client::{json, output, resolve};
use crate::failure::UsageError;

pub(super) async fn connect(session: &ClientSession, names: &[String], state: AgentState) -> anyhow::Result<()> {
    let mut agents: Vec<Agent> = Vec::with_capacity(names.len());
    for name in names {
        let agent = resolve::agent(session, name).await?;
        // Whoever is named twice is still one.
        if !agents.iter().any(|it| it.agent_id == agent.agent_id) {
            agents.push(agent);
        }
    }
    for agent in &agents {
        channel_as(session, agent).await?;
    }
    // Ctrl-C and SIGTERM mean the same, as for `up`.
    let lifecycle = Lifecycle::new();
    lifecycle.stop_on_signals().context("listening for Ctrl-C")?;
    let leaving = lifecycle.soft();
    let sessions = agents.iter().map(|agent| stay_connected(session, agent, state, &leaving));
    try_join_all(sessions).await.map(|_| ())
}

/// A channel on which this agent acts; an error if the token or `--as` is another agent's, because the output would name the
/// wrong one.
pub(super) async fn channel_as(session: &ClientSession, agent: &Agent) -> anyhow::Result<GrpcChannel> {
    let channel = session.channel_for_agent(&agent.agent_id)?;
    let mine = GetPresenceRequest { agent_id: String::new() };
    let acting = match PresenceServiceClient::new(channel.clone()).get_presence(mine).await {
        Err(status) if resolve::is_not_found(&status) => String::new(),
        own => own.or_refusal()?.presence.unwrap_or_default().agent_id,
    };
    if acting != agent.agent_id {
        return Err(other_agent_error(&agent.name, &acting, &resolve::names(session).await?).into());
    }
    Ok(channel)
}

fn other_agent_error(name: &str, acting: &str, names: &Names) -> UsageError {
    let acting = if acting.is_empty() { "no agent".to_owned() } else { names.of(acting) };
    UsageError::new(format!("with this token or --as you act as {acting}, not as {name}"))
}

/// Keeps one agent connected until `leaving`. A broken connection is opened again; the session lives until its lease expires.
async fn stay_connected(
    session: &ClientSession,
    agent: &Agent,
    state: AgentState,
    leaving: &CancellationToken,
) -> anyhow::Result<()> {
    let mut requested_state = state;
    let mut failures = 0;
    loop {
        let opening =
            AgentConnection::open(session.channel_for_agent(&agent.agent_id)?, session.clock.clone(), requested_state);
        let Some(opened) = leaving.run_until_cancelled(opening).await else { return Ok(()) };
        let mut connection = match opened {
            Ok(connection) => Some(connection),
            Err(status) if failures > 0 && ApiError::of(&status).is_retryable() => None,
            Err(status) => return Err(refusal::of(&status)),
        };
        let Some(ended) = leaving.run_until_cancelled(print_updates(session, agent, connection.as_mut())).await else {
            if let Some(connection) = connection {
                connection.goodbye().await;
            }
            session.out.note(&format!("{} has left.", agent.name))?;
            return Ok(());
        };
        if ended? {
            failures = 0;
            output::diagnostic(&format!("{}'s connection is lost; connecting again.", agent.name));
        }
        // The state that the agent has set meanwhile stays.
        requested_state = AgentState::Unspecified;
        failures += 1;
        let pause = session.clock.sleep(Backoff::default().pause(failures));
        if leaving.run_until_cancelled(pause).await.is_none() {
            return Ok(());
        }
    }
}

/// Prints an agent's updates until the connection ends; false if there was none.
async fn print_updates(
    session: &ClientSession,
    agent: &Agent,
    connection: Option<&mut AgentConnection>,
) -> anyhow::Result<bool> {
    let Some(connection) = connection else { return Ok(false) };
    while let Ok(Some(update)) = connection.next().await {
        print_update(session, agent, &update)?;
    }
    Ok(true)
}

fn print_update(session: &ClientSession, agent: &Agent, update: &AgentUpdate) -> anyhow::Result<()> {
    let text = match update {
        AgentUpdate::Presence(presence) => format!("{} is {}.", agent.name, presence_text(presence)),
        AgentUpdate::Inbox(inbox) => format!("{}'s inbox: {}", agent.name, inbox_text(inbox)),
    };
    session.out.next_value(&update_value(agent, update)?, &text)
}

fn update_value(agent: &Agent, update: &AgentUpdate) -> anyhow::Result<Value> {
    let (what, message) = match update {
        AgentUpdate::Presence(presence) => ("presence", json::of(PRESENCE, presence)?),
        AgentUpdate::Inbox(inbox) => ("inbox", json::of(INBOX, inbox)?),
    };
    Ok(json!({ "agent_id": agent.agent_id, "name": agent.name, what: message }))
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::Inbox;

    use super::*;

    #[test]
    fn the_json_of_an_update_names_its_agent() {
        let agent = Agent { agent_id: "a".to_owned(), name: "Ada".to_owned(), ..Agent::default() };
        let shown = update_value(&agent, &AgentUpdate::Inbox(Inbox::default())).unwrap();
        assert_eq!((&shown["agent_id"], &shown["name"]), (&"a".into(), &"Ada".into()));
        assert!(shown["inbox"]["active"].is_array(), "{shown}");
    }

    #[test]
    fn the_refusal_to_act_as_another_agent_names_both() {
        let names: Names = [("a".to_owned(), "Ada".to_owned())].into_iter().collect();
        assert!(other_agent_error("Ben", "a", &names).to_string().ends_with("you act as Ada, not as Ben"));
        assert!(other_agent_error("Ben", "", &names).to_string().ends_with("you act as no agent, not as Ben"));
    }
}
