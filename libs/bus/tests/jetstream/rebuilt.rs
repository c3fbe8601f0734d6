//! A stream that is deleted and made anew, while everything runs: it gets all that the databases keep, and readers of the old one begin again.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use baton_api::event::v1::event_service_server::EventService;
use baton_api::event::v1::{ListEventsRequest, list_events_request::Start};
use baton_bus::{
    BusError, Consumer, Envelope, EventApi, EventMatcher, Failure, Handler, JetStreamBus, JetStreamError, Logged, Relay,
};
use baton_runtime::Caller;
use baton_runtime::auth::Role;
use baton_runtime::lifecycle::spawn;
use baton_store::Tx;
use baton_store::outbox::OutboxRow;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use crate::support::{ONE_SERVER, World, commit, delete_stream, event_of, nats_options, row, soon, world};

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<i64>>>);

impl Handler for Seen {
    async fn handle(&self, _: &mut Tx, event: &Logged) -> Result<(), Failure> {
        self.0.lock().push(event.envelope.sequence);
        Ok(())
    }
}

impl Seen {
    async fn wait_for(&self, count: usize) {
        soon("the events", async {
            while self.0.lock().len() < count {
                baton_runtime::Clock::real().sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

fn rows(from: i64, to: i64) -> Vec<OutboxRow> {
    (from..=to).map(|sequence| row("interaction/1", sequence)).collect()
}

async fn sequences(it: &World) -> Vec<i64> {
    let page = it.bus.read(0, &EventMatcher::all(), 1_000).await.unwrap();
    page.events.iter().map(|it| it.envelope.sequence).collect()
}

#[tokio::test]
async fn a_stream_that_is_made_anew_under_a_running_service_is_the_same_again() {
    let it = world().await;
    let options = nats_options(&it.folder).unwrap();
    let shutdown = CancellationToken::new();
    let relay = Relay::new("service", it.db.clone(), it.bus.clone(), it.clock.clone());
    // In the old stream only: positions mean something else in the new one.
    let other = |sequence| Envelope { area: "other".into(), ..event_of("acme", "other.event", sequence) };
    it.publish(&(1..=5).map(other).collect::<Vec<_>>()).await;
    let filter = EventMatcher::types(["interaction.*"]).unwrap();
    let consumer = Consumer::new("notes", it.bus.clone(), it.db.clone(), it.clock.clone(), filter);
    let seen = Seen::default();
    let running = [spawn(relay.run(shutdown.clone())), spawn(consumer.run(seen.clone(), shutdown.clone()))];
    commit(&it.db, &rows(1, 3)).await;
    seen.wait_for(3).await;
    let old = it.bus.generation().await.unwrap();
    let mut tail = it.bus.tail(old, 8, EventMatcher::all(), Duration::from_secs(3_600));

    delete_stream(&options).await;
    commit(&it.db, &rows(4, 5)).await;
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    commit(&it.db, &rows(6, 6)).await;
    seen.wait_for(6).await;
    assert_eq!(*seen.0.lock(), [1, 2, 3, 4, 5, 6], "each has its effect once, and in order");
    assert_eq!(sequences(&it).await, [1, 2, 3, 4, 5, 6]);
    assert_ne!(it.bus.generation().await.unwrap(), old);
    let broken = soon("the end of the old stream", tail.next()).await.unwrap().unwrap_err();
    assert!(matches!(broken, BusError::JetStream(JetStreamError::Rebuilt)), "{broken:?}");
    shutdown.cancel();
    for running in running {
        soon("the end", running).await.unwrap();
    }
}

#[tokio::test]
async fn a_cursor_of_the_old_stream_is_refused() {
    let it = world().await;
    let options = nats_options(&it.folder).unwrap();
    it.publish(&rows(1, 3).into_iter().map(Into::into).collect::<Vec<_>>()).await;
    let api = EventApi::new(it.bus.clone());
    let list = async |start| {
        let mut request = Request::new(ListEventsRequest { start, ..Default::default() });
        request.extensions_mut().insert(Caller::of_tenant("acme".parse().unwrap(), "x", Role::Supervisor));
        api.list_events(request).await
    };
    let cursor = list(None).await.unwrap().into_inner().cursor;
    assert!(list(Some(Start::Cursor(cursor.clone()))).await.is_ok());
    delete_stream(&options).await;
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    let refused = list(Some(Start::Cursor(cursor))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_copy_of_the_configuration_is_another_stream() {
    let it = world().await;
    let options = nats_options(&it.folder).unwrap();
    let context = jetstream::new(async_nats::connect(&options.urls).await.unwrap());
    let name = format!("BATON_EVT_{}", options.namespace);
    let config = context.get_stream(&name).await.unwrap().cached_info().config.clone();
    let old = it.bus.generation().await.unwrap();
    context.delete_stream(&name).await.unwrap();
    context.create_stream(config).await.unwrap();
    assert_ne!(it.bus.generation().await.unwrap(), old);
}
