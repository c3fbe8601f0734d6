//! The few questions that are asked of the servers, and what their answers mean.

use std::time::Duration;

use async_nats::HeaderName;
use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::header::NATS_LAST_SEQUENCE;
use async_nats::jetstream::context::{self, RequestError};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Info, RawMessageError, RawMessageErrorKind, Stream};
use async_nats::jetstream::{self, ErrorCode};
use baton_runtime::clock::Clock;
use futures::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::connection::REQUEST_TIMEOUT;
use super::{JetStreamBus, JetStreamError};

/// The metadata of the stream that distinguishes it.
pub(super) const GENERATION: &str = "baton.generation";
/// How many messages a server still has after the last one of an answer.
const PENDING: &str = "Nats-Num-Pending";
/// The most bytes that one answer of several messages has, roughly.
const MAX_PIECE_BYTES: usize = 8 * 1024 * 1024;

/// What is asked of a stream again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamInfo {
    pub(super) generation: Uuid,
    pub(super) last: u64,
}

/// Some messages in their order, and whether the server that was asked has no more.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) messages: Vec<StreamMessage>,
    pub(super) is_last: bool,
}

impl JetStreamBus {
    /// Refuses at once while there is no connection: what waited for one would be done at a time when nobody wants it any more.
    pub(super) async fn connected(&self) -> Result<(), JetStreamError> {
        if self.0.notices.wait_for_connection(&self.0.client).await { Ok(()) } else { Err(self.0.notices.away_error()) }
    }

    /// Awaits an answer on this connection.
    pub(super) async fn while_connected<F: Future>(&self, answer: F) -> Result<F::Output, JetStreamError> {
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            () = self.0.notices.disconnected() => Err(self.0.notices.away_error()),
        }
    }

    /// What the stream's leader says of it.
    pub(super) async fn info(&self) -> Result<StreamInfo, JetStreamError> {
        let subject = format!("STREAM.INFO.{}", self.0.names.stream);
        let info: Info = self.ask("reading what the stream is", subject, &json!({})).await?;
        Ok(StreamInfo { generation: generation(&info), last: info.state.last_sequence })
    }

    /// One request of `JetStream`'s own.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        subject: String,
        body: &Value,
    ) -> Result<T, JetStreamError> {
        self.connected().await?;
        let answer = self.while_connected(self.0.context.request(subject, body)).await?;
        match answer.map_err(|error| self.unanswered(doing, kind_of(&error)))? {
            Response::Ok(answer) => Ok(answer),
            Response::Err { error } => Err(self.refused(doing, error)),
        }
    }

    /// The last message on a subject, as the stream's leader has it.
    pub(super) async fn last_on(&self, subject: &str) -> Result<Option<StreamMessage>, JetStreamError> {
        self.connected().await?;
        let asked = self.stream().await?.raw_message_builder().last_by_subject(subject);
        self.found("reading the last message", self.while_connected(asked.send()).await?)
    }

    /// The first message on a subject with this sequence or a later one, as the stream's leader has it.
    pub(super) async fn next_on(&self, subject: &str, from: u64) -> Result<Option<StreamMessage>, JetStreamError> {
        self.connected().await?;
        let asked = self.stream().await?.raw_message_builder().next_by_subject(subject).sequence(from);
        self.found("reading the next message", self.while_connected(asked.send()).await?)
    }

    /// Asks nothing of the server.
    async fn stream(&self) -> Result<Stream<()>, JetStreamError> {
        let stream = &self.0.names.stream;
        let no_name = |_| JetStreamError::NoStream { stream: stream.clone() };
        self.0.context.get_stream_no_info(stream).await.map_err(no_name)
    }

    fn found(
        &self,
        doing: &'static str,
        answer: Result<StreamMessage, RawMessageError>,
    ) -> Result<Option<StreamMessage>, JetStreamError> {
        match answer {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(None),
                RawMessageErrorKind::JetStream(error) => Err(self.refused(doing, error)),
                _ => Err(self.unanswered(doing, RequestErrorKind::TimedOut)),
            },
        }
    }

    /// Up to `limit` messages from any server that has the stream; `body` says which.
    pub(super) async fn piece(&self, mut body: Value, limit: usize) -> Result<Piece, JetStreamError> {
        const DOING: &str = "reading messages";
        self.connected().await?;
        body["batch"] = json!(limit);
        body["max_bytes"] = json!(MAX_PIECE_BYTES);
        let away = || JetStreamError::Unanswered { doing: DOING };
        let inbox = self.0.client.new_inbox();
        let mut answers = self.0.client.subscribe(inbox.clone()).await.map_err(|_| away())?;
        let subject = format!("$JS.API.DIRECT.GET.{}", self.0.names.stream);
        let body = body.to_string().into();
        self.0.client.publish_with_reply(subject, inbox, body).await.map_err(|_| away())?;
        let (clock, mut piece, mut before) = (Clock::real(), Piece::default(), 0_u64);
        loop {
            let answer = self.while_connected(clock.timeout(REQUEST_TIMEOUT, answers.next())).await?.ok().flatten();
            let Some(answer) = answer else { return Err(self.unanswered(DOING, RequestErrorKind::TimedOut)) };
            let number = |name: HeaderName| answer.headers.as_ref()?.get(name)?.as_str().parse::<u64>().ok();
            match answer.status.map(|it| it.as_u16()) {
                None => {}
                // The end of what was asked for.
                Some(204) => {
                    piece.is_last = number(HeaderName::from_static(PENDING)) == Some(0);
                    break;
                }
                Some(404) => {
                    piece.is_last = true;
                    break;
                }
                // The stream may be gone, or have no leader.
                Some(503) => {
                    self.info().await?;
                    return Err(JetStreamError::NoDirect { stream: self.0.names.stream.clone() });
                }
                Some(_) => return Err(away()),
            }
            // A connection that broke and came back may have lost some in the middle.
            if number(NATS_LAST_SEQUENCE) != Some(before) {
                return Err(away());
            }
            let message = StreamMessage::try_from(answer).map_err(|_| away())?;
            before = message.sequence;
            piece.messages.push(message);
        }
        Ok(piece)
    }

    pub(super) fn refused(&self, doing: &'static str, error: jetstream::Error) -> JetStreamError {
        let stream = self.0.names.stream.clone();
        match error.error_code() {
            ErrorCode::STREAM_NOT_FOUND => JetStreamError::NoStream { stream },
            ErrorCode::ATOMIC_PUBLISH_DISABLED => JetStreamError::NoBatches { stream },
            ErrorCode::STREAM_STORE_FAILED if error.to_string().contains("maximum bytes") => {
                JetStreamError::Full { stream }
            }
            ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                JetStreamError::NoJetStream
            }
            _ => JetStreamError::Refused { doing, error },
        }
    }

    /// A request without an answer: the server may have said beside it that it is not permitted.
    pub(super) fn unanswered(&self, doing: &'static str, kind: RequestErrorKind) -> JetStreamError {
        if let Some(text) = self.0.notices.take_denied() {
            return JetStreamError::Denied { doing, text };
        }
        match kind {
            RequestErrorKind::NoResponders => JetStreamError::NoJetStream,
            _ if self.0.client.connection_state() == State::Connected => JetStreamError::Unanswered { doing },
            _ => self.0.notices.away_error(),
        }
    }
}

fn kind_of(error: &RequestError) -> RequestErrorKind {
    match error.kind() {
        context::RequestErrorKind::NoResponders => RequestErrorKind::NoResponders,
        _ => RequestErrorKind::TimedOut,
    }
}

/// What distinguishes a stream from another one under its name.
pub(super) fn generation(info: &Info) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(info.config.metadata.get(GENERATION).map_or("", String::as_str));
    hash.update(info.created.unix_timestamp_nanos().to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The server's answer to a published message.
#[derive(Debug, Deserialize)]
pub(super) struct PublishAnswer {
    pub(super) stream: String,
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) duplicate: bool,
}

/// How long a batch may take altogether, before it is not waited for any more.
pub(super) const BATCH_TIMEOUT: Duration = Duration::from_secs(10);
