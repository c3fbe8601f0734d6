//! Sound on its way to a file: gathered frame by frame, handed out in chunks.

use super::effect::{Effect, TrackAbout, TrackKey};
use super::tones::{FRAME_SAMPLES, SAMPLE_US};

/// A file of sound that is being written.
#[derive(Debug)]
pub(crate) struct Track {
    key: TrackKey,
    started_at_us: i64,
    samples: i64,
    longest: i64,
    chunk: usize,
    pending: Vec<i16>,
}

/// Sizes of a track. Samples of an unfinished chunk are lost when the switch is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrackLimits {
    /// Frames in a chunk.
    pub(crate) frames: usize,
    /// Samples after which no more is kept.
    pub(crate) longest: i64,
}

impl Track {
    pub(crate) fn open(key: TrackKey, about: TrackAbout, limits: TrackLimits, effects: &mut Vec<Effect>) -> Self {
        let chunk = limits.frames * FRAME_SAMPLES;
        let track = Self {
            key: key.clone(),
            started_at_us: about.started_at_us,
            samples: 0,
            longest: limits.longest,
            chunk,
            pending: Vec::with_capacity(chunk),
        };
        effects.push(Effect::TrackOpened { key, about });
        track
    }

    pub(crate) fn push(&mut self, frame: &[i16], effects: &mut Vec<Effect>) {
        if self.is_truncated() {
            return;
        }
        self.pending.extend_from_slice(frame);
        self.samples += frame.len() as i64;
        if self.pending.len() >= self.chunk {
            self.flush(effects);
        }
    }

    /// Hands out the unfinished chunk.
    pub(crate) fn flush(&mut self, effects: &mut Vec<Effect>) {
        if !self.pending.is_empty() {
            let samples = std::mem::replace(&mut self.pending, Vec::with_capacity(self.chunk));
            effects.push(Effect::TrackAppended { key: self.key.clone(), samples });
        }
    }

    /// Hands out the rest, and ends the file.
    pub(crate) fn close(mut self, ended_at_us: i64, effects: &mut Vec<Effect>) {
        self.flush(effects);
        effects.push(Effect::TrackClosed { key: self.key, ended_at_us });
    }

    pub(crate) fn started_at_us(&self) -> i64 {
        self.started_at_us
    }

    pub(crate) fn samples(&self) -> i64 {
        self.samples
    }

    /// The time after the last sample.
    pub(crate) fn end_us(&self) -> i64 {
        self.started_at_us + self.samples * SAMPLE_US
    }

    /// Whether it has reached the longest that is kept.
    pub(crate) fn is_truncated(&self) -> bool {
        self.samples >= self.longest
    }
}
