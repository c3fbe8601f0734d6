//! The recording mode of a number.

use baton_api::common::v1::RecordingMode;
use baton_api::fields;
use baton_api::recording::v1::{SetSettingsRequest, SetSettingsResponse};
use baton_runtime::auth::Caller;
use baton_store::requests::RequestKey;
use baton_store::{StoreError, idempotent};
use tonic::Status;

use crate::core::RecordingCore;
use crate::grpc::parse;
use crate::store::settings;

const METHOD: &str = "/baton.recording.v1.RecordingService/SetSettings";

/// The number's mode; `Manual` if none was set.
pub(crate) async fn mode_of(
    core: &RecordingCore,
    tenant: &str,
    phone_number: &str,
) -> Result<RecordingMode, StoreError> {
    Ok(settings::lookup(&core.db, tenant, phone_number).await?.unwrap_or(RecordingMode::Manual))
}

pub(crate) async fn set(
    core: &RecordingCore,
    caller: &Caller,
    request: &SetSettingsRequest,
) -> Result<SetSettingsResponse, Status> {
    let tenant = caller.tenant()?.as_str();
    let (number, mode) =
        fields::all((parse::phone_number("phone_number", &request.phone_number), parse::mode("mode", request.mode)))?;
    let key = RequestKey::new(tenant, &caller.subject, METHOD, &request.request_id)?;
    let now_us = core.clock.now_us();
    idempotent(&core.db, &key, request, now_us, async |tx| {
        settings::set(tx, tenant, number, mode, now_us).await?;
        Ok(SetSettingsResponse { mode: mode.into() })
    })
    .await
}
