//! A tenant reads its own events in a stream that all share, and learns nothing of what the others do (X1).

use std::time::Duration;

use baton_api::event::v1::event_service_server::EventService;
use baton_api::event::v1::{ListEventsRequest, TailEventsRequest, list_events_request, tail_events_request};
use baton_bus::{EventApi, EventMatcher, Logged, Tailed};
use baton_runtime::Caller;
use baton_runtime::auth::Role;
use futures::StreamExt;
use tonic::Request;

use crate::support::{World, event_of, simulated_world, soon, world};

fn of(tenant: &str) -> EventMatcher {
    EventMatcher::all().of_tenant(tenant)
}

fn positions(events: &[Logged]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

/// Positions 1 and 4 are of acme, 2, 3, 5 and 6 of globex.
async fn two_tenants() -> World {
    let it = world().await;
    let tenants = ["acme", "globex", "globex", "acme", "globex", "globex"];
    let events: Vec<_> = (1..).zip(tenants).map(|(sequence, tenant)| event_of(tenant, "a.b", sequence)).collect();
    it.publish(&events).await;
    it
}

#[tokio::test]
async fn positions_of_a_tenant_move_by_its_own_events_only() {
    let it = two_tenants().await;
    for (filter, limit, expected, searched_to) in [
        (of("acme"), 10, vec![1, 4], 4),
        (of("acme"), 2, vec![1, 4], 4),
        (of("acme"), 1, vec![1], 1),
        (of("globex"), 3, vec![2, 3, 5], 5),
        (of("other"), 10, vec![], 0),
        (of("acme").about("acme/a.b"), 10, vec![1, 4], 4),
        // Their partition has none of its events.
        (of("acme").about("globex/a.b"), 10, vec![], 0),
        (EventMatcher::types(["c.*"]).unwrap(), 10, vec![], 6),
        (EventMatcher::all(), 10, vec![1, 2, 3, 4, 5, 6], 6),
    ] {
        let page = it.bus.read(0, &filter, limit).await.unwrap();
        assert_eq!((positions(&page.events), page.searched_to), (expected, searched_to), "{filter:?}");
    }
    for (filter, last) in [(of("acme"), 4), (of("globex"), 6), (of("other"), 0), (EventMatcher::all(), 6)] {
        assert_eq!(it.bus.last(&filter).await.unwrap(), last);
    }
    let beyond = it.bus.read(9, &of("acme"), 10).await.unwrap();
    assert_eq!((beyond.events.len(), beyond.searched_to), (0, 9));
}

#[tokio::test]
async fn a_filter_shows_what_fits_and_nothing_else_over_many_messages() {
    let it = world().await;
    let types = ["transfer.completed", "transfer.failed", "interaction.mute_changed", "interaction.mutexchanged"];
    let events: Vec<_> = (1..=900).map(|n| event_of("acme", types[n % 4], n as i64)).collect();
    it.publish(&events).await;
    for (filter, expected) in [
        (EventMatcher::types(["*.completed"]).unwrap(), 225),
        (EventMatcher::types(["transfer.*"]).unwrap().of_tenant("acme"), 450),
        (EventMatcher::types(["transfer.failed", "*.mute_changed"]).unwrap(), 450),
        (EventMatcher::all().about("acme/transfer.failed"), 225),
    ] {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = it.bus.read(after, &filter, 100).await.unwrap();
            if page.events.is_empty() {
                assert!(page.searched_to == 900 || filter.aggregate.is_some());
                break;
            }
            after = page.searched_to;
            found.extend(positions(&page.events));
        }
        assert!(found.is_sorted() && found.len() == expected, "{} of {expected}: {filter:?}", found.len());
    }
}

#[tokio::test]
async fn a_reader_begins_with_the_first_event_of_a_time() {
    let it = two_tenants().await;
    // Events happen a microsecond apart: acme's are the first and the fourth.
    let fourth_us = event_of("acme", "a.b", 4).time_us;
    for (time_us, before) in [(0, 0), (fourth_us - 2, 3), (fourth_us, 3), (fourth_us + 1, 4), (i64::MAX, 4)] {
        assert_eq!(it.bus.before("acme", time_us).await.unwrap(), before, "{time_us}");
    }
    assert_eq!(it.bus.before("other", 0).await.unwrap(), 0);
    let many: Vec<_> = (7..=700).map(|sequence| event_of("globex", "a.b", sequence)).collect();
    it.publish(&many).await;
    let late_us = event_of("globex", "a.b", 650).time_us;
    assert_eq!(it.bus.before("globex", late_us).await.unwrap(), 649);
}

#[tokio::test]
async fn checkpoints_of_a_tenant_stay_while_others_publish() {
    let it = simulated_world().await;
    let generation = it.bus.generation().await.unwrap();
    let mut tail = it.bus.tail(generation, 0, of("acme"), Duration::from_secs(15));
    it.publish(&[event_of("acme", "a.b", 1)]).await;
    assert!(matches!(soon("the event", tail.next()).await.unwrap().unwrap(), Tailed::Event(it) if it.position == 1));
    let theirs: Vec<_> = (1..=50).map(|sequence| event_of("globex", "a.b", sequence)).collect();
    it.publish(&theirs).await;
    for _ in 0..3 {
        assert_eq!(soon("a checkpoint", tail.next()).await.unwrap().unwrap(), Tailed::Checkpoint(1));
    }
}

fn from<T>(tenant: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller::of_tenant(tenant.parse().unwrap(), "x", Role::Supervisor));
    request
}

#[tokio::test]
async fn a_tenants_cursors_are_the_same_whatever_another_tenant_publishes() {
    let it = two_tenants().await;
    let api = EventApi::new(it.bus.clone());
    let cursor =
        async |tenant| api.list_events(from(tenant, ListEventsRequest::default())).await.unwrap().into_inner().cursor;
    let (own, foreign) = (cursor("acme").await, cursor("globex").await);
    assert!(!own.starts_with("000000"), "it is the position as it is: {own}");
    let theirs: Vec<_> = (7..=500).map(|sequence| event_of("globex", "a.b", sequence)).collect();
    it.publish(&theirs).await;
    assert_eq!(cursor("acme").await, own);
    it.publish(&[event_of("acme", "a.b", 5)]).await;
    let start = |cursor: &str| Some(list_events_request::Start::Cursor(cursor.to_owned()));
    let page = async |cursor: &str| {
        let request = ListEventsRequest { start: start(cursor), ..Default::default() };
        api.list_events(from("acme", request)).await
    };
    let next = page(&own).await.unwrap().into_inner();
    assert_eq!(next.events.iter().map(|it| it.event.as_ref().unwrap().sequence).collect::<Vec<_>>(), [5]);
    assert_eq!(page(&foreign).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    let now = TailEventsRequest { start: Some(tail_events_request::Start::Cursor(own)), filter: None };
    let mut tail = api.tail_events(from("acme", now)).await.unwrap().into_inner();
    assert_eq!(soon("the event", tail.next()).await.unwrap().unwrap().cursor, next.cursor);
}
