//! Policies: every version of every tenant's.

use baton_store::{Db, StoreError, Tx, on};
use sqlx::types::Json;

/// The profile of a tenant that never set one.
const DEFAULT_PROFILE: &str = "lead_center";
/// What the plan of a tenant was that had none of its own, before tenants had records.
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
    version: i64,
    profile: String,
    overrides: String,
    entitlements: Json<Vec<String>>,
}

impl Row {
    fn versioned(self) -> (u64, PolicyRow) {
        let row = PolicyRow { profile: self.profile, overrides: self.overrides, entitlements: self.entitlements.0 };
        (self.version.cast_unsigned(), row)
    }
}

/// The newest version; 0 when there is none.
pub(crate) async fn latest(db: &Db, tenant: &str) -> Result<u64, StoreError> {
    let mut reader = db.read().await?;
    let version: Option<i64> = on!(reader, conn => sqlx::query_scalar(
        "SELECT MAX(version) FROM policies WHERE tenant = $1").bind(tenant).fetch_one(conn).await)?;
    Ok(version.unwrap_or_default().cast_unsigned())
}

/// Reads the newest version, with a reader or in a transaction.
macro_rules! newest {
    ($from:expr, $tenant:expr) => {{
        let row: Option<Row> = on!($from, conn => sqlx::query_as(
            "SELECT version, profile, overrides, entitlements FROM policies WHERE tenant = $1 ORDER BY version DESC LIMIT 1")
            .bind($tenant).fetch_optional(conn).await)?;
        Ok(row.map_or_else(|| (0, PolicyRow::default_policy()), Row::versioned))
    }};
}

/// The newest version with its number; the default, 0, when there is none.
pub(crate) async fn newest(db: &Db, tenant: &str) -> Result<(u64, PolicyRow), StoreError> {
    let mut reader = db.read().await?;
    newest!(reader, tenant)
}

/// The newest version, as a change sees it.
pub(crate) async fn newest_in(tx: &mut Tx, tenant: &str) -> Result<(u64, PolicyRow), StoreError> {
    newest!(tx, tenant)
}

/// One version.
pub(crate) async fn read(db: &Db, tenant: &str, version: u64) -> Result<Option<PolicyRow>, StoreError> {
    let mut reader = db.read().await?;
    let row: Option<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT version, profile, overrides, entitlements FROM policies WHERE tenant = $1 AND version = $2")
        .bind(tenant).bind(version.cast_signed()).fetch_optional(conn).await)?;
    Ok(row.map(|row| row.versioned().1))
}

/// Locks a tenant's record and its policies: a change of either decides about both.
pub(crate) async fn lock(tx: &mut Tx, tenant: &str) -> Result<(), StoreError> {
    tx.lock([format!("transfer/policy/{tenant}")]).await
}

/// The next version. Returns its number.
pub(crate) async fn add(tx: &mut Tx, tenant: &str, row: &PolicyRow) -> Result<u64, StoreError> {
    let version: i64 = on!(tx, conn => sqlx::query_scalar(
        "INSERT INTO policies (tenant, version, profile, overrides, entitlements)
         VALUES ($1, (SELECT COALESCE(MAX(version), 0) + 1 FROM policies WHERE tenant = $1), $2, $3, $4)
         RETURNING version")
        .bind(tenant)
        .bind(&row.profile)
        .bind(&row.overrides)
        .bind(Json(&row.entitlements))
        .fetch_one(conn)
        .await)?;
    Ok(version.cast_unsigned())
}
