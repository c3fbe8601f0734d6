//! The agents' profiles.

use baton_api::name;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};

use crate::ids::{AgentId, SiteId};
use crate::page::DirectoryCursor;
use crate::record::{AgentProfile, Capacity};
use crate::store::skills;
use baton_store::Etag;

#[derive(sqlx::FromRow)]
pub(crate) struct AgentRow {
    pub(crate) agent_id: AgentId,
    pub(crate) name: String,
    pub(crate) name_key: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) voicemail: bool,
    #[sqlx(flatten)]
    pub(crate) capacity: Capacity,
    pub(crate) skills: String,
    pub(crate) site_id: Option<SiteId>,
    pub(crate) etag: Etag,
}

/// Adds an agent; `false` when the id is in use.
pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: &TenantId,
    id: AgentId,
    profile: &AgentProfile,
    etag: &Etag,
) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "INSERT INTO agents (tenant, agent_id, name, name_key, look, shape, email, phone, voicemail, etag,
             voice_capacity, chat_capacity, video_capacity, skills, site_id)
         VALUES ($1, $2, $3, $4, $9, $10, $5, $6, $7, $8, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(id)
        .bind(&profile.name)
        .bind(name::key(&profile.name))
        .bind(&profile.email)
        .bind(&profile.phone)
        .bind(profile.voicemail)
        .bind(etag)
        .bind(name::look(&profile.name))
        .bind(name::shape(&profile.name))
        .bind(profile.capacity.voice)
        .bind(profile.capacity.chat)
        .bind(profile.capacity.video)
        .bind(skills::written(&profile.skills))
        .bind(profile.site)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// The other agents who have this phone.
pub(crate) async fn sharing_phone(
    tx: &mut Tx,
    tenant: &TenantId,
    phone: &str,
    id: AgentId,
) -> Result<Vec<AgentId>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "SELECT agent_id FROM agents WHERE tenant = $1 AND phone = $2 AND agent_id <> $3 ORDER BY agent_id")
        .bind(tenant.as_str())
        .bind(phone)
        .bind(id)
        .fetch_all(conn)
        .await)?)
}

/// These agents and those who have one of their phones, or one of these, each with their own phone; by id.
pub(crate) async fn with_sharers(
    tx: &mut Tx,
    tenant: &TenantId,
    ids: &[AgentId],
    phones: &[String],
) -> Result<Vec<(AgentId, String)>, StoreError> {
    Ok(on!(tx, conn => {
        let mut query = sqlx::QueryBuilder::new("SELECT agent_id, phone FROM agents WHERE tenant = ");
        query.push_bind(tenant.as_str()).push(" AND (agent_id IN (NULL");
        for id in ids {
            query.push(", ").push_bind(*id);
        }
        query.push(") OR phone IN (NULL");
        for phone in phones.iter().filter(|it| !it.is_empty()) {
            query.push(", ").push_bind(phone);
        }
        query.push(") OR phone IN (SELECT phone FROM agents WHERE tenant = ").push_bind(tenant.as_str());
        query.push(" AND phone <> '' AND agent_id IN (NULL");
        for id in ids {
            query.push(", ").push_bind(*id);
        }
        query.push("))) ORDER BY agent_id").build_query_as().persistent(false).fetch_all(conn).await
    })?)
}

/// Replaces the fields of an agent, who must exist.
pub(crate) async fn update(
    tx: &mut Tx,
    tenant: &TenantId,
    id: AgentId,
    profile: &AgentProfile,
    etag: &Etag,
) -> Result<(), StoreError> {
    tx.statement("UPDATE agents SET name = $3, name_key = $4, look = $9, shape = $10, email = $5, phone = $6, voicemail = $7, etag = $8,
             voice_capacity = $11, chat_capacity = $12, video_capacity = $13, skills = $14, site_id = $15
         WHERE tenant = $1 AND agent_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .bind(&profile.name)
        .bind(name::key(&profile.name))
        .bind(&profile.email)
        .bind(&profile.phone)
        .bind(profile.voicemail)
        .bind(etag)
        .bind(name::look(&profile.name))
        .bind(name::shape(&profile.name))
        .bind(profile.capacity.voice)
        .bind(profile.capacity.chat)
        .bind(profile.capacity.video)
        .bind(skills::written(&profile.skills))
        .bind(profile.site)
        .run()
        .await?;
    Ok(())
}

/// Removes an agent with their status and memberships; `false` when there is none.
pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: AgentId) -> Result<bool, StoreError> {
    let rows = tx
        .statement("DELETE FROM agents WHERE tenant = $1 AND agent_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// A page by name.
pub(crate) async fn list(
    reader: &mut Reader,
    tenant: &TenantId,
    after: &DirectoryCursor,
    limit: usize,
) -> Result<Vec<AgentRow>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT agent_id, name, name_key, email, phone, voicemail, voice_capacity, chat_capacity, video_capacity, skills,
             site_id, etag
         FROM agents
         WHERE tenant = $1 AND (name_key, agent_id) > ($2, $3)
         ORDER BY name_key, agent_id LIMIT $4")
        .bind(tenant.as_str())
        .bind(&after.key)
        .bind(after.id)
        .bind(limit as i64)
        .fetch_all(conn)
        .await)?)
}
