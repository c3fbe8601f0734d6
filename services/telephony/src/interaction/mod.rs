//! One interaction: a task that makes the switch match its plan, and observes what becomes of it.
//!
//! Everything about an interaction happens in its own task, one thing after the other: so nothing about it needs a lock, and
//! a slow one delays no other. The task sleeps until there is a new plan, an event, a look at the switch, or a time to judge;
//! it ends when the interaction has ended and nothing of it is left anywhere.

mod event;
mod look;
mod observe;
mod once;
mod pass;
mod restore;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use baton_runtime::telemetry::TraceParent;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;

use crate::book::{Book, Inlets, Message, Name};
use crate::link::{LinkOrders, LinkState, Moments};
use crate::plan::{InteractionId, Origin, Plan};
use crate::report::{ReportWays, Reporter};
use crate::store::{Restored, Write};
use crate::switch::{Ending, Switch};
use crate::thing::Key;
use crate::world::{LegThere, World};

/// What all interactions share.
pub struct Ways {
    /// The switch.
    pub switch: Arc<dyn Switch>,
    /// To the transfer service and to the disk; the time; where tasks run.
    pub report: ReportWays,
    /// Whether the switch is connected.
    pub link: watch::Receiver<LinkState>,
    /// What is asked of the connection.
    pub orders: LinkOrders,
    /// Orders looks and changes.
    pub moments: Moments,
    /// Which name on the switch belongs to whom.
    pub book: Arc<Book>,
}

/// The interaction's task.
pub struct Interaction {
    id: InteractionId,
    ways: Arc<Ways>,
    inlets: Inlets,
    plan: Option<Arc<Plan>>,
    world: World,
    reporter: Reporter,
    /// The last place that was given to an observation.
    position: i64,
    /// The session of the last look.
    generation: u64,
    /// The run of the switch that the last look showed.
    boot_id: String,
    /// A look was asked for and has not come yet.
    awaits_look: bool,
    /// Passes that failed in a row, and when to try again if nothing changes before.
    failures: u32,
    retry_at_us: Option<i64>,
    /// The trace in which the plan was pushed, until it is made true: what is done after that follows from something else.
    trace: Option<TraceParent>,
    /// What is to be written, in order.
    writes: Vec<Write>,
    /// Segments that are about to be on the list for the archive, and whether they came there.
    listing: FuturesUnordered<BoxFuture<'static, (Key, bool)>>,
}

impl Interaction {
    /// `generation`: the session of which no look is needed, as nothing of the interaction can be on the switch.
    pub fn new(id: InteractionId, ways: Arc<Ways>, inlets: Inlets, generation: u64, restored: Restored) -> Self {
        let reporter = Reporter::new(id.clone(), ways.report.clone());
        let mut this = Self {
            id,
            ways,
            inlets,
            plan: None,
            world: World::default(),
            reporter,
            position: 0,
            generation,
            boot_id: String::new(),
            awaits_look: false,
            failures: 0,
            retry_at_us: None,
            trace: None,
            writes: Vec::new(),
            listing: FuturesUnordered::new(),
        };
        this.restore(restored);
        this
    }

    /// Until the interaction has ended, or the service stops.
    pub async fn run(mut self) {
        let clock = self.ways.report.clock.clone();
        let stopping = self.ways.report.lifecycle.soft();
        let drained = self.reporter.drained();
        let mut link = self.ways.link.clone();
        loop {
            {
                let _busy = clock.busy();
                self.pass().await;
            }
            if self.is_finished() && self.inlets.mailbox.is_empty() {
                break;
            }
            let wake_at_us = self.wake_at_us();
            tokio::select! {
                changed = self.inlets.plans.changed() => if changed.is_err() { break },
                message = self.inlets.mailbox.recv() => match message {
                    Some(message) => self.hear(message),
                    None => break,
                },
                changed = link.changed() => if changed.is_err() { return },
                () = drained.notified() => {}
                Some((key, listed)) = self.listing.next() => self.segment_listed(&key, listed),
                () = clock.sleep_until(wake_at_us), if wake_at_us < i64::MAX => {}
                () = stopping.cancelled() => return,
            }
        }
        // Without its task, fencing goes by what is on disk: the last version is there before this is.
        if self.ways.report.journal.write(Write::Finished(self.id.clone())).await.is_err() {
            return;
        }
        tracing::debug!(interaction.id = %self.id, "nothing is left of the interaction");
        self.ways.book.remove(&self.id);
    }

    /// Takes in everything that has come, without waiting.
    fn absorb(&mut self) {
        let newest = self.inlets.plans.borrow_and_update().clone();
        if let Some(plan) = newest.filter(|it| self.plan.as_ref().is_none_or(|old| !Arc::ptr_eq(old, it))) {
            self.take_over(plan);
        }
        while let Ok(message) = self.inlets.mailbox.try_recv() {
            self.hear(message);
        }
        while let Some(Some((key, listed))) = self.listing.next().now_or_never() {
            self.segment_listed(&key, listed);
        }
        if self.inlets.overflowed.swap(false, Ordering::Relaxed) {
            self.ask_for_look();
        }
        self.judge_times();
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Event(event) => {
                self.retry_at_us = None;
                self.hear_event(event);
            }
            Message::Look(share) => self.see(&share),
            Message::Silent => self.lose_switch(&format!("silent-{}", self.now_us())),
        }
    }

    /// Makes the names of everything in the plan known, before anything can be heard of it, and the plan ours.
    fn take_over(&mut self, plan: Arc<Plan>) {
        let name = |kind, id: &str| Name { kind, text: id.to_owned() };
        let ids = (plan.announcements.iter().map(|it| Key::announcement(&it.id)))
            .chain(plan.exit.iter().map(|it| Key::exit(&it.id)))
            .chain(plan.segment.iter().map(|it| Key::segment(&it.id)));
        for key in ids {
            self.ways.book.register(name(key.kind, &key.id), &self.id);
        }
        for leg in &plan.legs {
            let key = Key::leg(&leg.id);
            let call = self.ways.book.register(name(key.kind, leg.name()), &self.id);
            if self.world.was_asked(&key) {
                continue;
            }
            match &leg.origin {
                Origin::Dial(_) => {}
                Origin::Inbound(on_switch) => {
                    self.add_thing(key.clone(), on_switch, "");
                    if let Some(call) = call {
                        self.adopt(&key, on_switch, call);
                    }
                }
                Origin::Refused(why) => self.refuse(&key, why),
            }
        }
        self.give_up_segments(&plan);
        (self.retry_at_us, self.trace) = (None, plan.trace);
        self.plan = Some(plan);
    }

    /// A leg that must not be dialled is one that can't be reached (X3); everybody else is where they are wanted.
    fn refuse(&mut self, key: &Key, why: &str) {
        tracing::error!(interaction.id = %self.id, leg.id = key.id, why, "a leg is not dialled");
        self.add_thing(key.clone(), &key.id, "");
        self.observe(key, crate::fact::ended(&key.id, Ending::Unreachable), self.now_us());
    }

    /// A segment that was wanted only by versions that were skipped, and is awaited by this one, was never begun.
    fn give_up_segments(&mut self, plan: &Plan) {
        let now_us = self.now_us();
        for id in &plan.awaited_segments {
            let key = Key::segment(id);
            if !self.world.was_asked(&key) {
                self.add_thing(key.clone(), id, "");
                self.observe(&key, crate::fact::segment_never_begun(id), now_us);
            }
        }
    }

    /// A call that came in before it was known whose it is. It may have ended meanwhile.
    fn adopt(&mut self, key: &Key, on_switch: &str, call: crate::book::Unclaimed) {
        if let Some((why, at_us)) = call.ended {
            return self.observe(key, crate::fact::ended(&key.id, why), at_us);
        }
        let there = LegThere { state: call.state, ..LegThere::ringing(self.ways.moments.now()) };
        self.put_leg(key, on_switch, there);
    }

    fn ask_for_look(&mut self) {
        self.awaits_look = true;
        self.ways.orders.look();
    }

    fn now_us(&self) -> i64 {
        self.ways.report.clock.now_us()
    }

    /// The switch is connected, and what is on it is known.
    fn is_ready(&self) -> bool {
        matches!(&*self.ways.link.borrow(), LinkState::Up { generation, .. } if *generation == self.generation)
    }

    /// The last version is applied, and what came of it is reported. While the switch can't be seen, nothing is finished: legs
    /// that were taken for lost may come back with it.
    fn is_finished(&self) -> bool {
        self.is_ready()
            && self.plan.as_ref().is_some_and(|plan| plan.ended)
            && self.world.is_empty()
            && self.reporter.is_drained()
    }
}
