//! A peer that speaks HTTP/2 by itself, from an address of its own.

use anyhow::Context as _;
use baton_runtime::lifecycle;
use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// From this address of the loopback network; others than the bystander's.
pub(super) async fn connect(server: &str, from: &str) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse()?)?;
    Ok(socket.connect(server.trim_start_matches("http://").parse()?).await?)
}

/// A connection with HTTP/2. Dropped, it is closed.
pub(super) struct Peer {
    server: String,
    requests: SendRequest<Bytes>,
    connection: JoinHandle<()>,
}

impl Peer {
    /// With this much window for each answer: what is longer waits in the server.
    pub(super) async fn open(server: &str, from: &str, window: u32) -> anyhow::Result<Self> {
        let stream = connect(server, from).await?;
        let mut builder = Builder::new();
        builder.initial_window_size(window).initial_max_send_streams(4_096);
        let (requests, connection) = builder.handshake(stream).await?;
        let connection = lifecycle::spawn(async move { drop(connection.await) });
        Ok(Self { server: server.to_owned(), requests, connection })
    }

    /// Sends a request, whose body may be incomplete.
    pub(super) async fn send(
        &mut self,
        path: &str,
        token: Option<&str>,
        body: Bytes,
        is_end: bool,
    ) -> anyhow::Result<Sent> {
        let mut request = Request::builder().method("POST").uri(format!("{}{path}", self.server));
        request = request.header("content-type", "application/grpc").header("te", "trailers");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.requests = self.requests.clone().ready().await.context("the server closed it")?;
        let (answer, mut stream) = self.requests.send_request(request.body(())?, false)?;
        stream.send_data(body, is_end)?;
        Ok(Sent { answer, _stream: stream })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A request that was sent.
pub(super) struct Sent {
    answer: ResponseFuture,
    _stream: SendStream<Bytes>,
}

impl Sent {
    pub(super) async fn answer(self) -> anyhow::Result<Response<RecvStream>> {
        Ok(self.answer.await?)
    }
}

/// A message as gRPC frames it.
pub(super) fn framed(message: &impl prost_reflect::prost::Message) -> Bytes {
    let body = message.encode_to_vec();
    [&[0][..], &(body.len() as u32).to_be_bytes(), &body].concat().into()
}
