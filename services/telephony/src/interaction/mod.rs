//! One interaction: a task that makes the switch match the plan, and observes what happens.
//!
//! Each interaction has a task of its own, which works sequentially: so its state needs no lock, and a slow interaction
//! delays no other. The task sleeps until there is a new plan, an event, a snapshot, or a deadline. It ends when the
//! interaction has ended, nothing of it is left on the switch, and all facts are reported.

mod ended_unheard;
mod event;
mod last_look;
mod message;
mod observe;
mod operation;
mod pass;
mod phone;
mod restore;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use baton_runtime::telemetry::TraceParent;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;

use crate::link::{LinkRequests, LinkState, LogicalClock};
use crate::live_phones::LivePhones;
use crate::name_registry::{InteractionInbox, InteractionMessage, NameRegistry, SwitchName};
use crate::observed::{ObservedLeg, ObservedState};
use crate::operation::{OperationKey, Stamp};
use crate::plan::{InteractionId, Plan, WantedOrigin};
use crate::report::{ReportContext, Reporter};
use crate::store::{RestoredOperations, StoreWrite};
use crate::switch::{LegEnding, SwitchPort};
use last_look::LastLook;

/// Shared by all interactions.
pub struct InteractionContext {
    pub switch: Arc<dyn SwitchPort>,
    pub report: ReportContext,
    pub link: watch::Receiver<LinkState>,
    pub link_requests: LinkRequests,
    pub logical_clock: LogicalClock,
    pub names: Arc<NameRegistry>,
    pub phones: Arc<LivePhones>,
}

/// The task of one interaction, and its state.
pub struct InteractionDriver {
    id: InteractionId,
    context: Arc<InteractionContext>,
    inbox: InteractionInbox,
    plan: Option<Arc<Plan>>,
    observed: ObservedState,
    reporter: Reporter,
    /// The position of the last fact.
    position: i64,
    /// The session of the last snapshot; 0 before the first.
    generation: u64,
    /// The run of the switch that the last snapshot showed.
    boot_id: String,
    /// A resync was requested, and the snapshot has not come yet.
    awaits_resync: bool,
    /// The stamp of the last snapshot.
    seen: Stamp,
    /// A phone has rung for as long as it may, and the switch is asked once more.
    last_look: Option<LastLook>,
    /// Legs that ended while nobody listened: the switch is asked how.
    ended_unheard: BTreeSet<OperationKey>,
    /// Legs that are dialled when the phone is free, and since when they wait for it.
    awaited_phones: BTreeMap<String, i64>,
    /// Passes that failed in a row.
    failures: u32,
    /// When to try again if nothing changes before.
    retry_at_us: Option<i64>,
    /// The trace of the call that brought the plan, until the switch matches the plan: later steps have another cause.
    trace: Option<TraceParent>,
    /// Writes that are to be queued, in this order.
    writes: Vec<StoreWrite>,
    /// Uploads whose commit is awaited: the segment, and whether its upload was committed.
    pending_uploads: FuturesUnordered<BoxFuture<'static, (OperationKey, bool)>>,
}

impl InteractionDriver {
    /// `generation`: the session whose snapshot is not awaited, because the interaction has nothing on the switch; 0: none.
    pub fn new(
        id: InteractionId,
        context: Arc<InteractionContext>,
        inbox: InteractionInbox,
        generation: u64,
        restored: RestoredOperations,
    ) -> Self {
        let reporter = Reporter::new(id.clone(), context.report.clone());
        let mut this = Self {
            id,
            context,
            inbox,
            plan: None,
            observed: ObservedState::default(),
            reporter,
            position: 0,
            generation,
            boot_id: String::new(),
            awaits_resync: false,
            seen: Stamp::default(),
            last_look: None,
            ended_unheard: BTreeSet::new(),
            awaited_phones: BTreeMap::new(),
            failures: 0,
            retry_at_us: None,
            trace: None,
            writes: Vec::new(),
            pending_uploads: FuturesUnordered::new(),
        };
        this.restore(restored);
        this
    }

    /// Until the interaction has ended, or the service stops.
    pub async fn run(mut self) {
        let clock = self.context.report.clock.clone();
        let stopping = self.context.report.lifecycle.soft();
        let drained = self.reporter.drained();
        let mut link = self.context.link.clone();
        let mut freed = self.context.phones.freed();
        loop {
            {
                let _busy = clock.busy();
                self.pass().await;
            }
            if self.is_finished() && self.inbox.messages.is_empty() {
                break;
            }
            let wake_at_us = self.wake_at_us();
            tokio::select! {
                changed = self.inbox.plans.changed() => if changed.is_err() { break },
                message = self.inbox.messages.recv() => match message {
                    Some(message) => self.handle_message(message),
                    None => break,
                },
                changed = link.changed() => if changed.is_err() { return },
                () = drained.notified() => {}
                _ = freed.changed(), if !self.awaited_phones.is_empty() => {}
                Some((key, committed)) = self.pending_uploads.next() => self.upload_committed(&key, committed),
                () = clock.sleep_until(wake_at_us), if wake_at_us < i64::MAX => {}
                () = stopping.cancelled() => return,
            }
        }
        // Without the task, the stored plan fences: the last version is on disk before this write is.
        if self.context.report.journal.write(StoreWrite::Finished(self.id.clone())).await.is_err() {
            return;
        }
        tracing::debug!(interaction.id = %self.id, "nothing is left of the interaction");
        self.context.names.remove(&self.id);
    }

    /// Handles everything that has come, without waiting.
    fn absorb(&mut self) {
        let newest = self.inbox.plans.borrow_and_update().clone();
        if let Some(plan) = newest.filter(|it| self.plan.as_ref().is_none_or(|old| !Arc::ptr_eq(old, it))) {
            self.adopt_plan(plan);
        }
        while let Ok(message) = self.inbox.messages.try_recv() {
            self.handle_message(message);
        }
        while let Some(Some((key, committed))) = self.pending_uploads.next().now_or_never() {
            self.upload_committed(&key, committed);
        }
        if self.inbox.overflowed.swap(false, Ordering::Relaxed) {
            self.request_resync();
        }
        self.check_deadlines();
        self.check_phones();
    }

    fn handle_message(&mut self, message: InteractionMessage) {
        match message {
            InteractionMessage::Event(event) => {
                self.retry_at_us = None;
                self.handle_event(event);
            }
            InteractionMessage::Snapshot(slice) => self.apply_snapshot(&slice),
            InteractionMessage::Silent => self.lose_switch(&format!("silent-{}", self.now_us())),
        }
    }

    /// Registers all names of the plan, before events can come for them, and makes it the current plan.
    fn adopt_plan(&mut self, plan: Arc<Plan>) {
        (self.retry_at_us, self.trace) = (None, plan.trace);
        let name = |kind, id: &str| SwitchName { kind, text: id.to_owned() };
        let ids = (plan.announcements.iter().map(|it| OperationKey::announcement(&it.id)))
            .chain(plan.exit.iter().map(|it| OperationKey::exit(&it.id)))
            .chain(plan.segment.iter().map(|it| OperationKey::segment(&it.id)));
        for key in ids {
            self.context.names.register(name(key.kind, &key.id), &self.id);
        }
        for leg in &plan.legs {
            let key = OperationKey::leg(&leg.id);
            let call = self.context.names.register(name(key.kind, leg.name()), &self.id);
            if self.observed.was_requested(&key) {
                continue;
            }
            match &leg.origin {
                WantedOrigin::Dial(_) => {}
                WantedOrigin::Inbound(on_switch) => {
                    self.add_operation(key.clone(), on_switch, "");
                    if let Some(call) = call {
                        self.adopt_call(&key, on_switch, call);
                    }
                }
                WantedOrigin::Refused(why) => self.refuse(&key, why),
            }
        }
        self.give_up_segments(&plan);
        self.plan = Some(plan);
    }

    /// A leg that must not be dialled is reported as unreachable (X3); the rest of the plan is carried out.
    fn refuse(&mut self, key: &OperationKey, why: &str) {
        tracing::error!(interaction.id = %self.id, leg.id = key.id, why, "a leg is not dialled");
        self.add_operation(key.clone(), &key.id, "");
        self.observe(key, crate::fact::ended(&key.id, LegEnding::Unreachable), self.now_us());
    }

    /// A segment that only skipped versions wanted, and whose end this version awaits, never began.
    fn give_up_segments(&mut self, plan: &Plan) {
        let now_us = self.now_us();
        for id in &plan.awaited_segments {
            let key = OperationKey::segment(id);
            if !self.observed.was_requested(&key) {
                self.add_operation(key.clone(), id, "");
                self.observe(&key, crate::fact::segment_never_begun(id), now_us);
            }
        }
    }

    /// Adopts an inbound call that came before the plan. The call may have ended meanwhile.
    fn adopt_call(&mut self, key: &OperationKey, on_switch: &str, call: crate::name_registry::UnclaimedCall) {
        if let Some((why, at_us)) = call.ended {
            return self.observe(key, crate::fact::ended(&key.id, why), at_us);
        }
        let actual = ObservedLeg { progress: call.progress, ..ObservedLeg::ringing(self.context.logical_clock.now()) };
        self.put_leg(key, on_switch, actual);
    }

    fn request_resync(&mut self) {
        self.awaits_resync = true;
        self.context.link_requests.resync();
    }

    fn now_us(&self) -> i64 {
        self.context.report.clock.now_us()
    }

    fn heard_us(&self) -> i64 {
        self.context.report.clock.heard_us()
    }

    /// The switch is connected, and a snapshot of this session was applied.
    fn is_ready(&self) -> bool {
        matches!(&*self.context.link.borrow(), LinkState::Up { generation, .. } if *generation == self.generation)
    }

    /// The last version is carried out, and all facts are reported. While the switch is not connected, no interaction is
    /// finished: legs that were taken for lost may come back with it.
    fn is_finished(&self) -> bool {
        self.is_ready()
            && self.plan.as_ref().is_some_and(|plan| plan.ended)
            && self.observed.is_empty()
            && self.reporter.is_drained()
    }
}
