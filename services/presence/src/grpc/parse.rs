//! Requests become types, or a refusal that names the field.

use std::collections::BTreeSet;

use baton_api::common::v1::Skill;
use baton_api::presence::v1::{self as v1, Agent, AgentState, OpenSessionRequest, TargetFilter, TargetOrder, Team};
use baton_api::{ApiError, Known, fields, name, skill};
use baton_runtime::auth::{Caller, Role, TenantId};
use baton_store::requests::{BodyHash, RequestKey};
use tonic::Status;
use uuid::Uuid;

use crate::ids::{AgentId, SiteId, TeamId};
use crate::index::{self, PickerFilter, TypedSearch};
use crate::ops::session::SessionWanted;
use crate::ops::teams::MAX_MEMBERS;
use crate::record::{AgentProfile, Capacity};
use crate::sessions::OpeningRequest;
use crate::status::{RequestedState, ShownState};

/// Characters in a name, a reason or a search.
const MAX_TEXT: usize = 100;
/// The longest e-mail address, in bytes.
const MAX_EMAIL: usize = 254;
const MAX_PHONE: usize = 64;
/// A phone is in one call only.
const MOST_CALLS: u32 = 1;
/// Nobody writes in more chats than this.
const MOST_CHATS: u32 = 20;
/// Of one agent.
const MAX_SKILLS: usize = 50;
/// Digits of a telephone number, at least.
const FEWEST_DIGITS: usize = 7;
/// What telephones everywhere take for emergency numbers (ITU-T E.161.1, and what is older than that): never an extension.
const EMERGENCY: [&str; 4] = ["112", "911", "999", "000"];

/// The tenant that an internal request names.
pub(super) fn tenant(text: &str) -> Result<TenantId, ApiError> {
    text.parse().map_err(|error| ApiError::invalid_argument("tenant", format!("{error}")))
}

/// The caller as an agent. A caller who is no agent is answered like an agent who does not exist.
pub(super) fn caller_agent(caller: &Caller) -> Result<AgentId, ApiError> {
    subject_agent(caller).ok_or_else(|| ApiError::not_found("agent"))
}

/// The caller as an agent, if their subject is an agent's id.
pub(super) fn subject_agent(caller: &Caller) -> Option<AgentId> {
    Uuid::try_parse(&caller.subject).ok().map(AgentId)
}

/// Whose state a request sets.
pub(super) fn agent_to_set(caller: &Caller, agent_id: &str) -> Result<AgentId, ApiError> {
    if caller.role != Role::Agent {
        if agent_id.is_empty() {
            return Err(ApiError::invalid_argument("agent_id", "must name the agent whose state is to be set"));
        }
        return AgentId::parse("agent_id", agent_id);
    }
    let own = caller_agent(caller)?;
    if !agent_id.is_empty() && AgentId::parse("agent_id", agent_id)? != own {
        let message = "Agents set their own state only. Leave agent_id empty, or ask a supervisor.";
        return Err(ApiError::permission_denied(message));
    }
    Ok(own)
}

pub(super) fn profile(agent: &Agent) -> Result<AgentProfile, ApiError> {
    let ((name, email, phone), (capacity, skills, site)) = fields::all((
        fields::all((name::parse("agent.name", &agent.name), email(&agent.email), phone(&agent.phone))),
        fields::all((capacity(agent.capacity.as_ref()), skills(&agent.skills), site(&agent.site_id))),
    ))?;
    Ok(AgentProfile { phone, name, email, voicemail: agent.voicemail, capacity, skills, site })
}

/// How many interactions of each medium an agent may have; not given, as many as an agent has who is created without it.
pub(super) fn capacity(given: Option<&v1::Capacity>) -> Result<Capacity, ApiError> {
    let Some(given) = given else { return Ok(Capacity::default()) };
    let bounded = |field: &str, value: u32, most: u32| {
        if value <= most {
            return Ok(i64::from(value));
        }
        Err(ApiError::invalid_argument(&format!("agent.capacity.{field}"), format!("must be 0 to {most}")))
    };
    let (voice, chat, video) = fields::all((
        bounded("voice", given.voice, MOST_CALLS),
        bounded("chat", given.chat, MOST_CHATS),
        bounded("video", given.video, MOST_CALLS),
    ))?;
    Ok(Capacity { voice, chat, video })
}

pub(super) fn skills(skills: &[Skill]) -> Result<Vec<Skill>, ApiError> {
    skill::parse("agent.skills", skills, MAX_SKILLS)
}

/// The site at which an agent works, if any.
pub(super) fn site(site_id: &str) -> Result<Option<SiteId>, ApiError> {
    Some(site_id).filter(|it| !it.is_empty()).map(|it| SiteId::parse("agent.site_id", it)).transpose()
}

/// An address on the switch. A number outside is refused, however it is written: only a dial rule allows it to be dialled (X3, S7).
pub(super) fn phone(phone: &str) -> Result<String, ApiError> {
    if EMERGENCY.contains(&phone) {
        let why = "is an emergency number; give the phone another address";
        return Err(ApiError::invalid_argument("agent.phone", why));
    }
    if is_number(phone) {
        let why = "is a telephone number, and would be dialled outside without a rule that allows it; give the address of a phone \
                   on the switch, such as ada-1. An agent who is outside is called as a number, by a dial rule";
        return Err(ApiError::invalid_argument("agent.phone", why));
    }
    let allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "._-".contains(it);
    let is_short = (1..=MAX_PHONE).contains(&phone.len());
    if !is_short || !phone.chars().all(allowed) || phone.starts_with('.') {
        let why = format!("must be 1 to {MAX_PHONE} characters of a-z 0-9 . _ - and not begin with a dot");
        return Err(ApiError::invalid_argument("agent.phone", why));
    }
    Ok(phone.to_owned())
}

/// Whether it is a telephone number: with or without the `+` of E.164, a scheme, and what people write between the digits. Shorter ones
/// are extensions.
fn is_number(phone: &str) -> bool {
    let lower = phone.to_ascii_lowercase();
    let scheme = ["tel", "sip", "sips", "callto"].into_iter().filter_map(|it| lower.strip_prefix(it));
    let rest = scheme.filter(|it| it.starts_with([':', '.', '_', '-'])).min_by_key(|it| it.len()).unwrap_or(&lower);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let is_written_as_one = rest.chars().all(|it| it.is_ascii_digit() || "+:._-() /".contains(it));
    digits >= FEWEST_DIGITS && is_written_as_one
}

/// A team's name and members.
pub(super) fn team(team: &Team) -> Result<(String, BTreeSet<AgentId>), ApiError> {
    fields::all((name::parse("team.name", &team.name), agent_ids("team.agent_ids", &team.agent_ids, MAX_MEMBERS)))
}

/// The agents who become members of a team, or are no longer.
pub(super) fn members(texts: &[String]) -> Result<BTreeSet<AgentId>, ApiError> {
    let members = agent_ids("agent_ids", texts, MAX_MEMBERS)?;
    if members.is_empty() {
        return Err(ApiError::invalid_argument("agent_ids", "must name at least one agent"));
    }
    Ok(members)
}

/// Agents' ids, each once.
pub(super) fn agent_ids(field: &str, texts: &[String], most: usize) -> Result<BTreeSet<AgentId>, ApiError> {
    at_most(field, texts, most)?.iter().map(|it| AgentId::parse(field, it)).collect()
}

/// Teams' ids, each once.
pub(super) fn team_ids(field: &str, texts: &[String], most: usize) -> Result<BTreeSet<TeamId>, ApiError> {
    at_most(field, texts, most)?.iter().map(|it| TeamId::parse(field, it)).collect()
}

fn at_most<'a>(field: &str, texts: &'a [String], most: usize) -> Result<&'a [String], ApiError> {
    if texts.len() > most {
        return Err(ApiError::invalid_argument(field, format!("must be {most} at most")));
    }
    Ok(texts)
}

/// The state that an agent requests.
pub(super) fn requested_state(state: i32, away_reason: &str) -> Result<RequestedState, ApiError> {
    let (state, ()) = fields::all((free_state(state), text("away_reason", away_reason)))?;
    match state {
        FreeState::Available if away_reason.is_empty() => Ok(RequestedState::Available),
        FreeState::Available => Err(ApiError::invalid_argument("away_reason", "is only for AWAY")),
        FreeState::Away => Ok(RequestedState::Away(away_reason.to_owned())),
    }
}

/// The states that an agent may request.
enum FreeState {
    Available,
    Away,
}

fn free_state(state: i32) -> Result<FreeState, ApiError> {
    match AgentState::try_from(state) {
        Ok(AgentState::Available) => Ok(FreeState::Available),
        Ok(AgentState::Away) => Ok(FreeState::Away),
        _ => {
            let why = "must be AVAILABLE or AWAY; the other states follow from what happens";
            Err(ApiError::invalid_argument("state", why))
        }
    }
}

/// The state that a client requests as it connects; `None` for the one that the agent last requested.
pub(super) fn initial_state(state: i32) -> Result<Option<RequestedState>, ApiError> {
    if state == AgentState::Unspecified as i32 {
        return Ok(None);
    }
    requested_state(state, "").map(Some)
}

/// What a unary request for a session wants.
pub(super) fn session_wanted(caller: &Caller, request: &OpenSessionRequest) -> Result<SessionWanted, Status> {
    const METHOD: &str = "/baton.presence.v1.PresenceService/OpenSession";
    text("client", &request.client)?;
    let key = RequestKey::new(caller.tenant()?.as_str(), &caller.subject, METHOD, &request.request_id)?;
    let opening = Some(OpeningRequest { key, body: BodyHash::of(request) });
    Ok(SessionWanted { requested: initial_state(request.state)?, opening })
}

/// A state in which an agent may be chosen.
pub(super) fn choosable(state: i32) -> Result<ShownState, ApiError> {
    self::state("claims.choosable", state)
}

fn state(field: &str, state: i32) -> Result<ShownState, ApiError> {
    let state = AgentState::try_from(state).ok().and_then(Known::known);
    state.ok_or_else(|| ApiError::invalid_argument(field, "must be states of an agent"))
}

/// The filter of a picker; whoever looks is not shown to themselves.
pub(super) fn filter(filter: Option<&TargetFilter>, caller: Option<AgentId>) -> Result<PickerFilter, ApiError> {
    let all = TargetFilter::default();
    let filter = filter.unwrap_or(&all);
    let team = Some(&filter.team_id).filter(|it| !it.is_empty());
    let team = team.map(|it| TeamId::parse("filter.team_id", it)).transpose();
    let site = Some(&filter.site_id).filter(|it| !it.is_empty());
    let site = site.map(|it| SiteId::parse("filter.site_id", it)).transpose();
    let states = filter.states.iter().map(|it| state("filter.states", *it)).collect::<Result<Vec<_>, _>>();
    let order = match TargetOrder::try_from(filter.order) {
        Ok(TargetOrder::Unspecified) => Ok(index::TargetOrder::Name),
        Ok(TargetOrder::LongestIdle) => Ok(index::TargetOrder::LongestIdle),
        Err(_) => Err(ApiError::invalid_argument("filter.order", "must be an order that this version knows")),
    };
    let ((), team, site, states, order) =
        fields::all((text("filter.search", &filter.search), team, site, states, order))?;
    Ok(PickerFilter {
        search: TypedSearch::new(&filter.search),
        team,
        site,
        states,
        order,
        include_unavailable: filter.include_unavailable,
        caller,
        choice: None,
    })
}

/// A page token goes on in the order in which it was given.
pub(super) fn another_order() -> ApiError {
    ApiError::invalid_argument("page_token", "is of a list in another order; begin with the first page")
}

/// Checks free text: not too long, and without what would garble a screen or a log.
pub(super) fn text(field: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() > MAX_TEXT || name::hidden(text).is_some() {
        let why = format!("must be {MAX_TEXT} characters at most, without control characters and invisible ones");
        return Err(ApiError::invalid_argument(field, why));
    }
    Ok(())
}

/// Reads an id that another service made.
pub(super) fn foreign_id(field: &str, text: &str) -> Result<String, ApiError> {
    const MOST: usize = 128;
    if text.is_empty() || text.len() > MOST || !text.bytes().all(|it| it.is_ascii_graphic()) {
        let why = format!("must be 1 to {MOST} visible ASCII characters");
        return Err(ApiError::invalid_argument(field, why));
    }
    Ok(text.to_owned())
}

pub(super) fn email(email: &str) -> Result<String, ApiError> {
    let is_address = || {
        let (local, domain) = email.split_once('@')?;
        let odd = |it: char| it.is_whitespace() || it.is_control() || it == '@';
        (!local.is_empty() && !domain.is_empty() && !local.contains(odd) && !domain.contains(odd)).then_some(())
    };
    if email.len() > MAX_EMAIL || (!email.is_empty() && is_address().is_none()) {
        return Err(ApiError::invalid_argument("agent.email", "must be an e-mail address, or empty"));
    }
    Ok(email.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Agent {
        Agent { name: " Ada ".to_owned(), phone: "ada-1".to_owned(), ..Agent::default() }
    }

    #[test]
    fn a_good_agent_is_accepted_and_trimmed() {
        let agent = Agent { email: "ada@acme.test".to_owned(), ..ada() };
        let profile = profile(&agent).unwrap();
        assert_eq!((profile.name.as_str(), profile.email.as_str()), ("Ada", "ada@acme.test"));
    }

    #[test]
    fn a_bad_agent_is_refused_with_the_field() {
        let long = "x".repeat(101);
        let cases = [
            (Agent { name: "  ".to_owned(), ..ada() }, "agent.name"),
            (Agent { name: long.clone(), ..ada() }, "agent.name"),
            (Agent { name: "a\nb".to_owned(), ..ada() }, "agent.name"),
            (Agent { email: "ada".to_owned(), ..ada() }, "agent.email"),
            (Agent { email: "a b@c".to_owned(), ..ada() }, "agent.email"),
            (Agent { phone: String::new(), ..ada() }, "agent.phone"),
            (Agent { phone: "Ada".to_owned(), ..ada() }, "agent.phone"),
            (Agent { phone: "a&b".to_owned(), ..ada() }, "agent.phone"),
            (Agent { phone: ".ada".to_owned(), ..ada() }, "agent.phone"),
        ];
        for (agent, field) in cases {
            assert_eq!(profile(&agent).unwrap_err().fields[0].0, field, "{agent:?}");
        }
    }

    #[test]
    fn all_wrong_fields_are_named_at_once() {
        let bad = Agent { email: "ada".to_owned(), ..Agent::default() };
        let error = profile(&bad).unwrap_err();
        let names: Vec<_> = error.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["agent.name", "agent.email", "agent.phone"]);
        let error = requested_state(0, &"x".repeat(101)).unwrap_err();
        assert_eq!(error.fields.len(), 2, "{error:?}");
    }

    #[test]
    fn s7_a_telephone_number_is_no_agents_phone_however_it_is_written() {
        let plain = ["+3225550100", "3225550100", "5550100", "324700000012345", "3247000000123456", "3225550100-1"];
        let dressed = ["tel.3225550100", "tel:+3225550100", "sip-3225550100", "322.555_01-00", "TEL:+32 2 555 01 00"];
        for number in plain.into_iter().chain(dressed) {
            let error = profile(&Agent { phone: number.to_owned(), ..ada() }).unwrap_err();
            assert_eq!(error.fields[0].0, "agent.phone", "{number}");
            assert!(error.fields[0].1.contains("dial rule"), "{}", error.fields[0].1);
        }
        for number in EMERGENCY {
            let error = profile(&Agent { phone: number.to_owned(), ..ada() }).unwrap_err();
            assert!(error.fields[0].1.contains("emergency"), "{}", error.fields[0].1);
        }
        for extension in ["100", "555010", "desk-3225550100", "tel.ada", "telly-1", "1120"] {
            profile(&Agent { phone: extension.to_owned(), ..ada() }).unwrap();
        }
    }

    #[test]
    fn an_agent_may_request_only_two_states() {
        for state in [0, 1, 4, 5, 99] {
            assert_eq!(requested_state(state, "").unwrap_err().fields[0].0, "state");
        }
        assert_eq!(requested_state(AgentState::Away as i32, "tea"), Ok(RequestedState::Away("tea".to_owned())));
        assert!(requested_state(AgentState::Available as i32, "tea").is_err());
    }
}
