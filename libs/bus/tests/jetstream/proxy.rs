//! A way to a server that can be cut, and on which answers are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_runtime::clock::Clock;
use baton_runtime::ids::random_below;
use baton_runtime::lifecycle::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the way is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Open,
    /// What comes is let in, and nothing is answered.
    Cut,
    /// Every so often what is sent arrives late, and a connection hears nothing more and breaks a moment later.
    Lossy,
}

pub(crate) struct Proxy {
    pub(crate) url: String,
    way: watch::Sender<Way>,
    lost: Arc<AtomicU64>,
}

impl Proxy {
    /// Before the server with this URL.
    pub(crate) async fn before(url: &str, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("nats://{}", listener.local_addr().unwrap());
        let server = url.trim_start_matches("nats://").to_owned();
        let (way, lost) = (watch::Sender::new(way), Arc::<AtomicU64>::default());
        let (ways, counted) = (way.subscribe(), Arc::clone(&lost));
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if ways.has_changed().is_err() {
                    return;
                }
                spawn(forward(client, server.clone(), ways.clone(), Arc::clone(&counted)));
            }
        });
        Self { url: own, way, lost }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How often an answer was lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

async fn forward(client: TcpStream, server: String, mut ways: watch::Receiver<Way>, lost: Arc<AtomicU64>) {
    if *ways.borrow_and_update() == Way::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let is_lossy = *ways.borrow() == Way::Lossy;
    let asking = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_client.read(&mut buffer).await.unwrap_or(0);
            if is_lossy && random_below(8) == 0 {
                // The servers have forgotten the ids of others' messages then.
                Clock::real().sleep(Duration::from_millis(110 + random_below(100))).await;
            }
            if read == 0 || to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let answering = async {
        let mut buffer = vec![0; 64 * 1024];
        // The first answers are the greeting.
        let mut left = 3 + random_below(20);
        loop {
            let read = from_server.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            if is_lossy && left == 0 {
                lost.fetch_add(1, Ordering::Relaxed);
                Clock::real().sleep(Duration::from_millis(20)).await;
                return;
            }
            left = left.saturating_sub(1);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
        _ = ways.wait_for(|way| *way == Way::Cut) => {}
    }
}
