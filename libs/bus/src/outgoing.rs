//! An event as a change writes it, into the outbox of its own database.

use baton_api::event::v1::EventData;
use baton_api::event::v1::event_data::Data;
use baton_runtime::{ids, telemetry};
use baton_store::outbox::{self, OutboxRow};
use baton_store::{StoreError, Tx};
use prost::Message as _;

/// Something that happened. What it does not say (id, trace, number) follows from where and when it is written.
#[derive(Debug)]
pub struct OutgoingEvent<'a> {
    pub tenant: &'a str,
    /// `interaction/0192…`, `agent/0192…`.
    pub aggregate: String,
    /// The service that publishes it.
    pub area: &'a str,
    /// In the past tense: `transfer.completed`.
    pub event_type: &'a str,
    pub data: Data,
    /// Whose doing it was; see [`actor_text`](crate::actor_text).
    pub actor: &'a str,
    pub now_us: i64,
}

impl OutgoingEvent<'_> {
    /// The row, as this many-th event of the aggregate.
    pub fn numbered(self, sequence: i64) -> OutboxRow {
        OutboxRow {
            id: ids::new_uuid(),
            tenant: self.tenant.to_owned(),
            aggregate: self.aggregate,
            sequence,
            event_type: self.event_type.to_owned(),
            area: self.area.to_owned(),
            payload: EventData { data: Some(self.data), cause: None }.encode_to_vec(),
            actor: self.actor.to_owned(),
            traceparent: telemetry::traceparent(),
            time_us: self.now_us,
        }
    }

    /// Writes it in the transaction of the change, as the next event of the aggregate.
    pub async fn append(self, tx: &mut Tx) -> Result<(), StoreError> {
        let sequence = outbox::next_sequence(tx, self.tenant, &self.aggregate).await?;
        outbox::append(tx, &[self.numbered(sequence)]).await
    }
}
