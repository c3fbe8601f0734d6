//! Listing and reading recordings.

use baton_api::recording::v1::{ListRecordingsRequest, ListRecordingsResponse, Recording};
use baton_api::{ApiError, fields, page};
use baton_store::StoreError;

use crate::core::RecordingCore;
use crate::grpc::convert::{self, Parts};
use crate::grpc::parse::{self, Viewer};
use crate::store::listing::{self, RecordingsQuery};
use crate::store::recordings::{self, Row};
use crate::store::{manifest, segments};

/// A page of the recordings that the viewer may see.
pub(crate) async fn page(
    core: &RecordingCore,
    viewer: &Viewer<'_>,
    request: &ListRecordingsRequest,
) -> Result<ListRecordingsResponse, ApiError> {
    let (size, interaction_id, after) = fields::all((
        page::size(request.page_size),
        parse::optional_id("interaction_id", &request.interaction_id),
        parse::page_token(&request.page_token),
    ))?;
    let query = RecordingsQuery { tenant: viewer.tenant, interaction_id, agent_id: viewer.agent_id, after };
    // One row more than the page has shows whether there is a next page.
    let mut rows = listing::page(&core.db, &query, size as i64 + 1).await?;
    let next_page_token = page::cut(&mut rows, size, |it| parse::next_page_token(&it.interaction_id, it.number));
    let recordings = show(core, viewer, &rows).await?;
    Ok(ListRecordingsResponse { recordings, next_page_token })
}

/// One recording. For a viewer of another tenant, and for an agent who is not heard in it, it does not exist (X1).
pub(crate) async fn get(core: &RecordingCore, viewer: &Viewer<'_>, recording_id: &str) -> Result<Recording, ApiError> {
    let row = find(core, viewer, recording_id).await?;
    let mut shown = show(core, viewer, &[row]).await?;
    shown.pop().ok_or_else(not_found)
}

/// The recording's row, if the viewer may see it.
pub(crate) async fn find(core: &RecordingCore, viewer: &Viewer<'_>, recording_id: &str) -> Result<Row, ApiError> {
    let recording_id = parse::id("recording_id", recording_id)?;
    let row = recordings::lookup(&core.db, viewer.tenant, recording_id, viewer.agent_id).await?;
    row.ok_or_else(not_found)
}

pub(crate) fn not_found() -> ApiError {
    ApiError::not_found("recording")
}

async fn show(core: &RecordingCore, viewer: &Viewer<'_>, rows: &[Row]) -> Result<Vec<Recording>, StoreError> {
    let ids: Vec<_> = rows.iter().map(|it| it.recording_id.as_str()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let parts = Parts {
        segments: segments::of_recordings(&core.db, viewer.tenant, &ids).await?,
        heard: manifest::agents(&core.db, viewer.tenant, &ids).await?,
        exclusions: manifest::exclusions(&core.db, viewer.tenant, &ids).await?,
    };
    rows.iter().map(|row| convert::recording(row, &parts, viewer)).collect()
}
