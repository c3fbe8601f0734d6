//! A `PostgreSQL` and a NATS of a test's own, which it may kill and start again. Everybody else's are started by `tests/postgres` and
//! `tests/nats`, from the same programs.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use crate::address::HeldAddresses;
use crate::distributed::TestServers;
use crate::target::{last_lines, read};
use crate::wait::eventually;

const START_BOUND: Duration = Duration::from_secs(30);
/// `nobody`: the database server does not run as root.
const NOBODY: u32 = 65_534;

/// Both; dropped, they are gone with what they have stored.
#[derive(Debug)]
pub struct OwnServers {
    pub postgres: PostgresServer,
    pub nats: NatsServer,
}

impl OwnServers {
    pub async fn start() -> anyhow::Result<Self> {
        Ok(Self { postgres: PostgresServer::start().await?, nats: NatsServer::start().await? })
    }

    /// Where they are.
    pub fn addresses(&self) -> TestServers {
        TestServers { postgres: self.postgres.url(), nats: self.nats.url() }
    }
}

#[derive(Debug)]
pub struct PostgresServer {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    _held: HeldAddresses,
}

impl PostgresServer {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-postgres-").tempdir()?;
        if getuid().is_root() {
            chown(folder.path(), Some(NOBODY), None)?;
        }
        let mut found: Vec<_> =
            fs::read_dir("/usr/lib/postgresql")?.flatten().map(|it| it.path().join("bin")).collect();
        found.sort();
        let programs = found.pop().context("PostgreSQL is not installed: run tests/packages")?;
        let mut held = HeldAddresses::default();
        let this = Self { folder, programs, port: held.another()?.port(), _held: held };
        let data = this.data();
        let data = data.to_string_lossy();
        this.run(
            "initdb",
            &["-D", &data, "--locale=C", "--encoding=UTF8", "--auth=trust", "--username=baton", "--no-sync"],
        )?;
        this.start_again().await?;
        this.run("createdb", &["-h", "127.0.0.1", "-p", &this.port.to_string(), "-U", "baton", "baton"])?;
        Ok(this)
    }

    fn url(&self) -> String {
        format!("postgres://baton@127.0.0.1:{}/baton", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `kill -9` of the server. What it had answered is in its log, and is there again when it is started again.
    pub fn kill(&self) -> anyhow::Result<()> {
        let file = fs::read_to_string(self.data().join("postmaster.pid"))?;
        let pid = file.lines().next().and_then(|it| it.parse().ok()).and_then(Pid::from_raw);
        Ok(kill_process(pid.context("its process id")?, Signal::KILL)?)
    }

    /// Starts it where it was, once its processes are gone.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories='' -c fsync=off -c max_connections=300",
            self.port
        );
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let (data, log) = (data.to_string_lossy(), log.to_string_lossy());
        eventually("PostgreSQL starts", START_BOUND, async || {
            self.run("pg_ctl", &["-D", &data, "-w", "-l", &log, "-o", &settings, "start"])
                .map_err(|error| error.to_string())
        })
        .await
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let program = self.programs.join(program);
        let mut command = if getuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "nobody", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // A server that is started holds what it was started with.
        let said = self.folder.path().join("said");
        let output = File::create(&said)?;
        command.args(arguments).current_dir(self.folder.path());
        let status = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).status()?;
        if status.success() { Ok(()) } else { bail!("{}", last_lines(&read(&said))) }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let data = self.data();
        let _ = self.run("pg_ctl", &["-D", &data.to_string_lossy(), "-m", "immediate", "stop"]);
    }
}

#[derive(Debug)]
pub struct NatsServer {
    folder: TempDir,
    port: u16,
    _held: HeldAddresses,
    child: Child,
}

impl NatsServer {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-nats-").tempdir()?;
        let mut held = HeldAddresses::default();
        let port = held.another()?.port();
        let child = serve(folder.path(), port)?;
        let this = Self { folder, port, _held: held, child };
        this.until_serving().await?;
        Ok(this)
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it where it was, with what it has on its disk.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = serve(self.folder.path(), self.port)?;
        self.until_serving().await
    }

    async fn until_serving(&self) -> anyhow::Result<()> {
        eventually("NATS serves", START_BOUND, async || {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn serve(folder: &Path, port: u16) -> anyhow::Result<Child> {
    let log = File::create(folder.join("log"))?;
    let mut command = Command::new("nats-server");
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(folder.join("data"));
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
    child.context("starting nats-server (tests/nats finds it)")
}
