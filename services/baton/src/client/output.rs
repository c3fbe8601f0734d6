//! What a command prints: a table or a few lines for a person, JSON for a program. No colours, no cursor movements.

use std::io::Write as _;

use comfy_table::{Table, presets};
use prost::Message;
use serde_json::Value;

use super::{json, word};
use crate::stdout::try_line;

/// How a command answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// A list: for programs one array.
    pub(super) fn list<M: Message>(
        self,
        type_name: &str,
        messages: &[M],
        columns: &[&str],
        row: impl Fn(&M) -> Vec<String>,
    ) -> anyhow::Result<()> {
        if self.json {
            let values = messages.iter().map(|it| json::of(type_name, it)).collect::<anyhow::Result<Vec<_>>>()?;
            print_json(&Value::Array(values), true);
        } else if messages.is_empty() {
            say("(none)");
        } else {
            say(&table(columns, messages.iter().map(row)));
        }
        Ok(())
    }

    /// One thing.
    pub(super) fn one<M: Message>(
        self,
        type_name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            print_json(&json::of(type_name, message)?, true);
        } else {
            say(text(message).trim_end());
        }
        Ok(())
    }

    /// One of many that come over time: for programs one object a line, for a person one line.
    pub(super) fn next<M: Message>(
        self,
        type_name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            print_json(&json::of(type_name, message)?, false);
        } else {
            line(&word::one_line(&text(message)));
        }
        Ok(())
    }

    /// A thing that no message of the contract is.
    pub(super) fn value(self, value: &Value, text: &str) {
        if self.json { print_json(value, true) } else { say(text) }
    }

    /// One of many that come over time, and that no message of the contract is.
    pub(super) fn next_value(self, value: &Value, text: &str) {
        if self.json { print_json(value, false) } else { line(&word::one_line(text)) }
    }

    /// Something that only a person cares for.
    pub(super) fn note(self, text: &str) {
        if !self.json {
            say(text);
        }
    }
}

fn print_json(value: &Value, pretty: bool) {
    line(&if pretty { format!("{value:#}") } else { value.to_string() });
}

/// Says what a person should know, and what is no part of the answer: beside it, also where that is JSON.
pub(super) fn aside(text: &str) {
    // Nobody is left to tell if the terminal is gone.
    let _ = writeln!(std::io::stderr(), "{}", word::harmless(text));
}

/// Prints lines for a person.
fn say(text: &str) {
    line(&word::harmless(text));
}

/// Prints a line. When whoever reads us has gone (`baton events tail | head`), there is nothing left to do.
fn line(text: &str) {
    if try_line(text).is_err() {
        std::process::exit(0);
    }
}

/// A table without frames: easy on the eye, and for `awk`.
pub(crate) fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|it| it.to_uppercase()));
    table.add_rows(rows.into_iter().map(|row| row.iter().map(|it| word::one_line(it)).collect::<Vec<_>>()));
    let text = table.to_string();
    text.lines().map(|it| it.trim_end().strip_prefix(' ').unwrap_or(it)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_columns_under_each_other() {
        let rows = [vec!["Ada".to_owned(), "1".to_owned()], vec!["Benedict".to_owned(), "2".to_owned()]];
        assert_eq!(table(&["name", "n"], rows), "NAME      N\nAda       1\nBenedict  2");
    }

    #[test]
    fn a_row_is_one_line_whatever_its_cells_say() {
        let rows = [vec!["Ada\nBen  2".to_owned(), "\u{1b}[A1".to_owned()]];
        assert_eq!(table(&["name", "n"], rows), "NAME          N\nAda / Ben  2  \\u{1b}[A1");
    }
}
