//! IVR flows: as routing has them, frozen into the core; and as the switch goes through them.

use baton_api::{
    ApiError,
    common::v1::{self as wire, IvrElement as WireElement, ivr_element::Element, ivr_transfer::To},
    routing::v1::ResolveIvrFlowResponse,
};
use baton_domain::machine::{FlowStep, IvrCase, IvrElement, IvrFlow, IvrStep};
use std::sync::Arc;

/// As a step of a call flow rings when it does not say for how long.
const RING_MS: i64 = 20_000;
const WAIT_MS: i64 = 300_000;

/// The flow as routing has it now. A transfer to somebody who was deleted goes to the next step.
pub(crate) fn frozen(found: &ResolveIvrFlowResponse) -> Result<IvrFlow, ApiError> {
    let lacking = |what: &str| ApiError::invalid_argument("ivr_flow", format!("routing's answer has no {what}"));
    let flow = found.ivr_flow.as_ref().ok_or_else(|| lacking("flow"))?;
    let elements = flow.elements.iter().map(|it| {
        let step = step(it.element.as_ref().ok_or_else(|| lacking("element"))?, found)?;
        Ok(IvrElement { label: it.label.as_str().into(), step })
    });
    Ok(IvrFlow {
        id: flow.ivr_flow_id.parse().map_err(|_| lacking("id"))?,
        name: flow.name.as_str().into(),
        round_trip: flow.round_trip,
        elements: elements.collect::<Result<_, ApiError>>()?,
    })
}

fn step(element: &Element, found: &ResolveIvrFlowResponse) -> Result<IvrStep, ApiError> {
    let text = |text: &str| -> Arc<str> { text.into() };
    Ok(match element {
        Element::Play(it) => IvrStep::Play(text(&it.announcement)),
        Element::Collect(it) => IvrStep::Collect {
            key: text(&it.key),
            announcement: text(&it.announcement),
            min: it.min_digits.unsigned_abs(),
            max: it.max_digits.unsigned_abs(),
            terminator: text(&it.terminator),
            first_digit_ms: it.first_digit_ms,
            between_digits_ms: it.between_digits_ms,
            tries: it.tries.unsigned_abs(),
            sensitive: it.sensitive,
        },
        Element::SetData(it) => IvrStep::SetData { key: text(&it.key), value: text(&it.value) },
        Element::Branch(it) => {
            let cases = it.cases.iter().map(|it| IvrCase { value: text(&it.value), goto: text(&it.goto) });
            IvrStep::Branch { key: text(&it.key), cases: cases.collect(), otherwise: text(&it.otherwise) }
        }
        Element::Transfer(it) => IvrStep::Transfer(target(it, found)?.map(Box::new)),
        Element::Return(_) => IvrStep::Return,
        Element::End(_) => IvrStep::End,
    })
}

fn target(it: &wire::IvrTransfer, found: &ResolveIvrFlowResponse) -> Result<Option<FlowStep>, ApiError> {
    Ok(match &it.to {
        None => None,
        Some(To::AgentId(id)) => {
            let agent = found.agents.iter().find(|agent| agent.agent_id == *id).map(super::facts::agent).transpose()?;
            agent.map(|agent| FlowStep::RingAgent { agent, ring_ms: RING_MS })
        }
        Some(To::TeamId(id)) => {
            let team = found.teams.iter().find(|team| team.team_id == *id);
            let bad = |_| ApiError::invalid_argument("team_id", "is no UUID");
            let step = team.map(|team| {
                let (team, name) = (team.team_id.parse().map_err(bad)?, team.name.as_str().into());
                Ok::<_, ApiError>(FlowStep::RingTeam { team, name, ring_ms: RING_MS, wait_ms: WAIT_MS })
            });
            step.transpose()?
        }
        Some(To::Mailbox(mailbox)) => Some(FlowStep::Voicemail(mailbox.as_str().into())),
    })
}

/// An element as the switch needs it: whom a transfer goes to is not for it to know.
pub(crate) fn for_the_switch(own: &IvrElement) -> WireElement {
    let element = match &own.step {
        IvrStep::Play(announcement) => Element::Play(wire::IvrPlay { announcement: announcement.to_string() }),
        IvrStep::Collect {
            key,
            announcement,
            min,
            max,
            terminator,
            first_digit_ms,
            between_digits_ms,
            tries,
            sensitive,
        } => Element::Collect(wire::IvrCollect {
            key: key.to_string(),
            announcement: announcement.to_string(),
            min_digits: min.cast_signed(),
            max_digits: max.cast_signed(),
            terminator: terminator.to_string(),
            first_digit_ms: *first_digit_ms,
            between_digits_ms: *between_digits_ms,
            tries: tries.cast_signed(),
            sensitive: *sensitive,
        }),
        IvrStep::SetData { key, value } => {
            Element::SetData(wire::IvrSetData { key: key.to_string(), value: value.to_string() })
        }
        IvrStep::Branch { key, cases, otherwise } => {
            let case = |it: &IvrCase| wire::IvrCase { value: it.value.to_string(), goto: it.goto.to_string() };
            let cases = cases.iter().map(case).collect();
            Element::Branch(wire::IvrBranch { key: key.to_string(), cases, otherwise: otherwise.to_string() })
        }
        IvrStep::Transfer(_) => Element::Transfer(wire::IvrTransfer { to: None }),
        IvrStep::Return => Element::Return(wire::IvrReturn {}),
        IvrStep::End => Element::End(wire::IvrEnd {}),
    };
    WireElement { label: own.label.to_string(), element: Some(element) }
}
