//! Why something happened, in plain words.

use super::{Names, word};
use crate::common::v1::{
    Action, Actor, Cause, Reason, Rule,
    actor::Kind,
    cause::{Fact, Trigger},
};

/// What came in, and the rule that decided. Whose doing it was is said where the cause is a command of somebody who is no agent. Empty for an event
/// that was stored without its cause.
pub fn why(cause: Option<&Cause>, actor: Option<&Actor>, names: &Names) -> String {
    let Some(cause) = cause else { return String::new() };
    let came_in = match cause.trigger() {
        Trigger::Unspecified => "something newer than this program".to_owned(),
        Trigger::Call if cause.agent_id.is_empty() => "the customer called".to_owned(),
        Trigger::Call => format!("{} called the customer", names.of(&cause.agent_id)),
        Trigger::Command => command(cause, actor, names),
        Trigger::Fact => fact(cause, names),
        Trigger::Deadline => "the time was up".to_owned(),
    };
    let rules = [&cause.limit, &cause.rule].into_iter().flatten().map(said);
    std::iter::once(came_in).chain(rules).collect::<Vec<_>>().join("; ")
}

fn said(rule: &Rule) -> String {
    format!("{} = {}", rule.path, word::one_line(&rule.value))
}

fn command(cause: &Cause, actor: Option<&Actor>, names: &Names) -> String {
    let who = match actor {
        _ if !cause.agent_id.is_empty() => format!(" by {}", names.of(&cause.agent_id)),
        Some(actor) if actor.kind() == Kind::Customer => " by the customer".to_owned(),
        Some(actor) if !matches!(actor.kind(), Kind::System | Kind::Unspecified) => {
            format!(" by: {}", word::actor_kind(actor.kind))
        }
        _ => String::new(),
    };
    let action = match cause.action() {
        Action::Unspecified => "something newer than this program".to_owned(),
        _ => word::action(cause.action),
    };
    format!("asked for{who} ({action})")
}

fn fact(cause: &Cause, names: &Names) -> String {
    let who = || match cause.agent_id.as_str() {
        "" => "the customer".to_owned(),
        id => names.of(id),
    };
    let reason = || word::or_dash(word::reason(cause.reason));
    match (cause.fact(), cause.reason()) {
        (Fact::Unspecified, _) => "something newer than this program was observed".to_owned(),
        (Fact::Answered, _) => format!("{} answered", who()),
        (Fact::Seen, _) => format!("the switch has {} in place", who()),
        (Fact::LegEnded, Reason::HungUp) => format!("{} hung up", who()),
        (Fact::LegEnded, Reason::Declined) => format!("{} declined", who()),
        (Fact::LegEnded, Reason::NoAnswer) => format!("{}: the phone rang out", who()),
        (Fact::LegEnded, _) => format!("{}: the line ended ({})", who(), reason()),
        (Fact::AnnouncementOver, _) => "the announcement has been played".to_owned(),
        (Fact::ExitOver, _) => "the customer is no longer in voicemail, or in the flow".to_owned(),
        (Fact::SegmentLive, _) => "the switch began to write".to_owned(),
        (Fact::SegmentEnded, _) => "the switch has closed what it wrote".to_owned(),
        (Fact::ClaimGranted, _) => format!("presence granted the claim on {}", who()),
        (Fact::ClaimQueued, _) => format!("presence has {} in another call", who()),
        (Fact::ClaimRefused, _) => format!("presence refused the claim on {} ({})", who(), reason()),
        (Fact::Queued, _) => "routing has it in the queue".to_owned(),
        (Fact::Proposed, _) => "routing proposed somebody".to_owned(),
        (Fact::Exhausted, _) => "routing has nobody to propose".to_owned(),
        (Fact::Unattended, _) => "nobody who serves the queue is signed in".to_owned(),
        (Fact::Closed, _) => "the queue is closed".to_owned(),
        (Fact::InFlow, _) => "the switch has the customer in the flow".to_owned(),
        (Fact::SwitchLost, _) => "the switch lost its calls, or was silent for too long".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        [("a", "Ada"), ("b", "Ben")].map(|(id, name)| (id.to_owned(), name.to_owned())).into_iter().collect()
    }

    fn text(cause: &Cause, actor: Kind) -> String {
        why(Some(cause), Some(&Actor { kind: actor.into(), ..Actor::default() }), &names())
    }

    fn rule(path: &str, value: &str) -> Rule {
        Rule { path: path.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_command_says_who_asked_for_what() {
        let base = Cause { trigger: Trigger::Command.into(), action: Action::End.into(), ..Cause::default() };
        let of_agent = Cause { agent_id: "a".to_owned(), ..base.clone() };
        assert_eq!(text(&of_agent, Kind::Agent), "asked for by Ada (end)");
        assert_eq!(text(&of_agent, Kind::System), "asked for by Ada (end)");
        assert_eq!(text(&base, Kind::Supervisor), "asked for by: supervisor (end)");
        assert_eq!(text(&base, Kind::System), "asked for (end)");
    }

    #[test]
    fn a_phone_that_rang_out_has_its_time_and_the_rule() {
        let cause = Cause {
            trigger: Trigger::Fact.into(),
            fact: Fact::LegEnded.into(),
            reason: Reason::NoAnswer.into(),
            agent_id: "b".to_owned(),
            limit: Some(rule("methods.warm.offer.ring_ms", "20000")),
            rule: Some(rule("methods.warm.on_unanswered", "\"fail\"")),
            ..Cause::default()
        };
        assert_eq!(
            text(&cause, Kind::System),
            "Ben: the phone rang out; methods.warm.offer.ring_ms = 20000; methods.warm.on_unanswered = \"fail\""
        );
    }

    #[test]
    fn facts_without_an_agent_are_the_customers() {
        let cause = |fact: Fact, reason: Reason| Cause {
            trigger: Trigger::Fact.into(),
            fact: fact.into(),
            reason: reason.into(),
            ..Cause::default()
        };
        assert_eq!(text(&cause(Fact::LegEnded, Reason::HungUp), Kind::Customer), "the customer hung up");
        assert_eq!(text(&cause(Fact::LegEnded, Reason::Declined), Kind::Customer), "the customer declined");
        assert_eq!(
            text(&cause(Fact::LegEnded, Reason::SwitchLost), Kind::System),
            "the customer: the line ended (switch lost)"
        );
    }

    #[test]
    fn what_was_stored_without_a_cause_says_nothing() {
        assert_eq!(why(None, None, &names()), "");
    }
}
