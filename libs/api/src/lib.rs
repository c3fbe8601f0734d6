//! The contract: code generated from `proto/`, how the shared closed lists are written in it, the one error type that all services answer
//! with, and the pages of their lists; the fields of a request that are wrong are joined into one error by [`fields`].
//!
//! A package `baton.<area>.v1` is the module `<area>::v1`. To add one, add a `.proto` file below `proto/baton/` (see
//! `build.rs`).

pub mod error;
pub mod fields;
mod header_limit;
pub mod mask;
pub mod page;
mod wire;
mod words;

#[expect(clippy::all, clippy::pedantic, clippy::allow_attributes, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

pub use error::{ApiError, ErrorKind, Outcome};
pub use generated::*;
pub use words::Known;

/// All descriptors of the contract, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("baton_descriptor");
