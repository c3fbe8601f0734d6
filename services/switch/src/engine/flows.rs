//! IVR flows: a leg leaves the controller's hands and goes through elements: announcements, digits that its phone presses, branches. At the end
//! it is under control again, in no room.
//!
//! A flow is walked until it has to wait: for the end of an announcement, or for a digit. What was collected and set is kept, with how it ended,
//! until the leg has ended: a controller that was away then learns it from the snapshot. Sensitive digits are compared by branches, and told to
//! nobody.

use std::collections::{BTreeMap, VecDeque};

use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::{IvrBranch, IvrCollect, IvrElement};

use super::Engine;
use super::error::SwitchError;
use super::ids::{ExitId, LegId};
use super::ledger::LedgerAction;
use super::model::{ExitReport, SwitchLegState};
use super::timers::{Due, TimerKey};
use super::tones::{AnnouncementTone, FRAME_US, announcement};

const MOST_ELEMENTS: usize = 100;
/// Elements that one leg goes through at most: a flow that jumps in circles ends.
const MOST_STEPS: u32 = 1_000;
/// Digits that were pressed and that nobody has collected yet.
const MOST_PRESSED: usize = 64;
const USUAL_FIRST_DIGIT_MS: i64 = 10_000;
const USUAL_BETWEEN_DIGITS_MS: i64 = 4_000;
const USUAL_TRIES: i32 = 3;

/// Something that was collected or set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedDatum {
    pub key: String,
    /// None: it is sensitive.
    pub value: Option<String>,
    /// The phone pressed it.
    pub pressed: bool,
}

/// The way of a leg through a flow, kept until the leg has ended.
#[derive(Debug)]
pub struct FlowRun {
    pub tenant: String,
    pub leg: LegId,
    pub data: Vec<CollectedDatum>,
    /// How it ended; none while it goes on.
    pub outcome: Option<ExitReport>,
    /// The index of the element that it is at, or ended with.
    pub at: usize,
    elements: Vec<IvrElement>,
    /// Everything that branches see.
    values: BTreeMap<String, String>,
    steps: u32,
    saying: Option<Saying>,
    listening: Option<Listening>,
    pressed: VecDeque<char>,
    timer: Option<TimerKey>,
}

/// An announcement that is being played.
#[derive(Debug)]
struct Saying {
    tone: AnnouncementTone,
    first_frame: i64,
}

/// Digits are waited for.
#[derive(Debug)]
struct Listening {
    digits: String,
    tries_left: i32,
}

/// What a collection makes of what was pressed.
enum Pressed {
    More,
    Collected,
    /// Too few, before the terminator.
    Wrong,
}

impl FlowRun {
    /// The announcement that it plays in this frame.
    pub(crate) fn says(&self, frame: i64) -> Option<AnnouncementTone> {
        let saying = self.saying.as_ref()?;
        (0..saying.tone.frames).contains(&(frame - saying.first_frame)).then_some(saying.tone)
    }

    fn element(&self) -> Option<Element> {
        self.elements.get(self.at).and_then(|it| it.element.clone())
    }

    fn labelled(&self, label: &str) -> usize {
        self.elements.iter().position(|it| it.label == label).unwrap_or(self.elements.len())
    }

    fn keep(&mut self, key: &str, value: String, pressed: bool, sensitive: bool) {
        self.data.push(CollectedDatum { key: key.to_owned(), value: (!sensitive).then(|| value.clone()), pressed });
        self.values.insert(key.to_owned(), value);
    }

    fn branch(&self, branch: &IvrBranch) -> usize {
        let value = self.values.get(&branch.key).map_or("", String::as_str);
        let goto = branch.cases.iter().find(|case| case.value == value).map_or(&branch.otherwise, |case| &case.goto);
        if goto.is_empty() { self.at + 1 } else { self.labelled(goto) }
    }
}

fn or_usual(given: i64, usual: i64) -> i64 {
    if given == 0 { usual } else { given }
}

fn fewest(it: &IvrCollect) -> usize {
    it.min_digits.max(1).unsigned_abs() as usize
}

fn most(it: &IvrCollect) -> usize {
    fewest(it).max(it.max_digits.unsigned_abs() as usize)
}

/// A key of a phone.
pub(crate) fn is_key(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#')
}

impl Engine {
    /// The flows that legs are in, or were in last.
    pub fn flows(&self) -> impl Iterator<Item = (&ExitId, &FlowRun)> {
        self.flows.iter()
    }

    /// Sends a leg into a flow, once for each exit id.
    pub fn exit_to_flow(&mut self, leg_id: &LegId, id: &ExitId, elements: Vec<IvrElement>) -> Result<(), SwitchError> {
        if !(1..=MOST_ELEMENTS).contains(&elements.len()) || elements.iter().any(|it| it.element.is_none()) {
            return Err(SwitchError::invalid("flow", "must have 1 to 100 elements, each of which does something"));
        }
        if self.used_exits.contains(id) {
            return Err(id.used());
        }
        let tenant = self.controllable(leg_id)?.tenant.clone();
        self.used_exits.note(id.clone());
        self.leave_control(leg_id, id);
        self.flows.retain(|_, flow| flow.leg != *leg_id);
        let run = FlowRun {
            tenant: tenant.clone(),
            leg: leg_id.clone(),
            data: Vec::new(),
            outcome: None,
            at: 0,
            elements,
            values: BTreeMap::new(),
            steps: 0,
            saying: None,
            listening: None,
            pressed: VecDeque::new(),
            timer: None,
        };
        self.flows.insert(id.clone(), run);
        let (exit_id, leg_id) = (id.clone(), leg_id.clone());
        self.emit(&tenant, LedgerAction::ExitStarted { exit_id, leg_id, mailbox: "ivr".to_owned() });
        self.walk(id);
        Ok(())
    }

    /// Takes a leg back out of a flow.
    pub fn recall(&mut self, id: &ExitId) -> Result<(), SwitchError> {
        if self.flows.get(id).is_none_or(|flow| flow.outcome.is_some()) {
            return Err(id.not_found());
        }
        self.end_flow(id, ExitReport::Recalled);
        Ok(())
    }

    /// Keys are pressed at the phone of a leg.
    pub(crate) fn keys_pressed(&mut self, leg: &LegId, keys: &str) {
        let Some(id) = self.legs.get(leg).and_then(|leg| leg.exit.clone()) else { return };
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let room = MOST_PRESSED.saturating_sub(flow.pressed.len());
        flow.pressed.extend(keys.chars().take(room));
        self.listen(&id);
    }

    /// An announcement of a flow is over, or a digit did not come in time.
    pub(crate) fn flow_due(&mut self, id: &ExitId) {
        let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.outcome.is_none()) else { return };
        flow.timer = None;
        let said = flow.saying.take().is_some();
        match (flow.element(), said) {
            (Some(Element::Collect(it)), true) => self.wait_for_digit(id, &it),
            (Some(Element::Collect(it)), false) => self.try_is_over(id, &it),
            _ => {
                flow.at += 1;
                self.walk(id);
            }
        }
    }

    /// Goes on until there is something to wait for.
    fn walk(&mut self, id: &ExitId) {
        loop {
            let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.outcome.is_none()) else { return };
            flow.steps += 1;
            if flow.steps > MOST_STEPS {
                tracing::warn!(
                    exit.id = %id,
                    element = flow.at + 1,
                    "a flow has gone through {MOST_STEPS} elements, the most there may be, and fails: it goes in circles"
                );
                return self.end_flow(id, ExitReport::Failed);
            }
            match flow.element() {
                Some(Element::Play(it)) => {
                    return match announcement(&it.announcement) {
                        Some(tone) => self.say(id, tone),
                        None => self.has_no_announcement(id, &it.announcement),
                    };
                }
                Some(Element::Collect(it)) => {
                    flow.listening = Some(Listening {
                        digits: String::new(),
                        tries_left: i32::try_from(or_usual(it.tries.into(), USUAL_TRIES.into())).unwrap_or(USUAL_TRIES),
                    });
                    return self.begin_try(id, &it);
                }
                Some(Element::SetData(it)) => {
                    flow.keep(&it.key, it.value, false, false);
                    flow.at += 1;
                    self.progressed(id, &it.key);
                }
                Some(Element::Branch(it)) => flow.at = flow.branch(&it),
                Some(Element::Transfer(_)) => return self.end_flow(id, ExitReport::Transferred),
                Some(Element::Return(_)) => return self.end_flow(id, ExitReport::Returned),
                Some(Element::End(_)) | None => return self.end_flow(id, ExitReport::FlowEnded),
            }
        }
    }

    fn say(&mut self, id: &ExitId, tone: AnnouncementTone) {
        let first_frame = self.frame();
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.saying = Some(Saying { tone, first_frame });
        let ends_at_us = (first_frame + tone.frames) * FRAME_US;
        flow.timer = Some(self.timers.set(ends_at_us, Due::FlowGoesOn(id.clone())));
    }

    /// Silence in its place would look like a flow that works.
    fn has_no_announcement(&mut self, id: &ExitId, name: &str) {
        let element = self.flows.get(id).map_or(0, |flow| flow.at + 1);
        tracing::warn!(
            exit.id = %id,
            element,
            announcement = name,
            "a flow fails: it names an announcement that this switch does not have"
        );
        self.end_flow(id, ExitReport::Failed);
    }

    fn begin_try(&mut self, id: &ExitId, it: &IvrCollect) {
        let tone = announcement(&it.announcement);
        if tone.is_none() && !it.announcement.is_empty() {
            return self.has_no_announcement(id, &it.announcement);
        }
        let pressed_already = self.flows.get(id).is_some_and(|flow| !flow.pressed.is_empty());
        match tone.filter(|_| !pressed_already) {
            Some(tone) => self.say(id, tone),
            None => self.wait_for_digit(id, it),
        }
        self.listen(id);
    }

    fn wait_for_digit(&mut self, id: &ExitId, it: &IvrCollect) {
        let now_us = self.now_us;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let first = flow.listening.as_ref().is_none_or(|it| it.digits.is_empty());
        let ms = if first {
            or_usual(it.first_digit_ms, USUAL_FIRST_DIGIT_MS)
        } else {
            or_usual(it.between_digits_ms, USUAL_BETWEEN_DIGITS_MS)
        };
        self.timers.cancel(flow.timer.take());
        flow.timer = Some(self.timers.set(now_us + ms * 1_000, Due::FlowGoesOn(id.clone())));
    }

    /// Takes in what was pressed, if the flow collects.
    fn listen(&mut self, id: &ExitId) {
        let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.outcome.is_none()) else { return };
        let Some(Element::Collect(it)) = flow.element().filter(|_| flow.listening.is_some()) else { return };
        let mut heard = None;
        while let Some(key) = flow.pressed.pop_front() {
            let Some(listening) = &mut flow.listening else { return };
            let is_end = it.terminator.starts_with(key);
            // It ended the input before, which was full already.
            if is_end && listening.digits.is_empty() {
                continue;
            }
            // The first digit cuts the announcement short.
            flow.saying = None;
            if !is_end {
                listening.digits.push(key);
            }
            let count = listening.digits.len();
            heard = Some(match count {
                count if is_end && count < fewest(&it) => Pressed::Wrong,
                count if is_end || count >= most(&it) => Pressed::Collected,
                _ => Pressed::More,
            });
            if !matches!(heard, Some(Pressed::More)) {
                break;
            }
        }
        match heard {
            None => {}
            Some(Pressed::More) => self.wait_for_digit(id, &it),
            Some(Pressed::Collected) => self.digits_collected(id, &it),
            Some(Pressed::Wrong) => self.try_again(id, &it),
        }
    }

    /// No further digit came: enough were pressed, or the try is over.
    fn try_is_over(&mut self, id: &ExitId, it: &IvrCollect) {
        let digits = self.flows.get(id).and_then(|flow| flow.listening.as_ref()).map_or(0, |it| it.digits.len());
        if digits >= fewest(it) { self.digits_collected(id, it) } else { self.try_again(id, it) }
    }

    fn try_again(&mut self, id: &ExitId, it: &IvrCollect) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        self.timers.cancel(flow.timer.take());
        if let Some(listening) = &mut flow.listening {
            listening.digits.clear();
            listening.tries_left -= 1;
            if listening.tries_left > 0 {
                return self.begin_try(id, it);
            }
        }
        flow.listening = None;
        flow.at += 1;
        self.walk(id);
    }

    fn digits_collected(&mut self, id: &ExitId, it: &IvrCollect) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        self.timers.cancel(flow.timer.take());
        if let Some(listening) = flow.listening.take() {
            flow.keep(&it.key, listening.digits, true, it.sensitive);
        }
        flow.at += 1;
        self.progressed(id, &it.key);
        self.walk(id);
    }

    fn progressed(&mut self, id: &ExitId, key: &str) {
        let Some(flow) = self.flows.get(id) else { return };
        let (tenant, leg_id, data) = (flow.tenant.clone(), flow.leg.clone(), flow.data.clone());
        let (exit_id, key) = (id.clone(), key.to_owned());
        self.emit(&tenant, LedgerAction::FlowProgressed { exit_id, leg_id, key, data });
    }

    /// The leg is under control again, unless it is gone.
    pub(crate) fn end_flow(&mut self, id: &ExitId, outcome: ExitReport) {
        let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.outcome.is_none()) else { return };
        flow.outcome = Some(outcome);
        (flow.saying, flow.listening) = (None, None);
        // What was pressed is for nobody any more.
        flow.pressed.clear();
        flow.values.clear();
        self.timers.cancel(flow.timer.take());
        let (tenant, leg_id, element, data) = (flow.tenant.clone(), flow.leg.clone(), flow.at, flow.data.clone());
        if let Some(leg) = self.legs.get_mut(&leg_id) {
            leg.state = SwitchLegState::Up;
            leg.exit = None;
        }
        let exit_id = id.clone();
        self.emit(&tenant, LedgerAction::FlowEnded { exit_id, leg_id, outcome, element, data });
    }

    /// The leg is gone, and with it all that is known of its flows.
    pub(crate) fn forget_flows(&mut self, leg: &LegId) {
        self.flows.retain(|_, flow| flow.leg != *leg);
    }
}
