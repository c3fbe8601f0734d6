//! Being there as one or several agents.

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{Agent, AgentState, GetPresenceRequest};
use baton_runtime::client::{Backoff, GrpcChannel};
use baton_runtime::lifecycle::Lifecycle;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{INBOX, PRESENCE, how, items};
use crate::client::desk::{Desk, News};
use crate::client::refusal::{self, Told};
use crate::client::session::Session;
use crate::client::story::Names;
use crate::client::{json, output, resolve};
use crate::failure::Usage;

pub(super) async fn connect(session: &Session, names: &[String], state: AgentState) -> anyhow::Result<()> {
    let mut agents = Vec::with_capacity(names.len());
    for name in names {
        agents.push(resolve::agent(session, name).await?);
    }
    for agent in &agents {
        channel_of(session, agent).await?;
    }
    // As with everything that runs until it is told to end: Ctrl-C and SIGTERM mean the same.
    let lifecycle = Lifecycle::new();
    lifecycle.stop_on_signals().context("listening for Ctrl-C")?;
    let leaving = lifecycle.soft();
    let sessions = agents.iter().map(|agent| sit(session, agent, state, &leaving));
    try_join_all(sessions).await.map(|_| ())
}

/// A connection in this agent's name. A token, or `--as`, may be somebody else's: what is done with it is done as them, and
/// must not be told as this agent's.
pub(super) async fn channel_of(session: &Session, agent: &Agent) -> anyhow::Result<GrpcChannel> {
    let channel = session.of_agent(&agent.agent_id)?;
    let mine = GetPresenceRequest { agent_id: String::new() };
    let acting = match PresenceServiceClient::new(channel.clone()).get_presence(mine).await {
        Err(status) if resolve::is_not_found(&status) => String::new(),
        own => own.told()?.presence.unwrap_or_default().agent_id,
    };
    if acting != agent.agent_id {
        return Err(somebody_else(&agent.name, &acting, &resolve::names(session).await?).into());
    }
    Ok(channel)
}

fn somebody_else(name: &str, acting: &str, names: &Names) -> Usage {
    let acting = if acting.is_empty() { "no agent".to_owned() } else { names.of(acting) };
    Usage::new(format!("with this token or --as you act as {acting}, not as {name}"))
}

/// One agent who is there until they are told to leave. A connection that breaks is made again: the session lives by its lease.
async fn sit(session: &Session, agent: &Agent, state: AgentState, leaving: &CancellationToken) -> anyhow::Result<()> {
    let mut wish = state;
    let mut failures = 0;
    loop {
        let opening = Desk::open(session.of_agent(&agent.agent_id)?, session.clock.clone(), wish);
        let Some(opened) = leaving.run_until_cancelled(opening).await else { return Ok(()) };
        let mut desk = match opened {
            Ok(desk) => Some(desk),
            Err(status) if failures > 0 && ApiError::of(&status).is_retryable() => None,
            Err(status) => return Err(refusal::of(&status)),
        };
        let Some(ended) = leaving.run_until_cancelled(listen(session, agent, desk.as_mut())).await else {
            if let Some(desk) = desk {
                desk.goodbye().await;
            }
            session.out.note(&format!("{} has left.", agent.name));
            return Ok(());
        };
        if ended? {
            failures = 0;
            output::aside(&format!("{}'s connection is lost; connecting again.", agent.name));
        }
        // What they chose meanwhile stays as it is.
        wish = AgentState::Unspecified;
        failures += 1;
        let pause = session.clock.sleep(Backoff::default().pause(failures));
        if leaving.run_until_cancelled(pause).await.is_none() {
            return Ok(());
        }
    }
}

/// Tells what reaches an agent until the connection ends; whether there was one.
async fn listen(session: &Session, agent: &Agent, desk: Option<&mut Desk>) -> anyhow::Result<bool> {
    let Some(desk) = desk else { return Ok(false) };
    while let Ok(Some(news)) = desk.next().await {
        tell(session, agent, &news)?;
    }
    Ok(true)
}

fn tell(session: &Session, agent: &Agent, news: &News) -> anyhow::Result<()> {
    let text = match news {
        News::Presence(presence) => format!("{} is {}.", agent.name, how(presence)),
        News::Inbox(inbox) => format!("{}'s inbox: {}", agent.name, items(inbox)),
    };
    session.out.next_value(&value(agent, news)?, &text);
    Ok(())
}

/// For programs: what came, and whose it is.
fn value(agent: &Agent, news: &News) -> anyhow::Result<Value> {
    let (what, message) = match news {
        News::Presence(presence) => ("presence", json::of(PRESENCE, presence)?),
        News::Inbox(inbox) => ("inbox", json::of(INBOX, inbox)?),
    };
    Ok(json!({ "agent_id": agent.agent_id, "name": agent.name, what: message }))
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::Inbox;

    use super::*;

    #[test]
    fn programs_are_told_whose_inbox_it_is() {
        let agent = Agent { agent_id: "a".to_owned(), name: "Ada".to_owned(), ..Agent::default() };
        let shown = value(&agent, &News::Inbox(Inbox::default())).unwrap();
        assert_eq!((&shown["agent_id"], &shown["name"]), (&"a".into(), &"Ada".into()));
        assert!(shown["inbox"]["active"].is_array(), "{shown}");
    }

    #[test]
    fn who_acts_as_somebody_else_is_told_as_whom() {
        let names: Names = [("a".to_owned(), "Ada".to_owned())].into_iter().collect();
        assert!(somebody_else("Ben", "a", &names).to_string().ends_with("you act as Ada, not as Ben"));
        assert!(somebody_else("Ben", "", &names).to_string().ends_with("you act as no agent, not as Ben"));
    }
}
