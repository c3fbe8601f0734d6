//! Rows B303 to B309, and B403: a recipient who accepts and waits while the customer stays with the initiator, and a release on answer.

use crate::world::{World, agent, by, message, policy};
use baton_domain::{Action, Command, EventKind, Refusal, StartTransfer, Target};
use baton_words::{LegNo, Phase, Reason, Room, TransferKind, Treatment};

fn room_of(world: &World, leg: LegNo) -> Option<Room> {
    world.plan().room_of(leg)
}

/// The recipient has answered.
fn accepted() -> World {
    let mut world = World::talking("engagement");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world
}

#[test]
fn b303_a_warm_transfer_needs_a_message() {
    let mut world = World::talking("engagement");
    let target = Target::Agent(agent(2));
    let mut start = |text: &str| {
        let (target, message) = (target.clone(), text.into());
        world
            .command(1, Command::Start(StartTransfer { kind: TransferKind::Warm, target, message, outcome: "".into() }))
    };
    assert_eq!(start(""), Err(Refusal::MessageMissing(TransferKind::Warm)));
    assert!(start("wants the blue one").is_ok());
    assert_eq!(&*message(&policy("engagement", ""), TransferKind::Cold), "", "a cold one needs none");
}

#[test]
fn b305_b309_who_accepts_waits_with_music_and_the_customer_stays_until_the_initiator_says() {
    let mut world = accepted();
    let recipient = world.leg(2).expect("a leg");
    assert_eq!((world.phase(), world.i.primary()), (Phase::Accepted, Some(agent(1).id)));
    assert_eq!((room_of(&world, LegNo(1)), room_of(&world, recipient)), (Some(Room::Talk), Some(Room::Parked)));
    assert_eq!(world.plan().treatment(Room::Parked), Some(Treatment::HoldMusic));
    assert!(world.happened(|it| matches!(it, EventKind::TransferAccepted { .. })));
    assert!(!world.happened(|it| matches!(it, EventKind::CustomerHeld)));
    let waits = world.allowed(&by(2));
    assert!(!waits.contains(Action::Complete) && !waits.contains(Action::PauseRecording), "they hear nothing of it");
    let complete = world.complete();
    world.does(1, complete);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![2]));
    assert_eq!(room_of(&world, recipient), Some(Room::Talk));
}

#[test]
fn b305_the_initiator_may_take_it_back_and_nobody_else_is_moved() {
    let mut world = accepted();
    let cancel = world.cancel();
    world.does(1, cancel);
    assert_eq!((world.phase(), world.agents_in(), world.i.held()), (Phase::Cancelled, vec![1], false));
}

#[test]
fn b307_declined_and_not_accepted_are_told_apart_and_another_can_be_chosen() {
    for (reason, declines) in [(Reason::Declined, true), (Reason::NoAnswer, false)] {
        let mut world = World::talking("engagement");
        world.start(1, TransferKind::Warm, 2).expect("permitted");
        world.grant();
        if declines {
            world.hang_up(2);
        } else {
            world.no_answer(2);
        }
        assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(reason)));
        assert_eq!(room_of(&world, LegNo(1)), Some(Room::Talk));
        world.start(1, TransferKind::Warm, 3).expect("another can be chosen");
    }
}

#[test]
fn b403_on_answer_the_initiator_is_released_and_not_before() {
    let mut world = World::talking("aicc");
    world.start(1, TransferKind::OnAnswer, 2).expect("permitted");
    world.grant();
    assert_eq!((world.agents_in(), room_of(&world, LegNo(1))), (vec![1], Some(Room::Talk)));
    world.no_answer(2);
    assert_eq!((world.phase(), world.reason(), world.agents_in()), (Phase::Failed, Some(Reason::NoAnswer), vec![1]));
    world.start(1, TransferKind::OnAnswer, 3).expect("permitted");
    world.grant();
    world.answer(3);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![3]));
}
