//! Group commit on a disk whose syncs the test lets pass, or breaks, one at a time.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use baton_api::Outcome;
use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Disk, LogFile, log_of};
use crate::db::SqliteDb;
use crate::outbox::{self, OutboxCursor, OutboxRow};
use crate::requests::RequestKey;
use crate::{Affected as _, Db, Migrations, StoreError, idempotent, on};

/// Holds each sync until the test lets it pass.
#[derive(Default)]
struct SyncGate {
    counts: Mutex<SyncCounts>,
    changed: Condvar,
}

#[derive(Default)]
struct SyncCounts {
    may_pass: usize,
    came: usize,
    is_broken: bool,
}

impl SyncGate {
    fn change(&self, change: impl FnOnce(&mut SyncCounts)) {
        change(&mut self.counts.lock());
        self.changed.notify_all();
    }

    fn came(&self) -> usize {
        self.counts.lock().came
    }

    fn sync(&self) -> io::Result<()> {
        let mut counts = self.counts.lock();
        counts.came += 1;
        self.changed.wait_while(&mut counts, |counts| counts.may_pass == 0 && !counts.is_broken);
        if counts.is_broken {
            return Err(io::Error::other("the disk is broken"));
        }
        counts.may_pass -= 1;
        Ok(())
    }
}

struct GatedStore {
    db: Db,
    gate: Arc<SyncGate>,
    _folder: TempDir,
}

impl Drop for GatedStore {
    fn drop(&mut self) {
        // Otherwise a failed test would wait for the thread that syncs.
        self.gate.change(|counts| counts.is_broken = true);
    }
}

/// A database with one table, all of it on the disk, and the gate shut.
async fn gated_store() -> GatedStore {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(SyncGate::default());
    gate.change(|counts| counts.may_pass = usize::MAX);
    let disk = Arc::clone(&gate);
    let db = Db::open_on(&folder.path().join("test.db"), Disk::new(move || disk.sync())).await.unwrap();
    db.migrate(&Migrations::NONE).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    on!(tx, conn => sqlx::query("CREATE TABLE marks (name TEXT NOT NULL)").affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    gate.change(|counts| (counts.may_pass, counts.came) = (0, 0));
    GatedStore { db, gate, _folder: folder }
}

impl GatedStore {
    /// A task that commits one mark.
    fn commit(&self, name: &str) -> JoinHandle<Result<(), StoreError>> {
        let (db, name) = (self.db.clone(), name.to_owned());
        spawn(async move {
            let mut tx = db.begin().await?;
            on!(tx, conn => sqlx::query("INSERT INTO marks (name) VALUES ($1)").bind(name).affected(conn).await)?;
            tx.commit().await
        })
    }

    async fn marks(&self) -> i64 {
        let mut reader = self.db.read().await.unwrap();
        on!(reader, conn => sqlx::query_scalar("SELECT count(*) FROM marks").fetch_one(conn).await).unwrap()
    }

    async fn until_visible(&self, marks: i64) {
        until(async || self.marks().await == marks).await;
        // What is visible has been numbered, and is done when the writer was given back.
        drop(self.db.begin().await.unwrap());
        until(async || self.disk().done.load(std::sync::atomic::Ordering::Acquire) == self.disk().last()).await;
    }

    async fn until_came(&self, syncs: usize) {
        until(async || self.gate.came() == syncs).await;
    }

    fn disk(&self) -> &Disk {
        &sqlite(&self.db).disk
    }
}

fn sqlite(db: &Db) -> &SqliteDb {
    let Db::Sqlite(db) = db else { panic!("a file") };
    db
}

#[expect(clippy::disallowed_methods, reason = "the store comes before the runtime, which has the one place for this")]
fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> JoinHandle<F::Output> {
    tokio::spawn(future)
}

#[expect(clippy::disallowed_methods, reason = "the store comes before the runtime, which has the one place for this")]
async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..5_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not come true");
}

#[tokio::test]
async fn the_file_that_is_synced_is_the_one_that_commits_go_to() {
    let it = gated_store().await;
    let db = sqlite(&it.db);
    let size = || std::fs::metadata(log_of(&db.file)).unwrap().len();
    let before = size();
    it.gate.change(|counts| counts.may_pass = 1);
    it.commit("a").await.unwrap().unwrap();
    assert!(size() > before);
    let log_number = || std::fs::metadata(log_of(&db.file)).unwrap().ino();
    let mut log = LogFile::of(&db.file);
    for _ in 0..2 {
        log.sync().unwrap();
        assert_eq!(log.opened.as_ref().map(|(_, (_, number))| *number), Some(log_number()));
        // The next log is another file, whatever its number is: this one is kept open.
        std::fs::rename(log_of(&db.file), db.file.with_extension("old")).unwrap();
        std::fs::write(log_of(&db.file), "").unwrap();
    }
    std::fs::remove_file(log_of(&db.file)).unwrap();
    log.sync().unwrap();
    assert!(log.opened.is_none(), "all of it is in the database");
    std::fs::remove_file(&*db.file).unwrap();
    log.sync().unwrap_err();
}

#[tokio::test]
async fn a_commit_is_answered_when_the_disk_has_it_and_no_sooner() {
    let it = gated_store().await;
    let commit = it.commit("a");
    it.until_came(1).await;
    assert_eq!(it.marks().await, 1);
    assert!(!commit.is_finished());
    it.gate.change(|counts| counts.may_pass = 1);
    commit.await.unwrap().unwrap();
}

#[tokio::test]
async fn sixty_four_commits_share_one_sync_but_not_one_that_began_before_them() {
    let it = gated_store().await;
    let first = it.commit("first");
    it.until_came(1).await;
    let others: Vec<_> = (0..64).map(|number| it.commit(&number.to_string())).collect();
    it.until_visible(65).await;
    it.gate.change(|counts| counts.may_pass = 1);
    first.await.unwrap().unwrap();
    it.until_came(2).await;
    assert!(!others.iter().any(JoinHandle::is_finished));
    it.gate.change(|counts| counts.may_pass = 1);
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(it.gate.came(), 2);
}

#[tokio::test]
async fn with_nobody_else_there_each_commit_has_its_sync_at_once_and_settling_needs_none() {
    let it = gated_store().await;
    it.gate.change(|counts| counts.may_pass = usize::MAX);
    for number in 1..=3 {
        it.commit("alone").await.unwrap().unwrap();
        it.db.settled().await.unwrap();
        it.db.begin().await.unwrap().rollback().await.unwrap();
        assert_eq!(it.gate.came(), number);
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_while_it_waits_loses_nothing_and_nobody() {
    let it = gated_store().await;
    let mut wakes = it.db.outbox_commits();
    let leader = spawn({
        let db = it.db.clone();
        async move { append(&db).await }
    });
    it.until_came(1).await;
    let follower = it.commit("follower");
    it.until_visible(1).await;
    leader.abort();
    leader.await.unwrap_err();
    it.gate.change(|counts| counts.may_pass = 2);
    follower.await.unwrap().unwrap();
    wakes.changed().await.unwrap();
    assert_eq!(outbox::after(&it.db, &OutboxCursor::default(), 10).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn when_the_disk_fails_every_waiting_commit_fails_and_nothing_begins_any_more() {
    let it = gated_store().await;
    let commits = ["a", "b", "c"].map(|name| it.commit(name));
    it.until_visible(3).await;
    it.gate.change(|counts| counts.is_broken = true);
    for commit in commits {
        let error = commit.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Commit(_)), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Unknown);
    }
    it.gate.change(|counts| (counts.is_broken, counts.may_pass) = (false, 9));
    it.db.begin().await.unwrap_err();
    it.db.settled().await.unwrap_err();
}

#[tokio::test]
async fn a_failure_of_the_disk_is_reported_when_it_happens_and_not_before() {
    let it = gated_store().await;
    let mut failed = Box::pin(it.db.failed());
    it.gate.change(|counts| counts.may_pass = 1);
    it.commit("a").await.unwrap().unwrap();
    assert!(futures::poll!(&mut failed).is_pending());
    it.gate.change(|counts| counts.is_broken = true);
    it.commit("b").await.unwrap().unwrap_err();
    let late = it.db.failed();
    for error in [failed.await, late.await] {
        assert!(matches!(error, StoreError::Commit(sqlx::Error::Io(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_first_answer_is_not_given_again_before_it_is_durable() {
    let it = gated_store().await;
    let ask = || {
        let db = it.db.clone();
        spawn(async move {
            let key = RequestKey::new("acme", "agent-1", "m", "r1").unwrap();
            idempotent(&db, &key, &String::new(), 1, |tx| async move { Ok(tx.done("first".to_owned())) }).await
        })
    };
    let first = ask();
    it.until_came(1).await;
    let second = ask();
    // The second one has had the writer: it has read the answer, or will read it after us.
    drop(it.db.begin().await.unwrap());
    drop(it.db.begin().await.unwrap());
    assert!(!first.is_finished() && !second.is_finished());
    it.gate.change(|counts| counts.may_pass = 2);
    assert_eq!(first.await.unwrap().unwrap(), "first");
    assert_eq!(second.await.unwrap().unwrap(), "first");
}

#[tokio::test]
async fn an_event_is_not_published_before_its_change_is_durable_e1() {
    let it = gated_store().await;
    let db = it.db.clone();
    let change = spawn(async move { append(&db).await });
    it.until_came(1).await;
    let db = it.db.clone();
    let found = spawn(async move { outbox::after(&db, &OutboxCursor::default(), 10).await });
    for _ in 0..50 {
        assert_eq!(it.marks().await, 0);
        assert!(!found.is_finished());
    }
    it.gate.change(|counts| counts.may_pass = 2);
    assert_eq!(found.await.unwrap().unwrap().0.len(), 1);
    change.await.unwrap().unwrap();
}

async fn append(db: &Db) -> Result<(), StoreError> {
    let row = OutboxRow {
        id: uuid::Uuid::from_u128(1),
        tenant: "acme".into(),
        aggregate: "interaction/1".into(),
        sequence: 1,
        event_type: "transfer.completed".into(),
        area: "transfer".into(),
        payload: vec![],
        actor: "system".into(),
        traceparent: String::new(),
        time_us: 1,
    };
    let mut tx = db.begin().await?;
    outbox::append(&mut tx, &[row]).await?;
    tx.commit().await
}

#[tokio::test]
async fn a_change_of_a_database_that_somebody_removed_is_not_answered() {
    let folder = TempDir::new().unwrap();
    let db = Db::open(folder.path().join("own.db")).await.unwrap();
    db.migrate(&Migrations::NONE).await.unwrap();
    let failed = db.failed();
    folder.close().unwrap();
    let mut tx = db.begin().await.unwrap();
    on!(tx, conn => sqlx::query("CREATE TABLE t (n BIGINT)").affected(conn).await).unwrap();
    tx.commit().await.unwrap_err();
    failed.await;
}
