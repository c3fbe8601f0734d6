//! The first answer under each request id, so that a repeated request changes nothing (B609, T7).
//!
//! A request is known by tenant, subject, method and the client's `request_id`, and kept for 24 hours with a hash of its
//! body. [`begin`] says what is known of it; [`answer`] records the answer in the same transaction as the change. The
//! first answer wins: a later one is not recorded, and its client must be given the first.
//! Services whose change is one transaction use [`idempotent`](crate::idempotent) and need nothing else of this.
//!
//! The hash is taken over the protobuf encoding, so messages with map fields must be generated with ordered maps.

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Code, Status};

use crate::{Db, StoreError, Tx, on};

/// How long an answer is kept: a client that retries later than this is a new request.
pub const KEPT_US: i64 = 24 * 60 * 60 * 1_000_000;
/// The most characters in a request id.
pub const MAX_REQUEST_ID: usize = 128;
/// The most rows that one [`prune`] deletes.
pub const PRUNE_BATCH: i64 = 2_000;

/// Identifies a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    tenant: String,
    subject: String,
    method: String,
    request_id: String,
}

/// Why a request id can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestIdError {
    /// The field is empty.
    #[error("request_id is empty: send a fresh one with each new request, and the same one with each retry")]
    Missing,
    /// The field is too long, or not visible ASCII.
    #[error("request_id must have 1 to {MAX_REQUEST_ID} visible ASCII characters: a UUID will do")]
    Invalid,
}

impl From<RequestIdError> for ApiError {
    fn from(error: RequestIdError) -> Self {
        let mut api = Self::new(ErrorKind::InvalidArgument, ErrorReason::RequestIdInvalid, error.to_string());
        api.fields.push(("request_id".to_owned(), error.to_string()));
        api
    }
}

impl From<RequestIdError> for Status {
    fn from(error: RequestIdError) -> Self {
        ApiError::from(error).into()
    }
}

/// The refusal of a request id that was used for something else.
pub fn reused() -> ApiError {
    let why = "was used before with another request: send a fresh one with each new request";
    let mut error =
        ApiError::new(ErrorKind::InvalidArgument, ErrorReason::RequestIdReused, format!("request_id {why}"));
    error.fields.push(("request_id".to_owned(), why.to_owned()));
    error
}

impl RequestKey {
    /// `subject` comes from the token; `method` is the full gRPC method name.
    pub fn new(tenant: &str, subject: &str, method: &str, request_id: &str) -> Result<Self, RequestIdError> {
        if request_id.is_empty() {
            return Err(RequestIdError::Missing);
        }
        if request_id.len() > MAX_REQUEST_ID || !request_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RequestIdError::Invalid);
        }
        Ok(Self {
            tenant: tenant.to_owned(),
            subject: subject.to_owned(),
            method: method.to_owned(),
            request_id: request_id.to_owned(),
        })
    }
}

/// SHA-256 of a request's encoding: the same id with another body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyHash([u8; 32]);

impl BodyHash {
    /// Hashes a request as the client sent it.
    pub fn of(request: &impl Message) -> Self {
        Self(Sha256::digest(request.encode_to_vec()).into())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptAnswer {
    /// The response message, encoded.
    Ok(Vec<u8>),
    /// The refusal; a retry gets it again, word by word.
    Refused(KeptRefusal),
}

impl KeptAnswer {
    /// The gRPC code, the message, and the body or the refusal's details.
    fn columns(&self) -> (i64, &str, &[u8]) {
        match self {
            Self::Ok(body) => (0, "", body),
            Self::Refused(refusal) => (refusal.code.into(), &refusal.message, &refusal.details),
        }
    }
}

/// A `tonic::Status` in a form that can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRefusal {
    pub code: i32,
    /// The message for people.
    pub message: String,
    /// The encoded `google.rpc.Status` with the typed details; may be empty.
    pub details: Vec<u8>,
}

impl From<&Status> for KeptRefusal {
    fn from(status: &Status) -> Self {
        Self { code: status.code() as i32, message: status.message().to_owned(), details: status.details().to_vec() }
    }
}

impl From<KeptRefusal> for Status {
    fn from(refusal: KeptRefusal) -> Self {
        Status::with_details(Code::from_i32(refusal.code), refusal.message, refusal.details.into())
    }
}

/// What the store knows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownRequest {
    /// Nothing: go on.
    New,
    /// It was answered: give this again.
    Answered(KeptAnswer),
    /// Another call with the same id has committed its beginning and not yet an answer.
    Pending,
    /// The id was used for something else.
    DifferentBody,
}

/// Looks the request up, and records it, without an answer, if it is new or older than [`KEPT_US`].
pub async fn begin(tx: &mut Tx, key: &RequestKey, body: BodyHash, now_us: i64) -> Result<KnownRequest, StoreError> {
    Ok(record(tx, key, body, None, now_us).await?.unwrap_or(KnownRequest::New))
}

/// Records a request with its answer, if there is one already; `None`. What is known of it, and nothing is changed, if it is neither new nor
/// older than [`KEPT_US`].
pub async fn record(
    tx: &mut Tx,
    key: &RequestKey,
    body: BodyHash,
    answer: Option<&KeptAnswer>,
    now_us: i64,
) -> Result<Option<KnownRequest>, StoreError> {
    if insert(tx, key, body, answer, now_us).await? {
        return Ok(None);
    }
    known(tx, key, body).await.map(Some)
}

/// What is known of a request, which is not recorded if it is new.
pub async fn known(tx: &mut Tx, key: &RequestKey, body: BodyHash) -> Result<KnownRequest, StoreError> {
    let Some(row) = stored(tx, key).await? else { return Ok(KnownRequest::New) };
    if row.body_hash != body.0 {
        return Ok(KnownRequest::DifferentBody);
    }
    Ok(row.answer().map_or(KnownRequest::Pending, KnownRequest::Answered))
}

/// Takes back what [`record`] has written in this transaction.
pub async fn forget(tx: &mut Tx, key: &RequestKey) -> Result<(), StoreError> {
    tx.statement("DELETE FROM store_requests WHERE tenant = $1 AND subject = $2 AND method = $3 AND request_id = $4")
        .bind(&key.tenant)
        .bind(&key.subject)
        .bind(&key.method)
        .bind(&key.request_id)
        .run()
        .await?;
    Ok(())
}

/// Records the answer; `false`, and nothing is changed, if there is one already.
pub async fn answer(tx: &mut Tx, key: &RequestKey, answer: &KeptAnswer) -> Result<bool, StoreError> {
    let (code, message, body) = answer.columns();
    let rows = tx
        .statement(
            "UPDATE store_requests SET answer_code = $5, answer_message = $6, answer_body = $7
         WHERE tenant = $1 AND subject = $2 AND method = $3 AND request_id = $4 AND answer_code IS NULL",
        )
        .bind(&key.tenant)
        .bind(&key.subject)
        .bind(&key.method)
        .bind(&key.request_id)
        .bind(code)
        .bind(message)
        .bind(body)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// Deletes at most [`PRUNE_BATCH`] requests older than [`KEPT_US`]. Returns how many; call again until it is 0.
pub async fn prune(db: &Db, now_us: i64) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let rows = tx
        .statement(
            "DELETE FROM store_requests WHERE (tenant, subject, method, request_id) IN
             (SELECT tenant, subject, method, request_id FROM store_requests WHERE started_us < $1 LIMIT $2)",
        )
        .bind(now_us - KEPT_US)
        .bind(PRUNE_BATCH)
        .affected()
        .await?;
    tx.commit().await?;
    Ok(rows)
}

#[derive(sqlx::FromRow)]
struct Row {
    body_hash: Vec<u8>,
    answer_code: Option<i64>,
    answer_message: Option<String>,
    answer_body: Option<Vec<u8>>,
}

impl Row {
    fn answer(self) -> Option<KeptAnswer> {
        let code = i32::try_from(self.answer_code?).unwrap_or(Code::Unknown as i32);
        let body = self.answer_body.unwrap_or_default();
        if code == 0 {
            return Some(KeptAnswer::Ok(body));
        }
        let message = self.answer_message.unwrap_or_default();
        Some(KeptAnswer::Refused(KeptRefusal { code, message, details: body }))
    }
}

async fn insert(
    tx: &mut Tx,
    key: &RequestKey,
    body: BodyHash,
    answer: Option<&KeptAnswer>,
    now_us: i64,
) -> Result<bool, StoreError> {
    let answer = answer.map(KeptAnswer::columns);
    let rows = tx
        .statement(
            "INSERT INTO store_requests (tenant, subject, method, request_id, body_hash, started_us,
                                     answer_code, answer_message, answer_body)
         VALUES ($1, $2, $3, $4, $5, $6, $8, $9, $10)
         ON CONFLICT (tenant, subject, method, request_id) DO UPDATE
         SET body_hash = excluded.body_hash, started_us = excluded.started_us, answer_code = excluded.answer_code,
             answer_message = excluded.answer_message, answer_body = excluded.answer_body
         WHERE store_requests.started_us < $7",
        )
        .bind(&key.tenant)
        .bind(&key.subject)
        .bind(&key.method)
        .bind(&key.request_id)
        .bind(body.0.as_slice())
        .bind(now_us)
        .bind(now_us - KEPT_US)
        .bind(answer.map(|it| it.0))
        .bind(answer.map(|it| it.1))
        .bind(answer.map(|it| it.2))
        .affected()
        .await?;
    Ok(rows == 1)
}

async fn stored(tx: &mut Tx, key: &RequestKey) -> Result<Option<Row>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_as(
        "SELECT body_hash, answer_code, answer_message, answer_body FROM store_requests
         WHERE tenant = $1 AND subject = $2 AND method = $3 AND request_id = $4")
        .bind(&key.tenant)
        .bind(&key.subject)
        .bind(&key.method)
        .bind(&key.request_id)
        .fetch_optional(conn)
        .await)?)
}
