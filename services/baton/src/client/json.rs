//! Messages as JSON: the standard protobuf JSON mapping with the contract's own field names, so that the output is as stable as
//! the contract. Two deviations: 64-bit numbers are numbers, and fields with their default value are printed.

use std::sync::OnceLock;

use anyhow::Context as _;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

/// `type_name` is the full name, such as `baton.presence.v1.Agent`.
pub(crate) fn of(type_name: &str, message: &impl Message) -> anyhow::Result<Value> {
    let descriptor = pool()?.get_message_by_name(type_name).with_context(|| format!("no type {type_name}"))?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let options =
        SerializeOptions::new().stringify_64_bit_integers(false).use_proto_field_name(true).skip_default_fields(false);
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// Decoded once and only for JSON output: it takes a few milliseconds.
fn pool() -> anyhow::Result<&'static DescriptorPool> {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    if let Some(pool) = POOL.get() {
        return Ok(pool);
    }
    let pool = DescriptorPool::decode(baton_api::FILE_DESCRIPTOR_SET).context("the contract's descriptors")?;
    Ok(POOL.get_or_init(|| pool))
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::{AgentState, Presence};
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_have_the_names_of_the_contract_and_enums_their_words() {
        let presence = Presence {
            agent_id: "a".to_owned(),
            state: AgentState::Away.into(),
            state_start_time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..Presence::default()
        };
        let expected = json!({
            "agent_id": "a", "state": "AGENT_STATE_AWAY", "away_reason": "", "engagements": [],
            "state_start_time": "1970-01-01T00:00:00Z", "phone_in_use": false, "disposition_due_interaction_ids": [],
        });
        assert_eq!(of("baton.presence.v1.Presence", &presence).unwrap(), expected);
    }
}
