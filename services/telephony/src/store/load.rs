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

/// The newest plans of all interactions of which something may be left. What can't be read is said and left out: its next
/// plan takes its place.
pub async fn unfinished(db: &Db) -> Result<Vec<PlanRow>, KeepError> {
    let mut reader = db.read().await?;
    let rows: Vec<PlanColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT interaction, tenant, version, plan, ended_at_us, finished FROM plans WHERE finished = 0 \
                        ORDER BY interaction")
            .fetch_all(conn).await
    })?;
    Ok(rows.into_iter().filter_map(|row| readable(row.read())).collect())
}

/// `None` when it is none, which is said.
fn readable<T>(read: Result<T, KeepError>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "a row is left out")).ok()
}

/// The newest plan of one interaction.
pub async fn plan_of(db: &Db, interaction: &InteractionId) -> Result<Option<PlanRow>, KeepError> {
    let mut reader = db.read().await?;
    let row: Option<PlanColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT interaction, tenant, version, plan, ended_at_us, finished FROM plans WHERE interaction = $1")
            .bind(interaction.as_str())
            .fetch_optional(conn).await
    })?;
    Ok(row.and_then(|row| readable(row.read())))
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
    let things = rows.into_iter().filter_map(|row| readable(row.read(interaction))).collect();
    Ok(Restored { things, last_position })
}

/// How many segments are still to be brought to the archive.
pub async fn uploads(db: &Db) -> Result<usize, KeepError> {
    let mut reader = db.read().await?;
    let count: i64 = on!(reader, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM uploads WHERE set_aside = 0").fetch_one(conn).await
    })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Segments whose turn it is, so many at most.
pub async fn due_uploads(db: &Db, now_us: i64, most: i64) -> Result<Vec<UploadRow>, KeepError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => {
        sqlx::query_as("SELECT segment, header, lost, failures, refusals FROM uploads \
                        WHERE set_aside = 0 AND next_try_at_us <= $1 ORDER BY next_try_at_us LIMIT $2")
            .bind(now_us)
            .bind(most)
            .fetch_all(conn).await
    })?)
}

/// When the next segment's turn is.
pub async fn next_upload_us(db: &Db) -> Result<Option<i64>, KeepError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => {
        sqlx::query_scalar("SELECT MIN(next_try_at_us) FROM uploads WHERE set_aside = 0").fetch_one(conn).await
    })?)
}

#[derive(sqlx::FromRow)]
struct PlanColumns {
    interaction: String,
    tenant: String,
    version: i64,
    plan: Vec<u8>,
    ended_at_us: Option<i64>,
    finished: bool,
}

impl PlanColumns {
    fn read(self) -> Result<PlanRow, KeepError> {
        let Some(interaction) = InteractionId::parse(&self.interaction) else {
            return Err(KeepError::Row { table: "plans", column: "interaction", row: self.interaction });
        };
        let version = u64::try_from(self.version).map_err(|_| bad("plans", "version", &interaction))?;
        let Self { tenant, plan, ended_at_us, finished, .. } = self;
        Ok(PlanRow { interaction, tenant, version, plan, ended_at_us, finished })
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
        // It was asked for all the same, and must never be asked for again.
        let confirmed = self.fact.is_some();
        let fact = self
            .fact
            .and_then(|it| readable(Fact::decode(it.as_slice()).map_err(|_| bad("things", "fact", interaction))));
        let thing =
            Thing { name: self.name, detail: self.detail, boot_id: self.boot_id, confirmed, fact, ..Thing::default() };
        let unacked = (self.acked == 0).then_some(self.position);
        Ok(RestoredThing { key: Key { kind, id: self.id }, thing, unacked })
    }
}
