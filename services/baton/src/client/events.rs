//! `baton events`.

use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{
    EventFilter, ListEventsRequest, LoggedEvent, TailEventsRequest, list_events_request, tail_events_request,
};
use baton_runtime::Clock;
use baton_runtime::client::{Backoff, GrpcChannel};
use clap::{Args, Subcommand};
use prost_types::Timestamp;
use tonic::{Code, Status};

use super::event_text::{self, Names};
use super::refusal::{self, OrRefusal};
use super::session::ClientSession;
use super::{output, resolve, word};

const LOGGED: &str = "baton.event.v1.LoggedEvent";

const COLUMNS: [&str; 6] = ["cursor", "time (utc)", "type", "subject", "no", "what happened"];

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show events as they come, until Ctrl-C; after a break of the connection it goes on where it was.
    Tail {
        #[command(flatten)]
        start: EventStartArgs,
        #[command(flatten)]
        filter: EventFilterArgs,
    },
    /// Show events that have been.
    List {
        #[command(flatten)]
        start: EventStartArgs,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=500))]
        limit: i32,
        #[command(flatten)]
        filter: EventFilterArgs,
    },
}

/// Where to begin. Without either, a list begins with the first event that is kept, and a tail with what comes from now on.
#[derive(Debug, Args)]
pub(crate) struct EventStartArgs {
    /// Go on after this event.
    #[arg(long, value_name = "CURSOR", conflicts_with = "since")]
    from: Option<String>,
    /// Begin at this time (2026-11-28T09:00:00Z) or so long ago (10m, 2h).
    #[arg(long, value_name = "TIME", value_parser = word::moment_or_age)]
    since: Option<Timestamp>,
}

impl EventStartArgs {
    fn of_list(&self) -> Option<list_events_request::Start> {
        use list_events_request::Start;
        self.from.clone().map(Start::Cursor).or(self.since.map(Start::FromTime))
    }

    fn of_tail(&self) -> tail_events_request::Start {
        use tail_events_request::Start;
        self.from.clone().map(Start::Cursor).or(self.since.map(Start::FromTime)).unwrap_or(Start::Now(true))
    }

    fn is_given(&self) -> bool {
        self.from.is_some() || self.since.is_some()
    }
}

#[derive(Debug, Args)]
pub(crate) struct EventFilterArgs {
    /// A pattern on the type, for example transfer.* or *.completed.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,
    /// Only about this: interaction/ID, agent/NAME, team/NAME, or recording/ID for its whole call; ids as the tables show them, or
    /// whole.
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
}

impl EventFilterArgs {
    async fn resolved(self, session: &ClientSession) -> anyhow::Result<EventFilter> {
        Ok(EventFilter { r#type: self.filter, subject: resolve::subject(session, self.subject).await? })
    }
}

pub(crate) async fn run(session: &ClientSession, command: EventsCommand) -> anyhow::Result<()> {
    let client = EventServiceClient::new(session.reader_channel()?);
    match command {
        EventsCommand::Tail { start, filter } => tail(session, client, start, filter.resolved(session).await?).await,
        EventsCommand::List { start, limit, filter } => {
            let filter = Some(filter.resolved(session).await?);
            let request =
                ListEventsRequest { start: start.of_list(), filter, page_size: limit, page_token: String::new() };
            list(session, client, request).await
        }
    }
}

async fn list(
    session: &ClientSession,
    mut client: EventServiceClient<GrpcChannel>,
    request: ListEventsRequest,
) -> anyhow::Result<()> {
    let page = client.list_events(request).await.or_refusal()?;
    let names = resolve::names(session).await?;
    session.out.list(LOGGED, &page.events, &COLUMNS, |it| row(it, &names).to_vec())?;
    if !page.next_page_token.is_empty() && !session.out.json {
        let from = page.next_page_token;
        let more = format!("There are more events; the same command with --from {from} shows the next.");
        output::diagnostic(&more);
    }
    Ok(())
}

async fn tail(
    session: &ClientSession,
    mut client: EventServiceClient<GrpcChannel>,
    start: EventStartArgs,
    filter: EventFilter,
) -> anyhow::Result<()> {
    let names = resolve::names(session).await?;
    let mut request = TailEventsRequest { start: Some(start.of_tail()), filter: Some(filter.clone()) };
    // With a start or a subject given, people expect events at once; waiting in silence would look like a fault.
    if start.is_given() || !filter.subject.is_empty() {
        let about_to_come = ListEventsRequest {
            start: start.of_list(),
            filter: Some(filter.clone()),
            page_size: 1,
            ..Default::default()
        };
        if client.list_events(about_to_come).await.or_refusal()?.events.is_empty() {
            output::diagnostic(&waiting_note(&start, &filter));
        }
    }
    let mut events = client.tail_events(request.clone()).await.or_refusal()?;
    session.out.note(&line(COLUMNS.map(str::to_uppercase)));
    loop {
        let Some(next) = events.message().await.transpose() else {
            return Err(anyhow::anyhow!("the stream of events ended; the same command with --from goes on"));
        };
        match next {
            Ok(next) => {
                request.start = Some(tail_events_request::Start::Cursor(next.cursor.clone()));
                if next.event.is_some() {
                    let event = LoggedEvent { cursor: next.cursor, event: next.event };
                    session.out.next(LOGGED, &event, |it| line(row(it, &names)))?;
                }
            }
            Err(broken) => events = resumed(&mut client, &request, broken).await?,
        }
    }
}

/// The stream from the request's cursor on, when the server answers again.
async fn resumed(
    client: &mut EventServiceClient<GrpcChannel>,
    request: &TailEventsRequest,
    mut broken: Status,
) -> anyhow::Result<tonic::Streaming<baton_api::event::v1::TailEventsResponse>> {
    output::diagnostic("The server does not answer; the events go on when it does.");
    let mut failures = 0;
    while broken.code() == Code::Unavailable {
        failures += 1;
        Clock::real().sleep(Backoff::default().pause(failures)).await;
        match client.tail_events(request.clone()).await {
            Ok(events) => return Ok(events.into_inner()),
            Err(status) => broken = status,
        }
    }
    Err(refusal::of(&broken))
}

fn waiting_note(start: &EventStartArgs, filter: &EventFilter) -> String {
    let about = if filter.subject.is_empty() { String::new() } else { format!(" about {}", filter.subject) };
    let start = if start.is_given() { " after that" } else { "" };
    format!("There is no such event{about}{start} yet; waiting for one.")
}

fn row(logged: &LoggedEvent, names: &Names) -> [String; 6] {
    let event = logged.event.clone().unwrap_or_default();
    [
        logged.cursor.clone(),
        word::clock_time(event.time.as_ref()),
        event.name().to_owned(),
        subject(&event.subject, names),
        event.sequence.to_string(),
        event_text::sentence(&event, names),
    ]
}

/// A row of fixed column widths, for a stream whose widths are not known: as wide as the longest of Baton's own values.
fn line([cursor, time, kind, subject, number, what]: [String; 6]) -> String {
    format!("{cursor:<20}  {time:<12}  {kind:<30}  {subject:<36}  {number:<3}  {what}")
}

/// `agent/Ada`, or `interaction/` with the shortened id.
fn subject(subject: &str, names: &Names) -> String {
    match subject.split_once('/') {
        Some((kind, id)) => format!("{kind}/{}", names.of(id)),
        None => subject.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use baton_api::event::v1::Event;

    use super::*;

    #[test]
    fn a_line_of_the_tail_has_what_a_row_of_the_list_has_under_the_same_heads() {
        let subject = "interaction/01a2148f-18af-7236-b77a-cbecbbe40be4".to_owned();
        let event = Event { subject, sequence: 7, r#type: "transfer.x".to_owned(), ..Event::default() };
        let logged = LoggedEvent { cursor: "0".repeat(20), event: Some(event) };
        let (head, shown) = (line(COLUMNS.map(str::to_owned)), line(row(&logged, &Names::default())));
        for (column, cell) in [("subject", "interaction/cbecbbe40be4"), ("type", "transfer.x"), ("no", "7")] {
            assert_eq!(shown.find(cell), head.find(&format!(" {column} ")).map(|it| it + 1), "{column}");
        }
    }

    #[test]
    fn the_waiting_note_names_what_is_awaited() {
        let filter = EventFilter { r#type: String::new(), subject: "agent/x".to_owned() };
        let [after, now] = [Some("0".repeat(20)), None].map(|from| EventStartArgs { from, since: None });
        assert!(waiting_note(&after, &filter).starts_with("There is no such event about agent/x after that yet"));
        assert!(waiting_note(&now, &filter).starts_with("There is no such event about agent/x yet"));
    }
}
