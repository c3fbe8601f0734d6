//! The state as it is kept in databases. `kept/<version>.json` has states as one version wrote them, for each form that the state has had; a
//! version that writes another form gets a file of its own, and the old ones stay.

use crate::world::{World, policy, team};
use baton_domain::{Interaction, machine::FlowStep};
use baton_words::{RecordingMode, TeamId, TransferKind};
use serde_json::{Value, json};
use uuid::Uuid;

/// All of them, the newest last.
const KEPT: &[&str] = &[include_str!("kept/0.1.0.json")];

/// One state of each shape.
fn states() -> Value {
    let in_team = FlowStep::RingTeam {
        team: TeamId(Uuid::from_u128(500)),
        name: "support".into(),
        ring_ms: 20_000,
        wait_ms: 60_000,
    };
    let waiting = World::new(policy("lead_center", ""), RecordingMode::All, vec![in_team]);
    let mut ringing = World::talking("lead_center");
    ringing.start(1, TransferKind::Warm, 2).expect("permitted");
    ringing.grant();
    let mut consulting = ringing.clone();
    consulting.answer(2);
    consulting.place();
    let mut queued = World::talking("helpdesk");
    queued.start_to(1, TransferKind::Warm, team()).expect("permitted");
    let mut ended = consulting.clone();
    ended.customer_hangs_up();
    ended.place();
    let placed = World::placed(policy("lead_center", ""), RecordingMode::Manual);
    let of = |world: World| serde_json::to_value(world.i).expect("a state can be written");
    json!({
        "waiting": of(waiting), "ringing": of(ringing), "consulting": of(consulting), "queued": of(queued),
        "ended": of(ended), "placed": of(placed),
    })
}

#[test]
fn a_state_that_an_earlier_version_kept_is_read_and_loses_nothing() {
    for kept in KEPT {
        let kept: Value = serde_json::from_str(kept).expect("the file is JSON");
        for (name, state) in kept.as_object().expect("states by name") {
            let read: Interaction =
                serde_json::from_value(state.clone()).unwrap_or_else(|error| panic!("{name} can't be read: {error}"));
            let again = serde_json::to_value(&read).expect("a state can be written");
            assert_eq!(lost(state, &again, name), Vec::<String>::new());
        }
    }
}

#[test]
fn the_form_of_the_state_is_the_newest_that_is_kept() {
    let newest: Value = serde_json::from_str(KEPT.last().expect("there is one")).expect("the file is JSON");
    let states = states();
    assert!(newest == states, "the form has changed; keep it as kept/<version>.json:\n{states:#}");
}

/// What is there in the one and not, or otherwise, in the other.
fn lost(kept: &Value, now: &Value, path: &str) -> Vec<String> {
    match (kept, now) {
        (Value::Object(kept), Value::Object(now)) => {
            let each = kept
                .iter()
                .flat_map(|(key, value)| lost(value, now.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}")));
            each.collect()
        }
        (kept, now) if kept == now => Vec::new(),
        _ => vec![format!("{path} was {kept} and is {now}")],
    }
}
