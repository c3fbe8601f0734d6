//! `baton events`.

use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{EventFilter, ListEventsRequest, LoggedEvent, TailEventsRequest};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};

use super::refusal::{self, Told};
use super::session::Session;
use super::story::{self, Names};
use super::{resolve, word};

const LOGGED: &str = "baton.event.v1.LoggedEvent";

/// What can be done with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show events as they come, until Ctrl-C.
    Tail {
        /// Begin with this position of the log; 1 for the first that is kept [default: what comes from now on].
        #[arg(long, value_name = "SEQ")]
        from: Option<u64>,
        #[command(flatten)]
        filter: FilterArgs,
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
        filter: FilterArgs,
    },
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// A pattern on the type, for example transfer.* or *.completed.
    #[arg(long, default_value = "")]
    filter: String,
    /// Only about this: interaction/ID, recording/ID, agent/NAME, team/NAME; ids as the tables show them, or whole.
    #[arg(long, default_value = "")]
    subject: String,
}

impl FilterArgs {
    async fn of(self, session: &Session) -> anyhow::Result<EventFilter> {
        Ok(EventFilter { r#type: self.filter, subject: resolve::subject(session, self.subject).await? })
    }
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: EventsCommand) -> anyhow::Result<()> {
    let mut client = EventServiceClient::new(session.of_role(Role::Supervisor)?);
    match command {
        EventsCommand::Tail { from, filter } => {
            let names = resolve::names(session).await?;
            let request = TailEventsRequest {
                after_position: from.unwrap_or(0).saturating_sub(1),
                from_now: from.is_none(),
                filter: Some(filter.of(session).await?),
            };
            let mut events = client.tail_events(request).await.told()?;
            while let Some(next) = events.message().await.map_err(|status| refusal::of(&status))? {
                if let Some(event) = next.event {
                    session.out.next(LOGGED, &event, |it| line(it, &names))?;
                }
            }
            Ok(())
        }
        EventsCommand::List { from, limit, filter } => {
            let after_position = from.saturating_sub(1);
            let filter = Some(filter.of(session).await?);
            let mut request = ListEventsRequest { after_position, filter, page_size: limit };
            let page = client.list_events(request.clone()).await.told()?;
            let names = resolve::names(session).await?;
            let columns = ["seq", "time", "type", "subject", "no", "what happened"];
            session.out.list(LOGGED, &page.events, &columns, |it| row(it, &names))?;

            request.after_position = page.next_position;
            request.page_size = 1;
            let is_full = page.events.len() >= usize::try_from(limit)?;
            if is_full && !session.out.json && !client.list_events(request).await.told()?.events.is_empty() {
                let from = page.next_position + 1;
                let more = format!("There are more events; the same command with --from {from} shows the next.");
                session.out.aside(&more);
            }
            Ok(())
        }
    }
}

fn row(logged: &LoggedEvent, names: &Names) -> Vec<String> {
    let event = logged.event.clone().unwrap_or_default();
    vec![
        logged.position.to_string(),
        word::clock_time(event.time.as_ref()),
        event.r#type.clone(),
        subject(&event.subject, names),
        event.sequence.to_string(),
        story::sentence(&event, names),
    ]
}

fn line(logged: &LoggedEvent, names: &Names) -> String {
    let event = logged.event.clone().unwrap_or_default();
    let time = word::clock_time(event.time.as_ref());
    format!("{:>6}  {time}  {:<32} {}", logged.position, event.r#type, story::sentence(&event, names))
}

/// `agent/Ada`, or `interaction/` with the shortened id.
fn subject(subject: &str, names: &Names) -> String {
    match subject.split_once('/') {
        Some((sort, id)) => format!("{sort}/{}", names.of(id)),
        None => subject.to_owned(),
    }
}
