//! Audio: the storage of files, uploads of one file, and downloads of several as one.

pub(crate) mod bucket;
pub(crate) mod chunks;
pub(crate) mod download;
pub(crate) mod files;
pub(crate) mod intake;
pub(crate) mod probe;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod upload;
