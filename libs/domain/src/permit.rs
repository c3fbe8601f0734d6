//! Who may do what, when. One function decides what a party may do: the view shows its answer ([`allowed`]), and [`permit`] looks a command up
//! in it. So what a party is told it may do is exactly what is accepted from it at the same version (T6).

use crate::{
    action::{Action, ActionSet},
    actor::{Actor, ExternalRef, OutsideSort, Target},
    input::{Disposition, StartTransfer},
    interaction::{Hop, HopOutcome, Interaction, MAX_DATA, MAX_MESSAGES, MAX_NOTES, MAX_TRANSFERS, Party},
    machine::{Offer, OfferState, Transfer, TransferState},
    policy::{Method, Policy, ReleaseMoment},
    project::{is_apart, is_parked},
};
use baton_words::{AgentId, Direction, Medium, Reason, TargetSort, TransferKind, TransferNo, Visibility};
use std::{fmt, sync::Arc};

/// Why a command was refused. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the interaction is over")]
    Ended,
    #[error("you are not in this interaction")]
    NotAParty,
    /// Not in this phase, or not in this role.
    #[error("to {0} is not possible now; the interaction says what is (allowed_actions)")]
    NotNow(Action),
    /// One transfer at a time (T1).
    #[error("a transfer is open already: complete, cancel or await it first")]
    TransferOpen,
    #[error("there is no open transfer")]
    NoTransfer,
    /// The command names a transfer that is not the open one: a late command never hits the next.
    #[error("transfer {} is not open; another is, or none", .0.0)]
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
    /// In circles (T8).
    #[error(
        "the customer was handed to this agent {0} times already, which is the most that the policy allows: choose somebody else"
    )]
    AgentHopLimit(u32),
    #[error("there are too many {0}: an interaction has at most {1}")]
    TooMany(&'static str, usize),
    #[error("the recording is not in a state in which to {0} is possible")]
    RecordingState(Action),
    /// The policy wants one (B503).
    #[error("a {0} transfer needs an outcome: choose one of those that the policy lists")]
    OutcomeMissing(TransferKind),
    /// The policy wants one (B303).
    #[error("a {0} transfer needs a message to the recipient")]
    MessageMissing(TransferKind),
    #[error("there is no such outcome: choose one of those that the policy lists")]
    UnknownOutcome,
    /// The customer would not come back (B407).
    #[error("the IVR flow has a transfer element, so that a {0} transfer to it can't give the call back")]
    FlowTransfersOn(TransferKind),
    /// Whoever looks after the flow has not said that it gives calls back (B407).
    #[error("the IVR flow is not marked as one for round trips, so that no {0} transfer goes to it")]
    FlowNotForRoundTrip(TransferKind),
    #[error("you have said how it ended already")]
    Dispositioned,
    #[error("there is no such disposition: choose one of those that the policy lists")]
    UnknownDisposition,
    /// Not in this medium at all, whatever the phase: nobody is on hold in a chat (B309).
    #[error("to {0} is not possible in an interaction of this medium ({1})")]
    NotOfMedium(Action, Medium),
    /// Nobody who writes is taken to a number outside, or through an IVR flow.
    #[error("a customer of this medium ({1}) can't be transferred to this sort of target ({0})")]
    TargetNotOfMedium(TargetSort, Medium),
    /// The recipient of a transfer, before the customer is theirs too.
    #[error("you write to agents alone until the customer is with you")]
    AgentsOnly,
    /// Not to a number of this sort, in a call of this direction (B408).
    #[error("a {0} transfer does not go to {1} in an {2} call; possible is: {3}")]
    OutsideNotOffered(TransferKind, OutsideSort, Direction, Kinds),
    /// The customer is somebody whom the agent called outside, and goes nowhere else outside (B409).
    #[error(
        "the customer was called outside and stayed when the first one left: they can't be handed over to a number outside"
    )]
    CustomerIsOutside,
}

/// Kinds of transfer, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(ActionSet);

impl Kinds {
    pub fn iter(self) -> impl Iterator<Item = TransferKind> {
        self.0.iter().filter_map(|action| if let Action::Start(kind) = action { Some(kind) } else { None })
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|kind| kind.to_string()).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(", "))
    }
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
    /// Is being rung, or waited for.
    Offered,
    /// Has left it, and may still say how their participation ended.
    Former,
    /// Looks after it from outside.
    Staff,
    /// The customer, who writes in a chat.
    Customer,
}

/// Everything that this actor may do now.
pub fn allowed(interaction: &Interaction, policy: &Policy, actor: &Actor) -> ActionSet {
    Asker::find(interaction, policy, actor).map(|asker| asker.allowed()).unwrap_or_default()
}

/// What this actor may not do now, each with the refusal that a try would get. Nothing for who has no part in it.
pub fn refused(interaction: &Interaction, policy: &Policy, actor: &Actor) -> Vec<(Action, Refusal)> {
    let Ok(asker) = Asker::find(interaction, policy, actor) else { return Vec::new() };
    let allowed = asker.allowed();
    let refused = Action::ALL.into_iter().filter(|action| !allowed.contains(*action));
    refused.map(|action| (action, asker.refusal(action))).collect()
}

/// Whether this actor may do this now.
pub fn permit(interaction: &Interaction, policy: &Policy, actor: &Actor, action: Action) -> Result<(), Refusal> {
    let said = action == Action::Disposition && actor.agent().is_some_and(|agent| interaction.has_dispositioned(agent));
    let asker =
        Asker::find(interaction, policy, actor).map_err(|why| if said { Refusal::Dispositioned } else { why })?;
    if asker.allowed().contains(action) { Ok(()) } else { Err(asker.refusal(action)) }
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
    if !sort.is_of(i.medium) {
        return Err(Refusal::TargetNotOfMedium(sort, i.medium));
    }
    if let Target::External(external) = &start.target {
        permit_outside(i, policy, start.kind, external)?;
    }
    match &start.target {
        Target::Agent(agent) if i.agent(agent.id).is_some() => Err(Refusal::TargetInInteraction),
        Target::Agent(agent) if comes_in_circles(i, policy, agent.id) => {
            Err(Refusal::AgentHopLimit(policy.interaction.max_hops_to_agent))
        }
        Target::IvrFlow(flow) if method.released == ReleaseMoment::Never && flow.transfers_on() => {
            Err(Refusal::FlowTransfersOn(start.kind))
        }
        Target::IvrFlow(flow) if method.released == ReleaseMoment::Never && !flow.round_trip => {
            Err(Refusal::FlowNotForRoundTrip(start.kind))
        }
        _ if start.message.trim().is_empty() && method.needs_message => Err(Refusal::MessageMissing(start.kind)),
        _ if start.outcome.is_empty() && method.needs_outcome => Err(Refusal::OutcomeMissing(start.kind)),
        _ if start.outcome.is_empty() || policy.interaction.outcomes.contains(&start.outcome) => Ok(method),
        _ => Err(Refusal::UnknownOutcome),
    }
}

/// Whether the customer was handed to this agent as often as the policy allows (T8).
fn comes_in_circles(i: &Interaction, policy: &Policy, agent: AgentId) -> bool {
    let reached = |hop: &&Hop| hop.by.is_some() && hop.outcome == HopOutcome::Completed { to: agent };
    let most = policy.interaction.max_hops_to_agent;
    most > 0 && i.journey.iter().filter(reached).count() as u32 >= most
}

/// Whether a customer goes to this number outside by this kind of transfer (B408, B409).
fn permit_outside(i: &Interaction, policy: &Policy, kind: TransferKind, to: &ExternalRef) -> Result<(), Refusal> {
    permit_outside_sort(i, policy, kind, to.sort())?;
    let mut outside = i.parties.iter().filter(|party| party.agent().is_none());
    if outside.any(|party| *party.address() == to.number) { Err(Refusal::TargetInInteraction) } else { Ok(()) }
}

/// The same for any number of a sort.
pub fn permit_outside_sort(
    i: &Interaction,
    policy: &Policy,
    kind: TransferKind,
    sort: OutsideSort,
) -> Result<(), Refusal> {
    if i.goes_on_outside() {
        return Err(Refusal::CustomerIsOutside);
    }
    let goes = |method: &Method| {
        method.offer.targets.contains(&TargetSort::External) && method.offer.outside.allows(sort, i.direction)
    };
    if policy.method(kind).is_some_and(goes) {
        return Ok(());
    }
    let others = policy.methods.iter().filter(|(_, method)| goes(method) && policy.entitled(method));
    let possible = Kinds(others.map(|(kind, _)| Action::Start(*kind)).collect());
    Err(Refusal::OutsideNotOffered(kind, sort, i.direction, possible))
}

/// What [`permit`] can't know from the action alone: whether the policy lists it.
pub(crate) fn permit_disposition(policy: &Policy, given: &Disposition) -> Result<(), Refusal> {
    let listed = policy.interaction.dispositions.contains(&given.name);
    if listed { Ok(()) } else { Err(Refusal::UnknownDisposition) }
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

/// What [`permit`] can't know from the action alone: whether this actor may write to whom they mean.
pub(crate) fn permit_message(i: &Interaction, actor: &Actor, visibility: Visibility) -> Result<(), Refusal> {
    let apart = actor.agent().and_then(|agent| i.agent(agent)).is_some_and(|party| is_apart(i, party));
    match (actor, visibility) {
        (Actor::Customer, Visibility::Agents) => Err(Refusal::NotAParty),
        (_, Visibility::Everyone) if apart => Err(Refusal::AgentsOnly),
        _ => Ok(()),
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

/// The open transfer, unless the recipient has taken over already: from then on they are simply primary.
fn undecided(i: &Interaction) -> Option<&Transfer> {
    i.transfer.as_ref().filter(|transfer| transfer.is_undecided())
}

/// An actor who has a part in the interaction, with all that a permit asks of the state: looked up once for all actions.
struct Asker<'a> {
    i: &'a Interaction,
    policy: &'a Policy,
    acts_as: ActingAs,
    /// The agent who acts, or for whom somebody acts.
    agent: Option<AgentId>,
    /// That agent, once connected.
    party: Option<&'a Party>,
    transfer: Option<&'a Transfer>,
    /// Of the actions that a policy permits by phase.
    by_phase: ActionSet,
}

impl<'a> Asker<'a> {
    fn find(i: &'a Interaction, policy: &'a Policy, actor: &Actor) -> Result<Self, Refusal> {
        let agent = actor.agent();
        let party = agent.and_then(|agent| i.agent(agent));
        let transfer = undecided(i);
        let acts_as = match (actor, agent) {
            (_, Some(agent)) => match agent_acts_as(i, transfer, agent, party) {
                Some(acts_as) => acts_as,
                None if i.ended() => return Err(Refusal::Ended),
                None => return Err(Refusal::NotAParty),
            },
            (Actor::Staff { .. } | Actor::System, None) => ActingAs::Staff,
            (Actor::Customer, None) if i.medium.is_written() => ActingAs::Customer,
            _ => return Err(Refusal::NotAParty),
        };
        let by_phase = by_phase(policy, transfer, acts_as);
        Ok(Self { i, policy, acts_as, agent, party, transfer, by_phase })
    }

    /// The one decision.
    fn allowed(&self) -> ActionSet {
        self.allowed_in_any().of(self.i.medium)
    }

    fn allowed_in_any(&self) -> ActionSet {
        let (i, r) = (self.i, &self.i.recorder);
        let closes = self.agent.is_some_and(|agent| i.open_participation(agent).is_some());
        let closing = ActionSet::default().with_if(Action::Disposition, closes);
        if i.ended() || self.acts_as == ActingAs::Former {
            return closing;
        }
        let writes = i.counters.message < MAX_MESSAGES;
        if self.acts_as == ActingAs::Customer {
            return ActionSet::default().with(Action::Leave).with_if(Action::SendMessage, writes);
        }
        let staff = self.acts_as == ActingAs::Staff;
        let present = staff || self.connected();
        let recorded = i.primary().is_some();
        let primary_alone = self.acts_as == ActingAs::Primary && i.transfer.is_none();
        let phase = |action| self.by_phase.contains(action);
        let muted = self.party.map(|party| party.muted);
        self.starts()
            .with_if(Action::Disposition, closes)
            .with_if(Action::Cancel, self.transfer.is_some() && phase(Action::Cancel))
            .with_if(Action::Complete, self.has_recipient() && phase(Action::Complete))
            // From outside nobody decides with whom the initiator talks.
            .with_if(Action::Swap, !staff && self.may_swap() && phase(Action::Swap))
            .with_if(Action::Decline, self.acts_as == ActingAs::Offered && self.may_decline())
            .with_if(Action::Accept, self.acts_as == ActingAs::Offered && self.may_accept())
            .with_if(Action::SendMessage, self.connected() && writes)
            .with_if(Action::Hold, phase(Action::Hold) && i.talking())
            .with_if(Action::Resume, phase(Action::Resume) && i.held() && i.customer().leg.is_up())
            .with_if(Action::Mute, muted == Some(false))
            .with_if(Action::Unmute, muted == Some(true))
            .with_if(Action::Leave, self.connected())
            .with_if(Action::End, staff || primary_alone)
            .with_if(Action::Note, present && i.notes.len() < MAX_NOTES)
            .with_if(Action::SetData, present)
            .with_if(Action::StartRecording, recorded && self.steers_recording() && !r.on())
            .with_if(Action::StopRecording, recorded && self.steers_recording() && r.by_hand && !r.automatic)
            .with_if(Action::PauseRecording, recorded && present && !self.waits_apart() && r.on() && !r.paused)
            .with_if(Action::ResumeRecording, recorded && present && !self.waits_apart() && r.paused)
    }

    /// Why not: of an action that is not allowed.
    fn refusal(&self, action: Action) -> Refusal {
        let i = self.i;
        match action {
            _ if i.ended() => Refusal::Ended,
            _ if self.acts_as == ActingAs::Former => Refusal::NotAParty,
            _ if !action.is_of(i.medium) => Refusal::NotOfMedium(action, i.medium),
            Action::SendMessage if self.connected() && i.counters.message >= MAX_MESSAGES => {
                Refusal::TooMany("messages", MAX_MESSAGES as usize)
            }
            Action::Start(kind) => self.no_start(kind),
            Action::Cancel | Action::Complete | Action::Swap if self.transfer.is_none() => Refusal::NoTransfer,
            Action::Note if i.notes.len() >= MAX_NOTES => Refusal::TooMany("notes", MAX_NOTES),
            Action::StartRecording | Action::StopRecording if self.steers_recording() && i.primary().is_some() => {
                Refusal::RecordingState(action)
            }
            Action::PauseRecording | Action::ResumeRecording
                if (self.connected() && !self.waits_apart() || self.acts_as == ActingAs::Staff)
                    && i.primary().is_some() =>
            {
                Refusal::RecordingState(action)
            }
            _ => Refusal::NotNow(action),
        }
    }

    /// The transfers that can be started.
    fn starts(&self) -> ActionSet {
        if !self.may_start() || self.transfers_are_used_up() || self.hops_are_used_up() {
            return ActionSet::default();
        }
        let goes = |method: &Method| self.policy.entitled(method) && self.has_targets(method);
        let methods = self.policy.methods.iter().filter(|(_, method)| goes(method));
        methods.map(|(kind, _)| Action::Start(*kind)).collect()
    }

    /// Whether anybody whom this method reaches can have a customer of this medium.
    fn has_targets(&self, method: &Method) -> bool {
        method.offer.sorts(self.i.medium).next().is_some()
    }

    fn no_start(&self, kind: TransferKind) -> Refusal {
        match self.policy.method(kind) {
            _ if self.i.transfer.is_some() => Refusal::TransferOpen,
            _ if !self.may_start() => Refusal::NotNow(Action::Start(kind)),
            None => Refusal::KindNotOffered(kind),
            Some(method) if !self.policy.entitled(method) => Refusal::NotInPlan(kind),
            Some(method) if !self.has_targets(method) => Refusal::NotOfMedium(Action::Start(kind), self.i.medium),
            Some(_) if self.transfers_are_used_up() => Refusal::TooMany("transfers", MAX_TRANSFERS),
            Some(_) => Refusal::HopLimit(self.policy.interaction.max_hops),
        }
    }

    fn may_start(&self) -> bool {
        let i = self.i;
        self.acts_as == ActingAs::Primary && i.transfer.is_none() && i.service().is_some() && i.customer().leg.is_up()
    }

    fn transfers_are_used_up(&self) -> bool {
        self.i.counters.transfer as usize >= MAX_TRANSFERS
    }

    fn hops_are_used_up(&self) -> bool {
        let hops = self.i.journey.iter().filter(|hop| hop.by.is_some() && hop.outcome.reached());
        hops.count() as u32 >= self.policy.interaction.max_hops
    }

    fn has_recipient(&self) -> bool {
        self.transfer.is_some_and(|transfer| transfer.recipient().is_some())
    }

    /// Somebody is apart from the initiator to whom they could go: the customer, or the recipient.
    fn may_swap(&self) -> bool {
        let apart = self.transfer.is_some_and(|transfer| {
            use TransferState::{Accepted, Consulting, Swapped};
            matches!(transfer.state, Consulting { .. } | Accepted { .. } | Swapped { .. })
        });
        apart && self.i.customer().leg.is_up()
    }

    /// They hear music while the customer is with somebody else (B305, B602).
    fn waits_apart(&self) -> bool {
        self.party.is_some_and(|party| is_parked(self.i, party))
    }

    fn connected(&self) -> bool {
        !matches!(self.acts_as, ActingAs::Offered | ActingAs::Former | ActingAs::Staff | ActingAs::Customer)
    }

    /// Their phone rings, or they see that a transfer waits for them.
    fn may_decline(&self) -> bool {
        let sees = |offer: &Offer| {
            let asked = matches!(offer.state, OfferState::Claiming { .. });
            Some(offer.agent.id) == self.agent && !asked
        };
        self.i.search().is_some_and(|search| search.offers.iter().any(sees))
    }

    /// It is theirs to take: they are reserved for it.
    fn may_accept(&self) -> bool {
        let rings = |offer: &Offer| matches!(offer.state, OfferState::Ringing { .. });
        let own = |offer: &Offer| Some(offer.agent.id) == self.agent && rings(offer);
        self.i.search().is_some_and(|search| search.offers.iter().any(own))
    }

    /// Whoever has the customer, transfers them, or has taken them off hold (B207), starts and stops; everybody may pause.
    fn steers_recording(&self) -> bool {
        let has_tenure = self.i.recorder.tenure.is_some_and(|tenure| self.agent == Some(tenure.agent));
        matches!(self.acts_as, ActingAs::Primary | ActingAs::Initiator) || has_tenure
    }
}

fn agent_acts_as(
    i: &Interaction,
    transfer: Option<&Transfer>,
    agent: AgentId,
    party: Option<&Party>,
) -> Option<ActingAs> {
    let Some(party) = party else {
        let offered = i.search().is_some_and(|search| search.offers.iter().any(|offer| offer.agent.id == agent));
        let former = i.open_participation(agent).map(|_| ActingAs::Former);
        return offered.then_some(ActingAs::Offered).or(former);
    };
    Some(match transfer {
        Some(transfer) if transfer.initiator.id == agent => ActingAs::Initiator,
        Some(transfer) if transfer.recipient() == Some(party.no) => ActingAs::Recipient,
        None if i.primary() == Some(agent) => ActingAs::Primary,
        _ => ActingAs::Participant,
    })
}

/// In a transfer the policy says it; otherwise whoever has the customer may.
fn by_phase(policy: &Policy, transfer: Option<&Transfer>, acts_as: ActingAs) -> ActionSet {
    let rules = || transfer.and_then(|transfer| transfer.rules(policy.method(transfer.kind)?));
    match acts_as {
        ActingAs::Staff | ActingAs::Primary => ActionSet::ALL,
        ActingAs::Initiator => rules().map(|rules| rules.initiator_may).unwrap_or_default(),
        ActingAs::Recipient => rules().map(|rules| rules.recipient_may).unwrap_or_default(),
        ActingAs::Participant | ActingAs::Offered | ActingAs::Former | ActingAs::Customer => ActionSet::default(),
    }
}

/// Whether a refused claim's reason says to an initiator why their target can't be had (T9).
pub fn is_target_refusal(reason: Reason) -> bool {
    matches!(reason, Reason::Busy | Reason::Offline | Reason::NotAvailable)
}
