//! The two gRPC services: requests into types, errors into statuses, nothing else.

mod archive;
pub(crate) mod convert;
pub(crate) mod parse;
mod recording;

pub use archive::ArchiveApi;
pub use recording::RecordingApi;
