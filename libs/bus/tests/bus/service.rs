//! `EventService`: pages and tails, of one's own tenant only (X1).

use baton_api::common::v1::Customer;
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::event_service_server::EventService;
use baton_api::event::v1::{
    AgentStateChanged, DirectoryChanged, EventData, EventFilter, InteractionOpened, ListEventsRequest,
    RecordingStarted, TailEventsRequest, directory_changed, list_events_request::Start, tail_events_request,
};
use baton_api::{ApiError, ErrorKind};
use baton_bus::{Bus, Envelope, EventApi};
use baton_runtime::Caller;
use baton_runtime::auth::Role;
use baton_runtime::lifecycle::spawn;
use futures::StreamExt;
use prost::Message;
use tonic::{Code, Request, Response};

use crate::support::{World, event, event_of, publish, simulated_world, soon, world};

fn from<T>(tenant: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller::of_tenant(tenant.parse().unwrap(), "analyst-1", Role::Analyst);
    request.extensions_mut().insert(caller);
    request
}

#[tokio::test]
async fn a_page_has_the_event_as_it_was_published() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    let sent = event("interaction/1", 1);
    it.publish(std::slice::from_ref(&sent)).await;
    let page = api.list_events(from("acme", ListEventsRequest::default())).await.unwrap().into_inner();
    assert_eq!((page.events.len(), page.next_page_token.as_str()), (1, ""));
    assert_eq!(page.events[0].cursor, page.cursor);
    let event = page.events[0].event.clone().unwrap();
    assert_eq!(event.event_id, sent.id.to_string());
    assert_eq!((event.subject.as_str(), event.sequence), ("interaction/1", 1));
    assert_eq!(
        (event.r#type.as_str(), event.source.as_str()),
        ("dev.baton.interaction.customer_held.v1", "//baton/service")
    );
    assert_eq!((event.spec_version.as_str(), event.data_schema.as_str()), ("1.0", "proto:baton.event.v1.EventData"));
    assert_eq!(event.actor.unwrap().id, "", "who did it is personal, and an analyst reads");
    let time = event.time.unwrap();
    assert_eq!((time.seconds, time.nanos), (1, 500_001_000));
    assert!(matches!(event.data.unwrap().data, Some(Data::InteractionCustomerHeld(_))));
}

#[tokio::test]
async fn an_analyst_is_shown_nothing_personal() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    let number = || "+32470123456".to_owned();
    let customer = || Some(Customer { address: number(), key: String::new() });
    let opened = Data::InteractionOpened(InteractionOpened { customer: customer(), ..Default::default() });
    let started = Data::RecordingStarted(RecordingStarted { customer: customer(), ..Default::default() });
    let away = Data::AgentStateChanged(AgentStateChanged { away_reason: number(), ..Default::default() });
    for (sequence, data) in [(1, opened), (2, started), (3, away)] {
        let payload = EventData { data: Some(data), ..EventData::default() }.encode_to_vec();
        it.publish(&[Envelope { payload, ..event("interaction/1", sequence) }]).await;
    }
    for (role, shown) in [(Role::Analyst, 0), (Role::Supervisor, 3)] {
        let mut request = Request::new(ListEventsRequest::default());
        request.extensions_mut().insert(Caller::of_tenant("acme".parse().unwrap(), "x", role));
        let page = api.list_events(request).await.unwrap().into_inner();
        assert_eq!(format!("{page:?}").matches(&number()).count(), shown, "{role:?}");
    }
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_goes_on_after_its_last_event() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    for sequence in 1..=14 {
        let agent_ids = (0..10_000).map(|n| format!("{n:036}")).collect();
        let team = Some(directory_changed::TeamContent { agent_ids, ..Default::default() });
        let data = Data::DirectoryChanged(DirectoryChanged { team, ..Default::default() });
        let payload = EventData { data: Some(data), ..EventData::default() }.encode_to_vec();
        it.publish(&[Envelope { payload, ..event("team/1", sequence) }]).await;
    }
    let (mut pages, mut seen, mut page_token) = (0, Vec::new(), String::new());
    loop {
        let request = ListEventsRequest { page_token, ..ListEventsRequest::default() };
        let page = api.list_events(from("acme", request)).await.unwrap().into_inner();
        assert!(page.encoded_len() < 4 * 1024 * 1024, "{} bytes", page.encoded_len());
        seen.extend(page.events.iter().map(|it| it.event.as_ref().map_or(0, |event| event.sequence)));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, (1..=14).collect::<Vec<_>>());
    assert!((2..14).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn nobody_sees_another_tenants_events_x1() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    it.publish(&[event_of("globex", "transfer.failed", 1), event_of("acme", "transfer.failed", 1)]).await;
    let filter = Some(EventFilter { r#type: "transfer.*".into(), subject: "tenant/globex".into() });
    let request = ListEventsRequest { filter, ..ListEventsRequest::default() };
    let page = api.list_events(from("acme", request)).await.unwrap().into_inner();
    assert_eq!(page.events.len(), 0);
    let tail = api.tail_events(from("acme", TailEventsRequest::default())).await.unwrap();
    let first = soon("an event", tail.into_inner().next()).await.unwrap().unwrap();
    assert_eq!(first.event.unwrap().tenant, "acme");
    let nobody = api.list_events(Request::new(ListEventsRequest::default())).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_page_without_a_hit_says_how_far_was_searched() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    let events: Vec<_> = (1..=3).map(|sequence| event_of("acme", "transfer.failed", sequence)).collect();
    it.publish(&events).await;
    let page = async |r#type: &str, page_size| {
        let filter = Some(EventFilter { r#type: r#type.into(), subject: String::new() });
        let request = ListEventsRequest { filter, page_size, ..Default::default() };
        api.list_events(from("acme", request)).await.unwrap().into_inner()
    };
    let (none, all, two) =
        (page("interaction.opened", 10).await, page("transfer.failed", 3).await, page("transfer.failed", 2).await);
    assert_eq!((none.events.len(), &none.next_page_token, &none.cursor), (0, &String::new(), &all.cursor));
    assert_eq!((all.events.len(), &all.next_page_token, &all.cursor), (3, &String::new(), &all.events[2].cursor));
    assert_eq!((two.events.len(), &two.next_page_token, &two.cursor), (2, &two.cursor, &all.events[1].cursor));
}

/// What a tenant can see of its log: pages from every start, and refusals.
async fn view(it: &World, cursor: &str, foreign: &str) -> String {
    let api = EventApi::new(it.bus.clone());
    let list = async |start, page_token: &str| {
        let page_token = page_token.to_owned();
        let request = ListEventsRequest { start, page_size: 3, page_token, ..Default::default() };
        let answer = api.list_events(from("acme", request)).await.map(Response::into_inner);
        answer.map_err(|status| (status.code(), status.message().to_owned()))
    };
    let now = TailEventsRequest { start: Some(tail_events_request::Start::Now(true)), filter: None };
    let mut tail = api.tail_events(from("acme", now)).await.unwrap().into_inner();
    let time = prost_types::Timestamp { seconds: 1, nanos: 500_003_000 };
    let listed = [
        list(None, "").await,
        list(Some(Start::Cursor(cursor.to_owned())), "").await,
        list(Some(Start::FromTime(time)), "").await,
        list(None, cursor).await,
        list(Some(Start::Cursor(foreign.to_owned())), "").await,
        list(None, "592").await,
    ];
    let checkpoint = soon("a checkpoint", tail.next()).await.unwrap().unwrap();
    format!("{listed:#?} {checkpoint:#?}")
}

#[tokio::test]
async fn a_tenants_cursors_counts_and_errors_are_the_same_whatever_another_tenant_publishes_x1() {
    let quiet = simulated_world().await;
    if !matches!(quiet.bus, Bus::Embedded(_)) {
        return; // Positions of a stream are sealed instead: see `jetstream::positions`.
    }
    quiet.publish(&[event("interaction/1", 1), event_of("globex", "transfer.failed", 1)]).await;
    let api = EventApi::new(quiet.bus.clone());
    let cursor =
        async |tenant| api.list_events(from(tenant, ListEventsRequest::default())).await.unwrap().into_inner().cursor;
    let (own, foreign) = (cursor("acme").await, cursor("globex").await);
    let busy = quiet.copied().await;
    let theirs: Vec<_> = (2..=10_001).map(|sequence| event_of("globex", "transfer.failed", sequence)).collect();
    busy.publish(&theirs).await;
    let later: Vec<_> = (2..=6).map(|sequence| event("interaction/1", sequence)).collect();
    quiet.publish(&later).await;
    for (event, some) in later.iter().zip(theirs.chunks(500)) {
        busy.publish(std::slice::from_ref(event)).await;
        busy.publish(some).await;
    }
    assert_eq!(view(&quiet, &own, &foreign).await, view(&busy, &own, &foreign).await);
}

#[tokio::test]
async fn a_tail_that_is_resumed_over_a_hundred_reconnects_loses_and_repeats_nothing() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    let bus = it.bus.clone();
    let publishing = spawn(async move {
        for sequence in 1..=400 {
            publish(&bus, &[event("interaction/1", sequence), event_of("globex", "a.b", sequence)]).await;
        }
    });
    let (mut seen, mut start) = (Vec::new(), None);
    for connection in 0.. {
        let request = TailEventsRequest { start: start.take(), filter: None };
        let mut tail = api.tail_events(from("acme", request)).await.unwrap().into_inner();
        // The connections break after 1 to 7 messages.
        for _ in 0..=connection % 7 {
            let next = soon("the next event", tail.next()).await.unwrap().unwrap();
            start = Some(tail_events_request::Start::Cursor(next.cursor));
            // A checkpoint here would be fifteen seconds of silence: events are missing.
            seen.push(next.event.expect("an event is missing").sequence);
            if seen.len() == 400 {
                break;
            }
        }
        if seen.len() == 400 {
            assert!(connection >= 99, "only {connection} reconnects");
            break;
        }
    }
    publishing.await.unwrap();
    assert_eq!(seen, (1..=400).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_tenant_cannot_take_all_the_streams() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
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
async fn a_tail_from_now_starts_with_the_next_event() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    it.publish(&[event("interaction/1", 1)]).await;
    let request = TailEventsRequest { start: Some(tail_events_request::Start::Now(true)), filter: None };
    let mut tail = api.tail_events(from("acme", request)).await.unwrap().into_inner();
    it.publish(&[event("interaction/1", 2)]).await;
    let next = soon("the next event", tail.next()).await.unwrap().unwrap();
    assert_eq!(next.event.unwrap().sequence, 2);
}

#[tokio::test]
async fn h10_a_subject_is_found_however_its_id_is_written() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    let known = ["interaction/01980000-0000-7000-8000-0000000000a1", "policy", "number/unknown", "number/+3225550100"];
    for subject in known {
        it.publish(&[event(subject, 1)]).await;
    }
    for asked in known.into_iter().chain(["interaction/01980000-0000-7000-8000-0000000000A1"]) {
        let filter = Some(EventFilter { r#type: String::new(), subject: asked.to_owned() });
        let request = ListEventsRequest { filter, ..ListEventsRequest::default() };
        let page = api.list_events(from("acme", request)).await.unwrap().into_inner();
        assert_eq!(page.events.len(), 1, "{asked}");
    }
}

#[tokio::test]
async fn a_bad_filter_or_page_size_names_the_field() {
    let it = world().await;
    let api = EventApi::new(it.bus.clone());
    let filter = Some(EventFilter { r#type: "Transfer %".into(), subject: String::new() });
    let bad_filter = ListEventsRequest { filter, ..ListEventsRequest::default() };
    let about = |subject: String| EventFilter { r#type: String::new(), subject };
    let bad_subjects = [
        ("interaction".to_owned(), "interaction/ID"),
        ("Interaction/01980000-0000-7000-8000-0000000000a1".to_owned(), "`interaction/…`"),
        ("intercation/01980000-0000-7000-8000-0000000000a1".to_owned(), "`interaction/…`"),
        ("interaction/*".to_owned(), "UUID"),
        ("interaction/0192".to_owned(), "UUID"),
        ("agent/Ada".to_owned(), "UUID"),
        ("number/3225550100".to_owned(), "+"),
        ("policy/1".to_owned(), "`policy`"),
        ("bogus/1".to_owned(), "call_flow"),
        ("x".repeat(10_000), "call_flow"),
    ];
    for (subject, hint) in bad_subjects {
        let list = ListEventsRequest { filter: Some(about(subject.clone())), ..ListEventsRequest::default() };
        let tail = TailEventsRequest { filter: Some(about(subject)), ..TailEventsRequest::default() };
        let listed = api.list_events(from("acme", list)).await.unwrap_err();
        let tailed = api.tail_events(from("acme", tail)).await.err().unwrap();
        for refused in [listed, tailed] {
            let refused = ApiError::from_status(&refused).unwrap();
            assert_eq!((refused.kind, refused.fields[0].0.as_str()), (ErrorKind::InvalidArgument, "filter.subject"));
            assert!(refused.message.contains(hint) && refused.message.len() < 300, "{hint}: {}", refused.message);
        }
    }
    let bad_size = ListEventsRequest { page_size: -1, ..ListEventsRequest::default() };
    for (request, field) in [(bad_filter, "filter.type"), (bad_size, "page_size")] {
        let refused = api.list_events(from("acme", request)).await.unwrap_err();
        assert_eq!(ApiError::from_status(&refused).unwrap().fields[0].0, field);
    }
}
