//! The closed lists of the contract, as numbers; actors; and refusals as answers.

use baton_api::{
    ApiError, Known as _,
    common::v1::{self as wire, actor::Kind, target::Target as WireTarget},
    error::ErrorReason,
};
use baton_domain::{Action, Actor, ExternalRef, Recipient, Refusal, StaffRole, Target};
use baton_words::{Direction, DivertedTo, Medium, Phase, Reason, RecordingMode, TransferKind};
use prost_types::Timestamp;
use tonic::Status;

/// A time of the contract.
pub(crate) fn at(us: i64) -> Timestamp {
    Timestamp { seconds: us.div_euclid(1_000_000), nanos: (us.rem_euclid(1_000_000) * 1000) as i32 }
}

/// A duration of the contract, in milliseconds.
pub(crate) fn ms(us: i64) -> i64 {
    us / 1000
}

pub(crate) fn not_found(what: &str) -> Status {
    ApiError::not_found(what).into()
}

pub(crate) fn kind(kind: TransferKind) -> i32 {
    wire::TransferKind::from(kind).into()
}

pub(crate) fn reason(reason: Reason) -> i32 {
    wire::Reason::from(reason).into()
}

pub(crate) fn phase(phase: Phase) -> i32 {
    wire::TransferPhase::from(phase).into()
}

pub(crate) fn diverted_to(to: DivertedTo) -> i32 {
    wire::DivertedTo::from(to).into()
}

pub(crate) fn direction(direction: Direction) -> i32 {
    wire::Direction::from(direction).into()
}

pub(crate) fn medium(medium: Medium) -> i32 {
    wire::Medium::from(medium).into()
}

/// The customer with this address and pseudonym.
pub(crate) fn customer(address: &str, key: &str) -> wire::Customer {
    wire::Customer { address: address.to_owned(), key: key.to_owned() }
}

pub(crate) fn mode(mode: RecordingMode) -> i32 {
    wire::RecordingMode::from(mode).into()
}

/// A number without a setting is recorded by hand only.
pub(crate) fn parse_mode(mode: wire::RecordingMode) -> RecordingMode {
    mode.known().unwrap_or(RecordingMode::Manual)
}

pub(crate) fn actor(actor: &Actor) -> wire::Actor {
    let (kind, id, for_agent) = match actor {
        Actor::Agent(agent) => (Kind::Agent, agent.to_string(), None),
        Actor::Staff { role, subject, for_agent } => (staff(*role), subject.to_string(), *for_agent),
        Actor::Customer => (Kind::Customer, String::new(), None),
        Actor::External => (Kind::External, String::new(), None),
        Actor::System => (Kind::System, String::new(), None),
    };
    let for_agent_id = for_agent.map(|agent| agent.to_string()).unwrap_or_default();
    wire::Actor { kind: kind.into(), id, for_agent_id }
}

fn staff(role: StaffRole) -> Kind {
    match role {
        StaffRole::Supervisor => Kind::Supervisor,
        StaffRole::Admin => Kind::Admin,
        StaffRole::Service => Kind::Service,
        StaffRole::Operator => Kind::Operator,
    }
}

pub(crate) fn queue(id: &str) -> wire::Target {
    wire::Target { target: Some(WireTarget::QueueId(id.to_owned())) }
}

pub(crate) fn target(target: &Target) -> wire::Target {
    let target = match target {
        Target::Agent(agent) => WireTarget::AgentId(agent.id.to_string()),
        Target::Team { id, .. } => WireTarget::TeamId(id.to_string()),
        Target::Queue(queue) => WireTarget::QueueId(queue.id.to_string()),
        Target::External(own) => WireTarget::External(external(own)),
        Target::IvrFlow(flow) => WireTarget::IvrFlowId(flow.id.to_string()),
    };
    wire::Target { target: Some(target) }
}

/// A number outside as it is read.
pub(crate) fn external(own: &ExternalRef) -> wire::ExternalTarget {
    wire::ExternalTarget {
        external_number_id: own.id.as_deref().unwrap_or_default().to_owned(),
        number: own.number.to_string(),
        name: own.name.to_string(),
        user_number_forwarding: own.forwarding,
    }
}

/// Who receives: the agent's id, or who is outside.
pub(crate) fn recipient(own: &Recipient) -> (String, Option<wire::ExternalTarget>) {
    match own {
        Recipient::Agent(agent) => (agent.to_string(), None),
        Recipient::External(own) => (String::new(), Some(external(own))),
    }
}

pub(crate) fn action(action: Action) -> wire::Action {
    match action {
        Action::Start(TransferKind::Cold) => wire::Action::StartCold,
        Action::Start(TransferKind::OnAnswer) => wire::Action::StartOnAnswer,
        Action::Start(TransferKind::Warm) => wire::Action::StartWarm,
        Action::Cancel => wire::Action::Cancel,
        Action::Complete => wire::Action::Complete,
        Action::Swap => wire::Action::Swap,
        Action::Decline => wire::Action::Decline,
        Action::Hold => wire::Action::Hold,
        Action::Resume => wire::Action::Resume,
        Action::Mute => wire::Action::Mute,
        Action::Unmute => wire::Action::Unmute,
        Action::Leave => wire::Action::Leave,
        Action::End => wire::Action::End,
        Action::Note => wire::Action::Note,
        Action::SetData => wire::Action::SetData,
        Action::Disposition => wire::Action::Disposition,
        Action::StartRecording => wire::Action::StartRecording,
        Action::StopRecording => wire::Action::StopRecording,
        Action::PauseRecording => wire::Action::PauseRecording,
        Action::ResumeRecording => wire::Action::ResumeRecording,
        Action::Start(TransferKind::RoundTrip) => wire::Action::StartRoundTrip,
        Action::Accept => wire::Action::Accept,
        Action::SendMessage => wire::Action::SendMessage,
    }
}

pub(crate) fn parse_action(value: i32) -> Option<Action> {
    Action::ALL.into_iter().find(|own| i32::from(action(*own)) == value)
}

/// As the wire names it.
pub(crate) fn action_name(own: Action) -> String {
    action(own).as_str_name().trim_start_matches("ACTION_").to_owned()
}

pub(crate) fn refusal_reason(refusal: Refusal) -> ErrorReason {
    match refusal {
        Refusal::Ended => ErrorReason::InteractionEnded,
        Refusal::NotAParty => ErrorReason::NotAParty,
        Refusal::NotNow(_) | Refusal::Dispositioned => ErrorReason::NotAllowedNow,
        Refusal::TransferOpen => ErrorReason::TransferOpen,
        Refusal::NoTransfer => ErrorReason::NoTransfer,
        Refusal::OtherTransfer(_) => ErrorReason::OtherTransfer,
        Refusal::NotInPlan(_) => ErrorReason::NotInPlan,
        Refusal::KindNotOffered(_) | Refusal::TargetNotOffered(..) => ErrorReason::KindNotOffered,
        Refusal::TargetInInteraction => ErrorReason::TargetInInteraction,
        Refusal::HopLimit(_) | Refusal::AgentHopLimit(_) => ErrorReason::HopLimit,
        Refusal::TooMany(..) => ErrorReason::Limit,
        Refusal::RecordingState(_) => ErrorReason::RecordingState,
        Refusal::OutcomeMissing(_) => ErrorReason::OutcomeMissing,
        Refusal::MessageMissing(_) => ErrorReason::MessageMissing,
        Refusal::UnknownOutcome => ErrorReason::OutcomeUnknown,
        Refusal::UnknownDisposition => ErrorReason::DispositionUnknown,
        Refusal::OutsideNotOffered(..) => ErrorReason::OutsideNotOffered,
        Refusal::CustomerIsOutside => ErrorReason::CustomerIsOutside,
        Refusal::FlowTransfersOn(_) => ErrorReason::FlowTransfersOn,
        Refusal::FlowNotForRoundTrip(_) => ErrorReason::FlowNotForRoundTrip,
        Refusal::NotOfMedium(..) | Refusal::TargetNotOfMedium(..) => ErrorReason::NotOfMedium,
        Refusal::AgentsOnly => ErrorReason::AgentsOnly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_back_and_has_its_name_on_the_wire() {
        for own in Action::ALL {
            assert_eq!(parse_action(action(own).into()), Some(own));
            let name = format!("{own:?}").to_uppercase().replace(['(', ')'], "");
            assert_eq!(action_name(own).replace('_', ""), name);
        }
        for nothing in [0, 1_000, i32::MIN] {
            assert_eq!(parse_action(nothing), None);
        }
    }

    #[test]
    fn times_before_the_epoch_stay_valid() {
        assert_eq!(at(-1), Timestamp { seconds: -1, nanos: 999_999_000 });
        assert_eq!(at(1_500_000), Timestamp { seconds: 1, nanos: 500_000_000 });
    }
}
