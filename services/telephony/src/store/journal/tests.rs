//! What happens to writes when the database does not take them.

use std::sync::atomic::{AtomicBool, Ordering};

use baton_store::Affected as _;
use baton_store::on;

use super::*;
use crate::store::{MIGRATIONS, uploads};

/// An error that is not about the contents of a write.
const TROUBLE: &str = "CREATE TRIGGER trouble BEFORE INSERT ON uploads BEGIN SELECT * FROM not_there; END";

async fn run_sql(db: &Db, sql: &'static str) {
    let mut tx = db.begin().await.unwrap();
    on!(tx, conn => sqlx::query(sql).affected(conn).await).unwrap();
    tx.commit().await.unwrap();
}

async fn journal() -> (tempfile::TempDir, Db, WriteJournal, CancellationToken) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path().join("telephony.db")).await.unwrap();
    db.migrate(&MIGRATIONS).await.unwrap();
    let stopping = CancellationToken::new();
    let (journal, writing) = WriteJournal::new(db.clone(), Clock::real(), Arc::default(), stopping.clone());
    baton_runtime::lifecycle::spawn(writing);
    (folder, db, journal, stopping)
}

fn upload(segment: &str) -> StoreWrite {
    StoreWrite::Upload(UploadRow { segment: segment.into(), ..UploadRow::default() })
}

#[tokio::test]
async fn a_write_that_is_refused_takes_no_other_with_it() {
    let (_folder, db, journal, _) = journal().await;
    run_sql(
        &db,
        "CREATE TRIGGER no BEFORE INSERT ON uploads WHEN NEW.segment = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .await;
    let disk = db.begin().await.unwrap();
    // The first is on its way; the others go into the next commit.
    let mut queued = vec![journal.queue(upload("first")).await];
    for segment in ["good", "bad", "better"] {
        queued.push(journal.queue(upload(segment)).await);
    }
    disk.rollback().await.unwrap();
    let results = futures::future::join_all(queued.into_iter().map(QueuedWrite::committed)).await;
    let kept: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(kept, [true, true, false, true]);
    assert!(matches!(results[2], Err(PersistError::Refused)));
    assert_eq!(uploads(&db).await.unwrap(), 3);
}

#[tokio::test]
async fn what_can_not_be_written_now_is_kept_until_it_can() {
    let (_folder, db, journal, stopping) = journal().await;
    run_sql(&db, TROUBLE).await;
    let mut committed = Box::pin(journal.write(upload("s")));
    let early = Clock::real().timeout(Duration::from_secs(1), &mut committed).await;
    assert!(early.is_err(), "{early:?}");
    run_sql(&db, "DROP TRIGGER trouble").await;
    committed.await.unwrap();
    assert_eq!(uploads(&db).await.unwrap(), 1);

    run_sql(&db, TROUBLE).await;
    stopping.cancel();
    let late = journal.write(upload("t")).await;
    assert!(matches!(late, Err(PersistError::Stopping)), "{late:?}");
}

#[tokio::test]
async fn what_is_written_is_told_before_the_disk_has_it_and_the_next_is_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (passes, gate) = std::sync::mpsc::channel::<()>();
    let (gate, is_shut) = (parking_lot::Mutex::new(gate), Arc::new(AtomicBool::new(false)));
    let shut = Arc::clone(&is_shut);
    // Without a test there is nothing to wait for.
    let wait = move || gate.lock().recv().map_err(std::io::Error::other);
    let sync = move || if shut.load(Ordering::SeqCst) { wait() } else { Ok(()) };
    let db = baton_store::testing::open_synced_by(&folder.path().join("telephony.db"), sync).await;
    db.migrate(&MIGRATIONS).await.unwrap();
    is_shut.store(true, Ordering::SeqCst);
    let (journal, writing) = WriteJournal::new(db.clone(), Clock::real(), Arc::default(), CancellationToken::new());
    baton_runtime::lifecycle::spawn(writing);
    for segment in ["first", "second"] {
        let mut queued = journal.queue(upload(segment)).await;
        Clock::real().timeout(Duration::from_secs(10), queued.written()).await.expect("in time").unwrap();
        assert!(Clock::real().timeout(PAUSE, queued.committed()).await.is_err(), "the disk does not have it");
    }
    assert_eq!(uploads(&db).await.unwrap(), 2);
    let queued = journal.queue(upload("third")).await;
    (0..3).for_each(|_| passes.send(()).unwrap());
    queued.committed().await.unwrap();
}
