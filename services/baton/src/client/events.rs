//! `baton events`.

use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{EventFilter, ListEventsRequest, LoggedEvent, TailEventsRequest};
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};

use super::event_text::{self, Names};
use super::refusal::{self, OrRefusal};
use super::session::ClientSession;
use super::{output, resolve, word};

const LOGGED: &str = "baton.event.v1.LoggedEvent";

const COLUMNS: [&str; 6] = ["seq", "time (utc)", "type", "subject", "no", "what happened"];

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show events as they come, until Ctrl-C.
    Tail {
        /// Begin with this position of the log; 1 for the first that is kept [default: what comes from now on].
        #[arg(long, value_name = "SEQ")]
        from: Option<u64>,
        #[command(flatten)]
        filter: EventFilterArgs,
    },
    /// Show events that have been.
    List {
        /// Begin with this position of the log.
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        from: u64,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=1000))]
        limit: i32,
        #[command(flatten)]
        filter: EventFilterArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventFilterArgs {
    /// A pattern on the type, for example transfer.* or *.completed.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,
    /// Only about this: interaction/ID, recording/ID, agent/NAME, team/NAME; ids as the tables show them, or whole.
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
}

impl EventFilterArgs {
    async fn resolved(self, session: &ClientSession) -> anyhow::Result<EventFilter> {
        Ok(EventFilter { r#type: self.filter, subject: resolve::subject(session, self.subject).await? })
    }
}

pub(crate) async fn run(session: &ClientSession, command: EventsCommand) -> anyhow::Result<()> {
    let mut client = EventServiceClient::new(session.reader_channel()?);
    match command {
        EventsCommand::Tail { from, filter } => tail(session, client, from, filter.resolved(session).await?).await,
        EventsCommand::List { from, limit, filter } => {
            let after_position = from.saturating_sub(1);
            let filter = Some(filter.resolved(session).await?);
            let mut request = ListEventsRequest { after_position, filter, page_size: limit };
            let page = client.list_events(request.clone()).await.or_refusal()?;
            let names = resolve::names(session).await?;
            session.out.list(LOGGED, &page.events, &COLUMNS, |it| row(it, &names).to_vec())?;

            request.after_position = page.next_position;
            request.page_size = 1;
            let is_full = page.events.len() >= usize::try_from(limit)?;
            if is_full && !session.out.json && !client.list_events(request).await.or_refusal()?.events.is_empty() {
                let from = page.next_position + 1;
                let more = format!("There are more events; the same command with --from {from} shows the next.");
                output::diagnostic(&more);
            }
            Ok(())
        }
    }
}

async fn tail(
    session: &ClientSession,
    mut client: EventServiceClient<GrpcChannel>,
    from: Option<u64>,
    filter: EventFilter,
) -> anyhow::Result<()> {
    let names = resolve::names(session).await?;
    let after_position = from.unwrap_or(0).saturating_sub(1);
    // With a position or a subject given, people expect events at once; waiting in silence would look like a fault.
    if from.is_some() || !filter.subject.is_empty() {
        let request = ListEventsRequest { after_position, filter: Some(filter.clone()), page_size: 1 };
        if client.list_events(request).await.or_refusal()?.events.is_empty() {
            output::diagnostic(&waiting_note(from, &filter));
        }
    }
    let request = TailEventsRequest { after_position, from_now: from.is_none(), filter: Some(filter) };
    let mut events = client.tail_events(request).await.or_refusal()?;
    session.out.note(&line(COLUMNS.map(str::to_uppercase)));
    while let Some(next) = events.message().await.map_err(|status| refusal::of(&status))? {
        if let Some(event) = next.event {
            session.out.next(LOGGED, &event, |it| line(row(it, &names)))?;
        }
    }
    Ok(())
}

fn waiting_note(from: Option<u64>, filter: &EventFilter) -> String {
    let about = if filter.subject.is_empty() { String::new() } else { format!(" about {}", filter.subject) };
    let place = from.map_or_else(String::new, |it| format!(" from position {it} on"));
    format!("There is no such event{about}{place} yet; waiting for one.")
}

fn row(logged: &LoggedEvent, names: &Names) -> [String; 6] {
    let event = logged.event.clone().unwrap_or_default();
    [
        logged.position.to_string(),
        word::clock_time(event.time.as_ref()),
        event.r#type.clone(),
        subject(&event.subject, names),
        event.sequence.to_string(),
        event_text::sentence(&event, names),
    ]
}

/// A row of fixed column widths, for a stream whose widths are not known: as wide as the longest of Baton's own values.
fn line([position, time, kind, subject, number, what]: [String; 6]) -> String {
    format!("{position:<6}  {time:<12}  {kind:<30}  {subject:<36}  {number:<3}  {what}")
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
        let logged = LoggedEvent { position: 3, event: Some(event) };
        let (head, shown) = (line(COLUMNS.map(str::to_owned)), line(row(&logged, &Names::default())));
        for (column, cell) in [("subject", "interaction/cbecbbe40be4"), ("type", "transfer.x"), ("no", "7")] {
            assert_eq!(shown.find(cell), head.find(&format!(" {column} ")).map(|it| it + 1), "{column}");
        }
    }

    #[test]
    fn the_waiting_note_names_what_is_awaited() {
        let filter = EventFilter { r#type: String::new(), subject: "agent/x".to_owned() };
        assert!(
            waiting_note(Some(9), &filter).starts_with("There is no such event about agent/x from position 9 on yet")
        );
        assert!(waiting_note(None, &filter).starts_with("There is no such event about agent/x yet"));
    }
}
