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
//! build. `tests/postgres cargo test …` runs them with the services' databases on a server; with `tests/nats` before it, what all share is one Baton of
//! separate processes (`just conformance-distributed`).

mod access;
mod conformance;
mod crash;
mod edge;
mod harness;

use std::path::Path;
use std::process::ExitCode;

use crate::harness::suite;

/// What has no meaning where the services' databases are on a server: damaged and older files, a disk that fails. And a flood: it fills the queue for a
/// server's connections, which is not divided among tenants yet.
const ABOUT_FILES: [&str; 6] = [
    "fair_to_its_neighbours",
    "n1_a_start_that_a_database_refuses_leaves_live_calls_as_they_are",
    "n2_a_backup_of_a_running_baton_is_restored_and_one_that_was_changed_is_refused",
    "n2_an_older_copy_of_one_database_is_refused",
    "r3_a_failing_disk_ends_up_as_a_crash_does_and_the_call_lives_on",
    "r8_a_lost_or_damaged_event_log_is_built_again",
];

fn main() -> ExitCode {
    // The longest first, so that they don't run alone at the end.
    let scenarios = [crash::scenarios(), conformance::scenarios(), access::scenarios(), edge::scenarios()].concat();
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, not a setting of Baton")]
    let on_server = std::env::var_os("TEST_POSTGRES_URL").is_some();
    let (about_files, scenarios): (Vec<_>, Vec<_>) =
        scenarios.into_iter().partition(|it| on_server && ABOUT_FILES.contains(&it.name));
    if on_server {
        println!("on a PostgreSQL server; {} scenarios are about files alone", about_files.len());
    }
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, not a setting of Baton")]
    let other = std::env::var_os("TESTED_BINARY");
    suite::run(other.as_deref().map_or(Path::new(env!("CARGO_BIN_EXE_baton")), Path::new), scenarios)
}
