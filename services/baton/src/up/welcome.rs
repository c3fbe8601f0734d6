//! What a person sees when Baton has started.

use std::path::Path;
use std::time::Duration;

use baton_api::simulator::v1::GetStatsRequest;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use baton_runtime::client::GrpcChannel;

use super::seed;
use crate::stdout::tell;

const TOKEN_TTL: Duration = Duration::from_mins(1);
const USUAL_FOLDER: &str = "./baton-data";

/// Prints where it listens, and what to try. The first line is for programs, too: it ends with the address.
pub(super) fn print(address: &str, folder: &Path, with_demo_tenant: bool) {
    tell(&format!("Baton listens on {address}"));
    tell(&format!("  data folder   {}", folder.display()));
    if with_demo_tenant {
        tell(&format!("  demo tenant   {} (Ada, Ben, Cleo, Dan; number {})", seed::TENANT, seed::NUMBER));
        tell("");
        tell("Try, each in a terminal of its own:");
        for command in commands(folder) {
            tell(&format!("  {command}"));
        }
        tell("");
    }
    tell("Ctrl-C ends it, and the calls that are live; started again, everything else is still there.");
}

/// Prints that it ends.
pub(super) fn print_end() {
    tell("Stopping: the calls that are live end first. Ctrl-C again stops at once.");
}

/// Prints what is on the line already: an earlier run was killed, and its calls went on. Nothing on a switch that is real.
pub(super) async fn print_taken_up(address: &str, key: &SigningKey, clock: &Clock) -> anyhow::Result<()> {
    let caller = Caller::of_tenant(seed::TENANT.parse::<TenantId>()?, "baton-up", Role::Simulator);
    let token = key.mint(&caller, clock.now_us(), TOKEN_TTL)?;
    let channel = GrpcChannel::anonymous(address, clock.clone())?.with_token(&token)?;
    let stats = SimulatorServiceClient::new(channel).get_stats(GetStatsRequest {}).await;
    if let Some(text) = stats.ok().and_then(|it| taken_up(it.get_ref().legs)) {
        tell(&text);
    }
    Ok(())
}

fn taken_up(legs: i32) -> Option<String> {
    match legs {
        ..=0 => None,
        1 => Some("The call of an earlier run goes on: one phone is on the line.".to_owned()),
        legs => Some(format!("The calls of an earlier run go on: {legs} phones are on the line.")),
    }
}

fn commands(folder: &Path) -> [String; 3] {
    let usual = folder == Path::new(USUAL_FOLDER);
    let data = if usual { String::new() } else { format!(" --data {}", quoted(&folder.display().to_string())) };
    [
        format!("baton agent connect Ada Ben{data}        # two agents can take calls now"),
        format!("baton call place{data}                   # a customer calls; Ada's phone answers by itself"),
        format!("baton transfer start --to Ben{data}      # Ada hands the customer over"),
    ]
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_folder_is_not_named() {
        assert!(!commands(Path::new(USUAL_FOLDER))[0].contains("--data"));
        assert!(commands(Path::new("/tmp/x"))[0].contains("--data /tmp/x"));
    }

    #[test]
    fn calls_of_an_earlier_run_are_told_of_only_if_there_are_some() {
        assert_eq!(taken_up(0), None);
        assert!(taken_up(1).unwrap().contains("one phone is"));
        assert!(taken_up(3).unwrap().contains("3 phones are"));
    }

    #[test]
    fn a_shell_takes_a_name_as_it_is() {
        assert_eq!(quoted("/tmp/a-b"), "/tmp/a-b");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
