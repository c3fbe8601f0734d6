//! Segments: the facts from events, and the location of the audio.

use baton_store::{Db, StoreError, Tx, on};
use object_store::path::Path;

use super::audio::AudioColumns;
use crate::audio::files::Files;
use crate::audio::intake::StoredFile;
use crate::state::{AudioState, SegmentState};

/// The ids of a segment and of the objects that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentKey {
    pub(crate) tenant: String,
    pub(crate) interaction_id: String,
    pub(crate) recording_id: String,
    pub(crate) segment_id: String,
}

/// The values that come with stored audio.
#[derive(Debug, Clone)]
pub(crate) struct StoredAudio<'a> {
    pub(crate) file: &'a StoredFile,
    pub(crate) location: &'a str,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) torn: bool,
    pub(crate) now_us: i64,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) recording_id: String,
    interaction_id: String,
    pub(crate) segment_id: String,
    pub(crate) start_us: Option<i64>,
    pub(crate) end_us: Option<i64>,
    failed: bool,
    audio: String,
    torn: bool,
    #[sqlx(flatten)]
    pub(crate) stored: AudioColumns,
}

impl Row {
    pub(crate) fn state(&self) -> Result<SegmentState, StoreError> {
        let audio =
            AudioState::parse(&self.audio).ok_or_else(|| super::corrupt("segments", "audio", &self.segment_id))?;
        Ok(SegmentState { audio, failed: self.failed, torn: self.torn })
    }

    /// Where its file is, or would be if a crash came between writing the file and its row.
    pub(crate) fn file(&self, tenant: &str) -> Path {
        if self.stored.location.is_empty() {
            return Files::location(tenant, &self.interaction_id, &self.segment_id);
        }
        Path::from(self.stored.location.as_str())
    }

    /// Computed from its samples, or from its times until its audio is stored.
    pub(crate) fn duration_ms(&self) -> i64 {
        if self.stored.has_samples() {
            return self.stored.duration_ms();
        }
        let (Some(start_us), Some(end_us)) = (self.start_us, self.end_us) else { return 0 };
        (end_us - start_us).max(0) / 1_000
    }
}

/// The segments of several recordings, in the order of time.
pub(crate) async fn of_recordings(db: &Db, tenant: &str, recording_ids: &[&str]) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    let rows = on!(reader, conn => {
        let mut query = sqlx::QueryBuilder::new("SELECT * FROM segments WHERE tenant = ");
        query.push_bind(tenant).push(" AND recording_id IN (");
        let mut list = query.separated(", ");
        for id in recording_ids {
            list.push_bind(*id);
        }
        query.push(") ORDER BY start_us, segment_id").build_query_as().persistent(false).fetch_all(conn).await
    })?;
    Ok(rows)
}

/// Reads the segments of a recording within a transaction, in the order of time.
pub(crate) async fn load(tx: &mut Tx, tenant: &str, recording_id: &str) -> Result<Vec<Row>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_as(
        "SELECT * FROM segments WHERE tenant = $1 AND recording_id = $2 ORDER BY start_us, segment_id")
        .bind(tenant)
        .bind(recording_id)
        .fetch_all(conn)
        .await)?)
}

/// `None` if neither an event nor audio of it has come.
pub(crate) async fn lookup(db: &Db, tenant: &str, segment_id: &str) -> Result<Option<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as("SELECT * FROM segments WHERE tenant = $1 AND segment_id = $2")
        .bind(tenant)
        .bind(segment_id)
        .fetch_optional(conn)
        .await)?)
}

/// Inserts the segment if it is not known yet.
pub(crate) async fn note(tx: &mut Tx, key: &SegmentKey) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO segments (tenant, segment_id, recording_id, interaction_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(&key.tenant)
    .bind(&key.segment_id)
    .bind(&key.recording_id)
    .bind(&key.interaction_id)
    .run()
    .await?;
    Ok(())
}

/// Sets when it began, unless its audio is stored: the time that came with the audio is more exact.
pub(crate) async fn started(tx: &mut Tx, key: &SegmentKey, start_us: i64) -> Result<(), StoreError> {
    tx.statement("UPDATE segments SET start_us = $3 WHERE tenant = $1 AND segment_id = $2 AND audio = 'AWAITED'")
        .bind(&key.tenant)
        .bind(&key.segment_id)
        .bind(start_us)
        .run()
        .await?;
    Ok(())
}

/// Records that the switch has closed it, or could not write it (`failed`).
pub(crate) async fn closed(
    tx: &mut Tx,
    key: &SegmentKey,
    times: (Option<i64>, Option<i64>),
    failed: bool,
) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE segments SET failed = $5,
                start_us = CASE WHEN audio = 'AWAITED' THEN COALESCE($3, start_us) ELSE start_us END,
                end_us = CASE WHEN audio = 'AWAITED' THEN COALESCE($4, end_us) ELSE end_us END
         WHERE tenant = $1 AND segment_id = $2",
    )
    .bind(&key.tenant)
    .bind(&key.segment_id)
    .bind(times.0)
    .bind(times.1)
    .bind(failed)
    .run()
    .await?;
    Ok(())
}

/// Records that its audio is stored and checked.
pub(crate) async fn stored(tx: &mut Tx, key: &SegmentKey, it: &StoredAudio<'_>) -> Result<(), StoreError> {
    let layout = it.file.layout;
    tx.statement(
        "UPDATE segments SET audio = 'STORED', start_us = $3, end_us = $4, torn = $5, audio_us = $6, location = $7,
                sha256 = $8, size_bytes = $9, data_offset = $10, data_bytes = $11, sample_rate = $12, channels = $13
         WHERE tenant = $1 AND segment_id = $2",
    )
    .bind(&key.tenant)
    .bind(&key.segment_id)
    .bind(it.start_us)
    .bind(it.end_us)
    .bind(it.torn)
    .bind(it.now_us)
    .bind(it.location)
    .bind(&it.file.sha256)
    .bind(it.file.size_bytes as i64)
    .bind(layout.data_offset as i64)
    .bind(layout.data_bytes as i64)
    .bind(i64::from(layout.format.sample_rate))
    .bind(i64::from(layout.format.channels))
    .run()
    .await?;
    Ok(())
}

/// Records that its audio will never come; does nothing if it is stored. Says whether this is news.
pub(crate) async fn lost(tx: &mut Tx, tenant: &str, segment_id: &str, now_us: i64) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "UPDATE segments SET audio = 'LOST', audio_us = $3
         WHERE tenant = $1 AND segment_id = $2 AND audio = 'AWAITED'",
        )
        .bind(tenant)
        .bind(segment_id)
        .bind(now_us)
        .affected()
        .await?;
    Ok(rows > 0)
}

/// Records that its audio was removed from the storage.
pub(crate) async fn deleted(tx: &mut Tx, tenant: &str, segment_id: &str) -> Result<(), StoreError> {
    tx.statement("UPDATE segments SET audio = 'DELETED' WHERE tenant = $1 AND segment_id = $2 AND audio <> 'LOST'")
        .bind(tenant)
        .bind(segment_id)
        .run()
        .await?;
    Ok(())
}

/// A segment with audio that no event ever announced.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Orphan {
    pub(crate) tenant: String,
    pub(crate) segment_id: String,
    pub(crate) location: String,
}

/// Deletes it; its audio is gone.
pub(crate) async fn delete(tx: &mut Tx, orphan: &Orphan) -> Result<(), StoreError> {
    tx.statement("DELETE FROM segments WHERE tenant = $1 AND segment_id = $2")
        .bind(&orphan.tenant)
        .bind(&orphan.segment_id)
        .run()
        .await?;
    Ok(())
}

/// Audio that was stored before then, and belongs to no recording.
pub(crate) async fn orphans(db: &Db, stored_before_us: i64, limit: i64) -> Result<Vec<Orphan>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT s.tenant, s.segment_id, s.location FROM segments s
         WHERE s.audio = 'STORED' AND s.audio_us < $1 AND NOT EXISTS
               (SELECT 1 FROM recordings r WHERE r.tenant = s.tenant AND r.recording_id = s.recording_id)
         ORDER BY s.audio_us LIMIT $2")
        .bind(stored_before_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}
