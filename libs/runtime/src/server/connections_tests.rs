//! Hostile peers, and many honest ones behind one address, over real sockets.

use std::convert::Infallible;

use baton_api::ApiError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::auth::{Caller, Role, SigningKey};
use crate::client::GrpcChannel;
use crate::config::RateLimits;
use crate::server::tests::{CapturedLog, TestServer, raw_call, run};
use crate::server::{Listener, ServerBuilder};

const SHORT: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(10);
/// The preface, and a frame of settings that sets nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const METHOD: &str = "/baton.transfer.v1.TransferService/StartTransfer";

struct World {
    server: TestServer,
    key: SigningKey,
}

impl World {
    fn new(limits: ServerLimits) -> Self {
        let key = SigningKey::generate();
        Self { server: run(ServerBuilder::new(Clock::real(), key.verifier()).limits(limits)), key }
    }

    async fn connect(&self, says: &[u8]) -> TcpStream {
        self.connect_from("127.0.0.1", says).await
    }

    async fn connect_from(&self, address: &str, says: &[u8]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let server = self.server.address.trim_start_matches("http://").parse().unwrap();
        let mut stream = socket.connect(server).await.unwrap();
        stream.write_all(says).await.unwrap();
        stream
    }

    /// A connection of its own.
    fn channel(&self, tenant: &str) -> GrpcChannel {
        let caller = Caller::of_tenant(tenant.parse().unwrap(), "eve", Role::Supervisor);
        let token = self.key.mint(&caller, Clock::real().now_us(), SOON).unwrap();
        GrpcChannel::public(&self.server.address, &token, Clock::real()).unwrap()
    }

    /// A connection on which a token of this tenant was accepted.
    async fn admitted(&self, tenant: &str) -> GrpcChannel {
        let channel = self.channel(tenant);
        assert!(is_admitted(&channel, SOON).await);
        channel
    }

    async fn is_served(&self, within: Duration) -> bool {
        let channel =
            GrpcChannel::anonymous(&self.server.address, Clock::real()).unwrap().with_default_deadline(within);
        HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok()
    }
}

/// Whether a call of this channel passes the edge; behind it nobody serves the method.
async fn is_admitted(channel: &GrpcChannel, within: Duration) -> bool {
    raw_call(channel.with_default_deadline(within), METHOD).await.code() == tonic::Code::Unimplemented
}

/// Whether the other end closes it within this time.
async fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    let mut bytes = [0; 1024];
    let end = async { while matches!(stream.read(&mut bytes).await, Ok(1..)) {} };
    Clock::real().timeout(within, end).await.is_ok()
}

#[tokio::test]
async fn s4_a_connection_without_a_good_token_in_time_is_closed_whatever_it_says_and_one_with_a_token_is_not() {
    let world = World::new(ServerLimits { first_token: SHORT, ..ServerLimits::default() });
    let client = world.admitted("demo").await;
    for says in [&b""[..], b"P", &HELLO[..24], HELLO, b"GET / HTTP/1.1\r\nHost:"] {
        let mut stream = world.connect(says).await;
        assert!(is_closed(&mut stream, SOON).await, "{}", says.escape_ascii());
    }
    assert!(is_admitted(&client, SOON).await);
    assert!(world.is_served(SOON).await);
}

#[tokio::test]
async fn s4_idle_connections_give_way_to_new_ones_from_the_same_address_and_from_others() {
    let limits = ServerLimits { connections: 6, connections_of_peer: 4, ..ServerLimits::default() };
    let world = World::new(limits);
    let client = world.admitted("demo").await;
    let mut idle = Vec::new();
    for n in 0..20 {
        idle.push(world.connect_from(&format!("127.0.0.{}", 1 + n % 5), HELLO).await);
        assert!(is_admitted(&client, SOON).await, "{n}");
        world.admitted("demo").await;
        assert!(world.is_served(SOON).await, "{n}");
    }
    assert!(is_closed(&mut idle[0], SOON).await);
}

#[tokio::test]
async fn more_connections_with_tokens_than_may_be_wait_and_the_log_has_it_once() {
    let log = CapturedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    let _logging = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());

    let world = World::new(ServerLimits { connections: 4, ..ServerLimits::default() });
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(world.admitted("demo").await);
    }
    for _ in 0..3 {
        assert!(!world.is_served(SHORT).await, "no place is free");
    }
    drop(clients);
    assert!(world.is_served(SOON).await);
    assert_eq!(log.text().matches("as many connections as may be are open").count(), 1, "{}", log.text());
}

#[tokio::test]
async fn s4_a_tenant_has_so_many_connections_and_others_have_theirs() {
    let world = World::new(ServerLimits { connections_of_tenant: 2, ..ServerLimits::default() });
    let clients = [world.admitted("demo").await, world.admitted("demo").await];
    let refused = ApiError::of(&raw_call(world.channel("demo"), METHOD).await);
    assert!(refused.message.contains("server.connections_per_tenant") && refused.retry_after.is_some(), "{refused:?}");
    world.admitted("rival").await;
    drop(clients);
    while !is_admitted(&world.channel("demo"), SOON).await {}
}

#[tokio::test]
async fn s4_health_has_a_port_of_its_own_that_the_newest_is_served_on() {
    let key = SigningKey::generate();
    let limits = ServerLimits { connections: 1, ..ServerLimits::default() };
    let bound =
        ServerBuilder::new(Clock::real(), key.verifier()).limits(limits).bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, stop) = (listener.local_addr(), CancellationToken::new());
    let (probes, readiness) = (bound.probes(listener), bound.readiness());
    lifecycle::spawn(probes.serve(stop.clone()));
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let serving = lifecycle::spawn(bound.serve(stop.clone()));
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    while ask("/readyz").await != "200" {}
    assert_eq!((ask("/livez").await, ask("/").await), ("200".to_owned(), "404".to_owned()));
    let channel = GrpcChannel::anonymous(&format!("http://{address}"), Clock::real()).unwrap();
    assert!(HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok());
    readiness.withdraw().await;
    assert_eq!((ask("/livez").await, ask("/readyz").await), ("200".to_owned(), "503".to_owned()));
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn s8_calls_without_a_token_are_few_on_a_connection_and_from_an_address() {
    let limits = ServerLimits { open_calls_of_connection: 3, open_calls_of_peer: 5, ..ServerLimits::default() };
    let world = World::new(limits);
    let open =
        async |channel: &GrpcChannel| HealthClient::new(channel.clone()).watch(HealthCheckRequest::default()).await;
    let mut held = Vec::new();
    for (may_have, key) in [(3, "limits.open_calls_per_connection"), (2, "limits.open_calls_per_peer")] {
        let channel = GrpcChannel::anonymous(&world.server.address, Clock::real()).unwrap();
        for _ in 0..may_have {
            held.push(open(&channel).await.unwrap());
        }
        let refused = ApiError::of(&open(&channel).await.unwrap_err());
        assert!(refused.message.contains(key) && refused.retry_after.is_some(), "{refused:?}");
    }
    world.admitted("demo").await;
    drop(held);
    while !world.is_served(SOON).await {}
}

#[tokio::test]
async fn s8_a_connection_that_shows_only_bad_tokens_is_closed() {
    let world = World::new(ServerLimits::default());
    let stream = world.connect(b"").await;
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let ended = lifecycle::spawn(connection);
    let mut asked = 0;
    while !ended.is_finished() {
        let request =
            Request::builder().method("POST").uri(format!("{}{METHOD}", world.server.address)).body(()).unwrap();
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        let Ok((answer, _)) = client.send_request(request, true) else { break };
        let _ = answer.await;
        asked += 1;
        assert!(asked < 1_000);
    }
    assert!(world.is_served(SOON).await);
}

/// Sends a request whose body may be incomplete; its answer.
async fn send(
    world: &World,
    path: &str,
    body: &[u8],
    is_end: bool,
) -> Result<http::Response<h2::RecvStream>, h2::Error> {
    let (mut client, connection) = h2::client::handshake(world.connect(b"").await).await.unwrap();
    lifecycle::spawn(connection);
    let request = Request::builder().method("POST").uri(format!("{}{path}", world.server.address));
    let request = request.header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap();
    let (answer, mut stream) = client.send_request(request, false).unwrap();
    stream.send_data(body.to_vec().into(), is_end).unwrap();
    answer.await
}

#[tokio::test]
async fn s9_a_request_whose_last_byte_never_comes_is_answered_in_time() {
    let world = World::new(ServerLimits { receive: SHORT, ..ServerLimits::default() });
    for body in [&b""[..], b"\0", b"\0\0\0\0\x05abc", b"\0\0\0\0\0"] {
        let answered = Clock::real().timeout(SOON, send(&world, "/grpc.health.v1.Health/Check", body, false)).await;
        let status = answered.unwrap().unwrap().headers()["grpc-status"].clone();
        assert_eq!(status, "4", "{}", body.escape_ascii());
    }
    let answered = send(&world, "/grpc.health.v1.Health/Check", b"\0\0\0\0\0", true).await.unwrap();
    assert_eq!(answered.headers().get("grpc-status"), None);
}

#[tokio::test]
async fn s9_a_message_of_a_peer_without_a_token_is_small() {
    let world = World::new(ServerLimits::default());
    let body = [&b"\0\0\x01\0\0"[..], &[b'x'; 1000]].concat();
    let answered = send(&world, "/grpc.health.v1.Health/Check", &body, false).await.unwrap();
    assert_eq!(answered.headers()["grpc-status"], "8");
}

/// Answers every call with a message of this size.
#[derive(Clone)]
struct Large(usize);

impl tonic::server::NamedService for Large {
    const NAME: &'static str = "baton.transfer.v1.TransferService";
}

impl Service<Request<Body>> for Large {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let mut response = Response::new(Body::new(String::from_utf8_lossy(&vec![0; self.0]).into_owned()));
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
        std::future::ready(Ok(response))
    }
}

/// A connection with so small a window that answers come into it and not out of it.
async fn unread(
    world: &World,
    window: u32,
) -> (h2::client::SendRequest<bytes::Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window);
    let (client, connection) = builder.handshake(world.connect(b"").await).await.unwrap();
    (client, lifecycle::spawn(connection))
}

fn authorized(world: &World, tenant: &str) -> Request<()> {
    let caller = Caller::of_tenant(tenant.parse().unwrap(), "eve", Role::Supervisor);
    let token = world.key.mint(&caller, Clock::real().now_us(), SOON).unwrap();
    let request = Request::builder().method("POST").uri(format!("{}{METHOD}", world.server.address));
    request.header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

fn with_large_answers(size: usize, limits: ServerLimits) -> World {
    let key = SigningKey::generate();
    World {
        server: run(ServerBuilder::new(Clock::real(), key.verifier()).limits(limits).add_service(Large(size))),
        key,
    }
}

#[tokio::test]
async fn s1_answers_that_nobody_reads_are_refused_from_the_budget_on_and_others_are_served() {
    let limits = ServerLimits { queued_of_connection: 100_000, queued_of_tenant: 250_000, ..ServerLimits::default() };
    let world = with_large_answers(30_000, limits);
    let mut kept = Vec::new();
    let (mut of_connection, mut of_tenant) = (0, 0);
    for _ in 0..4 {
        let (mut client, _) = unread(&world, 1).await;
        for _ in 0..20 {
            let mut answer = client.send_request(authorized(&world, "demo"), true).unwrap().0.await.unwrap();
            // The first byte, or an end without one.
            let Some(error) = refusal(&mut answer).await else {
                kept.push(answer);
                continue;
            };
            assert!(error.retry_after.is_some());
            of_connection += usize::from(error.message.contains("limits.queued_bytes_per_connection"));
            of_tenant += usize::from(error.message.contains("limits.queued_bytes_per_tenant"));
        }
        kept.push(client.send_request(authorized(&world, "rival"), true).unwrap().0.await.unwrap());
    }
    assert!(of_connection > 40 && of_tenant > 5, "{of_connection} {of_tenant}");
    assert!(kept.len() < 20, "{}", kept.len());
    let answer = ask(&world, "rival").await;
    assert_eq!(answer, 30_000, "another tenant is served");
    drop(kept);
    // Without its answers the tenant may call again.
    while ask(&world, "demo").await != 30_000 {}
}

/// Why the answer has no byte, in its headers or trailers.
async fn refusal(answer: &mut http::Response<h2::RecvStream>) -> Option<ApiError> {
    if let Some(status) = tonic::Status::from_header_map(answer.headers()) {
        return Some(ApiError::of(&status));
    }
    if answer.body_mut().data().await.is_some() {
        return None;
    }
    let trailers = answer.body_mut().trailers().await.unwrap().unwrap();
    tonic::Status::from_header_map(&trailers).map(|status| ApiError::of(&status))
}

/// In bytes, of the answer to one call on a connection of its own that is read.
async fn ask(world: &World, tenant: &str) -> usize {
    let (mut client, connection) = h2::client::handshake(world.connect(b"").await).await.unwrap();
    lifecycle::spawn(connection);
    let mut body = client.send_request(authorized(world, tenant), true).unwrap().0.await.unwrap().into_body();
    let mut read = 0;
    while let Some(Ok(bytes)) = body.data().await {
        read += bytes.len();
        body.flow_control().release_capacity(bytes.len()).unwrap();
    }
    read
}

#[tokio::test]
async fn s1_a_connection_whose_peer_reads_nothing_is_closed_and_one_that_reads_is_not() {
    let world = with_large_answers(30_000, ServerLimits { send: SHORT, ..ServerLimits::default() });
    let (mut client, mut connection) = unread(&world, 1).await;
    let _answer = client.send_request(authorized(&world, "demo"), true).unwrap().0.await.unwrap();
    assert!(Clock::real().timeout(SOON, &mut connection).await.is_ok());

    // Slowly, for longer than a peer may read nothing.
    let world = with_large_answers(300_000, ServerLimits { send: SHORT * 20, ..ServerLimits::default() });
    let (mut client, connection) = unread(&world, 1_000).await;
    let mut body = client.send_request(authorized(&world, "demo"), true).unwrap().0.await.unwrap().into_body();
    let (mut read, mut released) = (0, 0);
    while let Some(bytes) = body.data().await {
        read += bytes.unwrap().len();
        // A whole window at once: otherwise each round of window and answer is smaller than the one before.
        if read - released >= 1_000 {
            body.flow_control().release_capacity(read - released).unwrap();
            released = read;
            Clock::real().sleep(SHORT / 10).await;
        }
    }
    assert_eq!(read, 300_000);
    assert!(!connection.is_finished());
}

#[tokio::test]
async fn r10_calls_that_all_run_into_their_deadline_at_once_end_nothing_else_on_their_connection() {
    let world = World::new(ServerLimits { rates: RateLimits::default(), ..ServerLimits::default() });
    let (mut client, connection) = h2::client::handshake(world.connect(b"").await).await.unwrap();
    let connection = lifecycle::spawn(connection);
    let watch = Request::builder().method("POST").uri(format!("{}/grpc.health.v1.Health/Watch", world.server.address));
    let watch = watch.header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap();
    let (answer, mut body) = client.send_request(watch, false).unwrap();
    body.send_data(bytes::Bytes::from_static(b"\0\0\0\0\0"), true).unwrap();
    let watched = answer.await.unwrap();
    for _ in 0..10 {
        let mut calls = Vec::new();
        for _ in 0..200 {
            client = client.ready().await.unwrap();
            calls.push(client.send_request(authorized(&world, "demo"), false).unwrap());
        }
        for (_, mut stream) in calls {
            stream.send_reset(h2::Reason::CANCEL);
        }
        tokio::task::yield_now().await;
    }
    let answer = client.send_request(authorized(&world, "demo"), true).unwrap().0;
    assert!(answer.await.is_ok());
    assert!(!connection.is_finished());
    drop(watched);
}
