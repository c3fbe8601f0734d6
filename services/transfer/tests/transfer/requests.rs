//! B609, T7: the same request id gives the same answer, however often and from wherever it is asked.

use crate::world::World;
use baton_api::{
    ApiError,
    common::v1::Reason,
    error::ErrorReason,
    transfer::v1::{CancelTransferRequest, SetDataRequest, SetMuteRequest},
};
use baton_store::on;
use futures::future::join_all;

fn reason(status: &tonic::Status) -> ErrorReason {
    ApiError::from_status(status).expect("an error of Baton's").reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_with_one_request_id_start_one_transfer() {
    let world = World::start().await;
    let id = world.talking().await;
    let answers = join_all((0..64).map(|_| world.start_transfer(&id, 2, "start-1"))).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    let started = world.until("the events are published", async || {
        let events = world.events(&id).await;
        let started = events.iter().filter(|event| event.envelope.event_type == "transfer.started").count();
        (started > 0).then_some(started)
    });
    assert_eq!(started.await, 1);
}

#[tokio::test]
async fn a_refusal_is_repeated_word_by_word() {
    let world = World::start().await;
    let id = world.talking().await;
    world.notes().refuse = Some(Reason::Busy);
    let first = world.start_transfer(&id, 2, "start-1").await.unwrap_err();
    assert_eq!(reason(&first), ErrorReason::AgentBusy);
    world.notes().refuse = None;
    let again = world.start_transfer(&id, 2, "start-1").await.unwrap_err();
    assert_eq!((again.code(), again.message(), again.details()), (first.code(), first.message(), first.details()));
    world.start_transfer(&id, 2, "start-2").await.expect("a fresh request id is a fresh request");
}

#[tokio::test]
async fn an_unknown_target_is_an_answer_too() {
    let world = World::start().await;
    let id = world.talking().await;
    for _ in 0..2 {
        let status = world.start_transfer(&id, 77, "start-1").await.unwrap_err();
        assert_eq!(reason(&status), ErrorReason::NotFound);
    }
    let reused = world.start_transfer(&id, 2, "start-1").await.unwrap_err();
    assert_eq!(reason(&reused), ErrorReason::RequestIdReused);
}

#[tokio::test]
async fn a_start_whose_reservation_is_undecided_is_pending_and_a_retry_gets_the_outcome() {
    let world = World::start().await;
    let id = world.talking().await;
    world.notes().undecided = true;
    let mut request = tonic::Request::new(crate::world::warm(&id, 2, "start-1"));
    request.set_timeout(std::time::Duration::from_millis(600));
    let pending = world.transfers(1).start_transfer(request).await.unwrap_err();
    assert_eq!(reason(&pending), ErrorReason::Pending);
    world.notes().undecided = false;
    let answer = world.start_transfer(&id, 2, "start-1").await.expect("the outcome");
    let transfer = answer.interaction.unwrap().transfer.unwrap();
    assert_eq!(transfer.transfer_id, format!("{id}-transfer-1"));
}

#[tokio::test]
async fn a_retry_gets_its_own_outcome_also_when_another_transfer_has_begun_since() {
    let world = World::start().await;
    let id = world.talking().await;
    world.notes().undecided = true;
    let mut request = tonic::Request::new(crate::world::warm(&id, 2, "start-1"));
    request.set_timeout(std::time::Duration::from_millis(600));
    world.transfers(1).start_transfer(request).await.unwrap_err();
    {
        let mut notes = world.notes();
        (notes.undecided, notes.refuse) = (false, Some(Reason::Busy));
    }
    world.follow_until(&id, |view| view.transfer.as_ref().is_some_and(|transfer| transfer.end_time.is_some())).await;
    world.notes().refuse = None;
    world.start_transfer(&id, 2, "start-2").await.expect("another try");
    let retried = world.start_transfer(&id, 2, "start-1").await.unwrap_err();
    assert_eq!(reason(&retried), ErrorReason::AgentBusy);
}

/// R1: who asks while the first caller's change is being committed must not decide on a state from before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_callers_who_ask_the_same_start_at_once_all_get_the_one_transfer() {
    let world = World::start().await;
    let id = world.talking().await;
    for round in 1..=40 {
        let request_id = format!("start-{round}");
        let answers = join_all((0..16).map(|_| world.start_transfer(&id, 2, &request_id))).await;
        let expected = format!("{id}-transfer-{round}");
        for answer in answers {
            let transfer = answer.unwrap().interaction.unwrap().transfer;
            assert_eq!(transfer.map(|it| it.transfer_id), Some(expected.clone()), "round {round}");
        }
        let cancel = CancelTransferRequest {
            request_id: format!("cancel-{round}"),
            interaction_id: id.clone(),
            transfer_id: expected,
            ..CancelTransferRequest::default()
        };
        world.transfers(1).cancel_transfer(cancel).await.unwrap();
        world.follow_until(&id, |view| view.transfer.as_ref().is_some_and(|it| it.end_time.is_some())).await;
    }
}

/// F7: what is kept of a request is its outcome, not the view, which may be as large as its notes and data.
#[tokio::test]
async fn f7_what_is_kept_of_a_request_does_not_grow_with_the_call() {
    let world = World::start().await;
    let id = world.talking().await;
    let set = (0..64).map(|key| (format!("key-{key}"), "x".repeat(1_024))).collect();
    let large = SetDataRequest { request_id: "data".into(), interaction_id: id.clone(), set, ..Default::default() };
    world.interactions(1).set_data(large).await.unwrap();
    for muted in 0..50 {
        let request = SetMuteRequest {
            request_id: format!("mute-{muted}"),
            interaction_id: id.clone(),
            muted: muted % 2 == 0,
            ..SetMuteRequest::default()
        };
        let first = world.interactions(1).set_mute(request.clone()).await.unwrap().into_inner().interaction.unwrap();
        let again = world.interactions(1).set_mute(request).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!((first.data.len(), first.version), (64, again.version), "the same outcome, with the whole view");
    }
    let store = baton_store::testing::open(world.folder.path(), "transfer").await;
    let mut reader = store.read().await.unwrap();
    let sum = "SELECT CAST(SUM(LENGTH(answer_body)) AS BIGINT) FROM store_requests";
    let kept: i64 = on!(reader, conn => sqlx::query_scalar(sum).fetch_one(conn).await).unwrap();
    assert!(kept < 51 * 16, "{kept} bytes are kept of 51 requests");
}
