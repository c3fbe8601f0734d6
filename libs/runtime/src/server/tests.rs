//! The edge and the channel, over a real connection, with the health service as the service that is called.

use std::sync::Mutex;

use baton_api::ApiError;
use baton_api::error::{ErrorKind, ErrorReason};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::auth::{Caller, Role, SigningKey};
use crate::call;
use crate::client::{GrpcChannel, ServiceIdentity};
use crate::lifecycle;

const SOON: Duration = Duration::from_secs(10);

pub(super) struct TestServer {
    pub(super) address: String,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl TestServer {
    /// As at the end of a process.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
    }
}

pub(super) fn run(builder: ServerBuilder) -> TestServer {
    let bound = builder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", bound.local_addr());
    let shutdown = CancellationToken::new();
    let served = lifecycle::spawn(bound.serve(shutdown.clone()));
    TestServer { address, shutdown, served }
}

/// What a subscriber has written.
#[derive(Clone, Default)]
pub(crate) struct CapturedLog(std::sync::Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn health_answers_without_a_token_and_everything_else_wants_one() {
    let clock = Clock::real();
    let key = SigningKey::generate();
    let server = run(ServerBuilder::new(clock.clone(), key.verifier()));
    let anonymous = GrpcChannel::anonymous(&server.address, clock.clone()).unwrap();
    let answer = HealthClient::new(anonymous.clone()).check(check("")).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);

    let status = raw_call(anonymous, "/baton.transfer.v1.TransferService/StartTransfer").await;
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(ApiError::of(&status).reason, ErrorReason::TokenMissing);

    let service = ServiceIdentity::new(key.clone(), "telephony");
    let internal = GrpcChannel::internal(&server.address, service, clock.clone()).unwrap();
    let status = raw_call(internal, "/baton.transfer.v1.TransferService/StartTransfer").await;
    assert_eq!(ApiError::of(&status).reason, ErrorReason::RoleNotAllowed);

    let agent = Caller::of_tenant("demo".parse().unwrap(), "a", Role::Agent);
    let token = key.mint(&agent, clock.now_us(), SOON).unwrap();
    let public = GrpcChannel::public(&server.address, &token, clock).unwrap();
    let status = raw_call(public, "/baton.transfer.v1.TransferService/StartTransfer").await;
    assert_eq!(status.code(), Code::Unimplemented, "admitted; nobody is there");
    assert_eq!(ApiError::of(&status).reason, ErrorReason::MethodUnknown);
}

/// Calls a method without a generated client, and says how it ended.
pub(super) async fn raw_call(channel: GrpcChannel, path: &'static str) -> Status {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    match grpc.unary(Request::new(()), path, codec).await {
        Ok(_) => Status::ok(""),
        Err(status) => status,
    }
}

#[tokio::test]
async fn reflection_tells_of_what_is_on_the_listener_and_of_nothing_else() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let clock = Clock::real();
    let server = run(ServerBuilder::new(clock.clone(), SigningKey::generate().verifier()));
    let client = ServerReflectionClient::new(GrpcChannel::anonymous(&server.address, clock).unwrap());
    let ask = async |message_request| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(message_request) };
        let answers = client.clone().server_reflection_info(tokio_stream::once(request)).await;
        answers?.into_inner().message().await.map(|it| it.and_then(|it| it.message_response))
    };
    let Ok(Some(MessageResponse::ListServicesResponse(list))) = ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    let names: Vec<_> = list.service.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["grpc.health.v1.Health"]);
    let known = ask(MessageRequest::FileContainingSymbol("grpc.health.v1.Health".to_owned())).await;
    assert!(matches!(known, Ok(Some(MessageResponse::FileDescriptorResponse(_)))), "{known:?}");
    for asked in [
        MessageRequest::FileContainingSymbol("baton.transfer.v1.IntakeService".to_owned()),
        MessageRequest::FileByFilename("baton/transfer/v1/intake_service.proto".to_owned()),
    ] {
        assert_eq!(ask(asked).await.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn reflection_answers_in_the_version_of_older_tools_too() {
    use tonic_reflection::pb::v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let clock = Clock::real();
    let server = run(ServerBuilder::new(clock.clone(), SigningKey::generate().verifier()));
    let mut client = ServerReflectionClient::new(GrpcChannel::anonymous(&server.address, clock).unwrap());
    let asked = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request: asked };
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list")
    };
    assert_eq!(list.service.len(), 1, "{list:?}");
}

#[tokio::test]
async fn stopping_ends_streams_and_comes_to_an_end() {
    let clock = Clock::real();
    let server = run(ServerBuilder::new(clock.clone(), SigningKey::generate().verifier()));
    let channel = GrpcChannel::anonymous(&server.address, clock.clone()).unwrap();
    let mut watch = HealthClient::new(channel).watch(check("")).await.unwrap().into_inner();
    assert!(watch.next().await.unwrap().is_ok());
    server.shutdown.cancel();
    let end = async {
        loop {
            match watch.next().await {
                Some(Ok(_)) => {}
                Some(Err(status)) => return Some((status.code(), ApiError::of(&status).retry_after.is_some())),
                None => return None,
            }
        }
    };
    assert_eq!(clock.timeout(SOON, end).await, Ok(Some((Code::Unavailable, true))));
    clock.timeout(SOON, server.served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn readiness_that_is_withdrawn_is_seen_on_a_new_connection_before_the_listener_closes() {
    let clock = Clock::real();
    let builder = ServerBuilder::new(clock.clone(), SigningKey::generate().verifier());
    let bound = builder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, readiness) = (format!("http://{}", bound.local_addr()), bound.readiness());
    lifecycle::spawn(bound.serve(CancellationToken::new()));
    let ask = async || {
        let channel = GrpcChannel::anonymous(&address, clock.clone()).unwrap();
        HealthClient::new(channel).check(check("")).await.unwrap().into_inner().status()
    };
    assert_eq!(ask().await, tonic_health::pb::health_check_response::ServingStatus::Serving);
    readiness.withdraw().await;
    assert_eq!(ask().await, tonic_health::pb::health_check_response::ServingStatus::NotServing);
}

#[tokio::test]
async fn an_address_in_use_is_explained() {
    let verifier = SigningKey::generate().verifier();
    let first = ServerBuilder::new(Clock::real(), verifier.clone());
    let first = first.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = ServerBuilder::new(Clock::real(), verifier).bind(first.local_addr()).unwrap_err();
    assert!(matches!(error, ServeError::InUse(_)), "{error:?}");
    assert!(error.to_string().contains("in use"));
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let channel = GrpcChannel::anonymous("http://127.0.0.1:1", Clock::real()).unwrap();
    let status = HealthClient::new(channel).check(check("")).await.unwrap_err();
    assert_eq!(ApiError::of(&status).kind, ErrorKind::Unavailable);
}

#[test]
fn addresses_that_are_none_are_refused() {
    for address in ["", "127.0.0.1:7400", "localhost", "ftp://x", "https://"] {
        assert!(GrpcChannel::anonymous(address, Clock::real()).is_err(), "{address}");
    }
}

/// A health service that does what the test wants, in the place of a service of Baton's.
#[derive(Clone)]
struct Probe {
    clock: Clock,
    seen: std::sync::Arc<Mutex<Vec<(i64, String)>>>,
    /// Where to call on, with what is left of the deadline.
    next: Option<GrpcChannel>,
    /// Waits this long for the world before it answers.
    wait: Duration,
}

impl Probe {
    fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), seen: std::sync::Arc::default(), next: None, wait: Duration::ZERO }
    }

    async fn answer(&self) -> Result<Response<()>, Status> {
        let deadline_us = call::deadline_us(&self.clock, Duration::ZERO);
        self.seen.lock().unwrap().push((deadline_us, crate::telemetry::traceparent()));
        if let Some(next) = &self.next {
            let status = raw_call(next.clone(), "/grpc.health.v1.Health/Check").await;
            if status.code() != Code::Ok {
                return Err(status);
            }
        }
        self.clock.park(self.clock.sleep(self.wait)).await;
        Ok(Response::new(()))
    }
}

/// Serves the probe behind the edge layer alone.
fn run_probe(probe: Probe) -> TestServer {
    let gate = Gate::new(SigningKey::generate().verifier());
    let shutdown = CancellationToken::new();
    let limits = ServerLimits { stream_grace: Duration::ZERO, ..ServerLimits::default() };
    let layer = EdgeLayer::new((gate, DiskSpace::default()), probe.clock.clone(), shutdown.clone(), &limits);
    let incoming = tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", incoming.local_addr().unwrap());
    let router = tonic::transport::Server::builder().layer(layer).add_service(ProbeServer(probe));
    let stopped = shutdown.clone().cancelled_owned();
    let served = async move {
        router.serve_with_incoming_shutdown(incoming, stopped).await.unwrap();
        Ok(())
    };
    TestServer { address, shutdown, served: lifecycle::spawn(served) }
}

#[derive(Clone)]
struct ProbeServer(Probe);

impl NamedService for ProbeServer {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl tonic::server::UnaryService<()> for ProbeServer {
    type Response = ();
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<()>, Status>> + Send>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let probe = self.0.clone();
        Box::pin(async move { probe.answer().await })
    }
}

impl Service<http::Request<Body>> for ProbeServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            Ok(tonic::server::Grpc::new(codec).unary(this, request).await)
        })
    }
}

#[tokio::test]
async fn deadline_and_trace_are_passed_on() {
    let clock = Clock::real();
    let second = Probe::new(&clock);
    let back = run_probe(second.clone());
    let first =
        Probe { next: Some(GrpcChannel::anonymous(&back.address, clock.clone()).unwrap()), ..Probe::new(&clock) };
    let front = run_probe(first.clone());
    let channel = GrpcChannel::anonymous(&front.address, clock.clone()).unwrap();
    let channel = channel.with_default_deadline(Duration::from_mins(1));
    let status = raw_call(channel, "/grpc.health.v1.Health/Check").await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");

    let (first_us, first_trace) = first.seen.lock().unwrap()[0].clone();
    let (second_us, second_trace) = second.seen.lock().unwrap()[0].clone();
    assert!((first_us - second_us).abs() < 1_000_000, "{first_us} {second_us}");
    assert!(second_us > clock.after(Duration::from_secs(50)), "not the default of five seconds");
    assert_eq!(first_trace[3..35], second_trace[3..35]);
    back.shutdown.cancel();
    front.shutdown.cancel();
}

#[tokio::test]
async fn a_deadline_that_passes_is_called_so() {
    let clock = Clock::real();
    let server = run_probe(Probe { wait: SOON, ..Probe::new(&clock) });
    let channel = GrpcChannel::anonymous(&server.address, clock).unwrap();
    let channel = channel.with_default_deadline(Duration::from_millis(30));
    let status = raw_call(channel, "/grpc.health.v1.Health/Check").await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(ApiError::of(&status).outcome(), baton_api::Outcome::Unknown);
}

/// How a call with this `grpc-timeout` ends, for a client that has no timer of its own.
async fn call_within(address: &str, timeout: &str) -> Status {
    let connection = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    let (client, connection) = h2::client::handshake(connection).await.unwrap();
    let connection = lifecycle::spawn(connection);
    let request = http::Request::post(format!("{address}/grpc.health.v1.Health/Check"));
    let request = request.header("content-type", "application/grpc").header("grpc-timeout", timeout);
    let mut client = client.ready().await.unwrap();
    let (answer, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(bytes::Bytes::from_static(&[0; 5]), true).unwrap();
    let answer = answer.await.unwrap();
    connection.abort();
    Status::from_header_map(answer.headers()).expect("it ends at once")
}

#[tokio::test]
async fn a_deadline_of_a_few_milliseconds_is_called_one_by_the_server_too() {
    let clock = Clock::real();
    let server = run_probe(Probe { wait: SOON, ..Probe::new(&clock) });
    for timeout in ["0u", "1u", "500u", "1m", "2m", "3m", "10m"].repeat(5) {
        let error = ApiError::from_status(&call_within(&server.address, timeout).await).expect("it is typed");
        assert_eq!((error.kind, error.reason), (ErrorKind::DeadlineExceeded, ErrorReason::Deadline), "{timeout}");
    }
}

#[tokio::test]
async fn simulated_time_stands_still_for_a_chain_of_calls_and_moves_when_it_parks() {
    let (clock, driver) = Clock::simulated(0);
    lifecycle::spawn(driver.run());
    let back = run_probe(Probe { wait: Duration::from_secs(2), ..Probe::new(&clock) });
    let next = GrpcChannel::anonymous(&back.address, clock.clone()).unwrap();
    let front = run_probe(Probe { next: Some(next), ..Probe::new(&clock) });
    let channel = GrpcChannel::anonymous(&front.address, clock.clone()).unwrap();
    let call = raw_call(channel, "/grpc.health.v1.Health/Check");
    // Another sleeper, earlier than the end of the call: it must not wake while the chain is at work, only once it parks.
    let other = async {
        clock.sleep(Duration::from_secs(1)).await;
        clock.now_us()
    };
    let (status, at_us) = tokio::join!(call, other);
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(at_us, 1_000_000);
    assert_eq!(clock.now_us(), 2_000_000);
}
