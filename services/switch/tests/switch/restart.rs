//! The data folder after the switch was killed, and how the next run repairs it.

use std::path::Path;
use std::time::Duration;

use baton_api::simulator::v1 as proto;
use baton_audio::{tones, wav};
use baton_runtime::auth::SigningKey;
use baton_runtime::{Clock, ids};
use baton_switch::engine::model::FinishedRecording;
use baton_switch::storage::{StorageError, SwitchFolder};
use baton_switch::{Switch, SwitchFailure, SwitchSettings};

use super::harness::{AGENT, CUSTOMER, set};
use super::running_switch::{Call, RunningSwitch};

/// Runs a recorded call for a second and then drops everything as it stands, as a kill does.
fn killed(folder: &Path) -> (String, Call) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let left = runtime.block_on(async {
        let mut switch = RunningSwitch::start(folder, Clock::real()).await;
        switch.phone("agent", 0).await;
        let call = switch.recorded_call(1).await;
        switch.clock.sleep(Duration::from_secs(1)).await;
        let boot_id = switch.snapshot().await.boot_id;
        (boot_id, call)
    });
    runtime.shutdown_background();
    until_free(folder);
    left
}

/// The lock goes with the last thread that writes.
fn until_free(folder: &Path) {
    for _ in 0..1_000 {
        match SwitchFolder::open(folder) {
            Err(StorageError::InUse(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
            Ok(_) => return,
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("the folder is still locked");
}

#[test]
fn a_killed_switch_comes_back_without_calls_and_with_what_it_had_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (boot_id, call) = killed(folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
        let snapshot = switch.snapshot().await;
        assert_ne!(snapshot.boot_id, boot_id, "S4");
        assert!(snapshot.legs.is_empty() && snapshot.rooms.is_empty());
        let [recording] = snapshot.finished_recordings.as_slice() else { panic!("one recording") };
        assert!(recording.torn && recording.duration_ms >= 600, "R4: {recording:?}");
        let (_, file) = switch.fetch(&call.recording).await;
        let samples = wav::samples(&file).expect("a WAV file");
        assert_eq!(samples.len() as i64, recording.sample_count);
        assert_eq!(tones::heard_tones(&samples, &[CUSTOMER, AGENT]), set(&[CUSTOMER, AGENT]));
        assert_eq!(switch.epoch, 2, "the epoch is kept");
        let again = proto::DialRequest {
            epoch: switch.epoch,
            leg_id: call.agent.clone(),
            tenant: "demo".to_owned(),
            address: "agent".to_owned(),
            ring_timeout_ms: 1_000,
            ..proto::DialRequest::default()
        };
        let refused = switch.control.dial(again).await.expect_err("S2");
        assert_eq!(refused.code(), tonic::Code::AlreadyExists);
        assert!(switch.heard(&call.customer).await.0.ended);
        switch.stop().await;
    });
}

fn recordings_left(folder: &Path) -> Vec<FinishedRecording> {
    let (_open, left) = SwitchFolder::open(folder).expect("a folder that can be opened");
    left.finished
}

#[test]
fn a_sidecar_that_cannot_be_parsed_is_renamed_and_does_not_prevent_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, call) = killed(folder.path());
    let file = |ending: &str| folder.path().join(format!("recordings/{}.{ending}", call.recording));
    // As a power cut leaves a file that was not on the disk yet.
    std::fs::write(file("json"), "").expect("write");
    assert_eq!(recordings_left(folder.path()), []);
    assert!(file("wav").exists() && file("json.damaged").exists() && !file("json").exists());
    assert_eq!(recordings_left(folder.path()), []);
}

#[test]
fn a_file_that_is_shorter_than_its_sidecar_says_is_torn_and_a_missing_one_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, call) = killed(folder.path());
    let file = |ending: &str| folder.path().join(format!("recordings/{}.{ending}", call.recording));
    let [whole] = &recordings_left(folder.path())[..] else { panic!("one recording") };
    let sound = std::fs::read(file("wav")).expect("read");
    std::fs::write(file("wav"), &sound[..1_044]).expect("write");
    let [short] = &recordings_left(folder.path())[..] else { panic!("one recording") };
    assert!(short.torn && short.sample_count == 500 && short.sha256 != whole.sha256, "{short:?}");
    std::fs::remove_file(file("wav")).expect("remove");
    assert_eq!(recordings_left(folder.path()), []);
    assert!(!file("json").exists());
}

#[tokio::test]
async fn phones_outlive_the_switch() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    for address in ["a", "b", "c"] {
        switch.phone(address, 5).await;
    }
    let gone = proto::DeletePhoneRequest { request_id: ids::new_uuid().to_string(), address: "b".to_owned() };
    switch.people.delete_phone(gone).await.expect("delete");
    switch.stop().await;
    let mut switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    let all = proto::ListPhonesRequest::default();
    let phones = switch.people.list_phones(all).await.expect("phones").into_inner().phones;
    let found: Vec<_> = phones.iter().map(|phone| (phone.address.as_str(), phone.tone_hz)).collect();
    assert_eq!(found, [("a", 1_000), ("c", 2_300)]);
    switch.stop().await;
}

#[tokio::test]
async fn two_switches_do_not_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let switch = RunningSwitch::start(folder.path(), Clock::real()).await;
    let config = SwitchSettings::new("127.0.0.1:0".parse().expect("an address"), folder.path().to_owned());
    let second = Switch::open(config, Clock::real(), SigningKey::generate().verifier());
    assert!(matches!(second.err(), Some(SwitchFailure::Storage(StorageError::InUse(_)))));
    switch.stop().await;
}
