//! Commands: what is answered when, and to whom.

use crate::{
    peers::agent,
    world::{TENANT, World, warm},
};
use baton_api::{
    ApiError,
    common::v1::{Reason, TransferPhase, actor::Kind},
    error::ErrorReason,
    telephony::v1::leg::Origin,
    transfer::v1::{
        AddNoteRequest, CancelTransferRequest, GetInteractionRequest, HoldCustomerRequest, Interaction,
        ListTransfersRequest, PlaceCallRequest, SetDataRequest, StartTransferRequest, Transfer,
        WatchInteractionRequest, transfer_service_client::TransferServiceClient,
    },
};
use baton_runtime::auth::Role;
use std::time::Duration;
use tonic::Code;

#[tokio::test]
async fn hold_answers_when_the_switch_has_done_it_and_pending_before() {
    let world = World::start().await;
    let id = world.talking().await;
    let hold = |ms| {
        let message =
            HoldCustomerRequest { request_id: "hold-1".into(), interaction_id: id.clone(), ..Default::default() };
        let mut request = tonic::Request::new(message);
        request.set_timeout(Duration::from_millis(ms));
        request
    };
    let pending = world.interactions(1).hold_customer(hold(400)).await.unwrap_err();
    assert_eq!(ApiError::from_status(&pending).unwrap().reason, ErrorReason::Pending);
    let mut agent = world.interactions(1);
    let (answer, ()) = futures::join!(agent.hold_customer(hold(5_000)), async {
        world.follow_until(&id, |view| view.customer_on_hold).await;
    });
    assert!(answer.unwrap().into_inner().interaction.unwrap().customer_on_hold);
}

#[tokio::test]
async fn another_tenants_interaction_is_not_there_exactly_like_a_missing_one() {
    let world = World::start().await;
    let id = world.talking().await;
    let ask = |id: &str| GetInteractionRequest { interaction_id: id.into() };
    let foreign = world.supervisor_of("other").get_interaction(ask(&id)).await.unwrap_err();
    let missing = world.supervisor_of("other").get_interaction(ask(&crate::peers::agent(9))).await.unwrap_err();
    assert_eq!(
        (foreign.code(), foreign.message(), foreign.details()),
        (missing.code(), missing.message(), missing.details())
    );
    assert_eq!(foreign.code(), Code::NotFound);
    let stranger = world.interactions(3).get_interaction(ask(&id)).await.unwrap_err();
    assert_eq!((stranger.code(), stranger.message()), (missing.code(), missing.message()));
    world.interactions(1).get_interaction(ask(&id)).await.expect("a party may see it");
}

#[tokio::test]
async fn somebody_elses_call_can_not_be_changed() {
    let world = World::start().await;
    let id = world.talking().await;
    let before = world.view(&id).await.version;
    let note =
        AddNoteRequest { request_id: "n".into(), interaction_id: id.clone(), text: "x".into(), ..Default::default() };
    assert_eq!(world.interactions(3).add_note(note).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(world.view(&id).await.version, before);
}

#[tokio::test]
async fn bad_input_names_the_field_and_changes_nothing() {
    let world = World::start().await;
    let id = world.talking().await;
    let before = world.view(&id).await.version;
    let note = |text: String| AddNoteRequest {
        request_id: text.len().to_string(),
        interaction_id: id.clone(),
        text,
        ..Default::default()
    };
    for text in [String::new(), "x".repeat(4_001)] {
        let status = world.interactions(1).add_note(note(text)).await.unwrap_err();
        assert_eq!(ApiError::from_status(&status).unwrap().fields[0].0, "text");
    }
    let set = [("No Spaces".to_owned(), "x".to_owned())].into();
    let data = SetDataRequest {
        request_id: "d".into(),
        interaction_id: id.clone(),
        set,
        remove: vec![],
        ..Default::default()
    };
    assert_eq!(world.interactions(1).set_data(data).await.unwrap_err().code(), Code::InvalidArgument);
    let malformed = GetInteractionRequest { interaction_id: "nonsense".into() };
    assert_eq!(world.interactions(1).get_interaction(malformed).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(world.view(&id).await.version, before);
}

#[tokio::test]
async fn a_watch_begins_with_the_present_and_resumes_by_version() {
    let world = World::start().await;
    let id = world.talking().await;
    let watch = |after_version| WatchInteractionRequest { interaction_id: id.clone(), after_version };
    let mut all = world.supervisor_of(TENANT).watch_interaction(watch(0)).await.unwrap().into_inner();
    let first = all.message().await.unwrap().unwrap().interaction.unwrap();
    let mut notices = world.supervisor_of(TENANT).watch_interaction(watch(first.version)).await.unwrap().into_inner();
    let note =
        AddNoteRequest { request_id: "n".into(), interaction_id: id.clone(), text: "VIP".into(), ..Default::default() };
    world.interactions(1).add_note(note).await.unwrap();
    for stream in [&mut all, &mut notices] {
        let next = stream.message().await.unwrap().unwrap().interaction.unwrap();
        assert!(next.version > first.version);
        assert_eq!(next.notes[0].text, "VIP");
    }
}

#[tokio::test]
async fn a_listed_transfer_is_where_its_interaction_says() {
    let world = World::start().await;
    let id = world.talking().await;
    let listed = async |open_only| {
        let request = ListTransfersRequest { interaction_id: id.clone(), open_only, ..Default::default() };
        let transfers = world.transfers(1).list_transfers(request).await.unwrap().into_inner().transfers;
        transfers.iter().map(Transfer::phase).collect::<Vec<_>>()
    };
    world.start_transfer(&id, 2, "start-1").await.unwrap();
    assert_eq!(listed(true).await, [TransferPhase::Offered]);
    world.answer(&id).await;
    let consulting = |view: &Interaction| view.transfer.as_ref().unwrap().phase() == TransferPhase::Consulting;
    world.follow_until(&id, consulting).await;
    // A change of something else leaves it as it is.
    let note =
        AddNoteRequest { request_id: "n".into(), interaction_id: id.clone(), text: "VIP".into(), ..Default::default() };
    world.interactions(1).add_note(note).await.unwrap();
    assert_eq!(listed(true).await, [TransferPhase::Consulting]);
    let cancel = CancelTransferRequest {
        request_id: "c".into(),
        transfer_id: format!("{id}-transfer-1"),
        interaction_id: id.clone(),
        ..Default::default()
    };
    world.transfers(1).cancel_transfer(cancel).await.unwrap();
    assert_eq!(listed(true).await, []);
    assert_eq!(listed(false).await, [TransferPhase::Cancelled]);
}

#[tokio::test]
async fn an_agents_call_rings_their_phone_first_and_dials_outside_by_a_rule() {
    let world = World::start().await;
    let place = |request_id: &str, to: &str| PlaceCallRequest {
        request_id: request_id.into(),
        from_number: "+3225550100".into(),
        to_number: to.into(),
        ..Default::default()
    };
    let first = world.interactions(1).place_call(place("p", "+32470000000")).await.unwrap().into_inner();
    let again = world.interactions(1).place_call(place("p", "+32470000000")).await.unwrap().into_inner();
    let id = first.interaction.unwrap().interaction_id;
    assert_eq!(again.interaction.unwrap().interaction_id, id, "B609");
    world.answer(&id).await;
    let outside = world.until("the customer is dialled", async || {
        let plan = world.notes().plan.clone()?;
        plan.legs.into_iter().find_map(|leg| match leg.origin {
            Some(Origin::Dial(dial)) if dial.outside => Some((dial.phone, dial.allowed_by)),
            _ => None,
        })
    });
    assert_eq!(outside.await, ("32470000000".to_owned(), "+32".to_owned()), "X3");
    let refused = world.interactions(1).place_call(place("q", "+1900000000")).await.unwrap_err();
    assert_eq!(ApiError::from_status(&refused).unwrap().reason, ErrorReason::DialNotAllowed);
}

#[tokio::test]
async fn a_bad_number_is_refused_with_the_field_in_which_the_client_sent_it() {
    let world = World::start().await;
    for (from, to, expected) in [
        ("+3225550100", "0470", &["to_number"][..]),
        ("0100", "+32470000000", &["from_number"]),
        ("", "", &["from_number", "to_number"]),
    ] {
        let place = PlaceCallRequest {
            request_id: format!("{from}-{to}"),
            from_number: from.into(),
            to_number: to.into(),
            ..Default::default()
        };
        for _ in 0..2 {
            let refused = world.interactions(1).place_call(place.clone()).await.unwrap_err();
            let refused = ApiError::from_status(&refused).unwrap();
            assert_eq!(refused.fields.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), expected, "{from} {to}");
            assert!(refused.message.starts_with(expected[0]), "{}", refused.message);
        }
    }
}

#[tokio::test]
async fn f9_an_agent_who_cannot_call_is_refused_and_told_why() {
    let world = World::start().await;
    let place = PlaceCallRequest {
        request_id: "p".into(),
        from_number: "+3225550100".into(),
        to_number: "+32470000000".into(),
        ..Default::default()
    };
    for (why, expected) in [
        (Reason::Busy, ErrorReason::AgentBusy),
        (Reason::Offline, ErrorReason::AgentOffline),
        (Reason::NotAvailable, ErrorReason::AgentUnavailable),
    ] {
        world.notes().refuse = Some(why);
        let place = PlaceCallRequest { request_id: format!("{why:?}"), ..place.clone() };
        let first = world.interactions(1).place_call(place.clone()).await.unwrap_err();
        assert_eq!(ApiError::from_status(&first).unwrap().reason, expected);
        world.notes().refuse = None;
        let again = world.interactions(1).place_call(place).await.unwrap_err();
        assert_eq!((again.message(), again.details()), (first.message(), first.details()), "B609");
    }
    world.interactions(1).place_call(place).await.expect("the agent is free");
}

#[tokio::test]
async fn n5_a_service_account_starts_a_transfer_for_an_agent_whom_it_names_and_the_event_says_both() {
    let world = World::start().await;
    let id = world.talking().await;
    let mut crm = TransferServiceClient::new(world.channel(TENANT, "crm", Role::ServiceAccount));
    let start =
        |request_id: &str, for_agent_id: String| StartTransferRequest { for_agent_id, ..warm(&id, 2, request_id) };
    let nobodys = crm.start_transfer(start("a", String::new())).await.unwrap_err();
    assert_eq!(ApiError::from_status(&nobodys).unwrap().reason, ErrorReason::NotAllowedNow);
    let strangers = crm.start_transfer(start("b", agent(3))).await.unwrap_err();
    assert_eq!(ApiError::from_status(&strangers).unwrap().reason, ErrorReason::NotAParty);
    crm.start_transfer(start("c", agent(1))).await.unwrap();
    let started = |it: &baton_bus::Logged| it.envelope.event_type == "transfer.started";
    let started = world.until("it is published", async || world.events(&id).await.into_iter().find(started)).await;
    let actor = baton_bus::parse_actor(&started.envelope.actor);
    assert_eq!((actor.kind(), actor.id, actor.for_agent_id), (Kind::Service, "crm".to_owned(), agent(1)));
    let other = StartTransferRequest { for_agent_id: agent(1), ..warm(&id, 3, "d") };
    let borrowed = world.transfers(2).start_transfer(other).await.unwrap_err();
    assert_eq!(borrowed.code(), Code::PermissionDenied, "an agent acts for nobody else");
}

#[tokio::test]
async fn k2_a_command_for_another_version_or_another_transfer_changes_nothing() {
    let world = World::start().await;
    let id = world.talking().await;
    world.start_transfer(&id, 2, "start-1").await.unwrap();
    let seen = world.view(&id).await;
    let late = CancelTransferRequest {
        request_id: "c1".into(),
        interaction_id: id.clone(),
        transfer_id: format!("{id}-transfer-7"),
        ..Default::default()
    };
    let other = world.transfers(1).cancel_transfer(late.clone()).await.unwrap_err();
    let refused = ApiError::from_status(&other).unwrap();
    assert_eq!(refused.reason, ErrorReason::OtherTransfer);
    let now = refused.carried::<Interaction>().expect("the interaction as it is now");
    assert_eq!((now.version, now.transfer.unwrap().phase()), (seen.version, TransferPhase::Offered));
    let stale = CancelTransferRequest {
        request_id: "c2".into(),
        transfer_id: format!("{id}-transfer-1"),
        if_version: seen.version - 1,
        ..late
    };
    let conflict = world.transfers(1).cancel_transfer(stale.clone()).await.unwrap_err();
    let error = ApiError::from_status(&conflict).unwrap();
    assert_eq!((conflict.code(), error.reason), (Code::Aborted, ErrorReason::VersionConflict));
    assert_eq!(world.view(&id).await.version, seen.version);
    let current = CancelTransferRequest { request_id: "c3".into(), if_version: seen.version, ..stale };
    let cancelled = world.transfers(1).cancel_transfer(current).await.unwrap().into_inner().interaction.unwrap();
    assert_eq!(cancelled.transfer.unwrap().phase(), TransferPhase::Cancelled);
}
