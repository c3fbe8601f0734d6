//! Makes the world follow the state: pushes the projections of every live interaction to telephony, presence and routing, and submits what they
//! answer as facts.
//!
//! One task an interaction, which sleeps while nothing changes: a slow interaction never delays another (T10). A projection that has not changed
//! since it was last accepted is not pushed again, unless its receiver says that it lacks it ([`compare`]). A push that fails is tried again
//! with the *newest* state; nothing is queued.

mod accepted;
mod compare;

use accepted::{Accepted, AcceptedProjections};

use crate::{
    TransferPeers,
    command_handler::{ChangeNotice, CommandHandler},
    convert,
    live::Live,
};
use baton_api::{ApiError, error::ErrorReason, telephony::v1::ApplyPlanRequest};
use baton_domain::{Fact, Input};
use baton_runtime::{client::Backoff, lifecycle, telemetry};
use baton_words::InteractionId;
use futures::FutureExt as _;
use parking_lot::Mutex;
use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc::UnboundedReceiver};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// For what was committed elsewhere.
const SCAN_EVERY: Duration = Duration::from_secs(5);

/// Pushes, until the shutdown.
pub(crate) struct Pusher {
    handler: Arc<CommandHandler>,
    peers: TransferPeers,
    compare_interval: Duration,
    followers: Followers,
}

type Followers = Arc<Mutex<HashMap<InteractionId, Arc<Follower>>>>;

/// One interaction that is followed.
#[derive(Debug)]
struct Follower {
    newest: Mutex<ChangeNotice>,
    accepted: Mutex<AcceptedProjections>,
    /// There is something new to push, or something that was accepted is lacking.
    changed: Notify,
}

impl Pusher {
    pub(crate) fn new(handler: Arc<CommandHandler>, peers: TransferPeers, compare_interval: Duration) -> Self {
        Self { handler, peers, compare_interval, followers: Arc::default() }
    }

    pub(crate) async fn run(self, mut notices: UnboundedReceiver<ChangeNotice>, stop: CancellationToken) {
        for receiver in compare::Receiver::ALL {
            let (peers, followers) = (self.peers.clone(), self.followers.clone());
            let (clock, interval, stop) = (self.handler.clock.clone(), self.compare_interval, stop.clone());
            lifecycle::spawn(async move {
                stop.run_until_cancelled(compare::run(receiver, peers, followers, clock, interval)).await;
            });
        }
        let mut scans = self.handler.clock.interval(SCAN_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                next = notices.recv() => match next {
                    Some(notice) => self.note(notice, &stop),
                    None => return,
                },
                _ = scans.tick() => self.scan().await,
            }
        }
    }

    /// Follows what nobody follows yet, and goes on with what another process has committed: its notices went elsewhere.
    async fn scan(&self) {
        let _busy = self.handler.clock.busy();
        let version = |id| self.followers.lock().get(&id).map(|it| it.newest.lock().live.version);
        if let Err(error) = self.handler.take_up(version).await {
            tracing::warn!(%error, "what was committed elsewhere could not be read; looking again");
        }
    }

    /// Hands the newest state to the interaction's follower, and starts one where there is none.
    fn note(&self, notice: ChangeNotice, stop: &CancellationToken) {
        let id = notice.live.id;
        let mut followers = self.followers.lock();
        if let Some(follower) = followers.get(&id) {
            let mut newest = follower.newest.lock();
            if newest.live.version < notice.live.version {
                *newest = notice;
                follower.changed.notify_one();
            }
            return;
        }
        let (newest, accepted) = (Mutex::new(notice), Mutex::default());
        let follower = Arc::new(Follower { newest, accepted, changed: Notify::new() });
        followers.insert(id, follower.clone());
        drop(followers);
        let task = Follow {
            handler: self.handler.clone(),
            peers: self.peers.clone(),
            follower,
            followers: self.followers.clone(),
        };
        let stop = stop.clone();
        let busy = self.handler.clock.busy();
        lifecycle::spawn(async move {
            stop.run_until_cancelled(Box::pin(task.follow(busy))).await;
        });
    }
}

/// The task of one interaction.
struct Follow {
    handler: Arc<CommandHandler>,
    peers: TransferPeers,
    follower: Arc<Follower>,
    followers: Followers,
}

impl Follow {
    async fn follow(self, busy: baton_runtime::clock::BusyGuard) {
        let clock = self.handler.clock.clone();
        let backoff = Backoff::default();
        let mut failures = 0;
        let mut busy = Some(busy);
        let mut acknowledged = 0;
        loop {
            let ChangeNotice { live: interaction, trace } = self.follower.newest.lock().clone();
            // What is pushed again although it was accepted belongs to no command.
            let trace = trace.filter(|_| interaction.version > acknowledged);
            let span = tracing::info_span!(parent: None, "push", interaction.id = %interaction.id, interaction.version = interaction.version);
            let pushing = AssertUnwindSafe(Box::pin(self.push(&interaction))).catch_unwind();
            // A bug that panics on one interaction must not leave it without a follower.
            let panicked = |_| Err(Status::internal("the push panicked"));
            match telemetry::follow(trace, span, pushing).await.unwrap_or_else(panicked) {
                Ok(()) => (failures, acknowledged) = (0, interaction.version),
                Err(status) => {
                    failures += 1;
                    tracing::warn!(interaction.id = %interaction.id, code = ?status.code(), reason = status.message(), "a push failed");
                }
            }
            if failures == 0 && self.leave_if_done(&interaction) {
                if let Err(error) = self.handler.acknowledge(&interaction).await {
                    tracing::warn!(interaction.id = %interaction.id, %error, "the next start tells its end once more");
                }
                return;
            }
            busy.take();
            let changed = self.follower.changed.notified();
            if failures == 0 {
                changed.await;
            } else {
                tokio::select! {
                    () = changed => {}
                    () = clock.sleep(backoff.pause(failures)) => {}
                }
            }
            busy = Some(clock.busy());
        }
    }

    /// An interaction that is over, and whose end everybody has accepted, needs no follower.
    fn leave_if_done(&self, pushed: &Live) -> bool {
        let mut followers = self.followers.lock();
        let unchanged = self.follower.newest.lock().live.version == pushed.version;
        let done = pushed.settled() && unchanged;
        if done {
            followers.remove(&pushed.id);
        }
        done
    }

    /// Pushes the three projections, each to its own service, at the same time, and submits what each answers: no service waits for a slow
    /// one.
    async fn push(&self, i: &Live) -> Result<(), Status> {
        let (media, agents, team) = futures::join!(self.push_plan(i), self.push_claims(i), self.push_wait(i));
        media.and(agents).and(team)
    }

    async fn push_plan(&self, i: &Live) -> Result<(), Status> {
        // Those who write have no switch.
        if i.medium.is_written() {
            return Ok(());
        }
        let plan = i.plan();
        if self.follower.accepted.lock().has_plan(&plan) {
            return Ok(());
        }
        let request = ApplyPlanRequest { plan: Some(convert::plan::media(i, &plan)) };
        self.peers.telephony.clone().apply_plan(request).await.map(drop).or_else(not_if_stale)?;
        self.follower.accepted.lock().plan = Some(Accepted { version: i.version, projection: plan });
        Ok(())
    }

    async fn push_claims(&self, i: &Live) -> Result<(), Status> {
        let claims = i.claims();
        if self.follower.accepted.lock().has_claims(&claims) {
            return Ok(());
        }
        let facts = match self.peers.presence.clone().sync_claims(convert::plan::claims(i, &claims)).await {
            Ok(answer) => convert::facts::of_claims(i.id, answer.get_ref())?,
            Err(status) => not_if_stale(status).map(|()| Vec::new())?,
        };
        // Only now: a grant that was not committed is asked for again at once.
        self.report(i.id, facts).await?;
        self.follower.accepted.lock().claims = Some(Accepted { version: i.version, projection: claims });
        Ok(())
    }

    async fn push_wait(&self, i: &Live) -> Result<(), Status> {
        let wait = i.queueing();
        // An interaction that has never waited is nothing to routing.
        if i.counters.wait == 0 || self.follower.accepted.lock().has_wait(&wait) {
            return Ok(());
        }
        let answer = match self.peers.routing.clone().sync_wait(convert::plan::wait(i, &wait)).await {
            Ok(answer) => Some(answer.into_inner()),
            Err(status) => not_if_stale(status).map(|()| None)?,
        };
        let fact = match (answer, &wait.wait) {
            (Some(answer), Some(wait)) => convert::facts::of_wait(wait.wait, &answer)?,
            _ => None,
        };
        self.report(i.id, fact.into_iter().collect()).await?;
        self.follower.accepted.lock().wait = Some(Accepted { version: i.version, projection: wait });
        Ok(())
    }

    async fn report(&self, id: InteractionId, facts: Vec<Fact>) -> Result<(), Status> {
        if !facts.is_empty() {
            self.handler.submit(id, facts.into_iter().map(Input::Fact).collect()).await?;
        }
        Ok(())
    }
}

/// Somebody has seen a newer version: then ours needs no pushing.
fn not_if_stale(status: Status) -> Result<(), Status> {
    match ApiError::from_status(&status) {
        Some(error) if error.reason == ErrorReason::Stale => Ok(()),
        _ => Err(status),
    }
}
