//! The one function that advances an interaction. Each input goes to the machine that it is about; what came of it is carried to the others in
//! [`connect`]. Afterwards the recorder draws the conclusions that follow from any change.

mod advance;
mod command;
mod connect;
mod fact;
mod ivr;
mod parties;
mod tick;
mod why;

use crate::{
    actor::{Actor, AgentRef, Target},
    event::{Event, EventKind, Opened},
    input::Input,
    interaction::{Interaction, Opening, Seeker},
    permit::Refusal,
    policy::Policy,
};
use advance::Advance;

/// What an input led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// What to publish, in order.
    pub events: Vec<Event>,
    /// The state has changed, and its version has grown by one. False: nothing is to be stored.
    pub changed: bool,
}

/// Begins an interaction: the customer has called.
pub fn open(opening: Opening, policy: &Policy, now_us: i64) -> (Interaction, Vec<Event>) {
    begin(opening, policy, Actor::Customer, now_us, |advance: &mut Advance<'_>| Advance::advance_flow(advance))
}

/// Begins an interaction: an agent calls a customer. Their own phone rings first.
pub fn place(opening: Opening, policy: &Policy, agent: AgentRef, now_us: i64) -> (Interaction, Vec<Event>) {
    let rules = policy.interaction.caller_rules();
    begin(opening, policy, Actor::Agent(agent.id), now_us, |advance| {
        advance.seek(Target::Agent(agent), rules, Seeker::Caller);
    })
}

fn begin(
    opening: Opening,
    policy: &Policy,
    actor: Actor,
    now_us: i64,
    first: impl FnOnce(&mut Advance<'_>),
) -> (Interaction, Vec<Event>) {
    let cause = why::by_the_call(&actor);
    let mut interaction = Interaction::new(opening, now_us);
    let opened = Opened {
        switch: interaction.switch.clone(),
        medium: interaction.medium,
        direction: interaction.direction,
        number: interaction.number.clone(),
        customer: interaction.customer().address().clone(),
        customer_key: interaction.customer_key.clone(),
        recording_mode: interaction.recorder.mode,
        flow_id: interaction.flow.id.clone(),
    };
    let mut advance = Advance::new(&mut interaction, policy, now_us, (cause, actor));
    advance.emit(EventKind::Opened(Box::new(opened)));
    first(&mut advance);
    let events = advance.finish().events;
    (interaction, events)
}

/// Advances an interaction by one input, under the policy with which it began. Refused: nothing has changed.
///
/// # Errors
/// Only commands are refused; see [`Refusal`].
pub fn react(interaction: &mut Interaction, policy: &Policy, input: Input, now_us: i64) -> Result<Reaction, Refusal> {
    match input {
        Input::Command(actor, command) => {
            let cause = why::by_command(&actor, command.action());
            let approved = command::approve(interaction, policy, &actor, command)?;
            let mut advance = Advance::new(interaction, policy, now_us, (cause, actor));
            advance.carry_out(approved);
            Ok(advance.finish())
        }
        Input::Fact(fact) => {
            let cause = why::by_fact(interaction, &fact);
            let mut advance = Advance::new(interaction, policy, now_us, (cause, Actor::System));
            advance.fact(fact);
            Ok(advance.finish())
        }
        Input::Tick => {
            let mut advance = Advance::new(interaction, policy, now_us, (why::by_time(), Actor::System));
            advance.tick();
            Ok(advance.finish())
        }
    }
}
