//! The one handler: every change of an interaction goes through here, whoever wants it and whatever it is.
//!
//! In one transaction: load, let the core react, store the new state with its events, and, for a command, the answer under its request id.
//! A version check decides between two that come at once. Then, outside the transaction, watchers are notified, the projections that
//! changed are pushed, and the deadline is set.

use crate::{
    alarm::Alarm,
    convert::{self, refusal_status},
    error::SubmitError,
    hub::Hub,
    policies::Policies,
    recent::Recent,
    store,
};
use baton_domain::{
    AgentId, Command, Events, Input, Interaction, InteractionId, Opening,
    interaction::CustomerLine,
    words::{Actor, AgentRef},
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
use prost::Message;
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
    pub(crate) interaction: Arc<Interaction>,
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
    /// Under which request id.
    pub(crate) key: &'a RequestKey,
    /// What the client sent.
    pub(crate) body: BodyHash,
    /// Whose.
    pub(crate) tenant: &'a str,
    /// Which interaction.
    pub(crate) id: InteractionId,
    /// Who.
    pub(crate) actor: Actor,
    /// What; or why it can't be (an unknown target): that, too, is an answer.
    pub(crate) command: Result<Command, Status>,
    /// Kept with the transfer that a start begins.
    pub(crate) request_key: String,
}

/// What became of an order.
pub(crate) enum CommandOutcome<R> {
    /// It was answered, now or before.
    Answered(R),
    /// It is committed, and its answer waits for the world. The interaction as it is now.
    Waiting(Arc<Interaction>),
}

impl CommandHandler {
    pub(crate) fn new(db: Db, clock: Clock, config: &TransferConfig) -> (Arc<Self>, Tasks) {
        let (pushes, to_push) = mpsc::unbounded_channel();
        let (wakes, to_wake) = mpsc::unbounded_channel();
        let policies = Policies::new(db.clone());
        let answer_wait = config.answer_wait_ms.duration();
        let reports_first_until_us = clock.after(REPORTS_FIRST);
        let (hub, recent) = (Hub::default(), Recent::default());
        let handler = Self { db, clock, hub, recent, policies, answer_wait, pushes, wakes, reports_first_until_us };
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
    pub(crate) async fn load(&self, id: InteractionId) -> Result<Option<Arc<Interaction>>, StoreError> {
        if let Some(known) = self.recent.get(id) {
            return Ok(Some(known));
        }
        let mut reader = self.db.read().await?;
        let Some(mut interaction) = store::interactions::read(&mut reader, id).await? else { return Ok(None) };
        drop(reader);
        self.put_policy_back(&mut interaction).await?;
        Ok(Some(Arc::new(interaction)))
    }

    /// Begins an interaction, or gives the one that the same leg began before.
    pub(crate) async fn open(self: &Arc<Self>, opening: Opening) -> Result<InteractionId, SubmitError> {
        let mut tx = self.db.begin().await?;
        if let CustomerLine::Inbound(leg) = &opening.line
            && let Some(known) = store::interactions::by_leg(&mut tx, &opening.tenant, leg).await?
        {
            tx.rollback().await?;
            return Ok(known);
        }
        let (interaction, events) = baton_domain::open(opening, self.clock.now_us());
        self.insert(&mut tx, &interaction, &events).await?;
        let id = interaction.id;
        self.commit(tx, Some(Arc::new(interaction))).await?;
        Ok(id)
    }

    async fn insert(&self, tx: &mut Tx, interaction: &Interaction, events: &Events) -> Result<(), StoreError> {
        store::interactions::insert(tx, interaction).await?;
        store::events::append(tx, interaction, events, self.clock.now_us()).await?;
        store::interactions::note_agents(tx, interaction, events).await
    }

    /// Begins a call that an agent places, once. `opening`: what it begins with, or why it can't; either is answered.
    pub(crate) async fn place<R: Message + Default>(
        self: &Arc<Self>,
        key: &RequestKey,
        body: BodyHash,
        opening: Result<(Opening, AgentRef), Status>,
        answer: impl Fn(&Interaction) -> R,
    ) -> Result<R, Status> {
        let _busy = self.clock.busy();
        let mut tx = self.db.begin().await?;
        match requests::begin(&mut tx, key, body, self.clock.now_us()).await? {
            KnownRequest::New => {}
            KnownRequest::Answered(known) => {
                tx.rollback().await?;
                return replay(known);
            }
            KnownRequest::DifferentBody => return Err(requests::reused().into()),
            KnownRequest::Pending => return Err(SubmitError::Conflict.into()),
        }
        let (opening, agent) = match opening {
            Ok(opening) => opening,
            Err(status) => {
                requests::answer(&mut tx, key, &KeptAnswer::Refused((&status).into())).await?;
                tx.commit().await?;
                return Err(status);
            }
        };
        let who = agent.id;
        let (interaction, events) = baton_domain::place(opening, agent, self.clock.now_us());
        self.insert(&mut tx, &interaction, &events).await?;
        store::interactions::note_agent(&mut tx, interaction.id, who).await?;
        let response = answer(&interaction);
        requests::answer(&mut tx, key, &KeptAnswer::Ok(response.encode_to_vec())).await?;
        self.commit(tx, Some(Arc::new(interaction))).await?;
        Ok(response)
    }

    /// Takes in what was observed, or that time has passed. `None`: there is no such interaction.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        id: InteractionId,
        inputs: Vec<Input>,
    ) -> Result<Option<()>, SubmitError> {
        let _busy = self.clock.busy();
        let mut tx = self.db.begin().await?;
        let Some(mut interaction) = self.load_in(&mut tx, id, None).await? else { return Ok(None) };
        let before = interaction.clone();
        let mut events = Events::new();
        let now_us = self.clock.now_us();
        for input in inputs {
            let reaction = baton_domain::react(&mut interaction, input, now_us).map_err(SubmitError::Refused)?;
            events.extend(reaction.events);
        }
        if interaction.version == before.version {
            tx.rollback().await?;
            return Ok(Some(()));
        }
        self.save(&mut tx, &before, &interaction, &events, "").await?;
        self.commit(tx, Some(Arc::new(interaction))).await?;
        Ok(Some(()))
    }

    /// Carries out a command once. `answer` makes the answer from the new state; `None` where the answer waits for the world.
    pub(crate) async fn order<R: Message + Default>(
        self: &Arc<Self>,
        order: CommandContext<'_>,
        answer: impl Fn(&Interaction) -> Option<R>,
    ) -> Result<CommandOutcome<R>, Status> {
        let _busy = self.clock.busy();
        let mut tx = self.db.begin().await?;
        match requests::begin(&mut tx, order.key, order.body, self.clock.now_us()).await? {
            KnownRequest::New => {}
            KnownRequest::Answered(known) => {
                // It waits until what was read is durable: only then may it be said again.
                tx.rollback().await?;
                return replay(known).map(CommandOutcome::Answered);
            }
            KnownRequest::DifferentBody => return Err(requests::reused().into()),
            KnownRequest::Pending => {
                tx.rollback().await?;
                let known = self.load(order.id).await?.ok_or_else(|| not_found("interaction"))?;
                return Ok(CommandOutcome::Waiting(known));
            }
        }
        let key = order.key;
        match self.carry_out(&mut tx, order).await {
            Ok((interaction, changed)) => {
                let response = answer(&interaction);
                if let Some(response) = &response {
                    requests::answer(&mut tx, key, &KeptAnswer::Ok(response.encode_to_vec())).await?;
                }
                let interaction = Arc::new(interaction);
                self.commit(tx, changed.then(|| Arc::clone(&interaction))).await?;
                Ok(response.map_or(CommandOutcome::Waiting(interaction), CommandOutcome::Answered))
            }
            Err(SubmitError::Status(status)) => {
                requests::answer(&mut tx, key, &KeptAnswer::Refused((&status).into())).await?;
                tx.commit().await?;
                Err(status)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Records the answer of an order that waited for the world; the first one stands and is given to everybody.
    pub(crate) async fn conclude<R: Message + Default>(
        &self,
        key: &RequestKey,
        body: BodyHash,
        result: Result<R, Status>,
    ) -> Result<R, Status> {
        let _busy = self.clock.busy();
        let known = match &result {
            Ok(response) => KeptAnswer::Ok(response.encode_to_vec()),
            Err(status) => KeptAnswer::Refused(status.into()),
        };
        let mut tx = self.db.begin().await?;
        if requests::answer(&mut tx, key, &known).await? {
            tx.commit().await?;
            return result;
        }
        match requests::begin(&mut tx, key, body, self.clock.now_us()).await? {
            KnownRequest::Answered(first) => {
                tx.rollback().await?;
                replay(first)
            }
            _ => result,
        }
    }

    async fn carry_out(&self, tx: &mut Tx, order: CommandContext<'_>) -> Result<(Interaction, bool), SubmitError> {
        let command = order.command.map_err(SubmitError::Status)?;
        let party = match order.actor {
            Actor::Agent(agent) => Some(agent),
            _ => None,
        };
        let found = self.load_in(tx, order.id, party).await?;
        let visible = found.filter(|interaction| &*interaction.tenant == order.tenant);
        let mut interaction = visible.ok_or_else(|| SubmitError::Status(not_found("interaction")))?;
        let before = interaction.clone();
        let input = Input::Command(order.actor.clone(), command);
        let reaction = baton_domain::react(&mut interaction, input, self.clock.now_us())
            .map_err(|refusal| SubmitError::Status(refusal_status(refusal, &interaction, &order.actor)))?;
        if reaction.changed {
            self.save(tx, &before, &interaction, &reaction.events, &order.request_key).await?;
        }
        Ok((interaction, reaction.changed))
    }

    async fn load_in(
        &self,
        tx: &mut Tx,
        id: InteractionId,
        party: Option<AgentId>,
    ) -> Result<Option<Interaction>, StoreError> {
        let Some(mut interaction) = store::interactions::read_in(tx, id, party).await? else { return Ok(None) };
        self.put_policy_back(&mut interaction).await?;
        Ok(Some(interaction))
    }

    async fn put_policy_back(&self, interaction: &mut Interaction) -> Result<(), StoreError> {
        interaction.policy = self.policies.version(&interaction.tenant, interaction.policy_version).await?;
        Ok(())
    }

    async fn save(
        &self,
        tx: &mut Tx,
        before: &Interaction,
        interaction: &Interaction,
        events: &Events,
        request_key: &str,
    ) -> Result<(), SubmitError> {
        if !store::interactions::advance(tx, interaction, before.version).await? {
            return Err(SubmitError::Conflict);
        }
        store::events::append(tx, interaction, events, self.clock.now_us()).await?;
        store::interactions::note_agents(tx, interaction, events).await?;
        if let Some(transfer) = &interaction.transfer
            && before.transfer.as_ref() != Some(transfer)
        {
            store::transfers::put(tx, interaction, transfer, request_key).await?;
        }
        Ok(())
    }

    /// Takes note that everybody has accepted what follows from the end of an interaction: no start needs to take it up again.
    pub(crate) async fn acknowledge(&self, interaction: &Interaction) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        store::interactions::acknowledge(&mut tx, interaction).await?;
        tx.commit().await
    }

    /// Commits, and tells whoever has to know, to the end: a caller who goes away in between must not leave behind what nobody was told of.
    async fn commit(self: &Arc<Self>, tx: Tx, changed: Option<Arc<Interaction>>) -> Result<(), StoreError> {
        let handler = Arc::clone(self);
        let task = lifecycle::spawn(call::carry(async move {
            tx.commit().await?;
            if let Some(interaction) = changed {
                handler.notify(&interaction);
            }
            Ok(())
        }));
        // It fails only when the runtime ends.
        task.await.unwrap_or_else(|_| Err(StoreError::Commit(sqlx::Error::WorkerCrashed)))
    }

    /// What follows from a commit. Nothing of it is needed for the commit to count: what is lost here is made up for by the periodic push.
    fn notify(&self, interaction: &Arc<Interaction>) {
        if !self.recent.put(interaction) {
            // Something newer was told before.
            return;
        }
        self.hub.publish(interaction);
        let _ = self.wakes.send(Alarm::of(interaction).not_before(self.reports_first_until_us));
        let _ = self.pushes.send(ChangeNotice { interaction: interaction.clone(), trace: telemetry::current_trace() });
    }
}

fn replay<R: Message + Default>(answer: KeptAnswer) -> Result<R, Status> {
    match answer {
        KeptAnswer::Ok(body) => R::decode(body.as_slice())
            .map_err(|_| Status::internal("the stored answer is not a response of this method")),
        KeptAnswer::Refused(refusal) => Err(refusal.into()),
    }
}

pub(crate) fn not_found(what: &str) -> Status {
    convert::not_found(what)
}
