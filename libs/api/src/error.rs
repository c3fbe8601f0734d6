//! The one error that every Baton service answers with; its form on the wire is in `wire`.
//!
//! A service has small error enums of its own. At its edge they become an [`ApiError`], and only in `wire` does that become a
//! `google.rpc.Status`: the gRPC code gives the kind of failure, `ErrorInfo.reason` the failure itself (a closed list,
//! `baton.common.v1.ErrorReason`), `BadRequest` names the wrong fields, `RetryInfo` says when to try again, and the message tells a person what to do next.

use std::fmt;
use std::time::Duration;

use prost_types::Any;
use tonic::Code;

pub use crate::common::v1::ErrorReason;

/// `ErrorInfo.domain` of every error that Baton itself makes.
pub const DOMAIN: &str = "baton.dev";
pub(crate) const REASON_PREFIX: &str = "ERROR_REASON_";

/// The kind of a failure; each is one gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A field is missing, malformed or out of range.
    InvalidArgument,
    /// It does not exist, or not for this caller.
    NotFound,
    /// The name or id is taken.
    AlreadyExists,
    /// Not possible in the present state.
    FailedPrecondition,
    /// The caller's role does not permit it.
    PermissionDenied,
    /// The token is missing or not valid.
    Unauthenticated,
    /// Another change came first, or what was sent is stale.
    Aborted,
    ResourceExhausted,
    /// A service or resource that is needed does not answer.
    Unavailable,
    DeadlineExceeded,
    /// There is no such method.
    Unimplemented,
    /// A fault of Baton's.
    Internal,
}

impl ErrorKind {
    pub fn code(self) -> Code {
        match self {
            Self::InvalidArgument => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::FailedPrecondition => Code::FailedPrecondition,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Aborted => Code::Aborted,
            Self::ResourceExhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Unimplemented => Code::Unimplemented,
            Self::Internal => Code::Internal,
        }
    }

    /// The kind of any status. A code that Baton never sends gets the nearest kind: a cancelled call may have been carried
    /// out, like one whose deadline has passed.
    pub fn of(code: Code) -> Self {
        match code {
            Code::InvalidArgument | Code::OutOfRange => Self::InvalidArgument,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::Aborted => Self::Aborted,
            Code::ResourceExhausted => Self::ResourceExhausted,
            Code::Unavailable => Self::Unavailable,
            Code::DeadlineExceeded | Code::Cancelled => Self::DeadlineExceeded,
            Code::Unimplemented => Self::Unimplemented,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Internal,
        }
    }
}

/// Whether a command that failed may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused: nothing has changed.
    Definite,
    /// It may or may not have been carried out: read the state, or repeat the request with the same request id.
    Unknown,
}

/// An error as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorKind,
    pub reason: ErrorReason,
    /// One or two sentences for a person: what is wrong and what to do. Never a token, a number dialled or a name.
    pub message: String,
    /// For programs; keys are `lower_snake`.
    pub metadata: Vec<(String, String)>,
    /// The fields that are wrong, each with a description. Only for [`ErrorKind::InvalidArgument`].
    pub fields: Vec<(String, String)>,
    /// How long to wait before trying again. `None`: trying again does not help.
    pub retry_after: Option<Duration>,
    /// A message of the contract that helps the caller to go on, such as the present view of what it tried to change.
    pub attached: Option<Box<Any>>,
}

impl ApiError {
    /// An error of this kind and reason; the named constructors below read better where they fit.
    pub fn new(kind: ErrorKind, reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            metadata: Vec::new(),
            fields: Vec::new(),
            retry_after: retry_after(kind, reason),
            attached: None,
        }
    }

    /// Adds an entry to the metadata.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.metadata.push((key.to_owned(), value.to_string()));
        self
    }

    /// Trying again does not help, although it usually does after an error of this kind.
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.retry_after = None;
        self
    }

    /// Attaches a message of the contract, in the place of one that is attached already. It is sent as a further detail of
    /// `google.rpc.Status`, and left out if it would not fit into the headers.
    #[must_use]
    pub fn carrying(mut self, message: &impl prost::Name) -> Self {
        self.attached = Some(Box::new(Any { type_url: type_url(message), value: message.encode_to_vec() }));
        self
    }

    /// The attached message, if it is of this type.
    pub fn carried<M: prost::Message + prost::Name + Default>(&self) -> Option<M> {
        let any = self.attached.as_ref()?;
        let is_this_type = any.type_url.rsplit_once('/').is_some_and(|(_, name)| name == M::full_name());
        is_this_type.then(|| M::decode(any.value.as_slice()).ok()).flatten()
    }

    /// It does not exist for this caller; `what` is for example "transfer".
    pub fn not_found(what: &str) -> Self {
        let message = format!("There is no such {what}. Check the id; things of other tenants are not there either.");
        Self::new(ErrorKind::NotFound, ErrorReason::NotFound, message).with("what", what)
    }

    /// The field (path as in the proto, for example `target.agent_id`) is wrong, and why.
    pub fn invalid_argument(field: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        let message = format!("{field}: {why}");
        let mut error = Self::new(ErrorKind::InvalidArgument, ErrorReason::InvalidField, message);
        error.fields.push((field.to_owned(), why));
        error
    }

    /// Not possible in the present state.
    pub fn failed_precondition(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::FailedPrecondition, reason, message)
    }

    /// The caller's role does not permit it.
    pub fn permission_denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::PermissionDenied, ErrorReason::RoleNotAllowed, message)
    }

    /// The token is missing or not valid; the reason says which.
    pub fn unauthenticated(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, reason, message)
    }

    /// A service or resource that is needed does not answer: the caller should repeat the request with the same request id.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, ErrorReason::Unavailable, message)
    }

    /// The command is committed, but the world (the switch, another service) has not confirmed it in time.
    pub fn pending(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DeadlineExceeded, ErrorReason::Pending, message)
    }

    /// Another change came first, or what was sent is stale.
    pub fn aborted(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Aborted, reason, message)
    }

    /// Another change was written at that moment: nothing has changed, and the same request succeeds as soon as that one
    /// is there. Not for an etag or a version that the caller sent, which stays out of date.
    pub fn overtaken(message: impl Into<String>) -> Self {
        let error = Self::aborted(ErrorReason::VersionConflict, message);
        Self { retry_after: Some(MOMENT), ..error }
    }

    /// The name or id is taken; `what` is for example "team".
    pub fn already_exists(what: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, ErrorReason::AlreadyExists, message).with("what", what)
    }

    /// More is asked than can be done now, by whomever.
    pub fn overloaded(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ResourceExhausted, ErrorReason::Overloaded, message)
    }

    /// A limit was reached; the message says which, and what it is.
    pub fn resource_exhausted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ResourceExhausted, ErrorReason::Limit, message)
    }

    /// The caller's deadline passed before there was an answer.
    pub fn deadline_exceeded() -> Self {
        let message = "The deadline passed before there was an answer. A change may have been made: ask again with the same request id.";
        Self::new(ErrorKind::DeadlineExceeded, ErrorReason::Deadline, message)
    }

    /// The method is not in the contract, or not served at this address.
    pub fn unknown_method() -> Self {
        let message = "There is no such method at this address. Check the name; reflection lists what there is.";
        Self::new(ErrorKind::Unimplemented, ErrorReason::MethodUnknown, message)
    }

    /// A fault of Baton's. The message goes to the caller; log the cause where it is handled.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, ErrorReason::Internal, message)
    }

    pub fn outcome(&self) -> Outcome {
        match self.kind {
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Internal => Outcome::Unknown,
            _ => Outcome::Definite,
        }
    }

    /// Whether the same request with the same request id may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => true,
            ErrorKind::ResourceExhausted | ErrorKind::Aborted => self.retry_after.is_some(),
            _ => false,
        }
    }

    /// The reason as it is on the wire: the enum value's name without its prefix.
    pub fn reason_name(&self) -> &'static str {
        let name = self.reason.as_str_name();
        name.strip_prefix(REASON_PREFIX).unwrap_or(name)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason_name(), self.message)
    }
}

impl std::error::Error for ApiError {}

/// As long as a change usually takes.
const MOMENT: Duration = Duration::from_millis(100);

/// The usual delays: as long as the cause usually lasts.
fn retry_after(kind: ErrorKind, reason: ErrorReason) -> Option<Duration> {
    match (kind, reason) {
        // A peer or a server that is started anew; a burst.
        (ErrorKind::Unavailable, _) | (_, ErrorReason::Overloaded) => Some(Duration::from_secs(1)),
        // The switch is slower than the caller's deadline.
        (_, ErrorReason::Pending) => Some(Duration::from_millis(500)),
        // What was sent is out of date, and will be: an etag, a version, a plan. Whoever repeats it is refused again.
        (ErrorKind::Aborted, ErrorReason::Stale | ErrorReason::VersionConflict) => None,
        // Something else was being written at that moment.
        (ErrorKind::Aborted, _) => Some(MOMENT),
        // Somebody has to end something first.
        (ErrorKind::ResourceExhausted, _) => Some(Duration::from_secs(5)),
        _ => None,
    }
}

/// As `Any` names a type.
fn type_url<M: prost::Name>(_: &M) -> String {
    format!("type.googleapis.com/{}", M::full_name())
}
