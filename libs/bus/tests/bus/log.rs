//! The embedded log: positions, repeats, filters, following, retention.

use std::path::Path;
use std::time::Duration;

use baton_bus::{EventLog, EventMatcher, Logged, Tailed};
use baton_runtime::Clock;
use baton_runtime::ids::new_uuid;
use baton_runtime::lifecycle::spawn;
use baton_store::{Db, Migrations};
use futures::StreamExt;
use sqlx::migrate::Migrator;

use crate::support::{embedded_world, event, event_of, simulated_embedded_world, soon};

fn positions(events: &[Logged]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

#[tokio::test]
async fn positions_are_1_2_3_also_when_events_are_repeated() {
    let it = embedded_world().await;
    let events: Vec<_> = (1..=3).map(|sequence| event("interaction/1", sequence)).collect();
    it.log().append(&events[..2]).await.unwrap();
    it.log().append(&events).await.unwrap();
    it.log().append(&events).await.unwrap();
    let page = it.log().read(0, &EventMatcher::all(), 10).await.unwrap();
    assert_eq!(positions(&page.events), [1, 2, 3]);
    let read: Vec<_> = page.events.into_iter().map(|event| event.envelope).collect();
    assert_eq!(read, events);
}

#[tokio::test]
async fn many_events_some_of_them_repeated_are_numbered_in_their_order_without_holes() {
    let it = embedded_world().await;
    let events: Vec<_> = (1..=100).map(|sequence| event("interaction/1", sequence)).collect();
    it.log().append(&events[20..40]).await.unwrap();
    it.log().append(&events).await.unwrap();
    assert_eq!(it.log().last(&EventMatcher::all()), 100);
    let page = it.log().read(0, &EventMatcher::all(), 1_000).await.unwrap();
    assert_eq!(positions(&page.events), (1..=100).collect::<Vec<_>>());
    let read: Vec<_> = page.events.into_iter().map(|event| event.envelope).collect();
    assert_eq!(read, [&events[20..40], &events[..20], &events[40..]].concat());
}

#[tokio::test]
async fn a_log_that_is_opened_again_goes_on_where_it_was() {
    let it = embedded_world().await;
    let first = event("interaction/1", 1);
    it.log().append(std::slice::from_ref(&first)).await.unwrap();
    let again = EventLog::open(it.folder.path().join("events.db"), it.clock.clone()).await.unwrap();
    assert_eq!(again.last(&EventMatcher::all()), 1);
    again.append(&[first, event("interaction/1", 2)]).await.unwrap();
    assert_eq!(again.last(&EventMatcher::all()), 2);
}

#[tokio::test]
async fn an_event_is_not_shown_before_its_append_is_durable() {
    let it = embedded_world().await;
    it.log().append(&[event("interaction/1", 1)]).await.unwrap();
    // In the file, but this log has no word that it is on the disk: like another task's append for the length of a sync.
    let elsewhere = EventLog::open(it.folder.path().join("events.db"), it.clock.clone()).await.unwrap();
    elsewhere.append(&[event("interaction/1", 2)]).await.unwrap();
    let page = it.log().read(0, &EventMatcher::all(), 10).await.unwrap();
    assert_eq!((positions(&page.events), page.searched_to), (vec![1], 1));
}

#[tokio::test]
async fn a_failure_of_the_logs_disk_is_reported() {
    let it = embedded_world().await;
    it.log().append(&[event("interaction/1", 1)]).await.unwrap();
    let mut failed = Box::pin(it.log().failed());
    assert!(futures::poll!(&mut failed).is_pending());
    // A folder can't be synced as the file whose name it has.
    let journal = it.folder.path().join("events.db-wal");
    std::fs::remove_file(&journal).unwrap();
    std::fs::create_dir(&journal).unwrap();
    it.log().append(&[event("interaction/1", 2)]).await.unwrap_err();
    soon("the failure", failed).await;
    assert_eq!(it.log().last(&EventMatcher::all()), 1);
}

#[tokio::test]
async fn pages_end_to_end_are_the_whole_log() {
    let it = embedded_world().await;
    let events: Vec<_> = (1..=25).map(|sequence| event("interaction/1", sequence)).collect();
    it.log().append(&events).await.unwrap();
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let page = it.log().read(after, &EventMatcher::all(), 10).await.unwrap();
        if page.events.is_empty() {
            break;
        }
        after = page.searched_to;
        read.extend(positions(&page.events));
    }
    assert_eq!(read, (1..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_filter_shows_what_fits_and_nothing_else() {
    let it = embedded_world().await;
    let events = [
        event_of("acme", "transfer.completed", 1),
        event_of("globex", "transfer.completed", 1),
        event_of("acme", "transfer.failed", 1),
        event_of("acme", "interaction.mute_changed", 1),
        event_of("acme", "interaction.mutexchanged", 1),
    ];
    it.log().append(&events).await.unwrap();
    let cases = [
        (EventMatcher::all(), vec![1, 2, 3, 4, 5]),
        (EventMatcher::all().of_tenant("acme"), vec![1, 2, 3, 4]),
        (EventMatcher::types(["*.completed"]).unwrap(), vec![1, 2]),
        (EventMatcher::types(["transfer.*"]).unwrap().of_tenant("acme"), vec![1, 2]),
        (EventMatcher::types(["transfer.failed", "*.mute_changed"]).unwrap(), vec![3, 4]),
        (EventMatcher::all().about("globex/transfer.completed"), vec![2]),
        (EventMatcher::all().of_tenant("acme").about("globex/transfer.completed"), vec![]),
    ];
    for (filter, expected) in cases {
        let page = it.log().read(0, &filter, 10).await.unwrap();
        assert_eq!(positions(&page.events), expected, "{filter:?}");
        assert_eq!(page.searched_to, if filter.tenant.is_some() { 4 } else { 5 });
    }
}

#[tokio::test]
async fn each_tenant_counts_only_its_own_events_also_when_they_are_repeated_and_after_a_restart() {
    let it = embedded_world().await;
    let both = |sequence| [event_of("acme", "a.b", sequence), event_of("globex", "a.b", sequence)];
    let events: Vec<_> = (1..=40).flat_map(both).collect();
    it.log().append(&events[..10]).await.unwrap();
    it.log().append(&events).await.unwrap();
    let again = EventLog::open(it.folder.path().join("events.db"), it.clock.clone()).await.unwrap();
    again.append(&events).await.unwrap();
    again.append(&[event_of("acme", "a.b", 41)]).await.unwrap();
    for (tenant, last) in [("acme", 41), ("globex", 40), ("other", 0)] {
        let filter = EventMatcher::all().of_tenant(tenant);
        let page = again.read(0, &filter, 100).await.unwrap();
        assert_eq!(positions(&page.events), (1..=last).collect::<Vec<_>>());
        assert_eq!((page.searched_to, again.last(&filter)), (last, last));
    }
    assert_eq!(again.last(&EventMatcher::all()), 81);
}

#[tokio::test]
async fn a_log_of_an_older_version_gives_its_tenants_positions_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.db");
    let db = Db::open(&file).await.unwrap();
    db.migrate(&older_log().await).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.statement("INSERT INTO log_head (id, last, generation) VALUES (1, 3, zeroblob(16))").run().await.unwrap();
    for (seq, tenant) in [(1, "globex"), (2, "acme"), (3, "acme")] {
        tx.statement("INSERT INTO log_events VALUES ($1, $2, $3, 'a/1', $1, 'a.b', 'a', x'', '', '', 0, 0)")
            .bind(seq)
            .bind(new_uuid())
            .bind(tenant)
            .run()
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    drop(db);
    let log = EventLog::open(&file, Clock::real()).await.unwrap();
    log.append(&[event_of("acme", "a.b", 4)]).await.unwrap();
    let page = log.read(0, &EventMatcher::all().of_tenant("acme"), 10).await.unwrap();
    assert_eq!(positions(&page.events), [1, 2, 3]);
}

/// The migrations before tenants had positions.
async fn older_log() -> Migrations {
    let all = Migrator::new(Path::new("migrations/sqlite")).await.unwrap();
    let older = Migrator::with_migrations(all.iter().filter(|it| it.version < 2).cloned().collect());
    Migrations { sqlite: older, ..Migrations::NONE }
}

#[tokio::test]
async fn a_reader_begins_with_the_first_event_of_a_time() {
    let it = embedded_world().await;
    let events: Vec<_> = (1..=5).map(|sequence| event("interaction/1", sequence)).collect();
    it.log().append(&[event_of("globex", "a.b", 1)]).await.unwrap();
    it.log().append(&events).await.unwrap();
    let third = events[2].time_us;
    let before = [0, third, third + 1, i64::MAX].map(|time_us| it.log().before("acme", time_us));
    assert_eq!(futures::future::try_join_all(before).await.unwrap(), [0, 2, 3, 5]);
}

#[tokio::test]
async fn a_tail_without_events_gives_checkpoints_that_move_on() {
    let it = simulated_embedded_world().await;
    let filter = EventMatcher::types(["transfer.failed"]).unwrap().of_tenant("acme");
    let mut tail = std::pin::pin!(it.log().tail(0, filter, Duration::from_secs(15)));
    assert_eq!(soon("a checkpoint", tail.next()).await.unwrap().unwrap(), Tailed::Checkpoint(0));
    it.log().append(&[event_of("acme", "a.b", 1), event_of("acme", "a.b", 2)]).await.unwrap();
    let started_us = it.clock.now_us();
    assert_eq!(soon("a checkpoint", tail.next()).await.unwrap().unwrap(), Tailed::Checkpoint(2));
    assert_eq!(it.clock.now_us() - started_us, 15_000_000);
}

#[tokio::test]
async fn a_subscriber_gets_what_was_and_then_what_comes_from_any_position() {
    let it = embedded_world().await;
    it.log().append(&[event("interaction/1", 1), event("interaction/1", 2)]).await.unwrap();
    let mut events = std::pin::pin!(it.log().subscribe(1, EventMatcher::all()));
    assert_eq!(soon("the past", events.next()).await.unwrap().unwrap().position, 2);
    assert!(futures::poll!(events.next()).is_pending());
    it.log().append(&[event("interaction/1", 3)]).await.unwrap();
    assert_eq!(soon("the present", events.next()).await.unwrap().unwrap().position, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscriber_misses_nothing_while_many_append() {
    let it = embedded_world().await;
    let mut events = std::pin::pin!(it.log().subscribe(0, EventMatcher::types(["interaction.*"]).unwrap()));
    let appenders = (0..8).map(|appender| {
        let log = it.log().clone();
        spawn(async move {
            for sequence in 1..=25 {
                log.append(&[event(&format!("interaction/{appender}"), sequence)]).await.unwrap();
            }
        })
    });
    let appenders: Vec<_> = appenders.collect();
    for position in 1..=200 {
        let event = soon("the next event", events.next()).await.unwrap().unwrap();
        assert_eq!(event.position, position);
    }
    for appender in appenders {
        appender.await.unwrap();
    }
}

#[tokio::test]
async fn retention_deletes_the_old_and_positions_go_on() {
    let it = embedded_world().await;
    let of = |tenant, sequence| event_of(tenant, "a.b", sequence);
    it.log().append(&[of("acme", 1), of("globex", 1), of("acme", 2)]).await.unwrap();
    assert_eq!(it.log().prune(0).await.unwrap(), 0);
    assert_eq!(it.log().prune(i64::MAX).await.unwrap(), 3);
    let again = EventLog::open(it.folder.path().join("events.db"), it.clock.clone()).await.unwrap();
    assert_eq!(again.last(&EventMatcher::all().of_tenant("acme")), 2);
    again.append(&[of("acme", 3), of("globex", 2)]).await.unwrap();
    for (filter, expected) in [
        (EventMatcher::all(), [4, 5].as_slice()),
        (EventMatcher::all().of_tenant("acme"), &[3]),
        (EventMatcher::all().of_tenant("globex"), &[2]),
    ] {
        assert_eq!(positions(&again.read(0, &filter, 10).await.unwrap().events), expected);
    }
}

#[tokio::test]
async fn a_position_is_given_once_although_the_clock_was_put_back() {
    let it = embedded_world().await;
    it.log().append(&[event("interaction/1", 1), event("interaction/1", 2)]).await.unwrap();
    let file = it.folder.path().join("events.db");
    let mut tx = Db::open(&file).await.unwrap().begin().await.unwrap();
    tx.statement("UPDATE log_events SET appended_us = $1 WHERE seq = 1").bind(i64::MAX).run().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(it.log().prune(i64::MAX).await.unwrap(), 1);
    let again = EventLog::open(file, it.clock.clone()).await.unwrap();
    again.append(&[event("interaction/1", 3)]).await.unwrap();
    for filter in [EventMatcher::all(), EventMatcher::all().of_tenant("acme")] {
        assert_eq!(positions(&again.read(0, &filter, 10).await.unwrap().events), [1, 3]);
    }
}
