//! One change under a request id, for services whose change is a single transaction.
//!
//! The change, its events and its answer commit together: each repetition of the request, before or after a crash, from one
//! client or from sixty-four at once, gets the first answer, and there was one change. A refusal is an answer too: what the
//! closure had written is undone, and the refusal is kept. Only an error that is not about the request (the database was
//! busy, something did not answer) is not kept, so that a retry can succeed.

use prost::Message;
use tonic::{Code, Status};

use crate::requests::{self, BodyHash, KeptAnswer, KeptRefusal, KnownRequest, RequestKey};
use crate::{Db, StoreError, Tx};

/// Runs `change` once under `key`, or repeats its first answer.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let db = baton_store::Db::open(folder.path().join("x.db")).await?;
/// # db.migrate(&sqlx::migrate::Migrator::with_migrations(Vec::new())).await?;
/// # let (request, now_us) = ("Ada".to_owned(), 1);
/// use baton_store::{idempotent, requests::RequestKey};
///
/// let key = RequestKey::new("acme", "admin-1", "/baton.presence.v1.DirectoryService/CreateAgent", "c0ffee")?;
/// let response: String = idempotent(&db, &key, &request, now_us, async |tx| {
///     // Statements through `on!(tx, ..)`, events through `outbox::append(tx, ..)`.
/// #   let _ = tx;
///     Ok("created".to_owned())
/// })
/// .await?;
/// # assert_eq!(response, "created");
/// # Ok(()) }
/// ```
pub async fn idempotent<Response, Change>(
    db: &Db,
    key: &RequestKey,
    request: &impl Message,
    now_us: i64,
    change: Change,
) -> Result<Response, Status>
where
    Response: Message + Default,
    Change: AsyncFnOnce(&mut Tx) -> Result<Response, Status>,
{
    let mut tx = db.begin().await?;
    match requests::begin(&mut tx, key, BodyHash::of(request), now_us).await? {
        KnownRequest::New => {}
        KnownRequest::Answered(answer) => {
            // The first answer may not be durable yet, and must be when it is given.
            tx.rollback().await?;
            return replay(answer);
        }
        KnownRequest::DifferentBody => return Err(requests::reused().into()),
        KnownRequest::Pending => {
            return Err(Status::aborted("the same request is still being carried out"));
        }
    }
    tx.start_part().await?;
    let result = change(&mut tx).await;
    record(tx, key, &result).await?;
    result
}

/// Commits the change with its answer, or a refusal without the change, or nothing at all.
async fn record<Response: Message>(
    mut tx: Tx,
    key: &RequestKey,
    result: &Result<Response, Status>,
) -> Result<(), StoreError> {
    let answer = match result {
        Ok(response) => {
            tx.keep_part().await?;
            KeptAnswer::Ok(response.encode_to_vec())
        }
        Err(status) if is_about_the_request(status.code()) => {
            tx.undo_part().await?;
            KeptAnswer::Refused(KeptRefusal::from(status))
        }
        Err(_) => return tx.rollback().await,
    };
    requests::answer(&mut tx, key, &answer).await?;
    tx.commit().await
}

/// Whether the same request would be refused again, so that the refusal is its answer. `Aborted` and `Cancelled` mean
/// "not this time"; the others are ours or the network's.
fn is_about_the_request(code: Code) -> bool {
    !matches!(
        code,
        Code::Unknown
            | Code::Internal
            | Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Aborted
            | Code::DataLoss
    )
}

fn replay<Response: Message + Default>(answer: KeptAnswer) -> Result<Response, Status> {
    match answer {
        KeptAnswer::Ok(body) => Response::decode(body.as_slice())
            .map_err(|_| Status::internal("the stored answer is not a response of this method")),
        KeptAnswer::Refused(refusal) => Err(refusal.into()),
    }
}
