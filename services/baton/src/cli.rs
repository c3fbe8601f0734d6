//! The command line: the commands. The arguments of each are defined in its own module.

use clap::{Parser, Subcommand};

use crate::backup::BackupArgs;
use crate::client::ClientCommand;
use crate::client::token::TokenArgs;
use crate::demo::DemoArgs;
use crate::health::HealthArgs;
use crate::restore::RestoreArgs;
use crate::switch::SwitchArgs;
use crate::up::UpArgs;

const EXAMPLES: &str = "\
First steps:
  baton demo                     hear and see one warm transfer, then checks of all that happened
  baton up                       run Baton here, with a demo tenant
  baton agent connect Ada Ben    let two agents of the demo tenant take calls
  baton call place               a customer calls
  baton transfer start --to Ben  the agent hands the customer over

Exit codes: 0 all is well; 1 it failed; 64 the command line or the configuration is wrong;
70 `up` failed inside and left its calls as they are, on the switch: start it again.";

/// Baton hands customers over: the call-transfer control plane of a contact centre.
#[derive(Debug, Parser)]
#[command(name = "baton", version, about, after_help = EXAMPLES, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Run Baton: all services in one process, with the simulated switch beside it.
    Up(UpArgs),
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
    #[command(flatten)]
    Client(ClientCommand),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
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
