//! Segments: what the events told of each, and where its audio is.

use baton_store::{Db, StoreError, Tx, on};
use object_store::path::Path;

use crate::audio::files::Files;
use crate::audio::intake::Taken;
use crate::audio::playback::Piece;
use crate::audio::wav::Format;
use crate::state::{Audio, SegmentState};

/// Which segment, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) tenant: String,
    pub(crate) interaction_id: String,
    pub(crate) recording_id: String,
    pub(crate) segment_id: String,
}

/// What came with stored audio.
#[derive(Debug, Clone)]
pub(crate) struct StoredAudio<'a> {
    pub(crate) taken: &'a Taken,
    pub(crate) location: &'a str,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) torn: bool,
    pub(crate) now_us: i64,
}

/// A segment as it is kept.
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
    location: String,
    pub(crate) sha256: String,
    pub(crate) size_bytes: i64,
    data_offset: i64,
    data_bytes: i64,
    sample_rate: i64,
    channels: i64,
}

impl Row {
    /// What counts of it.
    pub(crate) fn state(&self) -> Result<SegmentState, StoreError> {
        let audio = Audio::parse(&self.audio).ok_or_else(|| super::corrupt("segments", "audio", &self.segment_id))?;
        Ok(SegmentState { audio, failed: self.failed, torn: self.torn })
    }

    /// Where its file is, or may be: one whose row a crash prevented is in the same place.
    pub(crate) fn file(&self, tenant: &str) -> Path {
        if self.location.is_empty() {
            return Files::location(tenant, &self.interaction_id, &self.segment_id);
        }
        Path::from(self.location.as_str())
    }

    /// How its samples are laid out, as far as its audio has come.
    fn format(&self) -> Format {
        Format { sample_rate: self.sample_rate as u32, channels: self.channels as u16 }
    }

    /// How long it is: by its samples, or by its times before these have come.
    pub(crate) fn duration_ms(&self) -> i64 {
        if self.data_bytes > 0 {
            return self.format().duration_ms(self.data_bytes as u64) as i64;
        }
        let (Some(start_us), Some(end_us)) = (self.start_us, self.end_us) else { return 0 };
        (end_us - start_us).max(0) / 1_000
    }

    /// What reading it needs.
    pub(crate) fn piece(&self) -> Piece {
        Piece {
            location: self.location.clone(),
            size_bytes: self.size_bytes as u64,
            sha256: self.sha256.clone(),
            data_offset: self.data_offset as u64,
            data_bytes: self.data_bytes as u64,
            format: self.format(),
        }
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

/// The segments of a recording within a change, in the order of time.
pub(crate) async fn load(tx: &mut Tx, tenant: &str, recording_id: &str) -> Result<Vec<Row>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_as(
        "SELECT * FROM segments WHERE tenant = $1 AND recording_id = $2 ORDER BY start_us, segment_id")
        .bind(tenant)
        .bind(recording_id)
        .fetch_all(conn)
        .await)?)
}

/// One segment, if anything is known of it.
pub(crate) async fn lookup(db: &Db, tenant: &str, segment_id: &str) -> Result<Option<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as("SELECT * FROM segments WHERE tenant = $1 AND segment_id = $2")
        .bind(tenant)
        .bind(segment_id)
        .fetch_optional(conn)
        .await)?)
}

/// The segment exists: the switch writes it, or its audio has come.
pub(crate) async fn note(tx: &mut Tx, name: &Name) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO segments (tenant, segment_id, recording_id, interaction_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING")
        .bind(&name.tenant)
        .bind(&name.segment_id)
        .bind(&name.recording_id)
        .bind(&name.interaction_id)
        .execute(conn)
        .await)?;
    Ok(())
}

/// When it began, if the audio has not said so already: the audio knows better.
pub(crate) async fn started(tx: &mut Tx, name: &Name, start_us: i64) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "UPDATE segments SET start_us = $3 WHERE tenant = $1 AND segment_id = $2 AND audio = 'AWAITED'")
        .bind(&name.tenant)
        .bind(&name.segment_id)
        .bind(start_us)
        .execute(conn)
        .await)?;
    Ok(())
}

/// The switch has closed it, or could not write it.
pub(crate) async fn closed(
    tx: &mut Tx,
    name: &Name,
    times: (Option<i64>, Option<i64>),
    failed: bool,
) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "UPDATE segments SET failed = $5,
                start_us = CASE WHEN audio = 'AWAITED' THEN COALESCE($3, start_us) ELSE start_us END,
                end_us = CASE WHEN audio = 'AWAITED' THEN COALESCE($4, end_us) ELSE end_us END
         WHERE tenant = $1 AND segment_id = $2")
        .bind(&name.tenant)
        .bind(&name.segment_id)
        .bind(times.0)
        .bind(times.1)
        .bind(failed)
        .execute(conn)
        .await)?;
    Ok(())
}

/// Its audio is stored and checked.
pub(crate) async fn stored(tx: &mut Tx, name: &Name, it: &StoredAudio<'_>) -> Result<(), StoreError> {
    let shape = it.taken.shape;
    on!(tx, conn => sqlx::query(
        "UPDATE segments SET audio = 'STORED', start_us = $3, end_us = $4, torn = $5, audio_us = $6, location = $7,
                sha256 = $8, size_bytes = $9, data_offset = $10, data_bytes = $11, sample_rate = $12, channels = $13
         WHERE tenant = $1 AND segment_id = $2")
        .bind(&name.tenant)
        .bind(&name.segment_id)
        .bind(it.start_us)
        .bind(it.end_us)
        .bind(it.torn)
        .bind(it.now_us)
        .bind(it.location)
        .bind(&it.taken.sha256)
        .bind(it.taken.size_bytes as i64)
        .bind(shape.data_offset as i64)
        .bind(shape.data_bytes as i64)
        .bind(i64::from(shape.format.sample_rate))
        .bind(i64::from(shape.format.channels))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Its audio can't be had. What is stored stays stored.
pub(crate) async fn lost(tx: &mut Tx, tenant: &str, segment_id: &str, now_us: i64) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "UPDATE segments SET audio = 'LOST', audio_us = $3
         WHERE tenant = $1 AND segment_id = $2 AND audio = 'AWAITED'")
        .bind(tenant)
        .bind(segment_id)
        .bind(now_us)
        .execute(conn)
        .await)?;
    Ok(())
}

/// Its audio is no longer in the storage.
pub(crate) async fn deleted(tx: &mut Tx, tenant: &str, segment_id: &str) -> Result<(), StoreError> {
    on!(tx, conn => sqlx::query(
        "UPDATE segments SET audio = 'DELETED' WHERE tenant = $1 AND segment_id = $2 AND audio <> 'LOST'")
        .bind(tenant)
        .bind(segment_id)
        .execute(conn)
        .await)?;
    Ok(())
}

/// An old segment with audio of which no event ever told.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Orphan {
    pub(crate) tenant: String,
    pub(crate) segment_id: String,
    pub(crate) location: String,
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
