//! What is read back: at the start, and when an interaction is met that is not in memory.

use baton_api::transfer::v1::Fact;
use baton_store::{Db, on};
use prost::Message as _;

use super::{KeepError, PlanRow, UploadRow, bad};
use crate::plan::InteractionId;
use crate::thing::{Key, Kind, Thing};

/// All that is kept of one interaction's things.
#[derive(Debug, Default)]
pub struct Restored {
    /// Everything that was asked for.
    pub things: Vec<RestoredThing>,
    /// The highest position that was given to an observation.
    pub last_position: i64,
}

/// A thing, and whether its last observation is still to be reported.
#[derive(Debug)]
pub struct RestoredThing {
    /// The thing.
    pub key: Key,
    /// What is known of it.
    pub thing: Thing,
    /// The position of its last observation, if the transfer service has not committed it.
    pub unacked: Option<i64>,
}

/// All plans of interactions that have not ended, or whose end may not be on the switch yet.
pub async fn plans(db: &Db) -> Result<Vec<PlanRow>, KeepError> {
    let mut reader = db.read().await?;
    let rows: Vec<PlanColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT interaction, tenant, version, plan, ended_at_us FROM plans ORDER BY interaction")
            .fetch_all(conn).await
    })?;
    rows.into_iter().map(PlanColumns::read).collect()
}

/// The newest plan of one interaction.
pub async fn plan_of(db: &Db, interaction: &InteractionId) -> Result<Option<PlanRow>, KeepError> {
    let mut reader = db.read().await?;
    let row: Option<PlanColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT interaction, tenant, version, plan, ended_at_us FROM plans WHERE interaction = $1")
            .bind(interaction.as_str())
            .fetch_optional(conn).await
    })?;
    row.map(PlanColumns::read).transpose()
}

/// Everything that was asked for in one interaction.
pub async fn things(db: &Db, interaction: &InteractionId) -> Result<Restored, KeepError> {
    let mut reader = db.read().await?;
    let rows: Vec<ThingColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT kind, id, name, detail, boot_id, fact, position, acked FROM things WHERE interaction = $1")
            .bind(interaction.as_str())
            .fetch_all(conn).await
    })?;
    let last_position = rows.iter().map(|row| row.position).max().unwrap_or(0);
    let things = rows.into_iter().map(|row| row.read(interaction)).collect::<Result<_, _>>()?;
    Ok(Restored { things, last_position })
}

/// Segments that are not in the archive yet.
pub async fn uploads(db: &Db) -> Result<Vec<UploadRow>, KeepError> {
    let mut reader = db.read().await?;
    let rows: Vec<(String, Vec<u8>, i64)> = on!(reader, conn => {
        sqlx::query_as("SELECT segment, header, lost FROM uploads ORDER BY segment").fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(segment, header, lost)| UploadRow { segment, header, lost: lost != 0 }).collect())
}

#[derive(sqlx::FromRow)]
struct PlanColumns {
    interaction: String,
    tenant: String,
    version: i64,
    plan: Vec<u8>,
    ended_at_us: Option<i64>,
}

impl PlanColumns {
    fn read(self) -> Result<PlanRow, KeepError> {
        let Some(interaction) = InteractionId::parse(&self.interaction) else {
            return Err(KeepError::Row { table: "plans", column: "interaction", row: self.interaction });
        };
        let version = u64::try_from(self.version).map_err(|_| bad("plans", "version", &interaction))?;
        Ok(PlanRow { interaction, tenant: self.tenant, version, plan: self.plan, ended_at_us: self.ended_at_us })
    }
}

#[derive(sqlx::FromRow)]
struct ThingColumns {
    kind: String,
    id: String,
    name: String,
    detail: String,
    boot_id: String,
    fact: Option<Vec<u8>>,
    position: i64,
    acked: i64,
}

impl ThingColumns {
    fn read(self, interaction: &InteractionId) -> Result<RestoredThing, KeepError> {
        let kind = Kind::parse(&self.kind).ok_or_else(|| bad("things", "kind", interaction))?;
        let fact = self.fact.map(|it| Fact::decode(it.as_slice())).transpose();
        let fact = fact.map_err(|_| bad("things", "fact", interaction))?;
        let thing = Thing {
            name: self.name,
            detail: self.detail,
            boot_id: self.boot_id,
            confirmed: fact.is_some(),
            fact,
            ..Thing::default()
        };
        let unacked = (self.acked == 0).then_some(self.position);
        Ok(RestoredThing { key: Key { kind, id: self.id }, thing, unacked })
    }
}
