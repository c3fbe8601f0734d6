//! Ids. Those that people and other services choose are UUIDs; what an interaction makes itself (legs, claims, segments) is
//! a number counted by the interaction, written for the outside as `<interaction>-<what>-<number>`. So the pure core needs no
//! randomness, and an id tells whose it is.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};
use uuid::Uuid;

/// The text is not an id of this sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct NotAnId(&'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::from_str(text).map(Self).map_err(|_| NotAnId($what))
            }
        }
    };
}

uuid_id!(
    /// A call as the customer lives it.
    InteractionId, "an interaction id (a UUID)"
);
uuid_id!(
    /// Somebody who talks to customers; the subject of their token.
    AgentId, "an agent id (a UUID)"
);
uuid_id!(
    /// A group of agents.
    TeamId, "a team id (a UUID)"
);
uuid_id!(
    /// A queue: customers who wait for whoever has the skills.
    QueueId, "a queue id (a UUID)"
);
uuid_id!(
    /// An IVR flow.
    IvrFlowId, "an IVR flow id (a UUID)"
);

/// A telephone switch of the installation: 1 to 63 of a-z, 0-9 and `-`. The operator names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SwitchId(Arc<str>);

impl SwitchId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SwitchId {
    /// The only switch of a small installation.
    fn default() -> Self {
        Self("main".into())
    }
}

impl fmt::Display for SwitchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SwitchId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl FromStr for SwitchId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (1..=63).contains(&text.len()) && text.bytes().all(plain);
        if valid { Ok(Self(text.into())) } else { Err(NotAnId("a switch id (1 to 63 of a-z, 0-9 and `-`)")) }
    }
}

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $tag:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as the outside knows it.
            pub fn of(self, interaction: InteractionId) -> String {
                format!(concat!("{}-", $tag, "-{}"), interaction, self.0)
            }

            /// Reads an id of the outside.
            pub fn parse(text: &str) -> Result<(InteractionId, Self), NotAnId> {
                const WHAT: NotAnId = NotAnId(concat!("an id like <interaction>-", $tag, "-1"));
                let (interaction, number) = text.split_once(concat!("-", $tag, "-")).ok_or(WHAT)?;
                let number = number.parse().map_err(|_| WHAT)?;
                Ok((interaction.parse().map_err(|_| WHAT)?, Self(number)))
            }
        }
    };
}

numbered_id!(
    /// One attempt to connect one party. Number 1 is the customer's.
    LegNo, "leg"
);
numbered_id!(
    /// One attempt to have one agent.
    ClaimNo, "claim"
);
numbered_id!(
    /// One round of waiting for an agent of a team.
    WaitNo, "wait"
);
numbered_id!(
    /// One handing over.
    TransferNo, "transfer"
);
numbered_id!(
    /// One primary agent's tenure with the customer, as recorded: recording 1, recording 2.
    RecordingNo, "recording"
);
numbered_id!(
    /// One uninterrupted stretch of audio.
    SegmentNo, "segment"
);
numbered_id!(
    /// One announcement, played once.
    AnnouncementNo, "announcement"
);
numbered_id!(
    /// One attempt to leave to voicemail.
    ExitNo, "exit"
);

numbered_id!(
    /// Something that somebody wrote in a chat.
    MessageNo, "message"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_id_has_plain_characters() {
        assert_eq!("brussels-1".parse::<SwitchId>().map(|id| id.to_string()), Ok("brussels-1".to_owned()));
        for bad in ["", "Main", "a b", "a/b", "a".repeat(64).as_str()] {
            assert!(bad.parse::<SwitchId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_numbered_id_reads_back() {
        let interaction = InteractionId(Uuid::from_u128(7));
        let text = LegNo(3).of(interaction);
        assert_eq!(text, "00000000-0000-0000-0000-000000000007-leg-3");
        assert_eq!(LegNo::parse(&text), Ok((interaction, LegNo(3))));
        assert!(ClaimNo::parse(&text).is_err());
        assert!(LegNo::parse("x-leg-3").is_err());
        assert!(LegNo::parse("00000000-0000-0000-0000-000000000007-leg-").is_err());
    }
}
