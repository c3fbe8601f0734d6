//! Starting, stopping, pausing and resuming: forwarded to the transfer service, the one door to an interaction.
//!
//! Nothing is decided or remembered here. The request id goes along, so that a retry gets the first answer from there, and
//! so does what is left of the caller's deadline: "paused" means that the switch has confirmed it (R3).

use baton_api::ApiError;
use baton_api::common::v1::Action;
use baton_api::transfer::v1::ControlRecordingRequest;
use baton_runtime::auth::{Caller, Role};
use baton_store::requests::Key;
use tonic::Status;

use crate::core::Core;
use crate::grpc::parse;

/// What a caller wants of an interaction's recording.
#[derive(Debug, Clone)]
pub(crate) struct Control<'a> {
    request_id: &'a str,
    interaction_id: &'a str,
    action: Action,
}

impl<'a> Control<'a> {
    /// Checks what can be checked here.
    pub(crate) fn new(request_id: &'a str, interaction_id: &'a str, action: Action) -> Result<Self, Status> {
        Key::new("", "", "", request_id)?;
        Ok(Self { request_id, interaction_id: parse::id("interaction_id", interaction_id)?, action })
    }
}

/// Asks the transfer service; the recording's id, empty before the first.
pub(crate) async fn forward(core: &Core, caller: &Caller, it: Control<'_>) -> Result<String, Status> {
    let request = ControlRecordingRequest {
        subject: caller.subject.clone(),
        supervisor: matches!(caller.role, Role::Supervisor | Role::Admin),
        tenant: caller.tenant()?.as_str().to_owned(),
        interaction_id: it.interaction_id.to_owned(),
        action: it.action.into(),
        request_id: it.request_id.to_owned(),
    };
    let answer = core.intake().control_recording(request).await.map_err(|status| passed_on(&status))?;
    Ok(answer.into_inner().recording_id)
}

/// The refusal as the transfer service gave it; without the headers of its answer, which were for us.
fn passed_on(status: &Status) -> Status {
    match ApiError::from_status(status) {
        Some(error) => error.into(),
        None => {
            ApiError::unavailable("The transfer service does not answer. Try again with the same request id.").into()
        }
    }
}
