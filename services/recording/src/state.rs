//! How far a recording is: a pure function of what is known of it and of its segments.
//!
//! Events and audio come on different ways and in any order, so nothing counts steps: whenever something is learnt, the
//! state is computed anew, and what is published follows from the difference.

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The turn goes on, or audio is still on its way.
    Recording,
    /// Every segment is stored and checked.
    Stored,
    /// Some audio was lost.
    Incomplete,
    /// Nobody may listen any more.
    Deleted,
}

impl State {
    /// The word in the database.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Recording => "RECORDING",
            Self::Stored => "STORED",
            Self::Incomplete => "INCOMPLETE",
            Self::Deleted => "DELETED",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Recording, Self::Stored, Self::Incomplete, Self::Deleted].into_iter().find(|it| it.word() == word)
    }
}

/// What has become of a segment's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audio {
    /// It has not come yet.
    Awaited,
    /// It is stored and checked.
    Stored,
    /// It can't be had.
    Lost,
    /// It was stored, and deleted.
    Deleted,
}

impl Audio {
    /// The word in the database.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Awaited => "AWAITED",
            Self::Stored => "STORED",
            Self::Lost => "LOST",
            Self::Deleted => "DELETED",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Awaited, Self::Stored, Self::Lost, Self::Deleted].into_iter().find(|it| it.word() == word)
    }
}

/// What counts of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentState {
    /// What has become of its audio.
    pub(crate) audio: Audio,
    /// The switch could not write it. Audio that came all the same is worth more than this.
    pub(crate) failed: bool,
    /// The switch died while it wrote it: the end may be missing.
    pub(crate) torn: bool,
}

impl SegmentState {
    /// Nothing of it will ever be heard.
    pub(crate) fn is_lost(self) -> bool {
        self.audio == Audio::Lost || (self.failed && self.audio == Audio::Awaited)
    }

    fn is_settled(self) -> bool {
        self.audio != Audio::Awaited || self.failed
    }
}

/// How far a recording is that has not been deleted.
pub(crate) fn state_of(has_ended: bool, segments: &[SegmentState]) -> State {
    if !has_ended || segments.iter().any(|it| !it.is_settled()) {
        State::Recording
    } else if segments.iter().any(|it| it.is_lost() || it.torn) {
        State::Incomplete
    } else {
        State::Stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(audio: Audio) -> SegmentState {
        SegmentState { audio, failed: false, torn: false }
    }

    #[test]
    fn a_turn_that_goes_on_is_recording_whatever_is_stored() {
        assert_eq!(state_of(false, &[segment(Audio::Stored)]), State::Recording);
        assert_eq!(state_of(false, &[]), State::Recording);
    }

    #[test]
    fn audio_on_its_way_is_waited_for() {
        assert_eq!(state_of(true, &[segment(Audio::Stored), segment(Audio::Awaited)]), State::Recording);
        assert_eq!(state_of(true, &[segment(Audio::Stored), segment(Audio::Stored)]), State::Stored);
    }

    #[test]
    fn a_turn_in_which_nothing_was_recorded_is_complete() {
        assert_eq!(state_of(true, &[]), State::Stored);
    }

    #[test]
    fn lost_failed_and_torn_audio_makes_it_incomplete() {
        let failed = SegmentState { failed: true, ..segment(Audio::Awaited) };
        let torn = SegmentState { torn: true, ..segment(Audio::Stored) };
        for bad in [segment(Audio::Lost), failed, torn] {
            assert_eq!(state_of(true, &[segment(Audio::Stored), bad]), State::Incomplete, "{bad:?}");
        }
    }

    #[test]
    fn audio_that_came_after_all_is_worth_more_than_a_failure() {
        let late = SegmentState { failed: true, ..segment(Audio::Stored) };
        assert_eq!(state_of(true, &[late]), State::Stored);
    }

    #[test]
    fn words_read_back() {
        for state in [State::Recording, State::Stored, State::Incomplete, State::Deleted] {
            assert_eq!(State::parse(state.word()), Some(state));
        }
        for audio in [Audio::Awaited, Audio::Stored, Audio::Lost, Audio::Deleted] {
            assert_eq!(Audio::parse(audio.word()), Some(audio));
        }
    }
}
