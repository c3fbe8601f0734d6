//! Makes the world follow the state: pushes the projections of every live interaction to telephony, presence and routing, and submits what they
//! answer as facts.
//!
//! One task an interaction, while there is something to push: a slow interaction never delays another (T10). A projection that has not changed
//! since it was last accepted is not pushed again, until the periodic push, which heals whatever was missed. A push that fails is tried again
//! with the *newest* state; nothing is queued.

use crate::{
    TransferPeers,
    command_handler::{ChangeNotice, CommandHandler},
    convert,
    live::Live,
};
use baton_api::{
    ApiError,
    error::ErrorReason,
    presence::v1::claim_service_client::ClaimServiceClient,
    routing::v1::route_service_client::RouteServiceClient,
    telephony::v1::{ApplyPlanRequest, telephony_service_client::TelephonyServiceClient},
};
use baton_domain::{
    Fact, Input,
    project::{Claims, MediaPlan, Wait},
};
use baton_runtime::{
    client::{Backoff, InternalChannel},
    lifecycle, telemetry,
};
use baton_words::InteractionId;
use futures::FutureExt as _;
use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc::UnboundedReceiver};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Pushes, until the shutdown.
pub(crate) struct Pusher {
    handler: Arc<CommandHandler>,
    peers: TransferPeers,
    repush: Duration,
    followers: Arc<Mutex<HashMap<InteractionId, Arc<Follower>>>>,
}

/// One interaction that is followed.
#[derive(Debug)]
struct Follower {
    newest: Mutex<ChangeNotice>,
    changed: Notify,
}

/// What was last accepted of each projection; its version aside.
#[derive(Debug, Default)]
struct AcceptedProjections {
    plan: Option<MediaPlan>,
    claims: Option<Claims>,
    wait: AcceptedWait,
}

/// What routing last accepted.
#[derive(Debug, Default)]
enum AcceptedWait {
    /// Nobody knows.
    #[default]
    Unknown,
    /// This wait, or none.
    Known(Option<Wait>),
}

impl Pusher {
    pub(crate) fn new(handler: Arc<CommandHandler>, peers: TransferPeers, repush: Duration) -> Self {
        Self { handler, peers, repush, followers: Arc::default() }
    }

    pub(crate) async fn run(self, mut notices: UnboundedReceiver<ChangeNotice>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                next = notices.recv() => match next {
                    Some(notice) => self.note(notice, &stop),
                    None => return,
                },
            }
        }
    }

    /// Hands the newest state to the interaction's follower, and starts one where there is none.
    fn note(&self, notice: ChangeNotice, stop: &CancellationToken) {
        let id = notice.live.id;
        let mut followers = lock(&self.followers);
        if let Some(follower) = followers.get(&id) {
            let mut newest = lock(&follower.newest);
            if newest.live.version < notice.live.version {
                *newest = notice;
                follower.changed.notify_one();
            }
            return;
        }
        let follower = Arc::new(Follower { newest: Mutex::new(notice), changed: Notify::new() });
        followers.insert(id, follower.clone());
        drop(followers);
        let task = Follow {
            handler: self.handler.clone(),
            peers: self.peers.clone(),
            follower,
            followers: self.followers.clone(),
            repush: self.repush,
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
    followers: Arc<Mutex<HashMap<InteractionId, Arc<Follower>>>>,
    repush: Duration,
}

impl Follow {
    async fn follow(mut self, busy: baton_runtime::clock::BusyGuard) {
        let clock = self.handler.clock.clone();
        let backoff = Backoff::default();
        let mut accepted = AcceptedProjections::default();
        let mut failures = 0;
        let mut busy = Some(busy);
        let mut acknowledged = 0;
        loop {
            let ChangeNotice { live: interaction, trace } = lock(&self.follower.newest).clone();
            // What is pushed again although it was accepted belongs to no command.
            let trace = trace.filter(|_| interaction.version > acknowledged);
            let span = tracing::info_span!(parent: None, "push", interaction.id = %interaction.id, interaction.version = interaction.version);
            let pushing = AssertUnwindSafe(Box::pin(self.push(&interaction, &mut accepted))).catch_unwind();
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
            let pause = if failures == 0 { self.repush } else { backoff.pause(failures) };
            tokio::select! {
                () = self.follower.changed.notified() => {}
                () = clock.sleep(pause) => if failures == 0 { accepted = AcceptedProjections::default() },
            }
            busy = Some(clock.busy());
        }
    }

    /// An interaction that is over, and whose end everybody has accepted, needs no follower.
    fn leave_if_done(&self, pushed: &Live) -> bool {
        let mut followers = lock(&self.followers);
        let unchanged = lock(&self.follower.newest).live.version == pushed.version;
        let done = pushed.settled() && unchanged;
        if done {
            followers.remove(&pushed.id);
        }
        done
    }

    /// Pushes the three projections, each to its own service, at the same time, and submits what each answers: no service waits for a slow
    /// one.
    async fn push(&mut self, i: &Live, accepted: &mut AcceptedProjections) -> Result<(), Status> {
        let AcceptedProjections { plan, claims, wait } = accepted;
        let handler = &self.handler;
        let (media, agents, team) = futures::join!(
            push_plan(self.peers.telephony.clone(), i, plan),
            push_claims(self.peers.presence.clone(), handler, i, claims),
            push_wait(self.peers.routing.clone(), handler, i, wait),
        );
        media.and(agents).and(team)
    }
}

async fn report(handler: &Arc<CommandHandler>, id: InteractionId, facts: Vec<Fact>) -> Result<(), Status> {
    if !facts.is_empty() {
        handler.submit(id, facts.into_iter().map(Input::Fact).collect()).await?;
    }
    Ok(())
}

async fn push_plan(
    mut telephony: TelephonyServiceClient<InternalChannel>,
    i: &Live,
    accepted: &mut Option<MediaPlan>,
) -> Result<(), Status> {
    let plan = i.plan();
    if accepted.as_ref().is_some_and(|old| *old == MediaPlan { version: old.version, ..plan.clone() }) {
        return Ok(());
    }
    let request = ApplyPlanRequest { plan: Some(convert::plan::media(i, &plan)) };
    telephony.apply_plan(request).await.map(drop).or_else(not_if_stale)?;
    *accepted = Some(plan);
    Ok(())
}

async fn push_claims(
    mut presence: ClaimServiceClient<InternalChannel>,
    handler: &Arc<CommandHandler>,
    i: &Live,
    accepted: &mut Option<Claims>,
) -> Result<(), Status> {
    let claims = i.claims();
    if accepted.as_ref().is_some_and(|old| *old == Claims { version: old.version, ..claims.clone() }) {
        return Ok(());
    }
    let facts = match presence.sync_claims(convert::plan::claims(i, &claims)).await {
        Ok(answer) => convert::facts::of_claims(i.id, answer.get_ref())?,
        Err(status) => not_if_stale(status).map(|()| Vec::new())?,
    };
    // Only now: a grant that was not committed is command_request for again at once.
    report(handler, i.id, facts).await?;
    *accepted = Some(claims);
    Ok(())
}

async fn push_wait(
    mut routing: RouteServiceClient<InternalChannel>,
    handler: &Arc<CommandHandler>,
    i: &Live,
    accepted: &mut AcceptedWait,
) -> Result<(), Status> {
    let wait = i.wait();
    let same = match accepted {
        // An interaction that has never waited is nothing to routing.
        AcceptedWait::Unknown => i.counters.wait == 0,
        AcceptedWait::Known(old) => *old == wait,
    };
    if same {
        return Ok(());
    }
    let answer = match routing.sync_wait(convert::plan::wait(i, wait.as_ref())).await {
        Ok(answer) => Some(answer.into_inner()),
        Err(status) => not_if_stale(status).map(|()| None)?,
    };
    let fact = match (answer, &wait) {
        (Some(answer), Some(wait)) => convert::facts::of_wait(wait.wait, &answer)?,
        _ => None,
    };
    report(handler, i.id, fact.into_iter().collect()).await?;
    *accepted = AcceptedWait::Known(wait);
    Ok(())
}

/// Somebody has seen a newer version: then ours needs no pushing.
fn not_if_stale(status: Status) -> Result<(), Status> {
    match ApiError::from_status(&status) {
        Some(error) if error.reason == ErrorReason::Stale => Ok(()),
        _ => Err(status),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
