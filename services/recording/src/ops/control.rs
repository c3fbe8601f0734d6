//! Starting, stopping, pausing and resuming: forwarded to the transfer service, whose command handler decides.
//!
//! Nothing is decided or remembered here. The request id is passed on, so that a retry gets the first answer from there, and
//! so is the rest of the caller's deadline: "paused" means that the switch has confirmed it (R3).

use baton_api::ApiError;
use baton_api::common::v1::{Action, RecordingState};
use baton_api::transfer::v1::ControlRecordingRequest;
use baton_runtime::auth::Caller;
use baton_store::requests::RequestKey;
use tonic::Status;

use crate::core::RecordingCore;
use crate::grpc::parse;

/// A command about the recording of an interaction.
#[derive(Debug, Clone)]
pub(crate) struct ControlRequest<'a> {
    request_id: &'a str,
    interaction_id: &'a str,
    action: Action,
}

impl<'a> ControlRequest<'a> {
    pub(crate) fn new(request_id: &'a str, interaction_id: &'a str, action: Action) -> Result<Self, Status> {
        RequestKey::new("", "", "", request_id)?;
        Ok(Self { request_id, interaction_id: parse::id("interaction_id", interaction_id)?, action })
    }
}

/// Returns what is being recorded as the switch has confirmed it.
pub(crate) async fn forward(
    core: &RecordingCore,
    caller: &Caller,
    it: ControlRequest<'_>,
) -> Result<Option<RecordingState>, Status> {
    let request = ControlRecordingRequest {
        subject: caller.subject.clone(),
        role: caller.role.to_string(),
        tenant: caller.tenant()?.as_str().to_owned(),
        interaction_id: it.interaction_id.to_owned(),
        action: it.action.into(),
        request_id: it.request_id.to_owned(),
    };
    let answer = core.intake().control_recording(request).await.map_err(|status| passed_on(&status))?;
    Ok(answer.into_inner().recording)
}

/// The refusal as the transfer service gave it, without the headers of its answer.
fn passed_on(status: &Status) -> Status {
    match ApiError::from_status(status) {
        Some(error) => error.into(),
        None => {
            ApiError::unavailable("The transfer service does not answer. Try again with the same request id.").into()
        }
    }
}
