//! A pass: one step after the other until the switch matches the plan, or a step fails.
//!
//! After each step everything that came meanwhile is taken in and the steps are worked out anew, so a pass over an old plan
//! ends in the middle when a newer one is there.

use std::time::Duration;

use baton_runtime::telemetry;
use futures::FutureExt as _;

use super::Interaction;
use crate::fact;
use crate::reconcile::{Step, steps};
use crate::retry;
use crate::store::{KeepError, UploadRow, Write};
use crate::switch::{LegState, SwitchError, gone_is_done};
use crate::thing::Key;
use crate::world::{LegThere, RoomThere};

/// More steps than any plan needs: a pass that takes as many makes no progress.
const MOST_STEPS: usize = 256;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error("the switch")]
    Switch(#[from] SwitchError),
    #[error("what was to be asked could not be written down")]
    Keep(#[from] KeepError),
    #[error("the pass makes no progress")]
    Endless,
}

impl Interaction {
    /// Only what does something gets a span: an interaction is passed over at each look.
    pub(super) async fn pass(&mut self) {
        self.absorb();
        let result = if self.due_step().is_some() {
            let span = tracing::info_span!(parent: None, "pass", interaction.id = %self.id);
            telemetry::follow(self.trace, span, self.take_steps_and_tell()).await
        } else {
            self.take_steps_and_tell().await
        };
        match result {
            Ok(()) if self.is_to_wait() => {}
            Ok(()) => (self.failures, self.retry_at_us, self.trace) = (0, None, None),
            Err(error) => self.step_failed(&error),
        }
    }

    async fn take_steps_and_tell(&mut self) -> Result<(), StepError> {
        let result = self.take_steps().await;
        self.observe_legs();
        self.flush().await;
        result
    }

    async fn take_steps(&mut self) -> Result<(), StepError> {
        for _ in 0..MOST_STEPS {
            self.absorb();
            self.flush().await;
            let Some(step) = self.due_step() else { return Ok(()) };
            tracing::trace!(interaction.id = %self.id, ?step, "step");
            self.take(step).await?;
        }
        Err(StepError::Endless)
    }

    /// The next step, unless the switch is out of reach, or it is not time to try again.
    fn due_step(&self) -> Option<Step> {
        let plan = self.plan.as_ref()?;
        if !self.is_ready() || self.is_lost() || self.is_to_wait() {
            return None;
        }
        steps(plan, &self.world, self.now_us()).into_iter().next()
    }

    /// A step has failed, and nothing has changed since that would make it succeed: a look that shows the same does not.
    fn is_to_wait(&self) -> bool {
        self.retry_at_us.is_some_and(|at_us| self.now_us() < at_us)
    }

    /// A failed step ends the pass, and what is on the switch is looked at. It is tried again after a pause, or as soon as a
    /// newer plan, an event or a new session makes another world of it.
    fn step_failed(&mut self, error: &StepError) {
        self.failures = self.failures.saturating_add(1);
        let pause = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE).pause(self.failures);
        self.retry_at_us = Some(self.ways.report.clock.after(pause));
        tracing::info!(interaction.id = %self.id, %error, source = ?std::error::Error::source(error), "a step failed; trying again soon");
        match error {
            StepError::Switch(SwitchError::Fenced) => self.ways.orders.reconnect(self.generation),
            _ => self.ask_for_look(),
        }
    }

    /// Writes down and reports what was observed.
    async fn flush(&mut self) {
        let journal = &self.ways.report.journal;
        for write in self.writes.drain(..) {
            if let Write::Upload(UploadRow { segment, .. }) = &write {
                let key = Key::segment(segment);
                let queued = journal.queue(write).await;
                self.listing.push(async move { (key, queued.committed().await.is_ok()) }.boxed());
            } else {
                journal.post(write).await;
            }
        }
        self.reporter.kick(self.trace);
    }

    async fn take(&mut self, step: Step) -> Result<(), StepError> {
        if let Some((key, detail)) = step.once()
            && !self.ask(&step, &key, detail).await?
        {
            return Ok(());
        }
        let ways = std::sync::Arc::clone(&self.ways);
        let switch = &ways.switch;
        match step {
            Step::StopPlayback(id) => {
                gone_is_done(switch.stop_playback(&id).await)?;
                self.world.playbacks.remove(&id);
                self.observe(&Key::announcement(&id), fact::announcement_over(&id), self.now_us());
            }
            Step::StopRecording(id) => self.stop_recording(&id).await?,
            Step::SetMute { leg, muted } => {
                switch.set_mute(&leg, muted).await?;
                self.change_leg(&leg, |there| there.muted = Some(muted));
            }
            Step::TakeOut(leg) => {
                switch.take_out(&leg).await?;
                self.change_leg(&leg, |there| there.room = None);
            }
            Step::Answer(leg) => {
                switch.answer(&leg).await?;
                self.change_leg(&leg, |there| there.state = LegState::Up);
            }
            Step::EnsureRoom { room, treatment } => {
                let on_switch = self.id.room_on_switch(&room);
                switch.ensure_room(&on_switch, &self.tenant(), treatment).await?;
                let stamp = ways.moments.now();
                self.world.rooms.insert(room, RoomThere { treatment: Some(treatment), stamp });
            }
            Step::Move { leg, room } => {
                switch.move_leg(&leg, &self.id.room_on_switch(&room)).await?;
                self.change_leg(&leg, |there| {
                    there.room = Some(room);
                    // A switch may have forgotten: muted is said again.
                    there.muted = there.muted.filter(|muted| !muted);
                });
            }
            Step::Exit { id, leg, mailbox } => self.exit(&id, &leg, &mailbox).await,
            Step::Play { id, room, name } => self.play(&id, &room, &name).await,
            Step::StartRecording { id, room, .. } => self.record(&id, &room).await,
            Step::Dial { leg, dial } => self.dial(&leg, dial).await,
            Step::HangUp { leg, no_answer } => {
                gone_is_done(switch.hang_up(&leg, no_answer).await)?;
                self.world.legs.remove(&leg);
            }
            Step::DestroyRoom(room) => {
                gone_is_done(switch.destroy_room(&self.id.room_on_switch(&room)).await)?;
                self.world.rooms.remove(&room);
            }
        }
        Ok(())
    }

    pub(super) fn change_leg(&mut self, name: &str, change: impl FnOnce(&mut LegThere)) {
        let stamp = self.ways.moments.now();
        if let Some(there) = self.world.legs.get_mut(name) {
            change(there);
            there.stamp = stamp;
        }
    }

    pub(super) fn tenant(&self) -> String {
        self.plan.as_ref().map(|plan| plan.tenant.clone()).unwrap_or_default()
    }

    async fn stop_recording(&mut self, id: &str) -> Result<(), StepError> {
        match self.ways.switch.stop_recording(id).await {
            Ok(ended_at_us) => {
                let key = Key::segment(id);
                let fact = self.world.things.get(&key).and_then(|it| it.fact.as_ref());
                let started_at_us = fact::segment_started_at_us(fact);
                self.observe(&key, fact::segment_closed(id, started_at_us, ended_at_us, false), self.now_us());
            }
            // It ended by itself: its event is on its way, or was lost.
            Err(SwitchError::Gone) => self.ask_for_look(),
            Err(error) => return Err(error.into()),
        }
        self.world.recordings.remove(id);
        Ok(())
    }
}
