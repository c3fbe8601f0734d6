//! The span of a call, and the one line in the log when it failed.
//!
//! Neither contains the request's metadata or body: these have tokens, numbers and names in them.

use baton_api::ApiError;
use http::{Request, Response, Uri};
use tonic::{Code, Status};
use tracing::Span;

use crate::call::CallContext;
use crate::telemetry::{self, TraceParent};

/// How the message begins when a connection breaks while a request comes in: an internal error by its code, but the peer's
/// doing.
const BROKEN_OFF: &str = "h2 protocol error: error reading a body from connection";

/// The call's span, which continues the caller's trace. If the caller has none, a new trace begins here.
pub(super) fn span<B>(request: &Request<B>, call: &mut CallContext) -> Span {
    let method = request.uri().path().trim_start_matches('/');
    let span = tracing::info_span!(
        "call",
        otel.name = method,
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = method,
        trace.id = tracing::field::Empty,
    );
    if let Some(parent) = &call.trace {
        telemetry::set_parent(&span, parent);
    }
    let begin = || telemetry::trace_of(&span).unwrap_or_else(TraceParent::new_root);
    let trace = call.trace.get_or_insert_with(begin);
    if !span.is_disabled() {
        span.record("trace.id", trace.trace_id());
    }
    span
}

/// Logs the outcome of one call, with its method and trace. The span has these too, but is disabled at the usual log levels.
pub(super) struct CallLog {
    uri: Uri,
    trace: Option<TraceParent>,
}

impl CallLog {
    pub(super) fn new<B>(request: &Request<B>, call: &CallContext) -> Self {
        Self { uri: request.uri().clone(), trace: call.trace }
    }

    /// Logs a fault of Baton's as an error, unavailability as a warning, what the state of things does not allow at info level, and every
    /// other refusal at debug level: a stranger can cause those.
    pub(super) fn outcome<B>(&self, response: &Response<B>) {
        let Some(status) = Status::from_header_map(response.headers()) else {
            return;
        };
        let (code, text) = (status.code(), status.message());
        match code {
            Code::Ok => {}
            Code::Internal | Code::Unknown if text.starts_with(BROKEN_OFF) => self.refused(code, text),
            Code::Internal | Code::Unknown | Code::DataLoss => {
                let (method, trace) = (self.method(), self.trace_id());
                tracing::error!(rpc.method = method, trace.id = trace, rpc.status = ?code, rpc.status_message = text, "the call failed");
            }
            Code::Unavailable | Code::ResourceExhausted => {
                let (method, trace) = (self.method(), self.trace_id());
                tracing::warn!(rpc.method = method, trace.id = trace, rpc.status = ?code, "the call failed");
            }
            Code::FailedPrecondition => {
                let (method, trace, error) = (self.method(), self.trace_id(), ApiError::of(&status));
                tracing::info!(rpc.method = method, trace.id = trace, reason = error.reason_name(), "refused");
            }
            _ => self.refused(code, ""),
        }
    }

    /// Logs a malformed request, which is a refusal whatever its code.
    pub(super) fn malformed(&self, error: &ApiError) {
        self.refused(error.kind.code(), &error.message);
    }

    fn refused(&self, code: Code, text: &str) {
        let text = (!text.is_empty()).then_some(text);
        let (method, trace) = (self.method(), self.trace_id());
        tracing::debug!(rpc.method = method, trace.id = trace, rpc.status = ?code, rpc.status_message = text, "the call was refused");
    }

    fn method(&self) -> &str {
        self.uri.path().trim_start_matches('/')
    }

    fn trace_id(&self) -> String {
        self.trace.map_or_else(String::new, |trace| trace.trace_id())
    }
}

#[cfg(test)]
mod tests {
    use baton_api::error::ErrorReason;
    use tonic::body::Body;
    use tracing::Level;

    use super::*;
    use crate::server::tests::CapturedLog;

    /// What is logged as JSON at this level when a call ends so.
    fn logged(level: Level, status: Status, trace: TraceParent) -> String {
        let log = CapturedLog::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(level);
        tracing::subscriber::with_default(subscriber.with_writer(move || writer.clone()).finish(), || {
            let request = Request::builder().uri("/baton.area.v1.AreaService/Do").body(()).unwrap();
            let call = CallContext { trace: Some(trace), ..CallContext::default() };
            CallLog::new(&request, &call).outcome(&status.into_http::<Body>());
        });
        log.text()
    }

    #[test]
    fn the_log_line_has_the_method_the_trace_and_the_cause() {
        let trace = TraceParent::new_root();
        let line = logged(Level::WARN, Status::internal("the disk\nis full"), trace);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["rpc.method"], "baton.area.v1.AreaService/Do");
        assert_eq!(read["trace.id"], trace.trace_id());
        assert_eq!(read["message"], "the call failed");
        assert_eq!(read["rpc.status_message"], "the disk\nis full");
        for key in ["message", "rpc.method", "trace.id", "rpc.status"] {
            assert_eq!(line.matches(&format!("\"{key}\":")).count(), 1, "{key} in {line}");
        }
        let line = logged(Level::WARN, Status::unavailable("x"), trace);
        assert!(line.contains(&trace.trace_id()) && line.contains("AreaService/Do"), "{line}");
    }

    #[test]
    fn n7_what_the_state_of_things_does_not_allow_is_logged_at_info_level_with_its_reason() {
        let refusal = ApiError::failed_precondition(ErrorReason::AgentBusy, "Ada is in a call.");
        let line = logged(Level::INFO, refusal.into(), TraceParent::new_root());
        assert!(line.contains("AGENT_BUSY") && line.contains("AreaService/Do"), "{line}");
        assert!(!line.contains("Ada"), "{line}");
    }

    #[test]
    fn a_refusal_and_a_broken_connection_are_logged_at_debug_level() {
        for status in [Status::not_found("x"), Status::internal(BROKEN_OFF), Status::unknown(BROKEN_OFF)] {
            assert_eq!(logged(Level::INFO, status.clone(), TraceParent::new_root()), "");
            assert!(logged(Level::DEBUG, status, TraceParent::new_root()).contains("the call was refused"));
        }
    }
}
