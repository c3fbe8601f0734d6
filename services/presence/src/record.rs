//! Agents and teams as they are read in one piece: from the database into memory, and from there to callers.

use std::collections::BTreeSet;

use baton_api::common::v1::{Medium, Skill};
use baton_api::presence::v1::InboxItem;
use baton_runtime::auth::TenantId;

use crate::ids::{AgentId, SiteId, TeamId};
use crate::status::{AgentStatus, Occupied, ShownState};
use baton_store::Etag;

/// The fields of an agent that an admin sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AgentProfile {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) voicemail: bool,
    pub(crate) capacity: Capacity,
    /// What they can do, by name.
    pub(crate) skills: Vec<Skill>,
    /// Where they work.
    pub(crate) site: Option<SiteId>,
}

/// How many interactions of each medium an agent may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Capacity {
    #[sqlx(rename = "voice_capacity")]
    pub(crate) voice: i64,
    #[sqlx(rename = "chat_capacity")]
    pub(crate) chat: i64,
    #[sqlx(rename = "video_capacity")]
    pub(crate) video: i64,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { voice: 1, chat: 3, video: 1 }
    }
}

/// What an agent needs room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum ClaimMedium {
    /// A call: it takes their phone, too.
    #[default]
    Voice,
    Chat,
}

impl ClaimMedium {
    /// As it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Chat => "chat",
        }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Voice, Self::Chat].into_iter().find(|medium| medium.name() == name)
    }

    /// Where nothing is said, a call is meant.
    pub(crate) fn of(medium: Medium) -> Self {
        if medium == Medium::Chat { Self::Chat } else { Self::Voice }
    }
}

/// The fields of an agent that an update changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProfileChange {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) voicemail: Option<bool>,
    pub(crate) capacity: Option<Capacity>,
    pub(crate) skills: Option<Vec<Skill>>,
    #[expect(clippy::option_option, reason = "it may be changed to none")]
    pub(crate) site: Option<Option<SiteId>>,
}

impl ProfileChange {
    /// The profile after the change.
    pub(crate) fn of(&self, before: &AgentProfile) -> AgentProfile {
        let text = |new: &Option<String>, old: &String| new.as_ref().unwrap_or(old).clone();
        AgentProfile {
            name: text(&self.name, &before.name),
            email: text(&self.email, &before.email),
            phone: text(&self.phone, &before.phone),
            voicemail: self.voicemail.unwrap_or(before.voicemail),
            capacity: self.capacity.unwrap_or(before.capacity),
            skills: self.skills.as_ref().unwrap_or(&before.skills).clone(),
            site: self.site.unwrap_or(before.site),
        }
    }
}

/// What an update of a team changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TeamChange {
    pub(crate) name: Option<String>,
    pub(crate) members: Option<BTreeSet<AgentId>>,
}

/// An agent with their status and the claim on them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgentRecord {
    pub(crate) tenant: TenantId,
    pub(crate) id: AgentId,
    pub(crate) profile: AgentProfile,
    pub(crate) etag: Etag,
    /// 1, 2, 3… with each change of anything in here: of two records the one with the greater version is newer.
    pub(crate) version: i64,
    pub(crate) status: AgentStatus,
    /// Those that occupy them, the oldest first: at most one for a call, and so many for chats as they have room for.
    pub(crate) claims: Vec<ActiveClaim>,
    /// Those that wait until they are free, in order.
    pub(crate) queued: Vec<QueuedClaim>,
}

/// A claim that occupies an agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ActiveClaim {
    pub(crate) claim_id: String,
    pub(crate) interaction_id: String,
    pub(crate) medium: ClaimMedium,
    pub(crate) occupied: Occupied,
    pub(crate) since_us: i64,
    /// As the interaction described it; [`crate::convert::inbox_item`] completes it.
    pub(crate) inbox: InboxItem,
}

/// A claim that waits until its agent is free (B504).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueuedClaim {
    pub(crate) claim_id: String,
    pub(crate) interaction_id: String,
    pub(crate) agent: AgentId,
    /// The states in which the agent may be reserved.
    pub(crate) choosable: Vec<ShownState>,
    pub(crate) expires_at_us: i64,
    pub(crate) since_us: i64,
    /// As the interaction described it.
    pub(crate) inbox: InboxItem,
}

impl QueuedClaim {
    pub(crate) fn medium(&self) -> ClaimMedium {
        ClaimMedium::of(self.inbox.medium())
    }
}

/// The first claim that waits for an agent in this status and may have them now.
pub(crate) fn next_of<'a>(status: &AgentStatus, queued: &'a [QueuedClaim], now_us: i64) -> Option<&'a QueuedClaim> {
    let state = status.state();
    let may_have = |it: &&QueuedClaim| it.choosable.contains(&state) && it.expires_at_us > now_us;
    queued.iter().find(|it| may_have(it) && status.can_be_claimed_for(it.medium()))
}

/// A team with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TeamRecord {
    pub(crate) tenant: TenantId,
    pub(crate) id: TeamId,
    pub(crate) name: String,
    pub(crate) members: BTreeSet<AgentId>,
    pub(crate) etag: Etag,
    /// Like an agent's.
    pub(crate) version: i64,
}

/// A place where agents work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteRecord {
    pub(crate) tenant: TenantId,
    pub(crate) id: SiteId,
    pub(crate) name: String,
    pub(crate) etag: Etag,
    /// Like an agent's.
    pub(crate) version: i64,
}
