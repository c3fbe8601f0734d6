//! `baton events rebuild`: how everything is, or was at a moment, from events alone.

use std::collections::BTreeSet;

use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{Event, ListEventsRequest, LoggedEvent};
use baton_api::presence::v1::Presence;
use baton_api::transfer::v1::Interaction;
use baton_api::transfer::v1::interaction::State;
use baton_events::Picture;
use clap::Args;
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::event_text::Names;
use super::output::{self, Column};
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{agent, call, json, resolve, view, word};
use crate::failure::KnownFailure;

const SHORTEST_CURSOR: usize = 16;
const PRESENCE: &str = "baton.presence.v1.Presence";
const AGENTS: [Column; 4] =
    [Column::id("agent"), Column::state("is"), Column::if_room(word::SINCE), Column::if_room("in or reserved for")];
const QUEUES: [Column; 3] = [Column::id("team or queue"), Column::always("calls"), Column::always("who waits")];

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// As of this time (2026-11-28T09:00:00Z), so long ago (10m, 2h), or this event's cursor [default: the last event].
    #[arg(long, value_name = "TIME|CURSOR", value_parser = parse_until)]
    until: Option<Until>,
    /// Only this call, with its journey: its id, or the beginning or the last group of it.
    #[arg(long, value_name = "ID")]
    interaction: Option<String>,
    /// Also calls that are over.
    #[arg(long)]
    all: bool,
}

/// Where the events that count end.
#[derive(Debug, Clone, PartialEq)]
enum Until {
    Time(Timestamp),
    Cursor(String),
}

fn parse_until(text: &str) -> Result<Until, String> {
    match word::moment_or_age(text) {
        Ok(time) => Ok(Until::Time(time)),
        Err(_) if may_be_cursor(text) => Ok(Until::Cursor(text.to_owned())),
        Err(why) => Err(format!("{why}, nor a cursor as `baton events list -o wide` shows them")),
    }
}

/// Cursors are opaque, and longer than a word.
fn may_be_cursor(text: &str) -> bool {
    text.len() >= SHORTEST_CURSOR && text.chars().all(|it| it.is_ascii_alphanumeric())
}

/// Decides event by event whether it counts.
struct CutOff {
    until: Option<Until>,
    /// Sources and subjects whose later events do not count. Services publish each at their own pace: in the log an event may stand after a later one
    /// about something else.
    later: BTreeSet<(String, String)>,
    is_over: bool,
}

impl CutOff {
    fn new(until: Option<Until>) -> Self {
        Self { until, later: BTreeSet::new(), is_over: false }
    }

    fn counts(&mut self, cursor: &str, event: &Event) -> bool {
        match &self.until {
            None => true,
            Some(Until::Cursor(last)) => {
                self.is_over = cursor == last;
                true
            }
            Some(Until::Time(time)) => {
                let about = (event.source.clone(), event.subject.clone());
                let is_later = event.time.as_ref().is_some_and(|at| word::micros(at) > word::micros(time));
                if is_later {
                    self.later.insert(about.clone());
                }
                !self.later.contains(&about)
            }
        }
    }
}

pub(super) async fn run(session: &ClientSession, args: RebuildArgs) -> anyhow::Result<()> {
    let picture = rebuilt(session, args.until).await?;
    let names = resolve::names(session).await?;
    match &args.interaction {
        Some(id) => show_call(session, &picture, id, &names)?,
        None => show(session, &picture, args.all, &names)?,
    }
    say_what_is_missing(&picture);
    Ok(())
}

/// From the first event that is kept to the last that counts.
async fn rebuilt(session: &ClientSession, until: Option<Until>) -> anyhow::Result<Picture> {
    let mut log = EventServiceClient::new(session.reader_channel()?);
    let (mut picture, mut cut_off) = (Picture::of_what_is_kept(), CutOff::new(until));
    let mut request = ListEventsRequest { page_size: resolve::PAGE_SIZE, ..ListEventsRequest::default() };
    while !cut_off.is_over {
        let page = log.list_events(request.clone()).await.or_refusal()?;
        for LoggedEvent { cursor, event } in page.events {
            let event = event.unwrap_or_default();
            if cut_off.counts(&cursor, &event) {
                picture.apply(&event)?;
            }
            if cut_off.is_over {
                break;
            }
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    match cut_off.until {
        Some(Until::Cursor(cursor)) if !cut_off.is_over => Err(no_such_cursor(&cursor).into()),
        _ => Ok(picture),
    }
}

fn no_such_cursor(cursor: &str) -> KnownFailure {
    let text = format!(
        "no event that is kept has the cursor {cursor}\n  `baton events list -o wide` shows the cursors; a time does as well: --until 10m"
    );
    KnownFailure::not_found(text)
}

fn show_call(session: &ClientSession, picture: &Picture, id: &str, names: &Names) -> anyhow::Result<()> {
    let ids: Vec<&String> = picture.calls().keys().chain(picture.incomplete_calls()).collect();
    let id = *resolve::find_one("call", id, &ids, |it| [it.as_str(), it.as_str()])?;
    let Some(call) = picture.calls().get(id) else {
        let text = format!(
            "the first events of the call {id} are no longer kept, so it can't be rebuilt\n  `baton call show {id}` has what the service knows."
        );
        return Err(KnownFailure::not_found(text).into());
    };
    session.out.one(call::INTERACTION, &call.interaction, |it| view::full_text(&with_names(it, names), names, ""))
}

/// Events have ids alone.
fn with_names(call: &Interaction, names: &Names) -> Interaction {
    let mut call = call.clone();
    for party in &mut call.parties {
        party.name = names.of(&party.agent_id);
    }
    call
}

fn show(session: &ClientSession, picture: &Picture, all: bool, names: &Names) -> anyhow::Result<()> {
    let calls = picture.calls().values().map(|it| &it.interaction);
    let calls: Vec<Interaction> = calls.filter(|it| all || it.state() != State::Ended).cloned().collect();
    let agents = picture.agents();
    let out = session.out;
    if out.is_for_programs() {
        return out.value(&whole(picture, &calls, &agents)?, "");
    }
    out.list(call::INTERACTION, &calls, view::columns(all), |it| view::row(it, names, all))?;
    out.note("")?;
    out.list(PRESENCE, &agents, &AGENTS, |it| agent_row(it, names))?;
    out.note("")?;
    out.list_values(&queues(picture), &QUEUES, queue_rows(picture, names))
}

fn whole(picture: &Picture, calls: &[Interaction], agents: &[Presence]) -> anyhow::Result<Value> {
    let calls = calls.iter().map(|it| json::of(call::INTERACTION, it)).collect::<anyhow::Result<Vec<_>>>()?;
    let agents = agents.iter().map(|it| json::of(PRESENCE, it)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(json!({
        "calls": calls,
        "agents": agents,
        "queues": queues(picture),
        "incomplete_call_ids": picture.incomplete_calls(),
        "skipped_events": picture.skipped(),
    }))
}

fn queues(picture: &Picture) -> Value {
    let queue = |(team_id, calls): (&str, Vec<&baton_events::CallPicture>)| {
        let calls = calls.into_iter().filter_map(|it| Some((it, it.queued.as_ref()?)));
        let calls = calls.map(|(call, queued)| {
            json!({
                "interaction_id": call.interaction.interaction_id,
                "transfer_id": queued.transfer_id,
                "since": word::exact_time(queued.since.as_ref()),
                "position": queued.position,
            })
        });
        let calls: Vec<_> = calls.collect();
        if let Some(queue) = picture.configured_queues().get(team_id) {
            return json!({ "queue_id": team_id, "name": queue.name, "calls": calls });
        }
        let name = picture.teams().get(team_id).map_or("", |it| it.name.as_str());
        json!({ "team_id": team_id, "name": name, "calls": calls })
    };
    picture.queues().into_iter().map(queue).collect()
}

fn queue_rows(picture: &Picture, names: &Names) -> Vec<Vec<String>> {
    let row = |(team_id, calls): (&str, Vec<&baton_events::CallPicture>)| {
        let (team, queue) = (picture.teams().get(team_id), picture.configured_queues().get(team_id));
        let name = team.map(|it| &it.name).or(queue.map(|it| &it.name));
        let name = name.map_or_else(|| names.of(team_id), |it| word::one_line(it));
        let ids: Vec<_> = calls.iter().map(|it| word::short(&it.interaction.interaction_id)).collect();
        vec![name, calls.len().to_string(), word::or_dash(ids.join(", "))]
    };
    picture.queues().into_iter().map(row).collect()
}

fn agent_row(presence: &Presence, names: &Names) -> Vec<String> {
    let calls: Vec<_> = presence.engagements.iter().map(|it| word::short(&it.interaction_id)).collect();
    vec![
        names.of(&presence.agent_id),
        agent::presence_text(presence),
        word::time(presence.state_start_time.as_ref()),
        word::or_dash(calls.join(", ")),
    ]
}

fn say_what_is_missing(picture: &Picture) {
    let incomplete: Vec<_> = picture.incomplete_calls().iter().map(|it| word::short(it)).collect();
    if !incomplete.is_empty() {
        let ids = incomplete.join(", ");
        output::diagnostic(&format!("The first events of these calls are no longer kept, so they are left out: {ids}"));
    }
    if picture.skipped() > 0 {
        let count = picture.skipped();
        output::diagnostic(&format!("{count} events are of types that are newer than this program, and were skipped."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(subject: &str, seconds: i64) -> Event {
        Event { subject: subject.to_owned(), time: Some(Timestamp { seconds, nanos: 0 }), ..Event::default() }
    }

    #[test]
    fn b613_the_moment_is_a_time_an_age_or_a_cursor() {
        assert!(matches!(parse_until("2026-11-28T09:00:00Z"), Ok(Until::Time(_))));
        assert!(matches!(parse_until("10m"), Ok(Until::Time(_))));
        for cursor in ["00000000000000000042", "00000000000ec77f03db"] {
            assert_eq!(parse_until(cursor), Ok(Until::Cursor(cursor.to_owned())));
        }
        assert!(parse_until("yesterday").unwrap_err().contains("baton events list -o wide"));
    }

    #[test]
    fn b613_of_a_subject_nothing_counts_after_its_first_later_event() {
        let mut cut_off = CutOff::new(Some(Until::Time(Timestamp { seconds: 10, nanos: 0 })));
        assert!(cut_off.counts("1", &event("agent/a", 10)));
        assert!(!cut_off.counts("2", &event("agent/a", 11)));
        assert!(cut_off.counts("3", &event("agent/b", 9)), "published later, and earlier");
        assert!(!cut_off.counts("4", &event("agent/a", 10)), "a clock that went back leaves no gap");
    }

    #[test]
    fn b613_the_event_with_the_cursor_is_the_last_that_counts() {
        let mut cut_off = CutOff::new(Some(Until::Cursor("2".to_owned())));
        assert!(cut_off.counts("1", &event("agent/a", 1)) && !cut_off.is_over);
        assert!(cut_off.counts("2", &event("agent/a", 2)) && cut_off.is_over);
    }
}
