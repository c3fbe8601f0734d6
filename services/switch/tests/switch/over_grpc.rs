//! The switch as a program, over gRPC, for a controller and for the people at the phones.

use std::time::Duration;

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::LedgerAction;
use baton_api::simulator::v1::switch_event::Event;
use baton_api::{ApiError, ErrorKind};
use baton_audio::{tones, wav};
use baton_runtime::{Clock, lifecycle};

use super::harness::{AGENT, CUSTOMER, START_US, set};
use super::running_switch::{Events, RunningSwitch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_call_in_real_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    recorded_call(&mut switch).await;
    switch.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_call_in_simulated_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, driver) = Clock::simulated(START_US);
    let time = lifecycle::spawn(driver.run());
    let mut switch = RunningSwitch::start(folder.path(), clock).await;
    recorded_call(&mut switch).await;
    switch.stop().await;
    time.abort();
}

async fn recorded_call(switch: &mut RunningSwitch) {
    switch.phone("agent", 50).await;
    let mut events = Events::open(switch).await;
    let call = switch.recorded_call(1).await;
    switch.clock.sleep(Duration::from_secs(1)).await;
    switch.stop_recording(&call.recording).await;
    let finished = events.until(|event| match event {
        Event::RecordingFinished(it) => it.recording.clone(),
        _ => None,
    });
    let finished = finished.await;
    assert!((980..1_500).contains(&finished.duration_ms), "{finished:?}");
    let (fetched, file) = switch.fetch(&call.recording).await;
    assert_eq!(fetched, finished);
    let samples = wav::samples(&file).expect("a WAV file");
    assert_eq!(samples.len() as i64, finished.sample_count);
    assert_eq!(tones::heard_tones(&samples, &[CUSTOMER, AGENT, 600]), set(&[CUSTOMER, AGENT]));
    let (heard, file) = switch.heard(&call.customer).await;
    assert!(!heard.ended && heard.address == "+15550001");
    let samples = wav::samples(&file).expect("a WAV file");
    assert_eq!(samples.len() as i64, heard.sample_count);
    assert_eq!(tones::heard_tones(&samples, &[CUSTOMER, AGENT, 600]), set(&[AGENT]));
    ledger_has(switch, &call.agent).await;
}

async fn ledger_has(switch: &mut RunningSwitch, agent: &str) {
    let all = proto::GetLedgerRequest { after_sequence: 0, page_size: 0 };
    let ledger = switch.people.get_ledger(all).await.expect("a ledger").into_inner();
    let of_agent = ledger.entries.iter().filter(|entry| entry.leg_id == agent);
    let actions: Vec<LedgerAction> = of_agent.map(proto::LedgerEntry::action).collect();
    let expected =
        [LedgerAction::LegDialed, LedgerAction::LegRinging, LedgerAction::LegAnswered, LedgerAction::LegMoved];
    assert_eq!(actions, expected);
    let mut others = switch.people_of("other");
    let seen = others.get_ledger(all).await.expect("a ledger").into_inner();
    assert!(seen.entries.iter().all(|entry| entry.tenant.is_empty()), "X1");
}

#[tokio::test]
async fn a_snapshot_and_the_events_after_it_leave_no_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    let first = switch.call().await;
    let mut events = Events::open(&mut switch).await;
    let opened = events.next().await.expect("a first event");
    assert!(matches!(opened.event, Some(Event::StreamOpened(_))));
    let snapshot = switch.snapshot().await;
    assert_eq!((snapshot.boot_id, snapshot.sequence), (opened.boot_id, opened.sequence));
    assert_eq!(snapshot.legs.iter().map(|leg| &leg.leg_id).collect::<Vec<_>>(), [&first]);
    let second = switch.call().await;
    let next = events.next().await.expect("an event");
    assert_eq!(next.sequence, snapshot.sequence + 1);
    assert!(matches!(next.event, Some(Event::InboundCall(call)) if call.leg_id == second));
    switch.stop().await;
}

#[tokio::test]
async fn an_orderly_stop_tells_the_controller_before_the_stream_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    switch.call().await;
    let mut events = Events::open(&mut switch).await;
    switch.stop().await;
    let shutdown = proto::EndCause::SwitchShutdown as i32;
    let cause = events.until(|event| match event {
        Event::LegEnded(ended) => Some(ended.cause),
        _ => None,
    });
    assert_eq!(cause.await, shutdown);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn refusals_say_what_sort_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    let (epoch, room_id) = (switch.epoch, "r".to_owned());
    let kind = |status: tonic::Status| ApiError::of(&status).kind;
    let gone = switch.control.hangup(proto::HangupRequest { epoch, leg_id: "none".to_owned(), cause: 0 }).await;
    assert_eq!(gone.map_err(kind).unwrap_err(), ErrorKind::NotFound);
    let stale = proto::DestroyRoomRequest { epoch: epoch - 1, room_id: room_id.clone() };
    assert_eq!(switch.control.destroy_room(stale).await.map_err(kind).unwrap_err(), ErrorKind::Aborted);
    let path = proto::DestroyRoomRequest { epoch, room_id: "../etc".to_owned() };
    assert_eq!(switch.control.destroy_room(path).await.map_err(kind).unwrap_err(), ErrorKind::InvalidArgument);
    let unset = proto::EnsureRoomRequest { epoch, room_id, tenant: "demo".to_owned(), treatment: 0 };
    assert_eq!(switch.control.ensure_room(unset).await.map_err(kind).unwrap_err(), ErrorKind::InvalidArgument);
    let theirs = switch.call().await;
    let heard = switch.people_of("other").get_heard(proto::GetHeardRequest { leg_id: theirs }).await;
    assert_eq!(heard.map(|_| ()).map_err(kind).unwrap_err(), ErrorKind::NotFound, "X1");
    switch.stop().await;
}

#[tokio::test]
async fn commands_that_come_together_are_carried_out_in_order_until_one_is_refused() {
    use proto::command::Command;
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    let leg_id = switch.call().await;
    let (epoch, tenant, room_id) = (switch.epoch, "demo".to_owned(), "r".to_owned());
    let treatment = proto::RoomTreatment::Conversation.into();
    let recording_id = "one".to_owned();
    let commands = [
        Command::Answer(proto::AnswerRequest { epoch, leg_id: leg_id.clone() }),
        Command::EnsureRoom(proto::EnsureRoomRequest {
            epoch,
            room_id: room_id.clone(),
            tenant: tenant.clone(),
            treatment,
        }),
        Command::Move(proto::MoveRequest { epoch, leg_id: leg_id.clone(), room_id: room_id.clone() }),
        Command::StartRecording(proto::StartRecordingRequest { epoch, recording_id, room_id: room_id.clone(), tenant }),
        Command::DestroyRoom(proto::DestroyRoomRequest { epoch, room_id }),
        Command::Hangup(proto::HangupRequest { epoch, leg_id: leg_id.clone(), cause: 0 }),
    ];
    let outcomes = switch.execute(commands).await.expect("an answer");
    let codes: Vec<_> = outcomes.iter().map(|it| tonic::Code::from_i32(it.code)).collect();
    assert_eq!(codes[..4], [tonic::Code::Ok; 4], "{outcomes:?}");
    assert_eq!(codes[4..], [tonic::Code::FailedPrecondition], "somebody is in the room, and nobody was hung up");
    assert!(outcomes[3].at_us > 0 && outcomes[2].at_us == 0, "{outcomes:?}");
    assert_eq!(outcomes[4].message, "Room r has members.");

    let stale = Command::Hangup(proto::HangupRequest { epoch: epoch - 1, leg_id, cause: 0 });
    let path = Command::DestroyRoom(proto::DestroyRoomRequest { epoch, room_id: "../etc".to_owned() });
    for (command, expected) in [(stale, tonic::Code::Aborted), (path, tonic::Code::InvalidArgument)] {
        let outcomes = switch.execute([command]).await.expect("an answer");
        assert_eq!(outcomes.iter().map(|it| it.code).collect::<Vec<_>>(), [i32::from(expected)]);
    }
    let many = vec![Command::Remove(proto::RemoveRequest::default()); 65];
    for wrong in [vec![], many] {
        let refused = switch.execute(wrong).await.expect_err("neither none nor too many");
        assert_eq!(ApiError::of(&refused).kind, ErrorKind::InvalidArgument);
    }
    let unset = switch.control.execute(proto::ExecuteRequest { commands: vec![proto::Command::default()] }).await;
    assert_eq!(unset.expect("an answer").into_inner().outcomes[0].code, i32::from(tonic::Code::InvalidArgument));
    switch.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_calls_nothing_is_mixed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    switch.clock.sleep(Duration::from_millis(200)).await;
    assert_eq!(switch.stats().await.frames, 0);
    switch.stop().await;
}

#[tokio::test]
async fn the_same_request_is_carried_out_once_and_answered_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    let place = |to: &str| proto::PlaceCallRequest {
        request_id: "r1".to_owned(),
        from: "+1".to_owned(),
        to: to.to_owned(),
        tone_hz: 0,
    };
    let first = switch.people.place_call(place("+2")).await.expect("a call").into_inner();
    let second = switch.people.place_call(place("+2")).await.expect("the same call").into_inner();
    assert_eq!(first, second, "B609");
    let other = switch.people.place_call(place("+3")).await.expect_err("another call under the same id");
    let reason = baton_api::ApiError::of(&other).reason;
    assert_eq!(reason, baton_api::error::ErrorReason::RequestIdReused);
    let none = proto::PlaceCallRequest { request_id: String::new(), ..place("+2") };
    let refused = switch.people.place_call(none).await.expect_err("a change without an id");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert_eq!(switch.snapshot().await.legs.len(), 1);
    let address = Some(proto::phone_selector::Selector::Address("+1".to_owned()));
    let phone = Some(proto::PhoneSelector { selector: address });
    let hang_up = proto::HangUpPhoneRequest { request_id: "r2".to_owned(), phone };
    let first = switch.people.hang_up_phone(hang_up.clone()).await.expect("hung up").into_inner();
    let second = switch.people.hang_up_phone(hang_up).await.expect("the same answer").into_inner();
    assert_eq!(first, second);
    switch.stop().await;
}
