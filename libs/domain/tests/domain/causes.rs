//! Why each event happened (B612), played through on the pure state.

use crate::world::{World, agent, policy, ring, supervisor, team};
use baton_domain::{
    Cause, Command, Event, Fact, Input, RuleField, Trigger, interaction::LegSource, machine::FlowStep, project,
};
use baton_words::{ClaimNo, ExitOutcome, LegNo, Reason, RecordingMode, TransferKind};
use std::sync::Arc;

/// Each event since this sequence, with what came in, the time that was up, and the rule that decided.
fn causes(world: &World, since: i64) -> Vec<String> {
    let told = world.events.iter().filter(|event| event.sequence > since);
    told.filter(|event| !is_of_recording(event)).map(|event| line(world, event)).collect()
}

fn is_of_recording(event: &Event) -> bool {
    ["Recording", "Segment", "Excluded"].iter().any(|name| name_of(event).starts_with(name))
}

fn name_of(event: &Event) -> String {
    let debug = format!("{:?}", event.kind);
    debug.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn line(world: &World, event: &Event) -> String {
    let Cause { trigger, agent, limit, rule } = event.cause;
    let what = match trigger {
        Trigger::Call => "call".to_owned(),
        Trigger::Command(action) => format!("to {action}"),
        Trigger::Fact(sort, reason) => format!("{sort:?}{}", reason.map(|it| format!(" {it}")).unwrap_or_default()),
        Trigger::Deadline => "time".to_owned(),
    };
    let whose = agent.map(|agent| format!(" of {}", agent.0.as_u128())).unwrap_or_default();
    let said = |mark, field: Option<RuleField>| {
        let text = field.map(|it| {
            format!(
                " {mark} {} = {}",
                it.path(),
                it.value(&world.policy, &world.i.flow).expect("a field that there is")
            )
        });
        text.unwrap_or_default()
    };
    format!("{}: {what}{whose}{}{}", name_of(event), said("after", limit), said("by", rule))
}

/// Agent 1, who has the customer, has started a warm transfer to agent 2, who is rung.
fn rung(profile: &str, overrides: &str) -> World {
    let mut world = World::talking_by(policy(profile, overrides));
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world
}

fn consulting(profile: &str, overrides: &str) -> World {
    let mut world = rung(profile, overrides);
    world.answer(2);
    world
}

/// What follows from this.
fn after(world: &mut World, act: impl FnOnce(&mut World)) -> Vec<String> {
    let since = world.i.sequence;
    act(world);
    causes(world, since)
}

#[test]
fn b612_a_call_is_its_own_cause() {
    let world = World::new(policy("lead_center", ""), RecordingMode::All, vec![ring(1)]);
    assert_eq!(causes(&world, 0), ["Opened: call", "FlowStep: call"]);
    let placed = World::placed(policy("lead_center", ""), RecordingMode::All);
    assert_eq!(causes(&placed, 0), ["Opened: call of 1"]);
}

#[test]
fn b612_an_offer_and_a_hold_say_who_asked_and_what_the_policy_does() {
    let mut world = World::talking("lead_center");
    let started = after(&mut world, |it| drop(it.start(1, TransferKind::Warm, 2).expect("permitted")));
    assert_eq!(started, ["TransferStarted: to start a transfer (warm) of 1"]);
    assert_eq!(
        after(&mut world, World::grant),
        [
            "AgentOffered: ClaimGranted of 2",
            "TransferOffered: ClaimGranted of 2",
            "CustomerHeld: ClaimGranted of 2 by methods.warm.customer = \"hold\"",
        ]
    );
    assert_eq!(
        after(&mut world, |it| it.answer(2)),
        ["AgentJoined: Answered of 2", "TransferConsulting: Answered of 2",]
    );
}

#[test]
fn b612_a_phone_that_rang_out_says_for_how_long_it_could() {
    let mut world = rung("lead_center", "");
    assert_eq!(
        after(&mut world, |it| it.no_answer(2)),
        [
            "OfferFailed: LegEnded no_answer of 2 after methods.warm.offer.ring_ms = 20000",
            "TransferFailed: LegEnded no_answer of 2 after methods.warm.offer.ring_ms = 20000 by methods.warm.on_unanswered = \"fail\"",
        ]
    );
    // In a call flow it is the step's.
    let flow = vec![FlowStep::RingAgent { agent: agent(1), ring_ms: 7_000 }, FlowStep::Voicemail("desk".into())];
    let mut world = World::new(policy("lead_center", ""), RecordingMode::All, flow);
    world.grant();
    assert_eq!(
        after(&mut world, |it| it.no_answer(1)),
        [
            "OfferFailed: LegEnded no_answer of 1 after steps.1.ring_ms = 7000",
            "FlowStep: LegEnded no_answer of 1 after steps.1.ring_ms = 7000",
        ]
    );
    // For a call that an agent places, their own phone's and the customer's are the house's.
    let mut world = World::placed(policy("lead_center", ""), RecordingMode::All);
    world.grant();
    let mut own = world.clone();
    assert_eq!(
        after(&mut own, |it| it.no_answer(1)),
        [
            "OfferFailed: LegEnded no_answer of 1 after interaction.dial_ring_ms = 45000",
            "Ended: LegEnded no_answer of 1 after interaction.dial_ring_ms = 45000",
        ]
    );
    world.answer_only(1);
    assert!(matches!(world.i.customer().leg.origin, LegSource::Outside(_)));
    let unanswered = after(&mut world, |it| drop(it.fact(Fact::LegEnded(LegNo(1), Reason::NoAnswer))));
    assert_eq!(
        unanswered,
        [
            "AgentLeft: LegEnded no_answer after interaction.dial_ring_ms = 45000",
            "Ended: LegEnded no_answer after interaction.dial_ring_ms = 45000",
        ]
    );
}

#[test]
fn b612_silence_says_which_silence_it_was() {
    let mut world = rung("lead_center", "");
    assert_eq!(
        after(&mut world, World::tick_at_deadline),
        [
            "OfferFailed: time after interaction.ring_silence_ms = 5000",
            "TransferFailed: time after interaction.ring_silence_ms = 5000 by methods.warm.on_unanswered = \"fail\"",
        ]
    );
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    assert_eq!(
        after(&mut world, World::tick_at_deadline)[0],
        "OfferFailed: time after interaction.claim_answer_ms = 10000"
    );
}

#[test]
fn b612_who_declines_is_named_by_command_and_by_phone() {
    let mut world = rung("lead_center", "");
    let command = world.decline();
    let declined = after(&mut world.clone(), |it| it.does(2, command));
    assert_eq!(
        declined,
        ["OfferFailed: to decline of 2", "TransferFailed: to decline of 2 by methods.warm.on_unanswered = \"fail\"",]
    );
    assert_eq!(after(&mut world, |it| it.hang_up(2))[0], "OfferFailed: LegEnded hung_up of 2");
}

#[test]
fn b612_who_cannot_be_had_is_busy_or_not_one_to_choose() {
    let refused = |kind, reason| {
        let mut world = World::talking("lead_center");
        world.start(1, kind, 2).expect("permitted");
        after(&mut world, |it| it.refuse(reason))
    };
    assert_eq!(
        refused(TransferKind::Warm, Reason::Busy),
        [
            "OfferFailed: ClaimRefused busy of 2 by methods.warm.offer.when_busy = \"refuse\"",
            "TransferFailed: ClaimRefused busy of 2 by methods.warm.on_unanswered = \"fail\"",
            "CustomerHeld: ClaimRefused busy of 2 by methods.warm.after_failure = \"held\"",
        ]
    );
    let fallback = "methods.cold.offer.fallback = [\"voicemail\", \"next_step\", \"disconnect\"]";
    assert_eq!(
        refused(TransferKind::Cold, Reason::Offline),
        [
            "OfferFailed: ClaimRefused offline of 2 by methods.cold.offer.choosable = [\"available\"]".to_owned(),
            "AgentLeft: ClaimRefused offline of 2 by methods.cold.on_unanswered = \"fallback\"".to_owned(),
            format!("TransferDiverted: ClaimRefused offline of 2 by {fallback}"),
        ]
    );
}

#[test]
fn b612_who_is_waited_for_says_by_which_rule_and_for_how_long() {
    let mut world = World::talking("user_transfer");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    let waits = after(&mut world, |it| drop(it.fact(Fact::ClaimQueued(ClaimNo(2)))));
    assert_eq!(waits, ["TransferWaiting: ClaimQueued of 2 by methods.warm.offer.when_busy = \"wait\""]);
    let over = after(&mut world, World::tick_at_deadline);
    let limit = "time after methods.warm.offer.wait_ms = 240000";
    let failed = format!("TransferFailed: {limit} by methods.warm.on_unanswered = \"fail\"");
    assert_eq!(over, [format!("OfferFailed: {limit}"), failed]);
}

#[test]
fn b612_who_accepts_and_waits_says_by_which_rule() {
    let mut world = rung("engagement", "");
    let accepts = after(&mut world, |it| it.answer_only(2));
    let rule = "methods.warm.consult.answered_while_resumed = \"wait\"";
    assert_eq!(accepts.last(), Some(&format!("TransferAccepted: Answered of 2 by {rule}")));
}

#[test]
fn b612_each_phase_that_is_over_says_its_time_and_what_happens_then() {
    // A policy of before may let a phone ring for longer than the phase lasts.
    let short = "[methods.warm.offered]\nmax_ms = 15_000\n";
    let plan = vec!["warm_transfer".to_owned()];
    let before = baton_domain::policy::restore("lead_center", short, plan).expect("can be read");
    let mut world = World::talking_by(Arc::new(before));
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    let offered = after(&mut world, World::tick_at_deadline);
    assert_eq!(
        offered.last().map(String::as_str),
        Some("TransferCancelled: time after methods.warm.offered.max_ms = 15000")
    );

    let mut world = consulting("lead_center", "");
    let over = after(&mut world, World::tick_at_deadline);
    let consult = "methods.warm.consult.consulting";
    let why = format!("time after {consult}.max_ms = 1800000 by {consult}.on_timeout = \"cancel\"");
    assert_eq!(over[..2], [format!("AgentLeft: {why}"), format!("TransferCancelled: {why}")]);
    let reminder = "HoldReminder: time after interaction.hold_reminder_ms = 300000";
    assert_eq!(over[2..], [reminder], "the customer has been on hold all the while");

    let mut world = consulting("lead_center", "");
    world.does(1, Command::Resume);
    let over = after(&mut world, World::tick_at_deadline);
    let joined = "methods.warm.consult.joined";
    let why = format!("time after {joined}.max_ms = 3600000 by {joined}.on_timeout = \"complete\"");
    assert_eq!(over[..2], [format!("PrimaryChanged: {why}"), format!("AgentLeft: {why}")]);

    let mut world = consulting("lead_center", "");
    let complete = world.complete();
    world.command(1, complete).expect("permitted");
    let over = after(&mut world, World::tick_at_deadline);
    assert_eq!(over, ["TransferFailed: time after interaction.hand_over_ms = 30000"]);
}

#[test]
fn b612_a_team_that_is_waited_for_in_vain() {
    let flow = || {
        let mut world = World::talking("lead_center");
        world.start_to(1, TransferKind::Warm, team()).expect("permitted");
        let wait = project::wait(&world.i).expect("a wait").wait;
        world.fact(Fact::Queued(wait, 1));
        (world, wait)
    };
    let (mut world, wait) = flow();
    let exhausted = after(&mut world, |it| drop(it.fact(Fact::Exhausted(wait))));
    assert_eq!(
        exhausted[..2],
        [
            "Dequeued: Exhausted by methods.warm.offer.when_nobody = \"leave\"",
            "TransferFailed: Exhausted by methods.warm.on_unanswered = \"fail\"",
        ]
    );
    let (mut world, _) = flow();
    assert_eq!(
        after(&mut world, World::tick_at_deadline)[..2],
        [
            "Dequeued: time after methods.warm.offer.wait_ms = 120000",
            "TransferFailed: time after methods.warm.offer.wait_ms = 120000 by methods.warm.on_unanswered = \"fail\"",
        ]
    );
}

#[test]
fn b612_an_initiator_who_leaves_cancels_completes_or_lets_it_go_on() {
    let left = |mut world: World| after(&mut world, |it| it.does(1, Command::Leave));
    let goes_on = left(rung("lead_center", ""));
    let why = "by methods.warm.offered.initiator_leaves = \"continue\"";
    assert_eq!(goes_on, ["AgentLeft: to leave of 1".to_owned(), format!("CustomerResumed: to leave of 1 {why}")]);

    let cancels = left(rung("lead_center", "[methods.warm.offered]\ninitiator_leaves = \"cancel\"\n"));
    let cancelled = "TransferCancelled: to leave of 1 by methods.warm.offered.initiator_leaves = \"cancel\"";
    assert!(cancels.contains(&cancelled.to_owned()), "{cancels:?}");
    let orphan = "by interaction.orphan = [\"next_step\", \"disconnect\"]";
    assert!(cancels.contains(&format!("FlowStep: to leave of 1 {orphan}")), "{cancels:?}");

    let consult = "methods.warm.consult.consulting";
    let completes = left(consulting("lead_center", ""));
    assert_eq!(
        completes[..3],
        [
            "AgentLeft: to leave of 1".to_owned(),
            format!("PrimaryChanged: to leave of 1 by {consult}.initiator_leaves = \"complete\""),
            "CustomerResumed: to leave of 1 by methods.warm.consult.hold_after_complete = \"release\"".to_owned(),
        ]
    );
    assert_eq!(completes[3], "TransferCompleted: Seen of 2", "as soon as they are seen together");

    let cancels = left(consulting("lead_center", &format!("[{consult}]\ninitiator_leaves = \"cancel\"\n")));
    let cancelled = format!("TransferCancelled: to leave of 1 by {consult}.initiator_leaves = \"cancel\"");
    assert!(cancels.contains(&cancelled), "{cancels:?}");

    let mut joined = consulting("lead_center", "");
    joined.does(1, Command::Resume);
    let completes = after(&mut joined, |it| it.hang_up(1));
    let why = "methods.warm.consult.joined.initiator_leaves = \"complete\"";
    assert_eq!(completes[1], format!("PrimaryChanged: LegEnded hung_up of 1 by {why}"));
}

#[test]
fn b612_a_customer_who_leaves_ends_what_there_is() {
    let mut world = rung("lead_center", "");
    let left = after(&mut world, World::customer_hangs_up);
    let end = "LegEnded hung_up by interaction.customer_gone = \"end\"";
    assert_eq!(
        left[..3],
        ["CustomerLeft: LegEnded hung_up", "OfferFailed: LegEnded hung_up", "TransferAbandoned: LegEnded hung_up",]
    );
    assert_eq!(left[3..], [format!("AgentLeft: {end}"), format!("Ended: {end}")]);

    let mut world = consulting("helpdesk", "");
    let left = after(&mut world, World::customer_hangs_up);
    assert_eq!(
        left.last().map(String::as_str),
        Some("Announced: LegEnded hung_up by interaction.customer_gone = \"announce\"")
    );
    let over = after(&mut world, World::tick_at_deadline);
    assert!(over.iter().all(|line| line.ends_with("time after interaction.farewell_ms = 10000")), "{over:?}");

    // In plain talk nobody is apart, and the policy is not asked.
    let mut world = World::talking("lead_center");
    assert_eq!(after(&mut world, World::customer_hangs_up).last().map(String::as_str), Some("Ended: LegEnded hung_up"));
}

#[test]
fn b612_times_of_the_house() {
    let times = "[interaction]\nhold_reminder_ms = 60_000\nhold_max_ms = 90_000\n";
    let mut world = World::talking_by(policy("lead_center", times));
    world.does(1, Command::Hold);
    let hold = "time after interaction.hold";
    assert_eq!(after(&mut world, World::tick_at_deadline), [format!("HoldReminder: {hold}_reminder_ms = 60000")]);
    assert_eq!(after(&mut world, World::tick_at_deadline), [format!("CustomerResumed: {hold}_max_ms = 90000")]);
    let over = after(&mut world, World::tick_at_deadline);
    assert_eq!(over.last().map(String::as_str), Some("Ended: time after interaction.max_call_ms = 43200000"));

    let flow = vec![FlowStep::Voicemail("desk".into())];
    let mut world = World::new(policy("lead_center", ""), RecordingMode::All, flow);
    let exit = world.plan().exit.expect("an exit").exit;
    let back = after(&mut world.clone(), |it| drop(it.fact(Fact::ExitOver(exit, ExitOutcome::Returned))));
    assert_eq!(back, ["Ended: ExitOver"]);
    assert_eq!(after(&mut world, World::tick_at_deadline), ["Ended: time after interaction.voicemail_ms = 600000"]);
}

#[test]
fn b612_whoever_is_orphaned_goes_where_the_policy_says() {
    let mut world = World::talking("lead_center");
    world.does(1, Command::Hold);
    let orphaned = after(&mut world, |it| it.hang_up(1));
    let orphan = "LegEnded hung_up of 1 by interaction.orphan = [\"next_step\", \"disconnect\"]";
    assert_eq!(
        orphaned,
        [
            "AgentLeft: LegEnded hung_up of 1".to_owned(),
            format!("CustomerResumed: {orphan}"),
            format!("FlowStep: {orphan}"),
        ]
    );
}

#[test]
fn b612_a_switch_that_is_lost_is_all_there_is_to_say() {
    let mut world = consulting("lead_center", "");
    let lost = after(&mut world, |it| drop(it.fact(Fact::SwitchLost)));
    assert_eq!(
        lost,
        ["TransferFailed: SwitchLost", "AgentLeft: SwitchLost", "AgentLeft: SwitchLost", "Ended: SwitchLost",]
    );
}

#[test]
fn b612_muting_hands_over_by_the_policy() {
    let mut world = consulting("helpdesk", "");
    let muted = after(&mut world, |it| it.does(1, Command::SetMute(true)));
    assert_eq!(
        muted[..2],
        ["MuteChanged: to mute of 1", "PrimaryChanged: to mute of 1 by methods.warm.consult.mute_hands_over = true",]
    );
}

#[test]
fn b612_a_swap_is_asked_for() {
    let may = "[methods.warm.consult.consulting]\ninitiator_may = [\"resume\", \"complete\", \"cancel\", \"swap\"]\n";
    let mut world = consulting("lead_center", may);
    let swap = world.command_of(baton_domain::Action::Swap);
    let there = after(&mut world, |it| it.does(1, swap.clone()));
    assert_eq!(there, ["CustomerResumed: to swap of 1", "TransferSwapped: to swap of 1"]);
    let back = after(&mut world, |it| it.does(1, swap));
    assert_eq!(back, ["CustomerHeld: to swap of 1", "TransferConsulting: to swap of 1"]);
}

#[test]
fn b612_whoever_answers_a_resumed_conversation_joins_by_the_policy() {
    let mut world = rung("lead_center", "");
    world.does(1, Command::Resume);
    let joined = after(&mut world, |it| it.answer(2));
    let why = "Answered of 2 by methods.warm.consult.answered_while_resumed = \"join\"";
    assert_eq!(joined, ["AgentJoined: Answered of 2".to_owned(), format!("TransferJoined: {why}")]);
}

#[test]
fn b612_the_command_of_a_supervisor_is_nobodys_phone() {
    let mut world = World::talking("lead_center");
    let ended = after(&mut world, |it| drop(it.input(Input::Command(supervisor(), Command::End)).expect("permitted")));
    assert_eq!(ended, ["AgentLeft: to end", "Ended: to end"]);
}
