//! Who may do what, when. [`permit`] decides for the command handler; [`allowed`] asks it for every action, for the view. One function, so that
//! what a party is told it may do is exactly what is accepted from it at the same version (T6).

use crate::{
    action::{Action, ActionSet},
    ids::AgentId,
    input::StartTransfer,
    interaction::{Interaction, MAX_DATA, MAX_NOTES, Offer, OfferState, Phase, Stage, Transfer},
    policy::PhaseRules,
    words::{Actor, Kind, Reason, Target, TargetSort},
};
use std::sync::Arc;

/// Why a command was refused. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The interaction is over.
    #[error("the interaction is over")]
    Ended,
    /// The actor has no part in it.
    #[error("you are not in this interaction")]
    NotAParty,
    /// Not in this phase, or not in this role.
    #[error("{0:?} is not possible now; the interaction says what is (allowed_actions)")]
    NotNow(Action),
    /// One transfer at a time (T1).
    #[error("a transfer is open already: complete, cancel or await it first")]
    TransferOpen,
    /// There is none to cancel, complete or decline.
    #[error("there is no open transfer")]
    NoTransfer,
    /// The plan lacks it (B104).
    #[error("the tenant's plan does not include {0:?} transfers")]
    NotInPlan(Kind),
    /// The policy does not have it.
    #[error("the policy has no {0:?} transfer to this sort of target ({1:?})")]
    KindNotOffered(Kind, TargetSort),
    /// They are in it already.
    #[error("the target is in this interaction already")]
    TargetInInteraction,
    /// Handed on too often (T8).
    #[error("the customer was handed on {0} times already, which is the most that the policy allows")]
    HopLimit(u32),
    /// There are as many as there may be.
    #[error("there are too many {0}: an interaction has at most {1}")]
    TooMany(&'static str, usize),
    /// The recording is not in a state in which this is possible.
    #[error("the recording is not in a state in which {0:?} is possible")]
    RecordingState(Action),
}

/// What an actor is in an interaction, at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Has the customer, and no transfer is under way.
    Primary,
    /// Transfers.
    Initiator,
    /// Receives.
    Recipient,
    /// Is in it and none of these.
    Participant,
    /// Is being rung.
    Offered,
    /// Looks after it from outside.
    Supervisor,
}

/// Everything that this actor may do now.
pub fn allowed(interaction: &Interaction, actor: &Actor) -> ActionSet {
    let Ok(role) = role(interaction, actor) else { return ActionSet::default() };
    Action::ALL.into_iter().filter(|action| decide(interaction, actor, role, *action).is_ok()).collect()
}

/// Whether this actor may do this now.
pub fn permit(interaction: &Interaction, actor: &Actor, action: Action) -> Result<(), Refusal> {
    decide(interaction, actor, role(interaction, actor)?, action)
}

/// What [`permit`] can't know from the action alone: whether this target will do.
pub(crate) fn permit_target(interaction: &Interaction, start: &StartTransfer) -> Result<(), Refusal> {
    let sort = start.target.sort();
    if !interaction.policy.offer(start.kind).targets.contains(&sort) {
        return Err(Refusal::KindNotOffered(start.kind, sort));
    }
    match &start.target {
        Target::Agent(agent) if interaction.agent(agent.id).is_some() => Err(Refusal::TargetInInteraction),
        _ => Ok(()),
    }
}

/// What [`permit`] can't know from the action alone: whether these keys still fit.
pub(crate) fn permit_data(interaction: &Interaction, set: &[DataItem], remove: &[Arc<str>]) -> Result<(), Refusal> {
    let known = interaction.data.keys().filter(|key| !remove.contains(key));
    let kept = known.filter(|key| !set.iter().any(|(own, _)| own == *key)).count();
    if kept + set.len() > MAX_DATA { Err(Refusal::TooMany("keys of attached data", MAX_DATA)) } else { Ok(()) }
}

/// A key of the attached data, and its value.
type DataItem = (Arc<str>, Arc<str>);

fn role(interaction: &Interaction, actor: &Actor) -> Result<Role, Refusal> {
    match actor {
        Actor::Agent(agent) => agent_role(interaction, *agent).ok_or(match interaction.stage {
            Stage::Ended(_) => Refusal::Ended,
            _ => Refusal::NotAParty,
        }),
        Actor::Supervisor(_) | Actor::System => Ok(Role::Supervisor),
        Actor::Customer => Err(Refusal::NotAParty),
    }
}

fn agent_role(interaction: &Interaction, agent: AgentId) -> Option<Role> {
    let offered = interaction.search.as_ref().is_some_and(|search| search.offers.iter().any(|o| o.who.id == agent));
    if interaction.agent(agent).is_none() {
        return offered.then_some(Role::Offered);
    }
    let role = match undecided(interaction) {
        Some(transfer) if transfer.initiator.id == agent => Role::Initiator,
        Some(transfer) if transfer.recipient == Some(agent) => Role::Recipient,
        None if interaction.primary == Some(agent) => Role::Primary,
        _ => Role::Participant,
    };
    Some(role)
}

/// The open transfer, unless the recipient has taken over already: from then on they are simply primary.
fn undecided(interaction: &Interaction) -> Option<&Transfer> {
    interaction.open_transfer().filter(|transfer| transfer.phase != Phase::HandedOver)
}

fn decide(i: &Interaction, actor: &Actor, role: Role, action: Action) -> Result<(), Refusal> {
    if let Stage::Ended(_) = i.stage {
        return Err(Refusal::Ended);
    }
    let may = match action {
        Action::StartCold => return may_start(i, role, Kind::Cold),
        Action::StartWarm => return may_start(i, role, Kind::Warm),
        Action::Cancel | Action::Complete => return may_end_transfer(i, role, action),
        Action::Decline => role == Role::Offered && rings(i, actor),
        Action::Hold => i.talking() && by_phase(i, role, action),
        Action::Resume => can_resume(i) && by_phase(i, role, action),
        Action::Mute | Action::Unmute => mute_differs(i, actor, action == Action::Mute),
        Action::Leave => connected(role),
        Action::End => role == Role::Supervisor || (role == Role::Primary && i.open_transfer().is_none()),
        Action::Note if i.notes.len() >= MAX_NOTES => return Err(Refusal::TooMany("notes", MAX_NOTES)),
        Action::Note | Action::SetData => connected(role) || role == Role::Supervisor,
        Action::StartRecording | Action::StopRecording | Action::PauseRecording | Action::ResumeRecording => {
            return may_steer_recording(i, actor, role, action);
        }
    };
    if may { Ok(()) } else { Err(Refusal::NotNow(action)) }
}

fn connected(role: Role) -> bool {
    matches!(role, Role::Primary | Role::Initiator | Role::Recipient | Role::Participant)
}

fn may_start(i: &Interaction, role: Role, kind: Kind) -> Result<(), Refusal> {
    if i.open_transfer().is_some() {
        return Err(Refusal::TransferOpen);
    }
    if role != Role::Primary || i.stage != Stage::Served || !i.customer.connected() {
        return Err(Refusal::NotNow(Action::start(kind)));
    }
    if !i.policy.entitled(kind) {
        return Err(Refusal::NotInPlan(kind));
    }
    let hops = i.journey.iter().filter(|hop| hop.transfer.is_some() && hop.to.is_some()).count() as u32;
    if hops >= i.policy.interaction.max_hops {
        return Err(Refusal::HopLimit(i.policy.interaction.max_hops));
    }
    Ok(())
}

fn may_end_transfer(i: &Interaction, role: Role, action: Action) -> Result<(), Refusal> {
    let transfer = undecided(i).ok_or(Refusal::NoTransfer)?;
    let has_recipient = matches!(transfer.phase, Phase::Consulting | Phase::Joined);
    let possible = action == Action::Cancel || has_recipient;
    let permitted = role == Role::Supervisor || (transfer.kind == Kind::Warm && by_phase(i, role, action));
    if possible && permitted { Ok(()) } else { Err(Refusal::NotNow(action)) }
}

/// What the role may do in the present phase: in a warm transfer the policy says it, otherwise whoever has the customer may.
fn by_phase(i: &Interaction, role: Role, action: Action) -> bool {
    match (undecided(i), role) {
        (_, Role::Supervisor) | (None, Role::Primary) => true,
        (Some(transfer), Role::Initiator) if transfer.kind == Kind::Cold => true,
        (Some(transfer), Role::Initiator) => rules(i, transfer.phase).initiator_may.contains(action),
        (Some(transfer), Role::Recipient) => rules(i, transfer.phase).recipient_may.contains(action),
        _ => false,
    }
}

/// The rules of a phase of a warm transfer.
pub(crate) fn rules(i: &Interaction, phase: Phase) -> &PhaseRules {
    match phase {
        Phase::Consulting => &i.policy.warm.consulting,
        Phase::Joined => &i.policy.warm.joined,
        _ => &i.policy.warm.offered,
    }
}

fn can_resume(i: &Interaction) -> bool {
    i.stage == Stage::Served && i.customer.held && i.customer.connected() && !i.agents.is_empty()
}

fn rings(i: &Interaction, actor: &Actor) -> bool {
    let Actor::Agent(agent) = actor else { return false };
    let rings = |offer: &Offer| offer.who.id == *agent && matches!(offer.state, OfferState::Ringing { .. });
    i.search.as_ref().is_some_and(|search| search.offers.iter().any(rings))
}

fn mute_differs(i: &Interaction, actor: &Actor, muted: bool) -> bool {
    let Actor::Agent(agent) = actor else { return false };
    i.agent(*agent).is_some_and(|agent| agent.muted != muted)
}

/// Whoever has the customer, transfers them, or has taken them off hold (B207), starts and stops; everybody may pause.
fn may_steer_recording(i: &Interaction, actor: &Actor, role: Role, action: Action) -> Result<(), Refusal> {
    let r = &i.recording;
    let has_tenure = r.tenure.is_some_and(|tenure| *actor == Actor::Agent(tenure.agent));
    let steers = matches!(role, Role::Primary | Role::Initiator) || has_tenure;
    let (who, state) = match action {
        Action::StartRecording => (steers, !r.on()),
        Action::StopRecording => (steers, r.by_hand && !r.automatic),
        Action::PauseRecording => (connected(role) || role == Role::Supervisor, r.on() && !r.paused),
        _ => (connected(role) || role == Role::Supervisor, r.paused),
    };
    match (who && i.stage == Stage::Served, state) {
        (false, _) => Err(Refusal::NotNow(action)),
        (true, false) => Err(Refusal::RecordingState(action)),
        (true, true) => Ok(()),
    }
}

/// The typed reason that a refused claim gives to an initiator (T9), where it says more than "failed".
pub fn is_target_refusal(reason: Reason) -> bool {
    matches!(reason, Reason::Busy | Reason::Offline | Reason::NotAvailable)
}
