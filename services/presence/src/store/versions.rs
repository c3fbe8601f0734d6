//! The newest version of each interaction, which makes an older projection harmless.

use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, Tx, on};

/// How a version compares with those that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The first one of its interaction.
    First,
    /// Not seen yet.
    Newer,
    /// The newest one, again.
    Same,
    /// A newer one was seen.
    Older,
}

/// The newest version that was seen, for a reader.
pub(crate) async fn newest(
    reader: &mut Reader,
    tenant: &TenantId,
    interaction_id: &str,
) -> Result<Option<i64>, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT version FROM claim_versions WHERE tenant = $1 AND interaction_id = $2")
        .bind(tenant.as_str())
        .bind(interaction_id)
        .fetch_optional(conn)
        .await)?)
}

/// Stores a version; the claims of the interaction are locked. The same one again writes nothing.
pub(crate) async fn advance(
    tx: &mut Tx,
    tenant: &TenantId,
    interaction_id: &str,
    (version, ended): (i64, bool),
    now_us: i64,
) -> Result<Seen, StoreError> {
    let known: Option<i64> = on!(tx, conn => sqlx::query_scalar(
        "SELECT version FROM claim_versions WHERE tenant = $1 AND interaction_id = $2")
        .bind(tenant.as_str())
        .bind(interaction_id)
        .fetch_optional(conn)
        .await)?;
    match known {
        Some(known) if known == version => return Ok(Seen::Same),
        Some(known) if known > version => return Ok(Seen::Older),
        _ => {}
    }
    tx.statement(
        "INSERT INTO claim_versions (tenant, interaction_id, version, ended, updated_us)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, interaction_id) DO UPDATE SET version = $3, ended = $4, updated_us = $5",
    )
    .bind(tenant.as_str())
    .bind(interaction_id)
    .bind(version)
    .bind(ended)
    .bind(now_us)
    .run()
    .await?;
    Ok(if known.is_none() { Seen::First } else { Seen::Newer })
}

/// Deletes interactions that ended before `ended_before_us`, with their claims. Returns how many interactions.
///
/// Claims of a living interaction stay, however old: its projection may still list them, and they must stay final.
pub(crate) async fn prune(tx: &mut Tx, ended_before_us: i64, limit: i64) -> Result<u64, StoreError> {
    tx.statement(
        "DELETE FROM claims WHERE (tenant, interaction_id) IN
             (SELECT tenant, interaction_id FROM claim_versions
              WHERE ended AND updated_us < $1 ORDER BY updated_us LIMIT $2)
             AND (state <> 'expired' OR reported)",
    )
    .bind(ended_before_us)
    .bind(limit)
    .run()
    .await?;
    let rows = tx
        .statement(
            "DELETE FROM claim_versions WHERE (tenant, interaction_id) IN
             (SELECT tenant, interaction_id FROM claim_versions
              WHERE ended AND updated_us < $1 ORDER BY updated_us LIMIT $2)
             AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.tenant = claim_versions.tenant
                             AND c.interaction_id = claim_versions.interaction_id)",
        )
        .bind(ended_before_us)
        .bind(limit)
        .affected()
        .await?;
    Ok(rows)
}
