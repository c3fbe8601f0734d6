//! The SQL statements, one file for each table.

pub(crate) mod dial_rules;
pub(crate) mod flows;
pub(crate) mod numbers;
pub(crate) mod waits;
