//! The contract: code generated from `proto/`, the one error type that all services answer with, and the pages of
//! their lists.
//!
//! A package `baton.<area>.v1` is the module `<area>::v1`; adding a `.proto` file below `proto/baton/` is all that it
//! takes to add one (see `build.rs`).

mod brief;
pub mod error;
pub mod page;

#[expect(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    reason = "generated; `missing_docs` stays on, so that an uncommented field in a proto is noticed"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

pub use error::{ApiError, Kind, Outcome};
pub use generated::*;

/// All descriptors of the contract, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("baton_descriptor");
