//! Audio: what a WAV file is, where files are kept, how one is taken in and how several are given out as one.

pub(crate) mod files;
pub(crate) mod intake;
pub(crate) mod out;
pub(crate) mod playback;
pub(crate) mod wav;
