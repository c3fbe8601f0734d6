//! What is explained of a call, and what is not kept any more.

use crate::world::{TENANT, World};
use baton_api::{
    ApiError,
    error::ErrorReason,
    transfer::v1::{ExplainInteractionRequest, ExplainInteractionResponse},
};
use baton_store::{Affected as _, on};

async fn explained(world: &World, id: &str, transfer_id: &str) -> ExplainInteractionResponse {
    let request = ExplainInteractionRequest {
        interaction_id: id.to_owned(),
        transfer_id: transfer_id.to_owned(),
        page_size: 500,
        ..Default::default()
    };
    world.supervisor_of(TENANT).explain_interaction(request).await.unwrap().into_inner()
}

/// As if so many of its events had been deleted because they were old.
async fn forget_events(world: &World, id: &str, up_to: i64) {
    let store = crate::retention::store(world).await;
    let mut tx = store.begin().await.unwrap();
    on!(tx, conn => sqlx::query("DELETE FROM store_outbox WHERE aggregate = $1 AND sequence <= $2")
        .bind(format!("interaction/{id}"))
        .bind(up_to)
        .affected(conn)
        .await)
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn b612_an_explanation_begins_with_what_is_kept_and_says_so() {
    let world = World::start().await;
    let id = world.talking().await;
    world.start_transfer(&id, 2, "start").await.unwrap();
    let transfer_id = world.view(&id).await.transfer.unwrap().transfer_id;
    let (all, one) = (explained(&world, &id, "").await, explained(&world, &id, &transfer_id).await);
    assert!(all.complete && one.complete);
    assert_eq!(all.steps.first().map(|step| step.what.ends_with("calls +3225550100.")), Some(true), "{all:?}");
    let start = one.steps.first().unwrap().sequence;

    forget_events(&world, &id, start - 1).await;
    let rest = explained(&world, &id, "").await;
    assert_eq!((rest.complete, rest.steps.first().map(|step| step.sequence)), (false, Some(start)));
    assert_eq!(explained(&world, &id, &transfer_id).await, one, "nothing of the transfer is missing");

    forget_events(&world, &id, i64::MAX).await;
    for of in ["", &transfer_id] {
        assert_eq!(explained(&world, &id, of).await, ExplainInteractionResponse::default());
    }
}

#[tokio::test]
async fn b612_a_transfer_that_there_is_not_cannot_be_explained() {
    let world = World::start().await;
    let id = world.talking().await;
    for (transfer_id, reason) in [
        (format!("{id}-transfer-1"), ErrorReason::NotFound),
        ("1".to_owned(), ErrorReason::InvalidField),
        (format!("{}-transfer-1", crate::peers::agent(7)), ErrorReason::InvalidField),
    ] {
        let request = ExplainInteractionRequest {
            interaction_id: id.clone(),
            transfer_id,
            ..ExplainInteractionRequest::default()
        };
        let refused = world.supervisor_of(TENANT).explain_interaction(request).await.unwrap_err();
        assert_eq!(ApiError::of(&refused).reason, reason, "{refused}");
    }
}
