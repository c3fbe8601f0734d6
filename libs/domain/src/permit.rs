//! Who may do what, when. [`permit`] decides for the command handler; [`allowed`] asks it for every action, for the view. One function, so
//! that what a party is told it may do is exactly what is accepted from it at the same version (T6).

use crate::{
    action::{Action, ActionSet},
    actor::{Actor, Target},
    input::StartTransfer,
    interaction::{Interaction, MAX_DATA, MAX_NOTES, Party, Stage},
    machine::{Offer, OfferState, Transfer},
    policy::{Method, Policy},
};
use baton_words::{AgentId, Reason, TargetSort, TransferKind, TransferNo};
use std::sync::Arc;

/// Why a command was refused. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the interaction is over")]
    Ended,
    #[error("you are not in this interaction")]
    NotAParty,
    /// Not in this phase, or not in this role.
    #[error("{0:?} is not possible now; the interaction says what is (allowed_actions)")]
    NotNow(Action),
    /// One transfer at a time (T1).
    #[error("a transfer is open already: complete, cancel or await it first")]
    TransferOpen,
    #[error("there is no open transfer")]
    NoTransfer,
    /// The command names a transfer that is not the open one: a late command never hits the next.
    #[error("transfer {0:?} is not open; another is, or none")]
    OtherTransfer(TransferNo),
    /// The plan lacks it (B104).
    #[error("the tenant's plan does not include {0} transfers")]
    NotInPlan(TransferKind),
    #[error("the policy has no {0} transfers")]
    KindNotOffered(TransferKind),
    #[error("the policy has no {0} transfer to this sort of target ({1})")]
    TargetNotOffered(TransferKind, TargetSort),
    #[error("the target is in this interaction already")]
    TargetInInteraction,
    /// Handed on too often (T8).
    #[error("the customer was handed on {0} times already, which is the most that the policy allows")]
    HopLimit(u32),
    #[error("there are too many {0}: an interaction has at most {1}")]
    TooMany(&'static str, usize),
    #[error("the recording is not in a state in which {0:?} is possible")]
    RecordingState(Action),
}

/// As what an actor acts in an interaction, at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ActingAs {
    /// Has the customer, and no transfer is under way.
    Primary,
    Initiator,
    Recipient,
    /// In it, and none of these.
    Participant,
    /// Is being rung.
    Offered,
    /// Looks after it from outside.
    Staff,
}

/// Everything that this actor may do now.
pub fn allowed(interaction: &Interaction, policy: &Policy, actor: &Actor) -> ActionSet {
    let Ok(acting) = acting_as(interaction, actor) else { return ActionSet::default() };
    Action::ALL.into_iter().filter(|action| decide(interaction, policy, actor, acting, *action).is_ok()).collect()
}

/// What this actor may not do now, each with the refusal that a try would get. Nothing for who has no part in it.
pub fn refused(interaction: &Interaction, policy: &Policy, actor: &Actor) -> Vec<(Action, Refusal)> {
    let Ok(acting) = acting_as(interaction, actor) else { return Vec::new() };
    let refusal = |action| decide(interaction, policy, actor, acting, action).err().map(|refusal| (action, refusal));
    Action::ALL.into_iter().filter_map(refusal).collect()
}

/// Whether this actor may do this now.
pub fn permit(interaction: &Interaction, policy: &Policy, actor: &Actor, action: Action) -> Result<(), Refusal> {
    decide(interaction, policy, actor, acting_as(interaction, actor)?, action)
}

/// What [`permit`] can't know from the action alone: whether this target will do.
pub(crate) fn permit_target<'p>(
    i: &Interaction,
    policy: &'p Policy,
    start: &StartTransfer,
) -> Result<&'p Method, Refusal> {
    let method = policy.method(start.kind).ok_or(Refusal::KindNotOffered(start.kind))?;
    let sort = start.target.sort();
    if !method.offer.targets.contains(&sort) {
        return Err(Refusal::TargetNotOffered(start.kind, sort));
    }
    match &start.target {
        Target::Agent(agent) if i.agent(agent.id).is_some() => Err(Refusal::TargetInInteraction),
        _ => Ok(method),
    }
}

/// What [`permit`] can't know from the action alone: whether the open transfer (none: that of the call flow) is the one that is meant.
pub(crate) fn permit_transfer(i: &Interaction, meant: Option<TransferNo>) -> Result<(), Refusal> {
    match (i.transfer.as_ref().map(|transfer| transfer.no), meant) {
        (open, meant) if open == meant => Ok(()),
        (_, Some(meant)) => Err(Refusal::OtherTransfer(meant)),
        (Some(open), None) => Err(Refusal::OtherTransfer(open)),
        (None, None) => Ok(()),
    }
}

/// What [`permit`] can't know from the action alone: whether these keys still fit.
pub(crate) fn permit_data(i: &Interaction, set: &[DataItem], remove: &[Arc<str>]) -> Result<(), Refusal> {
    let known = i.data.keys().filter(|key| !remove.contains(key));
    let kept = known.filter(|key| !set.iter().any(|(own, _)| own == *key)).count();
    if kept + set.len() > MAX_DATA { Err(Refusal::TooMany("keys of attached data", MAX_DATA)) } else { Ok(()) }
}

/// A key of the attached data, and its value.
type DataItem = (Arc<str>, Arc<str>);

fn acting_as(i: &Interaction, actor: &Actor) -> Result<ActingAs, Refusal> {
    match (actor, actor.agent()) {
        (_, Some(agent)) => agent_acts_as(i, agent).ok_or(if i.ended() { Refusal::Ended } else { Refusal::NotAParty }),
        (Actor::Staff { .. } | Actor::System, None) => Ok(ActingAs::Staff),
        _ => Err(Refusal::NotAParty),
    }
}

fn agent_acts_as(i: &Interaction, agent: AgentId) -> Option<ActingAs> {
    let Some(party) = i.agent(agent) else {
        let offered = i.search().is_some_and(|search| search.offers.iter().any(|offer| offer.agent.id == agent));
        return offered.then_some(ActingAs::Offered);
    };
    Some(match undecided(i) {
        Some(transfer) if transfer.initiator.id == agent => ActingAs::Initiator,
        Some(transfer) if transfer.recipient() == Some(party.no) => ActingAs::Recipient,
        None if i.primary() == Some(agent) => ActingAs::Primary,
        _ => ActingAs::Participant,
    })
}

/// The open transfer, unless the recipient has taken over already: from then on they are simply primary.
fn undecided(i: &Interaction) -> Option<&Transfer> {
    i.transfer.as_ref().filter(|transfer| transfer.is_undecided())
}

fn decide(i: &Interaction, policy: &Policy, actor: &Actor, acting: ActingAs, action: Action) -> Result<(), Refusal> {
    if let Stage::Ended(_) = i.stage {
        return Err(Refusal::Ended);
    }
    let may = match action {
        Action::Start(kind) => return may_start(i, policy, acting, kind),
        Action::Cancel | Action::Complete => return may_end_transfer(i, policy, acting, action),
        Action::Decline => acting == ActingAs::Offered && rings(i, actor),
        Action::Hold => i.talking() && by_phase(i, policy, acting, action),
        Action::Resume => can_resume(i) && by_phase(i, policy, acting, action),
        Action::Mute | Action::Unmute => mute_differs(i, actor, action == Action::Mute),
        Action::Leave => connected(acting),
        Action::End => acting == ActingAs::Staff || (acting == ActingAs::Primary && i.transfer.is_none()),
        Action::Note if i.notes.len() >= MAX_NOTES => return Err(Refusal::TooMany("notes", MAX_NOTES)),
        Action::Note | Action::SetData => connected(acting) || acting == ActingAs::Staff,
        Action::StartRecording | Action::StopRecording | Action::PauseRecording | Action::ResumeRecording => {
            return may_steer_recording(i, actor, acting, action);
        }
    };
    if may { Ok(()) } else { Err(Refusal::NotNow(action)) }
}

fn connected(acting: ActingAs) -> bool {
    matches!(acting, ActingAs::Primary | ActingAs::Initiator | ActingAs::Recipient | ActingAs::Participant)
}

fn may_start(i: &Interaction, policy: &Policy, acting: ActingAs, kind: TransferKind) -> Result<(), Refusal> {
    if i.transfer.is_some() {
        return Err(Refusal::TransferOpen);
    }
    if acting != ActingAs::Primary || i.service().is_none() || !i.customer().leg.is_up() {
        return Err(Refusal::NotNow(Action::Start(kind)));
    }
    let method = policy.method(kind).ok_or(Refusal::KindNotOffered(kind))?;
    if !policy.entitled(method) {
        return Err(Refusal::NotInPlan(kind));
    }
    let hops = i.journey.iter().filter(|hop| hop.by.is_some() && hop.outcome.to().is_some()).count() as u32;
    if hops >= policy.interaction.max_hops {
        return Err(Refusal::HopLimit(policy.interaction.max_hops));
    }
    Ok(())
}

fn may_end_transfer(i: &Interaction, policy: &Policy, acting: ActingAs, action: Action) -> Result<(), Refusal> {
    let transfer = undecided(i).ok_or(Refusal::NoTransfer)?;
    let possible = action == Action::Cancel || transfer.recipient().is_some();
    let permitted = acting == ActingAs::Staff || by_phase(i, policy, acting, action);
    if possible && permitted { Ok(()) } else { Err(Refusal::NotNow(action)) }
}

/// In a transfer the policy says it; otherwise whoever has the customer may.
fn by_phase(i: &Interaction, policy: &Policy, acting: ActingAs, action: Action) -> bool {
    let Some(transfer) = undecided(i) else { return matches!(acting, ActingAs::Primary | ActingAs::Staff) };
    let rules = policy.method(transfer.kind).and_then(|method| transfer.rules(method));
    match acting {
        ActingAs::Staff => true,
        ActingAs::Initiator => rules.is_some_and(|rules| rules.initiator_may.contains(action)),
        ActingAs::Recipient => rules.is_some_and(|rules| rules.recipient_may.contains(action)),
        _ => false,
    }
}

fn can_resume(i: &Interaction) -> bool {
    i.held() && i.customer().leg.is_up()
}

fn rings(i: &Interaction, actor: &Actor) -> bool {
    let agent = actor.agent();
    let rings = |offer: &Offer| Some(offer.agent.id) == agent && matches!(offer.state, OfferState::Ringing { .. });
    i.search().is_some_and(|search| search.offers.iter().any(rings))
}

fn mute_differs(i: &Interaction, actor: &Actor, muted: bool) -> bool {
    let party: Option<&Party> = actor.agent().and_then(|agent| i.agent(agent));
    party.is_some_and(|party| party.muted != muted)
}

/// Whoever has the customer, transfers them, or has taken them off hold (B207), starts and stops; everybody may pause.
fn may_steer_recording(i: &Interaction, actor: &Actor, acting: ActingAs, action: Action) -> Result<(), Refusal> {
    let r = &i.recorder;
    let has_tenure = r.tenure.is_some_and(|tenure| actor.agent() == Some(tenure.agent));
    let steers = matches!(acting, ActingAs::Primary | ActingAs::Initiator) || has_tenure;
    let present = connected(acting) || acting == ActingAs::Staff;
    let (may, fits) = match action {
        Action::StartRecording => (steers, !r.on()),
        Action::StopRecording => (steers, r.by_hand && !r.automatic),
        Action::PauseRecording => (present, r.on() && !r.paused),
        _ => (present, r.paused),
    };
    match (may && i.service().is_some(), fits) {
        (false, _) => Err(Refusal::NotNow(action)),
        (true, false) => Err(Refusal::RecordingState(action)),
        (true, true) => Ok(()),
    }
}

/// Whether a refused claim's reason says to an initiator why their target can't be had (T9).
pub fn is_target_refusal(reason: Reason) -> bool {
    matches!(reason, Reason::Busy | Reason::Offline | Reason::NotAvailable)
}
