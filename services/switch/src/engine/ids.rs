//! The ids of the objects on the switch.
//!
//! An id is chosen by a client and ends up in file names and in the ledger, so its alphabet is closed here, once. Ids of attempts
//! (legs, playbacks, recordings, exits) are good for one attempt: [`UsedIds`] remembers them long after the attempt is over,
//! because a client that lost an answer asks again, and must not ring a phone twice by that.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::SwitchError;

const LONGEST: usize = 128;

fn is_well_formed(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name of this sort of object in messages.
            pub const WHAT: &'static str = $what;

            /// Checks the alphabet and the length.
            pub fn parse(text: &str) -> Result<Self, SwitchError> {
                if is_well_formed(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(SwitchError::invalid(
                        $field,
                        "must be 1 to 128 characters of A-Z a-z 0-9 . _ - and not begin with a dot",
                    ))
                }
            }

            /// As the client wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn not_found(&self) -> SwitchError {
                SwitchError::NotFound { what: Self::WHAT, id: self.to_string() }
            }

            pub fn used(&self) -> SwitchError {
                SwitchError::IdUsed { what: Self::WHAT, id: self.to_string() }
            }

            /// The object exists, but `why` prevents the command.
            pub fn wrong_state(&self, why: &'static str) -> SwitchError {
                SwitchError::WrongState { what: Self::WHAT, id: self.to_string(), why }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One attempt to connect one phone.
    LegId, "leg", "leg_id"
);
id!(RoomId, "room", "room_id");
id!(
    /// One attempt to play one announcement.
    PlaybackId, "playback", "playback_id"
);
id!(
    /// One attempt to record.
    RecordingId, "recording", "recording_id"
);
id!(
    /// One attempt to send a leg out of the controller's hands.
    ExitId, "exit", "exit_id"
);

impl RecordingId {
    /// The id under which the message of an exit is kept.
    pub fn of_voicemail(exit: &ExitId) -> Self {
        Self(format!("vm-{exit}").into())
    }
}

/// The latest ids that were used.
pub type UsedIds<T> = LatestById<T, ()>;

/// What is known of the latest ids; the oldest is forgotten first.
#[derive(Debug)]
pub struct LatestById<T, V> {
    known: HashMap<T, V>,
    order: VecDeque<T>,
    limit: usize,
}

impl<T: Clone + Eq + std::hash::Hash, V> LatestById<T, V> {
    /// Remembers at most `limit` ids.
    pub fn new(limit: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), limit }
    }

    pub fn contains(&self, id: &T) -> bool {
        self.known.contains_key(id)
    }

    pub fn get(&self, id: &T) -> Option<&V> {
        self.known.get(id)
    }

    /// Puts the value, over an older one. `false` if the id was there before.
    pub fn put(&mut self, id: T, value: V) -> bool {
        if self.known.insert(id.clone(), value).is_some() {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

impl<T: Clone + Eq + std::hash::Hash> UsedIds<T> {
    /// `false` if the id was used before.
    pub fn insert(&mut self, id: T) -> bool {
        self.put(id, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_be_a_path() {
        for text in ["", ".", "..", "../x", "a/b", "a\\b", "a b", "a\0", "ü", &"x".repeat(129)] {
            assert!(LegId::parse(text).is_err(), "{text:?}");
        }
        for text in ["a", "leg-1", "01890a5d-ac96-774b-bcce-b302099a8057", "A_b.c"] {
            assert_eq!(LegId::parse(text).map(|id| id.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn the_oldest_used_id_is_forgotten_first() {
        let mut used = UsedIds::new(2);
        assert!(used.insert(1) && used.insert(2) && !used.insert(1) && used.insert(3));
        assert!(!used.contains(&1) && used.contains(&2) && used.contains(&3));
    }
}
