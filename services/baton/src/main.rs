//! The one binary: all of Baton in one process, the simulated switch, a demonstration, and the client.
//!
//! `main` is a table of contents: read the command line, run the command, say how it ended. Exit codes: 0, all is well; 1,
//! it failed; 64, the command line or the configuration is wrong and nothing was started.

mod cli;
mod client;
mod demo;
mod failure;
mod folder;
mod stdout;
mod switch;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::report_command_line(&error),
    };
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    let runtime = runtime(&command)?;
    let result = runtime.block_on(run(command));
    // Whatever still runs (a reader of the terminal, say) must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up(args) => Box::pin(up::run(args)).await,
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Switch(args) => switch::run(args).await,
        Command::Token(args) => client::token::run(&args),
        Command::Client(command) => Box::pin(client::run(command)).await,
    }
}

/// Two threads are enough for whatever serves: the work is short, and an idle thread costs memory. A client needs one.
fn runtime(command: &Command) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Token(_) | Command::Client(_) => tokio::runtime::Builder::new_current_thread(),
        Command::Up(_) | Command::Demo(_) | Command::Switch(_) => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }
    };
    Ok(builder.enable_all().build()?)
}
