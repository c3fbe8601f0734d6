//! From what is known to what callers see.

use baton_api::common::v1::{AgentRef, Target, target};
use baton_api::presence::v1::{Agent, AgentState, Inbox, InboxItem, Presence, Team};
use prost_types::Timestamp;

use crate::ids::{AgentId, TeamId};
use crate::record::{ActiveClaim, AgentRecord, Profile, TeamRecord};
use crate::state::{State, Taken};

/// A moment on the wire.
pub(crate) fn timestamp(us: i64) -> Timestamp {
    Timestamp { seconds: us.div_euclid(1_000_000), nanos: (us.rem_euclid(1_000_000) * 1_000) as i32 }
}

/// A state on the wire.
pub(crate) fn agent_state(state: State) -> AgentState {
    match state {
        State::Offline => AgentState::Offline,
        State::Available => AgentState::Available,
        State::Away => AgentState::Away,
        State::WrapUp => AgentState::WrapUp,
        State::NotResponding => AgentState::NotResponding,
    }
}

/// How an agent is.
pub(crate) fn presence(record: &AgentRecord) -> Presence {
    let standing = &record.standing;
    Presence {
        agent_id: record.id.to_string(),
        state: agent_state(standing.state()) as i32,
        away_reason: standing.away_reason().to_owned(),
        reserved: standing.taken == Some(Taken::Reserved),
        engaged: standing.taken == Some(Taken::Engaged),
        state_since: Some(timestamp(standing.state_since_us)),
    }
}

/// What concerns an agent now.
pub(crate) fn inbox(record: &AgentRecord) -> Inbox {
    Inbox { active: record.claim.iter().map(inbox_item).collect() }
}

fn inbox_item(claim: &ActiveClaim) -> InboxItem {
    let mut item = claim.inbox.clone();
    item.interaction_id.clone_from(&claim.interaction_id);
    item.offered = claim.taken == Taken::Reserved;
    item.since.get_or_insert_with(|| timestamp(claim.since_us));
    item
}

/// An agent as an admin sees them.
pub(crate) fn agent(id: AgentId, profile: &Profile) -> Agent {
    Agent {
        agent_id: id.to_string(),
        name: profile.name.clone(),
        email: profile.email.clone(),
        phone: profile.phone.clone(),
        voicemail: profile.voicemail,
    }
}

/// A team as an admin sees it.
pub(crate) fn team(record: &TeamRecord) -> Team {
    Team {
        team_id: record.id.to_string(),
        name: record.name.clone(),
        agent_ids: record.members.iter().map(AgentId::to_string).collect(),
    }
}

/// An agent as the other services need them.
pub(crate) fn agent_ref(record: &AgentRecord) -> AgentRef {
    AgentRef {
        agent_id: record.id.to_string(),
        name: record.profile.name.clone(),
        phone: record.profile.phone.clone(),
        voicemail: record.profile.voicemail,
    }
}

/// An agent as a target.
pub(crate) fn agent_target(id: AgentId) -> Target {
    Target { target: Some(target::Target::AgentId(id.to_string())) }
}

/// A team as a target.
pub(crate) fn team_target(id: TeamId) -> Target {
    Target { target: Some(target::Target::TeamId(id.to_string())) }
}
