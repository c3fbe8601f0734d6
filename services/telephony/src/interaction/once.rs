//! What happens once only: written down, looked at once more whether it is wanted, and asked for.

use baton_api::transfer::v1::fact::Fact as What;

use super::Interaction;
use super::pass::StepError;
use crate::fact;
use crate::plan::{Dial, Leg, Plan};
use crate::reconcile::{Step, steps};
use crate::store::Write;
use crate::switch::{DialCall, Ending, ExitEnd, LegState, SwitchError};
use crate::thing::{Key, Kind};
use crate::world::LegThere;

impl Interaction {
    /// Writes down that the switch is about to be asked: after a crash this id is never asked for again. Says whether it is to
    /// be asked now: what came while the disk was busy is taken in first, so that nobody is rung for a plan that is over (T3).
    pub(super) async fn ask(&mut self, step: &Step, key: &Key, detail: &str) -> Result<bool, StepError> {
        let (row, thing) = self.new_thing(key.clone(), &key.id, detail);
        self.ways.report.journal.write(Write::Asked(row)).await?;
        self.absorb();
        let Some(plan) = self.plan.as_ref().filter(|_| self.is_ready() && !self.is_lost()) else { return Ok(false) };
        let is_next = steps(plan, &self.world, self.now_us()).first() == Some(step);
        // Wanted after something else, in another way, or when somebody is in the room again: then it is asked for when its turn comes.
        let is_named = is_named(plan, key, self.now_us());
        if is_next {
            self.world.things.insert(key.clone(), thing);
        } else if !self.world.was_asked(key) && !is_named {
            self.world.things.insert(key.clone(), thing);
            self.observe(key, never_begun(key), self.now_us());
        }
        Ok(is_next)
    }

    /// After the switch was asked for something that happens once: what it refused is over, what it did not answer is looked
    /// for. `None` when nothing is known yet.
    fn asked<T>(&mut self, key: &Key, result: Result<T, SwitchError>) -> Option<Result<T, SwitchError>> {
        let stamp = self.ways.moments.now();
        if let Some(thing) = self.world.things.get_mut(key) {
            thing.stamp = stamp;
            thing.confirmed |= result.is_ok();
        }
        match result {
            Err(error) if !error.is_definite() => {
                tracing::info!(interaction.id = %self.id, thing = ?key, %error, "the switch did not say whether it did it");
                match error {
                    SwitchError::Fenced => self.ways.orders.reconnect(self.generation),
                    _ => self.ask_for_look(),
                }
                None
            }
            known => Some(known),
        }
    }

    pub(super) async fn dial(&mut self, leg: &str, dial: Dial) {
        let key = Key::leg(leg);
        if let Some(rule) = &dial.allowed_by {
            tracing::info!(interaction.id = %self.id, leg.id = leg, rule, "a number outside is dialled, as a rule allows");
        }
        let call = DialCall {
            leg: leg.to_owned(),
            tenant: self.tenant(),
            interaction: self.id.to_string(),
            phone: dial.phone,
            caller: dial.caller,
            ring_ms: ((dial.ring_until_us - self.now_us()) / 1_000).clamp(1, 600_000),
        };
        let result = self.ways.switch.dial(&call).await;
        match self.asked(&key, result) {
            Some(Ok(())) => self.put_leg(&key, leg, LegThere::ringing(self.ways.moments.now())),
            Some(Err(error)) => {
                tracing::warn!(interaction.id = %self.id, leg.id = leg, %error, "the switch does not dial");
                self.observe(&key, fact::ended(leg, Ending::Unreachable), self.now_us());
            }
            None => {}
        }
    }

    pub(super) async fn play(&mut self, id: &str, room: &str, name: &str) {
        let key = Key::announcement(id);
        let result = self.ways.switch.play(id, &self.id.room_on_switch(room), name).await;
        match self.asked(&key, result) {
            Some(Ok(())) => {
                self.world.playbacks.insert(id.to_owned(), self.ways.moments.now());
            }
            Some(Err(_)) => self.observe(&key, fact::announcement_over(id), self.now_us()),
            None => {}
        }
    }

    pub(super) async fn record(&mut self, id: &str, room: &str) {
        let key = Key::segment(id);
        let result = self.ways.switch.start_recording(id, &self.id.room_on_switch(room), &self.tenant()).await;
        match self.asked(&key, result) {
            Some(Ok(started_at_us)) => self.recording_runs(id, started_at_us, self.now_us()),
            Some(Err(_)) => self.observe(&key, fact::segment_failed(id, 0), self.now_us()),
            None => {}
        }
    }

    pub(super) async fn exit(&mut self, id: &str, leg: &str, mailbox: &str) {
        let key = Key::exit(id);
        let result = self.ways.switch.exit(id, leg, mailbox).await;
        match self.asked(&key, result) {
            Some(Ok(())) => self.change_leg(leg, |there| {
                there.state = LegState::Exited(id.to_owned());
                there.room = None;
            }),
            Some(Err(_)) => self.observe(&key, fact::exit_over(id, ExitEnd::Unknown), self.now_us()),
            None => {}
        }
    }
}

/// Whether it is in the plan, and not only for a time that is over.
fn is_named(plan: &Plan, key: &Key, now_us: i64) -> bool {
    match key.kind {
        Kind::Leg => {
            let leg = plan.legs.iter().find(|leg| leg.id == key.id);
            leg.and_then(Leg::dial).is_some_and(|it| now_us < it.ring_until_us)
        }
        Kind::Announcement => plan.announcements.iter().any(|it| it.id == key.id),
        Kind::Exit => plan.exit.as_ref().is_some_and(|it| it.id == key.id),
        Kind::Segment => plan.segment.as_ref().is_some_and(|it| it.id == key.id),
        Kind::SwitchLoss => false,
    }
}

/// What is to be said of a thing that is not wanted any more before the switch was asked for it.
fn never_begun(key: &Key) -> What {
    match key.kind {
        Kind::Leg => fact::ended(&key.id, Ending::HungUp),
        Kind::Announcement => fact::announcement_over(&key.id),
        Kind::Exit => fact::exit_over(&key.id, ExitEnd::Unknown),
        Kind::Segment => fact::segment_never_begun(&key.id),
        Kind::SwitchLoss => fact::switch_lost(),
    }
}
