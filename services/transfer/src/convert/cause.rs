//! Causes of events as published: what a rule said is read from the policy and the call flow with which the interaction goes on.

use super::words::{action, reason};
use crate::live::Live;
use baton_api::common::v1::{self as wire, cause};
use baton_domain::{Cause, FactSort, RuleField, Trigger};

pub(crate) fn written(live: &Live, own: &Cause) -> wire::Cause {
    let agent_id = own.agent.map(|agent| agent.to_string()).unwrap_or_default();
    let (limit, rule) = (own.limit.and_then(|it| said(live, it)), own.rule.and_then(|it| said(live, it)));
    let base = wire::Cause { trigger: trigger(own.trigger).into(), agent_id, limit, rule, ..wire::Cause::default() };
    match own.trigger {
        Trigger::Call | Trigger::Deadline => base,
        Trigger::Command(own) => wire::Cause { action: action(own).into(), ..base },
        Trigger::Fact(sort, why) => {
            wire::Cause { fact: fact(sort).into(), reason: why.map(reason).unwrap_or_default(), ..base }
        }
    }
}

fn said(live: &Live, rule: RuleField) -> Option<wire::Rule> {
    Some(wire::Rule { path: rule.path(), value: rule.value(&live.policy, &live.flow)? })
}

fn trigger(trigger: Trigger) -> cause::Trigger {
    match trigger {
        Trigger::Call => cause::Trigger::Call,
        Trigger::Command(_) => cause::Trigger::Command,
        Trigger::Fact(..) => cause::Trigger::Fact,
        Trigger::Deadline => cause::Trigger::Deadline,
    }
}

fn fact(sort: FactSort) -> cause::Fact {
    match sort {
        FactSort::Answered => cause::Fact::Answered,
        FactSort::Seen => cause::Fact::Seen,
        FactSort::LegEnded => cause::Fact::LegEnded,
        FactSort::AnnouncementOver => cause::Fact::AnnouncementOver,
        FactSort::ExitOver => cause::Fact::ExitOver,
        FactSort::SegmentLive => cause::Fact::SegmentLive,
        FactSort::SegmentEnded => cause::Fact::SegmentEnded,
        FactSort::ClaimGranted => cause::Fact::ClaimGranted,
        FactSort::ClaimQueued => cause::Fact::ClaimQueued,
        FactSort::ClaimRefused => cause::Fact::ClaimRefused,
        FactSort::Queued => cause::Fact::Queued,
        FactSort::Proposed => cause::Fact::Proposed,
        FactSort::Exhausted => cause::Fact::Exhausted,
        FactSort::SwitchLost => cause::Fact::SwitchLost,
        FactSort::Unattended => cause::Fact::Unattended,
        FactSort::Closed => cause::Fact::Closed,
        FactSort::InFlow => cause::Fact::InFlow,
    }
}
