//! Everything that can happen next in a world.

use crate::{
    bound::Bound,
    timers,
    world::{World, agent, flow, outside, queue, supervisor, team},
};
use baton_domain::{
    Action, Actor, Command, Fact, Input, OutsideSort, Policy, RecordingCommand, StartTransfer, Target,
    input::{Disposition, FlowDatum, FlowEnd, FlowValue, Message, SegmentEnd},
    interaction::{ExitTo, Interaction, LegState, Party, Stage},
    machine::{OfferState, Round},
    permit,
    policy::{QueueSuccess, ReleaseMoment},
    project,
};
use baton_words::{ExitOutcome, Reason, Room, TargetSort, TransferKind, TransferNo, Visibility};

/// Something that can happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// An input: somebody does something, or something is observed.
    Input(Input),
    /// Nothing happens until this deadline, in microseconds since the epoch, and it passes: with all before it, if they were not looked at.
    Deadline(i64),
    /// Nothing happens until just before this moment: the next deadline, or the end of the time for which a phone may ring.
    ShortlyBefore(i64),
}

/// All of it.
pub(crate) fn possible(world: &World, policy: &Policy, bound: &Bound, all: &mut Vec<Happening>) {
    let i = &world.interaction;
    if world.broken.is_some() || i.settled() {
        return;
    }
    commands(i, policy, bound, all);
    facts(i, policy, bound, all);
    if i.ended() {
        return;
    }
    let moments = timers::moments(world, policy);
    if let Some(first) = moments.first().copied() {
        let ring_end = timers::ring_ends(i).into_iter().find(|at_us| *at_us > world.now_us && *at_us < first);
        let soon = ring_end.into_iter().chain([first]).filter(|at_us| at_us - world.now_us > 1);
        all.extend(soon.map(Happening::ShortlyBefore));
    }
    all.extend(moments.iter().copied().map(Happening::Deadline));
}

/// What the agents and a supervisor are told that they may do. That nobody may do anything else is looked at in each world (T6).
fn commands(i: &Interaction, policy: &Policy, bound: &Bound, all: &mut Vec<Happening>) {
    for actor in actors(bound) {
        for action in permit::allowed(i, policy, &actor).iter().filter(|action| is_followed(*action, bound)) {
            let command = |command| Happening::Input(Input::Command(actor.clone(), command));
            match action {
                Action::Start(kind) if i.counters.transfer < u32::from(bound.transfers) => {
                    all.extend(targets(i, policy, kind, bound).map(|target| command(start(policy, kind, target))));
                }
                Action::Start(_) => {}
                _ => all.push(command(command_of(policy, action, i.transfer.as_ref().map(|transfer| transfer.no)))),
            }
        }
    }
}

/// Everybody who can be in the call, a supervisor, and the customer, who has something to say in a chat.
pub(crate) fn actors(bound: &Bound) -> impl Iterator<Item = Actor> {
    (1..=bound.agents).map(|no| Actor::Agent(agent(no).id)).chain([supervisor(), Actor::Customer])
}

/// Notes, data, dispositions and messages change nothing else; recording is followed where the bound has it.
fn is_followed(action: Action, bound: &Bound) -> bool {
    match action {
        Action::Note | Action::SetData | Action::Disposition | Action::SendMessage => false,
        Action::StartRecording | Action::StopRecording | Action::PauseRecording | Action::ResumeRecording => {
            bound.recording
        }
        _ => true,
    }
}

/// Whom this kind can go to: the agents who are not in the call, the team, the queue, somebody outside, and an IVR flow: one that transfers on, unless
/// the customer is to come back. Where a queue has to be answered to have succeeded, it is looked for as a team is: one of both will do.
fn targets(i: &Interaction, policy: &Policy, kind: TransferKind, bound: &Bound) -> impl Iterator<Item = Target> {
    let method = policy.method(kind);
    let sorts = method.map(|method| method.offer.sorts(i.medium).collect::<Vec<_>>());
    let mut sorts = sorts.unwrap_or_default();
    let own_success = method.is_some_and(|method| method.queue_success == QueueSuccess::Enqueued);
    if sorts.contains(&TargetSort::Team) && !own_success {
        sorts.retain(|sort| *sort != TargetSort::Queue);
    }
    let comes_back = method.is_some_and(|method| method.released == ReleaseMoment::Never);
    // What the policy does not have for a sort, it refuses (B408); and behind it they are all alike.
    let all = [OutsideSort::Forwarding, OutsideSort::NotForwarding, OutsideSort::Typed];
    let sort = all.into_iter().find(|sort| permit::permit_outside_sort(i, policy, kind, *sort).is_ok());
    let others = [team(), queue(), flow(!comes_back)].into_iter().chain(sort.map(outside));
    outsiders(i, bound).map(Target::Agent).chain(others).filter(move |target| sorts.contains(&target.sort()))
}

fn outsiders(i: &Interaction, bound: &Bound) -> impl Iterator<Item = baton_domain::AgentRef> {
    (1..=bound.agents).map(agent).filter(|agent| i.agent(agent.id).is_none())
}

fn start(policy: &Policy, kind: TransferKind, target: Target) -> Command {
    let outcome = policy.interaction.outcomes.first().cloned().unwrap_or_default();
    Command::Start(StartTransfer { kind, target, message: "as agreed".into(), outcome })
}

/// The command of an action, about this open transfer. A start is one to somebody whom nobody else is, or to a flow that gives the customer back.
pub fn command_of(policy: &Policy, action: Action, open: Option<TransferNo>) -> Command {
    let no = open.unwrap_or(TransferNo(0));
    match action {
        Action::Start(TransferKind::RoundTrip) => start(policy, TransferKind::RoundTrip, flow(false)),
        Action::Start(kind) => start(policy, kind, Target::Agent(agent(u8::MAX))),
        Action::Cancel => Command::Cancel(no),
        Action::Complete => Command::Complete(no),
        Action::Swap => Command::Swap(no),
        Action::Decline => Command::Decline(open),
        Action::Accept => Command::Accept(open),
        Action::SendMessage => {
            Command::SendMessage(Message { text: "a message".into(), visibility: Visibility::Everyone })
        }
        Action::Hold => Command::Hold,
        Action::Resume => Command::Resume,
        Action::Mute => Command::SetMute(true),
        Action::Unmute => Command::SetMute(false),
        Action::Leave => Command::Leave,
        Action::End => Command::End,
        Action::Note => Command::Note("a note".into()),
        Action::Disposition => {
            let name = policy.interaction.dispositions.first().cloned().unwrap_or_default();
            Command::Disposition(Disposition { name, note: "".into() })
        }
        Action::SetData => Command::SetData { set: vec![("key".into(), "value".into())], remove: vec![] },
        Action::StartRecording => Command::Recording(RecordingCommand::Start),
        Action::StopRecording => Command::Recording(RecordingCommand::Stop),
        Action::PauseRecording => Command::Recording(RecordingCommand::Pause),
        Action::ResumeRecording => Command::Recording(RecordingCommand::Resume),
    }
}

/// What the switch, presence and routing can have seen. Whoever is asked may also say nothing: that is a deadline.
fn facts(i: &Interaction, policy: &Policy, bound: &Bound, all: &mut Vec<Happening>) {
    let mut facts = Vec::new();
    if !i.ended() {
        search_facts(i, bound, &mut facts);
        // No switch has seen anything of those who write.
        if !i.medium.is_written() {
            i.parties.iter().for_each(|party| party_facts(i, party, &mut facts));
            facts.push(Fact::SwitchLost);
        }
        match &i.stage {
            Stage::Farewell { announcement, .. } => facts.push(Fact::AnnouncementOver(*announcement)),
            Stage::Seeking(_) | Stage::Served(_) | Stage::Exiting(_) | Stage::Ended(_) => {}
        }
        exit_facts(i, &mut facts);
        facts.push(Fact::SwitchLost);
    }
    facts.extend(project::plan(i, policy).segment.map(|wanted| Fact::SegmentLive(wanted.segment)));
    let written = SegmentEnd { started_at_us: 1, ended_at_us: 2, failed: false };
    let failed = SegmentEnd { started_at_us: 0, ended_at_us: 0, failed: true };
    for segment in i.recorder.current.iter().chain(&i.recorder.closing) {
        facts.extend([written, failed].map(|end| Fact::SegmentEnded(segment.no, end)));
    }
    all.extend(facts.into_iter().map(|fact| Happening::Input(Input::Fact(fact))));
}

/// Voicemail is over; an IVR flow collects something, or is over.
fn exit_facts(i: &Interaction, facts: &mut Vec<Fact>) {
    let Some(exit) = i.exit() else { return };
    match &exit.to {
        ExitTo::Mailbox(_) => {
            let outcomes = [ExitOutcome::Left, ExitOutcome::Returned, ExitOutcome::Unknown];
            facts.extend(outcomes.map(|outcome| Fact::ExitOver(exit.no, outcome)));
        }
        ExitTo::Flow(visit) => {
            facts.push(Fact::InFlow(exit.no, vec![]));
            facts.push(Fact::InFlow(exit.no, collected()));
            let ends = [FlowEnd::Returned, FlowEnd::Ended, FlowEnd::Left, FlowEnd::Unknown];
            let on = visit.flow.transfers_on().then_some([FlowEnd::Transferred(0), FlowEnd::Transferred(1)]);
            let ends = ends.into_iter().chain(on.into_iter().flatten());
            facts.extend(ends.map(|end| Fact::FlowOver(exit.no, end, collected())));
        }
    }
}

fn collected() -> Vec<FlowDatum> {
    vec![FlowDatum { key: "choice".into(), value: FlowValue::Digits("1".into()) }]
}

fn search_facts(i: &Interaction, bound: &Bound, facts: &mut Vec<Fact>) {
    let Some(search) = i.search() else { return };
    for offer in &search.offers {
        match offer.state {
            OfferState::Claiming { .. } => {
                facts.extend([Fact::ClaimGranted(offer.claim), Fact::ClaimRefused(offer.claim, Reason::Busy)]);
                // Where nobody is waited for, it says nothing.
                facts.push(Fact::ClaimQueued(offer.claim));
            }
            // They are free, or presence gives up before the core does.
            OfferState::Queued { .. } => {
                facts.extend([Fact::ClaimGranted(offer.claim), Fact::ClaimRefused(offer.claim, Reason::Expired)]);
            }
            OfferState::Ringing { leg, .. } => {
                if !i.medium.is_written() {
                    facts.push(Fact::LegUp(leg, None));
                    let ends = [Reason::NoAnswer, Reason::Unreachable, Reason::HungUp];
                    facts.extend(ends.map(|reason| Fact::LegEnded(leg, reason)));
                }
                facts.push(Fact::ClaimRefused(offer.claim, Reason::Unreachable));
            }
        }
    }
    if let Some(call) = search.outside {
        facts.push(Fact::LegUp(call.leg, None));
        let ends = [Reason::NoAnswer, Reason::Unreachable, Reason::HungUp];
        facts.extend(ends.map(|reason| Fact::LegEnded(call.leg, reason)));
    }
    if let Round::Open(wait) = search.round {
        if !search.entered {
            facts.push(Fact::Queued(wait, 1));
        }
        // Who has joined meanwhile may have been proposed before.
        facts.extend((1..=bound.agents).map(|no| Fact::Proposed(wait, vec![agent(no)])));
        let free: Vec<_> = outsiders(i, bound).collect();
        if free.len() > 1 {
            facts.push(Fact::Proposed(wait, free));
        }
        facts.push(Fact::Exhausted(wait));
        if search.target.queue().is_some() {
            facts.extend([Fact::Unattended(wait), Fact::Closed(wait)]);
        }
    }
}

/// A leg is seen in any of the rooms, as reports of where it was come late; or it ends.
fn party_facts(i: &Interaction, party: &Party, facts: &mut Vec<Fact>) {
    let leg = party.leg.no;
    let ended = |reason| Fact::LegEnded(leg, reason);
    match party.leg.state {
        LegState::Planned | LegState::Over => {}
        LegState::Ringing { .. } => {
            facts.push(Fact::LegUp(leg, None));
            facts.extend([Reason::NoAnswer, Reason::HungUp].map(ended));
        }
        LegState::Up { .. } => {
            let apart = if party.no == i.customer { Room::Hold } else { Room::Consult };
            facts.extend([Room::Talk, apart].map(|room| Fact::LegUp(leg, Some(room))));
            facts.extend([Reason::HungUp, Reason::Unreachable].map(ended));
        }
    }
}
