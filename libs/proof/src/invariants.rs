//! What must always hold, each rule by its id. A policy is proved if none of them can break.

use crate::{
    model::Proof,
    rules::{agents, causes, customer, deadlines, events, facts, permits, recording, transfer},
    transitions::Transition,
    world::World,
};

/// A rule that must hold always.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    /// Its id: `C1`.
    pub id: &'static str,
    /// What must hold, in one sentence.
    pub says: &'static str,
    pub(crate) rule: Rule,
}

/// Of what a rule is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Of each world: what is wrong in it.
    Situation(fn(&Proof, &World) -> Checked),
    /// The same; it tries what everybody might do, or plays on, and takes long.
    Trial(fn(&Proof, &World) -> Checked),
    /// Of how one world follows another: whether it holds.
    Transition(fn(&Transition<'_>) -> bool),
}

/// What is wrong.
pub(crate) type Checked = Result<(), String>;

pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(why()) }
}

const fn always(id: &'static str, says: &'static str, check: fn(&Proof, &World) -> Checked) -> Invariant {
    Invariant { id, says, rule: Rule::Situation(check) }
}

const fn tried(id: &'static str, says: &'static str, check: fn(&Proof, &World) -> Checked) -> Invariant {
    Invariant { id, says, rule: Rule::Trial(check) }
}

const fn each_step(id: &'static str, says: &'static str, holds: fn(&Transition<'_>) -> bool) -> Invariant {
    Invariant { id, says, rule: Rule::Transition(holds) }
}

/// All of them. A step that breaks several is told of by the first.
pub const INVARIANTS: [Invariant; 63] = [
    always(
        "C1",
        "the customer is in exactly one place: a room that there is, voicemail, or an IVR flow",
        customer::one_place,
    ),
    always("C2", "nobody looks for an agent while one is there", customer::nobody_is_left_alone),
    always("C3", "when the customer has left, everybody is released within 15 s", deadlines::farewell_is_short),
    always("C3", "agents who were apart hear that the customer has left", customer::farewell_is_heard),
    always("C4", "the agent who has the customer is there", customer::served_by_somebody),
    always(
        "C4",
        "a customer on hold hears music, and one who is not is in the conversation with their agent",
        customer::hears_music_exactly_on_hold,
    ),
    always("C4", "in a consult the customer is on hold, and in a three-way not", transfer::consult_means_hold),
    always(
        "C5",
        "a deadline is armed until it is over, and is that of something that waits",
        deadlines::a_deadline_is_armed,
    ),
    always(
        "C5",
        "somebody present may take the customer off hold or end the transfer, or a deadline will",
        permits::nobody_is_stuck,
    ),
    always("C6", "a customer who is held, or waits, hears nobody and is heard by nobody", customer::held_means_alone),
    always(
        "C6",
        "a recipient whom the initiator has left for the customer waits alone, with music",
        customer::parked_means_alone,
    ),
    always(
        "B406",
        "a customer is away in a flow exactly while the agent who sent them waits, in private and not recorded",
        customer::away_and_waited_for,
    ),
    always(
        "C7",
        "a transfer that releases its initiator early has released them once somebody is rung",
        transfer::initiator_is_released,
    ),
    tried("T2", "deadlines alone lead every transfer, hold and search to its end", deadlines::lead_to_the_end),
    always(
        "T2",
        "who has taken over is with the customer within 30 s, or the transfer is over",
        deadlines::handing_over_is_short,
    ),
    always("T5", "when it is over no leg, claim, recording or wait is left", agents::nothing_is_left),
    tried(
        "T6",
        "what nobody is told that they may do is refused, and a refusal changes nothing",
        permits::others_are_refused,
    ),
    always("T6", "while a transfer is open nobody may do more than its policy permits", permits::as_the_policy_says),
    always("A1", "no agent is claimed twice", agents::nobody_is_claimed_twice),
    always(
        "A2",
        "who is rung or connected is claimed, for longer than their phone may ring",
        agents::claimed_while_rung,
    ),
    always("A5", "who declines is asked again twenty times at most", agents::nobody_is_asked_for_ever),
    always(
        "A5",
        "who is skipped, in the call, or hands over is neither asked nor proposed",
        agents::the_skipped_are_not_asked,
    ),
    always("A7", "a phone that rings is in no room before its answer is accepted", agents::ringing_is_in_no_room),
    tried("S5", "a fact about what is over changes nothing", facts::late_ones_change_nothing),
    always("R1", "only the customer's talk with an agent is recorded, and not during a pause", recording::only_talk),
    always("R2", "while nobody has the customer it is nobody's turn to be recorded", recording::nobodys_tenure),
    always("R2", "a tenure is that of an agent who is there", recording::tenure_of_the_present),
    always(
        "R2",
        "talk that is to be recorded is recorded, and the rest is left out for its reason",
        recording::all_talk,
    ),
    always("R2", "when it is over every recording has an end", recording::all_have_an_end),
    each_step("C2", "a transfer never hangs up the customer, unless its last fallback says so", customer::not_hung_up),
    each_step(
        "C2",
        "a customer never loses the last agents who are with them because another one leaves, or is late",
        customer::keeps_another_agent,
    ),
    each_step(
        "C2",
        "a customer whom nobody takes goes to the first place of the fallback that there is",
        customer::goes_where_the_fallback_says,
    ),
    each_step(
        "C4",
        "a customer who is on hold, or in a transfer, is not hung up because an agent goes",
        customer::not_hung_up_with_an_agent,
    ),
    each_step("C4", "a customer who was taken off hold in a transfer stays so", transfer::off_hold_stays_off),
    each_step(
        "C4",
        "where the policy has the recipient wait, their answer leaves the customer with the initiator",
        transfer::answer_leaves_the_customer,
    ),
    each_step(
        "C3",
        "agents who were apart are told of a customer who leaves where the policy says it, and for as long",
        deadlines::farewell_as_the_policy_says,
    ),
    each_step("C4", "who answers a consult does not take the customer off hold", transfer::answer_keeps_the_hold),
    each_step(
        "C4",
        "a transfer is completed when the customer is seen where they belong, not before",
        transfer::completed_when_seen,
    ),
    each_step(
        "C5",
        "each phase of a transfer lasts for as long as the policy says, from when it begins",
        transfer::phases_begin_with_all_their_time,
    ),
    each_step("C5", "a deadline that passes changes something, and before it nothing does", deadlines::exactly_then),
    each_step(
        "C7",
        "who takes over has the customer, off hold unless the policy keeps it; and who completed has left",
        transfer::recipient_has_the_customer,
    ),
    each_step(
        "C7",
        "an initiator who leaves, or a phase that is over, hands over or takes back as the policy says",
        transfer::phases_end_as_the_policy_says,
    ),
    each_step(
        "T2",
        "a transfer ends as one hop, before another begins; and what is over stays so",
        transfer::ends_as_a_hop,
    ),
    each_step(
        "T4",
        "no deadline ends a search while the agent's phone may still ring",
        transfer::not_cut_off_while_ringing,
    ),
    each_step("T4", "a phone that is dialled anew has another leg, and rings for no longer", agents::redialled_in_time),
    each_step(
        "T5",
        "after a transfer that came to nothing its recipient is gone, and the hold is as the policy says",
        transfer::leaves_nothing_behind,
    ),
    each_step(
        "T6",
        "what somebody is told that they may do is accepted from them, and does something",
        permits::buttons_do_not_lie,
    ),
    each_step(
        "T9",
        "a transfer that fails by its agent says why they did not take it",
        transfer::fails_with_the_agents_reason,
    ),
    each_step("A2", "why a claim is over is kept for presence", agents::claims_end_with_a_reason),
    each_step(
        "A4",
        "who was with the customer wraps up for as long as the policy says, and nobody else does",
        agents::wrap_up_as_the_policy_says,
    ),
    each_step("A5", "who declined or missed is skipped", agents::who_declined_is_skipped),
    each_step("A6", "whoever waits keeps their place", agents::place_is_kept),
    each_step("B203", "nobody is muted or unmuted but by themselves", agents::each_mutes_themselves),
    each_step(
        "B207",
        "recording is started, stopped, paused and resumed by whoever asks for it, and goes on with the next agent",
        recording::by_hand_by_command,
    ),
    each_step(
        "B406",
        "whoever comes out of a flow is with the agent who waited for them",
        transfer::comes_back_to_the_same_agent,
    ),
    each_step("S2", "an exit that is over is not made again", transfer::exits_are_made_once),
    each_step("S2", "a leg that is over is not wanted any more", facts::over_is_over),
    each_step("S5", "a fact that comes again changes nothing", facts::changes_nothing_again),
    each_step(
        "X3",
        "nobody is called outside by a kind of transfer, or for a customer, that the policy has not for it",
        transfer::goes_outside_as_the_policy_says,
    ),
    each_step(
        "C3",
        "when the customer leaves, the initiator goes on with whom they called outside exactly where the policy says so",
        transfer::goes_on_as_the_policy_says,
    ),
    each_step("E1", "what is not to be stored has not changed", events::unchanged_is_the_same),
    each_step(
        "E3",
        "events tell who came and went, of holds, transfers and recordings, and of the end",
        events::tell_it_all,
    ),
    each_step(
        "B612",
        "an event says why it happened: what came in, which time was up, and a rule that there is",
        causes::are_what_came_in,
    ),
];
