//! Chats: the same aggregate and the same saga, and nothing that a switch would have to do.

use crate::{
    invariants::check,
    world::{SECOND, World, agent, by, flow, outside, policy, ring, said_to, supervisor, team},
};
use baton_domain::{
    Action, Actor, Command, EventKind, Fact, Input, OutsideSort, Refusal, StartTransfer, Target, interaction::Stage,
    machine::FlowStep, policy::PROFILES, project,
};
use baton_words::{Medium, Phase, Reason, TargetSort, TransferKind, Visibility};

const NOT_OF_CHAT: [Action; 9] = [
    Action::Swap,
    Action::Hold,
    Action::Resume,
    Action::Mute,
    Action::Unmute,
    Action::StartRecording,
    Action::StopRecording,
    Action::PauseRecording,
    Action::ResumeRecording,
];

#[test]
fn an_agent_takes_a_chat_in_the_application_and_nothing_is_wanted_of_a_switch() {
    let mut world = World::chat(policy("engagement", ""), vec![ring(1)]);
    world.grant();
    assert!(world.allowed(&by(1)).contains(Action::Accept), "{:?}", world.i);
    world.accept(1);
    assert_eq!((world.i.primary(), world.i.medium), (Some(agent(1).id), Medium::Chat));
    assert!(world.happened(|kind| matches!(kind, EventKind::AgentJoined { .. })));
    assert_eq!(world.plan().legs.len(), 0);
    check(&world);
}

#[test]
fn b307_an_agent_who_does_not_accept_in_time_has_not_answered() {
    let mut world = World::chatting("engagement");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    let offered_at = world.now;
    world.tick_at_deadline();
    assert_eq!(world.now - offered_at, 30 * SECOND, "30 s of the offer, and no margin for a switch that says so");
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::NoAnswer)));
    check(&world);
}

#[test]
fn b305_b306_b309_the_recipient_waits_apart_and_the_customer_goes_on_writing_to_the_initiator() {
    let mut world = World::chatting("engagement");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.accept(2);
    assert_eq!(world.phase(), Phase::Accepted);
    let note = world.i.notes.last().expect("what was written to the recipient is a note");
    assert_eq!((&note.author, &*note.text), (&by(1), "as agreed"));
    world.says(Actor::Customer, "are you still there?").expect("nobody is on hold");
    world.says(by(1), "yes").expect("permitted");
    assert_eq!(world.says(by(2), "hello").expect_err("not yet"), Refusal::AgentsOnly);
    world.does(2, Command::SendMessage(said_to(Visibility::Agents, "I have read it")));
    world.does(1, world.complete());
    assert_eq!((world.phase(), world.i.primary()), (Phase::Completed, Some(agent(2).id)), "it waits for no switch");
    world.says(by(2), "hello").expect("now they are theirs");
    let sent = world.events.iter().filter_map(|event| match &event.kind {
        EventKind::MessageSent { message, shown, .. } => Some((message.0, *shown)),
        _ => None,
    });
    assert_eq!(sent.collect::<Vec<_>>(), [(1, Some(1)), (2, Some(2)), (3, None), (4, Some(3))]);
    check(&world);
}

#[test]
fn b309_in_no_profile_is_a_customer_who_writes_put_on_hold() {
    for profile in PROFILES {
        let mut world = World::chatting(profile.name);
        world.start(1, TransferKind::Warm, 2).expect("permitted");
        world.grant();
        world.accept(2);
        assert!([Phase::Consulting, Phase::Accepted].contains(&world.phase()), "{}", profile.name);
        assert_eq!(world.says(by(2), "hello").expect_err("apart"), Refusal::AgentsOnly, "{}", profile.name);
        world.says(Actor::Customer, "hello?").expect("not on hold");
        assert!(!world.happened(|kind| matches!(kind, EventKind::CustomerHeld)), "{}", profile.name);
        world.does(1, world.complete());
        assert_eq!((world.phase(), world.i.primary()), (Phase::Completed, Some(agent(2).id)), "{}", profile.name);
        check(&world);
    }
}

#[test]
fn what_there_is_no_chat_for_is_refused_with_the_medium_and_not_shown() {
    let mut world = World::chatting("engagement");
    for actor in [by(1), supervisor()] {
        for action in NOT_OF_CHAT {
            let refused =
                world.input(Input::Command(actor.clone(), world.command_of(action))).expect_err("not in a chat");
            assert_eq!(refused, Refusal::NotOfMedium(action, Medium::Chat), "{action:?}");
            assert!(!world.allowed(&actor).contains(action));
        }
    }
    let mut call = World::talking("engagement");
    for action in [Action::Accept, Action::SendMessage] {
        let refused = call.command(1, call.command_of(action)).expect_err("not in a call");
        assert_eq!(refused, Refusal::NotOfMedium(action, Medium::Voice));
    }
}

/// What speaks and listens is no target of those who write.
#[test]
fn b306_a_customer_who_writes_is_not_taken_outside_or_through_an_ivr_flow() {
    let mut world = World::chatting("aicc");
    let cold = |target| {
        Command::Start(StartTransfer { kind: TransferKind::Cold, target, message: "".into(), outcome: "".into() })
    };
    for (target, sort) in [(outside(OutsideSort::Typed), TargetSort::External), (flow(false), TargetSort::IvrFlow)] {
        let refused = world.command(1, cold(target)).expect_err("nothing of the sort in a chat");
        assert_eq!(refused, Refusal::TargetNotOfMedium(sort, Medium::Chat));
    }
    let round_trip = Action::Start(TransferKind::RoundTrip);
    assert!(world.allowed(&by(1)).contains(Action::Start(TransferKind::Cold)));
    assert!(!world.allowed(&by(1)).contains(round_trip), "it goes to IVR flows alone");
    let refused = world.command(1, world.command_of(round_trip)).expect_err("the same");
    assert_eq!(refused, Refusal::NotOfMedium(round_trip, Medium::Chat));
}

#[test]
fn a_chat_takes_the_steps_of_a_flow_but_voicemail_and_a_team_is_waited_for() {
    let Target::Team { id, name } = team() else { unreachable!("a team") };
    let steps = vec![
        ring(1),
        FlowStep::Voicemail("desk".into()),
        FlowStep::RingTeam { team: id, name, ring_ms: 10_000, wait_ms: 60_000 },
        FlowStep::Voicemail("desk".into()),
    ];
    let mut world = World::chat(policy("engagement", ""), steps);
    world.grant();
    world.does(1, Command::Decline(None));
    let wait = project::wait(&world.i).expect("the team is waited for");
    world.says(Actor::Customer, "anybody?").expect("while they wait, too");
    world.fact(Fact::Proposed(wait.wait, vec![agent(2)]));
    world.grant();
    world.accept(2);
    assert_eq!(world.i.primary(), Some(agent(2).id));
    let mut unanswered = World::chat(policy("engagement", ""), vec![ring(1), FlowStep::Voicemail("desk".into())]);
    unanswered.refuse(Reason::Offline);
    assert_eq!(unanswered.i.stage, Stage::Ended(Reason::Disconnected), "after the last step it is over");
}

#[test]
fn a_recipient_with_a_voicemail_box_gets_no_chat_into_it() {
    let mut world = World::chatting("lead_center");
    world.start(1, TransferKind::Cold, 2).expect("permitted");
    world.grant();
    world.tick_at_deadline();
    assert_ne!(world.last_transfer().expect("a transfer").diverted_to, Some(baton_words::DivertedTo::Voicemail));
    check(&world);
}

#[test]
fn the_customer_leaves_by_saying_so_and_may_do_nothing_else() {
    let mut world = World::chatting("engagement");
    let allowed: Vec<_> = world.allowed(&Actor::Customer).iter().collect();
    assert_eq!(allowed, [Action::Leave, Action::SendMessage]);
    let start = StartTransfer {
        kind: TransferKind::Cold,
        target: Target::Agent(agent(2)),
        message: "".into(),
        outcome: "".into(),
    };
    for command in [Command::End, Command::Start(start), Command::Note("x".into()), Command::Accept(None)] {
        assert!(world.input(Input::Command(Actor::Customer, command)).is_err());
    }
    let to_agents = Command::SendMessage(said_to(Visibility::Agents, "psst"));
    assert!(
        world.input(Input::Command(Actor::Customer, to_agents)).is_err(),
        "they know of no agents among themselves"
    );
    world.input(Input::Command(Actor::Customer, Command::Leave)).expect("permitted");
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
    assert_eq!(world.says(Actor::Customer, "x").expect_err("over"), Refusal::Ended);
    assert!(world.allowed(&Actor::Customer).iter().next().is_none());
}
