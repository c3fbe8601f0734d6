//! What `baton up` prints for a person.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use baton_api::simulator::v1::GetStatsRequest;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use baton_runtime::client::GrpcChannel;

use super::seed::{self, DemoTenant};
use crate::stdout::print_line;

const TOKEN_TTL: Duration = Duration::from_mins(1);
const DEFAULT_FOLDER: &str = "./baton-data";

/// Prints the address, and commands to try. The first line is also for programs: it ends with the address.
pub(super) fn print(address: &str, health: &str, folder: &Path, demo: &DemoTenant) {
    print_line(&format!("Baton listens on {address}"));
    print_line(&format!("  data folder   {}", folder.display()));
    print_line(&format!("  health        {health} (gRPC, /livez, /readyz)"));
    if *demo == DemoTenant::Postponed {
        print_line("  demo tenant   not made, see the warning");
    }
    if *demo == DemoTenant::There {
        print_line(&format!("  demo tenant   {} (Ada, Ben, Cleo, Dan; number {})", seed::TENANT, seed::NUMBER));
        print_line("");
        print_line("Try, each in a terminal of its own:");
        for command in commands(folder) {
            print_line(&format!("  {command}"));
        }
        print_line("");
    }
    print_line("Ctrl-C ends it, and the calls that are live; started again, everything else is still there.");
}

/// Prints who makes the tokens of clients. Prints nothing if Baton does, alone.
pub(super) fn print_issuers(issuers: &[String], accepts_own_key: bool) {
    if issuers.is_empty() {
        return;
    }
    let own = if accepts_own_key {
        ", and of the data folder's key"
    } else {
        "; there is no demo tenant without the data folder's key"
    };
    print_line(&format!("Clients need tokens of {}{own}.", issuers.join(", ")));
}

/// Prints what is different over TLS.
pub(super) fn print_tls() {
    print_line(
        "Clients speak TLS, to a name that the certificate has (--server https://NAME:PORT); there is no demo tenant.",
    );
}

pub(super) fn print_end() {
    print_line("Stopping: the calls that are live end first. Ctrl-C again stops at once.");
}

/// What others on the network can see and do, if Baton listens for them: `None` if it does not.
pub(super) fn exposed(listen: SocketAddr, with_demo_tenant: bool) -> Option<String> {
    if listen.ip().is_loopback() {
        return None;
    }
    let demo = if with_demo_tenant { ", with the demo tenant (leave it out with --no-demo-tenant)" } else { "" };
    Some(format!(
        "Baton listens for other machines on {listen} in plain text{demo}: tokens and calls can be read on the way; put a TLS proxy in \
         front, or write tls.certificate_file and tls.key_file"
    ))
}

/// Prints that Baton waits for a switch that hangs, and what can be done about it.
pub(super) fn print_hanging_switch(pid: u32) {
    print_line(&format!(
        "The switch of an earlier run (process {pid}) does not answer: Baton is not ready until it does."
    ));
    print_line(&format!("  kill -CONT {pid}   lets it go on, if it was stopped"));
    print_line(&format!("  kill -KILL {pid}   gives it up with its calls; another one is started at once"));
}

/// Prints how many phones are in calls that a killed run has left. Prints nothing if the switch is not the simulated one.
pub(super) async fn print_resumed_calls(address: &str, key: &SigningKey, clock: &Clock) -> anyhow::Result<()> {
    let caller = Caller::of_tenant(seed::TENANT.parse::<TenantId>()?, "baton-up", Role::Simulator);
    let token = key.mint(&caller, clock.wall_us(), TOKEN_TTL)?;
    let channel = GrpcChannel::anonymous(address, clock.clone())?.with_token(&token)?;
    let stats = SimulatorServiceClient::new(channel).get_stats(GetStatsRequest {}).await;
    if let Some(text) = stats.ok().and_then(|it| resumed_calls(it.get_ref().legs)) {
        print_line(&text);
    }
    Ok(())
}

fn resumed_calls(legs: i32) -> Option<String> {
    match legs {
        ..=0 => None,
        1 => Some("The call of an earlier run goes on: one phone is on the line.".to_owned()),
        legs => Some(format!("The calls of an earlier run go on: {legs} phones are on the line.")),
    }
}

fn commands(folder: &Path) -> [String; 3] {
    let is_default = folder == Path::new(DEFAULT_FOLDER);
    let data = if is_default { String::new() } else { format!(" --data {}", quoted(&folder.display().to_string())) };
    [
        format!("baton agent connect Ada Ben{data}        # two agents can take calls now"),
        format!("baton call place{data}                   # a customer calls; Ada's phone answers by itself"),
        format!("baton transfer start --to Ben{data}      # Ada hands the customer over"),
    ]
}

/// Quoted for a shell, if needed.
fn quoted(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_folder_is_not_named() {
        assert!(!commands(Path::new(DEFAULT_FOLDER))[0].contains("--data"));
        assert!(commands(Path::new("/tmp/x"))[0].contains("--data /tmp/x"));
    }

    #[test]
    fn calls_of_an_earlier_run_are_mentioned_only_if_there_are_some() {
        assert_eq!(resumed_calls(0), None);
        assert!(resumed_calls(1).unwrap().contains("one phone is"));
        assert!(resumed_calls(3).unwrap().contains("3 phones are"));
    }

    #[test]
    fn n12_listening_for_other_machines_is_warned_of_with_plain_text_and_the_demo_tenant() {
        for listen in ["0.0.0.0:7400", "[::]:7400", "192.0.2.1:1"] {
            let said = exposed(listen.parse().unwrap(), true).unwrap();
            assert!(said.contains(listen) && said.contains("plain text") && said.contains("demo tenant"), "{said}");
        }
        assert!(!exposed("0.0.0.0:7400".parse().unwrap(), false).unwrap().contains("demo tenant"));
        assert_eq!(exposed("127.0.0.1:7400".parse().unwrap(), true), None);
        assert_eq!(exposed("[::1]:0".parse().unwrap(), true), None);
    }

    #[test]
    fn only_names_with_special_characters_are_quoted() {
        assert_eq!(quoted("/tmp/a-b"), "/tmp/a-b");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
