//! The contract: code generated from `proto/`, how the shared closed lists are written in it, the one error type that all services answer
//! with, and the pages of their lists; the fields of a request that are wrong are joined into one error by [`fields`].
//!
//! A package `baton.<area>.v1` is the module `<area>::v1`. To add one, add a `.proto` file below `proto/baton/` (see
//! `build.rs`).

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

pub mod actor_text;
pub mod data_class;
pub mod error;
pub mod event_subject;
pub mod event_type;
pub mod fields;
mod header_limit;
pub mod mask;
pub mod name;
pub mod nats_text;
mod nearest;
pub mod page;
mod people;
pub mod picker;
pub mod plain;
pub mod read_mask;
pub mod skill;
pub mod telephone;
mod wire;
mod words;

#[expect(clippy::all, clippy::pedantic, clippy::allow_attributes, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

pub use error::{ApiError, ErrorKind, Outcome};
pub use generated::*;
pub use nearest::nearest;
pub use words::Known;

/// All descriptors of the contract, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("baton_descriptor");

/// The same, to be asked: what messages and fields there are, and their options.
pub(crate) static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // The build made them; what can't be read conceals everything.
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default()
});
