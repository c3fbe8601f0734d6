//! How the services of one process call each other: what answers is the same as behind a listener ([`ServerBuilder::serve_in_process`]), and
//! there is no connection. A call is a future that its caller polls: nothing is queued, packed for a socket, or handed to another thread.
//!
//! [`ServerBuilder::serve_in_process`]: crate::server::ServerBuilder::serve_in_process

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use http::{Request, Response};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use crate::service_name::ServiceName;

/// Where the services of a process find each other. It is there before them: a call waits until they serve. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct InProcess(Arc<watch::Sender<Phase>>);

type Routed = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Starting,
    Serving(Routed),
    Stopped,
}

/// Which service of this process calls; nobody outside can say so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallingService(pub(crate) ServiceName);

impl InProcess {
    /// From now on this answers.
    pub(crate) fn serve<S>(&self, services: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.0.send_replace(Phase::Serving(BoxCloneSyncService::new(services)));
    }

    /// From now on calls are refused. What has served is dropped: it has channels to itself, and would stay for ever.
    pub(crate) fn stop(&self) {
        self.0.send_replace(Phase::Stopped);
    }

    /// The answer of whatever serves, or why there is none. It ends with its caller, as a call over a connection does.
    pub(crate) async fn call(&self, caller: ServiceName, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(CallingService(caller));
        let Some(routed) = self.routed().await else {
            return Status::unavailable("The process is stopping.").into_http();
        };
        let answer = AssertUnwindSafe(routed.oneshot(request)).catch_unwind().await;
        answer.map_or_else(|_| Status::internal("the call panicked").into_http(), |Ok(answer)| answer)
    }

    async fn routed(&self) -> Option<Routed> {
        if let Phase::Serving(routed) = &*self.0.borrow() {
            return Some(routed.clone());
        }
        let mut phases = self.0.subscribe();
        let phase = phases.wait_for(|it| !matches!(it, Phase::Starting)).await;
        match phase.as_deref() {
            Ok(Phase::Serving(routed)) => Some(routed.clone()),
            Ok(Phase::Starting | Phase::Stopped) | Err(_) => None,
        }
    }
}
