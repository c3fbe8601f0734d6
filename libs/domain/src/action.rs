//! What a party may do, one by one and as sets.

use baton_words::{Medium, TransferKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// What a party may do. The contract's `baton.common.v1.Action` documents each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Start(TransferKind),
    Cancel,
    Complete,
    Swap,
    Decline,
    Hold,
    Resume,
    Mute,
    Unmute,
    Leave,
    End,
    Note,
    SetData,
    Disposition,
    StartRecording,
    StopRecording,
    PauseRecording,
    ResumeRecording,
    Accept,
    SendMessage,
}

impl Action {
    /// Every action, in order.
    pub const ALL: [Self; 23] = [
        Self::Start(TransferKind::Cold),
        Self::Start(TransferKind::OnAnswer),
        Self::Start(TransferKind::Warm),
        Self::Cancel,
        Self::Complete,
        Self::Swap,
        Self::Decline,
        Self::Hold,
        Self::Resume,
        Self::Mute,
        Self::Unmute,
        Self::Leave,
        Self::End,
        Self::Note,
        Self::SetData,
        Self::Disposition,
        Self::StartRecording,
        Self::StopRecording,
        Self::PauseRecording,
        Self::ResumeRecording,
        Self::Start(TransferKind::RoundTrip),
        Self::Accept,
        Self::SendMessage,
    ];

    /// The place in [`Action::ALL`]. Exhaustive, so that a new action can't be forgotten there: a test compares the two.
    const fn index(self) -> u32 {
        match self {
            Self::Start(TransferKind::Cold) => 0,
            Self::Start(TransferKind::OnAnswer) => 1,
            Self::Start(TransferKind::Warm) => 2,
            Self::Cancel => 3,
            Self::Complete => 4,
            Self::Swap => 5,
            Self::Decline => 6,
            Self::Hold => 7,
            Self::Resume => 8,
            Self::Mute => 9,
            Self::Unmute => 10,
            Self::Leave => 11,
            Self::End => 12,
            Self::Note => 13,
            Self::SetData => 14,
            Self::Disposition => 15,
            Self::StartRecording => 16,
            Self::StopRecording => 17,
            Self::PauseRecording => 18,
            Self::ResumeRecording => 19,
            Self::Start(TransferKind::RoundTrip) => 20,
            Self::Accept => 21,
            Self::SendMessage => 22,
        }
    }

    /// Whether it is an action of this medium at all: nobody is put on hold, muted or recorded where people write, and where a phone rings, it
    /// is the phone that accepts.
    pub fn is_of(self, medium: Medium) -> bool {
        match self {
            Self::Swap
            | Self::Hold
            | Self::Resume
            | Self::Mute
            | Self::Unmute
            | Self::StartRecording
            | Self::StopRecording
            | Self::PauseRecording
            | Self::ResumeRecording => !medium.is_written(),
            Self::Accept | Self::SendMessage => medium.is_written(),
            _ => true,
        }
    }

    /// What a policy may permit by phase, with the words that it uses.
    const BY_PHASE: [(&'static str, Self); 5] = [
        ("hold", Self::Hold),
        ("resume", Self::Resume),
        ("cancel", Self::Cancel),
        ("complete", Self::Complete),
        ("swap", Self::Swap),
    ];
}

/// In words for people: `start a transfer (warm)`, `set data`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start(kind) => return write!(f, "start a transfer ({kind})"),
            Self::Cancel => "cancel",
            Self::Complete => "complete",
            Self::Swap => "swap",
            Self::Decline => "decline",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Leave => "leave",
            Self::End => "end",
            Self::Note => "write a note",
            Self::SetData => "set data",
            Self::Disposition => "disposition",
            Self::StartRecording => "start recording",
            Self::StopRecording => "stop recording",
            Self::PauseRecording => "pause recording",
            Self::ResumeRecording => "resume recording",
            Self::Accept => "accept",
            Self::SendMessage => "send a message",
        })
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActionSet(u32);

impl ActionSet {
    pub(crate) const ALL: Self = Self((1 << Action::ALL.len()) - 1);

    #[must_use]
    pub fn with(self, action: Action) -> Self {
        Self(self.0 | 1 << action.index())
    }

    #[must_use]
    pub(crate) fn with_if(self, action: Action, allowed: bool) -> Self {
        Self(self.0 | u32::from(allowed) << action.index())
    }

    pub fn contains(self, action: Action) -> bool {
        self.0 & (1 << action.index()) != 0
    }

    /// Those of it that there are in this medium.
    #[must_use]
    pub(crate) fn of(self, medium: Medium) -> Self {
        self.iter().filter(|action| action.is_of(medium)).collect()
    }

    /// All in it, in order.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.contains(*action))
    }
}

impl FromIterator<Action> for ActionSet {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        actions.into_iter().fold(Self::default(), Self::with)
    }
}

impl Serialize for ActionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = Action::BY_PHASE.iter().filter(|(_, action)| self.contains(*action)).map(|(word, _)| word);
        serializer.collect_seq(words)
    }
}

impl<'de> Deserialize<'de> for ActionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let actions = words.iter().map(|word| {
            let known = Action::BY_PHASE.iter().find(|(own, _)| own == word).map(|(_, action)| *action);
            known.ok_or_else(|| {
                D::Error::custom(format!(
                    "`{word}` is not for a phase to permit; these are: hold, resume, cancel, complete, swap"
                ))
            })
        });
        actions.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        let refusal = crate::Refusal::NotNow(Action::Start(TransferKind::Warm)).to_string();
        assert_eq!(
            refusal,
            "to start a transfer (warm) is not possible now; the interaction says what is (allowed_actions)"
        );
        let other = crate::Refusal::OtherTransfer(baton_words::TransferNo(3)).to_string();
        assert_eq!(other, "transfer 3 is not open; another is, or none");
    }

    #[test]
    fn every_action_is_listed_at_its_index() {
        for (at, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index() as usize, at, "{action:?}");
        }
        let starts = Action::ALL.into_iter().filter(|action| matches!(action, Action::Start(_))).count();
        assert_eq!(starts, TransferKind::ALL.len());
    }
}
