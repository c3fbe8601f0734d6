//! The span of a call, and the one line in the log when it failed.
//!
//! Neither has anything of the request's metadata or body in it: there are tokens, numbers and names in these.

use http::{Request, Response};
use tonic::{Code, Status};
use tracing::Span;

use crate::call::CallContext;
use crate::telemetry::{self, TraceParent};

/// The call's span, which continues the caller's trace. If the caller has none, the call gets the one that begins here.
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

/// Faults of ours are errors, trouble is a warning, and a refusal is an everyday thing.
pub(super) fn outcome<B>(response: &Response<B>) {
    let Some(status) = Status::from_header_map(response.headers()) else {
        return;
    };
    let (code, message) = (status.code(), status.message());
    match code {
        Code::Ok => {}
        Code::Internal | Code::Unknown | Code::DataLoss => {
            tracing::error!(rpc.status = ?code, message, "the call failed");
        }
        Code::Unavailable | Code::ResourceExhausted => {
            tracing::warn!(rpc.status = ?code, "the call failed");
        }
        _ => tracing::debug!(rpc.status = ?code, "the call was refused"),
    }
}
