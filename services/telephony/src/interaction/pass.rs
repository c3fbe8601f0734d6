//! A pass: one step after the other until the switch matches the plan, or a step fails.
//!
//! Steps that follow each other are requested of the switch together. One that begins an operation is the first of its request, because it is
//! written down before. After each request the interaction handles what came meanwhile, and computes the steps anew, so a pass for an old plan
//! ends in the middle when a newer plan is there.

use std::time::Duration;

use baton_runtime::telemetry;
use futures::FutureExt as _;

use super::InteractionDriver;
use crate::fact;
use crate::observed::{ObservedLeg, ObservedRoom};
use crate::operation::OperationKey;
use crate::plan::Plan;
use crate::reconcile::{ReconcileStep, steps};
use crate::retry;
use crate::store::{PersistError, StoreWrite, UploadRow};
use crate::switch::{CommandResult, LegProgress, SwitchCommand, SwitchPortError, gone_is_done};

/// More requests than any plan needs: a pass that takes as many makes no progress.
const MOST_REQUESTS: usize = 256;
/// Steps in one request, at most.
const STEPS_AT_ONCE: usize = 32;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a pass ended before the switch matched the plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error("the switch")]
    Switch(#[from] SwitchPortError),
    #[error("what was to be asked could not be written down")]
    Persist(#[from] PersistError),
    #[error("the pass makes no progress")]
    Endless,
}

impl InteractionDriver {
    pub(super) async fn pass(&mut self) {
        match self.execute_steps_and_report().await {
            Ok(()) if self.is_backing_off() => {}
            Ok(()) => (self.failures, self.retry_at_us, self.trace) = (0, None, None),
            Err(error) => self.step_failed(&error),
        }
    }

    async fn execute_steps_and_report(&mut self) -> Result<(), StepError> {
        let result = self.execute_steps().await;
        self.observe_legs();
        self.flush().await;
        result
    }

    async fn execute_steps(&mut self) -> Result<(), StepError> {
        for _ in 0..MOST_REQUESTS {
            self.absorb();
            self.ask_how_they_ended().await?;
            self.flush().await;
            let steps = self.due_steps();
            if steps.is_empty() {
                return Ok(());
            }
            tracing::trace!(interaction.id = %self.id, ?steps, "steps");
            let span = tracing::info_span!(parent: None, "steps", interaction.id = %self.id);
            telemetry::follow(self.trace, span, self.execute(steps)).await?;
        }
        Err(StepError::Endless)
    }

    /// None also while the switch is not connected, while the interaction is backing off, and while the plan is doubtful.
    fn due_steps(&self) -> Vec<ReconcileStep> {
        let is_due = self.is_ready() && !self.is_switch_lost() && !self.is_backing_off();
        let plan = self.plan.as_ref().filter(|plan| is_due && !plan.is_doubtful);
        plan.map(|plan| self.next_steps(plan, self.heard_us())).unwrap_or_default()
    }

    /// The steps of the next request. A phone that is busy is dialled later.
    pub(super) fn next_steps(&self, plan: &Plan, now_us: i64) -> Vec<ReconcileStep> {
        let waits = |step: &ReconcileStep| matches!(step, ReconcileStep::Dial { leg, .. } if self.awaited_phones.contains_key(leg));
        let mut request = Vec::new();
        for step in steps(plan, &self.observed, now_us).into_iter().filter(|step| !waits(step)) {
            let begins_alone = step.operation().is_some() || self.may_have_undone_mute(&request);
            if !request.is_empty() && (begins_alone || request.len() == STEPS_AT_ONCE) {
                break;
            }
            request.push(step);
        }
        request
    }

    /// After a move the switch may have forgotten that the leg is muted: it is muted again before anything else.
    fn may_have_undone_mute(&self, steps: &[ReconcileStep]) -> bool {
        let Some(ReconcileStep::Move { leg: moved, .. }) = steps.last() else { return false };
        let is_muted =
            |step: &ReconcileStep| matches!(step, ReconcileStep::SetMute { leg, muted: true } if leg == moved);
        let was_audible = self.observed.legs.get(moved).is_some_and(|actual| actual.muted == Some(false));
        !was_audible || steps.iter().any(is_muted)
    }

    /// A step has failed, and neither a plan, an event nor a new session has come since; an equal snapshot changes nothing.
    pub(super) fn is_backing_off(&self) -> bool {
        self.retry_at_us.is_some_and(|at_us| self.now_us() < at_us)
    }

    /// A failed step ends the pass and causes a resync. The next pass comes after a pause, or as soon as there is a newer
    /// plan, an event or a new session.
    fn step_failed(&mut self, error: &StepError) {
        self.failures = self.failures.saturating_add(1);
        let pause = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE).pause(self.failures);
        self.retry_at_us = Some(self.context.report.clock.after(pause));
        tracing::info!(interaction.id = %self.id, %error, source = ?std::error::Error::source(error), "a step failed; trying again soon");
        match error {
            StepError::Switch(SwitchPortError::Fenced) => self.context.link_requests.reconnect(self.generation),
            _ => self.request_resync(),
        }
    }

    /// Queues the writes, and starts to report.
    async fn flush(&mut self) {
        let journal = &self.context.report.journal;
        for write in self.writes.drain(..) {
            if let StoreWrite::Upload(UploadRow { segment, .. }) = &write {
                let key = OperationKey::segment(segment);
                let queued = journal.queue(write).await;
                self.pending_uploads.push(async move { (key, queued.committed().await.is_ok()) }.boxed());
            } else {
                journal.post(write).await;
            }
        }
        self.reporter.kick();
    }

    async fn execute(&mut self, steps: Vec<ReconcileStep>) -> Result<(), StepError> {
        let Some(steps) = self.begin_operation(steps).await? else { return Ok(()) };
        let commands: Vec<_> = steps.iter().map(|step| self.command(step)).collect();
        let context = std::sync::Arc::clone(&self.context);
        let results = context.switch.execute(&commands).await;
        for (step, result) in steps.into_iter().zip(results) {
            self.after(step, result)?;
        }
        Ok(())
    }

    /// Writes down what the first step begins, if that is an operation. Returns the steps to request now; `None`: not these.
    async fn begin_operation(&mut self, steps: Vec<ReconcileStep>) -> Result<Option<Vec<ReconcileStep>>, StepError> {
        let Some((step, (key, detail))) = steps.first().and_then(|step| Some((step, step.operation()?))) else {
            return Ok(Some(steps));
        };
        if let ReconcileStep::Dial { leg, dial } = step
            && !self.take_phone(leg, dial)
        {
            return Ok(None);
        }
        if let ReconcileStep::Exit { .. } = step
            && let Some(exit) = self.plan.as_ref().and_then(|plan| plan.exit.clone())
            && exit.flow.is_empty()
        {
            self.expect_message(exit).await;
        }
        let now_due = self.write_intent(step, &key, detail).await?;
        if now_due.is_none() {
            self.give_phone_back(step);
        }
        Ok(now_due)
    }

    fn command(&self, step: &ReconcileStep) -> SwitchCommand {
        let on_switch = |room: &String| self.id.room_on_switch(room);
        match step.clone() {
            ReconcileStep::StopPlayback(playback) => SwitchCommand::StopPlayback { playback },
            ReconcileStep::StopRecording(recording) => SwitchCommand::StopRecording { recording },
            ReconcileStep::SetMute { leg, muted } => SwitchCommand::SetMute { leg, muted },
            ReconcileStep::TakeOut(leg) => SwitchCommand::TakeOut { leg },
            ReconcileStep::Answer(leg) => SwitchCommand::Answer { leg },
            ReconcileStep::EnsureRoom { room, treatment } => {
                SwitchCommand::EnsureRoom { room: on_switch(&room), tenant: self.tenant(), treatment }
            }
            ReconcileStep::Move { leg, room } => SwitchCommand::Move { leg, room: on_switch(&room) },
            ReconcileStep::Exit { id, leg, mailbox, flow } if flow.is_empty() => {
                SwitchCommand::Exit { exit: id, leg, mailbox }
            }
            ReconcileStep::Exit { id, leg, flow, .. } => SwitchCommand::RunFlow { exit: id, leg, flow },
            ReconcileStep::Recall { exit, .. } => SwitchCommand::Recall { exit },
            ReconcileStep::Play { id, room, name } => {
                SwitchCommand::Play { playback: id, room: on_switch(&room), announcement: name }
            }
            ReconcileStep::StartRecording { id, room, .. } => {
                SwitchCommand::StartRecording { recording: id, room: on_switch(&room), tenant: self.tenant() }
            }
            ReconcileStep::Dial { leg, dial } => self.dial_command(leg, dial),
            ReconcileStep::HangUp { leg, no_answer } => SwitchCommand::HangUp { leg, no_answer },
            ReconcileStep::DestroyRoom(room) => SwitchCommand::DestroyRoom { room: on_switch(&room) },
        }
    }

    /// What the switch's answer says is observed.
    fn after(&mut self, step: ReconcileStep, result: CommandResult) -> Result<(), StepError> {
        match step {
            ReconcileStep::StopPlayback(id) => {
                gone_is_done(result)?;
                self.observed.playbacks.remove(&id);
                self.observe(&OperationKey::announcement(&id), fact::announcement_over(&id), self.now_us());
            }
            ReconcileStep::StopRecording(id) => self.after_stop_recording(&id, result)?,
            ReconcileStep::SetMute { leg, muted } => {
                result?;
                self.change_leg(&leg, |actual| actual.muted = Some(muted));
            }
            ReconcileStep::TakeOut(leg) => {
                result?;
                self.change_leg(&leg, |actual| actual.room = None);
            }
            ReconcileStep::Answer(leg) => {
                result?;
                self.change_leg(&leg, |actual| actual.progress = LegProgress::Up);
            }
            ReconcileStep::EnsureRoom { room, treatment } => {
                result?;
                let stamp = self.context.logical_clock.now();
                self.observed.rooms.insert(room, ObservedRoom { treatment: Some(treatment), stamp });
            }
            ReconcileStep::Move { leg, room } => {
                result?;
                self.change_leg(&leg, |actual| {
                    actual.room = Some(room);
                    // The switch may have forgotten it: `SetMute` is repeated for a muted leg.
                    actual.muted = actual.muted.filter(|muted| !muted);
                });
            }
            ReconcileStep::Exit { id, leg, flow, .. } => self.after_exit(&id, &leg, !flow.is_empty(), result),
            ReconcileStep::Recall { leg, .. } => {
                // A flow that is over has given the leg back by itself.
                gone_is_done(result)?;
                self.change_leg(&leg, |actual| (actual.progress, actual.room) = (LegProgress::Up, None));
            }
            ReconcileStep::Play { id, .. } => self.after_play(&id, result),
            ReconcileStep::StartRecording { id, .. } => self.after_start_recording(&id, result),
            ReconcileStep::Dial { leg, .. } => self.after_dial(&leg, result),
            ReconcileStep::HangUp { leg, .. } => {
                gone_is_done(result)?;
                self.observed.legs.remove(&leg);
            }
            ReconcileStep::DestroyRoom(room) => {
                gone_is_done(result)?;
                self.observed.rooms.remove(&room);
            }
        }
        Ok(())
    }

    pub(super) fn change_leg(&mut self, name: &str, change: impl FnOnce(&mut ObservedLeg)) {
        let stamp = self.context.logical_clock.now();
        if let Some(actual) = self.observed.legs.get_mut(name) {
            change(actual);
            actual.stamp = stamp;
        }
    }

    pub(super) fn tenant(&self) -> String {
        self.plan.as_ref().map(|plan| plan.tenant.clone()).unwrap_or_default()
    }

    fn after_stop_recording(&mut self, id: &str, result: CommandResult) -> Result<(), StepError> {
        match result {
            Ok(ended_at_us) => {
                let key = OperationKey::segment(id);
                let fact = self.observed.operations.get(&key).and_then(|it| it.fact.as_ref());
                let started_at_us = fact::segment_started_at_us(fact);
                self.observe(&key, fact::segment_closed(id, started_at_us, ended_at_us, false), self.now_us());
            }
            // The recording ended by itself: its event is on the way, or was lost.
            Err(SwitchPortError::Gone) => self.request_resync(),
            Err(error) => return Err(error.into()),
        }
        self.observed.recordings.remove(id);
        Ok(())
    }
}
