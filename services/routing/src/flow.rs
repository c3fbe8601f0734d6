//! Checks call flows that clients send, and fills in defaults.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::common::v1::{AgentRef, TeamRef};
use baton_api::routing::v1::call_flow_step::{RingAgent, RingTeam, Step, Voicemail, WaitInQueue};
use baton_api::routing::v1::{CallFlow, CallFlowStep, Queue};
use baton_api::{ApiError, fields, name};
use uuid::Uuid;

const MAX_STEPS: usize = 20;
const MAX_MAILBOX: usize = 64;
const DEFAULT_RING_MS: i64 = 20_000;
const MAX_RING_MS: i64 = 120_000;
const DEFAULT_WAIT_MS: i64 = 300_000;
const MAX_WAIT_MS: i64 = 3_600_000;

/// What an update can change.
pub(crate) const FIELDS: &[&str] = &["name", "steps", "skip_voicemail"];

/// The fields of a flow that are written; the others stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlowChange {
    name: Option<String>,
    steps: Option<CheckedSteps>,
    skip_voicemail: Option<bool>,
}

/// Valid steps without gaps.
#[derive(Debug, Clone, PartialEq)]
struct CheckedSteps {
    steps: Vec<CallFlowStep>,
    targets: FlowTargets,
}

impl FlowChange {
    /// Reads the named fields of what a client sent.
    pub(crate) fn parse(flow: &CallFlow, names: &[&str]) -> Result<Self, ApiError> {
        let has = |field| names.contains(&field);
        let (name, steps) = fields::all((
            has("name").then(|| name::parse("call_flow.name", &flow.name)).transpose(),
            has("steps").then(|| check_steps(flow.steps.clone())).transpose(),
        ))?;
        Ok(Self { name, steps, skip_voicemail: has("skip_voicemail").then_some(flow.skip_voicemail) })
    }

    /// Whom the new steps ring; `None` when the steps stay as they are.
    pub(crate) fn targets(&self) -> Option<&FlowTargets> {
        self.steps.as_ref().map(|it| &it.targets)
    }

    /// The flow after the change.
    pub(crate) fn of(self, before: &CallFlow) -> CallFlow {
        CallFlow {
            name: self.name.unwrap_or_else(|| before.name.clone()),
            steps: self.steps.map_or_else(|| before.steps.clone(), |it| it.steps),
            skip_voicemail: self.skip_voicemail.unwrap_or(before.skip_voicemail),
            ..before.clone()
        }
    }
}

/// Whether a client has filled in this field.
pub(crate) fn is_set(flow: &CallFlow, field: &str) -> bool {
    match field {
        "name" => !flow.name.is_empty(),
        "steps" => !flow.steps.is_empty(),
        _ => flow.skip_voicemail,
    }
}

/// The id of the flow that an update is of. One that may be created needs none, and gets `fresh_id`.
pub(crate) fn updated_id(text: &str, allow_missing: bool, fresh_id: Uuid) -> Result<Uuid, ApiError> {
    match text {
        "" if allow_missing => Ok(fresh_id),
        "" => {
            let why = "must be a UUID; may be empty with allow_missing alone, for a new flow";
            Err(ApiError::invalid_argument("call_flow.call_flow_id", why))
        }
        text => uuid("call_flow.call_flow_id", text),
    }
}

/// The agents and teams that a flow rings, each with the first field that names it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FlowTargets {
    pub(crate) agents: BTreeMap<Uuid, String>,
    pub(crate) teams: BTreeMap<Uuid, String>,
    pub(crate) queues: BTreeMap<Uuid, String>,
}

fn check_steps(mut steps: Vec<CallFlowStep>) -> Result<CheckedSteps, ApiError> {
    if steps.is_empty() || steps.len() > MAX_STEPS {
        return Err(ApiError::invalid_argument("call_flow.steps", format!("must be 1 to {MAX_STEPS}")));
    }
    let mut targets = FlowTargets::default();
    let checked = steps.iter_mut().enumerate();
    let checked = checked.map(|(number, step)| check_step(&format!("call_flow.steps[{number}]"), step, &mut targets));
    fields::each::<(), ()>(checked)?;
    Ok(CheckedSteps { steps, targets })
}

/// Whom a flow rings, by id, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedTargets {
    pub(crate) agents: BTreeSet<String>,
    pub(crate) teams: BTreeSet<String>,
    pub(crate) queues: BTreeSet<String>,
}

/// Whom a flow rings.
pub(crate) fn named(flow: &CallFlow) -> NamedTargets {
    let mut named = NamedTargets::default();
    for step in flow.steps.iter().filter_map(|it| it.step.as_ref()) {
        match step {
            Step::RingAgent(it) => named.agents.insert(it.agent_id.clone()),
            Step::RingTeam(it) => named.teams.insert(it.team_id.clone()),
            Step::Queue(it) => named.queues.insert(it.queue_id.clone()),
            Step::Voicemail(_) | Step::Disconnect(_) => false,
        };
    }
    named
}

impl NamedTargets {
    /// Those of them that are not among the ones that there are, in the order of their ids.
    pub(crate) fn missing(&self, agents: &[AgentRef], teams: &[TeamRef], queues: &[Queue]) -> Vec<String> {
        let gone_agents = self.agents.iter().filter(|id| !agents.iter().any(|it| it.agent_id == **id));
        let gone_teams = self.teams.iter().filter(|id| !teams.iter().any(|it| it.team_id == **id));
        let gone_queues = self.queues.iter().filter(|id| !queues.iter().any(|it| it.queue_id == **id));
        gone_agents.chain(gone_teams).chain(gone_queues).cloned().collect()
    }
}

fn check_step(field: &str, step: &mut CallFlowStep, targets: &mut FlowTargets) -> Result<(), ApiError> {
    match &mut step.step {
        None => Err(ApiError::invalid_argument(field, "must say what to do: one of the steps there are")),
        Some(Step::RingAgent(it)) => ring_agent(&format!("{field}.ring_agent"), it, targets),
        Some(Step::RingTeam(it)) => ring_team(&format!("{field}.ring_team"), it, targets),
        Some(Step::Voicemail(it)) => voicemail(&format!("{field}.voicemail"), it),
        Some(Step::Disconnect(_)) => Ok(()),
        Some(Step::Queue(it)) => wait_in_queue(&format!("{field}.queue"), it, targets),
    }
}

fn ring_agent(field: &str, step: &mut RingAgent, targets: &mut FlowTargets) -> Result<(), ApiError> {
    let id_field = format!("{field}.agent_id");
    let (id, ()) = fields::all((
        uuid(&id_field, &step.agent_id),
        duration(&format!("{field}.ring_ms"), &mut step.ring_ms, DEFAULT_RING_MS, MAX_RING_MS),
    ))?;
    step.agent_id = id.to_string();
    targets.agents.entry(id).or_insert(id_field);
    Ok(())
}

fn ring_team(field: &str, step: &mut RingTeam, targets: &mut FlowTargets) -> Result<(), ApiError> {
    let id_field = format!("{field}.team_id");
    let (id, (), ()) = fields::all((
        uuid(&id_field, &step.team_id),
        duration(&format!("{field}.ring_ms"), &mut step.ring_ms, DEFAULT_RING_MS, MAX_RING_MS),
        duration(&format!("{field}.wait_ms"), &mut step.wait_ms, DEFAULT_WAIT_MS, MAX_WAIT_MS),
    ))?;
    step.team_id = id.to_string();
    targets.teams.entry(id).or_insert(id_field);
    Ok(())
}

fn wait_in_queue(field: &str, step: &mut WaitInQueue, targets: &mut FlowTargets) -> Result<(), ApiError> {
    let id_field = format!("{field}.queue_id");
    let id = uuid(&id_field, &step.queue_id)?;
    step.queue_id = id.to_string();
    targets.queues.entry(id).or_insert(id_field);
    Ok(())
}

fn voicemail(field: &str, step: &Voicemail) -> Result<(), ApiError> {
    mailbox(&format!("{field}.mailbox"), &step.mailbox)
}

pub(crate) fn mailbox(field: &str, mailbox: &str) -> Result<(), ApiError> {
    let allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "._-".contains(it);
    let is_short = (1..=MAX_MAILBOX).contains(&mailbox.len());
    // The mailbox is a name on the switch, and perhaps in a file system.
    if !is_short || !mailbox.chars().all(allowed) || mailbox.starts_with('.') {
        let why = format!("must be 1 to {MAX_MAILBOX} characters of a-z 0-9 . _ - and not begin with a dot");
        return Err(ApiError::invalid_argument(field, why));
    }
    Ok(())
}

pub(crate) fn duration(field: &str, ms: &mut i64, default: i64, most: i64) -> Result<(), ApiError> {
    if !(0..=most).contains(ms) {
        let why = format!("must be 0 (for {default}) to {most}");
        return Err(ApiError::invalid_argument(field, why));
    }
    if *ms == 0 {
        *ms = default;
    }
    Ok(())
}

/// Reads an id that a client sent in `field`.
pub(crate) fn uuid(field: &str, text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::invalid_argument(field, "must be a UUID"))
}

#[cfg(test)]
mod tests {
    use baton_api::routing::v1::call_flow_step::Disconnect;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn flow(steps: Vec<Step>) -> CallFlow {
        let steps = steps.into_iter().map(|step| CallFlowStep { step: Some(step) }).collect();
        CallFlow { name: "Main".to_owned(), steps, ..CallFlow::default() }
    }

    fn check(flow: &CallFlow) -> Result<FlowChange, ApiError> {
        FlowChange::parse(flow, FIELDS)
    }

    fn agent(agent_id: &str, ring_ms: i64) -> Step {
        Step::RingAgent(RingAgent { agent_id: agent_id.to_owned(), ring_ms })
    }

    fn team(ring_ms: i64, wait_ms: i64) -> Step {
        Step::RingTeam(RingTeam { team_id: ID.to_string(), ring_ms, wait_ms })
    }

    fn mailbox(mailbox: &str) -> Step {
        Step::Voicemail(Voicemail { mailbox: mailbox.to_owned() })
    }

    #[test]
    fn defaults_are_filled_in() {
        let change = check(&flow(vec![agent(&ID.to_string(), 0), team(0, 0)])).unwrap();
        let targets = change.targets().unwrap();
        assert_eq!(targets.agents[&ID], "call_flow.steps[0].ring_agent.agent_id");
        assert_eq!(targets.teams[&ID], "call_flow.steps[1].ring_team.team_id");
        let expected = [agent(&ID.to_string(), 20_000), team(20_000, 300_000)];
        let steps: Vec<_> = change.of(&CallFlow::default()).steps.into_iter().filter_map(|it| it.step).collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn only_the_named_fields_are_looked_at_and_changed() {
        let before = CallFlow { skip_voicemail: true, ..flow(vec![mailbox("sales")]) };
        let sent = CallFlow { name: "Night".to_owned(), ..flow(vec![mailbox("")]) };
        let change = FlowChange::parse(&sent, &["name"]).unwrap();
        assert_eq!(change.targets(), None);
        assert_eq!(change.of(&before), CallFlow { name: "Night".to_owned(), ..before.clone() });
        let change = FlowChange::parse(&sent, &["skip_voicemail"]).unwrap();
        assert_eq!(change.of(&before), CallFlow { skip_voicemail: false, ..before.clone() });
    }

    #[test]
    fn only_a_flow_that_may_be_created_needs_no_id() {
        let fresh = Uuid::from_u128(8);
        assert_eq!(updated_id("", true, fresh), Ok(fresh));
        assert_eq!(updated_id(&ID.to_string(), true, fresh), Ok(ID));
        for (text, allow_missing) in [("", false), ("7", true), ("7", false)] {
            let error = updated_id(text, allow_missing, fresh).unwrap_err();
            assert_eq!(error.fields[0].0, "call_flow.call_flow_id");
        }
    }

    #[test]
    fn a_bad_flow_is_refused_with_the_field() {
        let end = || Step::Disconnect(Disconnect {});
        let cases = [
            (CallFlow { name: " ".to_owned(), ..flow(vec![end()]) }, "call_flow.name"),
            (flow(vec![]), "call_flow.steps"),
            (flow(vec![end(); 21]), "call_flow.steps"),
            (CallFlow { steps: vec![CallFlowStep { step: None }], ..flow(vec![]) }, "call_flow.steps[0]"),
            (flow(vec![end(), agent("bob", 0)]), "call_flow.steps[1].ring_agent.agent_id"),
            (flow(vec![agent(&ID.to_string(), -1)]), "call_flow.steps[0].ring_agent.ring_ms"),
            (flow(vec![team(120_001, 0)]), "call_flow.steps[0].ring_team.ring_ms"),
            (flow(vec![team(0, 3_600_001)]), "call_flow.steps[0].ring_team.wait_ms"),
            (flow(vec![mailbox("")]), "call_flow.steps[0].voicemail.mailbox"),
            (flow(vec![mailbox("a&b")]), "call_flow.steps[0].voicemail.mailbox"),
            (flow(vec![mailbox(".sales")]), "call_flow.steps[0].voicemail.mailbox"),
        ];
        for (bad, field) in cases {
            assert_eq!(check(&bad).unwrap_err().fields[0].0, field, "{bad:?}");
        }
    }

    #[test]
    fn all_wrong_fields_of_a_flow_are_named_at_once() {
        let bad = CallFlow { name: String::new(), ..flow(vec![agent("bob", -1), team(0, -1), mailbox("")]) };
        let error = check(&bad).unwrap_err();
        let names: Vec<_> = error.fields.iter().map(|(name, _)| name.as_str()).collect();
        let steps =
            ["[0].ring_agent.agent_id", "[0].ring_agent.ring_ms", "[1].ring_team.wait_ms", "[2].voicemail.mailbox"];
        assert_eq!(names[0], "call_flow.name");
        assert_eq!(names[1..], steps.map(|it| format!("call_flow.steps{it}")));
    }
}
