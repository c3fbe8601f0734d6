//! Recordings of what phones heard, for tests: a file for each leg, kept for a while after the leg has ended.

use std::collections::{BTreeMap, VecDeque};

use super::Engine;
use super::effect::{Effect, TrackAbout, TrackKey};
use super::ids::LegId;
use super::tones::SAMPLE_US;
use super::track::{Track, TrackLimits};

/// One second: only tests read what was heard, so a crash may cost more of it than of a recording.
const FRAMES_IN_A_CHUNK: usize = 50;

/// What a phone heard on one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardRecord {
    pub leg_id: LegId,
    pub tenant: String,
    /// The phone's.
    pub address: String,
    /// The time of the first sample.
    pub started_at_us: i64,
    pub sample_count: i64,
    /// When the leg ended; none while it lives.
    pub ended_at_us: Option<i64>,
    /// The leg was longer than is kept.
    pub truncated: bool,
}

/// Records of live legs, and of ended ones until they are outdated. A long call does not delay the removal of ended ones.
#[derive(Debug)]
pub(crate) struct HeardRecords {
    records: BTreeMap<LegId, HeardRecord>,
    /// In the order of their ends.
    ended: VecDeque<LegId>,
}

impl HeardRecords {
    pub(crate) fn new(mut left: Vec<HeardRecord>) -> Self {
        left.sort_by_key(|record| record.ended_at_us);
        Self {
            ended: left.iter().map(|record| record.leg_id.clone()).collect(),
            records: left.into_iter().map(|record| (record.leg_id.clone(), record)).collect(),
        }
    }

    /// Removes the record that ended first, if that is too long ago or there are too many.
    fn pop_outdated(&mut self, older_than_us: i64, most: usize) -> Option<LegId> {
        let first = self.records.get(self.ended.front()?)?;
        if first.ended_at_us? >= older_than_us && self.records.len() < most {
            return None;
        }
        let id = self.ended.pop_front()?;
        self.records.remove(&id);
        Some(id)
    }
}

impl Engine {
    /// The kept records of a tenant, oldest first, up to now.
    pub fn heard(&self, tenant: &str) -> impl Iterator<Item = HeardRecord> + use<> {
        let records = self.heard.records.values().filter(|record| record.tenant == tenant);
        let mut records: Vec<_> = records.map(|record| self.up_to_now(record)).collect();
        records.sort_by_key(|record| record.started_at_us);
        records.into_iter()
    }

    /// The record of a leg. All samples up to now are flushed, so that the file can be read.
    pub fn heard_on(&mut self, tenant: &str, id: &LegId) -> Option<HeardRecord> {
        if let Some(track) = self.legs.get_mut(id).and_then(|leg| leg.heard.as_mut()) {
            track.flush(&mut self.effects);
        }
        let record = self.heard.records.get(id).filter(|record| record.tenant == tenant)?;
        Some(self.up_to_now(record))
    }

    pub(crate) fn open_heard(&mut self, id: &LegId, tenant: &str, address: &str) -> Option<Track> {
        if !self.sound || self.limits.heard_us <= 0 {
            return None;
        }
        self.forget_outdated();
        let started_at_us = self.frame_start_us();
        let record = HeardRecord {
            leg_id: id.clone(),
            tenant: tenant.to_owned(),
            address: address.to_owned(),
            started_at_us,
            sample_count: 0,
            ended_at_us: None,
            truncated: false,
        };
        self.heard.records.insert(id.clone(), record);
        let about = TrackAbout { tenant: tenant.to_owned(), of: address.to_owned(), started_at_us };
        let limits = TrackLimits { frames: FRAMES_IN_A_CHUNK, longest: self.limits.heard_us / SAMPLE_US };
        Some(Track::open(TrackKey::Heard(id.clone()), about, limits, &mut self.effects))
    }

    pub(crate) fn close_heard(&mut self, id: &LegId, track: Track) {
        if let Some(record) = self.heard.records.get_mut(id) {
            record.sample_count = track.samples();
            record.truncated = track.is_truncated();
            record.ended_at_us = Some(self.now_us);
            self.heard.ended.push_back(id.clone());
        }
        track.close(self.now_us, &mut self.effects);
    }

    fn up_to_now(&self, record: &HeardRecord) -> HeardRecord {
        let mut record = record.clone();
        if let Some(track) = self.legs.get(&record.leg_id).and_then(|leg| leg.heard.as_ref()) {
            record.sample_count = track.samples();
            record.truncated = track.is_truncated();
        }
        record
    }

    fn forget_outdated(&mut self) {
        let older_than_us = self.now_us - self.limits.heard_keep_us;
        while let Some(id) = self.heard.pop_outdated(older_than_us, self.limits.heard_legs) {
            self.effects.push(Effect::TrackDeleted { key: TrackKey::Heard(id) });
        }
    }
}
