//! Checks IVR flows that clients send, and fills in defaults.

use std::collections::BTreeSet;

use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::ivr_transfer::To;
use baton_api::common::v1::{IvrBranch, IvrCollect, IvrElement, IvrTransfer};
use baton_api::error::ErrorReason;
use baton_api::routing::v1::IvrFlow;
use baton_api::{ApiError, fields, name};
use uuid::Uuid;

use crate::flow::{self, FlowTargets, NamedTargets};

const MAX_ELEMENTS: usize = 100;
const MAX_CASES: usize = 20;
const MAX_LABEL: usize = 64;
const MAX_KEY: usize = 64;
const MAX_VALUE: usize = 256;
const MAX_DIGITS: i32 = 32;
const MAX_TRIES: i32 = 5;
const MAX_WAIT_MS: i64 = 60_000;

/// What an update can change.
pub(crate) const FIELDS: &[&str] = &["name", "elements", "round_trip"];

/// The fields of a flow that are written; the others stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IvrChange {
    name: Option<String>,
    elements: Option<CheckedElements>,
    round_trip: Option<bool>,
}

/// Valid elements without gaps.
#[derive(Debug, Clone, PartialEq)]
struct CheckedElements {
    elements: Vec<IvrElement>,
    targets: FlowTargets,
}

impl IvrChange {
    /// Reads the named fields of what a client sent.
    pub(crate) fn parse(flow: &IvrFlow, names: &[&str]) -> Result<Self, ApiError> {
        let has = |field| names.contains(&field);
        let (name, elements) = fields::all((
            has("name").then(|| name::parse("ivr_flow.name", &flow.name)).transpose(),
            has("elements").then(|| check_elements(flow.elements.clone())).transpose(),
        ))?;
        Ok(Self { name, elements, round_trip: has("round_trip").then_some(flow.round_trip) })
    }

    /// Whom the new elements transfer to; `None` when the elements stay as they are.
    pub(crate) fn targets(&self) -> Option<&FlowTargets> {
        self.elements.as_ref().map(|it| &it.targets)
    }

    /// The flow after the change. Refused: it is to give calls back, and hands them on (B407).
    pub(crate) fn of(self, before: &IvrFlow) -> Result<IvrFlow, ApiError> {
        let flow = IvrFlow {
            name: self.name.unwrap_or_else(|| before.name.clone()),
            elements: self.elements.map_or_else(|| before.elements.clone(), |it| it.elements),
            round_trip: self.round_trip.unwrap_or(before.round_trip),
            ..before.clone()
        };
        let transfers = flow.elements.iter().position(|it| matches!(it.element, Some(Element::Transfer(_))));
        match transfers {
            Some(at) if flow.round_trip => {
                let message = format!(
                    "Element {} hands the customer on, so that the flow can't give calls back. Take the element out, or round_trip back.",
                    at + 1
                );
                Err(ApiError::failed_precondition(ErrorReason::FlowTransfersOn, message))
            }
            _ => Ok(flow),
        }
    }
}

/// Whether a client has filled in this field.
pub(crate) fn is_set(flow: &IvrFlow, field: &str) -> bool {
    match field {
        "name" => !flow.name.is_empty(),
        "elements" => !flow.elements.is_empty(),
        _ => flow.round_trip,
    }
}

/// Whom the transfers of a flow name, by id, each once.
pub(crate) fn named(flow: &IvrFlow) -> NamedTargets {
    let mut named = NamedTargets::default();
    for element in &flow.elements {
        let Some(Element::Transfer(IvrTransfer { to: Some(to) })) = &element.element else { continue };
        match to {
            To::AgentId(id) => named.agents.insert(id.clone()),
            To::TeamId(id) => named.teams.insert(id.clone()),
            To::Mailbox(_) => false,
        };
    }
    named
}

fn check_elements(mut elements: Vec<IvrElement>) -> Result<CheckedElements, ApiError> {
    if elements.is_empty() || elements.len() > MAX_ELEMENTS {
        return Err(ApiError::invalid_argument("ivr_flow.elements", format!("must be 1 to {MAX_ELEMENTS}")));
    }
    let mut labels = BTreeSet::new();
    for (number, it) in elements.iter().enumerate().filter(|(_, it)| !it.label.is_empty()) {
        let field = format!("ivr_flow.elements[{number}].label");
        if !is_label(&it.label) {
            return Err(ApiError::invalid_argument(&field, format!("must be 1 to {MAX_LABEL} of a-z 0-9 _ -")));
        }
        if !labels.insert(it.label.clone()) {
            return Err(ApiError::invalid_argument(&field, "is the label of another element, too"));
        }
    }
    let mut targets = FlowTargets::default();
    let checked = elements.iter_mut().enumerate();
    let checked = checked.map(|(number, it)| check(&format!("ivr_flow.elements[{number}]"), it, &labels, &mut targets));
    fields::each::<(), ()>(checked)?;
    refuse_circles(&elements)?;
    Ok(CheckedElements { elements, targets })
}

/// Refuses a circle of branches and announcements: nothing changes in it, so that every branch decides as it did the time before.
fn refuse_circles(elements: &[IvrElement]) -> Result<(), ApiError> {
    let next: Vec<Vec<usize>> = (0..elements.len()).map(|at| next_unchanged(elements, at)).collect();
    let why = "leads back to itself, and nothing is collected or set on the way: a customer who comes here would go in circles. Collect digits on \
               the way, or have a branch lead elsewhere";
    match (0..elements.len()).find(|at| leads_back(&next, *at)) {
        Some(at) => Err(ApiError::invalid_argument(&format!("ivr_flow.elements[{at}]"), why)),
        None => Ok(()),
    }
}

/// Where a customer goes on from an element that changes nothing.
fn next_unchanged(elements: &[IvrElement], at: usize) -> Vec<usize> {
    let labelled = |label: &str| elements.iter().position(|it| it.label == label);
    match &elements[at].element {
        Some(Element::Play(_)) => vec![at + 1],
        Some(Element::Branch(it)) => {
            let otherwise = if it.otherwise.is_empty() { Some(at + 1) } else { labelled(&it.otherwise) };
            it.cases.iter().filter_map(|case| labelled(&case.goto)).chain(otherwise).collect()
        }
        _ => Vec::new(),
    }
}

fn leads_back(next: &[Vec<usize>], start: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for &to in next.get(at).into_iter().flatten() {
            if to == start {
                return true;
            }
            if seen.insert(to) {
                open.push(to);
            }
        }
    }
    false
}

fn check(
    field: &str,
    element: &mut IvrElement,
    labels: &BTreeSet<String>,
    targets: &mut FlowTargets,
) -> Result<(), ApiError> {
    match &mut element.element {
        None => Err(ApiError::invalid_argument(field, "must say what to do: one of the elements there are")),
        Some(Element::Play(it)) => announcement(&format!("{field}.play.announcement"), &it.announcement),
        Some(Element::Collect(it)) => collect(&format!("{field}.collect"), it),
        Some(Element::SetData(it)) => {
            key(&format!("{field}.set_data.key"), &it.key)?;
            let fits = (1..=MAX_VALUE).contains(&it.value.chars().count()) && !it.value.chars().any(char::is_control);
            let why = format!("must be 1 to {MAX_VALUE} characters, without control characters");
            if fits { Ok(()) } else { Err(ApiError::invalid_argument(&format!("{field}.set_data.value"), why)) }
        }
        Some(Element::Branch(it)) => branch(&format!("{field}.branch"), it, labels),
        Some(Element::Transfer(it)) => transfer(&format!("{field}.transfer"), it, targets),
        Some(Element::Return(_) | Element::End(_)) => Ok(()),
    }
}

fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'_' | b'-'))
}

fn announcement(field: &str, name: &str) -> Result<(), ApiError> {
    let good = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    if (1..=MAX_LABEL).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    Err(ApiError::invalid_argument(
        field,
        format!("must be the name of an announcement: 1 to {MAX_LABEL} of a-z 0-9 _"),
    ))
}

fn key(field: &str, text: &str) -> Result<(), ApiError> {
    if (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ApiError::invalid_argument(field, format!("must be 1 to {MAX_KEY} visible ASCII characters")))
}

fn collect(field: &str, it: &mut IvrCollect) -> Result<(), ApiError> {
    let at = |name: &str| format!("{field}.{name}");
    key(&at("key"), &it.key)?;
    if !it.announcement.is_empty() {
        announcement(&at("announcement"), &it.announcement)?;
    }
    count(&at("min_digits"), &mut it.min_digits, 1, MAX_DIGITS)?;
    count(&at("max_digits"), &mut it.max_digits, it.min_digits, MAX_DIGITS)?;
    count(&at("tries"), &mut it.tries, 3, MAX_TRIES)?;
    if it.max_digits < it.min_digits {
        return Err(ApiError::invalid_argument(&at("max_digits"), "must not be less than min_digits"));
    }
    if !matches!(it.terminator.as_str(), "" | "#" | "*") {
        return Err(ApiError::invalid_argument(&at("terminator"), "must be # or *, or empty"));
    }
    flow::duration(&at("first_digit_ms"), &mut it.first_digit_ms, 10_000, MAX_WAIT_MS)?;
    flow::duration(&at("between_digits_ms"), &mut it.between_digits_ms, 4_000, MAX_WAIT_MS)
}

fn count(field: &str, value: &mut i32, default: i32, most: i32) -> Result<(), ApiError> {
    if !(0..=most).contains(value) {
        return Err(ApiError::invalid_argument(field, format!("must be 0 (for {default}) to {most}")));
    }
    if *value == 0 {
        *value = default;
    }
    Ok(())
}

fn branch(field: &str, it: &IvrBranch, labels: &BTreeSet<String>) -> Result<(), ApiError> {
    key(&format!("{field}.key"), &it.key)?;
    if !(1..=MAX_CASES).contains(&it.cases.len()) {
        return Err(ApiError::invalid_argument(&format!("{field}.cases"), format!("must be 1 to {MAX_CASES}")));
    }
    let goes = |field: String, label: &str| {
        if !is_label(label) {
            let why = format!("must be the label of an element: 1 to {MAX_LABEL} of a-z 0-9 _ -");
            return Err(ApiError::invalid_argument(&field, why));
        }
        if labels.contains(label) {
            Ok(())
        } else {
            Err(ApiError::invalid_argument(&field, format!("`{label}` is the label of no element")))
        }
    };
    for (number, case) in it.cases.iter().enumerate() {
        goes(format!("{field}.cases[{number}].goto"), &case.goto)?;
        if case.value.chars().count() > MAX_VALUE {
            let why = format!("must be {MAX_VALUE} characters at most");
            return Err(ApiError::invalid_argument(&format!("{field}.cases[{number}].value"), why));
        }
    }
    if it.otherwise.is_empty() { Ok(()) } else { goes(format!("{field}.otherwise"), &it.otherwise) }
}

fn transfer(field: &str, it: &mut IvrTransfer, targets: &mut FlowTargets) -> Result<(), ApiError> {
    let mut id = |name: &str, text: &mut String, agent: bool| {
        let field = format!("{field}.{name}");
        let id = flow::uuid(&field, text)?;
        *text = id.to_string();
        let named: &mut std::collections::BTreeMap<Uuid, String> =
            if agent { &mut targets.agents } else { &mut targets.teams };
        named.entry(id).or_insert(field);
        Ok(())
    };
    match &mut it.to {
        None => Ok(()),
        Some(To::AgentId(text)) => id("agent_id", text, true),
        Some(To::TeamId(text)) => id("team_id", text, false),
        Some(To::Mailbox(mailbox)) => flow::mailbox(&format!("{field}.mailbox"), mailbox),
    }
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::{IvrCase, IvrEnd, IvrPlay, IvrSetData};

    use super::*;

    fn element(element: Element) -> IvrElement {
        IvrElement { label: String::new(), element: Some(element) }
    }

    fn flow_of(elements: Vec<IvrElement>) -> IvrFlow {
        IvrFlow { name: "Payment".to_owned(), elements, ..IvrFlow::default() }
    }

    fn end() -> IvrElement {
        element(Element::End(IvrEnd {}))
    }

    fn collects(it: IvrCollect) -> IvrElement {
        element(Element::Collect(it))
    }

    #[test]
    fn defaults_are_filled_in() {
        let collect = IvrCollect { key: "pin".to_owned(), min_digits: 4, ..IvrCollect::default() };
        let change = IvrChange::parse(&flow_of(vec![collects(collect)]), FIELDS).unwrap();
        let flow = change.of(&IvrFlow::default()).unwrap();
        let Some(Element::Collect(it)) = &flow.elements[0].element else { panic!("it collects") };
        assert_eq!((it.min_digits, it.max_digits, it.tries), (4, 4, 3));
        assert_eq!((it.first_digit_ms, it.between_digits_ms), (10_000, 4_000));
    }

    #[test]
    fn b407_a_flow_that_hands_on_can_not_be_marked_for_round_trips_in_whatever_order() {
        let transfer = || element(Element::Transfer(IvrTransfer { to: None }));
        let marked = IvrFlow { round_trip: true, ..flow_of(vec![end(), transfer()]) };
        let refused = IvrChange::parse(&marked, FIELDS).unwrap().of(&IvrFlow::default()).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::FlowTransfersOn);
        let before = IvrFlow { round_trip: true, ..flow_of(vec![end()]) };
        let change = IvrChange::parse(&flow_of(vec![transfer()]), &["elements"]).unwrap();
        assert_eq!(change.of(&before).unwrap_err().reason, ErrorReason::FlowTransfersOn);
        let change = IvrChange::parse(&marked, &["round_trip"]).unwrap();
        assert!(change.of(&flow_of(vec![end()])).unwrap().round_trip);
        assert!(IvrChange::parse(&flow_of(vec![transfer()]), FIELDS).unwrap().of(&IvrFlow::default()).is_ok());
    }

    #[test]
    fn a_bad_flow_is_refused_with_the_field() {
        let case = |goto: &str| IvrCase { value: "1".to_owned(), goto: goto.to_owned() };
        let branch = |cases| IvrBranch { key: "k".to_owned(), cases, otherwise: String::new() };
        let labelled = |label: &str| IvrElement { label: label.to_owned(), ..end() };
        let of_key = |key: &str| IvrCollect { key: key.to_owned(), ..IvrCollect::default() };
        let to = |to| element(Element::Transfer(IvrTransfer { to: Some(to) }));
        let set = |value: &str| element(Element::SetData(IvrSetData { key: "k".to_owned(), value: value.to_owned() }));
        let cases = [
            (vec![], "ivr_flow.elements"),
            (vec![end(); 101], "ivr_flow.elements"),
            (vec![IvrElement::default()], "ivr_flow.elements[0]"),
            (vec![labelled("A")], "ivr_flow.elements[0].label"),
            (vec![labelled("a"), labelled("a")], "ivr_flow.elements[1].label"),
            (vec![element(Element::Play(IvrPlay::default()))], "ivr_flow.elements[0].play.announcement"),
            (vec![collects(of_key(""))], "ivr_flow.elements[0].collect.key"),
            (vec![collects(IvrCollect { max_digits: 33, ..of_key("k") })], "ivr_flow.elements[0].collect.max_digits"),
            (
                vec![collects(IvrCollect { min_digits: 3, max_digits: 2, ..of_key("k") })],
                "ivr_flow.elements[0].collect.max_digits",
            ),
            (
                vec![collects(IvrCollect { terminator: "5".to_owned(), ..of_key("k") })],
                "ivr_flow.elements[0].collect.terminator",
            ),
            (vec![collects(IvrCollect { tries: 6, ..of_key("k") })], "ivr_flow.elements[0].collect.tries"),
            (vec![set("")], "ivr_flow.elements[0].set_data.value"),
            (vec![element(Element::Branch(branch(vec![])))], "ivr_flow.elements[0].branch.cases"),
            (vec![element(Element::Branch(branch(vec![case("b")])))], "ivr_flow.elements[0].branch.cases[0].goto"),
            (vec![to(To::AgentId("bob".to_owned()))], "ivr_flow.elements[0].transfer.agent_id"),
            (vec![to(To::Mailbox(".x".to_owned()))], "ivr_flow.elements[0].transfer.mailbox"),
        ];
        for (elements, field) in cases {
            let error = IvrChange::parse(&flow_of(elements), FIELDS).unwrap_err();
            assert_eq!(error.fields[0].0, field, "{error:?}");
        }
    }

    fn labelled(label: &str, of: IvrElement) -> IvrElement {
        IvrElement { label: label.to_owned(), ..of }
    }

    fn branches(goto: &str, otherwise: &str) -> IvrElement {
        let cases = vec![IvrCase { value: "1".to_owned(), goto: goto.to_owned() }];
        element(Element::Branch(IvrBranch { key: "k".to_owned(), cases, otherwise: otherwise.to_owned() }))
    }

    fn plays() -> IvrElement {
        element(Element::Play(IvrPlay { announcement: "beep".to_owned() }))
    }

    #[test]
    fn a_label_that_is_not_there_is_named() {
        let why = |goto: &str, otherwise: &str| {
            let flow = flow_of(vec![labelled("here", end()), branches(goto, otherwise)]);
            IvrChange::parse(&flow, FIELDS).unwrap_err().message
        };
        let field = "ivr_flow.elements[1].branch";
        assert_eq!(why("nowhere", ""), format!("{field}.cases[0].goto: `nowhere` is the label of no element"));
        assert_eq!(why("here", "gone"), format!("{field}.otherwise: `gone` is the label of no element"));
        let no_label = format!("{field}.cases[0].goto: must be the label of an element: 1 to 64 of a-z 0-9 _ -");
        for bad in ["", "No where", "a\nb"] {
            assert_eq!(why(bad, ""), no_label);
        }
    }

    #[test]
    fn a_circle_in_which_nothing_changes_is_refused() {
        let circles = [
            (vec![labelled("a", branches("a", ""))], 0),
            (vec![end(), labelled("a", branches("z", "a")), labelled("z", end())], 1),
            (vec![labelled("a", branches("b", "")), end(), labelled("b", branches("a", ""))], 0),
            (vec![labelled("a", plays()), plays(), branches("a", "")], 0),
            (vec![labelled("a", branches("b", "")), labelled("b", branches("z", "a")), labelled("z", end())], 0),
            (vec![branches("a", ""), end(), labelled("a", plays()), branches("a", "")], 2),
        ];
        for (elements, at) in circles {
            let error = IvrChange::parse(&flow_of(elements), FIELDS).unwrap_err();
            assert_eq!(error.fields[0].0, format!("ivr_flow.elements[{at}]"), "{error:?}");
            assert!(error.fields[0].1.starts_with("leads back to itself"), "{error:?}");
        }
    }

    #[test]
    fn a_circle_with_a_change_and_a_way_ahead_are_no_fault() {
        let asks = || collects(IvrCollect { key: "k".to_owned(), ..IvrCollect::default() });
        let sets = || element(Element::SetData(IvrSetData { key: "k".to_owned(), value: "1".to_owned() }));
        for elements in [
            vec![labelled("again", asks()), plays(), branches("z", "again"), labelled("z", end())],
            vec![labelled("again", branches("z", "")), sets(), branches("again", ""), labelled("z", end())],
            vec![branches("z", "y"), plays(), labelled("y", branches("z", "")), labelled("z", plays())],
            vec![labelled("again", element(Element::Transfer(IvrTransfer { to: None }))), branches("again", "again")],
        ] {
            IvrChange::parse(&flow_of(elements), FIELDS).expect("nobody is held for ever");
        }
    }
}
