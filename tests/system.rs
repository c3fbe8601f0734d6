//! Tests of the whole system: the built binary, driven over gRPC, checked by what the phones heard, the recordings, and the events.
//! This file is the table of contents.
//!
//! - [`conformance`]: what Baton must do, row by row; each scenario is named after its row. All share one Baton, each in a tenant of
//!   its own, twelve at a time.
//! - [`crash`]: `up` or the switch is killed at the worst moments; a Baton of its own each.
//! - [`edge`]: what one peer or tenant can take away from the others.
//! - [`access`]: access by role and token; separation of tenants; bad input.
//! - [`harness`]: runs scenarios and checks their results. Rows that are not built yet are in `pending.toml`.
//!
//! `cargo test -p baton-server --test system -- b103` runs one row; `--list` lists them. `TESTED_BINARY=target/release/baton` tests another
//! build.

mod access;
mod conformance;
mod crash;
mod edge;
mod harness;

use std::path::Path;
use std::process::ExitCode;

use crate::harness::suite;

fn main() -> ExitCode {
    // The longest first, so that they don't run alone at the end.
    let scenarios = [crash::scenarios(), conformance::scenarios(), access::scenarios(), edge::scenarios()].concat();
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, not a setting of Baton")]
    let other = std::env::var_os("TESTED_BINARY");
    suite::run(other.as_deref().map_or(Path::new(env!("CARGO_BIN_EXE_baton")), Path::new), scenarios)
}
