//! The one binary: all of Baton in one process, the simulated switch, a demonstration, and the client.
//!
//! The exit codes are those of `failure::FailureKind`; `baton --help` explains them.

mod backup;
mod cli;
mod client;
mod demo;
mod doctor;
mod event_stream;
mod failure;
mod folder;
mod health;
mod migrate;
mod policy_check;
mod restore;
mod serve;
mod services;
mod stdout;
mod switch;
mod up;
mod version;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, CliCommand};
use crate::failure::UsageError;

/// Most of what is allocated is small, and freed on another thread than it was allocated on, where the system's allocator has its threads wait for
/// each other.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    let twice = cli::given_twice(&line);
    match (Cli::try_parse_from(cli::commands_first(line)), twice) {
        (Ok(_), Some(option)) => {
            failure::exit(Err(UsageError::new(format!("{option} is given twice: which one is meant?")).into()))
        }
        (Ok(cli), None) => failure::exit(execute(cli.command)),
        (Err(error), _) => failure::report_command_line(&error),
    }
}

fn execute(command: CliCommand) -> anyhow::Result<()> {
    let runtime = runtime(&command)?;
    let result = runtime.block_on(run(command));
    // A task that still runs (one that reads the terminal, say) must not delay the exit.
    runtime.shutdown_background();
    result
}

async fn run(command: CliCommand) -> anyhow::Result<()> {
    match command {
        CliCommand::Up(args) => Box::pin(up::run(args)).await,
        CliCommand::Serve(args) => Box::pin(serve::run(args)).await,
        CliCommand::Migrate(args) => migrate::run(args).await,
        CliCommand::Doctor(args) => Box::pin(doctor::run(args)).await,
        CliCommand::Demo(args) => Box::pin(demo::run(args)).await,
        CliCommand::Switch(args) => switch::run(args).await,
        CliCommand::Backup(args) => backup::run(args).await,
        CliCommand::Restore(args) => restore::run(args).await,
        CliCommand::Health(args) => health::run(args).await,
        CliCommand::Token(args) => client::token::run(&args),
        CliCommand::Completions(args) => cli::completions(&args),
        CliCommand::Version(args) => version::run(args).await,
        CliCommand::Client(command) => Box::pin(client::run(*command)).await,
    }
}

/// Two worker threads for commands that serve: requests are short, and an idle thread costs memory. A client needs one thread, and so does
/// a day in simulated time.
fn runtime(command: &CliCommand) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        CliCommand::Demo(args) if args.is_long() => tokio::runtime::Builder::new_current_thread(),
        CliCommand::Backup(_)
        | CliCommand::Restore(_)
        | CliCommand::Migrate(_)
        | CliCommand::Doctor(_)
        | CliCommand::Health(_)
        | CliCommand::Token(_)
        | CliCommand::Completions(_)
        | CliCommand::Version(_)
        | CliCommand::Client(_) => tokio::runtime::Builder::new_current_thread(),
        CliCommand::Up(_) | CliCommand::Serve(_) | CliCommand::Demo(_) | CliCommand::Switch(_) => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }
    };
    Ok(builder.enable_all().build()?)
}
