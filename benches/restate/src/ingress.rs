//! Calls handlers, and resolves awakeables, through Restate's HTTP ingress: connections are kept alive, without Nagle's algorithm.

use crate::transfer::State;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Uri, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

#[derive(Clone)]
pub(crate) struct Ingress {
    client: Client<HttpConnector, Full<Bytes>>,
    base: Uri,
}

impl Ingress {
    pub(crate) fn new(base: Uri) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), base }
    }

    /// Starts a transfer at the handler, and returns its last state when it is completed.
    pub(crate) async fn run(&self, handler: &str, first: &State) -> anyhow::Result<State> {
        let body = serde_json::to_vec(first).context("encoding the first state")?;
        let answer = self.post(handler, Some(body)).await?;
        serde_json::from_slice(&answer).context("decoding the last state")
    }

    /// Calls a handler that neither takes nor returns anything.
    pub(crate) async fn signal(&self, handler: &str) -> anyhow::Result<()> {
        self.post(handler, None).await.map(drop)
    }

    pub(crate) async fn resolve(&self, awakeable: &str) -> anyhow::Result<()> {
        self.signal(&format!("restate/awakeables/{awakeable}/resolve")).await
    }

    async fn post(&self, handler: &str, json: Option<Vec<u8>>) -> anyhow::Result<Bytes> {
        let base = self.base.to_string();
        let request = Request::post(format!("{}/{handler}", base.trim_end_matches('/')));
        let request = match json {
            Some(json) => request.header(header::CONTENT_TYPE, "application/json").body(Full::from(json)),
            None => request.body(Full::default()),
        };
        let request = request.context("building the request")?;
        let answer = self.client.request(request).await.with_context(|| format!("calling {handler} at {base}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.with_context(|| format!("reading what {handler} returned"))?;
        let body = body.to_bytes();
        ensure!(status.is_success(), "{handler} failed with {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}
