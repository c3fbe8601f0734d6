//! Which interactions a list or a watch is of. One filter for both: what the list finds in the database, the watch recognises in a change.

use crate::{live::Live, tenants::Tenants};
use baton_api::{
    ApiError, fields, telephone,
    transfer::v1::{InteractionFilter, interaction::State},
};
use baton_domain::{
    Interaction, Target,
    interaction::{ExitTo, Stage},
    machine::FlowStep,
};
use baton_words::{AgentId, InteractionId, LegNo, TeamId};
use std::collections::BTreeSet;

/// A stage in the form in which it is stored.
pub(crate) fn stage(interaction: &Interaction) -> &'static str {
    match &interaction.stage {
        Stage::Seeking(_) => "in_flow",
        Stage::Exiting(exit) if matches!(exit.to, ExitTo::Flow(_)) => "in_flow",
        Stage::Exiting(_) => "in_voicemail",
        Stage::Served(_) if interaction.primary().is_none() => "with_external",
        Stage::Served(_) => "with_agent",
        Stage::Farewell { .. } => "ending",
        Stage::Ended(_) => "ended",
    }
}

fn stage_of(state: State) -> Option<&'static str> {
    match state {
        State::Unspecified => None,
        State::InFlow => Some("in_flow"),
        State::InVoicemail => Some("in_voicemail"),
        State::WithAgent => Some("with_agent"),
        State::WithExternal => Some("with_external"),
        State::Ending => Some("ending"),
        State::Ended => Some("ended"),
    }
}

/// Every part that is given has to fit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Whom the caller is limited to, as an agent is to themselves.
    pub(crate) only_of: Option<AgentId>,
    /// Who is or was a party.
    pub(crate) agent: Option<AgentId>,
    /// In whose queue it is or was.
    pub(crate) team: Option<TeamId>,
    pub(crate) number: Option<String>,
    pub(crate) customer_key: Option<String>,
    pub(crate) leg: Option<LegFilter>,
    /// Empty: in any.
    pub(crate) stages: BTreeSet<&'static str>,
    /// Opened at or after this time, and before that one.
    pub(crate) from_us: Option<i64>,
    pub(crate) before_us: Option<i64>,
}

/// How a leg is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LegFilter {
    /// By Baton; the name says of which interaction it is.
    Own(InteractionId),
    /// By the switch.
    OfSwitch(String),
}

impl Filter {
    pub(crate) fn parse(
        asked: Option<&InteractionFilter>,
        only_of: Option<AgentId>,
        tenant: &str,
        tenants: &Tenants,
    ) -> Result<Self, ApiError> {
        let none = InteractionFilter::default();
        let asked = asked.unwrap_or(&none);
        let states: Result<Vec<State>, _> = fields::each(asked.states.iter().map(|state| {
            let known = State::try_from(*state).ok().filter(|it| *it != State::Unspecified);
            known.ok_or_else(|| ApiError::invalid_argument("filter.states", "has a state that is not known"))
        }));
        let ((agent, team), (from_us, before_us), states) = fields::all((
            fields::all((id("filter.agent_id", &asked.agent_id), id("filter.team_id", &asked.team_id))),
            fields::all((
                time_us("filter.opened_from_time", asked.opened_from_time.as_ref()),
                time_us("filter.opened_before_time", asked.opened_before_time.as_ref()),
            )),
            states,
        ))?;
        let key = match (asked.customer.as_str(), asked.customer_key.as_str()) {
            ("", "") => None,
            ("", key) => Some(key.to_owned()),
            (customer, _) => Some(tenants.pseudonym(tenant, &telephone::caller(customer))),
        };
        Ok(Self {
            only_of,
            agent,
            team,
            number: given(&asked.number),
            customer_key: key,
            leg: given(&asked.leg_id).map(|leg| match LegNo::parse(&leg) {
                Ok((interaction, _)) => LegFilter::Own(interaction),
                Err(_) => LegFilter::OfSwitch(leg),
            }),
            stages: states.into_iter().filter_map(stage_of).collect(),
            from_us,
            before_us,
        })
    }

    /// Whether the interaction, as it is now, is one of these. Agents who have left it are no longer seen.
    pub(crate) fn fits(&self, live: &Live) -> bool {
        let has_agent = |agent: &AgentId| {
            live.agent(*agent).is_some() || live.claims().wanted.iter().any(|claim| claim.agent == *agent)
        };
        self.only_of.iter().chain(&self.agent).all(has_agent)
            && (self.stages.is_empty() || self.stages.contains(stage(live)))
            && self.is_about(live)
    }

    /// Whether all fits but the stage and the agents, which change in the course of a call.
    pub(crate) fn is_about(&self, live: &Live) -> bool {
        let has_leg = |leg: &LegFilter| match leg {
            LegFilter::Own(id) => live.id == *id,
            LegFilter::OfSwitch(name) => crate::convert::view::switch_leg(live) == *name,
        };
        self.team.is_none_or(|team| teams(live).any(|it| it == team))
            && self.number.as_ref().is_none_or(|number| **number == *live.number)
            && self.customer_key.as_ref().is_none_or(|key| **key == *live.customer_key)
            && self.leg.as_ref().is_none_or(has_leg)
            && self.from_us.is_none_or(|from_us| live.opened_at_us >= from_us)
            && self.before_us.is_none_or(|before_us| live.opened_at_us < before_us)
    }
}

/// The teams in whose queue the interaction is or was.
fn teams(interaction: &Interaction) -> impl Iterator<Item = TeamId> {
    let steps = interaction.flow.steps.iter().take(interaction.flow.next).filter_map(|step| match step {
        FlowStep::RingTeam { team, .. } => Some(*team),
        FlowStep::RingAgent { .. } | FlowStep::Voicemail(_) | FlowStep::Disconnect | FlowStep::Queue(_) => None,
    });
    let of = |target: &Target| match target {
        Target::Team { id, .. } => Some(*id),
        Target::Agent(_) | Target::Queue(_) | Target::External(_) | Target::IvrFlow(_) => None,
    };
    let hops = interaction.journey.iter().filter_map(move |hop| of(&hop.target));
    let open = interaction.transfer.iter().filter_map(move |transfer| of(&transfer.target));
    steps.chain(hops).chain(open)
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn id<I: std::str::FromStr>(field: &str, text: &str) -> Result<Option<I>, ApiError> {
    let parsed = (!text.is_empty()).then(|| text.parse()).transpose();
    parsed.map_err(|_| ApiError::invalid_argument(field, "is no id (a UUID)"))
}

pub(crate) fn time_us(field: &str, time: Option<&prost_types::Timestamp>) -> Result<Option<i64>, ApiError> {
    let us = |time: &prost_types::Timestamp| {
        time.seconds.checked_mul(1_000_000).and_then(|us| us.checked_add(i64::from(time.nanos) / 1_000))
    };
    let us = time.map(|time| us(time).ok_or_else(|| ApiError::invalid_argument(field, "is out of range")));
    us.transpose()
}
