//! How a command is carried out and answered: once under its request id, at once or when the world has confirmed it. Every handler of a command
//! has one form: read the request into a [`CommandRequest`], parse what else it carries, execute, answer with the view.

use crate::{
    command_handler::{CommandContext, CommandHandler, CommandOutcome, not_found},
    convert,
    live::Live,
};
use baton_api::{
    ApiError,
    transfer::v1::{self as wire, ControlRecordingRequest},
};
use baton_domain::{Actor, Command};
use baton_runtime::{auth::Caller, call};
use baton_store::requests::{BodyHash, RequestKey};
use baton_words::InteractionId;
use prost::Message;
use std::{sync::Arc, time::Duration};
use tonic::Status;

/// The answer to a caller is sent so much before their deadline, so that it arrives.
const BEFORE_DEADLINE: Duration = Duration::from_millis(100);

/// What the request of every command on an interaction carries.
pub(super) trait InteractionCommand: Message {
    fn request_id(&self) -> &str;
    fn interaction_id(&self) -> &str;
    fn if_version(&self) -> u64;
    fn for_agent_id(&self) -> &str;
}

macro_rules! interaction_commands {
    ($($request:ident),+ $(,)?) => {$(
        impl InteractionCommand for wire::$request {
            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn interaction_id(&self) -> &str {
                &self.interaction_id
            }

            fn if_version(&self) -> u64 {
                self.if_version
            }

            fn for_agent_id(&self) -> &str {
                &self.for_agent_id
            }
        }
    )+};
}

interaction_commands!(
    StartTransferRequest,
    DeclineTransferRequest,
    AcceptTransferRequest,
    CancelTransferRequest,
    CompleteTransferRequest,
    SwapTransferRequest,
    HoldCustomerRequest,
    ResumeCustomerRequest,
    SetMuteRequest,
    AddNoteRequest,
    SendMessageRequest,
    SetDataRequest,
    DispositionInteractionRequest,
    LeaveInteractionRequest,
    EndInteractionRequest,
);

/// The recording service asks for somebody whose token it has verified; `caller` is that somebody.
impl InteractionCommand for ControlRecordingRequest {
    fn request_id(&self) -> &str {
        &self.request_id
    }

    fn interaction_id(&self) -> &str {
        &self.interaction_id
    }

    fn if_version(&self) -> u64 {
        0
    }

    fn for_agent_id(&self) -> &'static str {
        ""
    }
}

/// A command as it came, before it is known what it asks for.
pub(super) struct CommandRequest {
    pub(super) key: RequestKey,
    pub(super) body: BodyHash,
    pub(super) tenant: String,
    pub(super) id: InteractionId,
    pub(super) actor: Actor,
    if_version: u64,
    pub(super) request_key: String,
}

impl CommandRequest {
    pub(super) fn new(caller: &Caller, method: &str, request: &impl InteractionCommand) -> Result<Self, Status> {
        let tenant = caller.tenant()?.as_str().to_owned();
        Ok(Self {
            key: RequestKey::new(&tenant, &caller.subject, method, request.request_id())?,
            body: BodyHash::of(request),
            id: super::parse::interaction_id(request.interaction_id())?,
            actor: super::parse::actor(caller, request.for_agent_id())?,
            if_version: request.if_version(),
            request_key: format!("{}/{}", caller.subject, request.request_id()),
            tenant,
        })
    }

    fn context(&self, command: Result<Command, Status>) -> CommandContext<'_> {
        CommandContext {
            key: &self.key,
            body: self.body,
            tenant: &self.tenant,
            id: self.id,
            actor: self.actor.clone(),
            command,
            if_version: self.if_version,
            request_key: self.request_key.clone(),
        }
    }

    /// Of the visitor of a chat, who is bound to it by their token.
    pub(super) fn of_visitor(
        caller: &Caller,
        method: &str,
        request: &impl Message,
        request_id: &str,
    ) -> Result<Self, Status> {
        let tenant = caller.tenant()?.as_str().to_owned();
        Ok(Self {
            key: RequestKey::new(&tenant, &caller.subject, method, request_id)?,
            body: BodyHash::of(request),
            id: super::parse::interaction_id(&caller.subject)?,
            actor: Actor::Customer,
            if_version: 0,
            request_key: format!("visitor/{request_id}"),
            tenant,
        })
    }

    /// As this caller sees it.
    pub(super) fn view(&self, live: &Live) -> wire::Interaction {
        convert::view::interaction(live, Some(&self.actor))
    }
}

/// Carries a command out and answers when it is committed.
pub(super) async fn execute<R>(
    handler: &Arc<CommandHandler>,
    asked: &CommandRequest,
    command: Command,
    answer: impl Fn(wire::Interaction) -> R,
) -> Result<R, Status> {
    match handler.command(asked.context(Ok(command)), false).await? {
        CommandOutcome::Answered(live) => Ok(answer(asked.view(&live))),
        CommandOutcome::Waiting(live) => {
            handler.conclude(&asked.key, asked.body, Ok(())).await?;
            Ok(answer(asked.view(&live)))
        }
    }
}

/// Carries a command out and answers when `decide` has something to say of the state that the world has led to, or PENDING.
pub(super) async fn execute_and_await(
    handler: &Arc<CommandHandler>,
    asked: &CommandRequest,
    command: Command,
    decide: impl FnMut(&Live) -> Option<Result<(), Status>>,
) -> Result<Arc<Live>, Status> {
    match handler.command(asked.context(Ok(command)), true).await? {
        CommandOutcome::Answered(live) => Ok(live),
        CommandOutcome::Waiting(live) => await_outcome(handler, asked, live, decide).await,
    }
}

/// The first half of [`execute_and_await`]: commits, unless that was done before.
pub(super) async fn commit(
    handler: &Arc<CommandHandler>,
    asked: &CommandRequest,
    command: Result<Command, Status>,
) -> Result<CommandOutcome, Status> {
    handler.command(asked.context(command), true).await
}

/// The second half: waits for the world from the committed state on, and keeps the outcome. Gives the state that decided.
pub(super) async fn await_outcome(
    handler: &Arc<CommandHandler>,
    asked: &CommandRequest,
    committed: Arc<Live>,
    mut decide: impl FnMut(&Live) -> Option<Result<(), Status>>,
) -> Result<Arc<Live>, Status> {
    let (live, result) = outcome(handler, committed, &mut decide).await?;
    handler.conclude(&asked.key, asked.body, result).await?;
    Ok(live)
}

/// Waits until the interaction is such that `decide` answers; it is never shown a state from before `committed`. Outer error: not in time.
pub(super) async fn outcome(
    handler: &Arc<CommandHandler>,
    committed: Arc<Live>,
    decide: &mut impl FnMut(&Live) -> Option<Result<(), Status>>,
) -> Result<(Arc<Live>, Result<(), Status>), Status> {
    let mut seen = handler.hub.watch(committed.id);
    let now = handler.load(committed.id).await?.ok_or_else(|| not_found("interaction"))?;
    handler.hub.publish(if now.version < committed.version { &committed } else { &now });
    let wait = async {
        loop {
            let newest = seen.borrow_and_update().clone();
            if let Some(live) = newest.filter(|live| live.version >= committed.version)
                && let Some(answer) = decide(&live)
            {
                return Ok((live, answer));
            }
            if seen.changed().await.is_err() {
                return Err(Status::from(ApiError::unavailable(
                    "The service is stopping; ask again with the same request id.",
                )));
            }
        }
    };
    let before_deadline_us = i64::try_from(BEFORE_DEADLINE.as_micros()).unwrap_or(0);
    let deadline_us = call::deadline_us(&handler.clock, handler.answer_wait) - before_deadline_us;
    match handler.clock.park(handler.clock.timeout_at(deadline_us, wait)).await {
        Ok(answer) => answer,
        Err(_) => Err(ApiError::pending(
            "It is committed; the switch has not confirmed it yet. Ask again with the same request id.",
        )
        .into()),
    }
}
