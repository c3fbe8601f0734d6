//! A Baton of separate processes: the five services, the gateway and the simulated switch, on a `PostgreSQL` and a NATS that tests have started.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use baton_api::presence::v1::ListAgentsRequest;
use baton_runtime::auth::SigningKey;
use baton_runtime::{Clock, ServiceName};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::address::HeldAddresses;
use crate::target::{last_lines, private, read};
use crate::tenant::{Endpoints, TestTenant};
use crate::usage;
use crate::wait::eventually;

/// How long all of them may take to start on a busy machine.
const START_BOUND: Duration = Duration::from_mins(1);
/// As a probe of Kubernetes waits.
const PROBE_BOUND: Duration = Duration::from_secs(1);
const STOP_BOUND: Duration = Duration::from_secs(20);

/// The servers that it needs.
#[derive(Debug, Clone)]
pub struct TestServers {
    /// `postgres://…`.
    pub postgres: String,
    /// `nats://…`.
    pub nats: String,
}

impl TestServers {
    /// Those of this run of tests, if it has both: `tests/postgres` and `tests/nats` start them.
    pub fn of_this_run() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "of tests alone: where they run")]
        let of = |variable| std::env::var(variable).ok().filter(|it| !it.is_empty());
        Some(Self { postgres: of("TEST_POSTGRES_URL")?, nats: of("TEST_NATS_URL")? })
    }
}

/// Dropped, all processes are killed.
#[derive(Debug)]
pub struct Distributed {
    binary: PathBuf,
    folder: TempDir,
    settings: Vec<(String, String)>,
    switch: Option<Child>,
    parts: BTreeMap<ServiceName, ServiceProcess>,
    extra: Vec<Child>,
    /// Of all processes.
    held: HeldAddresses,
    endpoints: Endpoints,
}

#[derive(Debug)]
struct ServiceProcess {
    child: Child,
    listen: SocketAddr,
    health: SocketAddr,
}

impl Distributed {
    /// Starts everything with settings for each process (`("BATON_PRESENCE__LEASE_MS", "2000")`), and waits until it serves.
    pub async fn start(binary: &Path, servers: &TestServers, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-test-").tempdir()?;
        let mut held = HeldAddresses::default();
        let addresses: BTreeMap<_, _> =
            ServiceName::ALL.iter().map(|it| Ok((*it, held.another()?))).collect::<anyhow::Result<_>>()?;
        let at = |service: ServiceName| addresses.get(&service).map(ToString::to_string).unwrap_or_default();
        let switch_at = held.another()?;
        let key = SigningKey::load_or_create(&folder.path().join(SigningKey::FILE_NAME))?;
        write_settings(folder.path(), servers, &at, switch_at)?;
        let public = format!("http://{}", at(ServiceName::Gateway));
        // Phones are heard straight from the switch, also while a service is down.
        let endpoints = Endpoints { simulator: format!("http://{switch_at}"), public, key };
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut this = Self {
            binary: binary.to_owned(),
            folder,
            settings,
            switch: None,
            parts: BTreeMap::new(),
            extra: Vec::new(),
            held,
            endpoints,
        };
        let switch = ["switch", "--exit-with-stdin", "--listen", &switch_at.to_string(), "--data"];
        let (data, key) = (this.data().join("switch"), this.data().join(SigningKey::FILE_NAME));
        let ends = [data.as_os_str(), "--key".as_ref(), key.as_os_str()];
        this.switch = Some(this.spawn("switch", switch.iter().map(AsRef::as_ref).chain(ends))?);
        let config = this.config_file();
        let migrate = ["migrate".as_ref(), "--config".as_ref(), config.as_os_str()];
        let migrated = this.spawn("migrate", migrate.into_iter())?.wait()?;
        anyhow::ensure!(migrated.success(), "`baton migrate` failed:\n{}", this.said("migrate"));
        for (service, listen) in addresses {
            let health = this.held.another()?;
            let child = this.serve(service, (listen, health))?;
            this.parts.insert(service, ServiceProcess { child, listen, health });
        }
        match this.until_serving().await {
            Ok(()) => Ok(this),
            Err(error) => {
                let said: Vec<_> =
                    ServiceName::ALL.iter().map(|it| format!("{it}: {}", this.said(it.as_str()))).collect();
                Err(error.context(format!("it does not serve; the processes said:\n{}", said.join("\n"))))
            }
        }
    }

    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Where its settings, logs and recordings are.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// The file with the settings of all processes.
    pub fn config_file(&self) -> PathBuf {
        self.data().join("baton.toml")
    }

    /// Where a service is asked for its health, `127.0.0.1:…`.
    pub fn health(&self, service: ServiceName) -> Option<SocketAddr> {
        self.parts.get(&service).map(|it| it.health)
    }

    /// What a process (a service, `switch`, `migrate`) has printed and logged since its last start.
    pub fn said(&self, process: &str) -> String {
        let file = |ending| self.data().join(format!("{process}.{ending}"));
        last_lines(&[read(&file("out")), read(&file("err"))].concat())
    }

    /// `kill -9` of a service.
    pub fn kill(&mut self, service: ServiceName) -> anyhow::Result<()> {
        let part = self.parts.get_mut(&service).context("no such process")?;
        part.child.kill()?;
        part.child.wait()?;
        Ok(())
    }

    /// Starts a service again where it was.
    pub fn start_again(&mut self, service: ServiceName) -> anyhow::Result<()> {
        let part = self.parts.get(&service).context("no such process")?;
        let child = self.serve(service, (part.listen, part.health))?;
        if let Some(part) = self.parts.get_mut(&service) {
            part.child = child;
        }
        Ok(())
    }

    /// Starts a second process of a service, on addresses of its own; where it is asked for its health.
    pub fn start_second(&mut self, service: ServiceName) -> anyhow::Result<SocketAddr> {
        let (listen, health) = (self.held.another()?, self.held.another()?);
        self.extra.push(self.serve_as(&format!("second-{service}"), service, (listen, health))?);
        Ok(health)
    }

    /// `kill -9` of those that [`start_second`](Self::start_second) has started.
    pub fn kill_extra(&mut self) -> anyhow::Result<()> {
        for mut child in self.extra.drain(..) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// How long the services, without the switch and the servers, have used a core so far.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        self.parts.values().map(|it| usage::cpu_time(it.child.id())).sum()
    }

    /// In bytes: the most memory that a service has had in use at once.
    pub fn peak_memory(&self, service: ServiceName) -> anyhow::Result<u64> {
        usage::peak_memory(self.parts.get(&service).context("there is no such service")?.child.id())
    }

    /// Sends a signal to a service.
    pub fn signal(&self, service: ServiceName, signal: Signal) -> anyhow::Result<()> {
        let part = self.parts.get(&service).context("no such process")?;
        let pid = i32::try_from(part.child.id()).ok().and_then(Pid::from_raw).context("its process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until a service has ended by itself; its exit code.
    pub async fn until_ended(&mut self, service: ServiceName) -> anyhow::Result<i32> {
        let part = self.parts.get_mut(&service).context("no such process")?;
        let status = eventually(&format!("{service} ends"), STOP_BOUND, async || match part.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        status.code().with_context(|| format!("{service} was killed by a signal"))
    }

    /// Asks all services to end, and waits until they have; the first exit code that is not 0.
    pub async fn stop(&mut self) -> anyhow::Result<i32> {
        for service in ServiceName::ALL {
            self.signal(service, Signal::TERM)?;
        }
        let mut worst = 0;
        for service in ServiceName::ALL {
            let code = self.until_ended(service).await?;
            worst = if worst == 0 { code } else { worst };
        }
        Ok(worst)
    }

    /// Kills its processes, and leaves its logs for a person to look at.
    pub fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.data().to_owned()
    }

    fn serve(&self, service: ServiceName, addresses: (SocketAddr, SocketAddr)) -> anyhow::Result<Child> {
        self.serve_as(service.as_str(), service, addresses)
    }

    fn serve_as(
        &self,
        name: &str,
        service: ServiceName,
        (listen, health): (SocketAddr, SocketAddr),
    ) -> anyhow::Result<Child> {
        let (listen, health, config) = (listen.to_string(), health.to_string(), self.config_file());
        let arguments =
            ["serve", service.as_str(), "--exit-with-stdin", "--listen", &listen, "--health-listen", &health];
        let config = ["--config".as_ref(), config.as_os_str()];
        self.spawn(name, arguments.iter().map(AsRef::as_ref).chain(config))
    }

    /// With our end of its standard input it ends, should this process die without clearing up.
    fn spawn<'a>(&self, name: &str, arguments: impl Iterator<Item = &'a std::ffi::OsStr>) -> anyhow::Result<Child> {
        let file = |ending| File::create(self.data().join(format!("{name}.{ending}")));
        let mut command = Command::new(&self.binary);
        command.args(arguments).envs(self.settings.iter().map(|(key, value)| (key, value)));
        let child = command.stdin(Stdio::piped()).stdout(file("out")?).stderr(file("err")?).spawn();
        child.with_context(|| format!("starting {name}"))
    }

    /// Waits until a tenant can be created, and all services answer for it.
    pub async fn until_serving(&self) -> anyhow::Result<()> {
        eventually("all processes serve", START_BOUND, async || {
            let tenant = TestTenant::create(&self.endpoints).await.map_err(|error| format!("{error:#}"))?;
            let directory = tenant.directory().map_err(|error| error.to_string());
            directory?.list_agents(ListAgentsRequest::default()).await.map_err(|status| status.to_string())?;
            let phones = tenant.phones().map_err(|error| error.to_string())?;
            phones.all().await.map(drop).map_err(|status| status.to_string())?;
            self.are_ready().await
        })
        .await
    }

    async fn are_ready(&self) -> Result<(), String> {
        for (service, part) in &self.parts {
            if !is_ready(part.health).await {
                return Err(format!("{service} is not ready"));
            }
        }
        Ok(())
    }
}

impl Drop for Distributed {
    fn drop(&mut self) {
        for child in self.parts.values_mut().map(|it| &mut it.child).chain(&mut self.extra).chain(self.switch.as_mut())
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether `GET /readyz` says so, in the time that a probe has.
pub async fn is_ready(health: SocketAddr) -> bool {
    let asked = Clock::real().timeout(PROBE_BOUND, readyz(health)).await;
    asked.is_ok_and(|asked| asked.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
}

/// The whole answer to `GET /readyz`.
pub async fn readyz(health: impl ToSocketAddrs) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(health).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: baton\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn write_settings(
    folder: &Path,
    servers: &TestServers,
    at: &impl Fn(ServiceName) -> String,
    switch: SocketAddr,
) -> anyhow::Result<()> {
    let url_file = folder.join("postgres.url");
    private(&url_file, &servers.postgres)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let own =
        name.trim_start_matches("baton-test-").bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let peers: Vec<_> = ServiceName::STORING.iter().map(|it| format!("{it} = \"http://{}\"", at(*it))).collect();
    let text = format!(
        "[database]\nurl_file = \"{}\"\nschema_prefix = \"t{own}\"\nconnections = 20\npatience_ms = 5000\n\
         [nats]\nurl = \"{}\"\nnamespace = \"t{own}\"\nmax_mib = 256\n\
         [peers]\n{}\n\
         [auth]\nkey_file = \"{}\"\ndevelopment_key = true\n\
         [telephony]\nswitch_address = \"http://{switch}\"\n\
         [recording]\nstorage_url = \"file://{}\"\n\
         [telemetry]\nlog = \"info\"\n",
        url_file.display(),
        servers.nats,
        peers.join("\n"),
        folder.join(SigningKey::FILE_NAME).display(),
        folder.join("recordings").display(),
    );
    Ok(std::fs::write(folder.join("baton.toml"), text)?)
}
