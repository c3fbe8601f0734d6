//! Starting, stopping, pausing and resuming go to the transfer service (B207, B608).

use baton_api::ApiError;
use baton_api::common::v1::Action;
use baton_api::error::ErrorReason;
use baton_api::recording::v1::{
    PauseRecordingRequest, ResumeRecordingRequest, StartRecordingRequest, StopRecordingRequest,
};
use baton_runtime::auth::Role;
use tonic::Code;

use crate::support::{AGENT, TENANT, World, reason};

#[tokio::test]
async fn each_command_goes_on_in_the_callers_name() {
    let world = World::start().await;
    let mut agent = world.client(TENANT, AGENT, Role::Agent);
    let (request_id, interaction_id) = ("r1".to_owned(), "0192-a".to_owned());
    let start = StartRecordingRequest { request_id: request_id.clone(), interaction_id: interaction_id.clone() };
    let answer = agent.start_recording(start).await.unwrap().into_inner();
    assert_eq!(answer.recording.unwrap().recording_id, "0192-recording-1");
    let pause = PauseRecordingRequest { request_id: request_id.clone(), interaction_id: interaction_id.clone() };
    agent.pause_recording(pause).await.unwrap();
    let resume = ResumeRecordingRequest { request_id: request_id.clone(), interaction_id: interaction_id.clone() };
    agent.resume_recording(resume).await.unwrap();
    let stop = StopRecordingRequest { request_id, interaction_id };
    world.supervisor().stop_recording(stop).await.unwrap();

    let requests = world.intake.requests.lock().unwrap().clone();
    let actions: Vec<_> = requests.iter().map(|it| (it.action(), it.subject.as_str(), it.role.as_str())).collect();
    assert_eq!(
        actions,
        [
            (Action::StartRecording, AGENT, "agent"),
            (Action::PauseRecording, AGENT, "agent"),
            (Action::ResumeRecording, AGENT, "agent"),
            (Action::StopRecording, "sue", "supervisor"),
        ]
    );
    assert!(requests.iter().all(|it| it.tenant == TENANT && it.request_id == "r1" && it.interaction_id == "0192-a"));
}

#[tokio::test]
async fn a_refusal_comes_back_as_it_was_given() {
    let world = World::start().await;
    let given = ApiError::pending("The switch has not confirmed it yet.").with("phase", "x");
    *world.intake.refuse_with.lock().unwrap() = Some(given.clone().into());
    let pause = PauseRecordingRequest { request_id: "r1".into(), interaction_id: "0192-a".into() };
    let status = world.client(TENANT, AGENT, Role::Agent).pause_recording(pause).await.unwrap_err();
    assert_eq!(ApiError::from_status(&status), Some(given));
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_transfer_service_that_breaks_down_is_unavailable() {
    let world = World::start().await;
    *world.intake.refuse_with.lock().unwrap() = Some(tonic::Status::unknown("h2 protocol error"));
    let pause = PauseRecordingRequest { request_id: "r1".into(), interaction_id: "0192-a".into() };
    let status = world.client(TENANT, AGENT, Role::Agent).pause_recording(pause).await.unwrap_err();
    assert_eq!(ApiError::of(&status).reason, ErrorReason::Unavailable);
}

#[tokio::test]
async fn what_is_malformed_is_not_forwarded() {
    let world = World::start().await;
    let mut agent = world.client(TENANT, AGENT, Role::Agent);
    for (request_id, interaction_id) in [("", "0192-a"), ("r1", ""), ("r1", "a/b")] {
        let pause = PauseRecordingRequest { request_id: request_id.into(), interaction_id: interaction_id.into() };
        let status = agent.pause_recording(pause).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{}", reason(&status));
    }
    assert!(world.intake.requests.lock().unwrap().is_empty());
}
