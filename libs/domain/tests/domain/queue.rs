//! Queues (B302, B404, B606): one is looked for as a team is, and may overflow into another.

use crate::world::{World, agent, policy, queue};
use baton_domain::{EventKind, Fact, Target, project, queue::Pool};
use baton_words::{Phase, Reason, TransferKind, WaitNo};

fn wait(world: &World) -> project::Wait {
    project::wait(&world.i).expect("a wait")
}

fn waits(profile: &str, kind: TransferKind) -> World {
    let mut world = World::talking(profile);
    world.start_to(1, kind, queue()).expect("permitted");
    world
}

/// The queue that is waited in: 0 for the first, 1 for the second.
fn stands_in(world: &World) -> Option<u128> {
    project::queueing(&world.i).stands_in.map(|queue| queue.0.as_u128() - 600)
}

fn enter(world: &mut World) -> WaitNo {
    let no = wait(world).wait;
    world.fact(Fact::Queued(no, 1));
    no
}

#[test]
fn b404_a_release_to_a_queue_comes_when_it_waits_there_and_where_an_answer_counts_not_before() {
    let mut world = waits("aicc", TransferKind::Cold);
    assert_eq!(world.agents_in(), [1], "it is not entered yet");
    enter(&mut world);
    assert!(world.agents_in().is_empty(), "released");

    let answered = policy("aicc", "[methods.cold]\nqueue_success = \"answered\"\n");
    let mut world = World::talking_by(answered);
    world.start_to(1, TransferKind::Cold, queue()).expect("permitted");
    let no = enter(&mut world);
    world.fact(Fact::Proposed(no, vec![agent(2)]));
    world.grant();
    assert_eq!(world.agents_in(), [1], "until somebody answers");
    world.answer(2);
    assert_eq!(world.agents_in(), [2]);
}

#[test]
fn b404_a_queue_that_closes_before_it_was_entered_leaves_the_initiator_with_the_customer() {
    let mut world = waits("aicc", TransferKind::Cold);
    for _ in 0..2 {
        world.fact(Fact::Closed(wait(&world).wait));
        if world.i.transfer.is_none() {
            break;
        }
    }
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::QueueClosed)));
    assert_eq!(world.agents_in(), [1]);
}

#[test]
fn b105_who_talked_while_a_queue_was_waited_for_goes_on_talking_and_who_was_held_for_a_phone_stays_so() {
    for rings in [false, true] {
        let mut world = waits("lead_center", TransferKind::Warm);
        let no = enter(&mut world);
        if rings {
            world.fact(Fact::Proposed(no, vec![agent(2)]));
            world.grant();
        }
        assert_eq!(world.i.held(), rings);
        while world.i.transfer.is_some() {
            world.tick_at_deadline();
            if let Some(wait) = project::wait(&world.i) {
                world.fact(Fact::Queued(wait.wait, 1));
            }
        }
        assert_eq!((world.phase(), world.i.held()), (Phase::Failed, rings));
    }
}

#[test]
fn b606_a_queue_overflows_into_the_next_with_its_place_and_the_next_gives_up() {
    for why in [Fact::Exhausted, Fact::Unattended, Fact::Closed] {
        let mut world = waits("aicc", TransferKind::OnAnswer);
        let first = wait(&world);
        assert_eq!((stands_in(&world), first.priority, first.since_us), (Some(0), 8, world.now));
        let no = enter(&mut world);
        world.fact(why(no));
        let second = wait(&world);
        assert_eq!((stands_in(&world), second.priority), (Some(1), 5));
        assert_eq!(second.since_us, first.since_us, "A6");
        world.fact(why(second.wait));
        assert_eq!((world.phase(), project::wait(&world.i)), (Phase::Failed, None));
        assert_eq!(stands_in(&world), None);
    }
}

#[test]
fn b606_whoever_waits_too_long_waits_on_in_the_next_queue_and_a_phone_that_rings_is_let_go() {
    let mut world = waits("aicc", TransferKind::OnAnswer);
    let no = enter(&mut world);
    world.pass(15_000_000);
    world.fact(Fact::Proposed(no, vec![agent(2)]));
    world.grant();
    assert_eq!(stands_in(&world), Some(0), "also while somebody is asked");
    world.pass(5_000_000);
    world.tick_at_deadline();
    assert_eq!(stands_in(&world), Some(1));
    assert!(project::claims(&world.i).wanted.iter().all(|claim| claim.agent != agent(2).id), "nobody rings");
    assert!(!wait(&world).skip.contains(&agent(2).id), "they have not declined, and may be asked again");
}

#[test]
fn b302_who_was_found_by_a_queue_is_known_while_they_are_in_the_call() {
    let mut world = waits("aicc", TransferKind::OnAnswer);
    let no = enter(&mut world);
    world.pass(3_000_000);
    world.fact(Fact::Proposed(no, vec![agent(2)]));
    world.grant();
    world.answer(2);
    let served = project::queueing(&world.i).served;
    assert_eq!((served.len(), served[0].agent, served[0].from.waited_us), (1, agent(2).id, 3_000_000));
    assert_eq!(Some(Pool::Queue(served[0].from.queue)), queue().pool());
    world.customer_hangs_up();
    assert!(project::queueing(&world.i).served.is_empty());
}

#[test]
fn a7_of_all_who_ring_at_once_one_has_the_customer() {
    let mut world = waits("aicc", TransferKind::OnAnswer);
    let no = enter(&mut world);
    world.fact(Fact::Proposed(no, vec![agent(2), agent(3), agent(4)]));
    let claims: Vec<_> =
        project::claims(&world.i).wanted.iter().filter(|it| it.reservation.is_some()).map(|it| it.claim).collect();
    assert_eq!(claims.len(), 3);
    for claim in claims {
        world.fact(Fact::ClaimGranted(claim));
    }
    world.answer(3);
    assert_eq!(world.agents_in(), [3]);
    let wanted: Vec<_> = project::claims(&world.i).wanted.iter().map(|claim| claim.agent).collect();
    assert_eq!(wanted, [agent(3).id], "the others are free");
}

#[test]
fn a_queue_makes_times_shorter_and_never_longer() {
    let Target::Queue(mut patient) = queue() else { unreachable!("a queue") };
    (patient.wait_ms, patient.ring_ms, patient.overflow) = (3_600_000, 120_000, None);
    let mut world = World::talking("aicc");
    world.start_to(1, TransferKind::OnAnswer, Target::Queue(patient)).expect("permitted");
    enter(&mut world);
    world.tick_at_deadline();
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::NobodyAvailable)));
    let waited_us = world.now - world.i.journey.last().expect("a hop").started_at_us;
    assert_eq!(waited_us, 120_000_000, "as the method says");
}

#[test]
fn an_overflow_is_told_with_what_says_so() {
    let mut world = waits("aicc", TransferKind::OnAnswer);
    let no = enter(&mut world);
    let reaction = world.fact(Fact::Unattended(no));
    let told: Vec<_> = reaction.events.iter().filter(|it| matches!(it.kind, EventKind::Dequeued { .. })).collect();
    assert_eq!(told.len(), 1);
    let rule = told[0].cause.rule.expect("a rule");
    assert_eq!(rule.path(), "queue.when_unattended");
}
