//! Servers of a test's own, which it stops and starts: alone, or three of a cluster.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use baton_bus::JetStreamOptions;
use baton_runtime::clock::Clock;
use tempfile::TempDir;

pub(crate) struct NatsServer {
    pub(crate) url: String,
    config: PathBuf,
    process: Option<Child>,
    _folder: TempDir,
}

impl NatsServer {
    /// With more lines of configuration.
    pub(crate) async fn start(more: &str) -> Self {
        let port = free_ports(1)[0];
        let mut server = Self::new(port, more);
        server.resume().await;
        server
    }

    /// Three servers that agree on every message.
    pub(crate) async fn cluster() -> [Self; 3] {
        let ports = free_ports(6);
        let routes: Vec<_> = ports[3..].iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
        let mut servers = [0, 1, 2].map(|number| {
            let (route, routes) = (ports[3 + number], routes.join(", "));
            let more = format!(
                "server_name: n{number}\ncluster {{ name: test, host: 127.0.0.1, port: {route}, no_advertise: true, routes: [{routes}] }}"
            );
            Self::new(ports[number], &more)
        });
        for server in &mut servers {
            server.resume().await;
        }
        servers
    }

    fn new(port: u16, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("conf");
        let data = folder.path().join("data");
        let text = format!(
            "host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n{more}\n",
            data.display()
        );
        std::fs::write(&config, text).unwrap();
        Self { url: format!("nats://127.0.0.1:{port}"), config, process: None, _folder: folder }
    }

    /// Starts it again with what it had.
    pub(crate) async fn resume(&mut self) {
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&self.config).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("nats-server is in the PATH"));
        let address = self.url.trim_start_matches("nats://").to_owned();
        let up = async {
            while tokio::net::TcpStream::connect(&address).await.is_err() {
                Clock::real().sleep(Duration::from_millis(20)).await;
            }
        };
        Clock::real().timeout(Duration::from_secs(20), up).await.expect("the server starts");
    }

    /// As a power cut does it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn options(&self) -> JetStreamOptions {
        options([self])
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn options<'a>(servers: impl IntoIterator<Item = &'a NatsServer>) -> JetStreamOptions {
    let urls = servers.into_iter().map(|it| it.url.clone()).collect();
    JetStreamOptions { urls, namespace: "t".to_owned(), ..JetStreamOptions::default() }
}

/// Another process may take one meanwhile, which is seldom.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|it| it.local_addr().unwrap().port()).collect()
}
