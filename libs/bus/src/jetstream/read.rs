//! Pages of the stream.

use serde_json::{Value, json};
use uuid::Uuid;

use super::message;
use super::requests::Piece;
use super::{JetStreamBus, JetStreamError};
use crate::{BusError, EventMatcher, Logged, MAX_PAGE, Page};

/// How many messages one request asks for: as many as are worth a round trip.
const PIECE: usize = 256;
/// How far the clocks of the services may be behind that of the servers; a reader from a time begins this much earlier.
const CLOCKS_DIFFER_US: i64 = 5 * 60 * 1_000_000;

impl JetStreamBus {
    /// Events after a position, at most `limit` and [`MAX_PAGE`].
    pub(crate) async fn read(&self, after: u64, filter: &EventMatcher, limit: usize) -> Result<Page, BusError> {
        Ok(self.read_in(None, after, filter, limit).await?.1)
    }

    /// The same, and the stream's generation: the one that is given, or [`JetStreamError::Rebuilt`].
    ///
    /// `searched_to` is only moved by messages that were read, so it skips none that a server did not have yet.
    pub(super) async fn read_in(
        &self,
        generation: Option<Uuid>,
        after: u64,
        filter: &EventMatcher,
        limit: usize,
    ) -> Result<(Uuid, Page), JetStreamError> {
        let subject = self.0.names.of_filter(filter);
        let limit = limit.clamp(1, MAX_PAGE);
        let piece = if filter.is_of_tenant_alone() { PIECE.min(limit) } else { PIECE };
        let mut page = Page { events: Vec::new(), searched_to: after };
        let mut is_at_end = false;
        while page.events.len() < limit {
            let found = self.messages_from(&subject, page.searched_to + 1, piece, is_at_end).await?;
            if found.messages.is_empty() && is_at_end {
                break;
            }
            is_at_end = found.is_last && !is_at_end;
            collect(&mut page, found, filter, limit);
        }
        // After the messages: they are of this stream, or of one that was made before it.
        let found = self.info().await?.generation;
        if generation.is_some_and(|it| it != found) {
            return Err(JetStreamError::Rebuilt);
        }
        Ok((found, page))
    }

    /// The next messages on a subject. The leader is asked where another server has no more: that one may be behind it.
    async fn messages_from(
        &self,
        subject: &str,
        from: u64,
        limit: usize,
        is_at_end: bool,
    ) -> Result<Piece, JetStreamError> {
        if is_at_end {
            let messages = self.next_on(subject, from).await?.into_iter().collect();
            return Ok(Piece { messages, is_last: false });
        }
        self.piece(json!({ "next_by_subj": subject, "seq": from }), limit).await
    }

    /// The last position that the filter's reader may find; 0 if there is none yet.
    pub(crate) async fn last(&self, filter: &EventMatcher) -> Result<u64, BusError> {
        let last = self.last_on(&self.0.names.of_tenant(filter.tenant.as_deref())).await?;
        Ok(last.map_or(0, |last| last.sequence))
    }

    /// The position before the first event of a tenant that happened at this time or later; the last one if there is none.
    ///
    /// The servers know when they got a message, not when its event happened: the search begins a little before.
    pub(crate) async fn before(&self, tenant: &str, time_us: i64) -> Result<u64, BusError> {
        let subject = self.0.names.of_tenant(Some(tenant));
        let Some(end) = self.last_on(&subject).await? else { return Ok(0) };
        let from_us = time_us.saturating_sub(CLOCKS_DIFFER_US);
        if (end.time.unix_timestamp_nanos() / 1_000) < i128::from(from_us) {
            return Ok(end.sequence);
        }
        let mut asked = since(&subject, from_us);
        loop {
            let found = self.piece(asked, PIECE).await?;
            let is_since = |it: &&_| message::event(it).is_some_and(|event| event.time_us >= time_us);
            if let Some(first) = found.messages.iter().find(is_since) {
                return Ok(first.sequence - 1);
            }
            match found.messages.last() {
                Some(last) if last.sequence >= end.sequence => return Ok(end.sequence),
                Some(last) => asked = json!({ "next_by_subj": subject, "seq": last.sequence + 1 }),
                // The server that was asked is behind the leader.
                None => return Err(JetStreamError::Unanswered { doing: "looking for a time" }.into()),
            }
        }
    }
}

/// Adds the events that match, up to the limit, and moves over those that do not.
fn collect(page: &mut Page, found: Piece, filter: &EventMatcher, limit: usize) {
    for message in found.messages {
        page.searched_to = message.sequence;
        if let Some(envelope) = message::event(&message).filter(|it| filter.matches(it)) {
            page.events.push(Logged { position: message.sequence, envelope });
            if page.events.len() == limit {
                return;
            }
        }
    }
}

/// The messages that the servers got since then.
fn since(subject: &str, time_us: i64) -> Value {
    match jiff::Timestamp::from_microsecond(time_us) {
        Ok(time) if time_us > 0 => json!({ "next_by_subj": subject, "start_time": time.to_string() }),
        _ => json!({ "next_by_subj": subject, "seq": 1 }),
    }
}
