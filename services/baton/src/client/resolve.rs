//! Resolves names and shortened ids.

use anyhow::Context as _;
use baton_api::common::v1::{Target, target};
use baton_api::event_subject::{KINDS, POLICY};
use baton_api::nearest;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{Agent, ListAgentsRequest, ListSitesRequest, ListTeamsRequest, Site, Team};
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{ListRecordingsRequest, Recording};
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{GetInteractionRequest, Interaction, ListInteractionsRequest};
use baton_runtime::client::GrpcChannel;
use tonic::Code;
use uuid::Uuid;

use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{ivr, queue, word};
use crate::failure::{KnownFailure, UsageError};

/// The largest that the services allow.
pub(super) const PAGE_SIZE: i32 = 500;
/// Longer lists are cut.
pub(super) const MAX_PAGES: usize = 40;
/// Candidates that the error for an ambiguous text names.
const MAX_CANDIDATES: usize = 5;

/// Reads all pages of a list.
macro_rules! all_pages {
    ($client:expr, $method:ident, $request:ident { $($field:ident),* }, $items:ident) => {{
        let mut items = Vec::new();
        let mut page_token = String::new();
        for _ in 0..$crate::client::resolve::MAX_PAGES {
            let mut request = $request::default();
            $(request.$field = $field.to_owned();)*
            (request.page_size, request.page_token) = ($crate::client::resolve::PAGE_SIZE, page_token);
            let page = $client.$method(request).await.or_refusal()?;
            items.extend(page.$items);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        if !page_token.is_empty() {
            $crate::client::output::diagnostic(&format!("There are more than {}; the rest is left out.", items.len()));
        }
        anyhow::Ok(items)
    }};
}
pub(super) use all_pages;

pub(super) async fn agents(session: &ClientSession) -> anyhow::Result<Vec<Agent>> {
    agents_on(session.reader_channel()?).await
}

async fn agents_on(channel: GrpcChannel) -> anyhow::Result<Vec<Agent>> {
    let mut directory = DirectoryServiceClient::new(channel);
    all_pages!(directory, list_agents, ListAgentsRequest {}, agents)
}

pub(super) async fn teams(session: &ClientSession) -> anyhow::Result<Vec<Team>> {
    let mut directory = DirectoryServiceClient::new(session.reader_channel()?);
    all_pages!(directory, list_teams, ListTeamsRequest {}, teams)
}

pub(super) async fn sites(session: &ClientSession) -> anyhow::Result<Vec<Site>> {
    let mut directory = DirectoryServiceClient::new(session.reader_channel()?);
    all_pages!(directory, list_sites, ListSitesRequest {}, sites)
}

/// By name, id, or the beginning of either.
pub(super) async fn site(session: &ClientSession, name: &str) -> anyhow::Result<Site> {
    let sites = sites(session).await?;
    Ok(find_one("site", name, &sites, |it| [it.site_id.as_str(), it.name.as_str()])?.clone())
}

pub(super) async fn interactions(session: &ClientSession, live_only: bool) -> anyhow::Result<Vec<Interaction>> {
    interactions_on(session.reader_channel()?, live_only).await
}

pub(super) async fn interactions_on(channel: GrpcChannel, live_only: bool) -> anyhow::Result<Vec<Interaction>> {
    let mut interactions = InteractionServiceClient::new(channel);
    all_pages!(interactions, list_interactions, ListInteractionsRequest { live_only }, interactions)
}

pub(super) async fn recordings(session: &ClientSession, interaction_id: &str) -> anyhow::Result<Vec<Recording>> {
    let mut recordings = RecordingServiceClient::new(session.reader_channel()?);
    let interaction_id = interaction_id.to_owned();
    all_pages!(recordings, list_recordings, ListRecordingsRequest { interaction_id }, recordings)
}

/// By name, id, the beginning of either, or the end of the id.
pub(super) async fn agent(session: &ClientSession, name: &str) -> anyhow::Result<Agent> {
    agent_of(&agents(session).await?, name)
}

fn agent_of(agents: &[Agent], name: &str) -> anyhow::Result<Agent> {
    Ok(find_one("agent", name, agents, |it| [it.agent_id.as_str(), it.name.as_str()])?.clone())
}

/// The agent that `--as` names, read on the lookup channel: an agent may not list agents.
pub(super) async fn acting_agent(session: &ClientSession, name: &str) -> anyhow::Result<Agent> {
    agent_of(&agents_on(session.lookup_channel()?).await?, name)
}

/// By name, id, or the beginning of either.
pub(super) async fn team(session: &ClientSession, name: &str) -> anyhow::Result<Team> {
    let teams = teams(session).await?;
    let found = find_one("team", name, &teams, |it| [it.team_id.as_str(), it.name.as_str()])?;
    Ok(found.clone())
}

/// An agent, a team or a queue, by name, id, or the beginning of either.
pub(super) async fn target(session: &ClientSession, name: &str) -> anyhow::Result<Target> {
    let (agents, teams, queues) = (agents(session).await?, teams(session).await?, queue::queues(session).await?);
    let agents = agents.iter().map(|it| (&it.agent_id, &it.name, target::Target::AgentId(it.agent_id.clone())));
    let teams = teams.iter().map(|it| (&it.team_id, &it.name, target::Target::TeamId(it.team_id.clone())));
    let queues = queues.iter().map(|it| (&it.queue_id, &it.name, target::Target::QueueId(it.queue_id.clone())));
    let all: Vec<_> = agents.chain(teams).chain(queues).collect();
    let (_, _, target) = find_one("agent, team or queue", name, &all, |(id, name, _)| [id.as_str(), name.as_str()])?;
    Ok(Target { target: Some(target.clone()) })
}

/// By id, shortened id or the beginning of one. Without an id: the only live call, or the only one in which the caller has
/// allowed actions.
pub(super) async fn interaction(session: &ClientSession, id: Option<&str>) -> anyhow::Result<Interaction> {
    let Some(id) = id else { return only_live(interactions(session, true).await?, session.sees_whole_tenant()) };
    if Uuid::try_parse(id).is_ok() {
        let request = GetInteractionRequest { interaction_id: id.to_owned() };
        let mut client = InteractionServiceClient::new(session.reader_channel()?);
        return client.get_interaction(request).await.or_refusal()?.interaction.context("the answer is empty");
    }
    let known = interactions(session, false).await?;
    Ok(find_one("call", id, &known, |it| [it.interaction_id.as_str(), it.interaction_id.as_str()])?.clone())
}

fn only_live(mut live: Vec<Interaction>, is_all: bool) -> anyhow::Result<Interaction> {
    match live.len() {
        0 => {
            let text = if is_all {
                "there is no live call; `baton call place` places one, `baton call list --all` shows all"
            } else {
                "there is no live call that you see as whom you act as; `baton call list --all` shows all that you do"
            };
            Err(KnownFailure::not_found(text).into())
        }
        1 => Ok(live.remove(0)),
        count => {
            // Allowed actions mean that the caller is in the call.
            let mut own: Vec<_> = live.iter().filter(|it| !it.allowed_actions.is_empty()).collect();
            if let (Some(one), true) = (own.pop(), own.is_empty()) {
                return Ok(one.clone());
            }
            let ids: Vec<_> = live.iter().map(|it| word::short(&it.interaction_id).to_owned()).collect();
            Err(UsageError::new(format!("there are {count} live calls; name one: {}", ids.join(", "))).into())
        }
    }
}

/// By id, shortened id or the beginning of one.
pub(super) async fn recording(session: &ClientSession, id: &str) -> anyhow::Result<Recording> {
    let known = recordings(session, "").await?;
    Ok(find_one("recording", id, &known, |it| [it.recording_id.as_str(), it.recording_id.as_str()])?.clone())
}

/// An event's subject with the full id, and whether it is there: `agent/Ada` becomes `agent/` with Ada's id. A full id may be that
/// of somebody who is there no longer.
pub(super) async fn subject(session: &ClientSession, subject: &str) -> anyhow::Result<(String, bool)> {
    if subject == POLICY {
        return Ok((subject.to_owned(), true));
    }
    let (kind, name) = subject.split_once('/').filter(|(_, name)| !name.is_empty()).unwrap_or((subject, ""));
    if kind == "recording" && !name.is_empty() {
        return Ok((format!("interaction/{}", recording(session, name).await?.interaction_id), true));
    }
    if name.is_empty() || !KINDS.contains(&kind) {
        return Err(no_subject(kind, !name.is_empty()).into());
    }
    let found = match kind {
        "agent" => agent(session, name).await.map(|it| it.agent_id),
        "team" => team(session, name).await.map(|it| it.team_id),
        "queue" => queue::named(session, name).await.map(|it| it.queue_id),
        "interaction" => interaction(session, Some(name)).await.map(|it| it.interaction_id),
        _ => return Ok((subject.to_owned(), false)),
    };
    match found {
        Ok(id) => Ok((format!("{kind}/{id}"), true)),
        Err(_) if Uuid::try_parse(name).is_ok() => Ok((subject.to_owned(), false)),
        Err(error) => Err(error),
    }
}

fn no_subject(kind: &str, has_name: bool) -> UsageError {
    // A recording is about its call.
    let known = KINDS.into_iter().chain(["recording", POLICY]).map(str::to_owned).collect();
    let meant = match nearest(kind, &known) {
        Some(meant) if has_name => format!("is {meant}/… meant?"),
        _ => "write for example agent/Ada or interaction/ID".to_owned(),
    };
    let kinds = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    UsageError::new(format!("events are about no {kind:?}; {meant}\n  There are {kinds}."))
}

/// Names of agents, teams, queues and IVR flows by id; without those that the caller may not list.
pub(super) async fn names(session: &ClientSession) -> anyhow::Result<super::event_text::Names> {
    let flows = ivr::flows(session.reader_channel()?);
    let (agents, teams, queues, flows) = tokio::join!(agents(session), teams(session), queue::queues(session), flows);
    let agents = if_allowed(session, agents)?.into_iter().map(|it| (it.agent_id, it.name));
    let teams = if_allowed(session, teams)?.into_iter().map(|it| (it.team_id, it.name));
    let queues = if_allowed(session, queues)?.into_iter().map(|it| (it.queue_id, it.name));
    let flows = if_allowed(session, flows)?.into_iter().map(|it| (it.ivr_flow_id, it.name));
    Ok(agents.chain(teams).chain(queues).chain(flows).collect())
}

fn if_allowed<T>(session: &ClientSession, listed: anyhow::Result<Vec<T>>) -> anyhow::Result<Vec<T>> {
    if session.sees_whole_tenant() { listed } else { Ok(listed.unwrap_or_default()) }
}

/// The item with the text as its whole id, whatever another is called. Without one the only item with it as a name or a
/// shortened id or, if there is none, as the beginning of a key or the end of an id.
pub(super) fn find_one<'a, T>(
    what: &str,
    text: &str,
    all: &'a [T],
    keys: impl Fn(&T) -> [&str; 2],
) -> anyhow::Result<&'a T> {
    let wanted = text.to_lowercase();
    let matching = |fits: fn(&str, &str) -> bool| -> Vec<&T> {
        all.iter().filter(|it| keys(it).iter().any(|key| fits(&key.to_lowercase(), &wanted))).collect()
    };
    // Of what has no names, both keys are the id.
    if let Some(one) = all.iter().find(|it| Uuid::try_parse(&wanted).is_ok() && keys(it)[0].to_lowercase() == wanted) {
        return Ok(one);
    }
    let whole = matching(|key, wanted| key == wanted || word::short(key) == wanted);
    let begins = || matching(|key, wanted| key.starts_with(wanted) || is_end_of_id(key, wanted));
    let found = if whole.is_empty() { begins() } else { whole };
    match found.as_slice() {
        [one] if !text.is_empty() => Ok(one),
        [] => {
            let known = all.iter().map(|it| keys(it)[1].to_lowercase()).collect();
            let meant = nearest(&wanted, &known).map(|it| format!("; is {it:?} meant?")).unwrap_or_default();
            let text = format!("there is no {what} {text:?} in this tenant{meant}\n  {}", listing(what));
            Err(KnownFailure::not_found(text).into())
        }
        several => {
            let mut names: Vec<_> = several.iter().take(MAX_CANDIDATES).map(|it| named(keys(it))).collect();
            if several.len() > MAX_CANDIDATES {
                names.push(format!("{} more", several.len() - MAX_CANDIDATES));
            }
            let fits = if text.is_empty() { format!("any {what}") } else { format!("{} of them", several.len()) };
            Err(UsageError::new(format!("{text:?} fits {fits}; say more: {}", word::listed(&names))).into())
        }
    }
}

/// Fewer characters are a word with a typo as well.
const SHORTEST_END: usize = 4;

fn is_end_of_id(key: &str, wanted: &str) -> bool {
    wanted.len() >= SHORTEST_END && word::short(key) != key && word::short(key).ends_with(wanted)
}

/// The command that lists what there is.
fn listing(what: &str) -> &'static str {
    match what {
        "agent" => "`baton agent list` lists them.",
        "team" => "`baton team list` lists them.",
        "queue" => "`baton queue list` lists them.",
        "site" => "`baton site list` lists them.",
        "agent, team or queue" => "`baton transfer targets --all` lists them.",
        "external number" => "`baton number external list` lists them.",
        "IVR flow" => "`baton ivr list` lists them.",
        "call flow" => "`baton flow list` lists them.",
        "transfer" => "`baton transfer list` lists them.",
        "recording" => "`baton recording list` lists them.",
        "message" => "`baton voicemail list` lists them.",
        _ => "`baton call list --all` lists them.",
    }
}

/// An item without a name has its id for both keys.
fn named([id, name]: [&str; 2]) -> String {
    if id == name { id.to_owned() } else { format!("{id} {name}") }
}

pub(super) fn is_not_found(status: &tonic::Status) -> bool {
    status.code() == Code::NotFound
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::Action;

    use super::*;

    fn find(text: &str) -> Result<&'static str, String> {
        const ALL: [[&str; 2]; 3] = [["0192-a", "Ada"], ["0192-b", "Adam"], ["0193-c", "Ben"]];
        find_one("agent", text, &ALL, |it| *it).map(|it| it[1]).map_err(|it| it.to_string())
    }

    #[test]
    fn a_full_name_wins_over_the_beginning_of_another() {
        assert_eq!(find("ada"), Ok("Ada"));
        assert_eq!(find("Adam"), Ok("Adam"));
    }

    #[test]
    fn n8_a_shortened_id_or_the_end_of_it_names_its_item() {
        const ALL: [[&str; 2]; 2] =
            [["01980000-0000-7000-8000-0000000000a1", "Ada"], ["01980000-0000-7000-8000-0000000000a2", "Ben"]];
        for [id, name] in ALL {
            assert_eq!(find_one("agent", word::short(id), &ALL, |it| *it).unwrap()[1], name);
        }
        assert!(find_one("agent", "a2", &ALL, |it| *it).is_err(), "as well a name with a typo");
        assert_eq!(find_one("agent", "00a2", &ALL, |it| *it).unwrap()[1], "Ben");
    }

    #[test]
    fn n8_a_whole_id_is_nobodys_name() {
        const ADA: &str = "01980000-0000-7000-8000-0000000000a1";
        const BEN: &str = "01980000-0000-7000-8000-0000000000b2";
        for all in [[[ADA, "Ada"], [BEN, ADA]], [[BEN, ADA], [ADA, "Ada"]]] {
            for text in [ADA, &ADA.to_uppercase()] {
                assert_eq!(find_one("agent", text, &all, |it| *it).unwrap()[1], "Ada");
            }
            assert_eq!(find_one("agent", BEN, &all, |it| *it).unwrap()[0], BEN);
        }
    }

    #[test]
    fn the_beginning_of_a_name_or_id_is_enough_if_it_is_unique() {
        assert_eq!(find("b"), Ok("Ben"));
        assert_eq!(find("0193"), Ok("Ben"));
        assert!(find("0192").unwrap_err().contains("fits 2"));
        assert!(find("").unwrap_err().contains("say more"));
        assert!(find("Zoe").unwrap_err().contains("no agent \"Zoe\""));
        assert!(find("Bne").unwrap_err().contains("`baton agent list`"));
        assert!(find("Adaam").unwrap_err().contains("is \"adam\" meant?"));
    }

    #[test]
    fn n9_an_unknown_name_is_told_the_command_that_lists_its_sort() {
        use clap::CommandFactory as _;
        let sorts = ["agent", "team", "queue", "site", "agent, team or queue", "external number", "IVR flow"];
        for what in sorts.into_iter().chain(["call flow", "transfer", "recording", "message", "call"]) {
            let listing = listing(what);
            assert_eq!(listing.contains("baton call list"), what == "call", "{what}");
            let line = listing.split('`').nth(1).unwrap();
            let known = crate::cli::Cli::command().try_get_matches_from(line.split(' '));
            assert!(known.is_ok(), "{line}: {known:?}");
        }
    }

    #[test]
    fn n9_a_subject_with_a_typo_is_refused_with_the_nearest_kind() {
        assert!(no_subject("agnt", true).to_string().contains("is agent/… meant?"));
        assert!(no_subject("Ada", false).to_string().contains("agent/Ada"));
    }

    fn refused(text: &str, ids: &[&str]) -> String {
        find_one("call", text, ids, |it| [*it, *it]).unwrap_err().to_string()
    }

    #[test]
    fn an_item_without_a_name_is_listed_by_its_id_once() {
        assert_eq!(refused("01", &["01-a", "01-b"]), "\"01\" fits 2 of them; say more: 01-a and 01-b");
    }

    #[test]
    fn a_cut_list_of_candidates_says_how_many_more_there_are() {
        let seven = ["1a", "1b", "1c", "1d", "1e", "1f", "1g"];
        assert!(refused("1", &seven).ends_with("say more: 1a, 1b, 1c, 1d, 1e and 2 more"));
        assert!(refused("1", &seven[..5]).ends_with("say more: 1a, 1b, 1c, 1d and 1e"));
    }

    #[test]
    fn of_several_live_calls_the_callers_own_is_chosen() {
        let call = |id: &str, actions: &[Action]| Interaction {
            interaction_id: id.to_owned(),
            allowed_actions: actions.iter().map(|it| (*it).into()).collect(),
            ..Interaction::default()
        };
        let (one, hold) = (|| call("one", &[]), || call("two", &[Action::Hold]));
        assert_eq!(only_live(vec![one(), hold(), one()], true).unwrap().interaction_id, "two");
        assert!(only_live(vec![hold(), hold()], true).unwrap_err().to_string().contains("2 live calls"));
        assert!(only_live(vec![one(), one()], true).unwrap_err().to_string().contains("2 live calls"));
        assert_eq!(only_live(vec![one()], true).unwrap().interaction_id, "one");
    }

    #[test]
    fn an_empty_text_fits_nothing_even_if_there_is_one_item() {
        assert_eq!(refused("", &["01-a"]), "\"\" fits any call; say more: 01-a");
    }
}
