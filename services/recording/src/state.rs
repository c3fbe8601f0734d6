//! The state of a recording: a pure function of what is known of it and of its segments.
//!
//! Events and audio come from different sources and in any order, so no progress is counted: after every event and every
//! audio the state is computed anew, and what is published follows from the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordingState {
    /// The tenure goes on, or its end or audio is still expected.
    Recording,
    /// Every segment is stored and checked.
    Stored,
    /// Some audio was lost.
    Incomplete,
    /// It can't be downloaded any more; its files may still be in the storage.
    Deleted,
}

impl RecordingState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recording => "RECORDING",
            Self::Stored => "STORED",
            Self::Incomplete => "INCOMPLETE",
            Self::Deleted => "DELETED",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Recording, Self::Stored, Self::Incomplete, Self::Deleted].into_iter().find(|it| it.name() == name)
    }
}

/// The state of a segment's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AudioState {
    /// It has not been uploaded yet.
    Awaited,
    /// It is stored and checked.
    Stored,
    /// It will never be uploaded.
    Lost,
    /// It was stored, and deleted.
    Deleted,
}

impl AudioState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Awaited => "AWAITED",
            Self::Stored => "STORED",
            Self::Lost => "LOST",
            Self::Deleted => "DELETED",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Awaited, Self::Stored, Self::Lost, Self::Deleted].into_iter().find(|it| it.name() == name)
    }
}

/// What determines a recording's state, of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentState {
    pub(crate) audio: AudioState,
    /// The switch reported that it could not write it. Audio that is uploaded all the same counts more.
    pub(crate) failed: bool,
    /// The switch died while it wrote it: the end may be missing.
    pub(crate) torn: bool,
}

impl SegmentState {
    /// No audio of it is stored or will be.
    pub(crate) fn is_lost(self) -> bool {
        self.audio == AudioState::Lost || (self.failed && self.audio == AudioState::Awaited)
    }

    fn is_settled(self) -> bool {
        self.audio != AudioState::Awaited || self.failed
    }
}

/// The state of a recording that has not been deleted.
pub(crate) fn state_of(has_ended: bool, segments: &[SegmentState]) -> RecordingState {
    if !has_ended || segments.iter().any(|it| !it.is_settled()) {
        RecordingState::Recording
    } else if segments.iter().any(|it| it.is_lost() || it.torn) {
        RecordingState::Incomplete
    } else {
        RecordingState::Stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(audio: AudioState) -> SegmentState {
        SegmentState { audio, failed: false, torn: false }
    }

    #[test]
    fn a_tenure_that_goes_on_is_recording_whatever_is_stored() {
        assert_eq!(state_of(false, &[segment(AudioState::Stored)]), RecordingState::Recording);
        assert_eq!(state_of(false, &[]), RecordingState::Recording);
    }

    #[test]
    fn a_recording_waits_for_audio() {
        assert_eq!(
            state_of(true, &[segment(AudioState::Stored), segment(AudioState::Awaited)]),
            RecordingState::Recording
        );
        assert_eq!(state_of(true, &[segment(AudioState::Stored), segment(AudioState::Stored)]), RecordingState::Stored);
    }

    #[test]
    fn a_tenure_in_which_nothing_was_recorded_is_complete() {
        assert_eq!(state_of(true, &[]), RecordingState::Stored);
    }

    #[test]
    fn lost_failed_and_torn_audio_makes_it_incomplete() {
        let failed = SegmentState { failed: true, ..segment(AudioState::Awaited) };
        let torn = SegmentState { torn: true, ..segment(AudioState::Stored) };
        for bad in [segment(AudioState::Lost), failed, torn] {
            assert_eq!(state_of(true, &[segment(AudioState::Stored), bad]), RecordingState::Incomplete, "{bad:?}");
        }
    }

    #[test]
    fn audio_that_came_after_all_counts_more_than_a_failure() {
        let late = SegmentState { failed: true, ..segment(AudioState::Stored) };
        assert_eq!(state_of(true, &[late]), RecordingState::Stored);
    }

    #[test]
    fn names_read_back() {
        for state in
            [RecordingState::Recording, RecordingState::Stored, RecordingState::Incomplete, RecordingState::Deleted]
        {
            assert_eq!(RecordingState::parse(state.name()), Some(state));
        }
        for audio in [AudioState::Awaited, AudioState::Stored, AudioState::Lost, AudioState::Deleted] {
            assert_eq!(AudioState::parse(audio.name()), Some(audio));
        }
    }
}
