//! What an operator decides when the stream and a database do not fit together: where a service's events go on.
//!
//! Both write one message that is no event: it has the cursor from which the service's relay goes on, and comes after all that
//! is in the stream. Readers pass over it. A relay that is publishing at that moment is fenced by it, and looks again.

use std::collections::HashSet;

use baton_store::Db;
use baton_store::outbox::{self, OutboxCursor};
use serde_json::json;
use uuid::Uuid;

use super::message;
use super::{JetStreamBus, JetStreamError};
use crate::BusError;

/// How many messages or rows are looked at together.
const PIECE: usize = 500;

impl JetStreamBus {
    /// Lets a service go on after what is in the stream, when its database was restored from a copy that is older than that
    /// ([`BusError::OldDatabase`]) or is on another server ([`BusError::ForeignDatabase`]), or when its last message has no cursor.
    ///
    /// What the database has up to its last event that is in the stream counts as published; what comes after it, which is all that
    /// was committed since the restore, is published then by the relay. Without any common event all that the database keeps is
    /// published. What the stream has and the database does not stays in the stream: it happened, and readers have acted upon it.
    ///
    /// # Errors
    /// NATS or the database does not answer; [`BusError::CursorMoved`] if the service has published meanwhile: run it again.
    pub async fn new_epoch(&self, source: &str, db: &Db) -> Result<(), BusError> {
        outbox::adopt(db).await?;
        let published = self.published_ids(source).await?;
        let cursor = after_last_of(db, &published).await?;
        self.publish_epoch(source, &cursor.to_string()).await
    }

    /// Publishes again all that the database of a service keeps, after what is in the stream, in its order. The service's relay
    /// does it, at once if it runs. Who has read the events already knows them by their ids.
    ///
    /// # Errors
    /// NATS does not answer; [`BusError::CursorMoved`] if the service has published meanwhile: run it again.
    pub async fn republish(&self, source: &str) -> Result<(), BusError> {
        self.publish_epoch(source, &OutboxCursor::default().to_string()).await
    }

    /// The ids of a service's events that are in the stream.
    async fn published_ids(&self, source: &str) -> Result<HashSet<Uuid>, JetStreamError> {
        let (subject, last) = (self.0.names.of_area(source), self.end_sequence(source).await?);
        let (mut ids, mut from) = (HashSet::new(), 1);
        while from <= last {
            let found = self.piece(json!({ "next_by_subj": subject, "seq": from }), PIECE).await?;
            ids.extend(found.messages.iter().filter_map(message::event_id));
            match found.messages.last() {
                Some(message) => from = message.sequence + 1,
                // The server that was asked is behind the leader, which has more.
                None => return Err(JetStreamError::Unanswered { doing: "reading the stream up to its end" }),
            }
        }
        Ok(ids)
    }
}

/// The cursor after the last row of the outbox that is in the stream; before everything if none is.
async fn after_last_of(db: &Db, published: &HashSet<Uuid>) -> Result<OutboxCursor, BusError> {
    let (mut cursor, mut found) = (OutboxCursor::default(), OutboxCursor::default());
    loop {
        let (rows, next) = outbox::after(db, &cursor, PIECE).await?;
        if let Some(index) = rows.iter().rposition(|row| published.contains(&row.id)) {
            (_, found) = outbox::after(db, &cursor, index + 1).await?;
        }
        if rows.len() < PIECE {
            return Ok(found);
        }
        cursor = next;
    }
}
