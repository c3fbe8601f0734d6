//! Records become messages of the contract.

use baton_api::common::v1::{AgentRef, Target, TeamRef, target};
use baton_api::presence::v1::{
    Agent, AgentState, Capacity, Engagement, Inbox, InboxItem, MediumAvailability, Obstacle, PickerTarget, Presence,
    Site, Team, engagement,
};
use prost_types::Timestamp;

use crate::availability::{self, availability};
use crate::ids::{AgentId, SiteId, TeamId};
use crate::record::{self, ActiveClaim, AgentRecord, SiteRecord, TeamRecord};
use crate::status::{Occupied, ShownState};

pub(crate) fn timestamp(us: i64) -> Timestamp {
    Timestamp { seconds: us.div_euclid(1_000_000), nanos: (us.rem_euclid(1_000_000) * 1_000) as i32 }
}

pub(crate) fn agent_state(state: ShownState) -> AgentState {
    state.into()
}

pub(crate) fn presence(record: &AgentRecord) -> Presence {
    let status = &record.status;
    Presence {
        agent_id: record.id.to_string(),
        state: agent_state(status.state()) as i32,
        away_reason: status.away_reason().to_owned(),
        engagements: record.claims.iter().map(engagement).collect(),
        state_start_time: Some(timestamp(status.state_since_us)),
        phone_in_use: status.phone_in_use,
        disposition_due_interaction_ids: status.wrap_up.iter().flat_map(|it| it.due.clone()).collect(),
    }
}

/// The same as colleagues see it: not in which interactions the agent is.
pub(crate) fn presence_to_colleagues(record: &AgentRecord) -> Presence {
    let mut presence = presence(record);
    presence.engagements.iter_mut().for_each(|it| it.interaction_id.clear());
    presence.disposition_due_interaction_ids.clear();
    presence
}

fn engagement(claim: &ActiveClaim) -> Engagement {
    let state = match claim.occupied {
        Occupied::Reserved => engagement::State::Reserved,
        Occupied::Engaged => engagement::State::Engaged,
    };
    Engagement { interaction_id: claim.interaction_id.clone(), medium: claim.inbox.medium, state: state.into() }
}

pub(crate) fn inbox(record: &AgentRecord) -> Inbox {
    let waiting = record
        .queued
        .iter()
        .map(|queued| completed(queued.inbox.clone(), &queued.interaction_id, true, queued.since_us));
    Inbox { active: record.claims.iter().map(inbox_item).collect(), waiting: waiting.collect() }
}

fn inbox_item(claim: &ActiveClaim) -> InboxItem {
    let offered = claim.occupied == Occupied::Reserved;
    completed(claim.inbox.clone(), &claim.interaction_id, offered, claim.since_us)
}

fn completed(mut item: InboxItem, interaction_id: &str, offered: bool, since_us: i64) -> InboxItem {
    interaction_id.clone_into(&mut item.interaction_id);
    item.offered = offered;
    item.start_time.get_or_insert_with(|| timestamp(since_us));
    item
}

/// An agent as the directory shows them.
pub(crate) fn agent(record: &AgentRecord) -> Agent {
    let profile = &record.profile;
    Agent {
        agent_id: record.id.to_string(),
        name: profile.name.clone(),
        email: profile.email.clone(),
        phone: profile.phone.clone(),
        voicemail: profile.voicemail,
        skills: profile.skills.clone(),
        etag: record.etag.as_str().to_owned(),
        capacity: Some(capacity(profile.capacity)),
        site_id: id_text(profile.site),
    }
}

pub(crate) fn capacity(of: record::Capacity) -> Capacity {
    Capacity { voice: of.voice as u32, chat: of.chat as u32, video: of.video as u32 }
}

/// Empty: there is none.
pub(crate) fn id_text(id: Option<SiteId>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// A site as the directory shows it.
pub(crate) fn site(record: &SiteRecord) -> Site {
    Site { site_id: record.id.to_string(), name: record.name.clone(), etag: record.etag.as_str().to_owned() }
}

/// A team as the directory shows it.
pub(crate) fn team(record: &TeamRecord) -> Team {
    Team {
        team_id: record.id.to_string(),
        name: record.name.clone(),
        agent_ids: record.members.iter().map(AgentId::to_string).collect(),
        etag: record.etag.as_str().to_owned(),
    }
}

/// An agent as the other services get them.
pub(crate) fn agent_ref(record: &AgentRecord) -> AgentRef {
    AgentRef {
        agent_id: record.id.to_string(),
        name: record.profile.name.clone(),
        phone: record.profile.phone.clone(),
        voicemail: record.profile.voicemail,
    }
}

/// A team as the other services get it.
pub(crate) fn team_ref(record: &TeamRecord) -> TeamRef {
    TeamRef { team_id: record.id.to_string(), name: record.name.clone() }
}

/// An agent in a picker, with the site at which they work.
pub(crate) fn picker_agent(agent: &AgentRecord, site: Option<&SiteRecord>) -> PickerTarget {
    let obstacle = availability::obstacle(&agent.status);
    PickerTarget {
        target: Some(agent_target(agent.id)),
        name: agent.profile.name.clone(),
        email: agent.profile.email.clone(),
        presence: Some(presence_to_colleagues(agent)),
        available: obstacle.is_none(),
        available_agents: 0,
        media: availability(agent).into_iter().map(medium).collect(),
        obstacle: wire_obstacle(obstacle).into(),
        site_id: id_text(agent.profile.site),
        site_name: site.map(|site| site.name.clone()).unwrap_or_default(),
        waiting: i32::try_from(agent.queued.len()).unwrap_or(i32::MAX),
        waiting_start_time: agent.queued.iter().map(|it| it.since_us).min().map(timestamp),
    }
}

/// A team in a picker, with so many members who can be had, of so many whom the caller could reach.
pub(crate) fn picker_team(team: &TeamRecord, available: usize, others: usize) -> PickerTarget {
    let obstacle = match (available, others) {
        (1.., _) => Obstacle::Unspecified,
        (0, 0) => Obstacle::NoMembers,
        (0, _) => Obstacle::NobodyAvailable,
    };
    PickerTarget {
        target: Some(team_target(team.id)),
        name: team.name.clone(),
        available: available > 0,
        available_agents: i32::try_from(available).unwrap_or(i32::MAX),
        obstacle: obstacle.into(),
        ..PickerTarget::default()
    }
}

fn medium(it: availability::MediumAvailability) -> MediumAvailability {
    MediumAvailability {
        medium: it.medium.into(),
        available: it.obstacle.is_none(),
        obstacle: wire_obstacle(it.obstacle).into(),
        capacity: it.capacity,
        in_use: it.in_use,
    }
}

fn wire_obstacle(obstacle: Option<availability::Obstacle>) -> Obstacle {
    use availability::Obstacle as Known;
    match obstacle {
        None => Obstacle::Unspecified,
        Some(Known::Offline) => Obstacle::Offline,
        Some(Known::Away) => Obstacle::Away,
        Some(Known::WrapUp) => Obstacle::WrapUp,
        Some(Known::NotResponding) => Obstacle::NotResponding,
        Some(Known::Reserved) => Obstacle::Reserved,
        Some(Known::InCall) => Obstacle::InCall,
        Some(Known::PhoneInUse) => Obstacle::PhoneInUse,
        Some(Known::CapacityFull) => Obstacle::CapacityFull,
        Some(Known::NotServed) => Obstacle::NotServed,
    }
}

pub(crate) fn agent_target(id: AgentId) -> Target {
    Target { target: Some(target::Target::AgentId(id.to_string())) }
}

pub(crate) fn team_target(id: TeamId) -> Target {
    Target { target: Some(target::Target::TeamId(id.to_string())) }
}
