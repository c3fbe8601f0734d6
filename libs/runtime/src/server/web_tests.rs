//! What a browser meets, over a real connection and by the bytes that it would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::auth::SigningKey;
use crate::clock::Clock;
use crate::server::ServerBuilder;
use crate::server::tests::{TestServer, run};

const DESK: &str = "https://desk.example.com";

fn server(origins: &[&str]) -> TestServer {
    let origins = origins.iter().map(|it| it.parse().unwrap()).collect();
    run(ServerBuilder::new(Clock::real(), SigningKey::generate().verifier()).web(origins))
}

/// One request by HTTP/1.1; the whole answer as text.
async fn ask(server: &TestServer, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap();
    let length = body.len();
    let head = format!("{head}host: baton\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    // A server that speaks HTTP/2 only may reset the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A message of gRPC-Web without any fields.
const EMPTY: [u8; 5] = [0; 5];

fn post(path: &str, origin: &str) -> String {
    format!("POST {path} HTTP/1.1\r\norigin: {origin}\r\ncontent-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n")
}

#[tokio::test]
async fn a_call_by_grpc_web_is_answered_with_its_status_in_the_body() {
    let server = server(&[DESK]);
    let answer = ask(&server, &post("/grpc.health.v1.Health/Check", DESK), &EMPTY).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("grpc-status:0"), "{answer}");
    assert!(answer.contains(&format!("access-control-allow-origin: {DESK}")), "{answer}");
}

#[tokio::test]
async fn a_refusal_is_typed_and_a_page_may_read_all_of_it() {
    let server = server(&[DESK]);
    let answer = ask(&server, &post("/baton.transfer.v1.TransferService/StartTransfer", DESK), &EMPTY).await;
    assert!(answer.contains("grpc-status: 16") && answer.contains("grpc-status-details-bin"), "{answer}");
    let exposed = answer.lines().find(|line| line.starts_with("access-control-expose-headers")).unwrap();
    for header in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert!(exposed.contains(header), "{exposed}");
    }
}

#[tokio::test]
async fn a_preflight_allows_named_origins_and_no_others() {
    for (origins, from, allowed) in [
        (&[DESK][..], DESK, Some(DESK)),
        (&[DESK], "https://evil.example.com", None),
        (&[], DESK, None),
        (&["*"], "https://any.example.com", Some("*")),
    ] {
        let server = server(origins);
        let head = format!(
            "OPTIONS /baton.transfer.v1.TransferService/StartTransfer HTTP/1.1\r\norigin: {from}\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type,x-grpc-web\r\n"
        );
        let answer = ask(&server, &head, b"").await;
        let header = answer.lines().find_map(|line| line.strip_prefix("access-control-allow-origin: "));
        assert_eq!(header, allowed, "{origins:?} {from}\n{answer}");
    }
}

#[tokio::test]
async fn who_opens_the_address_in_a_browser_reads_what_it_is() {
    let answer = ask(&server(&[]), "GET / HTTP/1.1\r\n", b"").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("speaks gRPC"), "{answer}");
}

#[tokio::test]
async fn a_listener_without_web_speaks_http_2_only() {
    let server = run(ServerBuilder::new(Clock::real(), SigningKey::generate().verifier()));
    let answer = ask(&server, &post("/grpc.health.v1.Health/Check", DESK), &EMPTY).await;
    assert!(!answer.contains("grpc-status"), "{answer}");
}

#[test]
fn an_origin_is_written_as_browsers_send_it() {
    for good in [DESK, "http://localhost:5173", "http://[::1]:8080", "*"] {
        assert_eq!(good.parse::<WebOrigin>().map(|it| it.to_string()).as_deref(), Ok(good));
    }
    for bad in [
        "",
        "desk.example.com",
        "https://desk.example.com/",
        "https://Desk.example.com",
        "ftp://a",
        "https://u@a",
        "null",
        "**",
    ] {
        assert_eq!(bad.parse::<WebOrigin>(), Err(InvalidOrigin(bad.to_owned())), "{bad}");
    }
}
