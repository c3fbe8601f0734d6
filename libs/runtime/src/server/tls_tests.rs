//! A listener that speaks TLS: who is let in, and what a new certificate changes.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::tests::{TestServer, raw_call, run};
use super::{ServerBuilder, ServerLimits};
use baton_api::ApiError;
use baton_api::error::ErrorReason;

use crate::auth::{Caller, Role, SigningKey};
use crate::client::GrpcChannel;
use crate::clock::Clock;
use crate::lifecycle;
use crate::tls::test_authority::TestAuthority;
use crate::tls::{ClientTls, ServerTls, TlsIdentity, TlsSetupError};

const HERE: &str = "127.0.0.1";

/// Two authorities, and what they sign.
struct Papers {
    folder: TempDir,
    ours: TestAuthority,
    theirs: TestAuthority,
}

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = |file: &str| TestAuthority::new(&folder.path().join(file));
        let (ours, theirs) = (authority("ours.pem"), authority("theirs.pem"));
        Self { folder, ours, theirs }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ours(&self, name: &str, host: &str) -> TlsIdentity {
        self.ours.identity(self.folder.path(), name, host)
    }

    fn theirs(&self, name: &str, host: &str) -> TlsIdentity {
        self.theirs.identity(self.folder.path(), name, host)
    }

    fn trusting(&self, ca_file: &str, identity: Option<TlsIdentity>) -> ClientTls {
        ClientTls { ca_file: Some(self.file(ca_file)), identity }
    }
}

fn builder() -> ServerBuilder {
    ServerBuilder::new(Clock::real(), SigningKey::generate().verifier())
}

/// Whether a client gets an answer, on a connection of its own.
async fn is_answered(address: &str, tls: &ClientTls) -> bool {
    let channel = GrpcChannel::anonymous_over(tls, address, Clock::real()).unwrap();
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok()
}

/// Why a client gets no answer.
async fn refusal(address: &str, tls: &ClientTls) -> String {
    let channel = GrpcChannel::anonymous_over(tls, address, Clock::real()).unwrap();
    let status = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap_err();
    let mut cause: &dyn std::error::Error = &status;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn https(server: &TestServer) -> String {
    server.address.replace("http://", "https://")
}

#[tokio::test]
async fn a_client_is_answered_over_tls_if_it_trusts_the_certificate_and_nobody_in_plain_text() {
    let papers = Papers::new();
    let tls = ServerTls::open(papers.ours("server", HERE)).unwrap();
    let server = run(builder().tls(Some(tls)));
    assert!(is_answered(&https(&server), &papers.trusting("ours.pem", None)).await);
    assert!(!is_answered(&https(&server), &papers.trusting("theirs.pem", None)).await);
    assert!(!is_answered(&server.address, &ClientTls::default()).await, "in plain text");
    let of_another_host = ServerTls::open(papers.ours("other", "other.example")).unwrap();
    let server = run(builder().tls(Some(of_another_host)));
    assert!(!is_answered(&https(&server), &papers.trusting("ours.pem", None)).await);
    let plain = run(builder());
    assert!(!is_answered(&https(&plain), &papers.trusting("ours.pem", None)).await);
}

#[tokio::test]
async fn a_client_that_gets_no_connection_is_told_why() {
    let papers = Papers::new();
    let (ours, theirs) = (papers.trusting("ours.pem", None), papers.trusting("theirs.pem", None));
    let plain = run(builder());
    assert!(refusal(&https(&plain), &ours).await.contains("does not speak TLS"));
    let server = run(builder().tls(Some(ServerTls::open(papers.ours("server", HERE)).unwrap())));
    assert!(refusal(&https(&server), &theirs).await.contains("not trusted here"));
    let other = run(builder().tls(Some(ServerTls::open(papers.ours("other", "other.example")).unwrap())));
    assert!(refusal(&https(&other), &ours).await.contains("for another name"));
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_for_a_listed_name_are_let_in() {
    let papers = Papers::new();
    let names = ["transfer.baton".to_owned(), "presence.baton".to_owned()];
    let tls = ServerTls::for_named(papers.ours("server", HERE), papers.file("ours.pem"), &names).unwrap();
    let server = run(builder().tls(Some(tls)));
    let with = |identity| papers.trusting("ours.pem", identity);
    for (identity, is_let_in) in [
        (None, false),
        (Some(papers.ours("a", "transfer.baton")), true),
        (Some(papers.ours("b", "presence.baton")), true),
        (Some(papers.ours("c", "routing.baton")), false),
        (Some(papers.ours("d", "transfer.baton.example")), false),
        (Some(papers.ours("e", HERE)), false),
        (Some(papers.theirs("f", "transfer.baton")), false),
    ] {
        assert_eq!(is_answered(&https(&server), &with(identity.clone())).await, is_let_in, "{identity:?}");
    }
}

#[tokio::test]
async fn a_service_is_known_by_its_certificate_and_anybody_else_by_their_token() {
    let papers = Papers::new();
    let names = ["transfer.baton".to_owned(), "gateway.baton".to_owned(), "else.baton".to_owned()];
    let tls = ServerTls::for_named(papers.ours("server", HERE), papers.file("ours.pem"), &names).unwrap();
    let key = SigningKey::generate();
    let server = run(ServerBuilder::new(Clock::real(), key.verifier()).tls(Some(tls)));
    let address = https(&server);
    let with = |file: &str, name: &str| papers.trusting("ours.pem", Some(papers.ours(file, name)));
    let channel = |tls: &ClientTls| GrpcChannel::anonymous_over(tls, &address, Clock::real()).unwrap();
    let (internal, public) =
        ("/baton.telephony.v1.TelephonyService/ApplyPlan", "/baton.transfer.v1.TransferService/StartTransfer");
    let reason = async |channel: GrpcChannel, path| ApiError::of(&raw_call(channel, path).await).reason;
    // Admitted: there is no such service on this listener.
    let transfer = channel(&with("a", "transfer.baton"));
    assert_eq!(reason(transfer.clone(), internal).await, ErrorReason::MethodUnknown);
    assert_eq!(reason(transfer, public).await, ErrorReason::RoleNotAllowed, "a service is no agent");
    assert_eq!(reason(channel(&with("b", "else.baton")), internal).await, ErrorReason::TokenMissing, "no service's");
    let caller = Caller::of_tenant("demo".parse().unwrap(), "ada", Role::Agent);
    let token = key.mint(&caller, Clock::real().wall_us(), Duration::from_mins(1)).unwrap();
    let gateway = channel(&with("c", "gateway.baton")).with_token(&token).unwrap();
    assert_eq!(reason(gateway.clone(), public).await, ErrorReason::MethodUnknown);
    assert_eq!(reason(gateway, internal).await, ErrorReason::RoleNotAllowed, "the client's token counts");
    let forged = SigningKey::generate().mint(&caller, Clock::real().wall_us(), Duration::from_mins(1)).unwrap();
    let forged = channel(&with("d", "gateway.baton")).with_token(&forged).unwrap();
    assert_eq!(reason(forged, public).await, ErrorReason::TokenInvalid, "a bad token is not ignored");
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_half_of_one_is_not() {
    let papers = Papers::new();
    let identity = papers.ours("server", HERE);
    let tls = ServerTls::open(identity.clone()).unwrap();
    let fresh = tls.clone();
    lifecycle::spawn(async move { fresh.keep_fresh(Duration::from_millis(5)).await });
    let server = run(builder().tls(Some(tls)));
    let address = https(&server);
    let (ours, theirs) = (papers.trusting("ours.pem", None), papers.trusting("theirs.pem", None));
    let channel = GrpcChannel::anonymous_over(&ours, &address, Clock::real()).unwrap();
    let mut open = HealthClient::new(channel);
    assert!(open.check(HealthCheckRequest::default()).await.is_ok());

    // The key is not that of the certificate yet, and then there is no certificate at all.
    let next = papers.theirs("next", HERE);
    std::fs::copy(&next.certificate, &identity.certificate).unwrap();
    Clock::real().sleep(Duration::from_millis(50)).await;
    assert!(is_answered(&address, &ours).await && !is_answered(&address, &theirs).await);
    std::fs::write(&identity.certificate, "").unwrap();
    Clock::real().sleep(Duration::from_millis(50)).await;
    assert!(is_answered(&address, &ours).await);

    std::fs::copy(&next.certificate, &identity.certificate).unwrap();
    std::fs::copy(&next.key, &identity.key).unwrap();
    let is_exchanged = async {
        while !is_answered(&address, &theirs).await {
            Clock::real().sleep(Duration::from_millis(5)).await;
        }
    };
    Clock::real().timeout(Duration::from_secs(5), is_exchanged).await.unwrap();
    assert!(!is_answered(&address, &ours).await);
    assert!(open.check(HealthCheckRequest::default()).await.is_ok(), "an open connection goes on");
}

#[tokio::test]
async fn a_peer_that_does_not_begin_with_tls_is_not_waited_for() {
    let papers = Papers::new();
    let tls = ServerTls::open(papers.ours("server", HERE)).unwrap();
    let limits = ServerLimits { first_token: Duration::from_millis(100), ..ServerLimits::default() };
    let server = run(builder().limits(limits).tls(Some(tls)));
    let mut silent = TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap();
    let read = Clock::real().timeout(Duration::from_secs(5), silent.read(&mut [0; 8])).await;
    assert_eq!(read.expect("it is closed").unwrap(), 0);
}

#[tokio::test]
async fn files_that_do_not_fit_are_refused_by_name() {
    let papers = Papers::new();
    let (one, two) = (papers.ours("one", HERE), papers.ours("two", HERE));
    let said = |identity: TlsIdentity| ServerTls::open(identity).unwrap_err().to_string();
    let mixed = TlsIdentity { key: two.key.clone(), ..one.clone() };
    assert!(said(mixed).contains("one.crt and its key can't be used"));
    let swapped = TlsIdentity { certificate: one.key.clone(), key: one.certificate.clone() };
    assert!(said(swapped).contains("can't read a key from"));
    let gone = TlsIdentity { certificate: papers.file("nowhere.crt"), ..one.clone() };
    assert!(said(gone).contains("nowhere.crt"));
    let named = |ca: &str, name: &str| ServerTls::for_named(one.clone(), papers.file(ca), &[name.to_owned()]);
    assert!(named("ours.pem", "transfer.baton").is_ok());
    assert!(named("nowhere.pem", "transfer.baton").unwrap_err().to_string().contains("nowhere.pem"));
    for name in ["", "a b", "10.0.0.1"] {
        assert!(matches!(named("ours.pem", name), Err(TlsSetupError::Name(_))), "{name}");
    }
}
