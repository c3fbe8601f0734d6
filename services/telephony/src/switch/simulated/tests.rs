//! A switch that an older version has started.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use baton_runtime::auth::SigningKey;
use baton_runtime::client::{GrpcChannel, ServiceIdentity};
use baton_runtime::{Clock, lifecycle};
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::*;

/// Does not know several commands at once; says of each single one that what it is about is gone.
#[derive(Clone)]
struct OlderSwitch {
    /// What it says of what it does not know.
    unknown: Code,
    /// The methods that were called.
    called: Arc<Mutex<Vec<String>>>,
}

impl NamedService for OlderSwitch {
    const NAME: &'static str = "baton.simulator.v1.SwitchService";
}

impl Service<http::Request<Body>> for OlderSwitch {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let code = if method == "Execute" { self.unknown } else { Code::NotFound };
        self.called.lock().push(method);
        Box::pin(async move { Ok(Status::new(code, "").into_http()) })
    }
}

#[tokio::test]
async fn a_switch_that_takes_one_command_at_a_time_gets_one_at_a_time() {
    for unknown in [Code::Unimplemented, Code::PermissionDenied] {
        let older = OlderSwitch { unknown, called: Arc::default() };
        let called = Arc::clone(&older.called);
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = format!("http://{}", incoming.local_addr().unwrap());
        lifecycle::spawn(Server::builder().add_service(older).serve_with_incoming(incoming));
        let identity = ServiceIdentity::new(SigningKey::generate(), "telephony");
        let switch = SimulatedSwitch::new(&GrpcChannel::internal(&address, identity, Clock::real()).unwrap());
        let destroy = |room: &str| SwitchCommand::DestroyRoom { room: room.to_owned() };
        let results = switch.execute(&[destroy("a"), destroy("b")]).await;
        assert_eq!(results, [Err(SwitchPortError::Gone)], "{unknown:?}: what comes after a refusal is not tried");
        assert_eq!(*called.lock(), ["Execute", "DestroyRoom"]);
    }
}
