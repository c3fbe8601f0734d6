//! The columns of stored audio, which a segment and a message have alike.

use baton_audio::wav::Format;

use crate::audio::download::StoredPiece;

/// Where a file is, and what is in it. Empty and zero until it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct AudioColumns {
    pub(crate) location: String,
    pub(crate) sha256: String,
    pub(crate) size_bytes: i64,
    data_offset: i64,
    data_bytes: i64,
    sample_rate: i64,
    channels: i64,
}

impl AudioColumns {
    fn format(&self) -> Format {
        Format { sample_rate: self.sample_rate as u32, channels: self.channels as u16 }
    }

    /// Computed from its samples; 0 without any.
    pub(crate) fn duration_ms(&self) -> i64 {
        self.format().duration_ms(self.data_bytes as u64) as i64
    }

    pub(crate) fn has_samples(&self) -> bool {
        self.data_bytes > 0
    }

    pub(crate) fn piece(&self) -> StoredPiece {
        StoredPiece {
            location: self.location.clone(),
            size_bytes: self.size_bytes as u64,
            sha256: self.sha256.clone(),
            data_offset: self.data_offset as u64,
            data_bytes: self.data_bytes as u64,
            format: self.format(),
        }
    }
}
