//! Operations: written down, checked once more whether they are wanted, and requested, at most once.

use baton_api::transfer::v1::fact::Fact as FactContent;

use super::InteractionDriver;
use super::pass::StepError;
use crate::fact;
use crate::observed::ObservedLeg;
use crate::operation::{OperationKey, OperationKind};
use crate::plan::{Plan, WantedDial, WantedLeg};
use crate::reconcile::ReconcileStep;
use crate::store::StoreWrite;
use crate::switch::{CommandResult, DialCall, ExitEnd, LegEnding, LegProgress, SwitchCommand, SwitchPortError};

impl InteractionDriver {
    /// Writes down that the operation is about to be requested: after a crash this id is never requested again. Returns
    /// what to request now, beginning with this step, or `None`: plans and events that came during the write count, so that no phone
    /// rings for a withdrawn plan (T3).
    pub(super) async fn write_intent(
        &mut self,
        step: &ReconcileStep,
        key: &OperationKey,
        detail: &str,
    ) -> Result<Option<Vec<ReconcileStep>>, StepError> {
        let (row, operation) = self.new_operation(key.clone(), &key.id, detail);
        self.context.report.journal.write(StoreWrite::Requested(row)).await?;
        self.absorb();
        let Some(plan) = self.plan.as_ref().filter(|_| self.is_ready() && !self.is_switch_lost()) else {
            return Ok(None);
        };
        let steps = self.next_steps(plan, self.now_us());
        let is_next = steps.first() == Some(step);
        // An operation that is still in the plan, but is not the next step as it was, is requested when it becomes the next
        // step.
        let is_wanted = is_wanted(plan, key, self.now_us());
        if is_next {
            self.observed.operations.insert(key.clone(), operation);
        } else if !self.observed.was_requested(key) && !is_wanted {
            self.observed.operations.insert(key.clone(), operation);
            self.observe(key, never_requested(key), self.now_us());
        }
        Ok(is_next.then_some(steps))
    }

    /// Handles the answer to the request. `None`: there was no clear answer, and a snapshot will show what came of it.
    fn after_request(&mut self, key: &OperationKey, result: CommandResult) -> Option<CommandResult> {
        let stamp = self.context.logical_clock.now();
        if let Some(operation) = self.observed.operations.get_mut(key) {
            operation.stamp = stamp;
            operation.confirmed |= result.is_ok();
        }
        match result {
            Err(error) if !error.is_definite() => {
                tracing::info!(interaction.id = %self.id, operation = ?key, %error, "the switch did not say whether it did it");
                match error {
                    SwitchPortError::Fenced => self.context.link_requests.reconnect(self.generation),
                    _ => self.request_resync(),
                }
                None
            }
            known => Some(known),
        }
    }

    pub(super) fn dial_command(&self, leg: String, dial: WantedDial) -> SwitchCommand {
        if let Some(rule) = &dial.allowed_by {
            tracing::info!(interaction.id = %self.id, leg.id = leg, rule, "a number outside is dialled, as a rule allows");
        }
        SwitchCommand::Dial(DialCall {
            leg,
            tenant: self.tenant(),
            interaction: self.id.to_string(),
            phone: dial.phone,
            caller: dial.caller,
            ring_ms: ((dial.ring_until_us - self.now_us()) / 1_000).clamp(1, 600_000),
        })
    }

    pub(super) fn after_dial(&mut self, leg: &str, result: CommandResult) {
        let key = OperationKey::leg(leg);
        match self.after_request(&key, result) {
            Some(Ok(_)) => self.put_leg(&key, leg, ObservedLeg::ringing(self.context.logical_clock.now())),
            Some(Err(error)) => {
                tracing::warn!(interaction.id = %self.id, leg.id = leg, %error, "the switch does not dial");
                self.context.phones.free(leg, self.context.logical_clock.now());
                self.observe(&key, fact::ended(leg, LegEnding::Unreachable), self.now_us());
            }
            None => {}
        }
    }

    pub(super) fn after_play(&mut self, id: &str, result: CommandResult) {
        let key = OperationKey::announcement(id);
        match self.after_request(&key, result) {
            Some(Ok(_)) => {
                self.observed.playbacks.insert(id.to_owned(), self.context.logical_clock.now());
            }
            Some(Err(_)) => self.observe(&key, fact::announcement_over(id), self.now_us()),
            None => {}
        }
    }

    pub(super) fn after_start_recording(&mut self, id: &str, result: CommandResult) {
        let key = OperationKey::segment(id);
        match self.after_request(&key, result) {
            Some(Ok(started_at_us)) => self.recording_runs(id, started_at_us, self.now_us()),
            Some(Err(_)) => self.observe(&key, fact::segment_failed(id, 0), self.now_us()),
            None => {}
        }
    }

    pub(super) fn after_exit(&mut self, id: &str, leg: &str, is_flow: bool, result: CommandResult) {
        let key = OperationKey::exit(id);
        match self.after_request(&key, result) {
            Some(Ok(_)) => {
                self.change_leg(leg, |actual| {
                    actual.progress = LegProgress::Exited(id.to_owned());
                    actual.room = None;
                });
                if is_flow {
                    self.observe(&key, fact::in_flow(id, Vec::new()), self.now_us());
                }
            }
            Some(Err(_)) => self.observe(&key, fact::exit_over(id, ExitEnd::Unknown), self.now_us()),
            None => {}
        }
    }
}

/// The plan wants the operation, and its ring time, if it has one, is not over.
fn is_wanted(plan: &Plan, key: &OperationKey, now_us: i64) -> bool {
    match key.kind {
        OperationKind::Leg => {
            let leg = plan.legs.iter().find(|leg| leg.id == key.id);
            leg.and_then(WantedLeg::dial).is_some_and(|it| now_us < it.ring_until_us)
        }
        OperationKind::Announcement => plan.announcements.iter().any(|it| it.id == key.id),
        OperationKind::Exit => plan.exit.as_ref().is_some_and(|it| it.id == key.id),
        OperationKind::Segment => plan.segment.as_ref().is_some_and(|it| it.id == key.id),
        OperationKind::SwitchLoss => false,
    }
}

/// The final fact of an operation that was withdrawn before it was requested.
fn never_requested(key: &OperationKey) -> FactContent {
    match key.kind {
        OperationKind::Leg => fact::ended(&key.id, LegEnding::HungUp),
        OperationKind::Announcement => fact::announcement_over(&key.id),
        OperationKind::Exit => fact::exit_over(&key.id, ExitEnd::Unknown),
        OperationKind::Segment => fact::segment_never_begun(&key.id),
        OperationKind::SwitchLoss => fact::switch_lost(),
    }
}
