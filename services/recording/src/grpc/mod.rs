//! The gRPC services: they parse requests and convert errors, nothing else.

mod archive;
pub(crate) mod convert;
pub(crate) mod parse;
mod recording;
mod voicemail;

pub use archive::ArchiveApi;
pub use recording::RecordingApi;
pub use voicemail::VoicemailApi;
