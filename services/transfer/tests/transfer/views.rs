//! What whom is shown.

use crate::world::{TENANT, World};
use baton_api::{
    ApiError,
    common::v1::actor::Kind,
    error::ErrorReason,
    transfer::v1::{
        AddNoteRequest, DeclineTransferRequest, GetInteractionRequest, LeaveInteractionRequest,
        ListInteractionsRequest, ListTransfersRequest, SetDataRequest, WatchInteractionRequest,
        interaction_service_client::InteractionServiceClient, transfer_service_client::TransferServiceClient,
    },
};
use baton_runtime::auth::Role;
use baton_store::{Affected as _, on};

fn note(id: &str, request_id: &str, text: &str) -> AddNoteRequest {
    AddNoteRequest { request_id: request_id.into(), interaction_id: id.into(), text: text.into(), ..Default::default() }
}

#[tokio::test]
async fn an_analyst_sees_what_happened_and_nothing_personal_and_may_do_nothing() {
    let world = World::start().await;
    let id = world.talking().await;
    world.interactions(1).add_note(note(&id, "n", "card 4111")).await.unwrap();
    let set = [("iban".to_owned(), "BE68".to_owned())].into();
    let data = SetDataRequest {
        request_id: "d".into(),
        interaction_id: id.clone(),
        set,
        remove: vec![],
        ..Default::default()
    };
    world.interactions(1).set_data(data).await.unwrap();
    let mut start = crate::world::warm(&id, 2, "s");
    start.message = "she is furious".into();
    world.transfers(1).start_transfer(start).await.unwrap();

    let analyst = world.channel(TENANT, "ann", Role::Analyst);
    let mut interactions = InteractionServiceClient::new(analyst.clone());
    let view = interactions.get_interaction(GetInteractionRequest { interaction_id: id.clone() }).await.unwrap();
    let list = interactions.list_interactions(ListInteractionsRequest::default()).await.unwrap().into_inner();
    let transfers = TransferServiceClient::new(analyst).list_transfers(ListTransfersRequest::default()).await.unwrap();
    let view = view.into_inner().interaction.unwrap();
    let customer = world.view(&id).await.customer.unwrap().address;
    let shown = format!("{view:?} {list:?} {:?}", transfers.into_inner());
    for personal in ["card 4111", "BE68", "furious", customer.as_str()] {
        assert!(!personal.is_empty() && !shown.contains(personal), "{personal} in {shown}");
    }
    assert_eq!(view.allowed_actions, Vec::<i32>::new());
    assert_eq!((view.notes.len(), view.version), (1, world.view(&id).await.version));
}

#[tokio::test]
async fn a_note_names_its_author_agent_or_supervisor() {
    let world = World::start().await;
    let id = world.talking().await;
    world.interactions(1).add_note(note(&id, "a", "from Ada")).await.unwrap();
    world.supervisor_of(TENANT).add_note(note(&id, "b", "from above")).await.unwrap();
    let authors = world.view(&id).await.notes.into_iter().filter_map(|it| it.author).map(|it| (it.kind(), it.id));
    let expected = [(Kind::Agent, crate::peers::agent(1)), (Kind::Supervisor, "boss".to_owned())];
    assert_eq!(authors.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn s2_notes_are_not_written_again_with_each_change_and_outlast_a_restart() {
    let world = World::start().await;
    let id = world.talking().await;
    for n in 0..100 {
        let text = format!("{n} {}", "x".repeat(3_990));
        world.interactions(1).add_note(note(&id, &format!("n{n}"), &text)).await.unwrap();
    }
    let store = crate::retention::store(&world).await;
    let mut reader = store.read().await.unwrap();
    let largest = "SELECT CAST(MAX(OCTET_LENGTH(state)) AS BIGINT) FROM interactions";
    let row: i64 = on!(reader, conn => sqlx::query_scalar(largest).fetch_one(conn).await).unwrap();
    drop(reader);
    assert!(row < 10_000, "a change of the call writes {row} bytes");
    let world = world.crash_and_restart().await;
    let notes = world.view(&id).await.notes;
    let first_words = notes.iter().filter_map(|note| note.text.split(' ').next()?.parse::<usize>().ok());
    assert!(first_words.eq(0..100), "{} notes", notes.len());
    let list = world.supervisor_of(TENANT).list_interactions(ListInteractionsRequest::default()).await.unwrap();
    let listed = &list.get_ref().interactions[0];
    assert_eq!((listed.notes.len(), listed.note_count), (0, 100), "a list has no notes");
    let refused = world.interactions(1).add_note(note(&id, "n100", "one more")).await.unwrap_err();
    let refused = baton_api::ApiError::of(&refused);
    assert_eq!((refused.reason, refused.retry_after), (ErrorReason::Limit, None), "{refused:?}");
}

#[tokio::test]
async fn a_page_that_holds_all_has_no_next_one() {
    let world = World::start().await;
    let id = world.talking().await;
    let page = |page_size| ListInteractionsRequest { page_size, ..ListInteractionsRequest::default() };
    let one = world.supervisor_of(TENANT).list_interactions(page(1)).await.unwrap().into_inner();
    assert_eq!((one.interactions[0].interaction_id.as_str(), one.next_page_token.as_str()), (id.as_str(), ""));
}

#[tokio::test]
async fn a_page_is_full_at_a_size_that_clients_take() {
    let world = World::start().await;
    let id = world.talking().await;
    // Four bytes a character, as many as there may be: such a call is a page of its own.
    let text = "\u{1f600}".repeat(4_000);
    for n in 0..100 {
        world.interactions(1).add_note(note(&id, &format!("n{n}"), &text)).await.unwrap();
    }
    let full = world.interactions(1).add_note(note(&id, "more", "x")).await.unwrap_err();
    assert_eq!(ApiError::from_status(&full).unwrap().reason, ErrorReason::Limit);
    let page = world.supervisor_of(TENANT).list_interactions(ListInteractionsRequest::default()).await.unwrap();
    assert_eq!(page.into_inner().interactions.len(), 1);
}

/// H4: readers are those who had a part. Who was only offered the call reads it while the offer lasts.
#[tokio::test]
async fn h4_who_was_only_offered_the_call_reads_it_no_longer() {
    let world = World::start().await;
    let id = world.talking().await;
    world.start_transfer(&id, 2, "start-1").await.unwrap();
    let get = GetInteractionRequest { interaction_id: id.clone() };
    let watch = WatchInteractionRequest { interaction_id: id.clone(), after_version: 0 };
    world.interactions(2).get_interaction(get.clone()).await.expect("the offer shows the call");
    let mut watched = world.interactions(2).watch_interaction(watch).await.unwrap().into_inner();
    let decline = DeclineTransferRequest {
        request_id: "d".into(),
        interaction_id: id.clone(),
        transfer_id: format!("{id}-transfer-1"),
        ..Default::default()
    };
    world.transfers(2).decline_transfer(decline.clone()).await.unwrap();
    world.interactions(1).add_note(note(&id, "n", "not for Ben")).await.unwrap();

    let ended = loop {
        match watched.message().await {
            Ok(Some(shown)) => assert!(shown.interaction.unwrap().notes.is_empty()),
            Ok(None) => panic!("it ended as if the call had"),
            Err(status) => break status,
        }
    };
    assert_eq!(ApiError::of(&ended).reason, ErrorReason::NotFound);
    let refused = world.interactions(2).get_interaction(get.clone()).await.unwrap_err();
    assert_eq!(ApiError::of(&refused).reason, ErrorReason::NotFound);
    let listed = world.interactions(2).list_interactions(ListInteractionsRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().interactions, []);
    let listed = world.transfers(2).list_transfers(ListTransfersRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().transfers, []);
    let late = DeclineTransferRequest { request_id: "d2".into(), ..decline };
    let late = world.transfers(2).decline_transfer(late).await.unwrap_err();
    assert_ne!(ApiError::of(&late).reason, ErrorReason::NotFound, "a late command is told what has become of it");

    world.start_transfer(&id, 2, "start-2").await.unwrap();
    world.interactions(2).get_interaction(get.clone()).await.expect("offered once more");
    world.answer(&id).await;
    world.follow_until(&id, |view| view.parties.len() == 3).await;
    let leave = LeaveInteractionRequest { request_id: "l".into(), interaction_id: id.clone(), ..Default::default() };
    world.interactions(2).leave_interaction(leave).await.unwrap();
    world.interactions(2).get_interaction(get).await.expect("who had a part reads on");
}

#[tokio::test]
async fn s12_another_tenants_call_that_is_in_memory_is_looked_for_where_a_missing_one_is() {
    let world = World::start().await;
    let id = world.talking().await;
    let missing = "0192f0c1-2345-7000-8000-000000000000";
    let mut rival = world.supervisor_of("rival");
    let mut ask = async |id: &str| {
        let request = GetInteractionRequest { interaction_id: id.to_owned() };
        let error = ApiError::of(&rival.get_interaction(request).await.unwrap_err());
        (error.kind, error.reason, error.message)
    };
    assert_eq!(ask(&id).await, ask(missing).await);
    // Without the store neither can be answered: what is in memory is not looked at before.
    let store = crate::retention::store(&world).await;
    let mut tx = store.begin().await.unwrap();
    on!(tx, conn => sqlx::query("ALTER TABLE interactions RENAME TO elsewhere").affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    let (foreign, none) = (ask(&id).await, ask(missing).await);
    assert_eq!(foreign, none);
    assert_ne!(foreign.1, ErrorReason::NotFound, "{foreign:?}");
}
