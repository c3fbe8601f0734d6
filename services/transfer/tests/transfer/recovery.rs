//! Peers that do not answer, and a process that dies: what was wanted is pushed until it is accepted.

use crate::world::World;
use baton_api::telephony::v1::MediaPlan;
use baton_api::transfer::v1::{EndInteractionRequest, SegmentFact, fact::Fact, party::LegState, segment_fact};

fn rings(view: &baton_api::transfer::v1::Interaction) -> bool {
    view.parties.iter().any(|party| party.leg_state() == LegState::Ringing)
}

#[tokio::test]
async fn a_plan_that_telephony_missed_is_pushed_until_it_is_accepted() {
    let world = World::start().await;
    let id = world.talking().await;
    world.notes().telephony_down = true;
    let plans = world.notes().plans;
    world.start_transfer(&id, 2, "start-1").await.expect("committed although telephony is down");
    assert!(rings(&world.view(&id).await));
    assert_eq!(world.notes().plans, plans);
    world.notes().telephony_down = false;
    world
        .until("the plan arrives", async || world.notes().plan.clone().filter(|plan| plan.legs.len() == 3).map(drop))
        .await;
}

#[tokio::test]
async fn a_plan_that_did_not_change_is_pushed_again_only_when_telephony_lacks_it() {
    let world = World::start().await;
    world.talking().await;
    let compare_thrice = async || {
        let so_far = world.notes().compared;
        world.until("telephony is asked thrice", async || (world.notes().compared >= so_far + 3).then_some(())).await;
    };
    compare_thrice().await;
    let plans = world.notes().plans;
    compare_thrice().await;
    assert_eq!(world.notes().plans, plans, "nothing changed, and nothing is lacking");

    let lost = world.notes().plan.take().expect("a plan");
    let again = world.until("the plan is there again", async || world.notes().plan.clone()).await;
    assert_eq!(MediaPlan { version: lost.version, ..again }, lost);
    assert_eq!(world.notes().plans, plans + 1);
}

#[tokio::test]
async fn after_a_crash_live_interactions_are_pushed_again_and_go_on() {
    let world = World::start().await;
    let id = world.talking().await;
    world.start_transfer(&id, 2, "start-1").await.unwrap();
    world.notes().plan = None;
    let world = world.crash_and_restart().await;
    world.answer(&id).await;
    let view = world.follow_until(&id, |view| view.parties.len() == 3).await;
    assert!(view.customer_on_hold);
    let again = world.start_transfer(&id, 2, "start-1").await.expect("T7: the first outcome, also after a crash");
    let transfer = again.interaction.unwrap().transfer.unwrap();
    assert_eq!(transfer.transfer_id, format!("{id}-transfer-1"));
}

#[tokio::test]
async fn events_are_numbered_without_holes_over_a_crash() {
    let world = World::start().await;
    let id = world.talking().await;
    let world = world.crash_and_restart().await;
    world.start_transfer(&id, 2, "start-1").await.unwrap();
    let sequences = world
        .until("the offer is published", async || {
            let events = world.events(&id).await;
            let offered = events.iter().any(|event| event.envelope.event_type == "transfer.offered");
            offered.then(|| events.iter().map(|event| event.envelope.sequence).collect::<Vec<_>>())
        })
        .await;
    assert_eq!(sequences, (1..=sequences.len() as i64).collect::<Vec<_>>(), "E2");
}

#[tokio::test]
async fn the_end_of_a_call_that_presence_missed_is_told_after_a_crash() {
    let world = World::start().await;
    let id = world.talking().await;
    let segment_id = world.notes().plan.clone().unwrap().segment.unwrap().segment_id;
    world.notes().undecided = true;
    let end = EndInteractionRequest { request_id: "end".into(), interaction_id: id.clone(), ..Default::default() };
    world.interactions(1).end_interaction(end).await.unwrap();
    let ended = segment_fact::State::Ended.into();
    let segment = SegmentFact { segment_id, state: ended, started_at_us: 1, ended_at_us: 2 };
    world.report(&id, vec![Fact::Segment(segment)]).await;
    assert_eq!(world.notes().claims, Some(1), "presence still has the agent's");

    world.notes().undecided = false;
    let world = world.crash_and_restart().await;
    world.until("the agent is released", async || (world.notes().claims == Some(0)).then_some(())).await;
    world
        .until("nothing is left to tell", async || {
            (Box::pin(world.service.end_all()).await.unwrap() == 0).then_some(())
        })
        .await;
}
