//! `baton site`.

use anyhow::Context as _;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{CreateSiteRequest, DeleteSiteRequest, Site, UpdateSiteRequest};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::Subcommand;
use prost_types::FieldMask;

use super::output::Column;
use super::refusal::OrRefusal;
use super::resolve;
use super::session::ClientSession;

const SITE: &str = "baton.presence.v1.Site";

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// List all sites.
    #[command(visible_alias = "ls")]
    List,
    /// Create a site. `baton agent update AGENT --site SITE` says who works there.
    Create {
        /// Display name.
        name: String,
    },
    /// Rename a site.
    Update {
        /// Name or id.
        site: String,
        /// Another display name.
        #[arg(long)]
        name: String,
    },
    /// Delete a site at which nobody works.
    #[command(visible_alias = "rm")]
    Delete {
        /// Name or id.
        site: String,
    },
}

pub(crate) async fn run(session: &ClientSession, command: SiteCommand) -> anyhow::Result<()> {
    match command {
        SiteCommand::List => list(session).await,
        SiteCommand::Create { name } => create(session, name).await,
        SiteCommand::Update { site, name } => rename(session, &site, name).await,
        SiteCommand::Delete { site } => delete(session, &site).await,
    }
}

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let columns = [Column::always("name"), Column::id("id")];
    let sites = resolve::sites(session).await?;
    session.out.list(SITE, &sites, &columns, |it| vec![it.name.clone(), it.site_id.clone()])
}

async fn create(session: &ClientSession, name: String) -> anyhow::Result<()> {
    let request = CreateSiteRequest { request_id: session.request_id(), site: Some(Site { name, ..Site::default() }) };
    let created = directory(session)?.create_site(request).await.or_refusal()?;
    print_stored(session, created.site, "is there now")
}

/// Gives no etag: a site has nothing but its name.
async fn rename(session: &ClientSession, site: &str, name: String) -> anyhow::Result<()> {
    let site_id = resolve::site(session, site).await?.site_id;
    let request = UpdateSiteRequest {
        request_id: session.request_id(),
        site: Some(Site { site_id, name, ..Site::default() }),
        update_mask: Some(FieldMask { paths: vec!["name".to_owned()] }),
    };
    let updated = directory(session)?.update_site(request).await.or_refusal()?;
    print_stored(session, updated.site, "is changed")
}

async fn delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let site = resolve::site(session, name).await?;
    let request = DeleteSiteRequest { request_id: session.request_id(), site_id: site.site_id };
    let deleted = directory(session)?.delete_site(request).await.or_refusal()?;
    let text = format!("The site {} is gone.", site.name);
    session.out.one("baton.presence.v1.DeleteSiteResponse", &deleted, |_| text)
}

fn directory(session: &ClientSession) -> anyhow::Result<DirectoryServiceClient<GrpcChannel>> {
    Ok(DirectoryServiceClient::new(session.channel_for_role(Role::Admin)?))
}

fn print_stored(session: &ClientSession, site: Option<Site>, how: &str) -> anyhow::Result<()> {
    let site = site.context("the answer is empty")?;
    session.out.one(SITE, &site, |it| format!("Site {} {how}, id {}", it.name, it.site_id))
}
