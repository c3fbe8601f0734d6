//! Who was given audio.

use baton_api::recording::v1::{ListAccessesRequest, ListAccessesResponse, RecordingAccess};
use baton_api::{ApiError, fields, page};
use baton_bus::parse_actor;
use uuid::Uuid;

use crate::core::RecordingCore;
use crate::grpc::parse;
use crate::store::downloads::{self, Row};
use crate::time::stamp;

/// Before it are all entries.
const END: (i64, Uuid) = (i64::MAX, Uuid::max());

/// A page of the access log, the last download first.
pub(crate) async fn list(
    core: &RecordingCore,
    tenant: &str,
    request: &ListAccessesRequest,
) -> Result<ListAccessesResponse, ApiError> {
    let (size, recording_id, before) = fields::all((
        page::size(request.page_size),
        parse::optional_id("recording_id", &request.recording_id),
        page::after(&request.page_token, read_token),
    ))?;
    let of = (tenant, recording_id);
    // One row more than the page has shows whether there is a next page.
    let mut rows = downloads::page(&mut core.db.read().await?, of, before.unwrap_or(END), size as i64 + 1).await?;
    let next_page_token = page::cut(&mut rows, size, |it| format!("{}.{}", it.at_us, it.id));
    Ok(ListAccessesResponse { accesses: rows.into_iter().map(shown).collect(), next_page_token })
}

fn read_token(token: &str) -> Option<(i64, Uuid)> {
    let (at_us, id) = token.split_once('.')?;
    Some((at_us.parse().ok()?, id.parse().ok()?))
}

fn shown(row: Row) -> RecordingAccess {
    RecordingAccess {
        access_id: row.id.to_string(),
        recording_id: row.recording_id,
        segment_id: row.segment_id,
        // The roles that may listen are named like their actors.
        actor: Some(parse_actor(&format!("{}/{}", row.role, row.subject))),
        time: Some(stamp(row.at_us)),
    }
}
