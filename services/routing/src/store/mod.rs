//! The statements, one file for each thing that is kept.

pub(crate) mod dial_rules;
pub(crate) mod flows;
pub(crate) mod numbers;
pub(crate) mod waits;
