//! `baton.event.v1.EventService`: reading published events, a page at a time or as they happen.
//!
//! The tenant comes from the caller's token only, so no filter can reach another tenant's events.

use std::sync::Arc;

use baton_api::event::v1::event_service_server::{EventService, EventServiceServer};
use baton_api::event::v1::{
    Event, EventData, EventFilter, ListEventsRequest, ListEventsResponse, LoggedEvent, TailEventsRequest,
    TailEventsResponse, event_data::Data,
};
use baton_api::{ApiError, page};
use baton_runtime::CallerExt;
use baton_runtime::auth::Role;
use baton_runtime::quota::{Quota, QuotaExceeded};
use futures::StreamExt;
use futures::stream::BoxStream;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{Bus, BusError, EventMatcher, Logged, MAX_PAGE, parse_actor};

const DEFAULT_PAGE: usize = 100;
/// A page of large events ends at this size: well below the 4 MiB that clients accept, with the largest event on top of it.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Streams open at once, of all tenants and of one: each holds a reader's buffer.
const MAX_TAILS: usize = 1_000;
const MAX_TAILS_OF_TENANT: usize = 250;

#[derive(Debug, Clone)]
pub struct EventApi {
    bus: Bus,
    tails: Arc<Quota>,
    shutdown: CancellationToken,
}

impl EventApi {
    /// Streams end when `shutdown` is cancelled.
    pub fn new(bus: impl Into<Bus>, shutdown: CancellationToken) -> Self {
        Self { bus: bus.into(), tails: Arc::new(Quota::new(MAX_TAILS, MAX_TAILS_OF_TENANT)), shutdown }
    }

    /// For the public listener.
    pub fn into_server(self) -> EventServiceServer<Self> {
        EventServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl EventService for EventApi {
    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let filter = filter_of(&request, request.get_ref().filter.as_ref())?;
        let asked = request.get_ref();
        let limit = page::size_within(asked.page_size, DEFAULT_PAGE, MAX_PAGE)?;
        let page = self.bus.read(asked.after_position, &filter, limit).await.map_err(refuse)?;
        let sees = sees_personal(&request)?;
        let events = page.events.into_iter().map(|logged| logged_event(logged, sees));
        let (events, cut_at) = as_many_as_fit(events)?;
        // So that a search for a rare event does not search the same days again each time.
        let next_position = cut_at.unwrap_or(page.searched_to);
        Ok(Response::new(ListEventsResponse { events, next_position }))
    }

    type TailEventsStream = BoxStream<'static, Result<TailEventsResponse, Status>>;

    async fn tail_events(
        &self,
        request: Request<TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let filter = filter_of(&request, request.get_ref().filter.as_ref())?;
        let permit = self.tails.take(request.caller()?.tenant()?.as_str()).map_err(too_many)?;
        let sees = sees_personal(&request)?;
        let asked = request.into_inner();
        let after = if asked.from_now { self.bus.last() } else { asked.after_position };
        let events = self.bus.subscribe(after, filter).map(move |event| {
            // The permit lives as long as the stream.
            let _ = &permit;
            let event = logged_event(event.map_err(refuse)?, sees)?;
            Ok(TailEventsResponse { event: Some(event) })
        });
        let ends = self.shutdown.clone().cancelled_owned();
        Ok(Response::new(events.take_until(ends).boxed()))
    }
}

/// The events that fit into one message, at least one, and the position of the last of them if they are not all.
fn as_many_as_fit(
    found: impl Iterator<Item = Result<LoggedEvent, Status>>,
) -> Result<(Vec<LoggedEvent>, Option<u64>), Status> {
    let mut events: Vec<LoggedEvent> = Vec::new();
    let mut bytes = 0;
    for event in found {
        let event = event?;
        bytes += event.encoded_len();
        if let Some(last) = events.last()
            && bytes > MAX_PAGE_BYTES
        {
            let cut_at = last.position;
            return Ok((events, Some(cut_at)));
        }
        events.push(event);
    }
    Ok((events, None))
}

fn filter_of<T>(request: &Request<T>, asked: Option<&EventFilter>) -> Result<EventMatcher, Status> {
    let tenant = request.caller()?.tenant()?;
    let (pattern, subject) = asked.map_or(("", ""), |asked| (&asked.r#type, &asked.subject));
    let types = (!pattern.is_empty()).then_some(pattern);
    let mut filter = EventMatcher::types(types)
        .map_err(|error| ApiError::invalid_argument("filter.type", error.to_string()))?
        .of_tenant(tenant.as_str());
    if !subject.is_empty() {
        filter = filter.about(subject);
    }
    Ok(filter)
}

fn too_many(error: QuotaExceeded) -> ApiError {
    ApiError::resource_exhausted(format!("No more event streams: {error}. Close one first."))
}

fn refuse(error: BusError) -> Status {
    ApiError::from(error).into()
}

/// An analyst counts calls, and need not know who called.
fn sees_personal<T>(request: &Request<T>) -> Result<bool, Status> {
    Ok(request.caller()?.role != Role::Analyst)
}

/// Clears the fields that the contract calls personal.
fn conceal(data: &mut EventData) {
    match &mut data.data {
        Some(Data::InteractionOpened(opened)) => opened.customer.clear(),
        Some(Data::RecordingStarted(started)) => started.customer.clear(),
        Some(Data::AgentStateChanged(changed)) => changed.away_reason.clear(),
        _ => {}
    }
}

fn logged_event(logged: Logged, sees_personal: bool) -> Result<LoggedEvent, Status> {
    let envelope = logged.envelope;
    let mut data = EventData::decode(envelope.payload.as_slice()).map_err(|error| {
        tracing::error!(event.id = %envelope.id, error = %error, "an event's payload can't be read");
        ApiError::internal(format!("Event {} can't be read; the service's log says why.", envelope.id))
    })?;
    if !sees_personal {
        conceal(&mut data);
    }
    let event = Event {
        event_id: envelope.id.to_string(),
        r#type: envelope.event_type,
        tenant: envelope.tenant,
        subject: envelope.aggregate,
        sequence: envelope.sequence,
        time: Some(timestamp(envelope.time_us)),
        actor: Some(parse_actor(&envelope.actor)),
        traceparent: envelope.traceparent,
        data: Some(data),
    };
    Ok(LoggedEvent { position: logged.position, event: Some(event) })
}

fn timestamp(time_us: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time_us.div_euclid(1_000_000),
        nanos: (time_us.rem_euclid(1_000_000) * 1_000) as i32,
    }
}
