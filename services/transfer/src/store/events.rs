//! Events, into the outbox with the state that they tell of (E1).

use crate::{convert::events::published, live::Live};
use baton_bus::actor_text;
use baton_domain::Event;
use baton_runtime::{ids, telemetry};
use baton_store::outbox::OutboxRow;
use baton_words::InteractionId;
use prost::Message;

/// This service's name on its events.
pub(crate) const AREA: &str = "transfer";

/// What an interaction's events are about.
pub(crate) fn aggregate(id: InteractionId) -> String {
    format!("interaction/{id}")
}

/// The rows of the events of one change, in the trace of whoever makes it.
pub(crate) fn rows(live: &Live, events: &[Event], now_us: i64) -> Vec<OutboxRow> {
    let traceparent = telemetry::traceparent();
    events
        .iter()
        .map(|event| {
            let (event_type, data) = published(live, event);
            OutboxRow {
                id: ids::new_uuid(),
                tenant: live.tenant.to_string(),
                aggregate: aggregate(live.id),
                sequence: event.sequence,
                event_type: event_type.to_owned(),
                area: AREA.to_owned(),
                payload: data.encode_to_vec(),
                actor: actor_text(&crate::convert::actor(&event.actor)),
                traceparent: traceparent.clone(),
                time_us: now_us,
            }
        })
        .collect()
}
