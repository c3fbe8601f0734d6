//! Telephony for one interaction: what to do next is decided by the reconciler of the product; what it does is done on the switch of this walk,
//! and what comes of it is observed as the product's driver does.

use crate::{
    agenda::{Event, OnSwitch},
    switch::SwitchLeg,
    walk::Walk,
};
use baton_api::{
    common::v1::ivr_element::Element,
    transfer::v1::{Fact, fact::Fact as FactContent},
};
use baton_telephony::{
    fact,
    observed::{ObservedLeg, ObservedRoom, ObservedState},
    operation::{Operation, OperationKey, Stamp},
    plan::Plan,
    reconcile::{ReconcileStep, steps},
    switch::{ExitEnd, FlowEnding, FlowReport, LegEnding, LegProgress, SwitchEventKind},
};
use baton_words::InteractionId;
use std::collections::BTreeMap;

/// More steps than any plan needs.
const MOST_STEPS: usize = 256;
const SECOND_US: i64 = 1_000_000;

/// What telephony knows of one interaction.
#[derive(Default)]
pub(crate) struct Driver {
    pub(crate) plan: Option<Plan>,
    pub(crate) observed: ObservedState,
    /// Facts that the transfer service has not acknowledged, with their positions.
    pub(crate) unreported: BTreeMap<OperationKey, (u64, Fact)>,
    position: u64,
}

impl Driver {
    /// A customer has called, by this leg.
    pub(crate) fn of_call(leg: &str, name: &str) -> Self {
        let mut driver = Self::default();
        driver.request(OperationKey::leg(leg), name);
        driver.observed.legs.insert(name.to_owned(), ObservedLeg::ringing(Stamp::default()));
        driver
    }

    fn observe(&mut self, key: &OperationKey, content: FactContent, at_us: i64, report: bool) {
        let Some(operation) = self.observed.operations.get_mut(key) else { return };
        let last = operation.fact.as_ref().and_then(|it| it.fact.as_ref());
        if operation.is_over() || last == Some(&content) {
            return;
        }
        let fact = Fact { observed_at_us: at_us, fact: Some(content) };
        operation.confirmed = true;
        operation.fact = Some(fact.clone());
        if report {
            self.position += 1;
            self.unreported.insert(key.clone(), (self.position, fact));
        }
    }

    fn request(&mut self, key: OperationKey, name: &str) {
        self.request_with(key, name, "");
    }

    fn request_with(&mut self, key: OperationKey, name: &str, detail: &str) {
        self.observed.operations.insert(
            key,
            Operation { name: name.to_owned(), detail: detail.to_owned(), confirmed: true, ..Operation::default() },
        );
    }

    fn leg_key(&self, name: &str) -> Option<OperationKey> {
        let mut operations = self.observed.operations.iter();
        let key = operations.find(|(key, it)| **key == OperationKey::leg(&key.id) && it.name == name);
        key.map(|(key, _)| key.clone())
    }

    fn leg_is_over(&mut self, name: &str, why: LegEnding, at_us: i64) {
        self.observed.legs.remove(name);
        if let Some(key) = self.leg_key(name) {
            self.observe(&key, fact::ended(&key.id, why), at_us, true);
        }
    }

    fn segment_is_over(&mut self, id: &str, at_us: i64) {
        self.observed.recordings.remove(id);
        let key = OperationKey::segment(id);
        let began_us = fact::segment_started_at_us(self.observed.operations.get(&key).and_then(|it| it.fact.as_ref()));
        self.observe(&key, fact::segment_closed(id, began_us, at_us, false), at_us, true);
        if let Some(operation) = self.observed.operations.get_mut(&key) {
            operation.upload_stored = true;
        }
    }

    /// A segment that only skipped versions wanted, and whose end this version awaits, never began.
    fn give_up_segments(&mut self, plan: &Plan, now_us: i64) {
        for id in &plan.awaited_segments {
            let key = OperationKey::segment(id);
            if !self.observed.was_requested(&key) {
                self.request(key.clone(), id);
                self.observe(&key, fact::segment_never_begun(id), now_us, true);
            }
        }
    }

    fn was_answered(&self, name: &str) -> bool {
        self.observed.legs.get(name).is_some_and(|actual| actual.progress != LegProgress::Ringing)
    }

    /// The interaction has nothing on the switch, and all was reported.
    pub(crate) fn is_done(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.ended) && self.observed.is_empty() && self.unreported.is_empty()
    }
}

impl Walk {
    /// A plan has arrived: an older one changes nothing (S1).
    pub(crate) fn take_plan(&mut self, id: InteractionId, plan: Plan) {
        let driver = self.drivers.entry(id).or_default();
        if driver.plan.as_ref().is_none_or(|known| known.version < plan.version) {
            driver.give_up_segments(&plan, self.now_us);
            driver.plan = Some(plan);
            self.pass(id);
        }
    }

    /// Steps, until the switch matches the plan.
    pub(crate) fn pass(&mut self, id: InteractionId) {
        self.end_ringing(id);
        for _ in 0..MOST_STEPS {
            let Some(driver) = self.drivers.get(&id) else { return };
            let Some(plan) = &driver.plan else { return };
            let due = steps(plan, &driver.observed, self.now_us).into_iter().find(|step| match step {
                ReconcileStep::Dial { dial, .. } => !self.switch.is_busy(&dial.phone),
                _ => true,
            });
            let Some(step) = due else {
                self.observe_legs(id);
                return self.report_of_telephony(id);
            };
            self.say(id, || format!("telephony {step:?}"));
            if step.operation().is_none() && self.rng.u32(0..100) == 0 {
                // The switch does not answer, and has done nothing: the pass ends before a leg is hung up.
                self.agenda.plan(self.now_us + SECOND_US / 10, Event::Pass(id));
                self.observe_legs(id);
                return self.report_of_telephony(id);
            }
            self.execute(id, step);
            if let Some(wrong) = self.switch.wrong(id) {
                return self.break_off(id, &wrong);
            }
        }
        self.break_off(id, "S3: a pass makes no progress");
    }

    /// Only here the end of a ring time is decided (T4).
    fn end_ringing(&mut self, id: InteractionId) {
        let now_us = self.now_us;
        let Some(driver) = self.drivers.get_mut(&id) else { return };
        let Some(plan) = driver.plan.clone() else { return };
        let mut next_us = None;
        for leg in &plan.legs {
            let key = OperationKey::leg(&leg.id);
            let Some(dial) = leg.dial().filter(|dial| dial.ring_until_us > 0) else { continue };
            if driver.observed.is_over(&key) || driver.was_answered(leg.name()) {
                continue;
            }
            if dial.ring_until_us > now_us {
                next_us = Some(next_us.map_or(dial.ring_until_us, |at_us: i64| at_us.min(dial.ring_until_us)));
            } else if !driver.observed.was_requested(&key) {
                driver.request(key.clone(), leg.name());
                driver.observe(&key, fact::ended(&leg.id, LegEnding::Unreachable), now_us, true);
            } else if driver.observed.legs.contains_key(leg.name()) {
                driver.observe(&key, fact::ended(&leg.id, LegEnding::NoAnswer), now_us, true);
            }
        }
        if let Some(at_us) = next_us {
            self.agenda.plan(at_us, Event::Pass(id));
        }
    }

    fn observe_legs(&mut self, id: InteractionId) {
        let now_us = self.now_us;
        let Some(driver) = self.drivers.get_mut(&id) else { return };
        for (name, actual) in driver.observed.legs.clone() {
            let Some(key) = driver.leg_key(&name) else { continue };
            match actual.progress {
                LegProgress::Ringing if key.id != name => {}
                LegProgress::Ringing => driver.observe(&key, fact::ringing(&key.id), now_us, false),
                LegProgress::Up | LegProgress::Exited(_) => {
                    driver.observe(&key, fact::up(&key.id, actual.room.as_deref().unwrap_or_default()), now_us, true);
                }
            }
        }
    }

    fn execute(&mut self, id: InteractionId, step: ReconcileStep) {
        let now_us = self.now_us;
        let Some(driver) = self.drivers.get_mut(&id) else { return };
        if let Some((key, detail)) = step.operation().map(|(key, detail)| (key, detail.to_owned())) {
            driver.request_with(key.clone(), &key.id, &detail);
        }
        let (switch, observed) = (&mut self.switch, &mut driver.observed);
        let mut change = |leg: &str, room: Option<String>| {
            if let Some(actual) = observed.legs.get_mut(leg) {
                actual.room.clone_from(&room);
            }
            if let Some(actual) = switch.legs.get_mut(leg) {
                actual.room.clone_from(&room);
            }
        };
        match step {
            ReconcileStep::StopPlayback(playback) => {
                switch.playbacks.remove(&playback);
                observed.playbacks.remove(&playback);
                driver.observe(
                    &OperationKey::announcement(&playback),
                    fact::announcement_over(&playback),
                    now_us,
                    true,
                );
            }
            ReconcileStep::StopRecording(segment) => {
                switch.recordings.remove(&segment);
                driver.segment_is_over(&segment, now_us);
            }
            ReconcileStep::SetMute { leg, muted } => {
                if let Some(actual) = observed.legs.get_mut(&leg) {
                    actual.muted = Some(muted);
                }
            }
            ReconcileStep::TakeOut(leg) => change(&leg, None),
            ReconcileStep::Move { leg, room } => change(&leg, Some(room)),
            ReconcileStep::Answer(leg) => {
                if let Some(actual) = observed.legs.get_mut(&leg) {
                    actual.progress = LegProgress::Up;
                }
                if let Some(actual) = switch.legs.get_mut(&leg) {
                    (actual.progress, actual.up_since_us) = (LegProgress::Up, Some(now_us));
                }
            }
            ReconcileStep::EnsureRoom { room, treatment } => {
                switch.rooms.insert((id, room.clone()), treatment);
                observed.rooms.insert(room, ObservedRoom { treatment: Some(treatment), stamp: Stamp::default() });
            }
            ReconcileStep::DestroyRoom(room) => {
                switch.rooms.remove(&(id, room.clone()));
                observed.rooms.remove(&room);
            }
            ReconcileStep::Exit { id: exit, leg, flow, .. } => {
                let Some(actual) = switch.legs.get_mut(&leg) else {
                    let over = fact::exit_over(&exit, ExitEnd::Unknown);
                    return driver.observe(&OperationKey::exit(&exit), over, now_us, true);
                };
                (actual.progress, actual.room) = (LegProgress::Exited(exit.clone()), None);
                if let Some(actual) = observed.legs.get_mut(&leg) {
                    (actual.progress, actual.room) = (LegProgress::Exited(exit.clone()), None);
                }
                let at_us = now_us + self.rng.i64(2..60) * SECOND_US;
                if flow.is_empty() {
                    let returned = self.rng.u32(0..4) == 0;
                    self.agenda.plan(at_us, Event::OnSwitch(OnSwitch::ExitOver { leg, exit, returned }));
                } else {
                    switch.flows.insert(exit.clone());
                    driver.observe(&OperationKey::exit(&exit), fact::in_flow(&exit, Vec::new()), now_us, true);
                    let transfers = flow.iter().position(|it| matches!(it.element, Some(Element::Transfer(_))));
                    let end = match (self.rng.u32(0..8), transfers) {
                        (0, _) => FlowEnding::Failed,
                        (1..3, _) => FlowEnding::Ended,
                        (_, Some(at)) => FlowEnding::Transferred(at as i32),
                        _ => FlowEnding::Returned,
                    };
                    self.agenda.plan(at_us, Event::OnSwitch(OnSwitch::FlowOver { leg, exit, end }));
                }
            }
            ReconcileStep::Recall { exit, leg } => {
                if let Some(actual) = observed.legs.get_mut(&leg) {
                    (actual.progress, actual.room) = (LegProgress::Up, None);
                }
                self.on_switch(OnSwitch::FlowOver { leg, exit, end: FlowEnding::Returned });
            }
            ReconcileStep::Play { id: playback, .. } => {
                switch.playbacks.insert(playback.clone(), id);
                observed.playbacks.insert(playback.clone(), Stamp::default());
                let over = OnSwitch::PlaybackOver { interaction: id, playback };
                self.agenda.plan(now_us + 2 * SECOND_US, Event::OnSwitch(over));
            }
            ReconcileStep::StartRecording { id: segment, room, .. } => {
                switch.recordings.insert(segment.clone(), (id, room, now_us));
                observed.recordings.insert(segment.clone(), Stamp::default());
                driver.observe(&OperationKey::segment(&segment), fact::segment_live(&segment, now_us), now_us, true);
            }
            ReconcileStep::Dial { leg, dial } => {
                let outside = dial.allowed_by.is_some();
                let ringing = SwitchLeg {
                    interaction: id,
                    phone: dial.phone,
                    outside,
                    progress: LegProgress::Ringing,
                    room: None,
                    up_since_us: None,
                };
                if let Err(wrong) = switch.dial(&leg, ringing) {
                    return self.break_off(id, &wrong);
                }
                observed.legs.insert(leg.clone(), ObservedLeg::ringing(Stamp::default()));
                self.phone_rings(leg);
            }
            ReconcileStep::HangUp { leg, .. } => {
                let gone = switch.legs.remove(&leg);
                driver.leg_is_over(&leg, LegEnding::HungUp, now_us);
                if let Some(LegProgress::Exited(exit)) = gone.map(|gone| gone.progress) {
                    self.exit_left(id, exit, leg);
                }
                self.phone_is_free();
            }
        }
    }

    /// Whoever waits for a phone may have it now.
    pub(crate) fn phone_is_free(&mut self) {
        let waits = |driver: &Driver| {
            let legs = driver.plan.iter().flat_map(|plan| &plan.legs);
            legs.filter(|leg| leg.dial().is_some())
                .any(|leg| !driver.observed.was_requested(&OperationKey::leg(&leg.id)))
        };
        let waiting: Vec<_> = self.drivers.iter().filter(|(_, driver)| waits(driver)).map(|(id, _)| *id).collect();
        for id in waiting {
            self.agenda.plan(self.now_us, Event::Pass(id));
        }
    }

    /// An event of the switch has arrived.
    pub(crate) fn switch_says(&mut self, id: InteractionId, kind: SwitchEventKind) {
        let now_us = self.now_us;
        let Some(driver) = self.drivers.get_mut(&id) else { return };
        match kind {
            SwitchEventKind::Answered { leg } => {
                let actual = driver.observed.legs.get_mut(&leg);
                if let Some(actual) = actual.filter(|actual| actual.progress == LegProgress::Ringing) {
                    actual.progress = LegProgress::Up;
                }
            }
            SwitchEventKind::Flow(FlowReport { exit, leg, end: Some(end), data }) => {
                let in_it = |it: &&mut ObservedLeg| it.progress == LegProgress::Exited(exit.clone());
                let actual = driver.observed.legs.get_mut(&leg).filter(in_it);
                if let Some(actual) = actual.filter(|_| end != FlowEnding::Left) {
                    (actual.progress, actual.room) = (LegProgress::Up, None);
                }
                driver.observe(&OperationKey::exit(&exit), fact::flow_over(&exit, end, data), now_us, true);
            }
            SwitchEventKind::Ended { leg, why } => driver.leg_is_over(&leg, why, now_us),
            SwitchEventKind::PlaybackOver { playback } => {
                driver.observed.playbacks.remove(&playback);
                driver.observe(
                    &OperationKey::announcement(&playback),
                    fact::announcement_over(&playback),
                    now_us,
                    true,
                );
            }
            SwitchEventKind::ExitOver { exit, leg, end } => {
                if let Some(actual) = driver.observed.legs.get_mut(&leg).filter(|_| end == ExitEnd::Returned) {
                    actual.progress = LegProgress::Up;
                }
                driver.observe(&OperationKey::exit(&exit), fact::exit_over(&exit, end), now_us, true);
            }
            _ => {}
        }
        self.pass(id);
    }
}
