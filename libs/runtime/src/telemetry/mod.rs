//! Logs and traces.
//!
//! Logs go to standard error, as text or as one JSON object a line. Traces go to an OTLP endpoint if one is configured. A
//! trace is passed on from call to call, and into the outbox, in either case: [`TraceParent`] carries it where OpenTelemetry
//! is off, so that log lines of one call can be found by their `trace.id`.

mod delivery;
mod sampling;

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::config::{LogFormat, TelemetryConfig};
use crate::context;
pub use crate::trace_parent::TraceParent;

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("telemetry.log is not a filter: {0:?}; write for example \"info\" or \"info,baton_transfer=debug\"")]
    Filter(String),
    #[error("can't export traces to telemetry.otlp_endpoint {endpoint:?}; write for example \"http://127.0.0.1:4317\"")]
    Exporter { endpoint: String, source: opentelemetry_otlp::ExporterBuildError },
    #[error("logging is set up already")]
    AlreadySet,
}

/// Exports what is left when it is dropped or [shut down](Self::shutdown). Keep it until the end of `main`.
#[derive(Debug)]
#[must_use = "traces are exported until the guard is dropped"]
pub struct TelemetryGuard(Option<SdkTracerProvider>);

impl TelemetryGuard {
    /// Sends the spans that have not been sent. Blocks for a few seconds at most.
    pub fn shutdown(&mut self) {
        let result = self.0.take().map(|provider| provider.shutdown());
        if let Some(Err(error)) = result {
            tracing::warn!(%error, "the last traces could not be exported");
        }
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Starts logging, and exporting traces if an endpoint is given. Call it once in a process, inside the tokio runtime.
pub fn init(config: &TelemetryConfig, service: &str) -> Result<TelemetryGuard, TelemetryError> {
    let filter = filter(&config.log)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => lines.with_ansi(stderr_is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let provider = exporter(config, service)?;
    // Independent of the log filter, Baton's own spans are traced, and no other crate's.
    let traces = provider.as_ref().map(|it| {
        let ours = Targets::new().with_target("baton", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(it.tracer("baton")).with_filter(ours)
    });
    let sampling = sampling::Sampling::default();
    tracing_subscriber::registry()
        .with(sampling.of(lines).with_filter(filter))
        .with(traces)
        .try_init()
        .map_err(|_| TelemetryError::AlreadySet)?;
    sampling.tell();
    Ok(TelemetryGuard(provider))
}

/// The library takes a word that is no level for a module's name: with `wran` almost nothing would be logged.
fn filter(log: &str) -> Result<EnvFilter, TelemetryError> {
    let is_said = |directive: &str| {
        let directive = directive.trim();
        directive.is_empty() || directive.contains(['=', '[']) || directive.parse::<LevelFilter>().is_ok()
    };
    let filter = EnvFilter::try_new(log).ok().filter(|_| log.split(',').all(is_said));
    filter.ok_or_else(|| TelemetryError::Filter(log.to_owned()))
}

fn exporter(config: &TelemetryConfig, service: &str) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let endpoint = &config.otlp_endpoint;
    if endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|source| TelemetryError::Exporter { endpoint: endpoint.clone(), source })?;
    let exporter = delivery::WatchedExporter::new(exporter, endpoint.clone());
    let resource = Resource::builder().with_service_name(service.to_owned()).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
    Ok(Some(provider.build()))
}

fn stderr_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// The present trace in the form of the W3C header, for outbox rows; empty if there is none.
pub fn traceparent() -> String {
    current_trace().map_or_else(String::new, |trace| trace.to_string())
}

/// The present trace: that of the current span if traces are exported, else that of the call.
pub fn current_trace() -> Option<TraceParent> {
    trace_of(&Span::current()).or_else(|| context::current()?.trace)
}

/// Runs work that a traced event caused, but for which no call waits: its span, and every call that it makes, belong to the
/// event's trace. `None`: it begins a new trace.
pub async fn follow<F: Future>(trace: Option<TraceParent>, span: Span, work: F) -> F::Output {
    if let Some(parent) = &trace {
        set_parent(&span, parent);
    }
    let trace = trace_of(&span).or(trace).unwrap_or_else(TraceParent::new_root);
    let call = context::CallContext { trace: Some(trace), ..Default::default() };
    context::scope(call, work.instrument(span)).await
}

/// The span's position in its trace; `None` if traces are not exported.
pub(crate) fn trace_of(span: &Span) -> Option<TraceParent> {
    let context = span.context();
    TraceParent::of(context.span().span_context())
}

/// Makes the remote span the parent of this one.
pub(crate) fn set_parent(span: &Span, parent: &TraceParent) {
    let context = opentelemetry::Context::new().with_remote_span_context(parent.span_context());
    // Fails where traces are not exported; then spans have no parents.
    let _ = span.set_parent(context);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::CallContext;

    #[tokio::test]
    async fn the_trace_of_a_call_is_known_without_an_exporter() {
        let trace = TraceParent::new_root();
        let call = CallContext { trace: Some(trace), ..CallContext::default() };
        let inside = context::scope(call, async { traceparent() }).await;
        assert_eq!(inside, trace.to_string());
        assert_eq!(traceparent(), "");
    }

    #[test]
    fn spans_continue_the_trace_of_their_parent_when_traces_are_exported() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let parent = TraceParent::new_root();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("work");
            set_parent(&span, &parent);
            let _entered = span.enter();
            let inside = current_trace().unwrap();
            assert_eq!(inside.trace_id(), parent.trace_id());
            assert_ne!(inside, parent);
        });
    }

    #[tokio::test]
    async fn what_follows_from_something_belongs_to_its_trace() {
        let trace = TraceParent::new_root();
        let inside = follow(Some(trace), tracing::info_span!("push"), async { current_trace() }).await.unwrap();
        assert_eq!(inside.trace_id(), trace.trace_id());
        let own = follow(None, tracing::info_span!("push"), async { current_trace() }).await.unwrap();
        assert_ne!(own.trace_id(), trace.trace_id());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn spans_go_to_the_endpoint_when_there_is_one() {
        use opentelemetry::trace::{Span as _, Tracer as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let config = TelemetryConfig { otlp_endpoint: endpoint, ..TelemetryConfig::default() };
        let provider = exporter(&config, "test").unwrap().unwrap();
        provider.tracer("test").start("work").end();
        let flushing = provider.clone();
        let flush = tokio::task::spawn_blocking(move || flushing.force_flush());
        let clock = crate::Clock::real();
        let accepted = clock.timeout(std::time::Duration::from_secs(10), listener.accept());
        let (mut connection, _) = accepted.await.unwrap().unwrap();
        let mut preface = [0; 14];
        tokio::io::AsyncReadExt::read_exact(&mut connection, &mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0");
        drop((connection, listener));
        let _ = flush.await.unwrap();
    }

    #[test]
    fn a_filter_with_a_typo_is_explained() {
        for log in ["info,=/", "wat", "wran", "info,baton_transfer", "info,baton_transfer=wat"] {
            let config = TelemetryConfig { log: log.to_owned(), ..TelemetryConfig::default() };
            let error = init(&config, "test").unwrap_err();
            assert!(error.to_string().contains("telemetry.log"), "{log}: {error}");
        }
        for log in ["warn", "INFO", "off", "3", "info,baton_transfer=debug", "warn,", "[call]=debug", ""] {
            assert!(filter(log).is_ok(), "{log}");
        }
    }
}
