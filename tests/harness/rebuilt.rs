//! The whole picture rebuilt from events alone, beside what the API answers (B613): calls, agents, teams and sites must be the same in both, but for
//! what events do not tell. That is cleared in the API's answers here, each with its reason, and in nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use anyhow::Context as _;
use baton_api::event::v1::LoggedEvent;
use baton_api::presence::v1::{GetPresenceRequest, ListAgentsRequest, ListSitesRequest, ListTeamsRequest, Presence};
use baton_api::transfer::v1::party::{LegState, Role};
use baton_api::transfer::v1::{Interaction, ListInteractionsRequest};
use baton_events::Picture;
use baton_testkit::{BOUND, TestTenant, eventually};

/// A picture that reads on.
pub(crate) struct Rebuilt<'a> {
    tenant: &'a TestTenant,
    pub(crate) picture: Picture,
    /// Of the last event in the picture.
    pub(crate) cursor: Option<String>,
}

/// All that is compared, in the same form of both: calls, agents with what occupies them, teams with their members, and sites.
#[derive(Debug, PartialEq)]
struct Compared {
    calls: BTreeMap<String, Interaction>,
    agents: BTreeMap<String, Presence>,
    teams: BTreeMap<String, (String, Vec<String>)>,
    sites: BTreeMap<String, String>,
}

impl<'a> Rebuilt<'a> {
    /// An empty one, which begins with the tenant's first event.
    pub(crate) fn new(tenant: &'a TestTenant) -> Self {
        Self { tenant, picture: Picture::default(), cursor: None }
    }

    /// Goes on after this event with the picture that was kept then.
    pub(crate) fn going_on(tenant: &'a TestTenant, picture: Picture, cursor: Option<String>) -> Self {
        Self { tenant, picture, cursor }
    }

    /// Reads all events that are published by now.
    pub(crate) async fn read_on(&mut self) -> anyhow::Result<()> {
        for LoggedEvent { cursor, event } in self.tenant.events_after(self.cursor.clone()).await? {
            self.picture.apply(&event.context("an entry of the log without an event")?)?;
            self.cursor = Some(cursor);
        }
        anyhow::ensure!(self.picture.skipped() == 0, "an event of a type that nobody knows");
        Ok(())
    }

    /// Waits until it is the same as the API's answers: events are published a little later than they happen.
    pub(crate) async fn until_as_the_api_says(&mut self) -> anyhow::Result<()> {
        eventually("the picture from events is what the API says", BOUND, async || {
            let both = async {
                self.read_on().await?;
                anyhow::Ok((rebuilt(&self.picture), answered(self.tenant).await?))
            };
            let (rebuilt, answered) = both.await.map_err(|error| format!("{error:#}"))?;
            if rebuilt == answered { Ok(()) } else { Err(difference(&rebuilt, &answered)) }
        })
        .await
    }
}

fn rebuilt(picture: &Picture) -> Compared {
    Compared {
        calls: picture.calls().iter().map(|(id, it)| (id.clone(), in_order(it.interaction.clone()))).collect(),
        agents: picture.agents().into_iter().map(|it| (it.agent_id.clone(), by_call(it))).collect(),
        teams: picture.teams().iter().map(|(id, it)| (id.clone(), (it.name.clone(), sorted(&it.agent_ids)))).collect(),
        sites: picture.sites().iter().map(|(id, it)| (id.clone(), it.name.clone())).collect(),
    }
}

async fn answered(tenant: &TestTenant) -> anyhow::Result<Compared> {
    let mut calls = BTreeMap::new();
    for id in all_calls(tenant).await? {
        let call = tenant.interaction(&id).await?;
        calls.insert(id, as_events_tell(call));
    }
    let mut agents = BTreeMap::new();
    let request = ListAgentsRequest { page_size: 500, page_token: String::new() };
    for agent in tenant.directory()?.list_agents(request).await?.into_inner().agents {
        let request = GetPresenceRequest { agent_id: agent.agent_id.clone() };
        let presence = tenant.presence()?.get_presence(request).await?.into_inner().presence.unwrap_or_default();
        agents.insert(agent.agent_id, as_events_tell_of_agents(presence));
    }
    let request = ListTeamsRequest { page_size: 500, page_token: String::new() };
    let teams = tenant.directory()?.list_teams(request).await?.into_inner().teams;
    let teams = teams.into_iter().map(|it| (it.team_id, (it.name, sorted(&it.agent_ids)))).collect();
    let request = ListSitesRequest { page_size: 500, page_token: String::new() };
    let sites = tenant.directory()?.list_sites(request).await?.into_inner().sites;
    let sites = sites.into_iter().map(|it| (it.site_id, it.name)).collect();
    Ok(Compared { calls, agents, teams, sites })
}

async fn all_calls(tenant: &TestTenant) -> anyhow::Result<Vec<String>> {
    let mut request = ListInteractionsRequest { page_size: 500, ..ListInteractionsRequest::default() };
    let mut ids = Vec::new();
    loop {
        let page = tenant.interactions()?.list_interactions(request.clone()).await?.into_inner();
        ids.extend(page.interactions.into_iter().map(|it| it.interaction_id));
        if page.next_page_token.is_empty() {
            return Ok(ids);
        }
        request.page_token = page.next_page_token;
    }
}

/// Without what events do not tell.
fn as_events_tell(mut call: Interaction) -> Interaction {
    // Both count every change, also those of which nobody is told: where a leg was seen, what presence was asked.
    (call.version, call.update_time) = (0, None);
    // These depend on who asks.
    (call.allowed_actions, call.refused_actions) = (Vec::new(), Vec::new());
    // Texts are read through the API: personal data stay out of the log, but for the customer's address and why an agent is away.
    call.notes.clear();
    call.data.values_mut().for_each(String::clear);
    if let Some(transfer) = &mut call.transfer {
        transfer.message.clear();
        // A clock of the policy, which events do not repeat.
        transfer.deadline_time = None;
    }
    call.journey.iter_mut().for_each(|hop| hop.message.clear());
    // Whether the policy has dispositions, and wants one, is the policy's: events tell of those that are given.
    call.participations.retain(|part| !part.disposition.is_empty());
    for part in &mut call.participations {
        (part.end_time, part.disposition_due) = (None, false);
        part.note.clear();
    }
    if let Some(recording) = &mut call.recording {
        // Which recording the next words would be of, and whether there will be one, follows from the policy and the mode: events tell what is written.
        recording.recording_id.clear();
        recording.started_by_hand = false;
    }
    // The customer is in every call that is not over, and their leg is the switch's.
    call.parties.retain(|party| party.role() != Role::Customer);
    for party in &mut call.parties {
        party.name.clear();
        // A phone that cannot be reached is dialled anew, under another id.
        if party.leg_state() != LegState::Up {
            party.leg_id.clear();
        }
    }
    in_order(call)
}

/// Without what events do not tell.
fn as_events_tell_of_agents(mut presence: Presence) -> Presence {
    // Who has the same phone is in the directory.
    presence.phone_in_use = false;
    // Whether the policy wants a disposition is the policy's.
    presence.disposition_due_interaction_ids.clear();
    by_call(presence)
}

/// Where several are rung at once, nothing says in which order; nor in which order agents disposition their parts.
fn in_order(mut call: Interaction) -> Interaction {
    call.update_time = None;
    call.parties.sort_by(|one, other| one.agent_id.cmp(&other.agent_id));
    call.participations.sort_by_key(|part| part.disposition_time.map(|at| (at.seconds, at.nanos)));
    call
}

fn by_call(mut presence: Presence) -> Presence {
    presence.engagements.sort_by(|one, other| one.interaction_id.cmp(&other.interaction_id));
    presence
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

/// The lines that are not the same.
fn difference(rebuilt: &Compared, answered: &Compared) -> String {
    let mut text = String::new();
    add_difference(&mut text, "call", &rebuilt.calls, &answered.calls);
    add_difference(&mut text, "agent", &rebuilt.agents, &answered.agents);
    add_difference(&mut text, "team", &rebuilt.teams, &answered.teams);
    text
}

fn add_difference<T: Debug + PartialEq>(
    text: &mut String,
    what: &str,
    rebuilt: &BTreeMap<String, T>,
    answered: &BTreeMap<String, T>,
) {
    let ids: BTreeSet<_> = rebuilt.keys().chain(answered.keys()).collect();
    for id in ids.into_iter().filter(|id| rebuilt.get(*id) != answered.get(*id)) {
        let lines = |it: Option<&T>| it.map_or("there is none".to_owned(), |it| format!("{it:#?}"));
        let (events, api) = (lines(rebuilt.get(id)), lines(answered.get(id)));
        let only = |own: &str, other: &str| {
            let other: BTreeSet<_> = other.lines().collect();
            own.lines().filter(|line| !other.contains(line)).map(str::trim).collect::<Vec<_>>().join(" ")
        };
        let (by_events, by_api) = (only(&events, &api), only(&api, &events));
        let _ = write!(text, "\n{what} {id}:\n  only by events: {by_events}\n  only by the API: {by_api}");
    }
}
