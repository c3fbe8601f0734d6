//! Why something happened (B612): what came in, how long was waited for it, and which rule decided what comes of it. An event carries its cause as
//! it carries its actor; what a rule says is read from where it stands ([`RuleField::value`]), and is never written a second time.

use crate::{
    action::Action,
    input::Fact,
    machine::{Flow, FlowStep},
    policy::{ConsultRules, InteractionRules, Method, PhaseRules, Policy},
    queue::{Instead, Queue},
};
use baton_words::{AgentId, Reason, TransferKind};
use serde::Serialize;

/// Why an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    pub trigger: Trigger,
    /// The agent who commanded, for whom it was commanded, or whose claim or leg it is; none: the customer's leg, or nobody's.
    pub agent: Option<AgentId>,
    /// How long may be waited for what did not come: of a deadline that has passed, and of a phone that has rung out.
    pub limit: Option<RuleField>,
    /// What decided what comes of it, where there was a choice.
    pub rule: Option<RuleField>,
}

/// What came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The call itself: a customer calls, or an agent calls a customer.
    Call,
    Command(Action),
    /// Something was observed; with a reason, where the fact has one.
    Fact(FactSort, Option<Reason>),
    /// A deadline has passed: see [`Cause::limit`].
    Deadline,
}

/// What was observed, without whom it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactSort {
    /// A leg is connected.
    Answered,
    /// A leg that was connected before is seen in a room.
    Seen,
    LegEnded,
    AnnouncementOver,
    ExitOver,
    SegmentLive,
    SegmentEnded,
    ClaimGranted,
    ClaimQueued,
    ClaimRefused,
    Queued,
    Proposed,
    Exhausted,
    SwitchLost,
    Unattended,
    Closed,
    /// The customer is in an IVR flow, or the flow has collected or set something.
    InFlow,
}

impl FactSort {
    /// `connected`: the leg that it is about was connected before.
    pub(crate) fn of(fact: &Fact, connected: bool) -> Self {
        match fact {
            Fact::LegUp(..) if connected => Self::Seen,
            Fact::LegUp(..) => Self::Answered,
            Fact::LegEnded(..) => Self::LegEnded,
            Fact::AnnouncementOver(_) => Self::AnnouncementOver,
            Fact::ExitOver(..) | Fact::FlowOver(..) => Self::ExitOver,
            Fact::SegmentLive(_) => Self::SegmentLive,
            Fact::SegmentEnded(..) => Self::SegmentEnded,
            Fact::ClaimGranted(_) => Self::ClaimGranted,
            Fact::ClaimQueued(_) => Self::ClaimQueued,
            Fact::ClaimRefused(..) => Self::ClaimRefused,
            Fact::Queued(..) => Self::Queued,
            Fact::Proposed(..) => Self::Proposed,
            Fact::Exhausted(_) => Self::Exhausted,
            Fact::SwitchLost => Self::SwitchLost,
            Fact::Unattended(_) => Self::Unattended,
            Fact::Closed(_) => Self::Closed,
            Fact::InFlow(..) => Self::InFlow,
        }
    }
}

/// One field that decides: of the tenant's policy, or of a step of the number's call flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleField {
    House(HouseField),
    Method(TransferKind, MethodField),
    Consult(TransferKind, ConsultField),
    /// Of the step with this number, from 1.
    Step(u32, StepField),
    /// Of the queue that the customer waits in, with what it says.
    Queue(QueueRule),
    /// Of the phase in which the customer is in an IVR flow.
    Away(TransferKind, AwayField),
}

/// What a queue says, as it was when it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueRule {
    Ring(i64),
    MaxWait(i64),
    WhenUnattended(Instead),
    WhenDeclined(Instead),
}

impl QueueRule {
    /// What the queue says where nobody can be asked for this reason; a closed one says nothing.
    pub(crate) fn of_nobody(queue: &Queue, why: Reason) -> Option<Self> {
        match why {
            Reason::QueueClosed => None,
            Reason::NobodySignedIn => Some(Self::WhenUnattended(queue.when_unattended)),
            _ => Some(Self::WhenDeclined(queue.when_declined)),
        }
    }

    pub(crate) fn instead(self) -> Option<Instead> {
        match self {
            Self::WhenUnattended(instead) | Self::WhenDeclined(instead) => Some(instead),
            Self::Ring(_) | Self::MaxWait(_) => None,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Ring(_) => "queue.ring_ms",
            Self::MaxWait(_) => "queue.max_wait_ms",
            Self::WhenUnattended(_) => "queue.when_unattended",
            Self::WhenDeclined(_) => "queue.when_declined",
        }
    }

    fn value(self) -> Option<String> {
        match self {
            Self::Ring(ms) | Self::MaxWait(ms) => as_written(&ms),
            Self::WhenUnattended(instead) | Self::WhenDeclined(instead) => as_written(&instead),
        }
    }
}

/// Defines fields of a table. A field's path is what it is read by, so that none can be named that there is not.
macro_rules! fields {
    ($(#[$doc:meta])* $list:ident of $table:ty { $($field:ident = $first:ident $(. $rest:ident)*,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $list { $($field,)+ }

        impl $list {
            /// Every field, in order.
            pub const ALL: &'static [Self] = &[$(Self::$field,)+];

            /// The dotted path within its table.
            pub fn path(self) -> &'static str {
                match self { $(Self::$field => concat!(stringify!($first), $(".", stringify!($rest)),*),)+ }
            }

            fn value(self, table: &$table) -> Option<String> {
                match self { $(Self::$field => as_written(&table.$first $(.$rest)*),)+ }
            }
        }
    };
}

fields! {
    /// A field of `[interaction]`.
    HouseField of InteractionRules {
        MaxCall = max_call_ms,
        DialRing = dial_ring_ms,
        DialStates = dial_states,
        WhenNobody = when_nobody,
        HoldMax = hold_max_ms,
        HoldReminder = hold_reminder_ms,
        Voicemail = voicemail_ms,
        ClaimAnswer = claim_answer_ms,
        RingSilence = ring_silence_ms,
        HandOver = hand_over_ms,
        Farewell = farewell_ms,
        Orphan = orphan,
        CustomerGone = customer_gone,
    }
}

fields! {
    /// A field of `[methods.<kind>]`.
    MethodField of Method {
        Customer = customer,
        Released = released,
        QueueSuccess = queue_success,
        OnUnanswered = on_unanswered,
        AfterFailure = after_failure,
        Ring = offer.ring_ms,
        Wait = offer.wait_ms,
        WhenNobody = offer.when_nobody,
        Choosable = offer.choosable,
        WhenBusy = offer.when_busy,
        Fallback = offer.fallback,
        OfferedMax = offered.max_ms,
        OfferedOnTimeout = offered.on_timeout,
        OfferedInitiatorLeaves = offered.initiator_leaves,
    }
}

fields! {
    /// A field of `[methods.<kind>.consult]`.
    ConsultField of ConsultRules {
        AnsweredWhileResumed = answered_while_resumed,
        HoldAfterComplete = hold_after_complete,
        MuteHandsOver = mute_hands_over,
        ConsultingMax = consulting.max_ms,
        ConsultingOnTimeout = consulting.on_timeout,
        ConsultingInitiatorLeaves = consulting.initiator_leaves,
        JoinedMax = joined.max_ms,
        JoinedOnTimeout = joined.on_timeout,
        JoinedInitiatorLeaves = joined.initiator_leaves,
        CustomerGone = customer_gone,
    }
}

fields! {
    /// A field of `[methods.<kind>.away]`.
    AwayField of PhaseRules {
        Max = max_ms,
        OnTimeout = on_timeout,
        InitiatorLeaves = initiator_leaves,
    }
}

/// A time of a step of the call flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepField {
    Ring,
    Wait,
}

impl RuleField {
    /// Where it stands: the dotted path as in a policy's TOML, or in a call flow whose steps are counted from 1.
    pub fn path(self) -> String {
        match self {
            Self::House(field) => format!("interaction.{}", field.path()),
            Self::Method(kind, field) => format!("methods.{kind}.{}", field.path()),
            Self::Consult(kind, field) => format!("methods.{kind}.consult.{}", field.path()),
            Self::Away(kind, field) => format!("methods.{kind}.away.{}", field.path()),
            Self::Step(no, StepField::Ring) => format!("steps.{no}.ring_ms"),
            Self::Step(no, StepField::Wait) => format!("steps.{no}.wait_ms"),
            Self::Queue(rule) => rule.path().to_owned(),
        }
    }

    /// What it says under this policy and in this call flow, as TOML; none where there is no such field.
    pub fn value(self, policy: &Policy, flow: &Flow) -> Option<String> {
        match self {
            Self::House(field) => field.value(&policy.interaction),
            Self::Method(kind, field) => field.value(policy.method(kind)?),
            Self::Consult(kind, field) => field.value(policy.method(kind)?.consult.as_ref()?),
            Self::Queue(rule) => rule.value(),
            Self::Away(kind, field) => field.value(policy.method(kind)?.away.as_ref()?),
            Self::Step(no, field) => {
                let step = flow.steps.get((no as usize).checked_sub(1)?)?;
                match (step, field) {
                    (FlowStep::RingAgent { ring_ms, .. } | FlowStep::RingTeam { ring_ms, .. }, StepField::Ring) => {
                        as_written(ring_ms)
                    }
                    (FlowStep::RingTeam { wait_ms, .. }, StepField::Wait) => as_written(wait_ms),
                    _ => None,
                }
            }
        }
    }
}

fn as_written(value: &impl Serialize) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PROFILES;

    /// Every field of the policy that a cause may name, for this kind of transfer.
    fn fields(kind: TransferKind, consults: bool, flows: bool) -> Vec<RuleField> {
        let house = HouseField::ALL.iter().map(|field| RuleField::House(*field));
        let method = MethodField::ALL.iter().map(|field| RuleField::Method(kind, *field));
        let consult = ConsultField::ALL.iter().filter(|_| consults).map(|field| RuleField::Consult(kind, *field));
        let away = AwayField::ALL.iter().filter(|_| flows).map(|field| RuleField::Away(kind, *field));
        house.chain(method).chain(consult).chain(away).collect()
    }

    #[test]
    fn every_field_stands_in_every_profile_with_its_value() {
        for profile in PROFILES {
            let written: toml::Table = toml::from_str(profile.toml).expect("valid");
            let policy = crate::policy::parse(profile.name, "", vec![]).expect("valid");
            for (kind, method) in &policy.methods {
                for rule in fields(*kind, method.consult.is_some(), method.away.is_some()) {
                    let path = rule.path();
                    let mut names = path.split('.');
                    let first = written.get(names.next().expect("one name"));
                    let value = names.fold(first, |table, name| table?.get(name)).map(ToString::to_string);
                    assert!(value.is_some(), "{path} in {}", profile.name);
                    assert_eq!(rule.value(&policy, &Flow::default()), value, "{path} in {}", profile.name);
                }
            }
        }
    }

    #[test]
    fn what_there_is_not_has_no_value() {
        let policy = crate::policy::parse("lead_center", "", vec![]).expect("valid");
        let steps = vec![FlowStep::Disconnect, FlowStep::Voicemail("desk".into())];
        let flow = Flow { steps, ..Flow::default() };
        let consult = RuleField::Consult(TransferKind::Cold, ConsultField::ConsultingMax);
        for rule in [
            consult,
            RuleField::Step(0, StepField::Ring),
            RuleField::Step(1, StepField::Ring),
            RuleField::Step(3, StepField::Wait),
        ] {
            assert_eq!(rule.value(&policy, &flow), None, "{rule:?}");
        }
    }
}
