//! `baton events`.

use std::fmt::Write as _;

use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{
    EventFilter, ListEventsRequest, LoggedEvent, TailEventsRequest, list_events_request, tail_events_request,
};
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use prost_types::Timestamp;

use super::event_text::{self, Names};
use super::output::Column;
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{output, rebuild, resolve, watch, word};
use crate::event_stream::StreamArgs;
use crate::failure::KnownFailure;

const LOGGED: &str = "baton.event.v1.LoggedEvent";

const COLUMNS: [Column; 6] = [
    // Whole: a time without its seconds says little.
    Column::id("time (utc)"),
    Column::if_room("subject"),
    Column::if_room("type"),
    Column::always("what happened"),
    Column::wide("no"),
    Column::wide("cursor"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    #[command(flatten)]
    Read(ReadEventsCommand),
    /// Publish again all that a service's database keeps of its events; for whoever runs this Baton.
    Republish(StreamArgs),
    /// Let a service whose database was restored go on after what is in the stream; for whoever runs this Baton.
    NewEpoch(StreamArgs),
}

/// What a tenant's people do with events.
#[derive(Debug, Subcommand)]
pub(crate) enum ReadEventsCommand {
    /// Show events as they come, until Ctrl-C; after a break of the connection it goes on where it was.
    Tail {
        #[command(flatten)]
        start: EventStartArgs,
        #[command(flatten)]
        filter: EventFilterArgs,
    },
    /// Show events that have been.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        start: EventStartArgs,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = word::parse_between::<1, 500, i32>)]
        limit: i32,
        #[command(flatten)]
        filter: EventFilterArgs,
    },
    /// Show how all calls, agents and queues are, or were at a moment, rebuilt from events alone: from the first one that is kept.
    Rebuild(rebuild::RebuildArgs),
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
    async fn resolved(self, session: &ClientSession) -> anyhow::Result<WantedEvents> {
        let (subject, is_known) = match self.subject.as_str() {
            "" => (String::new(), true),
            subject => resolve::subject(session, subject).await?,
        };
        Ok(WantedEvents { filter: EventFilter { r#type: self.filter, subject }, is_known })
    }
}

/// Which events are wanted, and whether what they are about is there, or was: it may be a typo.
struct WantedEvents {
    filter: EventFilter,
    is_known: bool,
}

impl WantedEvents {
    /// Whether there may be such events, if none were found.
    fn check(&self) -> Result<(), KnownFailure> {
        if self.is_known {
            return Ok(());
        }
        let text =
            format!("there is no {} in this tenant, and no event about one", self.filter.subject.replacen('/', " ", 1));
        Err(KnownFailure::not_found(text))
    }
}

pub(crate) async fn run(session: &ClientSession, command: ReadEventsCommand) -> anyhow::Result<()> {
    let client = EventServiceClient::new(session.reader_channel()?);
    match command {
        ReadEventsCommand::Tail { start, filter } => {
            tail(session, client, start, filter.resolved(session).await?).await
        }
        ReadEventsCommand::List { start, limit, filter } => {
            let wanted = filter.resolved(session).await?;
            let filter = Some(wanted.filter.clone());
            let request =
                ListEventsRequest { start: start.of_list(), filter, page_size: limit, page_token: String::new() };
            list(session, client, &wanted, request).await
        }
        ReadEventsCommand::Rebuild(args) => rebuild::run(session, args).await,
    }
}

async fn list(
    session: &ClientSession,
    mut client: EventServiceClient<GrpcChannel>,
    wanted: &WantedEvents,
    request: ListEventsRequest,
) -> anyhow::Result<()> {
    let page = client.list_events(request).await.or_refusal()?;
    if page.events.is_empty() {
        wanted.check()?;
    }
    let names = resolve::names(session).await?;
    session.out.list(LOGGED, &page.events, &COLUMNS, |it| row(it, &names).to_vec())?;
    if !page.next_page_token.is_empty() && !session.out.is_for_programs() {
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
    wanted: WantedEvents,
) -> anyhow::Result<()> {
    let names = resolve::names(session).await?;
    let filter = &wanted.filter;
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
            wanted.check()?;
            output::diagnostic(&waiting_note(&start, filter));
        }
    }
    let mut events = client.tail_events(request.clone()).await.or_refusal()?;
    session.out.note(&line(session.out, COLUMNS.map(|it| it.heading())))?;
    loop {
        match events.message().await {
            Ok(Some(next)) => {
                request.start = Some(tail_events_request::Start::Cursor(next.cursor.clone()));
                if next.event.is_some() {
                    let event = LoggedEvent { cursor: next.cursor, event: next.event };
                    session.out.next(LOGGED, &event, |it| line(session.out, row(it, &names)))?;
                }
            }
            ended => {
                let open = async |channel| EventServiceClient::new(channel).tail_events(request.clone()).await;
                let again = watch::again(session, "the stream of events", ended.err(), open).await;
                events = again.inspect_err(|_| say_how_to_go_on(&request))?.into_inner();
            }
        }
    }
}

fn say_how_to_go_on(request: &TailEventsRequest) {
    if let Some(tail_events_request::Start::Cursor(cursor)) = &request.start {
        output::diagnostic(&format!("The same command with --from {cursor} goes on."));
    }
}

fn waiting_note(start: &EventStartArgs, filter: &EventFilter) -> String {
    let about = if filter.subject.is_empty() { String::new() } else { format!(" about {}", filter.subject) };
    let start = if start.is_given() { " after that" } else { "" };
    format!("There is no such event{about}{start} yet; waiting for one.")
}

fn row(logged: &LoggedEvent, names: &Names) -> [String; 6] {
    let event = logged.event.clone().unwrap_or_default();
    [
        word::exact_time(event.time.as_ref()),
        subject(&event.subject, names),
        event.name().to_owned(),
        event_text::sentence(&event, names),
        event.sequence.to_string(),
        logged.cursor.clone(),
    ]
}

/// A terminal of fewer columns shows when and what alone.
const ROOM_FOR_SUBJECT: usize = 100;
/// And one of fewer than this, no type.
const ROOM_FOR_TYPE: usize = 132;

/// A row of fixed column widths, for a stream whose widths are not known: as wide as the longest of Baton's own values.
fn line(out: output::Output, [time, subject, kind, what, number, cursor]: [String; 6]) -> String {
    let has_room = |needed| out.room().is_none_or(|it| it >= needed);
    let mut line = format!("{time:<23}");
    if has_room(ROOM_FOR_SUBJECT) {
        let _ = write!(line, "  {subject:<24}");
    }
    if has_room(ROOM_FOR_TYPE) {
        let _ = write!(line, "  {kind:<30}");
    }
    if out.is_wide() {
        let _ = write!(line, "  {number:<4}  {cursor:<20}");
    }
    line + "  " + &what
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

    fn of_width(width: Option<usize>) -> output::Output {
        output::Output::of_width(width)
    }

    #[test]
    fn a_line_of_the_tail_has_what_a_row_of_the_list_has_under_the_same_heads() {
        let subject = "interaction/01a2148f-18af-7236-b77a-cbecbbe40be4".to_owned();
        let event = Event { subject, sequence: 7, r#type: "transfer.x".to_owned(), ..Event::default() };
        let logged = LoggedEvent { cursor: "0".repeat(20), event: Some(event) };
        let shown = |width| line(of_width(width), row(&logged, &Names::default()));
        let head = line(of_width(None), COLUMNS.map(|it| it.heading()));
        for (column, cell) in [("SUBJECT", "interaction/cbecbbe40be4"), ("TYPE", "transfer.x")] {
            assert_eq!(shown(None).find(cell), head.find(&format!(" {column} ")).map(|it| it + 1), "{column}");
        }
        assert!(!shown(Some(80)).contains("interaction/") && shown(Some(100)).contains("interaction/"));
        assert!(!shown(Some(100)).contains("transfer.x  ") && shown(Some(200)).contains("transfer.x  "));
    }

    #[test]
    fn n9_what_nothing_is_known_about_is_a_typo() {
        let filter = EventFilter { r#type: String::new(), subject: "agent/x".to_owned() };
        let wanted = |is_known| WantedEvents { filter: filter.clone(), is_known };
        assert!(wanted(true).check().is_ok());
        assert!(wanted(false).check().unwrap_err().to_string().contains("no agent x in this tenant"));
    }

    #[test]
    fn the_waiting_note_names_what_is_awaited() {
        let filter = EventFilter { r#type: String::new(), subject: "agent/x".to_owned() };
        let [after, now] = [Some("0".repeat(20)), None].map(|from| EventStartArgs { from, since: None });
        assert!(waiting_note(&after, &filter).starts_with("There is no such event about agent/x after that yet"));
        assert!(waiting_note(&now, &filter).starts_with("There is no such event about agent/x yet"));
    }
}
