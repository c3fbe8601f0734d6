//! Policies: every version of every tenant's.

use baton_store::{Db, StoreError, Tx, on};

/// The profile of a tenant that never set one.
const DEFAULT_PROFILE: &str = "lead_center";
/// What the plan of a tenant that never set one includes: everything.
const DEFAULT_ENTITLEMENTS: [&str; 1] = ["warm_transfer"];

/// One version of a tenant's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyRow {
    pub(crate) profile: String,
    pub(crate) overrides: String,
    pub(crate) entitlements: Vec<String>,
}

impl PolicyRow {
    /// Of a tenant that never set one.
    pub(crate) fn default_policy() -> Self {
        Self {
            profile: DEFAULT_PROFILE.into(),
            overrides: String::new(),
            entitlements: DEFAULT_ENTITLEMENTS.map(Into::into).into(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    profile: String,
    overrides: String,
    entitlements: String,
}

/// The newest version; 0 when there is none.
pub(crate) async fn latest(db: &Db, tenant: &str) -> Result<u64, StoreError> {
    let mut reader = db.read().await?;
    let version: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT MAX(version) FROM policies WHERE tenant = $1").bind(tenant).fetch_one(conn).await)?;
    Ok(version.unwrap_or_default().cast_unsigned())
}

/// One version.
pub(crate) async fn read(db: &Db, tenant: &str, version: u64) -> Result<Option<PolicyRow>, StoreError> {
    let mut reader = db.read().await?;
    let row: Option<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT profile, overrides, entitlements FROM policies WHERE tenant = $1 AND version = $2")
        .bind(tenant).bind(version.cast_signed()).fetch_optional(conn).await)?;
    row.map(|row| {
        let entitlements = serde_json::from_str(&row.entitlements).map_err(|error| StoreError::Corrupt {
            table: "policies",
            column: "entitlements",
            row: format!("{tenant}/{version}"),
            source: Some(error.into()),
        })?;
        Ok(PolicyRow { profile: row.profile, overrides: row.overrides, entitlements })
    })
    .transpose()
}

/// The next version. Returns its number.
pub(crate) async fn add(tx: &mut Tx, tenant: &str, row: &PolicyRow) -> Result<u64, StoreError> {
    let entitlements = serde_json::Value::from(row.entitlements.clone()).to_string();
    let version: i64 = on!(tx, conn => sqlx::query_scalar(
        "INSERT INTO policies (tenant, version, profile, overrides, entitlements)
         VALUES ($1, (SELECT COALESCE(MAX(version), 0) + 1 FROM policies WHERE tenant = $1), $2, $3, $4)
         RETURNING version")
        .bind(tenant)
        .bind(&row.profile)
        .bind(&row.overrides)
        .bind(entitlements)
        .fetch_one(conn)
        .await)?;
    Ok(version.cast_unsigned())
}
