//! The commands' output: a table or a few lines for a person, JSON or YAML for a program. No cursor movements.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use prost::Message;
use serde_json::Value;

pub(crate) use super::table::{Column, Layout, table};
use super::{json, table, terminal, word, yaml};
use crate::stdout::try_print_line;

/// How a command prints what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables that fit into the terminal, with shortened ids, and lines for people.
    Table,
    /// The same with all columns and whole ids.
    Wide,
    /// One JSON value; of a stream one object a line, and of a list with --watch one array a line.
    Json,
    /// One YAML value; of a stream, and of a list with --watch, one document each.
    Yaml,
}

#[derive(Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// How to print: a table, all of it, or for programs. Field names are those of the contract (proto/); a list is one array, and
    /// where there is nothing to say it is {} [default: table].
    #[arg(short = 'o', long = "output", global = true, value_enum, value_name = "FORMAT", conflicts_with = "json")]
    pub(super) output: Option<OutputFormat>,
    /// The same as -o json.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// A list that has been read and not been printed yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// For programs: an array.
    Values(Value),
    /// For people.
    Table(String),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: OutputFormat,
    layout: Layout,
}

impl Output {
    pub(crate) fn new(args: &OutputArgs) -> Self {
        let format = if args.json { OutputFormat::Json } else { args.output.unwrap_or(OutputFormat::Table) };
        let layout =
            Layout { wide: format == OutputFormat::Wide, width: terminal::width(), colours: terminal::shows_colours() };
        Self { format, layout }
    }

    #[cfg(test)]
    pub(super) fn of_width(width: Option<usize>) -> Self {
        Self { format: OutputFormat::Table, layout: Layout { width, ..Layout::default() } }
    }

    /// It is JSON or YAML.
    pub(super) fn is_for_programs(self) -> bool {
        matches!(self.format, OutputFormat::Json | OutputFormat::Yaml)
    }

    /// A table, or one array.
    pub(super) fn list<M: Message>(
        self,
        type_name: &str,
        messages: &[M],
        columns: &[Column],
        row: impl Fn(&M) -> Vec<String>,
    ) -> anyhow::Result<()> {
        self.print_list(&self.listed(type_name, messages, columns, row)?)
    }

    /// What [`Output::list`] prints.
    pub(super) fn listed<M: Message>(
        self,
        type_name: &str,
        messages: &[M],
        columns: &[Column],
        row: impl Fn(&M) -> Vec<String>,
    ) -> anyhow::Result<Listing> {
        if self.is_for_programs() {
            let values = messages.iter().map(|it| json::of(type_name, it)).collect::<anyhow::Result<Vec<_>>>()?;
            return Ok(Listing::Values(Value::Array(values)));
        }
        if messages.is_empty() {
            return Ok(Listing::Table("(none)".to_owned()));
        }
        Ok(Listing::Table(table(columns, messages.iter().map(row), self.layout)))
    }

    /// A list that is printed once.
    pub(super) fn print_list(self, list: &Listing) -> anyhow::Result<()> {
        match list {
            Listing::Values(values) => print(&self.rendered(values)),
            Listing::Table(table) => print(table),
        }
    }

    /// A list that is printed again when it has changed: programs need to see where one ends.
    pub(super) fn print_next_list(self, list: &Listing) -> anyhow::Result<()> {
        match list {
            Listing::Values(values) => self.print_next(values),
            Listing::Table(table) => print(table),
        }
    }

    pub(super) fn one<M: Message>(
        self,
        type_name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.is_for_programs() {
            return print(&self.rendered(&json::of(type_name, message)?));
        }
        print_text(text(message).trim_end())
    }

    /// Like [`Output::list`], for what is no message of the contract; `values` is an array.
    pub(super) fn list_values(
        self,
        values: &Value,
        columns: &[Column],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> anyhow::Result<()> {
        let is_empty = values.as_array().is_none_or(Vec::is_empty);
        match (self.is_for_programs(), is_empty) {
            (true, _) => print(&self.rendered(values)),
            (false, true) => print("(none)"),
            (false, false) => print(&table(columns, rows, self.layout)),
        }
    }

    /// One message of a stream: one line, or one object.
    pub(super) fn next<M: Message>(
        self,
        type_name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.is_for_programs() { self.print_next(&json::of(type_name, message)?) } else { self.line(&text(message)) }
    }

    /// The next row of a stream, whose widths are not known; what does not fit into the terminal is cut.
    pub(super) fn line(self, text: &str) -> anyhow::Result<()> {
        let line = word::one_line(text);
        print(&self.room().map_or_else(|| line.clone(), |room| table::cut(&line, room)))
    }

    /// Like [`Output::one`], for what is no message of the contract.
    pub(crate) fn value(self, value: &Value, text: &str) -> anyhow::Result<()> {
        if self.is_for_programs() { print(&self.rendered(value)) } else { print_text(text) }
    }

    /// Like [`Output::next`], for what is no message of the contract.
    pub(super) fn next_value(self, value: &Value, text: &str) -> anyhow::Result<()> {
        if self.is_for_programs() { self.print_next(value) } else { print_text(&word::one_line(text)) }
    }

    /// Not printed for programs.
    pub(super) fn note(self, text: &str) -> anyhow::Result<()> {
        if self.is_for_programs() { Ok(()) } else { self.line(text) }
    }

    /// All columns are shown, and nothing is cut.
    pub(super) fn is_wide(self) -> bool {
        self.layout.wide
    }

    /// Columns of the terminal; `None`: as many as are needed.
    pub(super) fn room(self) -> Option<usize> {
        self.layout.width.filter(|_| !self.layout.wide)
    }

    fn rendered(self, value: &Value) -> String {
        if self.format == OutputFormat::Yaml { yaml::of(value) } else { format!("{value:#}") }
    }

    fn print_next(self, value: &Value) -> anyhow::Result<()> {
        let text =
            if self.format == OutputFormat::Yaml { format!("---\n{}", yaml::of(value)) } else { value.to_string() };
        print(&text)
    }
}

/// Prints what is harmless already.
fn print(text: &str) -> anyhow::Result<()> {
    Ok(try_print_line(text)?)
}

/// Prints a remark that is no part of the answer to standard error, also for programs.
pub(crate) fn diagnostic(text: &str) {
    // If the terminal is gone, nobody can read it.
    let _ = writeln!(std::io::stderr(), "{}", word::harmless(text));
}

/// Prints lines for a person.
fn print_text(text: &str) -> anyhow::Result<()> {
    Ok(try_print_line(&word::harmless(text))?)
}
