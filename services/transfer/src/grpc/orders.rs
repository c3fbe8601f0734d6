//! How a command is carried out and answered: once under its request id, at once or when the world has confirmed it.

use crate::{
    convert,
    door::{Door, Order, Ordered, not_found},
};
use baton_api::ApiError;
use baton_domain::{Command, Interaction, InteractionId, words::Actor};
use baton_runtime::{auth::Caller, call};
use baton_store::requests::{BodyHash, Key};
use prost::Message;
use std::{sync::Arc, time::Duration};
use tonic::Status;

/// The answer to a caller is sent so much before their deadline, so that it arrives.
const BEFORE_DEADLINE: Duration = Duration::from_millis(100);

/// A command as it came: who, under which request id, about what.
pub(super) struct Asked {
    pub(super) key: Key,
    pub(super) body: BodyHash,
    pub(super) tenant: String,
    pub(super) id: InteractionId,
    pub(super) actor: Actor,
    pub(super) request_key: String,
}

impl Asked {
    pub(super) fn new(
        caller: &Caller,
        method: &str,
        request_id: &str,
        interaction_id: &str,
        request: &impl Message,
    ) -> Result<Self, Status> {
        let tenant = caller.tenant()?.as_str().to_owned();
        Ok(Self {
            key: Key::new(&tenant, &caller.subject, method, request_id)?,
            body: BodyHash::of(request),
            id: super::parse::interaction_id(interaction_id)?,
            actor: super::parse::actor(caller)?,
            request_key: format!("{}/{request_id}", caller.subject),
            tenant,
        })
    }

    fn order(&self, command: Result<Command, Status>) -> Order<'_> {
        Order {
            key: &self.key,
            body: self.body,
            tenant: &self.tenant,
            id: self.id,
            actor: self.actor.clone(),
            command,
            request_key: self.request_key.clone(),
        }
    }

    /// As this caller sees it.
    pub(super) fn view(&self, interaction: &Interaction) -> baton_api::transfer::v1::Interaction {
        convert::view::interaction(interaction, Some(&self.actor))
    }
}

/// Carries a command out and answers when it is committed.
pub(super) async fn at_once<R: Message + Default>(
    door: &Arc<Door>,
    asked: &Asked,
    command: Command,
    answer: impl Fn(&Interaction) -> R,
) -> Result<R, Status> {
    match door.order(asked.order(Ok(command)), |interaction| Some(answer(interaction))).await? {
        Ordered::Answered(response) => Ok(response),
        Ordered::Waiting(interaction) => door.conclude(&asked.key, asked.body, Ok(answer(&interaction))).await,
    }
}

/// Carries a command out and answers when `decide` has something to say of the state that the world has led to, or PENDING.
pub(super) async fn when<R: Message + Default>(
    door: &Arc<Door>,
    asked: &Asked,
    command: Command,
    decide: impl FnMut(&Interaction) -> Option<Result<R, Status>>,
) -> Result<R, Status> {
    match commit(door, asked, Ok(command)).await? {
        Some(known) => Ok(known),
        None => confirm(door, asked, decide).await,
    }
}

/// The first half of [`when`]: commits, unless that was done before. `Some`: it was answered, too.
pub(super) async fn commit<R: Message + Default>(
    door: &Arc<Door>,
    asked: &Asked,
    command: Result<Command, Status>,
) -> Result<Option<R>, Status> {
    match door.order(asked.order(command), |_| None).await? {
        Ordered::Answered(known) => Ok(Some(known)),
        Ordered::Waiting(_) => Ok(None),
    }
}

/// The second half: waits for the world, and keeps the answer.
pub(super) async fn confirm<R: Message + Default>(
    door: &Arc<Door>,
    asked: &Asked,
    mut decide: impl FnMut(&Interaction) -> Option<Result<R, Status>>,
) -> Result<R, Status> {
    let result = confirmed(door, asked.id, &mut decide).await?;
    door.conclude(&asked.key, asked.body, result).await
}

/// Waits until the interaction is such that `decide` answers. Outer error: not in time.
async fn confirmed<R>(
    door: &Arc<Door>,
    id: InteractionId,
    decide: &mut impl FnMut(&Interaction) -> Option<Result<R, Status>>,
) -> Result<Result<R, Status>, Status> {
    let mut seen = door.hub.watch(id);
    let now: Arc<Interaction> = door.load(id).await?.ok_or_else(|| not_found("interaction"))?;
    door.hub.publish(&now);
    let wait = async {
        loop {
            let newest = seen.borrow_and_update().clone();
            if let Some(answer) = newest.and_then(|interaction| decide(&interaction)) {
                return Ok(answer);
            }
            if seen.changed().await.is_err() {
                return Err(Status::from(ApiError::unavailable(
                    "The service is stopping; ask again with the same request id.",
                )));
            }
        }
    };
    let deadline_us =
        call::deadline_us(&door.clock, door.answer_wait) - i64::try_from(BEFORE_DEADLINE.as_micros()).unwrap_or(0);
    match door.clock.park(door.clock.timeout_at(deadline_us, wait)).await {
        Ok(answer) => answer,
        Err(_) => Err(ApiError::pending(
            "It is committed; the switch has not confirmed it yet. Ask again with the same request id.",
        )
        .into()),
    }
}
