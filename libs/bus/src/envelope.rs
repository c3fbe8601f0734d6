//! An event with its attributes, and its names on a bus.
//!
//! The envelope is `CloudEvents` 1.0 in other words. On NATS each attribute becomes a header beside the payload:
//!
//! | attribute | from |
//! |---|---|
//! | `ce-specversion` | [`SPEC_VERSION`] |
//! | `ce-id` (and `Nats-Msg-Id`) | `id` |
//! | `ce-source` | [`Envelope::source`]: `//baton/transfer` |
//! | `ce-type` | [`Envelope::ce_type`]: `dev.baton.transfer.completed.v1` |
//! | `ce-dataschema` | [`DATA_SCHEMA`] |
//! | `ce-subject` | `aggregate` |
//! | `ce-time` | `time_us`, as RFC 3339 |
//! | `ce-datacontenttype` | `application/protobuf` (an encoded `baton.event.v1.EventData`) |
//! | `ce-tenant`, `ce-sequence`, `ce-actor`, `traceparent` | the fields of these names; an empty one is left out |
//!
//! What a header can't have (spaces, quotes, `%`, control characters, all that is not ASCII) is written as in `CloudEvents`' HTTP
//! binding: each byte of its UTF-8 as `%XX`.

use baton_api::event_type;
use baton_api::nats_text::token;
use baton_store::outbox::OutboxRow;
use uuid::Uuid;

/// The version of `CloudEvents`.
pub const SPEC_VERSION: &str = "1.0";
/// What every payload is written in.
pub const DATA_SCHEMA: &str = "proto:baton.event.v1.EventData";
/// How many partitions each tenant's and area's events have: order holds within one, work is divided between them.
pub const PARTITIONS: u64 = 64;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Envelope {
    /// The id of the outbox row: the same event delivered twice has the same one.
    pub id: Uuid,
    pub tenant: String,
    /// `interaction/0192…`.
    pub aggregate: String,
    /// 1, 2, 3… within the aggregate, without holes.
    pub sequence: i64,
    /// `transfer.completed`.
    pub event_type: String,
    /// The service that publishes it.
    pub area: String,
    /// An encoded `baton.event.v1.EventData`.
    pub payload: Vec<u8>,
    /// In the form of [`actor_text`](crate::actor_text).
    pub actor: String,
    /// W3C trace context of the change that wrote it; empty without a trace.
    pub traceparent: String,
    /// Microseconds since the Unix epoch.
    pub time_us: i64,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Grows from event to event; only the embedded log counts 1, 2, 3… without holes. In the whole log or, if the reader's
    /// filter names a tenant, among that tenant's events alone: the two may not be compared.
    pub position: u64,
    pub envelope: Envelope,
}

impl Envelope {
    /// `baton.evt.v1.<tenant>.<area>.<partition>.<event>`. The aggregate's id is not in it: a bus keeps an index of
    /// subjects, and a million of them cost it gigabytes.
    pub fn subject(&self) -> String {
        let own_area = self.event_type.strip_prefix(&self.area).and_then(|rest| rest.strip_prefix('.'));
        let event = own_area.unwrap_or(&self.event_type).replace('.', "_");
        let partition = self.partition();
        format!("baton.evt.v1.{}.{}.{partition}.{}", token(&self.tenant), token(&self.area), token(&event))
    }

    /// The event's type with the product's name and the version of its contract.
    pub fn ce_type(&self) -> String {
        event_type::whole(&self.event_type)
    }

    /// Who published it; with the subject and the sequence it names the event.
    pub fn source(&self) -> String {
        format!("//baton/{}", self.area)
    }

    /// The aggregate's partition, below [`PARTITIONS`]: always the same one, on every machine.
    pub fn partition(&self) -> u64 {
        partition(&self.aggregate)
    }
}

/// The partition of an aggregate.
pub fn partition(aggregate: &str) -> u64 {
    fnv_1a(aggregate.as_bytes()) % PARTITIONS
}

impl From<OutboxRow> for Envelope {
    fn from(row: OutboxRow) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant,
            aggregate: row.aggregate,
            sequence: row.sequence,
            event_type: row.event_type,
            area: row.area,
            payload: row.payload,
            actor: row.actor,
            traceparent: row.traceparent,
            time_us: row.time_us,
        }
    }
}

/// FNV-1a, 64 bits: short, and fixed by its definition, unlike the standard library's hasher.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(tenant: &str, area: &str, event_type: &str) -> Envelope {
        Envelope {
            id: Uuid::from_u128(1),
            tenant: tenant.into(),
            aggregate: "interaction/1".into(),
            sequence: 1,
            event_type: event_type.into(),
            area: area.into(),
            payload: Vec::new(),
            actor: "system".into(),
            traceparent: String::new(),
            time_us: 0,
        }
    }

    #[test]
    fn a_subject_names_tenant_area_partition_and_event() {
        let completed = envelope("acme", "transfer", "transfer.completed");
        assert_eq!(completed.subject(), "baton.evt.v1.acme.transfer.39.completed");
        let opened = envelope("acme", "transfer", "interaction.opened");
        assert_eq!(opened.subject(), "baton.evt.v1.acme.transfer.39.interaction_opened");
        assert_eq!(completed.ce_type(), "dev.baton.transfer.completed.v1");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
