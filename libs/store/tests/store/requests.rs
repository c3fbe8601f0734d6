//! The first answer under each request id (B609, T7).

use std::sync::Arc;

use baton_store::requests::{self, BodyHash, KeptAnswer, KnownRequest, RequestIdError, RequestKey};
use baton_store::{Db, idempotent};
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::support::{database, mark, marks, spawn};

const NOW: i64 = 1_000_000;

fn key(request_id: &str) -> RequestKey {
    RequestKey::new("acme", "agent-1", "/baton.test.v1.TestService/Mark", request_id).unwrap()
}

/// Marks `name` and answers with it, as a handler would.
async fn mark_once(db: &Db, request_id: &str, name: &str) -> Result<String, Status> {
    let key = key(request_id);
    idempotent(db, &key, &name.to_owned(), NOW, |mut tx| async move {
        mark(&mut tx, name).await;
        Ok(tx.done(format!("marked {name}")))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_callers_at_once_make_one_change_and_get_one_answer_t7() {
    let it = database().await;
    let callers = (0..64).map(|_| {
        let db = it.db.clone();
        spawn(async move { mark_once(&db, "r1", "once").await })
    });
    for answer in futures::future::join_all(callers).await {
        assert_eq!(answer.unwrap().unwrap(), "marked once");
    }
    assert_eq!(marks(&it.db).await, ["once"]);
}

#[tokio::test]
async fn the_same_id_with_another_body_is_refused_and_changes_nothing() {
    let it = database().await;
    mark_once(&it.db, "r1", "first").await.unwrap();
    let refused = mark_once(&it.db, "r1", "second").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let error = baton_api::ApiError::from_status(&refused).unwrap();
    assert_eq!(error.reason_name(), "REQUEST_ID_REUSED");
    assert_eq!(marks(&it.db).await, ["first"]);
    assert_eq!(mark_once(&it.db, "r1", "first").await.unwrap(), "marked first");
}

#[tokio::test]
async fn the_same_id_of_another_tenant_subject_or_method_is_another_request() {
    let it = database().await;
    for (tenant, subject, method) in [("a", "b", "c"), ("x", "b", "c"), ("a", "x", "c"), ("a", "b", "x")] {
        let mut tx = it.db.begin().await.unwrap();
        let key = RequestKey::new(tenant, subject, method, "r1").unwrap();
        let seen = requests::begin(&mut tx, &key, BodyHash::of(&String::new()), NOW).await.unwrap();
        assert_eq!(seen, KnownRequest::New);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_its_change_is_undone() {
    let it = database().await;
    let mut refusals = Vec::new();
    for _ in 0..2 {
        let refused = idempotent::<String, _>(&it.db, &key("r1"), &String::new(), NOW, |mut tx| {
            assert!(refusals.is_empty(), "asked once only");
            async move {
                mark(&mut tx, "half done").await;
                Err(Status::with_details(Code::FailedPrecondition, "no", b"why"[..].into()))
            }
        })
        .await
        .unwrap_err();
        refusals.push((refused.code(), refused.message().to_owned(), refused.details().to_vec()));
    }
    assert_eq!(refusals[0], (Code::FailedPrecondition, "no".to_owned(), b"why".to_vec()));
    assert_eq!(refusals[0], refusals[1]);
    assert!(marks(&it.db).await.is_empty());
}

#[tokio::test]
async fn an_error_that_is_not_about_the_request_is_not_kept() {
    let it = database().await;
    let unavailable = idempotent::<String, _>(&it.db, &key("r1"), &"once".to_owned(), NOW, |mut tx| async move {
        mark(&mut tx, "lost").await;
        Err(Status::unavailable("later"))
    })
    .await;
    assert_eq!(unavailable.unwrap_err().code(), Code::Unavailable);
    assert_eq!(mark_once(&it.db, "r1", "once").await.unwrap(), "marked once");
    assert_eq!(marks(&it.db).await, ["once"]);
}

#[tokio::test]
async fn a_caller_who_goes_away_in_the_middle_leaves_nothing() {
    let it = database().await;
    let db = it.db.clone();
    let started = Arc::new(Notify::new());
    let has_started = Arc::clone(&started);
    let caller = spawn(async move {
        idempotent::<String, _>(&db, &key("r1"), &"once".to_owned(), NOW, |mut tx| {
            let started = started.clone();
            async move {
                mark(&mut tx, "lost").await;
                started.notify_one();
                std::future::pending().await
            }
        })
        .await
    });
    has_started.notified().await;
    caller.abort();
    caller.await.unwrap_err();
    assert_eq!(mark_once(&it.db, "r1", "once").await.unwrap(), "marked once");
    assert_eq!(marks(&it.db).await, ["once"]);
}

#[tokio::test]
async fn the_first_answer_wins_and_until_then_a_request_is_pending() {
    let it = database().await;
    let (key, body) = (key("r1"), BodyHash::of(&String::new()));
    let mut tx = it.db.begin().await.unwrap();
    assert_eq!(requests::begin(&mut tx, &key, body, NOW).await.unwrap(), KnownRequest::New);
    tx.commit().await.unwrap();
    let mut tx = it.db.begin().await.unwrap();
    assert_eq!(requests::begin(&mut tx, &key, body, NOW).await.unwrap(), KnownRequest::Pending);
    let (first, second) = (KeptAnswer::Ok(vec![1]), KeptAnswer::Ok(vec![2]));
    assert!(requests::answer(&mut tx, &key, &first).await.unwrap());
    assert!(!requests::answer(&mut tx, &key, &second).await.unwrap());
    assert_eq!(requests::begin(&mut tx, &key, body, NOW).await.unwrap(), KnownRequest::Answered(first));
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let it = database().await;
    let (key, body) = (key("r1"), BodyHash::of(&String::new()));
    mark_once(&it.db, "r1", "once").await.unwrap();
    assert_eq!(requests::prune(&it.db, NOW + requests::KEPT_US).await.unwrap(), 0);
    let mut tx = it.db.begin().await.unwrap();
    // Not pruned yet, but too old to count.
    let seen = requests::begin(&mut tx, &key, body, NOW + requests::KEPT_US + 1).await.unwrap();
    assert_eq!(seen, KnownRequest::New);
    drop(tx);
    assert_eq!(requests::prune(&it.db, NOW + requests::KEPT_US + 1).await.unwrap(), 1);
}

#[test]
fn a_request_id_is_one_to_128_visible_ascii_characters() {
    let with = |id: &str| RequestKey::new("acme", "agent-1", "m", id).err();
    assert_eq!(with(""), Some(RequestIdError::Missing));
    assert_eq!(with("x"), None);
    assert_eq!(with(&"x".repeat(128)), None);
    assert_eq!(with(&"x".repeat(129)), Some(RequestIdError::Invalid));
    for bad in ["a b", "a\n", "é", "\0"] {
        assert_eq!(with(bad), Some(RequestIdError::Invalid), "{bad:?}");
    }
}
