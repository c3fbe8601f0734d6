//! Serves the transfers to Restate. The SDK's own server leaves Nagle's algorithm on, with which each step waits for a delayed acknowledgement
//! and Restate looks up to four times slower than it is; so connections are accepted here.

use crate::{
    phones::Phones,
    transfer::{CalledBack, Transfer},
};
use anyhow::Context as _;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use restate_sdk::{endpoint::Endpoint, hyper::HyperEndpoint};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// Until the process is ended.
pub(crate) async fn serve(address: SocketAddr, phones: Phones) -> anyhow::Result<()> {
    let endpoint = HyperEndpoint::new(Endpoint::builder().bind(Transfer).bind(CalledBack { phones }).build());
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    loop {
        let (stream, peer) = listener.accept().await.context("accepting a connection")?;
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            if let Err(error) = serve_one(stream, endpoint).await {
                eprintln!("the connection from {peer} broke: {error:#}");
            }
        });
    }
}

async fn serve_one(stream: TcpStream, endpoint: HyperEndpoint) -> anyhow::Result<()> {
    stream.set_nodelay(true).context("setting TCP_NODELAY")?;
    let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), endpoint);
    connection.await.context("serving it")
}
