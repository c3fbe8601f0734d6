//! The one handler: every change of an interaction goes through here, whoever wants it and whatever it is.
//!
//! An input is decided on by the pure core, from the interaction as it was last seen; what follows is one value (`write.rs`), which is committed
//! if the interaction has still that version, and else decided anew. Then watchers are notified, the projections that changed are pushed, and
//! the deadline is set. Inputs of one interaction take turns, so that they are not in each other's way.

mod begin;
mod forget;
mod write;

pub(crate) use begin::NewInteraction;

use crate::{
    convert::{self, refusal_status, version_conflict},
    error::SubmitError,
    hub::Hub,
    live::Live,
    policies::Policies,
    recent::Recent,
    store,
    tenants::Tenants,
    wake::Wakes,
};
use baton_api::ApiError;
use baton_domain::{Actor, Command, Event, Input, Interaction};
use baton_runtime::{
    clock::Clock,
    config::TransferConfig,
    lifecycle,
    telemetry::{self, TraceParent},
};
use baton_store::{
    Db, StoreError, change,
    requests::{self, BodyHash, KeptAnswer, KnownRequest, RequestKey},
};
use baton_words::InteractionId;
use std::{error::Error as _, sync::Arc, time::Duration};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tonic::Status;
use write::{Change, Moved, QueuedChange, RequestRow, RequestWrite, Written};

/// How long a start waits for reports before it acts upon deadlines that have passed.
const REPORTS_FIRST: Duration = Duration::from_secs(5);
/// How often an input is decided on, at most, when others are faster each time.
const MAX_TRIES: u32 = 8;
/// Interactions share so many turns: it costs some waiting if two have the same one.
const TURNS: usize = 1_024;

/// The handler, with what it needs.
pub(crate) struct CommandHandler {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) hub: Hub,
    recent: Recent,
    pub(crate) policies: Policies,
    pub(crate) tenants: Tenants,
    /// How long an answer waits for the world when the caller does not say.
    pub(crate) answer_wait: Duration,
    pushes: mpsc::UnboundedSender<ChangeNotice>,
    /// Deadlines of what was committed here.
    pub(crate) wakes: Wakes,
    writer: mpsc::UnboundedSender<QueuedChange>,
    turns: Vec<Arc<Mutex<()>>>,
}

/// What was committed, and the trace in which that happened.
#[derive(Debug, Clone)]
pub(crate) struct ChangeNotice {
    pub(crate) live: Arc<Live>,
    pub(crate) trace: Option<TraceParent>,
}

/// What the pusher receives. Unbounded, and bounded all the same by the commits that fill it: the pusher only notes what is newest and never
/// waits for anybody.
pub(crate) type ChangeNotices = mpsc::UnboundedReceiver<ChangeNotice>;

/// A command and everything that it takes to answer it once.
pub(crate) struct CommandContext<'a> {
    pub(crate) key: &'a RequestKey,
    /// What the client sent.
    pub(crate) body: BodyHash,
    pub(crate) tenant: &'a str,
    pub(crate) id: InteractionId,
    pub(crate) actor: Actor,
    /// Or why it can't be one (an unknown target): that, too, is an answer.
    pub(crate) command: Result<Command, Status>,
    /// The version at which the interaction must be still; 0 for any.
    pub(crate) if_version: u64,
    /// Kept with the transfer that a start begins.
    pub(crate) request_key: String,
}

/// What became of a command. The interaction is at least as new as the commit of the command: what is read from it is never from before.
pub(crate) enum CommandOutcome {
    /// It was answered with OK, now or before.
    Answered(Arc<Live>),
    /// It is committed, and its answer waits for the world.
    Waiting(Arc<Live>),
}

impl CommandHandler {
    pub(crate) fn new(db: Db, clock: Clock, tenants: Tenants, config: &TransferConfig) -> (Arc<Self>, ChangeNotices) {
        let (pushes, to_push) = mpsc::unbounded_channel();
        let (writer, to_write) = mpsc::unbounded_channel();
        let handler = Arc::new(Self {
            policies: Policies::new(db.clone()),
            answer_wait: config.answer_wait_ms.duration(),
            wakes: Wakes::not_before(clock.after(REPORTS_FIRST)),
            turns: std::iter::repeat_with(Arc::default).take(TURNS).collect(),
            hub: Hub::default(),
            recent: Recent::default(),
            db: db.clone(),
            clock,
            tenants,
            pushes,
            writer,
        });
        let committed = {
            // The writer ends with the handler.
            let handler = Arc::downgrade(&handler);
            move |moved: &Moved| {
                if let Some(handler) = handler.upgrade() {
                    handler.notify(&moved.after, moved.trace);
                }
            }
        };
        lifecycle::spawn(write::run(db, to_write, committed));
        (handler, to_push)
    }

    /// Takes up what was committed elsewhere, by this process before it was started or by another one: whatever was going on goes on. `known` says
    /// which version of an interaction is followed already. One that can't be read keeps no other from going on.
    pub(crate) async fn take_up(&self, known: impl Fn(InteractionId) -> Option<u64>) -> Result<(), StoreError> {
        for (id, version) in store::interactions::unacknowledged(&self.db).await? {
            if known(id).is_some_and(|known| known >= version) {
                continue;
            }
            match self.take_over(id).await {
                Ok(()) => {}
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(interaction.id = %id, %error, source = ?error.source(), "a call can't be taken up");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Goes on with an interaction as another process has committed it.
    pub(crate) async fn take_over(&self, id: InteractionId) -> Result<(), StoreError> {
        if let Some(interaction) = self.load(id).await? {
            self.notify(&interaction, None);
        }
        Ok(())
    }

    /// The interaction as it is now.
    pub(crate) async fn load(&self, id: InteractionId) -> Result<Option<Arc<Live>>, StoreError> {
        self.load_if(id, |_| true).await
    }

    /// The interaction of this tenant as it is now. One of another tenant is found no sooner than one that there is not.
    pub(crate) async fn load_of(&self, tenant: &str, id: InteractionId) -> Result<Option<Arc<Live>>, StoreError> {
        self.load_if(id, |owner| owner == tenant).await
    }

    /// What is remembered is given if the database has nothing newer.
    async fn load_if(
        &self,
        id: InteractionId,
        is_wanted: impl FnOnce(&str) -> bool,
    ) -> Result<Option<Arc<Live>>, StoreError> {
        if self.db.is_exclusive()
            && let Some(known) = self.recent.get(id)
        {
            return Ok(is_wanted(&known.tenant).then_some(known));
        }
        let mut reader = self.db.read().await?;
        let found = store::interactions::version(&mut reader, id).await?;
        let Some((version, _)) = found.filter(|(_, owner)| is_wanted(owner)) else { return Ok(None) };
        if let Some(known) = self.recent.get(id)
            && known.version >= version
        {
            return Ok(Some(known));
        }
        let Some(state) = store::interactions::read(&mut reader, id).await? else { return Ok(None) };
        drop(reader);
        // It may be from a commit that is not durable yet.
        self.db.settled().await?;
        Ok(Some(Arc::new(self.with_policy(state).await?)))
    }

    /// The interaction on which an input is decided: as it was last seen here, or else as it is stored.
    async fn last_seen(&self, id: InteractionId) -> Result<Option<Arc<Live>>, StoreError> {
        match self.recent.get(id) {
            Some(known) => Ok(Some(known)),
            None => self.load(id).await,
        }
    }

    /// Whether the database has no other version than the one that was seen.
    async fn is_newest(&self, seen: &Interaction) -> Result<bool, StoreError> {
        if self.db.is_exclusive() {
            return Ok(true);
        }
        let mut reader = self.db.read().await?;
        let stored = store::interactions::version(&mut reader, seen.id).await?;
        Ok(stored.is_some_and(|(version, _)| version == seen.version))
    }

    /// Puts the policy under which the interaction began beside its state.
    async fn with_policy(&self, state: Interaction) -> Result<Live, StoreError> {
        let policy = self.policies.version(&state.tenant, state.policy_version).await?;
        Ok(Live { state, policy })
    }

    /// Waits for the interaction's turn. It is over when its caller and the change that came of it are done with it: a change whose caller has gone
    /// is committed before the next input is decided on.
    async fn turn(&self, id: InteractionId) -> Arc<OwnedMutexGuard<()>> {
        Arc::new(Arc::clone(&self.turns[id.0.as_u128() as usize % TURNS]).lock_owned().await)
    }

    /// Takes in what was observed, or that time has passed, and says whether anything has changed. `None`: there is no such interaction.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        id: InteractionId,
        inputs: Vec<Input>,
    ) -> Result<Option<bool>, SubmitError> {
        let _busy = self.clock.busy();
        let turn = self.turn(id).await;
        for _ in 0..MAX_TRIES {
            let Some(before) = self.last_seen(id).await? else { return Ok(None) };
            let (mut live, mut events, now_us) = (before.as_ref().clone(), Vec::new(), self.clock.now_us());
            for input in inputs.iter().cloned() {
                let reaction = baton_domain::react(&mut live.state, &live.policy, input, now_us);
                events.extend(reaction.map_err(SubmitError::Refused)?.events);
            }
            if live.version == before.version {
                // Much of what is reported is known already.
                if self.is_newest(&before).await? {
                    return Ok(Some(false));
                }
                self.recent.forget(&[id]);
                continue;
            }
            let decided_on = Some((id, before.version));
            let moved = Some(moved(&before, live, events, now_us, ""));
            match self.write(Change { decided_on, moved, request: None, now_us }, Some(&turn)).await? {
                Written::Overtaken => self.recent.forget(&[id]),
                Written::Committed | Written::Repeated(_) => return Ok(Some(true)),
                // No fact has another number dialled.
                Written::CapReached(cap) => return Err(SubmitError::Status(ApiError::from(cap).into())),
            }
        }
        Err(SubmitError::Conflict)
    }

    /// Carries out a command once, and keeps that it was answered with OK unless the answer waits for the world (`waits`). A view is not kept:
    /// whoever asks again gets the first outcome, with the interaction as it is then.
    pub(crate) async fn command(
        self: &Arc<Self>,
        context: CommandContext<'_>,
        waits: bool,
    ) -> Result<CommandOutcome, Status> {
        let _busy = self.clock.busy();
        let (id, tenant) = (context.id, context.tenant);
        let turn = self.turn(id).await;
        for _ in 0..MAX_TRIES {
            let now_us = self.clock.now_us();
            let before = self.last_seen(id).await?.filter(|it| &*it.tenant == tenant);
            let decided = match &before {
                Some(before) => self.decide(before, &context, now_us).await,
                None => Err(SubmitError::Status(not_found("interaction"))),
            };
            let (moved, answer, result) = match decided {
                Ok(moved) => (moved, (!waits).then(|| KeptAnswer::Ok(Vec::new())), Ok(())),
                Err(SubmitError::Status(status)) => (None, Some(KeptAnswer::Refused((&status).into())), Err(status)),
                Err(other) => return Err(other.into()),
            };
            let live = moved.as_ref().map(|it| Arc::clone(&it.after)).or_else(|| before.clone());
            let write = RequestWrite::Begin(answer);
            let request = Some(RequestRow { key: context.key.clone(), body: context.body, write });
            let decided_on = before.as_ref().map(|it| (id, it.version));
            let written = self.write(Change { decided_on, moved, request, now_us }, Some(&turn)).await?;
            let outcome = if waits { CommandOutcome::Waiting } else { CommandOutcome::Answered };
            match written {
                Written::Overtaken => self.recent.forget(&[id]),
                Written::Committed => {
                    result?;
                    return live.map(outcome).ok_or_else(|| not_found("interaction"));
                }
                Written::Repeated(known) => return self.repeated(id, tenant, known).await,
                // Not kept under the request id: a retry may succeed.
                Written::CapReached(cap) => return Err(ApiError::from(cap).into()),
            }
        }
        Err(SubmitError::Conflict.into())
    }

    /// The first outcome of a request, with the interaction as it is now.
    async fn repeated(&self, id: InteractionId, tenant: &str, known: KnownRequest) -> Result<CommandOutcome, Status> {
        let outcome = match known {
            KnownRequest::Answered(KeptAnswer::Refused(refusal)) => return Err(refusal.into()),
            KnownRequest::Answered(KeptAnswer::Ok(_)) => CommandOutcome::Answered,
            KnownRequest::DifferentBody => return Err(requests::reused().into()),
            KnownRequest::Pending | KnownRequest::New => CommandOutcome::Waiting,
        };
        self.load_of(tenant, id).await?.map(outcome).ok_or_else(|| not_found("interaction"))
    }

    /// What follows from a command; `None` when nothing does.
    async fn decide(
        &self,
        before: &Arc<Live>,
        context: &CommandContext<'_>,
        now_us: i64,
    ) -> Result<Option<Moved>, SubmitError> {
        let CommandContext { actor, if_version, .. } = context;
        // An agent sees what they are or were a party of; a program that acts for an agent acts on the whole tenant's behalf.
        if let Actor::Agent(agent) = actor
            && before.agent(*agent).is_none()
            && !store::interactions::was_offered(&self.db, before.id, *agent).await?
        {
            return Err(SubmitError::Status(not_found("interaction")));
        }
        let command = context.command.clone().map_err(SubmitError::Status)?;
        if *if_version != 0 && *if_version != before.version {
            return Err(SubmitError::Status(version_conflict(before, actor)));
        }
        let mut live = before.as_ref().clone();
        let reaction =
            baton_domain::react(&mut live.state, &live.policy, Input::Command(actor.clone(), command), now_us)
                .map_err(|refusal| SubmitError::Status(refusal_status(refusal, before, actor)))?;
        Ok(reaction.changed.then(|| moved(before, live, reaction.events, now_us, &context.request_key)))
    }

    /// Commits, if the interaction is still as it was. It is committed also if the caller goes away meanwhile.
    async fn write(&self, change: Change, turn: Option<&Arc<OwnedMutexGuard<()>>>) -> Result<Written, SubmitError> {
        let (done, written) = oneshot::channel();
        // They fail only when the runtime ends.
        let _ = self.writer.send(QueuedChange { change, done, _busy: self.clock.busy(), _turn: turn.cloned() });
        let stopped = |_| Arc::new(StoreError::Commit(sqlx::Error::WorkerCrashed));
        Ok(written.await.map_err(stopped).flatten()?)
    }

    /// Records the outcome of a command that waited for the world; the first one stands and is given to everybody.
    pub(crate) async fn conclude(
        &self,
        key: &RequestKey,
        body: BodyHash,
        result: Result<(), Status>,
    ) -> Result<(), Status> {
        let _busy = self.clock.busy();
        let answer = match &result {
            Ok(()) => KeptAnswer::Ok(Vec::new()),
            Err(status) => KeptAnswer::Refused(status.into()),
        };
        let request = Some(RequestRow { key: key.clone(), body, write: RequestWrite::Conclude(answer) });
        let conclusion = Change { decided_on: None, moved: None, request, now_us: self.clock.now_us() };
        match self.write(conclusion, None).await? {
            Written::Repeated(KnownRequest::Answered(KeptAnswer::Ok(_))) => Ok(()),
            Written::Repeated(KnownRequest::Answered(KeptAnswer::Refused(refusal))) => Err(refusal.into()),
            _ => result,
        }
    }

    /// Takes note that everybody has accepted what follows from the end of an interaction: no start needs to take it up again.
    pub(crate) async fn acknowledge(&self, interaction: &Interaction) -> Result<(), StoreError> {
        self.db.change(change!(|tx| { store::interactions::acknowledge(tx, interaction).await })).await
    }

    /// Corrects when an interaction is to be woken, if it is still the same.
    pub(crate) async fn correct_wake(&self, live: &Live) -> Result<(), StoreError> {
        self.db.change(change!(|tx| { store::interactions::set_wake(tx, live).await })).await
    }

    /// What follows from a commit. Nothing of it is needed for the commit to count: what is lost here is made up for by the next scan.
    fn notify(&self, live: &Arc<Live>, trace: Option<TraceParent>) {
        if !self.recent.put(live) {
            // Something newer is known already.
            return;
        }
        self.hub.publish(live);
        self.wakes.set(live.deadline_us());
        let _ = self.pushes.send(ChangeNotice { live: live.clone(), trace });
    }
}

/// The next version of an interaction, with what is written of it.
fn moved(before: &Arc<Live>, live: Live, events: Vec<Event>, now_us: i64, request_key: &str) -> Moved {
    Moved {
        outbox: store::events::rows(&live, &events, now_us),
        before: Arc::clone(before),
        after: Arc::new(live),
        events,
        request_key: request_key.to_owned(),
        trace: telemetry::current_trace(),
    }
}

pub(crate) fn not_found(what: &str) -> Status {
    convert::not_found(what)
}
