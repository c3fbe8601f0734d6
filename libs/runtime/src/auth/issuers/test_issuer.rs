//! A little issuer: an HTTP endpoint that publishes keys, and does what issuers do when they are ill.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::test_keys::{TestKey, jwks};
use crate::clock::Clock;
use crate::lifecycle;

/// Stops when it is dropped.
pub(super) struct TestIssuer {
    address: SocketAddr,
    is_https: bool,
    published: Arc<Publication>,
    serving: Option<AbortOnDropHandle<()>>,
}

struct Publication {
    answer: Mutex<Answer>,
    fetches: AtomicUsize,
}

/// What it answers.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
    /// Before the answer.
    pub(super) pause: Duration,
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) fn of(body: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, body: body.into(), pause: Duration::ZERO, location: None }
    }
}

impl TestIssuer {
    pub(super) async fn start(keys: &[&TestKey]) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Answer::of(jwks(keys)), None).await
    }

    /// With this certificate.
    pub(super) async fn start_with_tls(keys: &[&TestKey], tls: TlsAcceptor) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Answer::of(jwks(keys)), Some(tls)).await
    }

    async fn start_at(address: SocketAddr, answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let published = Arc::new(Publication { answer: Mutex::new(answer), fetches: AtomicUsize::new(0) });
        let is_https = tls.is_some();
        let serving = Some(AbortOnDropHandle::new(lifecycle::spawn(accept(listener, tls, Arc::clone(&published)))));
        Self { address, is_https, published, serving }
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}/keys?v=1", self.address)
    }

    /// Publishes these keys from now on.
    pub(super) fn publish(&self, keys: &[&TestKey]) {
        self.answer(Answer::of(jwks(keys)));
    }

    /// Answers this from now on.
    pub(super) fn answer(&self, answer: Answer) {
        *self.published.answer.lock() = answer;
    }

    /// How often it was asked.
    pub(super) fn fetches(&self) -> usize {
        self.published.fetches.load(Ordering::SeqCst)
    }

    /// Nothing listens there any more.
    pub(super) async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Listens again, where it did.
    pub(super) async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        let serving = lifecycle::spawn(accept(listener, None, Arc::clone(&self.published)));
        self.serving = Some(AbortOnDropHandle::new(serving));
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, published: Arc<Publication>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, published) = (tls.clone(), Arc::clone(&published));
        lifecycle::spawn(async move {
            match tls {
                None => serve(socket, published).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(socket).await {
                        serve(stream, published).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, published: Arc<Publication>) {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let published = Arc::clone(&published);
        async move {
            assert_eq!(request.uri().to_string(), "/keys?v=1");
            published.fetches.fetch_add(1, Ordering::SeqCst);
            let answer = published.answer.lock().clone();
            Clock::real().sleep(answer.pause).await;
            let mut response = Response::new(Full::new(Bytes::from(answer.body)));
            *response.status_mut() = answer.status;
            if let Some(location) = answer.location {
                response.headers_mut().insert(http::header::LOCATION, location.parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        }
    });
    // An error means that the client has gone.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
