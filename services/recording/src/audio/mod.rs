//! Audio: WAV files, their storage, uploads of one file, and downloads of several as one.

pub(crate) mod chunks;
pub(crate) mod download;
pub(crate) mod files;
pub(crate) mod intake;
pub(crate) mod wav;
