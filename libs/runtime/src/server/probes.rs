//! Health on a port of its own: it answers whatever the public listener's peers do.
//!
//! gRPC's health protocol, and over plain HTTP `GET /livez` (the process answers) and `GET /readyz` (calls are served, and go on being
//! served: it is withdrawn before the end).

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as _, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};
use tower::ServiceExt as _;

use super::connections::Protocol;
use super::limits::ServerLimits;
use super::{Listener, connections};

/// Answers for another listener's health.
#[derive(Debug)]
pub struct Probes {
    health: HealthReporter,
    listener: Listener,
}

impl Probes {
    pub(super) fn new(health: HealthReporter, listener: Listener) -> Self {
        Self { health, listener }
    }

    /// Answers until the token is cancelled.
    pub async fn serve(self, shutdown: CancellationToken) {
        let health = Arc::new(HealthService::from_health_reporter(self.health.clone()));
        let routes = Routes::new(HealthServer::new(HealthService::from_health_reporter(self.health)));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (health, routes) = (Arc::clone(&health), routes.clone());
            async move {
                match (request.method(), request.uri().path()) {
                    (&Method::GET, "/livez") => Ok::<_, Infallible>(plain(StatusCode::OK, "alive\n")),
                    (&Method::GET, "/readyz") if is_serving(&health).await => Ok(plain(StatusCode::OK, "ready\n")),
                    (&Method::GET, "/readyz") => Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")),
                    (&Method::GET, _) => {
                        Ok(plain(StatusCode::NOT_FOUND, "there are /livez and /readyz, and gRPC's health\n"))
                    }
                    _ => routes.oneshot(request).await,
                }
            }
        });
        let limits = ServerLimits::of_probes();
        let protocol = Protocol { with_http1: true, tls: None };
        connections::serve(self.listener.socket, limits, (service, protocol), shutdown.cancelled_owned()).await;
    }
}

async fn is_serving(health: &HealthService) -> bool {
    let whole = tonic::Request::new(HealthCheckRequest::default());
    health.check(whole).await.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::new(text.to_owned()));
    *response.status_mut() = status;
    response
}
