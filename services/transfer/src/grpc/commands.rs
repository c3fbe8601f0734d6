//! How a command is carried out and answered: once under its request id, at once or when the world has confirmed it.

use crate::{
    command_handler::{CommandContext, CommandHandler, CommandOutcome, not_found},
    convert,
};
use baton_api::ApiError;
use baton_domain::{Command, Interaction, InteractionId, words::Actor};
use baton_runtime::{auth::Caller, call};
use baton_store::requests::{BodyHash, RequestKey};
use prost::Message;
use std::{sync::Arc, time::Duration};
use tonic::Status;

/// The answer to a caller is sent so much before their deadline, so that it arrives.
const BEFORE_DEADLINE: Duration = Duration::from_millis(100);

/// A command as it came: who, under which request id, about what.
pub(super) struct CommandRequest {
    pub(super) key: RequestKey,
    pub(super) body: BodyHash,
    pub(super) tenant: String,
    pub(super) id: InteractionId,
    pub(super) actor: Actor,
    pub(super) request_key: String,
}

impl CommandRequest {
    pub(super) fn new(
        caller: &Caller,
        method: &str,
        request_id: &str,
        interaction_id: &str,
        request: &impl Message,
    ) -> Result<Self, Status> {
        let tenant = caller.tenant()?.as_str().to_owned();
        Ok(Self {
            key: RequestKey::new(&tenant, &caller.subject, method, request_id)?,
            body: BodyHash::of(request),
            id: super::parse::interaction_id(interaction_id)?,
            actor: super::parse::actor(caller)?,
            request_key: format!("{}/{request_id}", caller.subject),
            tenant,
        })
    }

    fn order(&self, command: Result<Command, Status>) -> CommandContext<'_> {
        CommandContext {
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
pub(super) async fn execute<R: Message + Default>(
    handler: &Arc<CommandHandler>,
    command_request: &CommandRequest,
    command: Command,
    answer: impl Fn(&Interaction) -> R,
) -> Result<R, Status> {
    match handler.order(command_request.order(Ok(command)), |interaction| Some(answer(interaction))).await? {
        CommandOutcome::Answered(response) => Ok(response),
        CommandOutcome::Waiting(interaction) => {
            handler.conclude(&command_request.key, command_request.body, Ok(answer(&interaction))).await
        }
    }
}

/// Carries a command out and answers when `decide` has something to say of the state that the world has led to, or PENDING.
pub(super) async fn execute_and_await<R: Message + Default>(
    handler: &Arc<CommandHandler>,
    command_request: &CommandRequest,
    command: Command,
    decide: impl FnMut(&Interaction) -> Option<Result<R, Status>>,
) -> Result<R, Status> {
    match commit(handler, command_request, Ok(command)).await? {
        Some(known) => Ok(known),
        None => await_outcome(handler, command_request, decide).await,
    }
}

/// The first half of [`when`]: commits, unless that was done before. `Some`: it was answered, too.
pub(super) async fn commit<R: Message + Default>(
    handler: &Arc<CommandHandler>,
    command_request: &CommandRequest,
    command: Result<Command, Status>,
) -> Result<Option<R>, Status> {
    match handler.order(command_request.order(command), |_| None).await? {
        CommandOutcome::Answered(known) => Ok(Some(known)),
        CommandOutcome::Waiting(_) => Ok(None),
    }
}

/// The second half: waits for the world, and keeps the answer.
pub(super) async fn await_outcome<R: Message + Default>(
    handler: &Arc<CommandHandler>,
    command_request: &CommandRequest,
    mut decide: impl FnMut(&Interaction) -> Option<Result<R, Status>>,
) -> Result<R, Status> {
    let result = confirmed(handler, command_request.id, &mut decide).await?;
    handler.conclude(&command_request.key, command_request.body, result).await
}

/// Waits until the interaction is such that `decide` answers. Outer error: not in time.
async fn confirmed<R>(
    handler: &Arc<CommandHandler>,
    id: InteractionId,
    decide: &mut impl FnMut(&Interaction) -> Option<Result<R, Status>>,
) -> Result<Result<R, Status>, Status> {
    let mut seen = handler.hub.watch(id);
    let now: Arc<Interaction> = handler.load(id).await?.ok_or_else(|| not_found("interaction"))?;
    handler.hub.publish(&now);
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
    let deadline_us = call::deadline_us(&handler.clock, handler.answer_wait)
        - i64::try_from(BEFORE_DEADLINE.as_micros()).unwrap_or(0);
    match handler.clock.park(handler.clock.timeout_at(deadline_us, wait)).await {
        Ok(answer) => answer,
        Err(_) => Err(ApiError::pending(
            "It is committed; the switch has not confirmed it yet. Ask again with the same request id.",
        )
        .into()),
    }
}
