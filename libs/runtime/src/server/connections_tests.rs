//! Unauthenticated peers, over real sockets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::auth::SigningKey;
use crate::client::GrpcChannel;
use crate::server::ServerBuilder;
use crate::server::tests::{CapturedLog, TestServer, run};

const SHORT: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(10);
/// The preface, and a frame of settings that sets nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn server(limits: ServerLimits) -> TestServer {
    run(ServerBuilder::new(Clock::real(), SigningKey::generate().verifier()).limits(limits))
}

async fn connect(server: &TestServer, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(says).await.unwrap();
    stream
}

/// Whether the other end closes it within this time.
async fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    let mut bytes = [0; 1024];
    let end = async { while matches!(stream.read(&mut bytes).await, Ok(1..)) {} };
    Clock::real().timeout(within, end).await.is_ok()
}

async fn is_served(server: &TestServer, within: Duration) -> bool {
    let channel = GrpcChannel::anonymous(&server.address, Clock::real()).unwrap().with_default_deadline(within);
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok()
}

#[tokio::test]
async fn a_connection_without_a_preface_in_time_is_closed_and_one_that_is_silent_later_is_not() {
    let server = server(ServerLimits { first_bytes: SHORT, ..ServerLimits::default() });
    for says in [&b""[..], b"P", &HELLO[..24], b"GET / HTTP/1.1\r\nHost:"] {
        let mut stream = connect(&server, says).await;
        assert!(is_closed(&mut stream, SOON).await, "{}", says.escape_ascii());
    }
    let mut client = connect(&server, HELLO).await;
    assert!(!is_closed(&mut client, SHORT * 5).await);
    assert!(is_served(&server, SOON).await);
}

#[tokio::test]
async fn more_connections_than_may_be_wait_and_the_log_has_it_once() {
    let log = CapturedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    let _logging = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());

    let server = server(ServerLimits { connections: 4, ..ServerLimits::default() });
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(connect(&server, HELLO).await);
    }
    for _ in 0..3 {
        assert!(!is_served(&server, SHORT).await, "no permit is free");
        // The permit that becomes free is taken at once.
        clients.remove(0);
        clients.push(connect(&server, HELLO).await);
    }
    drop(clients);
    assert!(is_served(&server, SOON).await);
    assert_eq!(log.text().matches("as many connections as may be are open").count(), 1, "{}", log.text());
}
