//! The table of the behaviours: each row with its profile, how many of its scenarios passed, and how long they took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;

use super::pending::{Pending, ROWS};

/// What was played so far, by row.
#[derive(Debug, Default)]
pub(crate) struct Report(Mutex<BTreeMap<String, RowResult>>);

#[derive(Debug, Default, Clone, Copy)]
struct RowResult {
    passed: u32,
    failed: u32,
    took: Duration,
}

impl Report {
    /// A scenario of this row is over.
    pub(crate) fn note(&self, row: &str, passed: bool, took: Duration) {
        let mut rows = self.0.lock();
        let row = rows.entry(row.to_owned()).or_default();
        let count = if passed { &mut row.passed } else { &mut row.failed };
        *count += 1;
        row.took += took;
    }

    /// The rows of which something was played; if that is all that have scenarios, also those that are pending. Empty where nothing was.
    pub(crate) fn table(&self, pending: &Pending) -> String {
        let rows = self.0.lock();
        let played = ROWS.iter().filter(|row| rows.contains_key(**row)).count();
        let listed = ROWS.iter().filter(|row| pending.row(row).is_some()).count();
        let is_whole = played + listed >= ROWS.len();
        let mut table = String::new();
        for row in ROWS {
            let line = match (rows.get(row), pending.row(row)) {
                (Some(it), _) if it.failed > 0 => format!("{} of {} failed", it.failed, it.passed + it.failed),
                (Some(it), _) => format!("{} passed", it.passed),
                (None, Some(reason)) if is_whole => format!("pending: {reason}"),
                (None, _) => continue,
            };
            let seconds = rows.get(row).map(|it| format!("{:.1} s", it.took.as_secs_f64())).unwrap_or_default();
            // Writing to a string can't fail.
            let _ = writeln!(table, "{:<5} {:<14} {seconds:>8}  {line}", row.to_uppercase(), profile(row));
        }
        table
    }
}

/// The profile whose row it is: the first digit says it.
fn profile(row: &str) -> &'static str {
    match row.as_bytes().get(1) {
        Some(b'1') => "lead_center",
        Some(b'2') => "helpdesk",
        Some(b'3') => "engagement",
        Some(b'4') => "aicc",
        Some(b'5') => "user_transfer",
        _ => "all",
    }
}
