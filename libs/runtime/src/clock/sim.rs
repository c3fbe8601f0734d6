//! The simulated clock: its sleepers, the work in flight, and the driver that jumps from deadline to deadline.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

/// How long it must have been quiet before time jumps, in rounds of a millisecond. Between the end of one piece of work and
/// the guard of the next, which it wakes, a task has to be scheduled: usually within microseconds.
const QUIET_ROUNDS: u32 = 3;
const ROUND: Duration = Duration::from_millis(1);
/// The same on a runtime of one thread, in turns of all its tasks: more than any chain of tasks and sockets has links.
const QUIET_TURNS: u32 = 50;
/// After this many rounds without a jump although there are sleepers, the guards that are held are reported.
const STUCK_ROUNDS: u32 = 5_000;
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// Shared by all clones of a simulated clock.
#[derive(Debug)]
pub(super) struct SimClock {
    state: Mutex<SimState>,
    /// Wakes the driver when there may be a sleeper to wake, so that an idle simulation costs nothing.
    changed: Notify,
}

#[derive(Debug)]
struct SimState {
    now_us: i64,
    /// By deadline, then by order of arrival.
    sleepers: BTreeMap<(i64, u64), oneshot::Sender<()>>,
    /// Guards that are held, and where each was taken.
    guards: BTreeMap<u64, &'static Location<'static>>,
    /// How many of the guards belong to parked calls, and so don't count.
    parked: usize,
    /// The last id of a sleeper or guard; every other change counts it up as well.
    activity: u64,
}

impl SimState {
    fn next_id(&mut self) -> u64 {
        self.activity += 1;
        self.activity
    }

    fn is_idle(&self) -> bool {
        self.guards.len() <= self.parked
    }
}

impl SimClock {
    pub(super) fn new(start_us: i64) -> Self {
        let state =
            SimState { now_us: start_us, sleepers: BTreeMap::new(), guards: BTreeMap::new(), parked: 0, activity: 0 };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, SimState> {
        // No code that holds the lock can panic half way through a change.
        self.state.lock()
    }

    pub(super) fn now_us(&self) -> i64 {
        self.lock().now_us
    }

    pub(super) fn enter(&self, location: &'static Location<'static>) -> u64 {
        let mut state = self.lock();
        let id = state.next_id();
        state.guards.insert(id, location);
        id
    }

    pub(super) fn leave(&self, id: u64) {
        let mut state = self.lock();
        state.guards.remove(&id);
        state.next_id();
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn park(self: &Arc<Self>, depth: usize) -> Parked {
        let mut state = self.lock();
        state.parked += depth;
        state.next_id();
        drop(state);
        self.changed.notify_one();
        Parked { sim: Arc::clone(self), depth }
    }

    pub(super) async fn sleep_until(&self, deadline_us: i64) {
        let Some((key, woken)) = self.register(deadline_us) else {
            // A loop over deadlines that have passed must not block the thread.
            return tokio::task::yield_now().await;
        };
        self.changed.notify_one();
        let _entry = SleeperEntry { sim: self, key };
        // The sender is dropped only with the clock itself: then there is no more time to wait for.
        let _ = woken.await;
    }

    /// Adds a sleeper; `None` if its deadline has passed.
    fn register(&self, deadline_us: i64) -> Option<((i64, u64), oneshot::Receiver<()>)> {
        let mut state = self.lock();
        if deadline_us <= state.now_us {
            return None;
        }
        let (sender, woken) = oneshot::channel();
        let key = (deadline_us, state.next_id());
        state.sleepers.insert(key, sender);
        Some((key, woken))
    }

    /// Jumps to the earliest deadline and wakes its sleepers, if nothing has happened since `seen`. Returns whether it did.
    fn jump(&self, seen: u64) -> bool {
        let mut state = self.lock();
        if state.activity != seen || !state.is_idle() {
            return false;
        }
        let Some(((deadline_us, _), _)) = state.sleepers.first_key_value() else {
            return false;
        };
        let deadline_us = *deadline_us;
        state.now_us = deadline_us;
        let later = state.sleepers.split_off(&(deadline_us, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        state.next_id();
        drop(state);
        for sender in due.into_values() {
            // It fails if the sleeper gave up meanwhile.
            let _ = sender.send(());
        }
        true
    }
}

/// `depth` guards don't count until this is dropped.
#[derive(Debug)]
pub(super) struct Parked {
    sim: Arc<SimClock>,
    depth: usize,
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut state = self.sim.lock();
        state.parked -= self.depth;
        state.next_id();
    }
}

/// Takes a sleeper off the list when its future is dropped.
struct SleeperEntry<'a> {
    sim: &'a SimClock,
    key: (i64, u64),
}

impl Drop for SleeperEntry<'_> {
    fn drop(&mut self) {
        let mut state = self.sim.lock();
        state.sleepers.remove(&self.key);
        state.next_id();
    }
}

/// Moves a simulated clock on; time stands still unless it runs.
#[derive(Debug)]
pub struct SimDriver {
    sim: Arc<SimClock>,
}

impl SimDriver {
    pub(super) fn new(sim: Arc<SimClock>) -> Self {
        Self { sim }
    }

    /// Jumps to the earliest deadline whenever no work is in flight and it has been quiet for a few milliseconds. Runs until
    /// dropped.
    pub async fn run(self) {
        let mut stuck_rounds = 0;
        loop {
            let (seen, asleep) = {
                let state = self.sim.lock();
                (state.activity, !state.sleepers.is_empty())
            };
            if !asleep {
                self.sim.changed.notified().await;
                continue;
            }
            if self.is_quiet(seen).await && self.sim.jump(seen) {
                stuck_rounds = 0;
                continue;
            }
            stuck_rounds += 1;
            if stuck_rounds == STUCK_ROUNDS {
                self.report();
            }
        }
    }

    /// The same on a runtime of one thread, and for whoever plays hours of simulated time: there all other tasks have had their turn, and
    /// all sockets have been looked at, whenever this one has yielded. So it is known within microseconds that it is quiet, and it
    /// does not matter how busy the machine is.
    pub async fn run_on_one_thread(self) {
        loop {
            let (seen, may_jump) = {
                let state = self.sim.lock();
                (state.activity, state.is_idle() && !state.sleepers.is_empty())
            };
            if !may_jump {
                self.changed_or_stuck().await;
            } else if self.is_quiet_for_turns(seen).await {
                self.sim.jump(seen);
            }
        }
    }

    async fn changed_or_stuck(&self) {
        #[expect(clippy::disallowed_methods, reason = "what hangs is reported in real time")]
        let stuck = tokio::time::sleep(STUCK_AFTER);
        tokio::select! {
            () = self.sim.changed.notified() => {}
            () = stuck => self.report(),
        }
    }

    async fn is_quiet_for_turns(&self, seen: u64) -> bool {
        for _ in 0..QUIET_TURNS {
            tokio::task::yield_now().await;
            if self.sim.lock().activity != seen {
                return false;
            }
        }
        true
    }

    /// Whether nothing happens, and no work is in flight, for `QUIET_ROUNDS`. The first sign of activity ends the wait.
    async fn is_quiet(&self, seen: u64) -> bool {
        for _ in 0..QUIET_ROUNDS {
            #[expect(clippy::disallowed_methods, reason = "quiet is measured in real time")]
            tokio::time::sleep(ROUND).await;
            let state = self.sim.lock();
            if state.activity != seen || !state.is_idle() {
                return false;
            }
        }
        true
    }

    fn report(&self) {
        let state = self.sim.lock();
        let locations: Vec<_> = state.guards.values().map(ToString::to_string).collect();
        tracing::warn!(guards = ?locations, parked = state.parked, "simulated time stands still: work has been in flight for seconds");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Clock;
    use super::*;

    fn simulated() -> Clock {
        let (clock, driver) = Clock::simulated(1_000);
        crate::lifecycle::spawn(driver.run());
        clock
    }

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = simulated();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for n in (1..=50_i64).rev() {
            let (clock, woken) = (clock.clone(), Arc::clone(&woken));
            tasks.push(crate::lifecycle::spawn(async move {
                clock.sleep_until(n * 3_600_000_000).await;
                woken.lock().push((n, clock.now_us()));
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let expected: Vec<_> = (1..=50).map(|n| (n, n * 3_600_000_000)).collect();
        assert_eq!(*woken.lock(), expected);
    }

    #[tokio::test]
    async fn on_one_thread_time_waits_for_work_and_for_chains_of_tasks() {
        let (clock, driver) = Clock::simulated(0);
        crate::lifecycle::spawn(driver.run_on_one_thread());
        let (first, mut next) = tokio::sync::mpsc::channel::<()>(1);
        let chain = {
            let clock = clock.clone();
            crate::lifecycle::spawn(async move {
                // Ten tasks, each woken by the one before, without a guard.
                for _ in 0..10 {
                    let (to, from) = tokio::sync::mpsc::channel(1);
                    let mut before = std::mem::replace(&mut next, from);
                    crate::lifecycle::spawn(async move {
                        before.recv().await.unwrap();
                        to.send(()).await.unwrap();
                    });
                }
                next.recv().await;
                clock.now_us()
            })
        };
        let busy = clock.busy();
        let sleeper = {
            let clock = clock.clone();
            crate::lifecycle::spawn(async move { clock.sleep(Duration::from_hours(1)).await })
        };
        first.send(()).await.unwrap();
        drop(busy);
        assert_eq!(chain.await.unwrap(), 0);
        sleeper.await.unwrap();
        assert_eq!(clock.now_us(), 3_600_000_000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn time_stands_still_while_work_is_in_flight() {
        let clock = simulated();
        let guard = clock.busy();
        let sleeper = {
            let clock = clock.clone();
            crate::lifecycle::spawn(async move { clock.sleep(Duration::from_secs(1)).await })
        };
        // Ten times what the driver would need.
        #[expect(clippy::disallowed_methods, reason = "real time is what is tested")]
        tokio::time::sleep(ROUND * QUIET_ROUNDS * 10).await;
        assert_eq!(clock.now_us(), 1_000);
        assert!(!sleeper.is_finished());
        drop(guard);
        sleeper.await.unwrap();
        assert_eq!(clock.now_us(), 1_001_000);
    }

    #[tokio::test]
    async fn a_parked_call_lets_time_move_on() {
        let clock = simulated();
        let call = crate::context::CallContext { depth: 2, ..Default::default() };
        let guards = [clock.busy(), clock.busy()];
        crate::context::scope(call, async {
            clock.park(clock.sleep(Duration::from_secs(5))).await;
        })
        .await;
        assert_eq!(clock.now_us(), 5_001_000);
        drop(guards);
    }

    #[tokio::test]
    async fn a_sleep_that_was_given_up_is_forgotten() {
        let clock = simulated();
        let first = clock.timeout(Duration::from_secs(1), clock.sleep(Duration::from_secs(9))).await;
        assert!(first.is_err());
        assert_eq!(clock.now_us(), 1_001_000);
        let Clock(super::super::TimeSource::Sim(sim)) = &clock else { unreachable!("simulated") };
        assert!(sim.lock().sleepers.is_empty());
    }

    #[tokio::test]
    async fn an_interval_keeps_its_grid_and_skips_what_was_missed() {
        let clock = simulated();
        let mut interval = clock.interval(Duration::from_secs(10));
        assert_eq!(interval.tick().await, 10_001_000);
        clock.sleep(Duration::from_secs(25)).await;
        assert_eq!(interval.tick().await, 20_001_000);
        assert_eq!(interval.tick().await, 40_001_000);
    }

    #[tokio::test]
    async fn chains_of_work_are_not_overtaken() {
        let clock = simulated();
        let deadline = clock.sleep(Duration::from_mins(1));
        let chain = async {
            for _ in 0..200 {
                let _busy = clock.busy();
                tokio::task::yield_now().await;
            }
            clock.now_us()
        };
        let (at_us, ()) = tokio::join!(chain, deadline);
        assert_eq!(at_us, 1_000);
    }
}
