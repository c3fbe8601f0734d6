//! Phones that call back: the step that has one ring gives it the awakeables to resolve when it is answered and when the giver leaves. It is on
//! the line to the client at once, one line of text for each phone that rings, and costs Restate nothing.

use anyhow::Context as _;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::{broadcast, oneshot},
};

/// More than are ever in flight.
const UNREAD: usize = 10_000;

/// What a phone calls back with.
pub(crate) struct Awakeables {
    pub(crate) answered: String,
    pub(crate) left: String,
}

/// The endpoint's side.
#[derive(Clone)]
pub(crate) struct Phones(broadcast::Sender<String>);

impl Phones {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(UNREAD))
    }

    /// Nobody hears it if no client is connected.
    pub(crate) fn ring(&self, interaction_id: &str, awakeables: &Awakeables) {
        let _ = self.0.send(format!("{interaction_id} {} {}\n", awakeables.answered, awakeables.left));
    }

    /// Until the process is ended.
    pub(crate) async fn serve(&self, address: SocketAddr) -> anyhow::Result<()> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        loop {
            let (stream, _) = listener.accept().await.context("accepting a client of the phones")?;
            tokio::spawn(report(stream, self.0.subscribe()));
        }
    }
}

async fn report(mut stream: TcpStream, mut rings: broadcast::Receiver<String>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        stream.write_all(rings.recv().await?.as_bytes()).await?;
    }
}

type Waiting = HashMap<String, oneshot::Sender<Awakeables>>;

/// The client's side.
#[derive(Clone, Default)]
pub(crate) struct Rings(Arc<Mutex<Waiting>>);

impl Rings {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("connecting to the phones at {address}"))?;
        let rings = Self::default();
        let reading = rings.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                reading.heard(&line);
            }
            // Whoever waits learns of the broken connection.
            reading.waiting().clear();
        });
        Ok(rings)
    }

    /// To be called before the transfer begins.
    pub(crate) fn of(&self, interaction_id: &str) -> oneshot::Receiver<Awakeables> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(interaction_id.to_owned(), sender);
        receiver
    }

    fn heard(&self, line: &str) {
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(interaction_id), Some(answered), Some(left)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        if let Some(sender) = self.waiting().remove(&interaction_id) {
            let _ = sender.send(Awakeables { answered, left });
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
