//! When a scenario is over, everybody hangs up, and nothing may be left: no interaction, no leg, no room, no claim (T11); the events of
//! every interaction are numbered without holes or doubles (E2), and tell the same as the API (B613). Scenarios that run alone are left out:
//! they end their Baton themselves.

use std::collections::BTreeSet;

use baton_api::common::v1::Medium;
use baton_api::presence::v1::{Agent, GetPresenceRequest, ListAgentsRequest};
use baton_api::simulator::v1::{LedgerAction, LedgerEntry};
use baton_api::transfer::v1::{EndInteractionRequest, Interaction, ListInteractionsRequest};
use baton_testkit::record::is_whole;
use baton_testkit::tenant::fresh;
use baton_testkit::{BOUND, TestTenant, eventually};

use super::rebuilt::Rebuilt;

const LEG: &str = "leg ";

/// Everybody hangs up; then nothing is left.
pub(crate) async fn nothing_is_left(tenant: &TestTenant) -> anyhow::Result<()> {
    hang_up_all(tenant).await?;
    eventually("all interactions are over", BOUND, async || {
        let live = interactions(tenant, true).await.map_err(|error| format!("{error:#}"))?;
        if live.is_empty() { Ok(()) } else { Err(format!("{live:#?}")) }
    })
    .await?;
    eventually("the switch is empty", BOUND, async || {
        let left = left_on_the_switch(tenant).await.map_err(|error| format!("{error:#}"))?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await?;
    eventually("nobody is reserved or engaged", BOUND, async || {
        let claimed = claimed(tenant).await.map_err(|error| format!("{error:#}"))?;
        if claimed.is_empty() { Ok(()) } else { Err(format!("{claimed:?}")) }
    })
    .await?;
    events_are_whole(tenant).await?;
    Rebuilt::new(tenant).until_as_the_api_says().await
}

async fn hang_up_all(tenant: &TestTenant) -> anyhow::Result<()> {
    let phones = tenant.phones()?;
    // Who writes has nothing to hang up.
    let live = ListInteractionsRequest { live_only: true, page_size: 500, ..ListInteractionsRequest::default() };
    let live = tenant.interactions()?.list_interactions(live).await?.into_inner().interactions;
    for chat in live.into_iter().filter(|it| it.medium() == Medium::Chat) {
        let (request_id, interaction_id) = (fresh(), chat.interaction_id);
        let end = EndInteractionRequest { request_id, interaction_id, ..EndInteractionRequest::default() };
        // It may have ended by itself meanwhile.
        let _ = tenant.interactions()?.end_interaction(end).await;
    }
    for leg_id in left_on_the_switch(tenant).await?.iter().filter_map(|it| it.strip_prefix(LEG)) {
        // It may have ended by itself meanwhile.
        let _ = phones.hang_up_leg(leg_id).await;
    }
    Ok(())
}

async fn interactions(tenant: &TestTenant, live_only: bool) -> anyhow::Result<Vec<Interaction>> {
    let request = ListInteractionsRequest { live_only, page_size: 500, ..ListInteractionsRequest::default() };
    Ok(tenant.interactions()?.list_interactions(request).await?.into_inner().interactions)
}

/// Legs, rooms and recordings with a beginning in the ledger and no end.
async fn left_on_the_switch(tenant: &TestTenant) -> anyhow::Result<BTreeSet<String>> {
    let mut left = BTreeSet::new();
    for entry in tenant.phones()?.ledger().await? {
        match entry.action() {
            LedgerAction::Booted => left.clear(),
            LedgerAction::CallPlaced | LedgerAction::LegDialed => drop(left.insert(leg(&entry))),
            LedgerAction::LegEnded => drop(left.remove(&leg(&entry))),
            LedgerAction::RoomEnsured => drop(left.insert(room(&entry))),
            LedgerAction::RoomDestroyed => drop(left.remove(&room(&entry))),
            LedgerAction::RecordingStarted => drop(left.insert(recording(&entry))),
            LedgerAction::RecordingFinished | LedgerAction::RecordingFailed => drop(left.remove(&recording(&entry))),
            _ => {}
        }
    }
    Ok(left)
}

fn leg(entry: &LedgerEntry) -> String {
    format!("{LEG}{}", entry.leg_id)
}

fn room(entry: &LedgerEntry) -> String {
    format!("room {}", entry.room_id)
}

fn recording(entry: &LedgerEntry) -> String {
    format!("recording {}", entry.subject_id)
}

async fn claimed(tenant: &TestTenant) -> anyhow::Result<Vec<String>> {
    let mut claimed = Vec::new();
    for agent in agents(tenant).await? {
        let request = GetPresenceRequest { agent_id: agent.agent_id };
        let presence = tenant.presence()?.get_presence(request).await?.into_inner().presence.unwrap_or_default();
        if !presence.is_free() {
            claimed.push(agent.name);
        }
    }
    Ok(claimed)
}

async fn agents(tenant: &TestTenant) -> anyhow::Result<Vec<Agent>> {
    let request = ListAgentsRequest { page_size: 500, page_token: String::new() };
    Ok(tenant.directory()?.list_agents(request).await?.into_inner().agents)
}

async fn events_are_whole(tenant: &TestTenant) -> anyhow::Result<()> {
    for interaction in interactions(tenant, false).await? {
        events_of_are_whole(tenant, &interaction.interaction_id).await?;
    }
    Ok(())
}

/// 1, 2, 3… of each service, to the end, each once.
pub(crate) async fn events_of_are_whole(tenant: &TestTenant, interaction_id: &str) -> anyhow::Result<()> {
    let subject = format!("interaction/{interaction_id}");
    eventually("the last event is published", BOUND, async || {
        let events = tenant.events_about(&subject).await.map_err(|error| format!("{error:#}"))?;
        let numbers: Vec<_> = events.iter().map(|event| event.sequence).collect();
        let ids: BTreeSet<_> = events.iter().map(|event| &event.event_id).collect();
        let ended = events.iter().any(|event| event.name() == "interaction.ended");
        let whole = is_whole(&events) && ids.len() == events.len();
        if ended && whole { Ok(()) } else { Err(format!("ended: {ended}; {numbers:?}")) }
    })
    .await
}
