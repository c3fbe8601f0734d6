//! The W3C `traceparent`: which trace, and which span of it.

use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::ids;

/// A span's position in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl TraceParent {
    /// Begins a new trace.
    pub fn new_root() -> Self {
        Self {
            trace: TraceId::from_bytes(ids::random_bytes()),
            span: SpanId::from_bytes(ids::random_bytes()),
            flags: TraceFlags::SAMPLED,
        }
    }

    /// Reads the header (version 00, or a later one that begins in the same way).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex::<2>(parts.next()?)?;
        let trace = TraceId::from_hex(hex::<32>(parts.next()?)?).ok()?;
        let span = SpanId::from_hex(hex::<16>(parts.next()?)?).ok()?;
        let flags = u8::from_str_radix(hex::<2>(parts.next()?)?, 16).ok()?;
        let known = version == "00" && parts.next().is_none();
        let valid = trace != TraceId::INVALID && span != SpanId::INVALID;
        let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
        ((known || (version > "00" && version != "ff")) && valid).then_some(Self { trace, span, flags })
    }

    /// The trace's id, 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.trace.to_string()
    }

    /// `None` if OpenTelemetry has no valid span context, as when traces are not exported.
    pub(crate) fn of(context: &SpanContext) -> Option<Self> {
        context.is_valid().then(|| Self {
            trace: context.trace_id(),
            span: context.span_id(),
            flags: context.trace_flags(),
        })
    }

    pub(crate) fn span_context(&self) -> SpanContext {
        SpanContext::new(self.trace, self.span, self.flags, true, TraceState::NONE)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// The text if it is this many lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<&str> {
    let digit = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    (text.len() == N && text.bytes().all(digit)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_the_wire() {
        let trace = TraceParent::new_root();
        assert_eq!(TraceParent::parse(&trace.to_string()), Some(trace));
    }

    #[test]
    fn malformed_headers_are_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(TraceParent::parse(good).is_some());
        let corpus = [
            String::new(),
            "x".to_owned(),
            good.to_uppercase(),
            good.replace("00-4", "ff-4"),
            good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            format!("{good}-more"),
            good[..54].to_owned(),
        ];
        for text in corpus {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
    }
}
