//! IVR flows.

use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::{
    IvrBranch, IvrCase, IvrCollect, IvrElement, IvrEnd, IvrPlay, IvrReturn, IvrSetData, IvrTransfer,
};
use baton_switch::engine::flows::CollectedDatum;
use baton_switch::engine::model::{ExitReport, RoomTreatment, SwitchLegState};
use baton_switch::engine::{LedgerAction, Selector, SwitchError};

use super::harness::{EngineHarness, PLEASE_WAIT, TENANT, exit, leg, room, set, timeline};

fn element(element: Element) -> IvrElement {
    IvrElement { label: String::new(), element: Some(element) }
}

fn labelled(label: &str, of: Element) -> IvrElement {
    IvrElement { label: label.to_owned(), ..element(of) }
}

fn play() -> IvrElement {
    element(Element::Play(IvrPlay { announcement: "please_wait".to_owned() }))
}

fn collect(key: &str, sensitive: bool) -> IvrElement {
    element(Element::Collect(IvrCollect {
        key: key.to_owned(),
        announcement: "please_wait".to_owned(),
        min_digits: 2,
        max_digits: 4,
        terminator: "#".to_owned(),
        first_digit_ms: 3_000,
        between_digits_ms: 1_000,
        tries: 2,
        sensitive,
    }))
}

fn gives_back() -> IvrElement {
    element(Element::Return(IvrReturn {}))
}

fn in_flow(elements: Vec<IvrElement>) -> EngineHarness {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    harness.room("talk", RoomTreatment::Conversation, &["c"]);
    harness.engine.exit_to_flow(&leg("c"), &exit("e"), elements).expect("an exit");
    harness.run(0);
    harness
}

fn press(harness: &mut EngineHarness, keys: &str) {
    let phone = Selector::Leg(leg("c"));
    harness.engine.press_keys(TENANT, &phone, keys).expect("pressed");
    harness.run(0);
}

fn datum(key: &str, value: Option<&str>, pressed: bool) -> CollectedDatum {
    CollectedDatum { key: key.to_owned(), value: value.map(str::to_owned), pressed }
}

/// How it ended, at which element, with what was collected, and when.
fn ended(harness: &EngineHarness) -> Option<(ExitReport, usize, Vec<CollectedDatum>, i64)> {
    harness.ledger.iter().find_map(|entry| match &entry.action {
        LedgerAction::FlowEnded { outcome, element, data, .. } => {
            let at_ms = harness.when(&entry.action).expect("it is in the ledger");
            Some((*outcome, *element, data.clone(), at_ms))
        }
        _ => None,
    })
}

#[test]
fn a_flow_plays_collects_and_gives_the_leg_back_under_control() {
    let mut harness = in_flow(vec![play(), collect("pin", false), gives_back()]);
    assert_eq!(harness.engine.legs()[&leg("c")].state, SwitchLegState::Exited);
    assert!(matches!(harness.engine.move_leg(&leg("c"), &room("talk")), Err(SwitchError::WrongState { .. })));
    harness.run(2_500);
    assert_eq!(timeline(&harness.heard("c"))[0].2, set(&[PLEASE_WAIT]));
    press(&mut harness, "12#");
    assert_eq!(ended(&harness), Some((ExitReport::Returned, 2, vec![datum("pin", Some("12"), true)], 2_500)));
    harness.engine.move_leg(&leg("c"), &room("talk")).expect("it is under control again");
}

#[test]
fn the_first_digit_cuts_the_announcement_short_and_the_last_ends_the_input() {
    let mut harness = in_flow(vec![collect("pin", false), gives_back()]);
    harness.run(300);
    press(&mut harness, "1");
    harness.run(200);
    assert_eq!(harness.hears("c"), set(&[]));
    press(&mut harness, "234");
    assert_eq!(ended(&harness).expect("over").2, [datum("pin", Some("1234"), true)]);
}

#[test]
fn what_is_pressed_before_is_kept_for_the_next_that_collects() {
    let mut harness = in_flow(vec![play(), collect("pin", false), collect("more", false), gives_back()]);
    press(&mut harness, "1234");
    press(&mut harness, "56#");
    harness.run(1_000);
    let expected = [datum("pin", Some("1234"), true), datum("more", Some("56"), true)];
    assert_eq!(ended(&harness).expect("over").2, expected);
}

#[test]
fn a_terminator_after_a_full_input_is_not_the_next_one() {
    let mut harness = in_flow(vec![collect("pin", false), collect("more", false), gives_back()]);
    press(&mut harness, "1234#");
    press(&mut harness, "56#");
    let expected = [datum("pin", Some("1234"), true), datum("more", Some("56"), true)];
    assert_eq!(ended(&harness).expect("over").2, expected);
}

#[test]
fn after_its_tries_in_silence_a_collection_has_no_value_and_the_flow_goes_on() {
    let mut harness = in_flow(vec![collect("pin", false), gives_back()]);
    harness.run(1_000);
    press(&mut harness, "1#");
    harness.run(10_000);
    // Too few digits end the first try; the second is the announcement and three seconds of silence.
    assert_eq!(ended(&harness), Some((ExitReport::Returned, 1, vec![], 1_000 + 1_000 + 3_000)));
}

#[test]
fn enough_digits_are_taken_when_no_further_one_comes() {
    let mut harness = in_flow(vec![collect("pin", false), gives_back()]);
    press(&mut harness, "12");
    harness.run(2_000);
    assert_eq!(ended(&harness), Some((ExitReport::Returned, 1, vec![datum("pin", Some("12"), true)], 1_000)));
}

#[test]
fn sensitive_digits_are_compared_and_told_to_nobody() {
    let case = IvrCase { value: "12".to_owned(), goto: "right".to_owned() };
    let branch = Element::Branch(IvrBranch { key: "pin".to_owned(), cases: vec![case], otherwise: String::new() });
    let set_data = IvrSetData { key: "known".to_owned(), value: "yes".to_owned() };
    let right = labelled("right", Element::SetData(set_data));
    let end = element(Element::End(IvrEnd {}));
    let elements = vec![collect("pin", true), element(branch), end, right, gives_back()];
    let mut harness = in_flow(elements.clone());
    press(&mut harness, "12#");
    let expected = vec![datum("pin", None, true), datum("known", Some("yes"), false)];
    assert_eq!(ended(&harness), Some((ExitReport::Returned, 4, expected, 0)));
    assert!(!format!("{:?}", harness.ledger).contains("\"12\""));
    let mut harness = in_flow(elements);
    press(&mut harness, "13#");
    assert_eq!(ended(&harness), Some((ExitReport::FlowEnded, 2, vec![datum("pin", None, true)], 0)));
}

#[test]
fn a_transfer_element_says_which_it_is_and_a_flow_in_circles_fails() {
    let transfer = element(Element::Transfer(IvrTransfer { to: None }));
    assert_eq!(ended(&in_flow(vec![transfer])).expect("over").0, ExitReport::Transferred);
    let again = IvrBranch { key: "x".to_owned(), cases: vec![], otherwise: "again".to_owned() };
    let circle = vec![labelled("again", Element::Branch(again))];
    assert_eq!(ended(&in_flow(circle)).expect("over").0, ExitReport::Failed);
}

#[test]
fn a_flow_fails_at_an_announcement_that_the_switch_does_not_have() {
    let says = |announcement: &str| element(Element::Play(IvrPlay { announcement: announcement.to_owned() }));
    let asks = |announcement: &str| {
        let Some(Element::Collect(it)) = collect("pin", false).element else { panic!("it collects") };
        element(Element::Collect(IvrCollect { announcement: announcement.to_owned(), ..it }))
    };
    for wrong in [says("no_such"), says(""), asks("no_such")] {
        let mut harness = in_flow(vec![play(), wrong, gives_back()]);
        press(&mut harness, "12#");
        harness.run(1_000);
        assert_eq!(ended(&harness), Some((ExitReport::Failed, 1, vec![], 1_000)));
        harness.engine.move_leg(&leg("c"), &room("talk")).expect("it is under control again");
    }
    let mut harness = in_flow(vec![asks(""), gives_back()]);
    press(&mut harness, "12#");
    assert_eq!(ended(&harness), Some((ExitReport::Returned, 1, vec![datum("pin", Some("12"), true)], 0)));
}

#[test]
fn a_leg_is_taken_back_once_and_one_that_hangs_up_has_left() {
    let mut harness = in_flow(vec![play(), gives_back()]);
    harness.engine.recall(&exit("e")).expect("taken back");
    assert_eq!(harness.engine.legs()[&leg("c")].state, SwitchLegState::Up);
    assert!(matches!(harness.engine.recall(&exit("e")), Err(SwitchError::NotFound { .. })));
    harness.run(3_000);
    assert_eq!(ended(&harness).expect("over").0, ExitReport::Recalled);
    assert_eq!(harness.engine.flows().count(), 1, "kept for a controller that was away");
    let used = harness.engine.exit_to_flow(&leg("c"), &exit("e"), vec![gives_back()]);
    assert!(matches!(used, Err(SwitchError::IdUsed { .. })));
    let mut harness = in_flow(vec![play(), gives_back()]);
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
    harness.run(0);
    assert_eq!(ended(&harness).expect("over").0, ExitReport::Left);
    assert_eq!(harness.engine.flows().count(), 0);
}

#[test]
fn keys_are_digits_stars_and_hashes() {
    let mut harness = in_flow(vec![play(), gives_back()]);
    let phone = Selector::Leg(leg("c"));
    for bad in ["", "1a", "1 2"] {
        assert!(matches!(harness.engine.press_keys(TENANT, &phone, bad), Err(SwitchError::Invalid { .. })), "{bad}");
    }
    assert!(harness.engine.exit_to_flow(&leg("c"), &exit("f"), vec![]).is_err());
}
