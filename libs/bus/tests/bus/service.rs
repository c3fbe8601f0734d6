//! `EventService`: pages and tails, of one's own tenant only (X1).

use baton_api::ApiError;
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::event_service_server::EventService;
use baton_api::event::v1::{
    AgentStateChanged, DirectoryChanged, EventData, EventFilter, InteractionOpened, ListEventsRequest,
    RecordingStarted, TailEventsRequest, directory_changed,
};
use baton_bus::{Envelope, EventApi};
use baton_runtime::Caller;
use baton_runtime::auth::Role;
use futures::StreamExt;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request};

use crate::support::{event, event_of, soon, world};

fn from<T>(tenant: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller::of_tenant(tenant.parse().unwrap(), "analyst-1", Role::Analyst);
    request.extensions_mut().insert(caller);
    request
}

#[tokio::test]
async fn a_page_has_the_event_as_it_was_published() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    let sent = event("interaction/1", 1);
    it.log.append(std::slice::from_ref(&sent)).await.unwrap();
    let page = api.list_events(from("acme", ListEventsRequest::default())).await.unwrap().into_inner();
    assert_eq!((page.events.len(), page.next_position), (1, 1));
    let event = page.events[0].event.clone().unwrap();
    assert_eq!(event.event_id, sent.id.to_string());
    assert_eq!((event.subject.as_str(), event.sequence), ("interaction/1", 1));
    assert_eq!(event.actor.unwrap().id, "a1");
    let time = event.time.unwrap();
    assert_eq!((time.seconds, time.nanos), (1, 500_001_000));
    assert!(matches!(event.data.unwrap().data, Some(Data::InteractionCustomerHeld(_))));
}

#[tokio::test]
async fn an_analyst_is_shown_nothing_personal() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    let customer = || "+32470123456".to_owned();
    let opened = Data::InteractionOpened(InteractionOpened { customer: customer(), ..Default::default() });
    let started = Data::RecordingStarted(RecordingStarted { customer: customer(), ..Default::default() });
    let away = Data::AgentStateChanged(AgentStateChanged { away_reason: customer(), ..Default::default() });
    for (sequence, data) in [(1, opened), (2, started), (3, away)] {
        let payload = EventData { data: Some(data) }.encode_to_vec();
        it.log.append(&[Envelope { payload, ..event("interaction/1", sequence) }]).await.unwrap();
    }
    for (role, shown) in [(Role::Analyst, 0), (Role::Supervisor, 3)] {
        let mut request = Request::new(ListEventsRequest::default());
        request.extensions_mut().insert(Caller::of_tenant("acme".parse().unwrap(), "x", role));
        let page = api.list_events(request).await.unwrap().into_inner();
        assert_eq!(format!("{page:?}").matches(&customer()).count(), shown, "{role:?}");
    }
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_goes_on_after_its_last_event() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    for sequence in 1..=14 {
        let agent_ids = (0..10_000).map(|n| format!("{n:036}")).collect();
        let team = Some(directory_changed::TeamContent { agent_ids, ..Default::default() });
        let data = Data::DirectoryChanged(DirectoryChanged { team, ..Default::default() });
        let payload = EventData { data: Some(data) }.encode_to_vec();
        it.log.append(&[Envelope { payload, ..event("team/1", sequence) }]).await.unwrap();
    }
    let (mut pages, mut seen, mut after_position) = (0, Vec::new(), 0);
    while after_position < 14 {
        let request = ListEventsRequest { after_position, ..ListEventsRequest::default() };
        let page = api.list_events(from("acme", request)).await.unwrap().into_inner();
        assert!(page.encoded_len() < 4 * 1024 * 1024, "{} bytes", page.encoded_len());
        seen.extend(page.events.iter().map(|it| it.position));
        after_position = page.next_position;
        pages += 1;
    }
    assert_eq!(seen, (1..=14).collect::<Vec<_>>());
    assert!((2..14).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn nobody_sees_another_tenants_events_x1() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    it.log.append(&[event_of("globex", "transfer.failed", 1), event_of("acme", "transfer.failed", 1)]).await.unwrap();
    let filter = Some(EventFilter { r#type: "transfer.*".into(), subject: "globex/transfer.failed".into() });
    let request = ListEventsRequest { filter, ..ListEventsRequest::default() };
    let page = api.list_events(from("acme", request)).await.unwrap().into_inner();
    assert_eq!(page.events.len(), 0);
    let tail = api.tail_events(from("acme", TailEventsRequest::default())).await.unwrap();
    let first = soon("an event", tail.into_inner().next()).await.unwrap().unwrap();
    assert_eq!(first.event.unwrap().event.unwrap().tenant, "acme");
    let nobody = api.list_events(Request::new(ListEventsRequest::default())).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_page_without_a_hit_says_how_far_was_searched() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    let events: Vec<_> = (1..=3).map(|sequence| event_of("acme", "transfer.failed", sequence)).collect();
    it.log.append(&events).await.unwrap();
    let page = async |r#type: &str, page_size| {
        let filter = Some(EventFilter { r#type: r#type.into(), subject: String::new() });
        let request = ListEventsRequest { after_position: 0, filter, page_size };
        let page = api.list_events(from("acme", request)).await.unwrap().into_inner();
        (page.events.len(), page.next_position)
    };
    assert_eq!(page("interaction.opened", 10).await, (0, 3));
    assert_eq!(page("transfer.failed", 2).await, (2, 2), "a full page goes on after its last event");
}

#[tokio::test]
async fn one_tenant_cannot_take_all_the_streams() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    let mut tails = Vec::new();
    let refused = loop {
        match api.tail_events(from("acme", TailEventsRequest::default())).await {
            Ok(tail) => tails.push(tail),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    api.tail_events(from("globex", TailEventsRequest::default())).await.unwrap();
    tails.pop();
    api.tail_events(from("acme", TailEventsRequest::default())).await.unwrap();
}

#[tokio::test]
async fn a_tail_from_now_starts_with_the_next_event_and_ends_with_the_service() {
    let it = world().await;
    let shutdown = CancellationToken::new();
    let api = EventApi::new(it.log.clone(), shutdown.clone());
    it.log.append(&[event("interaction/1", 1)]).await.unwrap();
    let request = TailEventsRequest { from_now: true, ..TailEventsRequest::default() };
    let mut tail = api.tail_events(from("acme", request)).await.unwrap().into_inner();
    it.log.append(&[event("interaction/1", 2)]).await.unwrap();
    let next = soon("the next event", tail.next()).await.unwrap().unwrap();
    assert_eq!(next.event.unwrap().position, 2);
    shutdown.cancel();
    assert!(soon("the end", tail.next()).await.is_none());
}

#[tokio::test]
async fn a_bad_filter_or_page_size_names_the_field() {
    let it = world().await;
    let api = EventApi::new(it.log.clone(), CancellationToken::new());
    let filter = Some(EventFilter { r#type: "Transfer %".into(), subject: String::new() });
    let bad_filter = ListEventsRequest { filter, ..ListEventsRequest::default() };
    let bad_size = ListEventsRequest { page_size: -1, ..ListEventsRequest::default() };
    for (request, field) in [(bad_filter, "filter.type"), (bad_size, "page_size")] {
        let refused = api.list_events(from("acme", request)).await.unwrap_err();
        assert_eq!(ApiError::from_status(&refused).unwrap().fields[0].0, field);
    }
}
