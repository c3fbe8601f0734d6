//! Checks queues that clients send, and fills in defaults.

use baton_api::routing::v1::Queue;
use baton_api::routing::v1::queue::{Instead, Strategy};
use baton_api::{ApiError, fields, name, skill};
use uuid::Uuid;

use crate::flow::{self, FlowTargets};
use crate::hours::Hours;
use crate::store::waits::{DEFAULT_PRIORITY, MAX_PRIORITY};

const MAX_SKILLS: usize = 20;
const MAX_TEAMS: usize = 20;
const DEFAULT_RING_MS: i64 = 20_000;
const MAX_RING_MS: i64 = 120_000;
const DEFAULT_WAIT_MS: i64 = 300_000;
const MAX_WAIT_MS: i64 = 3_600_000;
/// Queues of which each overflows into the next.
pub(crate) const MAX_CHAIN: usize = 5;

/// What an update can change.
pub(crate) const FIELDS: &[&str] = &[
    "name",
    "required_skills",
    "team_ids",
    "priority",
    "strategy",
    "ring_ms",
    "max_wait_ms",
    "overflow_queue_id",
    "when_unattended",
    "when_declined",
    "time_zone",
    "opening_hours",
    "holidays",
];

/// The fields of a queue that are written; the others stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueueChange {
    sent: Queue,
    names: Vec<&'static str>,
}

impl QueueChange {
    /// Reads the named fields of what a client sent.
    pub(crate) fn parse(sent: &Queue, names: &[&str]) -> Result<Self, ApiError> {
        let names: Vec<&'static str> = FIELDS.iter().filter(|it| names.contains(*it)).copied().collect();
        let has = |field| names.contains(&field);
        let mut sent = sent.clone();
        if has("name") {
            sent.name = name::parse("queue.name", &sent.name)?;
        }
        if has("required_skills") {
            sent.required_skills = skill::parse("queue.required_skills", &sent.required_skills, MAX_SKILLS)?;
        }
        if has("team_ids") {
            sent.team_ids = teams(&sent.team_ids)?;
        }
        if has("overflow_queue_id") && !sent.overflow_queue_id.is_empty() {
            sent.overflow_queue_id = flow::uuid("queue.overflow_queue_id", &sent.overflow_queue_id)?.to_string();
        }
        number("queue.priority", &mut sent.priority, DEFAULT_PRIORITY as i32, MAX_PRIORITY as i32)?;
        fields::all((
            flow::duration("queue.ring_ms", &mut sent.ring_ms, DEFAULT_RING_MS, MAX_RING_MS),
            flow::duration("queue.max_wait_ms", &mut sent.max_wait_ms, DEFAULT_WAIT_MS, MAX_WAIT_MS),
        ))?;
        fields::all((
            known("queue.strategy", Strategy::try_from(sent.strategy).is_ok()),
            known("queue.when_unattended", Instead::try_from(sent.when_unattended).is_ok()),
            known("queue.when_declined", Instead::try_from(sent.when_declined).is_ok()),
            Hours::parse(&sent),
        ))?;
        if sent.strategy() == Strategy::Unspecified {
            sent.set_strategy(Strategy::LongestIdle);
        }
        if sent.when_unattended() == Instead::Unspecified {
            sent.set_when_unattended(Instead::Wait);
        }
        if sent.when_declined() == Instead::Unspecified {
            sent.set_when_declined(Instead::Wait);
        }
        Ok(Self { sent, names })
    }

    /// The teams that it names, each with its field.
    pub(crate) fn targets(&self) -> Option<FlowTargets> {
        if !self.names.contains(&"team_ids") {
            return None;
        }
        let named = self.sent.team_ids.iter().enumerate();
        let teams = named.filter_map(|(at, id)| Some((Uuid::try_parse(id).ok()?, format!("queue.team_ids[{at}]"))));
        Some(FlowTargets { teams: teams.collect(), ..FlowTargets::default() })
    }

    /// The queue after the change, if it makes sense as a whole.
    pub(crate) fn of(self, before: &Queue) -> Result<Queue, ApiError> {
        let (sent, mut after) = (self.sent, before.clone());
        for field in self.names {
            match field {
                "name" => after.name.clone_from(&sent.name),
                "required_skills" => after.required_skills.clone_from(&sent.required_skills),
                "team_ids" => after.team_ids.clone_from(&sent.team_ids),
                "priority" => after.priority = sent.priority,
                "strategy" => after.strategy = sent.strategy,
                "ring_ms" => after.ring_ms = sent.ring_ms,
                "max_wait_ms" => after.max_wait_ms = sent.max_wait_ms,
                "overflow_queue_id" => after.overflow_queue_id.clone_from(&sent.overflow_queue_id),
                "when_unattended" => after.when_unattended = sent.when_unattended,
                "when_declined" => after.when_declined = sent.when_declined,
                "time_zone" => after.time_zone.clone_from(&sent.time_zone),
                "opening_hours" => after.opening_hours.clone_from(&sent.opening_hours),
                _ => after.holidays.clone_from(&sent.holidays),
            }
        }
        if after.required_skills.is_empty() && after.team_ids.is_empty() {
            let why = "must be given, or team_ids: otherwise nobody is meant to serve it";
            return Err(ApiError::invalid_argument("queue.required_skills", why));
        }
        Ok(after)
    }
}

/// Whether a client has filled in this field.
pub(crate) fn is_set(queue: &Queue, field: &str) -> bool {
    match field {
        "name" => !queue.name.is_empty(),
        "required_skills" => !queue.required_skills.is_empty(),
        "team_ids" => !queue.team_ids.is_empty(),
        "priority" => queue.priority != 0,
        "strategy" => queue.strategy != 0,
        "ring_ms" => queue.ring_ms != 0,
        "max_wait_ms" => queue.max_wait_ms != 0,
        "overflow_queue_id" => !queue.overflow_queue_id.is_empty(),
        "when_unattended" => queue.when_unattended != 0,
        "when_declined" => queue.when_declined != 0,
        "time_zone" => !queue.time_zone.is_empty(),
        "opening_hours" => !queue.opening_hours.is_empty(),
        _ => !queue.holidays.is_empty(),
    }
}

/// A queue, then the one that it overflows into, and so on: each once, and none that is gone.
pub(crate) fn chain<'a>(first: &'a str, find: impl Fn(&str) -> Option<&'a Queue>) -> Vec<&'a Queue> {
    let mut found: Vec<&Queue> = Vec::new();
    let mut id = first;
    while let Some(queue) = find(id).filter(|it| !found.iter().any(|known| known.queue_id == it.queue_id)) {
        found.push(queue);
        id = &queue.overflow_queue_id;
        if found.len() == MAX_CHAIN {
            break;
        }
    }
    found
}

fn teams(ids: &[String]) -> Result<Vec<String>, ApiError> {
    if ids.len() > MAX_TEAMS {
        return Err(ApiError::invalid_argument("queue.team_ids", format!("must be {MAX_TEAMS} at most")));
    }
    let read = ids.iter().enumerate().map(|(at, id)| flow::uuid(&format!("queue.team_ids[{at}]"), id));
    let read: Vec<Uuid> = fields::each(read)?;
    let mut ids: Vec<String> = read.iter().map(Uuid::to_string).collect();
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn number(field: &str, value: &mut i32, default: i32, most: i32) -> Result<(), ApiError> {
    if !(0..=most).contains(value) {
        return Err(ApiError::invalid_argument(field, format!("must be 0 (for {default}) to {most}")));
    }
    if *value == 0 {
        *value = default;
    }
    Ok(())
}

fn known(field: &str, is_known: bool) -> Result<(), ApiError> {
    if is_known { Ok(()) } else { Err(ApiError::invalid_argument(field, "must be one of the values that there are")) }
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::Skill;

    use super::*;

    fn french() -> Vec<Skill> {
        vec![Skill { name: "french".to_owned(), level: 5 }]
    }

    fn queue() -> Queue {
        Queue { name: "Billing".to_owned(), required_skills: french(), ..Queue::default() }
    }

    fn refused(queue: &Queue) -> String {
        QueueChange::parse(queue, FIELDS).and_then(|it| it.of(&Queue::default())).unwrap_err().fields[0].0.clone()
    }

    #[test]
    fn defaults_are_filled_in() {
        let made = QueueChange::parse(&queue(), FIELDS).unwrap().of(&Queue::default()).unwrap();
        assert_eq!((made.priority, made.ring_ms, made.max_wait_ms), (5, 20_000, 300_000));
        assert_eq!((made.strategy(), made.when_unattended()), (Strategy::LongestIdle, Instead::Wait));
    }

    #[test]
    fn only_the_named_fields_change() {
        let before = Queue { ring_ms: 7_000, priority: 9, ..queue() };
        let sent = Queue { name: "Other".to_owned(), priority: 2, ..Queue::default() };
        let after = QueueChange::parse(&sent, &["priority"]).unwrap().of(&before).unwrap();
        assert_eq!(after, Queue { priority: 2, ..before });
    }

    #[test]
    fn a_bad_queue_is_refused_with_the_field() {
        let cases = [
            (Queue { name: String::new(), ..queue() }, "queue.name"),
            (Queue { required_skills: vec![], ..queue() }, "queue.required_skills"),
            (Queue { team_ids: vec!["x".to_owned()], ..queue() }, "queue.team_ids[0]"),
            (Queue { priority: 11, ..queue() }, "queue.priority"),
            (Queue { strategy: 99, ..queue() }, "queue.strategy"),
            (Queue { ring_ms: -1, ..queue() }, "queue.ring_ms"),
            (Queue { max_wait_ms: 3_600_001, ..queue() }, "queue.max_wait_ms"),
            (Queue { overflow_queue_id: "x".to_owned(), ..queue() }, "queue.overflow_queue_id"),
            (Queue { time_zone: "Nowhere".to_owned(), ..queue() }, "queue.time_zone"),
        ];
        for (bad, field) in cases {
            assert_eq!(refused(&bad), field);
        }
    }

    #[test]
    fn a_chain_of_queues_ends() {
        let queue = |id: &str, next: &str| Queue {
            queue_id: id.to_owned(),
            overflow_queue_id: next.to_owned(),
            ..Queue::default()
        };
        let all = [queue("a", "b"), queue("b", "c"), queue("c", "b"), queue("d", "gone")];
        let ids = |first: &str| -> String {
            let found = chain(first, |id| all.iter().find(|it| it.queue_id == id));
            found.iter().map(|it| it.queue_id.as_str()).collect()
        };
        assert_eq!((ids("a").as_str(), ids("d").as_str(), ids("e").as_str()), ("abc", "d", ""));
    }
}
