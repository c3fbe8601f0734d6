//! Sites are created, renamed and deleted.

use baton_api::error::ErrorReason;
use baton_api::event::v1::Change;
use baton_api::{ApiError, name};
use baton_store::Etag;
use tonic::Status;

use crate::edit::Edit;
use crate::events;
use crate::ids::SiteId;
use crate::record::SiteRecord;
use crate::store::{names, sites};

pub(crate) async fn create_site(edit: &mut Edit<'_>, id: SiteId, name: &str) -> Result<SiteRecord, Status> {
    edit.lock_directory().await?;
    refuse_twin(edit, id, name).await?;
    sites::insert(&mut edit.tx, edit.context.tenant, id, name, &fresh_etag()).await?;
    site_changed(edit, id, Change::Created).await
}

/// `read` is the etag of what the change was decided on.
pub(crate) async fn rename_site(
    edit: &mut Edit<'_>,
    id: SiteId,
    name: Option<&str>,
    read: &str,
) -> Result<SiteRecord, Status> {
    edit.lock_directory().await?;
    let before = existing_site(edit, id).await?;
    before.etag.check(read, "site")?;
    let Some(name) = name.filter(|it| **it != before.name) else { return Ok(before) };
    refuse_twin(edit, id, name).await?;
    sites::rename(&mut edit.tx, edit.context.tenant, id, name, &fresh_etag()).await?;
    site_changed(edit, id, Change::Updated).await
}

/// Refuses a site at which somebody works.
pub(crate) async fn delete_site(edit: &mut Edit<'_>, id: SiteId) -> Result<(), Status> {
    edit.lock_directory().await?;
    let agents = sites::agents_at(&mut edit.tx, edit.context.tenant, id).await?;
    if agents > 0 {
        let message = format!("Agents work at this site ({agents}). Give them another one first, or none.");
        return Err(ApiError::failed_precondition(ErrorReason::InUse, message).with("by", "agent").into());
    }
    if !sites::delete(&mut edit.tx, edit.context.tenant, id).await? {
        return Err(ApiError::not_found("site").into());
    }
    edit.touch_site(id);
    Ok(events::site_changed(&mut edit.tx, edit.context, id, Change::Deleted, None).await?)
}

/// Refuses a site that is not there, where an agent is to work.
pub(super) async fn check(edit: &mut Edit<'_>, id: SiteId) -> Result<(), Status> {
    if sites::get(&mut edit.tx, edit.context.tenant, id).await?.is_none() {
        let why = format!("there is no site {id}; create it first");
        return Err(ApiError::invalid_argument("agent.site_id", why).into());
    }
    Ok(())
}

fn fresh_etag() -> Etag {
    Etag::new(baton_runtime::ids::new_uuid())
}

async fn site_changed(edit: &mut Edit<'_>, id: SiteId, change: Change) -> Result<SiteRecord, Status> {
    edit.touch_site(id);
    let site = existing_site(edit, id).await?;
    events::site_changed(&mut edit.tx, edit.context, id, change, Some(&site)).await?;
    Ok(site)
}

/// A site's name is its own in the tenant.
async fn refuse_twin(edit: &mut Edit<'_>, id: SiteId, name: &str) -> Result<(), Status> {
    let alike = names::alike(&mut edit.tx, &names::SITES, edit.context.tenant, id.0, name).await?;
    Ok(name::SITE.refuse_twin(name, &alike)?)
}

async fn existing_site(edit: &mut Edit<'_>, id: SiteId) -> Result<SiteRecord, Status> {
    sites::get(&mut edit.tx, edit.context.tenant, id).await?.ok_or_else(|| ApiError::not_found("site").into())
}
