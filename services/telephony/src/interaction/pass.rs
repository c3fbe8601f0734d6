//! A pass: one step after the other until the switch matches the plan, or a step fails.
//!
//! After each step the interaction handles what came meanwhile, and computes the steps anew, so a pass for an old plan ends
//! in the middle when a newer plan is there.

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
use crate::switch::{LegProgress, SwitchPortError, gone_is_done};

/// More steps than any plan needs: a pass that takes as many makes no progress.
const MOST_STEPS: usize = 256;
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
        for _ in 0..MOST_STEPS {
            self.absorb();
            self.ask_how_they_ended().await?;
            self.flush().await;
            let Some(step) = self.due_step() else { return Ok(()) };
            tracing::trace!(interaction.id = %self.id, ?step, "step");
            let span = tracing::info_span!(parent: None, "step", interaction.id = %self.id);
            telemetry::follow(self.trace, span, self.execute(step)).await?;
        }
        Err(StepError::Endless)
    }

    /// `None` also while the switch is not connected, and while the interaction is backing off.
    fn due_step(&self) -> Option<ReconcileStep> {
        let plan = self.plan.as_ref()?;
        if !self.is_ready() || self.is_switch_lost() || self.is_backing_off() {
            return None;
        }
        self.next_step(plan, self.heard_us())
    }

    /// The first step; a phone that is busy is dialled later.
    pub(super) fn next_step(&self, plan: &Plan, now_us: i64) -> Option<ReconcileStep> {
        let mut steps = steps(plan, &self.observed, now_us).into_iter();
        steps.find(|step| !matches!(step, ReconcileStep::Dial { leg, .. } if self.awaited_phones.contains_key(leg)))
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

    async fn execute(&mut self, step: ReconcileStep) -> Result<(), StepError> {
        if let ReconcileStep::Dial { leg, dial } = &step
            && !self.take_phone(leg, dial)
        {
            return Ok(());
        }
        if let ReconcileStep::Exit { .. } = &step
            && let Some(exit) = self.plan.as_ref().and_then(|plan| plan.exit.clone())
            && exit.flow.is_empty()
        {
            self.expect_message(exit).await;
        }
        if let Some((key, detail)) = step.operation()
            && !self.write_intent(&step, &key, detail).await?
        {
            self.give_phone_back(&step);
            return Ok(());
        }
        let context = std::sync::Arc::clone(&self.context);
        let switch = &context.switch;
        match step {
            ReconcileStep::StopPlayback(id) => {
                gone_is_done(switch.stop_playback(&id).await)?;
                self.observed.playbacks.remove(&id);
                self.observe(&OperationKey::announcement(&id), fact::announcement_over(&id), self.now_us());
            }
            ReconcileStep::StopRecording(id) => self.stop_recording(&id).await?,
            ReconcileStep::SetMute { leg, muted } => {
                switch.set_mute(&leg, muted).await?;
                self.change_leg(&leg, |actual| actual.muted = Some(muted));
            }
            ReconcileStep::TakeOut(leg) => {
                switch.take_out(&leg).await?;
                self.change_leg(&leg, |actual| actual.room = None);
            }
            ReconcileStep::Answer(leg) => {
                switch.answer(&leg).await?;
                self.change_leg(&leg, |actual| actual.progress = LegProgress::Up);
            }
            ReconcileStep::EnsureRoom { room, treatment } => {
                let on_switch = self.id.room_on_switch(&room);
                switch.ensure_room(&on_switch, &self.tenant(), treatment).await?;
                let stamp = context.logical_clock.now();
                self.observed.rooms.insert(room, ObservedRoom { treatment: Some(treatment), stamp });
            }
            ReconcileStep::Move { leg, room } => {
                switch.move_leg(&leg, &self.id.room_on_switch(&room)).await?;
                self.change_leg(&leg, |actual| {
                    actual.room = Some(room);
                    // The switch may have forgotten it: `SetMute` is repeated for a muted leg.
                    actual.muted = actual.muted.filter(|muted| !muted);
                });
            }
            ReconcileStep::Exit { id, leg, mailbox, flow } => self.exit(&id, &leg, &mailbox, &flow).await,
            ReconcileStep::Recall { exit, leg } => {
                // A flow that is over has given the leg back by itself.
                gone_is_done(switch.recall(&exit).await)?;
                self.change_leg(&leg, |actual| (actual.progress, actual.room) = (LegProgress::Up, None));
            }
            ReconcileStep::Play { id, room, name } => self.play(&id, &room, &name).await,
            ReconcileStep::StartRecording { id, room, .. } => self.record(&id, &room).await,
            ReconcileStep::Dial { leg, dial } => self.dial(&leg, dial).await,
            ReconcileStep::HangUp { leg, no_answer } => {
                gone_is_done(switch.hang_up(&leg, no_answer).await)?;
                self.observed.legs.remove(&leg);
            }
            ReconcileStep::DestroyRoom(room) => {
                gone_is_done(switch.destroy_room(&self.id.room_on_switch(&room)).await)?;
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

    async fn stop_recording(&mut self, id: &str) -> Result<(), StepError> {
        match self.context.switch.stop_recording(id).await {
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
