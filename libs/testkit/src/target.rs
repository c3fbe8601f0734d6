//! Starts the Baton that is tested, with its switch. Scenarios take any target, so that they can run on other databases and switches
//! later.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_api::presence::v1::ListAgentsRequest;
use baton_runtime::Clock;
use baton_runtime::auth::{Role, SigningKey};
use baton_runtime::client::GrpcChannel;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::address::HeldAddresses;
use crate::distributed::{Distributed, TestServers};
use crate::phones::Phones;
use crate::process;
pub use crate::process::ProcessUsage;
use crate::tenant::{Endpoints, TestTenant};
use crate::usage;
use crate::wait::eventually;

/// How long a start may take on a busy machine.
const START_BOUND: Duration = Duration::from_secs(30);
/// How long an orderly end may take.
const STOP_BOUND: Duration = Duration::from_secs(20);
/// So many of the program's last lines are quoted in a failure.
const LAST_LINES: usize = 20;

/// A running Baton.
#[derive(Debug)]
pub enum TestTarget {
    /// `baton up` on a data folder of its own: everything in one process, and the simulated switch beside it.
    Embedded(Embedded),
    /// Each service a process, on servers.
    Distributed(Distributed),
}

impl TestTarget {
    /// Starts the built binary with settings (`("BATON_PRESENCE__LEASE_MS", "2000")`): as separate processes where this run of tests has the
    /// servers for them.
    pub async fn start(binary: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Ok(match TestServers::of_this_run() {
            Some(servers) => Self::Distributed(Distributed::start(binary, &servers, settings).await?),
            None => Self::Embedded(Embedded::start(binary, settings).await?),
        })
    }

    /// How long the processes of the services, without the switch and the servers, have used a core so far.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        match self {
            Self::Embedded(embedded) => embedded.cpu_time(),
            Self::Distributed(distributed) => distributed.cpu_time(),
        }
    }

    pub fn endpoints(&self) -> &Endpoints {
        match self {
            Self::Embedded(embedded) => embedded.endpoints(),
            Self::Distributed(distributed) => distributed.endpoints(),
        }
    }

    /// Where its data and logs are.
    pub fn data(&self) -> &Path {
        match self {
            Self::Embedded(embedded) => embedded.data(),
            Self::Distributed(distributed) => distributed.data(),
        }
    }

    /// Asks it to end, and waits until it has; its exit code.
    pub async fn stop(&mut self) -> anyhow::Result<i32> {
        match self {
            Self::Embedded(embedded) => embedded.stop().await,
            Self::Distributed(distributed) => distributed.stop().await,
        }
    }

    /// Kills its processes, and leaves its data and logs for a person to look at.
    pub fn keep(self) -> PathBuf {
        match self {
            Self::Embedded(embedded) => embedded.keep(),
            Self::Distributed(distributed) => distributed.keep(),
        }
    }
}

/// `baton up` on a data folder of its own. Dropped, everything that works on the folder is killed.
#[derive(Debug)]
pub struct Embedded {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    data: TempDir,
    child: Child,
    endpoints: Endpoints,
    /// Its own listener's, for the next start.
    _held: HeldAddresses,
}

impl Embedded {
    /// Starts the binary with settings (`("BATON_PRESENCE__LEASE_MS", "2000")`), and waits until it serves.
    pub async fn start(binary: &Path, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new().prefix("baton-test-").tempdir()?;
        let mut held = HeldAddresses::default();
        let environment: Vec<_> = environment.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let (child, endpoints) = launch(binary, data.path(), &environment, held.another()?).await?;
        Ok(Self { binary: binary.to_owned(), environment, data, child, endpoints, _held: held })
    }

    /// Of the last start.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Kills its processes, and leaves its data and log for a person to look at.
    pub fn keep(mut self) -> PathBuf {
        self.data.disable_cleanup(true);
        self.data.path().to_owned()
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Its standard output since the last start.
    pub fn output(&self) -> String {
        read(&output_file(self.data.path()))
    }

    /// How long the process with the services, and without the switch, has used a core so far.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        usage::cpu_time(self.child.id())
    }

    /// In bytes: the most memory that the process with the services, and without the switch, has had in use at once.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        usage::peak_memory(self.child.id())
    }

    /// What the process holds that was started by this command (`up`, `switch`).
    pub fn usage(&self, command: &str) -> anyhow::Result<ProcessUsage> {
        let found = process::working_on(self.data.path()).into_iter().find(|it| it.is(command));
        found.with_context(|| format!("no `{command}` works on {}", self.data.path().display()))?.usage()
    }

    /// What it has logged since the last start.
    pub fn log(&self) -> String {
        read(&errors_file(self.data.path()))
    }

    /// The address of the listener for health, `127.0.0.1:…`.
    pub fn health(&self) -> anyhow::Result<String> {
        let output = self.output();
        let line = output.lines().find(|line| line.trim_start().starts_with("health"));
        let address = line.and_then(address_in).context("it prints no address for health")?;
        Ok(address.trim_start_matches("http://").to_owned())
    }

    /// `kill -9` of the process with the services. The switch lives on.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("killing `up`")?;
        self.child.wait().context("waiting for `up`")?;
        Ok(())
    }

    /// `kill -9` of the switch.
    pub fn kill_switch(&self) -> anyhow::Result<()> {
        self.signal("switch", Signal::KILL)
    }

    /// The process that was started by this command (`up`, `switch`) stands still until [`goes_on`](Self::goes_on).
    pub fn stands_still(&self, command: &str) -> anyhow::Result<()> {
        self.signal(command, Signal::STOP)
    }

    /// It goes on.
    pub fn goes_on(&self, command: &str) -> anyhow::Result<()> {
        self.signal(command, Signal::CONT)
    }

    fn signal(&self, command: &str, signal: Signal) -> anyhow::Result<()> {
        let found: Vec<_> = process::working_on(self.data.path()).into_iter().filter(|it| it.is(command)).collect();
        anyhow::ensure!(!found.is_empty(), "no `{command}` works on {}", self.data.path().display());
        for process in found {
            process.signal(signal);
        }
        Ok(())
    }

    /// The phones of a tenant, straight from the switch: also while `up` is down.
    pub fn switch_phones(&self, tenant: &TestTenant) -> anyhow::Result<Phones> {
        let file = self.data.path().join("switch/switch.json");
        let card = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let address = card.split("\"address\":\"").nth(1).and_then(|it| it.split('"').next());
        let address = address.with_context(|| format!("no address in {card}"))?;
        let channel = GrpcChannel::anonymous(&format!("http://{address}"), Clock::real())?;
        Ok(Phones::new(channel.with_token(&tenant.token("simulator", Role::Simulator)?)?))
    }

    /// Sets a setting for the next start, by its variable.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.environment.push((variable.to_owned(), value.to_owned()));
    }

    /// Starts it again on the same data and address, after [`kill`](Self::kill) or [`stop`](Self::stop), so that clients can reconnect.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let address = self.endpoints.public.trim_start_matches("http://").parse()?;
        (self.child, self.endpoints) = launch(&self.binary, self.data.path(), &self.environment, address).await?;
        Ok(())
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has; its exit code.
    pub async fn stop(&mut self) -> anyhow::Result<i32> {
        for up in process::working_on(self.data.path()).into_iter().filter(|it| it.is("up")) {
            up.signal(Signal::TERM);
        }
        self.until_ended().await
    }

    /// Waits until it has ended by itself; its exit code.
    pub async fn until_ended(&mut self) -> anyhow::Result<i32> {
        let child = &mut self.child;
        let status = eventually("`up` ends", STOP_BOUND, async || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        status.code().context("`up` was killed by a signal")
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for left in process::working_on(self.data.path()) {
            left.signal(Signal::KILL);
        }
    }
}

fn output_file(data: &Path) -> PathBuf {
    data.join("up.out")
}

fn errors_file(data: &Path) -> PathBuf {
    data.join("up.err")
}

/// The settings with which a process has its databases on the server that tests run on, if they run on one: schemas of its own for each data folder.
fn on_server(data: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    #[expect(clippy::disallowed_methods, reason = "of tests alone: which of the two databases they run on")]
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else { return Ok(Vec::new()) };
    let file = data.join("postgres.url");
    private(&file, &url)?;
    let name = data.file_name().unwrap_or_default().to_string_lossy();
    let own =
        name.trim_start_matches("baton-test-").bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Ok(vec![
        ("BATON_DATABASE__URL_FILE", file.display().to_string()),
        ("BATON_DATABASE__SCHEMA_PREFIX", format!("t{own}")),
        // On a busy machine with many at once.
        ("BATON_DATABASE__CONNECTIONS", "20".to_owned()),
        ("BATON_DATABASE__PATIENCE_MS", "5000".to_owned()),
    ])
}

/// Writes a file that its owner alone may read.
pub(crate) fn private(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text)?;
    Ok(std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?)
}

async fn launch(
    binary: &Path,
    data: &Path,
    environment: &[(String, String)],
    listen: SocketAddr,
) -> anyhow::Result<(Child, Endpoints)> {
    let mut child = Command::new(binary)
        // With our end of its standard input it ends, should this process die without clearing up.
        .args(["up", "--exit-with-stdin", "--listen", &listen.to_string(), "--data"])
        .arg(data)
        .envs(on_server(data)?)
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::piped())
        .stdout(File::create(output_file(data))?)
        .stderr(File::create(errors_file(data))?)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    match until_serving(&mut child, data).await {
        Ok(endpoints) => Ok((child, endpoints)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            let said = [read(&output_file(data)), read(&errors_file(data))].concat();
            Err(error.context(format!("`up` did not start; it said:\n{}", last_lines(&said))))
        }
    }
}

async fn until_serving(child: &mut Child, data: &Path) -> anyhow::Result<Endpoints> {
    let (public, simulator) = eventually("`up` prints where it listens", START_BOUND, async || {
        let printed = addresses(&read(&output_file(data)));
        match (printed, child.try_wait()) {
            (Some(printed), Ok(None)) => Ok(Ok(printed)),
            (_, Ok(Some(status))) => Ok(Err(status)),
            (None, _) => Err("no address".to_owned()),
            (_, Err(error)) => Err(error.to_string()),
        }
    })
    .await?
    .or_else(|status| bail!("it ended: {status}"))?;
    let key_file = data.join(SigningKey::FILE_NAME);
    let key = SigningKey::load(&key_file)?.with_context(|| format!("there is no {}", key_file.display()))?;
    let endpoints = Endpoints { public, simulator, key };
    eventually("`up` answers", START_BOUND, async || {
        let tenant = TestTenant::create(&endpoints).await.map_err(|error| error.to_string())?;
        let directory = tenant.directory().map_err(|error| error.to_string());
        directory?.list_agents(ListAgentsRequest::default()).await.map(|_| ()).map_err(|status| status.to_string())?;
        let phones = tenant.phones().map_err(|error| error.to_string())?;
        phones.all().await.map(|_| ()).map_err(|status| status.to_string())
    })
    .await?;
    Ok(endpoints)
}

/// The public listener and that of the simulator, from what `up` prints: the first `http://` address on a line that names the
/// simulator, and the first on another one. Without the former, the public listener has both.
fn addresses(output: &str) -> Option<(String, String)> {
    let (mut public, mut simulator) = (None, None);
    // A line that is still being written has half an address.
    let complete = output.rfind('\n').map_or("", |end| &output[..end]);
    for line in complete.lines() {
        let Some(address) = address_in(line) else { continue };
        let slot = if line.to_lowercase().contains("simulator") { &mut simulator } else { &mut public };
        slot.get_or_insert(address);
    }
    let public = public?;
    let simulator = simulator.unwrap_or_else(|| public.clone());
    Some((public, simulator))
}

fn address_in(line: &str) -> Option<String> {
    let from = &line[line.find("http://")?..];
    let fits = |it: char| it.is_ascii_alphanumeric() || ":/.-[]".contains(it);
    let end = from.find(|it| !fits(it)).unwrap_or(from.len());
    Some(from[..end].trim_end_matches(['.', '/', ':']).to_owned())
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read(path).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
}

pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_what_is_printed() {
        let output =
            "Baton serves on http://127.0.0.1:7400.\n  simulator  http://127.0.0.1:39011/\nbaton token --role agent\n";
        let expected = ("http://127.0.0.1:7400".to_owned(), "http://127.0.0.1:39011".to_owned());
        assert_eq!(addresses(output), Some(expected));
    }

    #[test]
    fn without_a_simulators_address_the_public_one_is_for_both() {
        let both = "http://127.0.0.1:7400".to_owned();
        assert_eq!(addresses("listening on http://127.0.0.1:7400\n"), Some((both.clone(), both)));
    }

    #[test]
    fn half_a_line_is_not_read() {
        assert_eq!(addresses("listening on http://127.0.0.1:74"), None);
        assert_eq!(addresses("starting\n"), None);
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_quoted() {
        let error = Embedded::start(Path::new("/bin/false"), &[]).await.unwrap_err();
        assert!(format!("{error:#}").contains("it ended: exit status: 1"), "{error:#}");
    }
}
