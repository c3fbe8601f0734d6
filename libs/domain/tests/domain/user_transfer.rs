//! Rows B503 to B509, played through on the pure state: outcomes, a recipient who is in another call, and dispositions.

use crate::world::{SECOND, World, agent, by, policy, supervisor};
use baton_domain::{
    Action, Command, EventKind, Fact, Input, Refusal, StartTransfer, Target,
    input::Disposition,
    interaction::{Closing, Stage},
    project,
};
use baton_words::{ClaimNo, LegNo, Phase, Reason, Room, TransferKind};

fn start(outcome: &str) -> Command {
    let target = Target::Agent(agent(2));
    Command::Start(StartTransfer { kind: TransferKind::Warm, target, message: "".into(), outcome: outcome.into() })
}

fn disposition(name: &str) -> Command {
    Command::Disposition(Disposition { name: name.into(), note: "as agreed".into() })
}

fn customer_in(world: &World) -> Option<Room> {
    world.plan().room_of(LegNo(1))
}

/// The recipient is in another call, and waited for.
fn awaiting(kind: TransferKind) -> World {
    let mut world = World::talking("user_transfer");
    world.start(1, kind, 2).expect("permitted");
    world.fact(Fact::ClaimQueued(ClaimNo(2)));
    world.place();
    world
}

fn consulting() -> World {
    let mut world = World::talking("user_transfer");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world
}

#[test]
fn b503_an_outcome_of_the_list_is_required_and_stays_in_the_journey() {
    let mut world = World::talking("user_transfer");
    assert_eq!(world.command(1, start("")), Err(Refusal::OutcomeMissing(TransferKind::Warm)));
    assert_eq!(world.command(1, start("Lunch")), Err(Refusal::UnknownOutcome));
    world.does(1, start("Escalation"));
    assert_eq!(&*world.last_transfer().expect("a transfer").outcome, "Escalation");
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferStarted(it) if &*it.outcome == "Escalation")));
    world.grant();
    world.answer(2);
    let complete = world.complete();
    world.does(1, complete);
    let by = world.i.journey.last().and_then(|hop| hop.by.as_ref()).expect("a transfer");
    assert_eq!(&*by.outcome, "Escalation");
}

#[test]
fn b503_without_a_list_there_are_no_outcomes() {
    let mut world = World::talking("helpdesk");
    assert_eq!(world.command(1, start("Escalation")), Err(Refusal::UnknownOutcome));
    world.does(1, start(""));
}

#[test]
fn b504_a_recipient_in_another_call_is_waited_for_and_nothing_changes_for_the_customer() {
    for kind in [TransferKind::Cold, TransferKind::Warm] {
        let mut world = awaiting(kind);
        assert_eq!((world.phase(), customer_in(&world)), (Phase::Waiting, Some(Room::Talk)), "F2");
        assert!(world.happened(|it| matches!(it, EventKind::TransferWaiting { .. })));
        let claims = project::claims(&world.i);
        let reserved = claims.wanted[1].reservation.as_ref().expect("the recipient is wanted still");
        assert!(reserved.waits_if_busy && reserved.until_us > world.now + 240 * SECOND);
        world.pass(200 * SECOND);
        world.fact(Fact::ClaimGranted(ClaimNo(2)));
        world.place();
        let apart = if kind == TransferKind::Cold { Room::Lobby } else { Room::Hold };
        assert_eq!((world.phase(), customer_in(&world)), (Phase::Offered, Some(apart)));
        assert_eq!(world.deadline(), Some(world.now + 35 * SECOND), "the phone has its whole ring time");
    }
}

#[test]
fn b504_the_deadline_ends_the_waiting() {
    let mut world = awaiting(TransferKind::Warm);
    let begun = world.now;
    world.tick_at_deadline();
    assert_eq!((world.now - begun, world.phase(), world.reason()), (240 * SECOND, Phase::Failed, Some(Reason::Busy)));
    assert_eq!(customer_in(&world), Some(Room::Talk));
    assert!(project::claims(&world.i).released.iter().any(|it| it.claim == ClaimNo(2) && it.reason == Reason::Busy));
}

#[test]
fn b504_where_the_policy_waits_for_nobody_presence_is_not_asked_to_and_says_nothing() {
    let mut world = World::talking("helpdesk");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    assert!(!project::claims(&world.i).wanted[1].reservation.as_ref().expect("wanted").waits_if_busy);
    assert!(!world.fact(Fact::ClaimQueued(ClaimNo(2))).changed);
}

#[test]
fn b504_who_is_waited_for_may_decline_and_the_initiator_may_cancel() {
    let mut world = awaiting(TransferKind::Warm);
    let decline = world.decline();
    world.does(2, decline);
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::Declined)));
    let mut world = awaiting(TransferKind::Warm);
    let cancel = world.cancel();
    world.does(1, cancel);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Cancelled, Some(Room::Talk)));
}

#[test]
fn b506_b508_b509_in_the_consult_the_recipient_alone_cancels_and_the_initiator_alone_completes() {
    let world = consulting();
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
    for (who, may, may_not) in [
        (1, vec![Action::Complete], vec![Action::Cancel, Action::Resume]),
        (2, vec![Action::Cancel], vec![Action::Complete, Action::Resume]),
    ] {
        let allowed = world.allowed(&by(who));
        assert!(may.into_iter().all(|action| allowed.contains(action)), "{who}");
        assert!(!may_not.into_iter().any(|action| allowed.contains(action)), "{who}");
    }
}

#[test]
fn b509_a_customer_whom_the_initiator_took_off_hold_is_held_again_when_the_recipient_answers() {
    let mut world = World::talking("user_transfer");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.does(1, Command::Resume);
    world.answer(2);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
}

#[test]
fn b507_a_recipient_who_cancels_dispositions_that_call_and_the_customer_stays_with_the_initiator() {
    let mut world = consulting();
    let cancel = world.cancel();
    world.does(2, cancel);
    assert_eq!((world.phase(), world.agents_in(), customer_in(&world)), (Phase::Cancelled, vec![1], Some(Room::Hold)));
    let released = *project::claims(&world.i).released.last().expect("released");
    assert_eq!((released.wrap_up_ms, released.closing), (300_000, Closing::Due));
    assert!(world.allowed(&by(1)).contains(Action::Resume), "B509: after a cancel the initiator can");

    assert_eq!(world.allowed(&by(2)).iter().collect::<Vec<_>>(), [Action::Disposition]);
    assert_eq!(world.command(2, Command::Hold), Err(Refusal::NotAParty));
    assert_eq!(world.command(2, disposition("Lunch")), Err(Refusal::UnknownDisposition));
    assert_eq!(world.command(1, disposition("Other")), Err(Refusal::NotNow(Action::Disposition)));
    world.pass(7 * SECOND);
    world.does(2, disposition("Wrong department"));
    let transfer = world.i.participations[0].transfer;
    assert!(transfer.is_some());
    assert!(world.happened(|kind| matches!(
        kind,
        EventKind::Dispositioned { after_us, transfer: of, .. } if *after_us == 7 * SECOND && *of == transfer
    )));
    assert_eq!(project::claims(&world.i).released.last().expect("released").closing, Closing::Done);
    assert_eq!(world.command(2, disposition("Other")), Err(Refusal::Dispositioned), "once is enough");
}

#[test]
fn b509_each_turn_is_dispositioned_also_after_the_call() {
    let mut world = consulting();
    let complete = world.complete();
    world.does(1, complete);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Completed, Some(Room::Hold)));
    world.does(2, Command::Resume);
    world.does(2, Command::End);
    assert!(matches!(world.i.stage, Stage::Ended(_)));
    assert!(world.i.participations.iter().all(|participation| participation.transfer.is_none() && participation.due));
    assert!(world.allowed(&supervisor()).iter().next().is_none());
    for who in [1, 2] {
        assert_eq!(world.allowed(&by(who)).iter().collect::<Vec<_>>(), [Action::Disposition]);
        let version = world.i.version;
        world.does(who, disposition("Resolved"));
        assert_eq!(world.i.version, version + 1);
        assert_eq!(world.command(who, disposition("Resolved")), Err(Refusal::Dispositioned));
    }
    assert!(project::claims(&world.i).released.iter().rev().take(2).all(|it| it.closing == Closing::Done));
}

#[test]
fn b507_a_disposition_that_comes_after_many_others_were_released_still_reaches_presence() {
    let mut world = consulting();
    let cancel = world.cancel();
    world.does(2, cancel);
    let claim = world.i.participations[0].claim;
    for _ in 0..20 {
        world.start(1, TransferKind::Warm, 3).expect("permitted");
        world.refuse(Reason::Offline);
    }
    assert!(project::claims(&world.i).released.iter().all(|it| it.claim != claim));
    world.does(2, disposition("Other"));
    let released = project::claims(&world.i).released;
    assert!(released.iter().any(|it| it.claim == claim && it.closing == Closing::Done));
}

#[test]
fn without_dispositions_nobody_has_a_turn_to_close() {
    let mut world = World::talking_by(policy("helpdesk", ""));
    world.does(1, Command::End);
    assert!(world.i.participations.is_empty());
    assert_eq!(world.input(Input::Command(by(1), disposition("Other"))), Err(Refusal::Ended));
}

#[test]
fn a_customer_who_is_forgotten_takes_the_notes_of_dispositions_along() {
    let mut world = World::talking("user_transfer");
    world.does(1, Command::End);
    world.does(1, disposition("Resolved"));
    world.i.forget_customer();
    let given = world.i.participations[0].given.as_ref().expect("given");
    assert_eq!((&*given.disposition.name, &*given.disposition.note), ("Resolved", ""));
}
