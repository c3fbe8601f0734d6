//! The one function that advances an interaction. Each input changes the state and says what happened; afterwards [`recording`] draws the
//! conclusions that follow from any change (which segment is wanted now, what is being left out).

mod command;
mod customer;
mod fact;
mod flow;
mod leave;
mod offer;
mod recording;
mod saga;
mod step;
mod tick;

use crate::{
    event::{EventKind, Events},
    input::Input,
    interaction::{Customer, CustomerLine, Flow, Interaction, Opening, Recording, Stage},
    permit::Refusal,
    words::{Actor, AgentRef, AgentState, Direction, Target},
};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;
use step::Step;

/// What an input led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// What to publish, in order.
    pub events: Events,
    /// The state has changed, and its version has grown by one. False: nothing is to be stored.
    pub changed: bool,
}

/// Begins an interaction: the customer has called.
pub fn open(opening: Opening, now_us: i64) -> (Interaction, Events) {
    let mut interaction = new(opening, now_us);
    let mut step = Step::new(&mut interaction, now_us, Actor::Customer);
    step.emit(EventKind::Opened);
    step.advance_flow();
    let reaction = step.finish();
    (interaction, reaction.events)
}

/// Begins an interaction: an agent calls a customer. Their own phone rings first.
pub fn place(opening: Opening, agent: AgentRef, now_us: i64) -> (Interaction, Events) {
    let (actor, ring_ms) = (Actor::Agent(agent.id), opening.policy.interaction.dial_ring_ms);
    let mut interaction = new(opening, now_us);
    let mut step = Step::new(&mut interaction, now_us, actor);
    step.emit(EventKind::Opened);
    step.search(Target::Agent(agent), ring_ms, 0, smallvec![AgentState::Available]);
    let reaction = step.finish();
    (interaction, reaction.events)
}

/// Advances an interaction by one input. Refused: nothing has changed.
///
/// # Errors
/// Only commands are refused; see [`Refusal`].
pub fn react(interaction: &mut Interaction, input: Input, now_us: i64) -> Result<Reaction, Refusal> {
    match input {
        Input::Command(actor, command) => {
            command::check(interaction, &actor, &command)?;
            let mut step = Step::new(interaction, now_us, actor);
            step.command(command);
            Ok(step.finish())
        }
        Input::Fact(fact) => {
            let mut step = Step::new(interaction, now_us, Actor::System);
            step.fact(fact);
            Ok(step.finish())
        }
        Input::Tick => {
            let mut step = Step::new(interaction, now_us, Actor::System);
            step.tick();
            Ok(step.finish())
        }
    }
}

fn new(opening: Opening, now_us: i64) -> Interaction {
    let direction = match opening.line {
        CustomerLine::Inbound(_) => Direction::Inbound,
        _ => Direction::Outbound,
    };
    Interaction {
        id: opening.id,
        tenant: opening.tenant,
        version: 0,
        sequence: 0,
        opened_at_us: now_us,
        updated_at_us: now_us,
        direction,
        number: opening.number,
        customer: Customer { address: opening.customer, line: opening.line, held: false, gone: false, seen_in: None },
        agents: SmallVec::new(),
        primary: None,
        stage: Stage::Seeking,
        flow: Flow { steps: opening.flow, next: 0, skip_voicemail: opening.skip_voicemail, mailbox: None },
        search: None,
        transfer: None,
        journey: Vec::new(),
        notes: Vec::new(),
        data: BTreeMap::new(),
        recording: Recording {
            mode: opening.recording,
            automatic: opening.recording.records(direction),
            by_hand: false,
            paused: false,
            tenure: None,
            suspended: SmallVec::new(),
            current: None,
            closing: SmallVec::new(),
            ending: SmallVec::new(),
            gap: None,
            failures: 0,
        },
        released: SmallVec::new(),
        counters: crate::interaction::Counters { leg: 1, ..Default::default() },
        policy_version: opening.policy_version,
        policy: opening.policy,
    }
}
