//! The two gRPC services: they parse requests and convert errors, nothing else.

mod archive;
pub(crate) mod convert;
pub(crate) mod parse;
mod recording;

pub use archive::ArchiveApi;
pub use recording::RecordingApi;
