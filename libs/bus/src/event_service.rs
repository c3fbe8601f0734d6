//! `baton.event.v1.EventService`: reading published events, a page at a time or as they happen.
//!
//! The tenant comes from the caller's token only, so no filter can reach another tenant's events.

use std::sync::Arc;
use std::time::Duration;

use baton_api::event::v1::event_service_server::{EventService, EventServiceServer};
use baton_api::event::v1::{
    Event, EventData, EventFilter, ListEventsRequest, ListEventsResponse, LoggedEvent, TailEventsRequest,
    TailEventsResponse, list_events_request, tail_events_request,
};
use baton_api::{ApiError, data_class, event_subject, event_type, page};
use baton_runtime::auth::Role;
use baton_runtime::quota::{Quota, QuotaExceeded};
use baton_runtime::stream;
use baton_runtime::{Caller, CallerExt};
use futures::StreamExt;
use futures::stream::BoxStream;
use prost::Message;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::cursor::Cursors;
use crate::{Bus, BusError, DATA_SCHEMA, Envelope, EventMatcher, Logged, Page, SPEC_VERSION, Tailed, parse_actor};

/// A page of large events ends at this size: well below the 4 MiB that clients accept, with the largest event on top of it.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;
/// A tail is never silent for longer, less the time that a message may take: the contract says 20 s.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(15);
/// Streams open at once, of all tenants and of one: each holds a reader's buffer.
const MAX_TAILS: usize = 1_000;
const MAX_TAILS_OF_TENANT: usize = 250;

#[derive(Debug, Clone)]
pub struct EventApi {
    bus: Bus,
    tails: Arc<Quota>,
}

impl EventApi {
    pub fn new(bus: impl Into<Bus>) -> Self {
        Self { bus: bus.into(), tails: Arc::new(Quota::new(MAX_TAILS, MAX_TAILS_OF_TENANT)) }
    }

    /// For the public listener, which ends streams with UNAVAILABLE when the server stops.
    pub fn into_server(self) -> EventServiceServer<Self> {
        EventServiceServer::new(self)
    }

    /// The position after which a reader begins.
    async fn start(&self, reader: &EventReader, start: Start) -> Result<u64, Status> {
        Ok(match start {
            Start::Oldest => 0,
            Start::Cursor(field, cursor) => reader.cursors.read(&cursor).ok_or_else(|| {
                let why = "is not one that this tenant got from this log; begin with from_time instead";
                ApiError::invalid_argument(field, why)
            })?,
            Start::Time(time) => self.bus.before(&reader.tenant, time_us(&time)?).await.map_err(refuse)?,
            Start::Now => self.bus.last(&reader.filter).await.map_err(refuse)?,
        })
    }

    async fn reader(&self, caller: &Caller, filter: Option<&EventFilter>) -> Result<EventReader, Status> {
        let tenant = caller.tenant()?.as_str().to_owned();
        let filter = filter_of(caller, filter)?;
        let generation = self.bus.generation().await.map_err(refuse)?;
        Ok(EventReader {
            filter,
            cursors: self.bus.cursors(generation, &tenant),
            generation,
            sees_personal: sees_personal(caller),
            tenant,
        })
    }
}

/// Who reads, and what.
struct EventReader {
    tenant: String,
    filter: EventMatcher,
    generation: Uuid,
    cursors: Cursors,
    sees_personal: bool,
}

/// Where a reader wants to begin; a cursor with the field that it came in.
enum Start {
    Oldest,
    Cursor(&'static str, String),
    Time(prost_types::Timestamp),
    Now,
}

impl From<ListEventsRequest> for Start {
    fn from(asked: ListEventsRequest) -> Self {
        use list_events_request::Start as Asked;
        if !asked.page_token.is_empty() {
            return Self::Cursor("page_token", asked.page_token);
        }
        match asked.start {
            Some(Asked::Cursor(cursor)) => Self::Cursor("cursor", cursor),
            Some(Asked::FromTime(time)) => Self::Time(time),
            None => Self::Oldest,
        }
    }
}

impl From<TailEventsRequest> for Start {
    fn from(asked: TailEventsRequest) -> Self {
        use tail_events_request::Start as Asked;
        match asked.start {
            Some(Asked::Cursor(cursor)) => Self::Cursor("cursor", cursor),
            Some(Asked::FromTime(time)) => Self::Time(time),
            Some(Asked::Now(true)) => Self::Now,
            Some(Asked::Now(false)) | None => Self::Oldest,
        }
    }
}

#[tonic::async_trait]
impl EventService for EventApi {
    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let reader = self.reader(request.caller()?, request.get_ref().filter.as_ref()).await?;
        let size = page::size(request.get_ref().page_size)?;
        let after = self.start(&reader, request.into_inner().into()).await?;
        let Page { mut events, searched_to } = self.bus.read(after, &reader.filter, size + 1).await.map_err(refuse)?;
        let of_full_page = page::cut(&mut events, size, |last| reader.cursors.write(last.position));
        let (events, of_large_page) = as_many_as_fit(events.into_iter().map(|logged| reader.logged_event(logged)))?;
        let next_page_token = of_large_page.unwrap_or(of_full_page);
        // So that a search for a rare event does not search the same days again each time.
        let cursor =
            if next_page_token.is_empty() { reader.cursors.write(searched_to) } else { next_page_token.clone() };
        Ok(Response::new(ListEventsResponse { events, next_page_token, cursor }))
    }

    type TailEventsStream = BoxStream<'static, Result<TailEventsResponse, Status>>;

    async fn tail_events(
        &self,
        request: Request<TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let reader = self.reader(request.caller()?, request.get_ref().filter.as_ref()).await?;
        let permit = self.tails.take(&reader.tenant).map_err(too_many)?;
        let after = self.start(&reader, request.into_inner().into()).await?;
        let events =
            self.bus.tail(reader.generation, after, reader.filter.clone(), CHECKPOINT_EVERY).map(move |next| {
                // The permit lives as long as the stream.
                let _ = &permit;
                reader.tailed(next.map_err(refuse)?)
            });
        Ok(Response::new(stream::endless(events)))
    }
}

impl EventReader {
    fn tailed(&self, next: Tailed) -> Result<TailEventsResponse, Status> {
        Ok(match next {
            Tailed::Checkpoint(position) => TailEventsResponse { cursor: self.cursors.write(position), event: None },
            Tailed::Event(logged) => {
                let LoggedEvent { cursor, event } = self.logged_event(logged)?;
                TailEventsResponse { cursor, event }
            }
        })
    }

    fn logged_event(&self, logged: Logged) -> Result<LoggedEvent, Status> {
        let cursor = self.cursors.write(logged.position);
        Ok(LoggedEvent { cursor, event: Some(event(logged.envelope, self.sees_personal)?) })
    }
}

/// The events that fit into one message, at least one, and the cursor of the last of them if they are not all.
fn as_many_as_fit(
    found: impl Iterator<Item = Result<LoggedEvent, Status>>,
) -> Result<(Vec<LoggedEvent>, Option<String>), Status> {
    let mut events: Vec<LoggedEvent> = Vec::new();
    let mut bytes = 0;
    for event in found {
        let event = event?;
        bytes += event.encoded_len();
        if let Some(last) = events.last()
            && bytes > MAX_PAGE_BYTES
        {
            let cut_at = last.cursor.clone();
            return Ok((events, Some(cut_at)));
        }
        events.push(event);
    }
    Ok((events, None))
}

fn filter_of(caller: &Caller, asked: Option<&EventFilter>) -> Result<EventMatcher, Status> {
    let tenant = caller.tenant()?;
    let (pattern, subject) = asked.map_or(("", ""), |asked| (&asked.r#type, &asked.subject));
    let types = (!pattern.is_empty()).then(|| event_type::short(pattern));
    let mut filter = EventMatcher::types(types)
        .map_err(|error| ApiError::invalid_argument("filter.type", error.to_string()))?
        .of_tenant(tenant.as_str());
    types.map_or(Ok(()), event_type::check)?;
    if !subject.is_empty() {
        filter = filter.about(event_subject::parse("filter.subject", subject)?);
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
fn sees_personal(caller: &Caller) -> bool {
    caller.role != Role::Analyst
}

fn event(envelope: Envelope, sees_personal: bool) -> Result<Event, Status> {
    let data = EventData::decode(envelope.payload.as_slice()).map_err(|error| {
        tracing::error!(event.id = %envelope.id, error = %error, "an event's payload can't be read");
        ApiError::internal(format!("Event {} can't be read; the service's log says why.", envelope.id))
    })?;
    let event = Event {
        event_id: envelope.id.to_string(),
        r#type: envelope.ce_type(),
        source: envelope.source(),
        spec_version: SPEC_VERSION.to_owned(),
        data_schema: DATA_SCHEMA.to_owned(),
        tenant: envelope.tenant,
        subject: envelope.aggregate,
        sequence: envelope.sequence,
        time: Some(timestamp(envelope.time_us)),
        actor: Some(parse_actor(&envelope.actor)),
        traceparent: envelope.traceparent,
        data: Some(data),
    };
    Ok(if sees_personal { event } else { data_class::conceal(&event) })
}

fn time_us(time: &prost_types::Timestamp) -> Result<i64, ApiError> {
    let us = time.seconds.checked_mul(1_000_000).and_then(|us| us.checked_add(i64::from(time.nanos) / 1_000));
    us.ok_or_else(|| ApiError::invalid_argument("from_time", "is out of range"))
}

fn timestamp(time_us: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time_us.div_euclid(1_000_000),
        nanos: (time_us.rem_euclid(1_000_000) * 1_000) as i32,
    }
}
