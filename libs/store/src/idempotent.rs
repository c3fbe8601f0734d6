//! One change under a request id, for services whose change is a single transaction.
//!
//! The change, its events and its answer commit together: each repetition of the request, before or after a crash, from one
//! client or from sixty-four at once, gets the first answer, and there was one change. A refusal is an answer too: what the
//! closure had written is undone, and the refusal is kept. Only an error that is not about the request (the database was
//! busy, something did not answer) is not kept, so that a retry can succeed.

use futures::TryFutureExt as _;
use prost::Message;
use tonic::{Code, Status};

use crate::change::{Done, Runs};
use crate::requests::{self, BodyHash, KeptAnswer, KeptRefusal, KnownRequest, RequestKey};
use crate::{Db, Tx};

/// Changes something once under `key`, or repeats the first answer. `change` runs again when another change was in its way
/// ([`Db::change`]).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let db = baton_store::Db::open(folder.path().join("x.db")).await?;
/// # db.migrate(&baton_store::Migrations::NONE).await?;
/// # let (request, now_us) = ("Ada".to_owned(), 1);
/// use baton_store::{change, idempotent, requests::RequestKey};
///
/// let key = RequestKey::new("acme", "admin-1", "/baton.presence.v1.DirectoryService/CreateAgent", "c0ffee")?;
/// let response: String = idempotent(&db, &key, &request, now_us, change!(|tx| {
///     // Statements through `on!(tx, ..)`, events through `outbox::append(tx, ..)`.
/// #   let _ = tx;
///     Ok("created".to_owned())
/// }))
/// .await?;
/// # assert_eq!(response, "created");
/// # Ok(()) }
/// ```
pub async fn idempotent<Response, F>(
    db: &Db,
    key: &RequestKey,
    request: &impl Message,
    now_us: i64,
    mut change: impl FnMut(Tx) -> F,
) -> Result<Response, Status>
where
    Response: Message + Default,
    F: Future<Output = Result<Done<Response>, Status>>,
{
    let change = |tx| change(tx).map_ok(|done| done.map(|response| (response, ())));
    idempotent_with(db, key, request, now_us, change).await.map(|(response, _)| response)
}

/// The same for a change that has something to give beside its response: `None` when an earlier answer is repeated.
///
/// # Errors
/// Those of [`idempotent`].
pub async fn idempotent_with<Response, Beside, F>(
    db: &Db,
    key: &RequestKey,
    request: &impl Message,
    now_us: i64,
    mut change: impl FnMut(Tx) -> F,
) -> Result<(Response, Option<Beside>), Status>
where
    Response: Message + Default,
    F: Future<Output = Result<Done<(Response, Beside)>, Status>>,
{
    let once = Once { db, key, body: BodyHash::of(request), now_us };
    let mut runs = Runs::default();
    loop {
        let result = once.run(&mut change).await;
        if let Some(result) = runs.end(db, result).await {
            return result?;
        }
    }
}

/// A request, and where its first answer is kept.
struct Once<'a> {
    db: &'a Db,
    key: &'a RequestKey,
    body: BodyHash,
    now_us: i64,
}

/// A change and its answer, or a refusal: either is committed.
type Answered<Response, Beside> = Done<Result<(Response, Option<Beside>), Status>>;

impl Once<'_> {
    async fn run<Response, Beside, F>(
        &self,
        change: &mut impl FnMut(Tx) -> F,
    ) -> Result<Answered<Response, Beside>, Status>
    where
        Response: Message + Default,
        F: Future<Output = Result<Done<(Response, Beside)>, Status>>,
    {
        let tx = match self.begin().await? {
            Ok(tx) => tx,
            Err(answered) => return Ok(answered),
        };
        match change(tx).await {
            Ok(mut done) => {
                let answer = KeptAnswer::Ok(done.value.0.encode_to_vec());
                requests::answer(&mut done.tx, self.key, &answer).await?;
                Ok(done.map(|(response, beside)| Ok((response, Some(beside)))))
            }
            Err(status) if is_about_the_request(status.code()) => self.refuse(status).await,
            Err(status) => Err(status),
        }
    }

    /// Begins the change; or gives the first answer again, when that is durable.
    async fn begin<Response, Beside>(&self) -> Result<Result<Tx, Answered<Response, Beside>>, Status>
    where
        Response: Message + Default,
    {
        let mut tx = self.db.begin().await?;
        match requests::begin(&mut tx, self.key, self.body, self.now_us).await? {
            KnownRequest::New => Ok(Ok(tx)),
            KnownRequest::Answered(answer) => Ok(Err(tx.undone(replay(answer).map(|response| (response, None))))),
            KnownRequest::DifferentBody => Err(requests::reused().into()),
            KnownRequest::Pending => Err(Status::aborted("the same request is still being carried out")),
        }
    }

    /// Keeps a refusal, when what it was decided on is durable. What the change had written is undone.
    async fn refuse<Response, Beside>(&self, status: Status) -> Result<Answered<Response, Beside>, Status>
    where
        Response: Message + Default,
    {
        self.db.settled().await?;
        let mut tx = match self.begin().await? {
            Ok(tx) => tx,
            Err(answered) => return Ok(answered),
        };
        requests::answer(&mut tx, self.key, &KeptAnswer::Refused(KeptRefusal::from(&status))).await?;
        Ok(tx.done(Err(status)))
    }
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
