//! Each event has its effect once, in order, or becomes a dead letter with its cause (E5).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use baton_bus::{Consumer, EventMatcher, Failure, Handler, Logged, MAX_TRIES};
use baton_runtime::lifecycle::spawn;
use baton_store::{Affected as _, Db, Tx, inbox, on};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{World, event, event_of, simulated_world, soon, with_another_log};

/// Writes down what it acts upon, and fails as the test wants.
#[derive(Clone)]
struct Notebook {
    seen: watch::Sender<u64>,
    calls: Arc<AtomicI64>,
    /// Which sequence fails, how, and for how many tries.
    trouble: Option<(i64, Trouble, i64)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Faulty,
    Panic,
    Later,
    DiskFull,
}

impl Notebook {
    fn new(trouble: Option<(i64, Trouble, i64)>) -> Self {
        Self { seen: watch::Sender::new(0), calls: Arc::default(), trouble }
    }

    async fn fail(&self, tx: &mut Tx, sequence: i64) -> Result<(), Failure> {
        let Some((_, trouble, tries)) = self.trouble.filter(|it| it.0 == sequence) else {
            return Ok(());
        };
        if self.calls.fetch_add(1, Ordering::SeqCst) >= tries {
            return Ok(());
        }
        match trouble {
            Trouble::Faulty => Err(Failure::Faulty("no such thing".into())),
            Trouble::Panic => panic!("a bug"),
            Trouble::Later => Err(Failure::Later("a peer does not answer".into())),
            Trouble::DiskFull => Err(full_disk(tx).await.into()),
        }
    }

    async fn wait_for(&self, position: u64) {
        let mut seen = self.seen.subscribe();
        soon("the effect", seen.wait_for(|seen| *seen >= position)).await.unwrap();
    }
}

/// What the database says when it can't grow.
async fn full_disk(tx: &mut Tx) -> sqlx::Error {
    on!(tx, conn => {
        sqlx::query("PRAGMA max_page_count = 1").affected(&mut *conn).await.unwrap();
        let large = "INSERT INTO notes (sequence) SELECT 1 FROM sqlite_master a, sqlite_master b, sqlite_master c";
        let refused = sqlx::query(large).affected(&mut *conn).await.unwrap_err();
        sqlx::query("PRAGMA max_page_count = 4294967294").affected(conn).await.unwrap();
        Ok(refused)
    })
    .unwrap()
}

impl Handler for Notebook {
    async fn handle(&self, tx: &mut Tx, event: &Logged) -> Result<(), Failure> {
        on!(tx, conn => sqlx::query("INSERT INTO notes (sequence) VALUES ($1)")
            .bind(event.envelope.sequence)
            .affected(conn)
            .await)?;
        self.fail(tx, event.envelope.sequence).await?;
        self.seen.send_replace(event.position);
        Ok(())
    }
}

async fn with_notes() -> World {
    let it = simulated_world().await;
    let mut tx = it.db.begin().await.unwrap();
    on!(tx, conn => sqlx::query("CREATE TABLE notes (sequence BIGINT NOT NULL)").affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    it
}

async fn notes(db: &Db) -> Vec<i64> {
    let mut reader = db.read().await.unwrap();
    on!(reader, conn => sqlx::query_scalar("SELECT sequence FROM notes ORDER BY rowid").fetch_all(conn).await).unwrap()
}

/// Runs a consumer until it has acted upon the event at `position`.
async fn consume(it: &World, notebook: Notebook, filter: EventMatcher, position: u64) {
    let shutdown = CancellationToken::new();
    let consumer = Consumer::new("notes", it.bus.clone(), it.db.clone(), it.clock.clone(), filter);
    let running = spawn(consumer.run(notebook.clone(), shutdown.clone()));
    notebook.wait_for(position).await;
    // The effect is visible when it is committed, which is a moment after the handler returned.
    soon("the commit", async {
        while cursor(it).await != Some(position as i64) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    shutdown.cancel();
    soon("the consumer's end", running).await.unwrap();
}

async fn cursor(it: &World) -> Option<i64> {
    let mut reader = it.db.read().await.unwrap();
    on!(reader, conn => sqlx::query_scalar("SELECT max(position) FROM store_cursors").fetch_one(conn).await).unwrap()
}

async fn publish(it: &World, sequences: impl IntoIterator<Item = i64>) {
    let events: Vec<_> = sequences.into_iter().map(|sequence| event("interaction/1", sequence)).collect();
    it.publish(&events).await;
}

#[tokio::test]
async fn a_consumer_goes_on_where_it_was() {
    let it = with_notes().await;
    publish(&it, 1..=3).await;
    consume(&it, Notebook::new(None), EventMatcher::all(), 3).await;
    publish(&it, 4..=5).await;
    consume(&it, Notebook::new(None), EventMatcher::all(), 5).await;
    assert_eq!(notes(&it.db).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_consumer_acts_only_upon_what_it_asked_for() {
    let it = with_notes().await;
    let events = [event_of("acme", "a.b", 1), event_of("acme", "c.d", 2), event_of("acme", "a.e", 3)];
    it.publish(&events).await;
    consume(&it, Notebook::new(None), EventMatcher::types(["a.*"]).unwrap(), 3).await;
    assert_eq!(notes(&it.db).await, [1, 3]);
}

#[tokio::test]
async fn an_effect_of_a_failed_try_is_undone_and_the_next_try_counts() {
    for trouble in [Trouble::Faulty, Trouble::Panic] {
        let it = with_notes().await;
        publish(&it, 1..=3).await;
        consume(&it, Notebook::new(Some((2, trouble, MAX_TRIES - 1))), EventMatcher::all(), 3).await;
        assert_eq!(notes(&it.db).await, [1, 2, 3]);
        assert!(inbox::dead_letters(&it.db, "notes", 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_poisonous_event_becomes_a_dead_letter_with_its_cause_and_others_go_on_e5() {
    for (trouble, cause) in [(Trouble::Faulty, "no such thing"), (Trouble::Panic, "the handler panicked: a bug")] {
        let it = with_notes().await;
        publish(&it, 1..=3).await;
        let notebook = Notebook::new(Some((2, trouble, i64::MAX)));
        consume(&it, notebook.clone(), EventMatcher::all(), 3).await;
        assert_eq!(notes(&it.db).await, [1, 3]);
        assert_eq!(notebook.calls.load(Ordering::SeqCst), 1 + MAX_TRIES, "once with the others, then by itself");
        let letters = inbox::dead_letters(&it.db, "notes", 10).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].sequence, letters[0].tries, letters[0].position), (2, MAX_TRIES, 2));
        assert_eq!(letters[0].cause, cause);
    }
}

/// Notes how far the cursor was when it acted upon each event.
#[derive(Clone)]
struct CursorReader(watch::Sender<Vec<Option<i64>>>);

impl Handler for CursorReader {
    async fn handle(&self, tx: &mut Tx, _: &Logged) -> Result<(), Failure> {
        let cursor =
            on!(tx, conn => sqlx::query_scalar("SELECT max(position) FROM store_cursors").fetch_one(conn).await)?;
        self.0.send_modify(|cursors| cursors.push(cursor));
        Ok(())
    }
}

#[tokio::test]
async fn events_that_wait_together_share_a_transaction() {
    let it = with_notes().await;
    publish(&it, 1..=5).await;
    let reader = CursorReader(watch::Sender::new(Vec::new()));
    let shutdown = CancellationToken::new();
    let consumer = Consumer::new("notes", it.bus.clone(), it.db.clone(), it.clock.clone(), EventMatcher::all());
    let running = spawn(consumer.run(reader.clone(), shutdown.clone()));
    let mut cursors = reader.0.subscribe();
    let seen = soon("all events", cursors.wait_for(|cursors| cursors.len() == 5)).await.unwrap().clone();
    assert_eq!(seen, [None; 5], "nothing was committed between them");
    shutdown.cancel();
    soon("the consumer's end", running).await.unwrap();
}

#[tokio::test]
async fn a_failure_that_is_not_the_events_fault_is_tried_until_it_works() {
    for trouble in [Trouble::Later, Trouble::DiskFull] {
        let it = with_notes().await;
        publish(&it, 1..=3).await;
        consume(&it, Notebook::new(Some((2, trouble, MAX_TRIES + 2))), EventMatcher::all(), 3).await;
        assert_eq!(notes(&it.db).await, [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_log_that_was_rebuilt_in_another_order_has_no_effect_twice() {
    let it = with_notes().await;
    let events: Vec<_> = (1..=3).map(|sequence| event("interaction/1", sequence)).collect();
    it.publish(&events).await;
    consume(&it, Notebook::new(None), EventMatcher::all(), 3).await;

    let rebuilt = with_another_log(it).await;
    let new = event("interaction/2", 9);
    let in_another_order = [new, events[2].clone(), events[0].clone(), events[1].clone(), event("interaction/2", 10)];
    rebuilt.publish(&in_another_order).await;
    consume(&rebuilt, Notebook::new(None), EventMatcher::all(), 5).await;
    assert_eq!(notes(&rebuilt.db).await, [1, 2, 3, 9, 10]);
    // The lost log's cursor is deleted.
    let mut reader = rebuilt.db.read().await.unwrap();
    let cursors: i64 =
        on!(reader, conn => sqlx::query_scalar("SELECT count(*) FROM store_cursors").fetch_one(conn).await).unwrap();
    assert_eq!(cursors, 1);
}
