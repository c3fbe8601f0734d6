//! `baton context`: named sets of what else would be options, as `kubectl` and `nats` have them.

pub(crate) mod choice;
pub(crate) mod file;

use std::path::{Path, PathBuf};

use baton_runtime::auth::TenantId;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::file::{ClientContext, ContextFile};
use super::output::{Column, Output, OutputArgs};
use super::session::NonEmptyArg;
use crate::failure::{KnownFailure, UsageError};

#[derive(Debug, Args)]
pub(crate) struct ContextArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: ContextCommand,
}

#[derive(Debug, Subcommand)]
enum ContextCommand {
    /// Make a context, or change what is named of it.
    Add(ContextAddArgs),
    /// List the contexts; the one in use has a star.
    #[command(visible_alias = "ls")]
    List,
    /// Use a context from now on, for commands that name none.
    Use {
        /// Its name.
        #[arg(required_unless_present = "none")]
        name: Option<String>,
        /// None from now on.
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// Show a context.
    Show {
        /// Its name [default: the one in use].
        name: Option<String>,
    },
    /// Remove a context; the files that it names stay.
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct ContextAddArgs {
    /// Its name: letters, digits, `-`, `_` and `.`.
    #[arg(value_parser = context_name)]
    name: String,
    /// Where Baton is.
    #[arg(long, value_name = "URL", value_parser = NonEmptyArg)]
    server: Option<String>,
    /// The tenant, for minted tokens.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// The file with the token (`baton token … > FILE`): the context keeps its name alone, and each command reads it anew.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The data folder of a Baton on this machine, whose key mints tokens.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use it from now on.
    #[arg(long = "use")]
    is_used: bool,
}

pub(crate) fn run(args: ContextArgs) -> anyhow::Result<()> {
    let is_read = matches!(args.command, ContextCommand::List | ContextCommand::Show { .. });
    let _alone = if is_read { None } else { ContextFile::lock()? };
    let (out, file) = (Output::new(&args.output), ContextFile::load()?);
    match args.command {
        ContextCommand::Add(args) => add(out, file, args),
        ContextCommand::List => list(out, &file),
        ContextCommand::Use { name, .. } => choose(out, file, name),
        ContextCommand::Show { name } => show(out, &file, name),
        ContextCommand::Delete { name } => delete(out, file, &name),
    }
}

/// It stands in a line of a table, and on command lines.
fn context_name(text: &str) -> Result<String, String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err("a name has 1 to 64 letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok(text.to_owned())
}

fn add(out: Output, mut file: ContextFile, args: ContextAddArgs) -> anyhow::Result<()> {
    let ContextAddArgs { name, server, tenant, token_file, data, is_used } = args;
    let whole = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
    let (token_file, data) = (whole(token_file)?, whole(data)?);
    let context = file.contexts.entry(name.clone()).or_default();
    context.server = server.or(context.server.take());
    context.tenant = tenant.or(context.tenant.take());
    context.token_file = token_file.or(context.token_file.take());
    context.data = data.or(context.data.take());
    if *context == ClientContext::default() {
        return Err(UsageError::new("a context says something: give --server, --tenant, --token-file or --data").into());
    }
    if is_used {
        file.in_use = Some(name.clone());
    }
    file.save()?;
    let how = if file.in_use.as_ref() == Some(&name) { "in use" } else { "kept; `baton context use` uses it" };
    out.value(&json(&file, &name), &format!("The context {name} is {how}."))
}

const COLUMNS: [Column; 6] = [
    Column::always(""),
    Column::id("name"),
    Column::always("server"),
    Column::always("tenant"),
    Column::if_room("token file"),
    Column::if_room("data"),
];

fn list(out: Output, file: &ContextFile) -> anyhow::Result<()> {
    let values = file.contexts.keys().map(|name| json(file, name)).collect();
    let rows = file.contexts.iter().map(|(name, it)| {
        let star = if file.in_use.as_ref() == Some(name) { "*" } else { "" };
        [vec![star.to_owned(), name.clone()], cells(it).into()].concat()
    });
    out.list_values(&Value::Array(values), &COLUMNS, rows)
}

fn choose(out: Output, mut file: ContextFile, name: Option<String>) -> anyhow::Result<()> {
    if let Some(name) = &name {
        file.named(name)?;
    }
    file.in_use = name;
    file.save()?;
    let text = match &file.in_use {
        Some(name) => format!("Commands use the context {name} now."),
        None => "Commands use no context now.".to_owned(),
    };
    out.value(&json!({ "in_use": file.in_use }), &text)
}

fn show(out: Output, file: &ContextFile, name: Option<String>) -> anyhow::Result<()> {
    let name = name.or_else(|| file.in_use.clone()).ok_or_else(|| {
        KnownFailure::not_found("no context is in use\n  `baton context list` shows those that there are.")
    })?;
    let [server, tenant, token_file, data] = cells(file.named(&name)?);
    let used = if file.in_use.as_ref() == Some(&name) { ", in use" } else { "" };
    let text = format!(
        "{name}{used}\n  server      {server}\n  tenant      {tenant}\n  token file  {token_file}\n  data        {data}"
    );
    out.value(&json(file, &name), &text)
}

fn delete(out: Output, mut file: ContextFile, name: &str) -> anyhow::Result<()> {
    let removed = json(&file, name);
    let was_used = file.remove(name)?;
    file.save()?;
    let note = if was_used { " Commands use no context now." } else { "" };
    out.value(&removed, &format!("The context {name} is removed.{note}"))
}

fn cells(context: &ClientContext) -> [String; 4] {
    let path = |it: &Option<PathBuf>| it.as_deref().map(Path::display).map(|it| it.to_string());
    let ClientContext { server, tenant, token_file, data } = context;
    [server.clone(), tenant.as_ref().map(ToString::to_string), path(token_file), path(data)]
        .map(|it| it.unwrap_or_else(|| "-".to_owned()))
}

fn json(file: &ContextFile, name: &str) -> Value {
    let context = file.contexts.get(name);
    let is_in_use = file.in_use.as_deref() == Some(name);
    let mut value = json!(context.cloned().unwrap_or_default());
    value["name"] = name.into();
    value["in_use"] = is_in_use.into();
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n10_a_context_has_a_name_that_can_be_typed() {
        for name in ["prod", "acme-eu_2.old"] {
            assert_eq!(context_name(name).as_deref(), Ok(name));
        }
        for name in ["", "a b", "a\u{1b}[2J", "ä", &"a".repeat(65)] {
            assert!(context_name(name).is_err(), "{name}");
        }
    }
}
