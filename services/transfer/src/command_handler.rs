//! The one handler: every change of an interaction goes through here, whoever wants it and whatever it is.
//!
//! In one transaction: load, let the core react, store the new state with its events, and, for a command, the answer under its request id.
//! A version check decides between two that come at once. Then, outside the transaction, watchers are notified, the projections that
//! changed are pushed, and the deadline is set.

mod begin;
mod forget;

pub(crate) use begin::OutgoingCall;

use crate::{
    alarm::Alarm,
    convert::{self, refusal_status, version_conflict},
    error::SubmitError,
    hub::Hub,
    live::Live,
    policies::Policies,
    recent::Recent,
    store,
    tenants::Tenants,
};
use baton_domain::{
    Actor, Command, Event, Input, Interaction,
    project::{TransferRecord, open_transfer},
};
use baton_runtime::{
    call,
    clock::Clock,
    config::TransferConfig,
    lifecycle,
    telemetry::{self, TraceParent},
};
use baton_store::{
    Db, StoreError, Tx,
    requests::{self, BodyHash, KeptAnswer, KnownRequest, RequestKey},
};
use baton_words::InteractionId;
use std::{error::Error as _, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tonic::Status;

/// How long a start waits for reports before it acts upon deadlines that have passed.
const REPORTS_FIRST: Duration = Duration::from_secs(5);

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
    wakes: mpsc::UnboundedSender<Alarm>,
    /// Before then no deadline is acted upon.
    reports_first_until_us: i64,
}

/// What was committed, and the trace in which that happened.
#[derive(Debug, Clone)]
pub(crate) struct ChangeNotice {
    pub(crate) live: Arc<Live>,
    pub(crate) trace: Option<TraceParent>,
}

/// What the handler hands to the tasks behind it. Unbounded, and bounded all the same by the commits that fill them: the receivers only note
/// what is newest and never wait for anybody.
pub(crate) struct Tasks {
    pub(crate) pushes: mpsc::UnboundedReceiver<ChangeNotice>,
    pub(crate) wakes: mpsc::UnboundedReceiver<Alarm>,
}

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
    pub(crate) fn new(db: Db, clock: Clock, tenants: Tenants, config: &TransferConfig) -> (Arc<Self>, Tasks) {
        let (pushes, to_push) = mpsc::unbounded_channel();
        let (wakes, to_wake) = mpsc::unbounded_channel();
        let policies = Policies::new(db.clone());
        let answer_wait = config.answer_wait_ms.duration();
        let reports_first_until_us = clock.after(REPORTS_FIRST);
        let (hub, recent) = (Hub::default(), Recent::default());
        let handler =
            Self { db, clock, hub, recent, policies, tenants, answer_wait, pushes, wakes, reports_first_until_us };
        (Arc::new(handler), Tasks { pushes: to_push, wakes: to_wake })
    }

    /// After a start: whatever was going on goes on. What happened meanwhile is still to be reported, so no deadline that has passed is acted
    /// upon before there was time for it (T4). One that can't be read keeps no other from going on.
    pub(crate) async fn take_up_all(&self) -> Result<(), StoreError> {
        for id in store::interactions::unacknowledged(&self.db).await? {
            match self.load(id).await {
                Ok(Some(interaction)) => self.notify(&interaction),
                Ok(None) => {}
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(interaction.id = %id, %error, source = ?error.source(), "a call can't be taken up");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The interaction as it is now.
    pub(crate) async fn load(&self, id: InteractionId) -> Result<Option<Arc<Live>>, StoreError> {
        if let Some(known) = self.recent.get(id) {
            return Ok(Some(known));
        }
        let mut reader = self.db.read().await?;
        let Some(state) = store::interactions::read(&mut reader, id).await? else { return Ok(None) };
        drop(reader);
        Ok(Some(Arc::new(self.with_policy(state).await?)))
    }

    /// The interaction of this tenant as it is now. What is remembered of another tenant's is not looked at: it would be refused sooner than
    /// one that there is not, and so be told from it.
    pub(crate) async fn load_of(&self, tenant: &str, id: InteractionId) -> Result<Option<Arc<Live>>, StoreError> {
        if let Some(known) = self.recent.get(id).filter(|known| &*known.tenant == tenant) {
            return Ok(Some(known));
        }
        let mut reader = self.db.read().await?;
        let Some(state) = store::interactions::read_of(&mut reader, tenant, id).await? else { return Ok(None) };
        drop(reader);
        Ok(Some(Arc::new(self.with_policy(state).await?)))
    }

    /// Puts the policy under which the interaction began beside its state.
    async fn with_policy(&self, state: Interaction) -> Result<Live, StoreError> {
        let policy = self.policies.version(&state.tenant, state.policy_version).await?;
        Ok(Live { state, policy })
    }

    /// The interaction as this transaction sees it, given when that is durable. A request that another caller is carrying out is answered from
    /// here: what is in memory may be from before that one's commit (T7).
    async fn as_committed(&self, mut tx: Tx, id: InteractionId) -> Result<Arc<Live>, Status> {
        let state = store::interactions::read_in(&mut tx, id).await?.ok_or_else(|| not_found("interaction"))?;
        tx.rollback().await?;
        Ok(Arc::new(self.with_policy(state).await?))
    }

    /// Takes in what was observed, or that time has passed. `None`: there is no such interaction.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        id: InteractionId,
        inputs: Vec<Input>,
    ) -> Result<Option<()>, SubmitError> {
        let _busy = self.clock.busy();
        let mut tx = self.db.begin().await?;
        let Some(before) = store::interactions::read_in(&mut tx, id).await? else { return Ok(None) };
        let mut live = self.with_policy(before.clone()).await?;
        let mut events = Vec::new();
        let now_us = self.clock.now_us();
        for input in inputs {
            let reaction = baton_domain::react(&mut live.state, &live.policy, input, now_us);
            events.extend(reaction.map_err(SubmitError::Refused)?.events);
        }
        if live.version == before.version {
            tx.rollback().await?;
            return Ok(Some(()));
        }
        self.save(&mut tx, &before, &live, &events, "").await?;
        self.commit(tx, Some(Arc::new(live))).await?;
        Ok(Some(()))
    }

    /// Carries out a command once, and keeps that it was answered with OK unless the answer waits for the world (`waits`). A view is not kept:
    /// whoever asks again gets the first outcome, with the interaction as it is then.
    pub(crate) async fn command(
        self: &Arc<Self>,
        context: CommandContext<'_>,
        waits: bool,
    ) -> Result<CommandOutcome, Status> {
        let _busy = self.clock.busy();
        let mut tx = self.db.begin().await?;
        match requests::begin(&mut tx, context.key, context.body, self.clock.now_us()).await? {
            KnownRequest::New => {}
            KnownRequest::Answered(KeptAnswer::Refused(refusal)) => {
                // It waits until what was read is durable: only then may it be said again.
                tx.rollback().await?;
                return Err(refusal.into());
            }
            KnownRequest::Answered(KeptAnswer::Ok(_)) => {
                return self.as_committed(tx, context.id).await.map(CommandOutcome::Answered);
            }
            KnownRequest::DifferentBody => return Err(requests::reused().into()),
            KnownRequest::Pending => return self.as_committed(tx, context.id).await.map(CommandOutcome::Waiting),
        }
        let key = context.key;
        match self.carry_out(&mut tx, context).await {
            Ok((live, changed)) => {
                if !waits {
                    requests::answer(&mut tx, key, &KeptAnswer::Ok(Vec::new())).await?;
                }
                let live = Arc::new(live);
                self.commit(tx, changed.then(|| Arc::clone(&live))).await?;
                Ok(if waits { CommandOutcome::Waiting(live) } else { CommandOutcome::Answered(live) })
            }
            Err(SubmitError::Status(status)) => {
                requests::answer(&mut tx, key, &KeptAnswer::Refused((&status).into())).await?;
                tx.commit().await?;
                Err(status)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Records the outcome of a command that waited for the world; the first one stands and is given to everybody.
    pub(crate) async fn conclude(
        &self,
        key: &RequestKey,
        body: BodyHash,
        result: Result<(), Status>,
    ) -> Result<(), Status> {
        let _busy = self.clock.busy();
        let known = match &result {
            Ok(()) => KeptAnswer::Ok(Vec::new()),
            Err(status) => KeptAnswer::Refused(status.into()),
        };
        let mut tx = self.db.begin().await?;
        if requests::answer(&mut tx, key, &known).await? {
            tx.commit().await?;
            return result;
        }
        let first = requests::begin(&mut tx, key, body, self.clock.now_us()).await?;
        tx.rollback().await?;
        match first {
            KnownRequest::Answered(KeptAnswer::Ok(_)) => Ok(()),
            KnownRequest::Answered(KeptAnswer::Refused(refusal)) => Err(refusal.into()),
            _ => result,
        }
    }

    async fn carry_out(&self, tx: &mut Tx, context: CommandContext<'_>) -> Result<(Live, bool), SubmitError> {
        let CommandContext { id, tenant, actor, command, if_version, request_key, .. } = context;
        let found = store::interactions::read_in_of(tx, tenant, id).await?;
        let before = found.ok_or_else(|| SubmitError::Status(not_found("interaction")))?;
        // An agent sees what they are or were a party of; a program that acts for an agent acts on the whole tenant's behalf.
        if let Actor::Agent(agent) = actor
            && before.agent(agent).is_none()
            && !store::interactions::was_offered_in(tx, id, agent).await?
        {
            return Err(SubmitError::Status(not_found("interaction")));
        }
        let command = command.map_err(SubmitError::Status)?;
        let mut live = self.with_policy(before.clone()).await?;
        if if_version != 0 && if_version != live.version {
            return Err(SubmitError::Status(version_conflict(&live, &actor)));
        }
        let input = Input::Command(actor.clone(), command);
        let reaction = baton_domain::react(&mut live.state, &live.policy, input, self.clock.now_us())
            .map_err(|refusal| SubmitError::Status(refusal_status(refusal, &live, &actor)))?;
        if reaction.changed {
            self.save(tx, &before, &live, &reaction.events, &request_key).await?;
        }
        Ok((live, reaction.changed))
    }

    async fn save(
        &self,
        tx: &mut Tx,
        before: &Interaction,
        live: &Live,
        events: &[Event],
        request_key: &str,
    ) -> Result<(), SubmitError> {
        if !store::interactions::advance(tx, &live.state, before.version).await? {
            return Err(SubmitError::Conflict);
        }
        store::notes::append(tx, &live.state, before.notes.len()).await?;
        store::events::append(tx, &live.state, events, self.clock.now_us()).await?;
        store::interactions::note_parties(tx, &live.state, events).await?;
        for transfer in changed_transfers(before, live) {
            store::transfers::put(tx, &live.state, &transfer, request_key).await?;
        }
        Ok(())
    }

    /// Takes note that everybody has accepted what follows from the end of an interaction: no start needs to take it up again.
    pub(crate) async fn acknowledge(&self, interaction: &Interaction) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        store::interactions::acknowledge(&mut tx, interaction).await?;
        tx.commit().await
    }

    /// Commits, and notifies whoever has to know, to the end: a caller who goes away in between must not leave behind a change without its
    /// notices.
    async fn commit(self: &Arc<Self>, tx: Tx, changed: Option<Arc<Live>>) -> Result<(), StoreError> {
        let handler = Arc::clone(self);
        let task = lifecycle::spawn(call::carry(async move {
            tx.commit().await?;
            if let Some(live) = changed {
                handler.notify(&live);
            }
            Ok(())
        }));
        // It fails only when the runtime ends.
        task.await.unwrap_or_else(|_| Err(StoreError::Commit(sqlx::Error::WorkerCrashed)))
    }

    /// What follows from a commit. Nothing of it is needed for the commit to count: what is lost here is made up for by the periodic push.
    fn notify(&self, live: &Arc<Live>) {
        if !self.recent.put(live) {
            // Something newer is known already.
            return;
        }
        self.hub.publish(live);
        let _ = self.wakes.send(Alarm::of(live).not_before(self.reports_first_until_us));
        let _ = self.pushes.send(ChangeNotice { live: live.clone(), trace: telemetry::current_trace() });
    }
}

/// The transfers of which something is new: those that have ended since, and the open one.
fn changed_transfers(before: &Interaction, live: &Live) -> Vec<TransferRecord> {
    if before.transfer == live.transfer && before.journey.len() == live.journey.len() {
        return Vec::new();
    }
    let ended = live.journey[before.journey.len()..].iter().filter_map(TransferRecord::of_hop);
    ended.chain(open_transfer(&live.state, &live.policy)).collect()
}

pub(crate) fn not_found(what: &str) -> Status {
    convert::not_found(what)
}
