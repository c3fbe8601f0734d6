//! What a party may do, one by one and as sets.

use crate::words::Kind;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What a party may do. In the order of `baton.common.v1.Action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is its own sentence; the contract documents them")]
pub enum Action {
    StartCold,
    StartWarm,
    Cancel,
    Complete,
    Decline,
    Hold,
    Resume,
    Mute,
    Unmute,
    Leave,
    End,
    Note,
    SetData,
    StartRecording,
    StopRecording,
    PauseRecording,
    ResumeRecording,
}

impl Action {
    /// Every action, in order.
    pub const ALL: [Self; 17] = [
        Self::StartCold,
        Self::StartWarm,
        Self::Cancel,
        Self::Complete,
        Self::Decline,
        Self::Hold,
        Self::Resume,
        Self::Mute,
        Self::Unmute,
        Self::Leave,
        Self::End,
        Self::Note,
        Self::SetData,
        Self::StartRecording,
        Self::StopRecording,
        Self::PauseRecording,
        Self::ResumeRecording,
    ];

    /// The action that starts a transfer of this kind.
    pub fn start(kind: Kind) -> Self {
        match kind {
            Kind::Cold => Self::StartCold,
            Kind::Warm => Self::StartWarm,
        }
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActionSet(u32);

impl ActionSet {
    /// With this one.
    #[must_use]
    pub fn with(self, action: Action) -> Self {
        Self(self.0 | 1 << action as u32)
    }

    /// Whether it is in it.
    pub fn contains(self, action: Action) -> bool {
        self.0 & (1 << action as u32) != 0
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
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ActionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let actions = Vec::<Action>::deserialize(deserializer)?;
        let by_policy = [Action::Hold, Action::Resume, Action::Cancel, Action::Complete];
        match actions.iter().find(|action| !by_policy.contains(action)) {
            Some(other) => Err(D::Error::custom(format!(
                "{other:?} is not for a phase to permit; these are: hold, resume, cancel, complete"
            ))),
            None => Ok(actions.into_iter().collect()),
        }
    }
}
