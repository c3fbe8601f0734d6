//! Names of agents and teams, and who needs one.

use std::collections::{BTreeMap, BTreeSet};

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

use super::word;
use crate::common::v1::{ExternalTarget, Target, target};

/// Names of agents and teams by id.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Names {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(names: T) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Extend<(String, String)> for Names {
    fn extend<T: IntoIterator<Item = (String, String)>>(&mut self, names: T) {
        self.0.extend(names);
    }
}

impl Names {
    pub fn knows(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// The name, or the shortened id where there is none.
    pub fn of(&self, id: &str) -> String {
        match self.0.get(id) {
            Some(name) => name.clone(),
            None if id.is_empty() => "nobody".to_owned(),
            None => word::short(id).to_owned(),
        }
    }

    /// Whose voicemail box it is: an agent's, or one of a call flow, which has a name of its own.
    pub fn of_box(&self, mailbox: &str) -> String {
        self.0.get(mailbox).map_or_else(|| format!("box {mailbox}"), |name| format!("{name}'s box"))
    }

    pub fn of_queue(&self, id: &str) -> String {
        self.0.get(id).map_or_else(|| "a queue".to_owned(), |it| format!("queue {it}"))
    }

    /// A team or a queue: the one of both that is given.
    pub fn of_pool(&self, team_id: &str, queue_id: &str) -> String {
        if queue_id.is_empty() { self.of(team_id) } else { self.of_queue(queue_id) }
    }

    pub fn of_target(&self, target: Option<&Target>) -> String {
        match target.and_then(|it| it.target.as_ref()) {
            Some(target::Target::AgentId(id)) => self.of(id),
            Some(target::Target::TeamId(id)) => {
                self.0.get(id).map_or_else(|| "a team".to_owned(), |it| format!("team {it}"))
            }
            Some(target::Target::QueueId(id)) => self.of_queue(id),
            Some(target::Target::IvrFlowId(id)) => {
                self.0.get(id).map_or_else(|| "an IVR flow".to_owned(), |it| format!("the IVR flow {it}"))
            }
            Some(target::Target::External(external)) => Self::of_external(Some(external)),
            None => "nobody".to_owned(),
        }
    }

    /// The name of an external number, or the number itself; for analysts it is empty.
    pub fn of_external(external: Option<&ExternalTarget>) -> String {
        match external {
            Some(it) if !it.name.is_empty() => word::one_line(&it.name),
            Some(it) if !it.number.is_empty() => it.number.clone(),
            _ => "a number outside".to_owned(),
        }
    }

    /// Who receives: the agent, or who is outside.
    pub fn of_recipient(&self, agent_id: &str, external: Option<&ExternalTarget>) -> String {
        if external.is_some() { Self::of_external(external) } else { self.of(agent_id) }
    }
}

/// The ids of agents, teams and queues in messages, by the names that all fields for them have: `agent_id`, `initiator_agent_id`, `agent_ids`, `team_id`, `queue_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentioned {
    pub agents: BTreeSet<String>,
    pub teams: BTreeSet<String>,
    pub queues: BTreeSet<String>,
}

impl Mentioned {
    /// Adds all whom a message of the contract mentions, at any depth.
    pub fn add<M: Message + Name>(&mut self, message: &M) {
        let descriptor = crate::POOL.get_message_by_name(&M::full_name());
        let dynamic = descriptor.map(|it| DynamicMessage::decode(it, message.encode_to_vec().as_slice()));
        if let Some(Ok(dynamic)) = dynamic {
            self.add_fields(&dynamic);
        }
    }

    fn add_fields(&mut self, message: &DynamicMessage) {
        for (field, value) in message.fields() {
            self.add_value(&field, value);
        }
    }

    fn add_value(&mut self, field: &FieldDescriptor, value: &Value) {
        match value {
            Value::Message(inner) => self.add_fields(inner),
            Value::List(items) => items.iter().for_each(|item| self.add_value(field, item)),
            Value::String(id) if !id.is_empty() => {
                let name = field.name().trim_end_matches('s');
                if name.ends_with("agent_id") {
                    self.agents.insert(id.clone());
                } else if name.ends_with("team_id") {
                    self.teams.insert(id.clone());
                } else if name.ends_with("queue_id") {
                    self.queues.insert(id.clone());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::v1::Cause;
    use crate::event::v1::{Event, EventData, RecordingSegmentStarted, TransferStarted, event_data::Data};

    #[test]
    fn all_who_are_mentioned_are_found_at_any_depth() {
        let mut found = Mentioned::default();
        let target = Some(Target { target: Some(target::Target::TeamId("t".to_owned())) });
        let started = TransferStarted { initiator_agent_id: "a".to_owned(), target, ..TransferStarted::default() };
        let cause = Some(Cause { agent_id: "b".to_owned(), ..Cause::default() });
        let data = Some(EventData { data: Some(Data::TransferStarted(started)), cause });
        found.add(&Event { subject: "agent/x".to_owned(), data, ..Event::default() });
        found.add(&RecordingSegmentStarted { agent_ids: vec!["c".to_owned(), "a".to_owned()], ..Default::default() });
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!((found.agents, found.teams), (set(&["a", "b", "c"]), set(&["t"])));
    }
}
