//! Two processes of the service over one database: no change is lost or doubled, and each sees what the other has done.

use crate::world::{TENANT, World};
use baton_api::{
    ApiError, ErrorKind,
    transfer::v1::{
        AddNoteRequest, GetInteractionRequest, HoldCustomerRequest, OpenInteractionRequest, ResumeCustomerRequest,
        WatchInteractionRequest,
    },
};
use baton_runtime::lifecycle::spawn;
use baton_store::{Affected as _, on};
use futures::future::join_all;
use std::{collections::BTreeSet, time::Duration};
use tokio::task::JoinHandle;
use tonic::Status;

fn note(id: &str, text: &str, request_id: &str) -> AddNoteRequest {
    AddNoteRequest {
        interaction_id: id.into(),
        text: text.into(),
        request_id: request_id.into(),
        ..AddNoteRequest::default()
    }
}

async fn texts(world: &World, id: &str) -> Vec<String> {
    let request = GetInteractionRequest { interaction_id: id.into() };
    let answer = world.supervisor_of(TENANT).get_interaction(request).await.unwrap().into_inner();
    answer.interaction.unwrap().notes.into_iter().map(|it| it.text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_commands_at_both_at_once_each_is_carried_out_once() {
    let one = World::start().await;
    let id = one.talking().await;
    let other = one.beside().await;
    let commands = (0..40).map(|n| {
        let mut client = if n % 2 == 0 { one.interactions(1) } else { other.interactions(1) };
        let request = note(&id, &format!("note {n}"), &format!("r{n}"));
        spawn(async move {
            // The same again, wherever the first went: the answer is the first one's.
            for _ in 0..20 {
                match client.add_note(request.clone()).await {
                    Ok(_) => return,
                    Err(status) => assert_eq!(ApiError::of(&status).kind, ErrorKind::Aborted, "{status:?}"),
                }
            }
            panic!("overtaken each time");
        })
    });
    for command in join_all(commands).await {
        command.unwrap();
    }
    for world in [&one, &other] {
        let found: BTreeSet<_> = texts(world, &id).await.into_iter().collect();
        assert_eq!(found, (0..40).map(|n| format!("note {n}")).collect());
        assert_eq!(texts(world, &id).await.len(), 40, "none twice");
    }
    let sequences: Vec<_> = one.events(&id).await.iter().map(|it| it.envelope.sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as i64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_at_both_at_once_is_one_change_and_one_answer() {
    let one = World::start().await;
    let id = one.talking().await;
    let other = one.beside().await;
    let asked = (0..16).map(|n| {
        let mut client = if n % 2 == 0 { one.interactions(1) } else { other.interactions(1) };
        let request = note(&id, "once", "same");
        spawn(async move { client.add_note(request).await })
    });
    for answer in join_all(asked).await {
        answer.unwrap().unwrap();
    }
    assert_eq!(texts(&one, &id).await, ["once"]);
    let differs = other.interactions(1).add_note(note(&id, "twice", "same")).await.unwrap_err();
    assert_eq!(ApiError::of(&differs).reason_name(), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn what_one_has_committed_the_other_decides_on_and_shows() {
    let one = World::start().await;
    let id = one.talking().await;
    let other = one.beside().await;
    let request = WatchInteractionRequest { interaction_id: id.clone(), after_version: 0 };
    let mut watched = other.interactions(1).watch_interaction(request).await.unwrap().into_inner();
    let before = watched.message().await.unwrap().unwrap().interaction.unwrap();
    one.interactions(1).add_note(note(&id, "from one", "r1")).await.unwrap();
    // Read at once: what the other remembers is older.
    assert_eq!(texts(&other, &id).await, ["from one"]);
    let stale = AddNoteRequest { if_version: before.version, ..note(&id, "too late", "r2") };
    let refused = other.interactions(1).add_note(stale).await.unwrap_err();
    assert_eq!(ApiError::of(&refused).reason_name(), "VERSION_CONFLICT", "{refused:?}");
    // Without a bell between the two it takes a look.
    let seen = watched.message().await.unwrap().unwrap().interaction.unwrap();
    assert_eq!(seen.notes.len(), 1);
}

async fn follow_until_answered<T>(world: &World, id: &str, answer: JoinHandle<Result<T, Status>>) -> Result<T, Status> {
    let followed = async || {
        world.follow(id).await;
        answer.is_finished().then_some(())
    };
    world.until("the world follows", followed).await;
    answer.await.unwrap()
}

#[tokio::test]
async fn what_one_remembers_is_no_reason_to_refuse_what_the_other_has_made_possible() {
    let one = World::start().await;
    let id = one.talking().await;
    let other = one.beside().await;
    let hold = HoldCustomerRequest { interaction_id: id.clone(), request_id: "hold".into(), ..Default::default() };
    let resume =
        ResumeCustomerRequest { interaction_id: id.clone(), request_id: "resume".into(), ..Default::default() };
    // Both are in the other's memory from before.
    other.interactions(1).add_note(note(&id, "seen", "r1")).await.unwrap();
    let mut client = one.interactions(1);
    let holding = spawn(async move { client.hold_customer(hold).await });
    let mut client = other.interactions(1);
    follow_until_answered(&one, &id, holding).await.unwrap();
    let resuming = spawn(async move { client.resume_customer(resume).await });
    follow_until_answered(&other, &id, resuming).await.unwrap();
}

#[tokio::test]
async fn a_row_that_says_the_wrong_time_to_wake_is_corrected() {
    let world = World::start().await;
    let id = world.talking().await;
    let store = crate::retention::store(&world).await;
    let mut tx = store.begin().await.unwrap();
    // As a migration leaves it, which knows no deadlines.
    on!(tx, conn => sqlx::query("UPDATE interactions SET wake_at_us = 0").affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    let corrected = async || {
        let mut reader = store.read().await.unwrap();
        let wakes = "SELECT wake_at_us FROM interactions";
        let at_us: Option<i64> = on!(reader, conn => sqlx::query_scalar(wakes).fetch_one(conn).await).unwrap();
        (at_us != Some(0)).then_some(())
    };
    // A start waits for reports first.
    world.until("it is corrected", corrected).await;
    world.view(&id).await;
}

#[tokio::test]
async fn what_changes_nothing_is_answered_after_a_change_whose_caller_has_gone() {
    let world = World::start().await;
    let id = world.talking().await;
    let store = crate::retention::store(&world).await;
    let mut writing = store.begin().await.unwrap();
    // Whoever writes the call waits for this one.
    on!(writing, conn => sqlx::query("UPDATE interactions SET version = version").affected(conn).await).unwrap();
    let soon = Duration::from_millis(300);
    let mut started = Box::pin(world.start_transfer(&id, 2, "start-1"));
    let has_the_turn = async { while world.clock.timeout(soon, world.follow(&id)).await.is_ok() {} };
    tokio::select! {
        _ = &mut started => panic!("it waits for whoever is writing"),
        () = has_the_turn => {}
    }
    drop(started);
    let known = world.clock.timeout(soon, world.follow(&id)).await;
    assert!(known.is_err(), "what is known now may be news to what is on its way");
    drop(writing);
    world.follow(&id).await;
    assert!(world.view(&id).await.transfer.is_some(), "what its caller has left is committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_leg_that_is_reported_to_both_at_once_begins_one_call() {
    let one = World::start().await;
    let other = one.beside().await;
    for leg in 0..4 {
        let opened = (0..16).map(|n| {
            let mut intake = if n % 2 == 0 { one.intake() } else { other.intake() };
            let request = OpenInteractionRequest {
                tenant: TENANT.into(),
                leg: format!("leg-{leg}"),
                number: "+3225550100".into(),
                customer: "+32470000000".into(),
                switch_id: "main".into(),
            };
            spawn(async move { intake.open_interaction(request).await.unwrap().into_inner().interaction_id })
        });
        let ids: BTreeSet<_> = join_all(opened).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
}
