//! The closed lists, both ways; and refusals as answers.

use baton_api::{
    ApiError, ErrorKind,
    common::v1::{self as wire, actor::Kind as ActorKind, target::Target as WireTarget},
    error::ErrorReason,
};
use baton_domain::{
    Action, Interaction, Refusal,
    permit::allowed,
    words::{Actor, AgentState, Direction, Kind, Reason, RecordingMode, Target},
};
use prost_types::Timestamp;
use tonic::Status;

/// A time of the contract.
pub(crate) fn at(us: i64) -> Timestamp {
    Timestamp { seconds: us.div_euclid(1_000_000), nanos: (us.rem_euclid(1_000_000) * 1000) as i32 }
}

pub(crate) fn not_found(what: &str) -> Status {
    ApiError::not_found(what).into()
}

pub(crate) fn actor(actor: &Actor) -> wire::Actor {
    let (kind, id) = match actor {
        Actor::Agent(agent) => (ActorKind::Agent, agent.to_string()),
        Actor::Supervisor(subject) => (ActorKind::Supervisor, subject.to_string()),
        Actor::Customer => (ActorKind::Customer, String::new()),
        Actor::System => (ActorKind::System, String::new()),
    };
    wire::Actor { kind: kind.into(), id }
}

pub(crate) fn kind(kind: Kind) -> wire::TransferKind {
    match kind {
        Kind::Cold => wire::TransferKind::Cold,
        Kind::Warm => wire::TransferKind::Warm,
    }
}

pub(crate) fn parse_kind(value: wire::TransferKind) -> Option<Kind> {
    match value {
        wire::TransferKind::Unspecified => None,
        wire::TransferKind::Cold => Some(Kind::Cold),
        wire::TransferKind::Warm => Some(Kind::Warm),
    }
}

pub(crate) fn target(target: &Target) -> wire::Target {
    let target = match target {
        Target::Agent(agent) => WireTarget::AgentId(agent.id.to_string()),
        Target::Team { id, .. } => WireTarget::TeamId(id.to_string()),
    };
    wire::Target { target: Some(target) }
}

pub(crate) fn direction(direction: Direction) -> wire::Direction {
    match direction {
        Direction::Inbound => wire::Direction::Inbound,
        Direction::Outbound => wire::Direction::Outbound,
    }
}

pub(crate) fn mode(mode: RecordingMode) -> wire::RecordingMode {
    match mode {
        RecordingMode::All => wire::RecordingMode::All,
        RecordingMode::Incoming => wire::RecordingMode::Incoming,
        RecordingMode::Outgoing => wire::RecordingMode::Outgoing,
        RecordingMode::Manual => wire::RecordingMode::Manual,
    }
}

/// A number without a setting is recorded by hand only.
pub(crate) fn parse_mode(mode: wire::RecordingMode) -> RecordingMode {
    match mode {
        wire::RecordingMode::All => RecordingMode::All,
        wire::RecordingMode::Incoming => RecordingMode::Incoming,
        wire::RecordingMode::Outgoing => RecordingMode::Outgoing,
        wire::RecordingMode::Manual | wire::RecordingMode::Unspecified => RecordingMode::Manual,
    }
}

pub(crate) fn agent_state(state: AgentState) -> baton_api::presence::v1::AgentState {
    use baton_api::presence::v1::AgentState as Wire;
    match state {
        AgentState::Offline => Wire::Offline,
        AgentState::Available => Wire::Available,
        AgentState::Away => Wire::Away,
        AgentState::WrapUp => Wire::WrapUp,
        AgentState::NotResponding => Wire::NotResponding,
    }
}

/// The reasons, both ways, in one list.
const REASONS: [(Reason, wire::Reason); 19] = [
    (Reason::NoAnswer, wire::Reason::NoAnswer),
    (Reason::Busy, wire::Reason::Busy),
    (Reason::Offline, wire::Reason::Offline),
    (Reason::NotAvailable, wire::Reason::NotAvailable),
    (Reason::Declined, wire::Reason::Declined),
    (Reason::Taken, wire::Reason::Taken),
    (Reason::Unreachable, wire::Reason::Unreachable),
    (Reason::CustomerLeft, wire::Reason::CustomerLeft),
    (Reason::InitiatorLeft, wire::Reason::InitiatorLeft),
    (Reason::RecipientLeft, wire::Reason::RecipientLeft),
    (Reason::Requested, wire::Reason::Requested),
    (Reason::Timeout, wire::Reason::Timeout),
    (Reason::SwitchLost, wire::Reason::SwitchLost),
    (Reason::Voicemail, wire::Reason::Voicemail),
    (Reason::NextStep, wire::Reason::NextStep),
    (Reason::Disconnected, wire::Reason::Disconnected),
    (Reason::NobodyAvailable, wire::Reason::NobodyAvailable),
    (Reason::Expired, wire::Reason::Expired),
    (Reason::HungUp, wire::Reason::HungUp),
];

pub(crate) fn reason(reason: Reason) -> wire::Reason {
    REASONS.iter().find(|(own, _)| *own == reason).map_or(wire::Reason::Unspecified, |(_, wire)| *wire)
}

/// A reason that nobody gave counts as an ordinary end.
pub(crate) fn parse_reason(reason: wire::Reason) -> Reason {
    REASONS.iter().find(|(_, wire)| *wire == reason).map_or(Reason::HungUp, |(own, _)| *own)
}

/// The wire's actions are in the core's order, one up.
pub(crate) fn action(action: Action) -> i32 {
    action as i32 + 1
}

pub(crate) fn parse_action(action: i32) -> Option<Action> {
    Action::ALL.get(usize::try_from(action.checked_sub(1)?).ok()?).copied()
}

/// A refusal as the client sees it: the reason, and what is possible instead (T6).
pub(crate) fn refusal_status(refusal: Refusal, interaction: &Interaction, actor: &Actor) -> Status {
    let reason = match refusal {
        Refusal::Ended => ErrorReason::InteractionEnded,
        Refusal::NotAParty => ErrorReason::NotAParty,
        Refusal::NotNow(_) => ErrorReason::NotAllowedNow,
        Refusal::TransferOpen => ErrorReason::TransferOpen,
        Refusal::NoTransfer => ErrorReason::NoTransfer,
        Refusal::NotInPlan(_) => ErrorReason::NotInPlan,
        Refusal::KindNotOffered(..) => ErrorReason::KindNotOffered,
        Refusal::TargetInInteraction => ErrorReason::TargetInInteraction,
        Refusal::HopLimit(_) => ErrorReason::HopLimit,
        Refusal::TooMany(..) => ErrorReason::Limit,
        Refusal::RecordingState(_) => ErrorReason::RecordingState,
    };
    let possible: Vec<_> = allowed(interaction, actor).iter().map(action_name).collect();
    let kind = if reason == ErrorReason::Limit { ErrorKind::ResourceExhausted } else { ErrorKind::FailedPrecondition };
    ApiError::new(kind, reason, refusal.to_string())
        .with("allowed", possible.join(","))
        .with("version", interaction.version)
        .into()
}

fn action_name(own: Action) -> String {
    let name = wire::Action::try_from(action(own)).unwrap_or_default().as_str_name();
    name.trim_start_matches("ACTION_").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back() {
        for value in 1..=19 {
            let wire = wire::Reason::try_from(value).expect("a reason");
            assert_eq!(reason(parse_reason(wire)), wire);
        }
    }

    #[test]
    fn every_action_has_its_name_on_the_wire() {
        for own in Action::ALL {
            assert_eq!(parse_action(action(own)), Some(own));
            let name = format!("{own:?}").to_uppercase();
            assert_eq!(action_name(own).replace('_', ""), name);
        }
        assert_eq!(parse_action(0), None);
        assert_eq!(parse_action(18), None);
        assert_eq!(parse_action(i32::MIN), None);
    }

    #[test]
    fn times_before_the_epoch_stay_valid() {
        assert_eq!(at(-1), Timestamp { seconds: -1, nanos: 999_999_000 });
        assert_eq!(at(1_500_000), Timestamp { seconds: 1, nanos: 500_000_000 });
    }
}
