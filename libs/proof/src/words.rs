//! The way to a world, in plain words.

use crate::{
    happening::Happening,
    invariants::{INVARIANTS, Rule},
    model::Proof,
    report::StoryStep,
    timers,
    world::{World, number_of},
};
use baton_domain::{
    Actor, Command, Fact, Input, Policy, RecordingCommand, Target,
    input::FlowEnd,
    interaction::{ExitTo, Interaction, LegSource, LegState, Party, Stage},
    machine::{Offer, OfferState},
    project,
};
use baton_words::{ClaimNo, ExitOutcome, LegNo, Reason, Room};

/// Every step of the way, and at its end what is wrong.
pub(crate) fn story(proof: &Proof, way: Vec<(World, Option<Happening>)>, invariant: usize) -> Vec<StoryStep> {
    let mut steps = Vec::new();
    let mut happening = None;
    for (world, next) in way {
        let happens = happening.take().unwrap_or_else(|| beginning(&world.interaction));
        let wrong = match INVARIANTS[invariant].rule {
            Rule::Situation(check) if next.is_none() => check(proof, &world).err(),
            _ => None,
        };
        let wrong = wrong.map(|why| format!("; {why}")).unwrap_or_default();
        steps.push(StoryStep { happening: happens, then: format!("{}{wrong}", situation(proof, &world)) });
        happening = next.map(|next| words(&world, &next, &proof.policy));
    }
    steps
}

fn beginning(i: &Interaction) -> String {
    match i.customer().leg.origin {
        LegSource::Outside(_) => "agent 1 calls a customer".to_owned(),
        LegSource::Inbound(_) | LegSource::Phone(_) => "a customer calls".to_owned(),
        LegSource::Written => "a customer opens a chat".to_owned(),
    }
}

fn words(world: &World, happening: &Happening, policy: &Policy) -> String {
    let i = &world.interaction;
    match happening {
        Happening::Deadline(at_us) if *at_us <= world.now_us => "what is overdue is looked at".to_owned(),
        Happening::Deadline(at_us) => {
            let passed = duration(at_us - world.now_us);
            let is_next = timers::moments(world, policy).first() == Some(at_us);
            let how = if is_next { "nobody does anything" } else { "nothing is looked at, as after an outage" };
            format!("{passed} pass, and {how}")
        }
        Happening::ShortlyBefore(at_us) => format!("almost {} pass", duration(at_us - world.now_us)),
        Happening::Input(Input::Command(actor, command)) => command_words(actor, command),
        Happening::Input(Input::Fact(fact)) => fact_words(i, fact),
        Happening::Input(Input::Tick) => "time passes".to_owned(),
    }
}

fn duration(us: i64) -> String {
    let ms = (us + 500) / 1000;
    match ms {
        0 => "some microseconds".to_owned(),
        ms if ms % 1000 != 0 => format!("{ms} ms"),
        ms if ms < 120_000 => format!("{} s", ms / 1000),
        ms => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
    }
}

fn who(actor: &Actor) -> String {
    match actor {
        Actor::Agent(agent) => format!("agent {}", number_of(*agent)),
        Actor::Staff { .. } => "a supervisor".to_owned(),
        Actor::Customer => "the customer".to_owned(),
        Actor::External => "somebody outside".to_owned(),
        Actor::System => "Baton".to_owned(),
    }
}

fn command_words(actor: &Actor, command: &Command) -> String {
    let does = match command {
        Command::Start(start) => {
            let to = match &start.target {
                Target::Agent(agent) => format!("agent {}", number_of(agent.id)),
                Target::Team { .. } => "the team".to_owned(),
                Target::Queue(_) => "the queue".to_owned(),
                Target::IvrFlow(flow) if flow.transfers_on() => "a flow that transfers on".to_owned(),
                Target::IvrFlow(_) => "a flow".to_owned(),
                Target::External(_) => "somebody outside".to_owned(),
            };
            format!("starts a {} transfer to {to}", start.kind)
        }
        Command::Decline(_) => "declines".to_owned(),
        Command::Cancel(_) => "cancels the transfer".to_owned(),
        Command::Complete(_) => "completes the transfer".to_owned(),
        Command::Swap(_) => "goes to whom they are not with".to_owned(),
        Command::Hold => "puts the customer on hold".to_owned(),
        Command::Resume => "takes the customer off hold".to_owned(),
        Command::SetMute(true) => "mutes themselves".to_owned(),
        Command::SetMute(false) => "unmutes themselves".to_owned(),
        Command::Leave => "leaves".to_owned(),
        Command::End => "ends the call".to_owned(),
        Command::Note(_) => "writes a note".to_owned(),
        Command::Disposition(given) => format!("dispositions their turn: {}", given.name),
        Command::SetData { .. } => "sets data".to_owned(),
        Command::Recording(RecordingCommand::Start) => "starts recording".to_owned(),
        Command::Recording(RecordingCommand::Stop) => "stops recording".to_owned(),
        Command::Recording(RecordingCommand::Pause) => "pauses recording".to_owned(),
        Command::Recording(RecordingCommand::Resume) => "resumes recording".to_owned(),
        Command::Accept(_) => "accepts".to_owned(),
        Command::SendMessage(_) => "writes a message".to_owned(),
    };
    format!("{} {does}", who(actor))
}

fn fact_words(i: &Interaction, fact: &Fact) -> String {
    match fact {
        Fact::LegUp(leg, None) => format!("{} answers", whose_leg(i, *leg)),
        Fact::LegUp(leg, Some(room)) => format!("{} is seen {}", whose_leg(i, *leg), in_room(*room)),
        Fact::LegEnded(leg, Reason::HungUp) => format!("{} hangs up", whose_leg(i, *leg)),
        Fact::LegEnded(leg, reason) => format!("the line to {} ends: {}", whose_leg(i, *leg), spaced(reason.name())),
        Fact::AnnouncementOver(_) => "the announcement is over".to_owned(),
        Fact::ExitOver(_, ExitOutcome::Left) => "a message is left in voicemail".to_owned(),
        Fact::ExitOver(_, ExitOutcome::Returned) => "the customer comes back from voicemail".to_owned(),
        Fact::ExitOver(_, ExitOutcome::Unknown) => "nobody knows what became of the customer in voicemail".to_owned(),
        Fact::InFlow(_, data) if data.is_empty() => "the customer is in the flow".to_owned(),
        Fact::InFlow(..) => "the flow has collected something".to_owned(),
        Fact::FlowOver(_, FlowEnd::Returned, _) => "the flow gives the customer back".to_owned(),
        Fact::FlowOver(_, FlowEnd::Ended, _) => "the flow comes to its end".to_owned(),
        Fact::FlowOver(_, FlowEnd::Transferred(_), _) => "the flow transfers the customer on".to_owned(),
        Fact::FlowOver(_, FlowEnd::Left, _) => "the customer hangs up in the flow".to_owned(),
        Fact::FlowOver(_, FlowEnd::Unknown, _) => "nobody knows what became of the customer in the flow".to_owned(),
        Fact::SegmentLive(_) => "the recording is being written".to_owned(),
        Fact::SegmentEnded(_, end) if end.failed => "a piece of the recording could not be written".to_owned(),
        Fact::SegmentEnded(..) => "a piece of the recording is closed".to_owned(),
        Fact::ClaimGranted(claim) => format!("{} is reserved, and their phone is to ring", whose_claim(i, *claim)),
        Fact::ClaimQueued(claim) => {
            format!("{} is in another call, and will be reserved after it", whose_claim(i, *claim))
        }
        Fact::ClaimRefused(claim, reason) => {
            format!("{} can't be had: {}", whose_claim(i, *claim), spaced(reason.name()))
        }
        Fact::Queued(..) => "routing takes the call into the queue".to_owned(),
        Fact::Proposed(_, agents) => {
            let names: Vec<_> = agents.iter().map(|agent| format!("agent {}", number_of(agent.id))).collect();
            format!("routing proposes {}", names.join(" and "))
        }
        Fact::Exhausted(_) => "routing has nobody to propose".to_owned(),
        Fact::Unattended(_) => "nobody who serves the queue is signed in".to_owned(),
        Fact::Closed(_) => "the queue closes".to_owned(),
        Fact::SwitchLost => "the switch has lost all legs".to_owned(),
    }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

fn whose_leg(i: &Interaction, leg: LegNo) -> String {
    if leg == i.customer().leg.no {
        return "the customer".to_owned();
    }
    let outside = i.search().and_then(|search| search.outside).is_some_and(|call| call.leg == leg);
    if outside || i.externals().any(|party| party.leg.no == leg) {
        return "somebody outside".to_owned();
    }
    let rings = |offer: &&Offer| matches!(offer.state, OfferState::Ringing { leg: own, .. } if own == leg);
    let offered = i.search().and_then(|search| search.offers.iter().find(rings)).map(|offer| offer.agent.id);
    let present = i.agents().find(|party| party.leg.no == leg).and_then(Party::agent_id);
    offered.or(present).map_or_else(|| format!("leg {}", leg.0), |agent| format!("agent {}", number_of(agent)))
}

fn whose_claim(i: &Interaction, claim: ClaimNo) -> String {
    let offer = i.search().and_then(|search| search.offers.iter().find(|offer| offer.claim == claim));
    offer.map_or_else(|| "somebody".to_owned(), |offer| format!("agent {}", number_of(offer.agent.id)))
}

fn in_room(room: Room) -> &'static str {
    match room {
        Room::Talk => "in the conversation",
        Room::Hold => "on hold",
        Room::Consult => "in private",
        Room::Lobby => "waiting",
        Room::Parked => "parked with music",
    }
}

/// Where everybody is wanted, and how far the transfer is.
fn situation(proof: &Proof, world: &World) -> String {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
    let mut parts = vec![customer(i, plan.room_of(i.customer().leg.no))];
    for party in i.agents() {
        let room = plan.room_of(party.leg.no).map_or("nowhere", in_room);
        let muted = if party.muted { ", muted" } else { "" };
        parts.push(format!("agent {} {room}{muted}", party.agent_id().map_or(0, number_of)));
    }
    for party in i.externals() {
        parts.push(format!("somebody outside {}", plan.room_of(party.leg.no).map_or("nowhere", in_room)));
    }
    if i.search().is_some_and(|search| search.outside.is_some()) {
        parts.push("somebody outside is rung".to_owned());
    }
    for offer in i.search().into_iter().flat_map(|search| &search.offers) {
        let how = match offer.state {
            OfferState::Claiming { .. } => "is being reserved",
            OfferState::Queued { .. } => "is waited for",
            OfferState::Ringing { .. } => "is rung",
        };
        parts.push(format!("agent {} {how}", number_of(offer.agent.id)));
    }
    let transfer = i
        .transfer
        .as_ref()
        .map(|open| format!("; {} transfer: {}", spaced(open.kind.name()), spaced(open.phase().name())));
    format!("{}{}", parts.join(", "), transfer.unwrap_or_default())
}

fn customer(i: &Interaction, room: Option<Room>) -> String {
    match (&i.stage, i.customer().leg.state, room) {
        (Stage::Ended(reason), ..) => format!("the call is over: {}", spaced(reason.name())),
        (Stage::Exiting(exit), ..) if matches!(exit.to, ExitTo::Flow(_)) => "customer in a flow".to_owned(),
        (Stage::Served(service), ..) if service.away.is_some() => "customer in a flow".to_owned(),
        (Stage::Exiting(_), ..) => "customer in voicemail".to_owned(),
        (_, LegState::Planned, _) => "customer not called yet".to_owned(),
        (_, LegState::Ringing { .. }, _) => "customer is rung".to_owned(),
        (_, LegState::Over, _) => "customer gone".to_owned(),
        (_, LegState::Up { .. }, Some(room)) => format!("customer {}", in_room(room)),
        (_, LegState::Up { .. }, None) => "customer nowhere".to_owned(),
    }
}
