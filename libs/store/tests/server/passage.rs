//! A way to the server that tests can close: for whoever takes it the server is away then, and started again when it is opened.

use std::net::SocketAddr;

use baton_store::PostgresOptions;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::spawn;

pub(crate) struct Passage {
    server: String,
    address: SocketAddr,
    /// Whether what comes from the server is passed on.
    is_answering: watch::Sender<bool>,
    passing: JoinHandle<()>,
}

impl Passage {
    /// An open one, and how to take it.
    pub(crate) async fn to(options: &PostgresOptions) -> (Self, PostgresOptions) {
        let (user, rest) = options.url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_answering = watch::Sender::new(true);
        let passing = spawn(pass(listener, server.to_owned(), is_answering.clone()));
        let url = format!("{user}@{address}/{database}");
        (Self { server: server.to_owned(), address, is_answering, passing }, PostgresOptions { url, ..options.clone() })
    }

    /// Ends all connections, and refuses others.
    pub(crate) async fn close(&mut self) {
        self.passing.abort();
        assert!((&mut self.passing).await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.passing = spawn(pass(listener, self.server.clone(), self.is_answering.clone()));
    }

    pub(crate) fn answer(&self, is_answering: bool) {
        self.is_answering.send_replace(is_answering);
    }
}

async fn pass(listener: TcpListener, server: String, is_answering: watch::Sender<bool>) {
    let always = watch::Sender::new(true);
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (from_client, to_client) = accepted.unwrap().0.into_split();
                let (from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
                let requests = copy(from_client, to_server, always.subscribe());
                let answers = copy(from_server, to_client, is_answering.subscribe());
                connections.push(async { tokio::join!(requests, answers) });
            }
            Some(_) = connections.next() => {}
        }
    }
}

/// Until one of them ends.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_passed_on: watch::Receiver<bool>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        is_passed_on.wait_for(|it| *it).await.unwrap();
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
