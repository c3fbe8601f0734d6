//! The whole picture, from events alone: [`Picture::apply`] takes one event after the other, and the picture says how all calls, agents, teams and
//! queues of a tenant are at that moment.
//!
//! It asks nobody and knows no clock: the same events make the same picture, from whatever they are read. A clone kept with the cursor of its
//! last event is a point to go on from.
//!
//! **In the form of the API.** A call is an [`Interaction`] and an agent a [`Presence`], as `GetInteraction` and `GetPresence` answer. What events
//! do not tell is empty: texts (names, notes, messages, the values of attached data), the customer's own leg, deadlines, what may be done, and the
//! turns of agents who have said nothing of how theirs ended.
//!
//! **Limits.** Calls that are over stay in the picture. Events are kept for seven days: an agent or a team of which no event is kept is not in it.

mod call;
mod error;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};

use baton_api::event::v1::directory_changed::{SiteContent, TeamContent, What};
use baton_api::event::v1::routing_changed::Configuration;
use baton_api::event::v1::{AgentStateChanged, Change, CustomerForgotten, DirectoryChanged, RoutingChanged};
use baton_api::presence::v1::{AgentState, Engagement, Presence, engagement};
use baton_api::routing::v1::Queue;
#[cfg(doc)]
use baton_api::transfer::v1::Interaction;
use baton_api::transfer::v1::party::LegState;

pub use call::{CallPicture, QueuedCall};
pub use error::PictureError;

use crate::{Arrival, Data, Event};

/// The subject of a call, before its id.
const CALL: &str = "interaction/";
/// Who publishes what happens in calls; of other services' events about a call nothing is in the picture.
const CALLS_PUBLISHER: &str = "//baton/transfer";

/// All calls, agents, teams and queues of one tenant, as of the last event that was applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    tenant: Option<String>,
    calls: BTreeMap<String, CallPicture>,
    /// By id; who occupies them is looked up in the calls.
    agents: BTreeMap<String, Presence>,
    teams: BTreeMap<String, TeamContent>,
    queues: BTreeMap<String, Queue>,
    sites: BTreeMap<String, SiteContent>,
    /// The number of the last event of each source and subject.
    last: BTreeMap<(String, String), i64>,
    /// Whether the first event of a subject may have any number.
    without_beginnings: bool,
    incomplete: BTreeSet<String>,
    skipped: u64,
}

impl Picture {
    /// An empty picture, for a log that may no longer have the oldest events. A call whose beginning is gone is not guessed at: it is left out, and
    /// [`Picture::incomplete_calls`] names it. [`Picture::default`] takes a missing beginning for the gap that it is.
    pub fn of_what_is_kept() -> Self {
        Self { without_beginnings: true, ..Self::default() }
    }

    /// Takes in the next event: of each source and subject in the order of their numbers, as every way of reading gives them. One that came before
    /// changes nothing ([`Arrival::Again`]).
    ///
    /// # Errors
    /// When an event is missing before this one, or when it is none of this tenant's calls. The picture is then as it was.
    pub fn apply(&mut self, event: &Event) -> Result<Arrival, PictureError> {
        if let Some(of) = self.tenant.as_ref().filter(|of| **of != event.tenant) {
            return Err(PictureError::OtherTenant { tenant: event.tenant.clone(), of: of.clone() });
        }
        let key = (event.source.clone(), event.subject.clone());
        let known = self.last.get(&key).copied();
        let arrival = Arrival::of(event.sequence, known.unwrap_or(0));
        match arrival {
            Arrival::Again => return Ok(arrival),
            Arrival::AfterGap { .. } if known.is_some() || !self.without_beginnings => {
                let (publisher, subject) = key;
                return Err(PictureError::Gap { subject, publisher, last: known.unwrap_or(0), next: event.sequence });
            }
            Arrival::New | Arrival::AfterGap { .. } => {}
        }
        self.take_in(event, arrival)?;
        self.tenant.get_or_insert_with(|| event.tenant.clone());
        self.last.insert(key, event.sequence);
        Ok(arrival)
    }

    /// All calls by their ids, oldest first; those that are over, too.
    pub fn calls(&self) -> &BTreeMap<String, CallPicture> {
        &self.calls
    }

    /// The ids of calls whose first events are gone: of these nothing is in the picture, also not that they occupy an agent.
    pub fn incomplete_calls(&self) -> &BTreeSet<String> {
        &self.incomplete
    }

    /// How many events were of a type that this version of the crate does not know.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// All agents, by id: state, and what occupies them. Whether their phone is in use by another agent, and whether a disposition is due, events do
    /// not tell.
    pub fn agents(&self) -> Vec<Presence> {
        let mut engagements: BTreeMap<&str, Vec<Engagement>> = BTreeMap::new();
        for (agent_id, engagement) in self.calls.values().flat_map(engagements_in) {
            engagements.entry(agent_id).or_default().push(engagement);
        }
        let with = |it: &Presence| Presence {
            engagements: engagements.remove(it.agent_id.as_str()).unwrap_or_default(),
            ..it.clone()
        };
        self.agents.values().map(with).collect()
    }

    /// All sites by their ids.
    pub fn sites(&self) -> &BTreeMap<String, SiteContent> {
        &self.sites
    }

    /// All teams by their ids, with name and members.
    pub fn teams(&self) -> &BTreeMap<String, TeamContent> {
        &self.teams
    }

    /// All queues by their ids, as admins have configured them.
    pub fn configured_queues(&self) -> &BTreeMap<String, Queue> {
        &self.queues
    }

    /// The calls that wait in each queue, by its id, and in each team's, by the team's id: who came first is first.
    pub fn queues(&self) -> BTreeMap<&str, Vec<&CallPicture>> {
        let mut queues: BTreeMap<&str, Vec<&CallPicture>> =
            self.teams.keys().chain(self.queues.keys()).map(|it| (it.as_str(), Vec::new())).collect();
        for call in self.calls.values() {
            if let Some(queued) = &call.queued {
                let pool = if queued.queue_id.is_empty() { &queued.team_id } else { &queued.queue_id };
                queues.entry(pool).or_default().push(call);
            }
        }
        for calls in queues.values_mut() {
            calls.sort_by_key(|call| call.queued.as_ref().and_then(|it| it.since).map(|at| (at.seconds, at.nanos)));
        }
        queues
    }

    fn take_in(&mut self, event: &Event, arrival: Arrival) -> Result<(), PictureError> {
        let Some(data) = event.data.as_ref().and_then(|it| it.data.as_ref()) else {
            self.skipped += 1;
            return Ok(());
        };
        match data {
            Data::AgentStateChanged(it) => self.agent_state_changed(it, event),
            Data::DirectoryChanged(it) => self.directory_changed(it, event),
            Data::RoutingChanged(it) => self.routing_changed(it),
            Data::CustomerForgotten(it) => self.customer_forgotten(it),
            data => {
                if let Some(id) = event.subject.strip_prefix(CALL).filter(|_| event.source == CALLS_PUBLISHER) {
                    return self.call_changed(id, data, event, arrival);
                }
            }
        }
        Ok(())
    }

    fn call_changed(&mut self, id: &str, data: &Data, event: &Event, arrival: Arrival) -> Result<(), PictureError> {
        match (data, self.calls.get_mut(id)) {
            (Data::InteractionOpened(it), None) => {
                self.calls.insert(id.to_owned(), CallPicture::opened(id, it, event));
            }
            (data, Some(call)) => call.apply(data, event),
            (_, None) if arrival != Arrival::New => drop(self.incomplete.insert(id.to_owned())),
            (_, None) if self.incomplete.contains(id) => {}
            (_, None) => {
                let event_type = event.name().to_owned();
                return Err(PictureError::NotOpened { subject: event.subject.clone(), event_type });
            }
        }
        Ok(())
    }

    fn agent_state_changed(&mut self, it: &AgentStateChanged, event: &Event) {
        let presence = Presence {
            agent_id: it.agent_id.clone(),
            state: it.to,
            away_reason: it.away_reason.clone(),
            state_start_time: event.time,
            ..Presence::default()
        };
        self.agents.insert(it.agent_id.clone(), presence);
    }

    fn directory_changed(&mut self, it: &DirectoryChanged, event: &Event) {
        match (it.what(), it.change()) {
            (What::Agent, Change::Created) => {
                let presence = Presence {
                    agent_id: it.id.clone(),
                    state: AgentState::Offline.into(),
                    state_start_time: event.time,
                    ..Presence::default()
                };
                self.agents.insert(it.id.clone(), presence);
            }
            (What::Agent, Change::Deleted) => drop(self.agents.remove(&it.id)),
            (What::Site, Change::Deleted) => drop(self.sites.remove(&it.id)),
            (What::Site, _) => {
                if let Some(site) = &it.site {
                    self.sites.insert(it.id.clone(), site.clone());
                }
            }
            (What::Team, Change::Deleted) => drop(self.teams.remove(&it.id)),
            (What::Team, _) => {
                if let Some(team) = &it.team {
                    self.teams.insert(it.id.clone(), team.clone());
                }
            }
            _ => {}
        }
    }

    fn routing_changed(&mut self, it: &RoutingChanged) {
        let Some(Configuration::Queue(queue)) = &it.configuration else { return };
        match it.change() {
            Change::Deleted => drop(self.queues.remove(&queue.queue_id)),
            _ => drop(self.queues.insert(queue.queue_id.clone(), queue.clone())),
        }
    }

    /// Who they are is erased from their calls that are over, as the API does.
    fn customer_forgotten(&mut self, it: &CustomerForgotten) {
        for call in self.calls.values_mut() {
            call.forget_customer(&it.customer_key);
        }
    }
}

/// Whom a call occupies, and how.
fn engagements_in(call: &CallPicture) -> impl Iterator<Item = (&str, Engagement)> {
    let interaction = &call.interaction;
    interaction.parties.iter().filter(|party| party.external.is_none()).filter_map(|party| {
        let state = match party.leg_state() {
            LegState::Up => engagement::State::Engaged,
            LegState::Ringing => engagement::State::Reserved,
            // Nobody has said yet that they are.
            _ => return None,
        };
        let (interaction_id, medium) = (interaction.interaction_id.clone(), interaction.medium);
        Some((party.agent_id.as_str(), Engagement { interaction_id, medium, state: state.into() }))
    })
}

#[cfg(test)]
mod tests;
