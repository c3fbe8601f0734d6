//! The command line: the commands. The arguments of each are defined in its own module.

use std::ffi::OsString;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::backup::BackupArgs;
use crate::client::ClientCommand;
use crate::client::token::TokenArgs;
use crate::demo::DemoArgs;
use crate::doctor::DoctorArgs;
use crate::health::HealthArgs;
use crate::migrate::MigrateArgs;
use crate::restore::RestoreArgs;
use crate::serve::ServeArgs;
use crate::switch::SwitchArgs;
use crate::up::UpArgs;
use crate::version::{VERSION, VersionArgs};

const EXAMPLES: &str = "\
First steps:
  baton demo                     hear and see one warm transfer, then checks of all that happened
  baton up                       run Baton here, with a demo tenant
  baton agent connect Ada Ben    let two agents of the demo tenant take calls
  baton call place               a customer calls
  baton transfer start --to Ben  the agent hands the customer over

Exit codes:
  0   all is well
  1   it failed in a way that has no other code; so has a check of the demonstration
  3   what was named is not there
  4   it is there, but not in a state in which this is possible, or a limit is reached
  5   the token, or whoever it is for, may not
  6   the server does not answer, or not in time; a change may have been made (repeat it with the same --request-id)
  64  the command line, the configuration or a value in them is wrong
  70  `up` failed inside and left its calls as they are, on the switch: start it again";

/// The options for all client commands that may also stand before the command, and whether each takes a value.
const FOR_ALL: [(&str, bool); 10] = [
    ("--context", true),
    ("--server", true),
    ("--token", true),
    ("--data", true),
    ("--tenant", true),
    ("--as", true),
    ("--request-id", true),
    ("--output", true),
    ("-o", true),
    ("--json", false),
];

/// Baton hands customers over: the call-transfer control plane of a contact centre.
#[derive(Debug, Parser)]
#[command(name = "baton", version = VERSION, about, after_help = EXAMPLES, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Run Baton: all services in one process, with the simulated switch beside it.
    Up(UpArgs),
    /// Run one of the services in a process of its own, on a database server and NATS.
    Serve(ServeArgs),
    /// Make the tables of all services, or bring them up to date; and the stream of events.
    Migrate(MigrateArgs),
    /// Look through an installation of separate services (`baton serve`), and say what is wrong with it and what to do. For `baton up`
    /// there is `baton health`.
    Doctor(DoctorArgs),
    /// Play a whole transfer, tell what happens as it happens, and check it.
    Demo(DemoArgs),
    /// Run the simulated telephone switch alone (`baton up` starts one by itself).
    Switch(SwitchArgs),
    /// Copy a data folder as it is at one moment, while Baton runs or not.
    Backup(BackupArgs),
    /// Make a data folder from a backup.
    Restore(RestoreArgs),
    /// Say whether Baton is ready; for probes, too.
    Health(HealthArgs),
    /// Mint a token with the data folder's own key.
    Token(TokenArgs),
    /// Print the completions of a shell: bash, zsh, fish, elvish or powershell.
    Completions(CompletionsArgs),
    /// Print which version this is, and that of the server, if one answers.
    Version(VersionArgs),
    #[command(flatten)]
    Client(Box<ClientCommand>),
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "baton", &mut script);
    Ok(crate::stdout::try_print_line(String::from_utf8(script)?.trim_end())?)
}

/// An option for all that is given twice: the parser takes the last one where they stand before and after a command, and the
/// other one would be ignored. What follows `--` is no option.
pub(crate) fn given_twice(args: &[OsString]) -> Option<&'static str> {
    let texts = args.iter().map_while(|it| Some(it.to_str().unwrap_or_default()).filter(|it| *it != "--"));
    let names: Vec<_> = texts.filter_map(for_all).collect();
    let twice = |(at, name): (usize, &&'static str)| names[..at].contains(name).then_some(*name);
    names.iter().enumerate().find_map(twice)
}

/// The option for all that this argument is, by its long name.
fn for_all(text: &str) -> Option<&'static str> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let is_output = text.starts_with("-o") && !text.starts_with("--");
    let name = if is_output { "--output" } else { name };
    FOR_ALL.iter().map(|(option, _)| *option).find(|option| *option == name)
}

/// The command line with the command before the options that are for all of them: `baton --json call list` is `baton call --json
/// list`.
pub(crate) fn commands_first(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter().peekable();
    let mut line: Vec<_> = args.next().into_iter().collect();
    let mut options = Vec::new();
    while let Some(takes_value) = args.peek().and_then(takes_value) {
        options.extend(args.next());
        if takes_value {
            options.extend(args.next());
        }
    }
    line.extend(args.next());
    line.extend(options);
    line.extend(args);
    line
}

/// Whether the next argument is this option's value, if it is an option for all; `--tenant=demo` and `-ojson` have it in them.
fn takes_value(argument: &OsString) -> Option<bool> {
    let text = argument.to_str()?;
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    match FOR_ALL.iter().find(|(option, _)| *option == name) {
        Some((option, takes_value)) => Some(*takes_value && text == *option),
        None => (text.starts_with("-o") && !text.starts_with("--")).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn n10_options_for_all_may_stand_before_the_command() {
        let moved = |line: &str| {
            let line = commands_first(line.split(' ').map(OsString::from));
            line.iter().map(|it| it.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(moved("baton --json --tenant acme call list"), "baton call --json --tenant acme list");
        assert_eq!(moved("baton --tenant=acme -oyaml call list"), "baton call --tenant=acme -oyaml list");
        assert_eq!(moved("baton call list --json"), "baton call list --json");
        assert_eq!(moved("baton --help"), "baton --help");
        assert!(Cli::try_parse_from(commands_first(["baton", "--json", "call", "list"].map(OsString::from))).is_ok());
    }

    #[test]
    fn n9_an_option_for_all_is_given_once() {
        let twice = |line: &str| given_twice(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(twice("baton --tenant acme call list --tenant=demo"), Some("--tenant"));
        assert_eq!(twice("baton -ojson call -o yaml list"), Some("--output"));
        assert_eq!(twice("baton call list --output json -o yaml"), Some("--output"));
        assert_eq!(twice("baton --tenant acme call note -- --tenant"), None);
        assert_eq!(twice("baton --tenant acme --as agent:Ada call list"), None);
    }

    #[test]
    fn n10_list_and_delete_have_the_short_names_that_people_type() {
        fn check(command: &clap::Command) {
            for (name, alias) in [("list", "ls"), ("delete", "rm")] {
                let found = command.find_subcommand(name);
                let has = found.is_none_or(|it| it.get_visible_aliases().any(|it| it == alias));
                assert!(has, "{} {name} has no {alias}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn n10_every_shell_has_its_completions() {
        use clap::ValueEnum as _;
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "baton", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("transfer"), "{shell}");
        }
    }

    #[test]
    fn no_argument_has_the_id_of_one_that_is_for_all() {
        fn check(command: &clap::Command, for_all: &[clap::Id]) {
            let name = command.get_name();
            for argument in command.get_arguments() {
                assert!(!for_all.contains(argument.get_id()), "{name} {}", argument.get_id());
            }
            let global = command.get_arguments().filter(|it| it.is_global_set()).map(|it| it.get_id().clone());
            let for_all: Vec<_> = for_all.iter().cloned().chain(global).collect();
            command.get_subcommands().for_each(|inner| check(inner, &for_all));
        }
        check(&Cli::command(), &[]);
    }

    #[test]
    fn every_command_and_option_is_explained() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            for inner in command.get_subcommands() {
                assert!(inner.get_about().is_some(), "{} {}", command.get_name(), inner.get_name());
                check(inner);
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn a_default_is_shown_once_and_only_if_there_is_something_to_see() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|it| !it.is_hide_default_value_set()) {
                let name = format!("{} {}", command.get_name(), argument.get_id());
                let said = argument.get_help().is_some_and(|it| it.to_string().contains("[default"));
                let defaults = argument.get_default_values();
                assert!(defaults.is_empty() || !said, "{name} has two defaults");
                assert!(defaults.iter().all(|it| !it.is_empty()), "{name} has an empty default");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
