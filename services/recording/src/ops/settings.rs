//! What is recorded on a number.

use baton_api::common::v1::RecordingMode;
use baton_api::recording::v1::{
    ListNumberSettingsRequest, ListNumberSettingsResponse, NumberRecordingSettings, UpdateNumberSettingsRequest,
    UpdateNumberSettingsResponse,
};
use baton_api::{ApiError, fields, mask, page};
use baton_runtime::auth::Caller;
use baton_runtime::ids;
use baton_store::requests::RequestKey;
use baton_store::{Etag, StoreError, change, idempotent};
use tonic::Status;

use crate::core::RecordingCore;
use crate::events;
use crate::grpc::parse;
use crate::store::settings::{self, StoredSettings};

const METHOD: &str = "/baton.recording.v1.RecordingService/UpdateNumberSettings";
/// What an update can change.
const FIELDS: &[&str] = &["mode"];

/// The number's settings; the default if nobody has set them.
pub(crate) async fn of_number(
    core: &RecordingCore,
    tenant: &str,
    phone_number: &str,
) -> Result<StoredSettings, StoreError> {
    let found = settings::look_up(&mut core.db.read().await?, tenant, phone_number).await?;
    Ok(found.unwrap_or_else(|| unset(phone_number)))
}

/// A page of those that somebody has set.
pub(crate) async fn list(
    core: &RecordingCore,
    tenant: &str,
    request: &ListNumberSettingsRequest,
) -> Result<ListNumberSettingsResponse, ApiError> {
    let (size, after) = fields::all((page::size(request.page_size), parse::number_page_token(&request.page_token)))?;
    // One row more than the page has shows whether there is a next page.
    let mut rows = settings::list(&mut core.db.read().await?, tenant, after, size as i64 + 1).await?;
    let next_page_token = page::cut(&mut rows, size, |it| it.phone_number.clone());
    Ok(ListNumberSettingsResponse { settings: rows.into_iter().map(shown).collect(), next_page_token })
}

pub(crate) async fn update(
    core: &RecordingCore,
    caller: &Caller,
    request: &UpdateNumberSettingsRequest,
) -> Result<UpdateNumberSettingsResponse, Status> {
    let tenant = caller.tenant()?.as_str();
    let sent = request.settings.as_ref().ok_or_else(|| ApiError::invalid_argument("settings", "must be given"))?;
    let (number, mode) = fields::all((parse::phone_number("settings.number", &sent.number), mode(sent, request)))?;
    let key = RequestKey::new(tenant, &caller.subject, METHOD, &request.request_id)?;
    let now_us = core.clock.now_us();
    idempotent(
        &core.db,
        &key,
        request,
        now_us,
        change!(|tx| {
            settings::lock(tx, tenant, number).await?;
            let before = settings::get(tx, tenant, number).await?.unwrap_or_else(|| unset(number));
            before.etag.check(&sent.etag, "recording settings")?;
            let is_set = before.etag != Etag::default();
            if is_set && before.mode == mode {
                return Ok(UpdateNumberSettingsResponse { settings: Some(shown(before)) });
            }
            let after = StoredSettings { mode, etag: Etag::new(ids::new_uuid()), ..before };
            settings::put(tx, tenant, &after, now_us).await?;
            let after = shown(after);
            events::settings_changed(tx, caller, &after, now_us).await?;
            Ok(UpdateNumberSettingsResponse { settings: Some(after) })
        }),
    )
    .await
}

/// As clients see them.
pub(crate) fn shown(settings: StoredSettings) -> NumberRecordingSettings {
    NumberRecordingSettings {
        number: settings.phone_number,
        mode: settings.mode.into(),
        etag: settings.etag.as_str().to_owned(),
    }
}

/// The new mode: the only field that there is, so that an update always names it.
fn mode(sent: &NumberRecordingSettings, request: &UpdateNumberSettingsRequest) -> Result<RecordingMode, ApiError> {
    mask::named_fields(request.update_mask.as_ref(), FIELDS, |_| sent.mode != 0)?;
    parse::mode("settings.mode", sent.mode)
}

fn unset(phone_number: &str) -> StoredSettings {
    StoredSettings { phone_number: phone_number.to_owned(), mode: RecordingMode::Manual, etag: Etag::default() }
}
