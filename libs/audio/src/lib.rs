//! Sound as files and as numbers: WAV files, and which tones are heard in a piece of sound. Pure: nothing here reads or writes anything.

pub mod tones;
pub mod wav;
