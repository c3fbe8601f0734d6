//! The commands' output: a table or a few lines for a person, JSON for a program. No colours, no cursor movements.

use std::io::Write as _;

use comfy_table::{Table, presets};
use prost::Message;
use serde_json::Value;

use super::{json, word};
use crate::stdout::try_print_line;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// A table, or one JSON array.
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
            print_text("(none)");
        } else {
            print_text(&table(columns, messages.iter().map(row)));
        }
        Ok(())
    }

    pub(super) fn one<M: Message>(
        self,
        type_name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            print_json(&json::of(type_name, message)?, true);
        } else {
            print_text(text(message).trim_end());
        }
        Ok(())
    }

    /// One message of a stream: one line, or one JSON object on a line.
    pub(super) fn next<M: Message>(
        self,
        type_name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            print_json(&json::of(type_name, message)?, false);
        } else {
            print_line_or_exit(&word::one_line(&text(message)));
        }
        Ok(())
    }

    /// Like [`Output::one`], for what is no message of the contract.
    pub(super) fn value(self, value: &Value, text: &str) {
        if self.json { print_json(value, true) } else { print_text(text) }
    }

    /// Like [`Output::next`], for what is no message of the contract.
    pub(super) fn next_value(self, value: &Value, text: &str) {
        if self.json { print_json(value, false) } else { print_line_or_exit(&word::one_line(text)) }
    }

    /// Not printed with `--json`.
    pub(super) fn note(self, text: &str) {
        if !self.json {
            print_text(text);
        }
    }
}

fn print_json(value: &Value, pretty: bool) {
    print_line_or_exit(&if pretty { format!("{value:#}") } else { value.to_string() });
}

/// Prints a remark that is no part of the answer to standard error, also with `--json`.
pub(super) fn diagnostic(text: &str) {
    // If the terminal is gone, nobody can read it.
    let _ = writeln!(std::io::stderr(), "{}", word::harmless(text));
}

/// Prints lines for a person.
fn print_text(text: &str) {
    print_line_or_exit(&word::harmless(text));
}

/// Prints a line; exits if the reader of standard output is gone (`baton events tail | head`).
fn print_line_or_exit(text: &str) {
    if try_print_line(text).is_err() {
        std::process::exit(0);
    }
}

/// A table without frames, which `awk` can split.
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
    fn a_row_is_one_line_whatever_its_cells_contain() {
        let rows = [vec!["Ada\nBen  2".to_owned(), "\u{1b}[A1".to_owned()]];
        assert_eq!(table(&["name", "n"], rows), "NAME          N\nAda / Ben  2  \\u{1b}[A1");
    }
}
