//! What is written in chats: sent, listed and streamed, for agents and those who look after them, and for the visitor, who sees less.

use super::{InteractionApi, commands, commands::CommandRequest, parse};
use crate::{
    command_handler::{CommandHandler, not_found},
    convert,
    live::Live,
    store::{
        self,
        messages::{self, Audience, ChatRow},
    },
};
use baton_api::{
    ApiError, Known as _,
    common::v1::Actor as WireActor,
    transfer::v1::{
        ChatMessage, ListMessagesRequest, ListMessagesResponse, SendMessageRequest, SendMessageResponse, Visibility,
        WatchMessagesRequest, WatchMessagesResponse,
    },
};
use baton_domain::{Actor, Command, input::Message};
use baton_runtime::{auth::Caller, lifecycle, quota::Permit};
use baton_words::{AgentId, InteractionId, MessageNo};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// The longest message, in characters.
const MAX_MESSAGE: usize = 4_000;
/// Messages in one message of a stream: 500 of the longest are 8 MB at most, and clients take 4 MiB.
const IN_ONE: i64 = 100;

/// A page of messages, with where the next one begins.
pub(super) struct MessagePage {
    pub(super) messages: Vec<ChatMessage>,
    pub(super) next_page_token: String,
}

/// Which messages a page has.
pub(super) struct PageAsked<'a> {
    pub(super) size: i32,
    pub(super) token: &'a str,
    pub(super) after_sequence: i32,
}

impl InteractionApi {
    pub(super) async fn send(
        &self,
        caller: &Caller,
        request: &SendMessageRequest,
    ) -> Result<SendMessageResponse, Status> {
        let asked = CommandRequest::new(caller, "SendMessage", request)?;
        let visibility = request.visibility().known().unwrap_or(baton_words::Visibility::Everyone);
        let message = Message { visibility, text: text(&request.text)? };
        let message = send(&self.handler, &asked, message, Audience::Agents).await?;
        Ok(SendMessageResponse { message: Some(message) })
    }

    pub(super) async fn list(
        &self,
        caller: &Caller,
        request: &ListMessagesRequest,
    ) -> Result<ListMessagesResponse, Status> {
        let (live, _) = self.readable(caller, &request.interaction_id).await?;
        let asked =
            PageAsked { size: request.page_size, token: &request.page_token, after_sequence: request.after_sequence };
        let MessagePage { messages, next_page_token } = page(&self.handler, live.id, Audience::Agents, &asked).await?;
        Ok(ListMessagesResponse { messages, next_page_token })
    }

    pub(super) async fn watch(
        &self,
        caller: &Caller,
        request: &WatchMessagesRequest,
        permit: Permit,
    ) -> Result<ReceiverStream<Result<WatchMessagesResponse, Status>>, Status> {
        let (live, of) = self.readable(caller, &request.interaction_id).await?;
        let after = sequence(request.after_sequence)?;
        let follow =
            MessageFollow { handler: Arc::clone(&self.handler), id: live.id, audience: Audience::Agents, of, after };
        Ok(follow.stream(permit, |_, messages| (!messages.is_empty()).then_some(WatchMessagesResponse { messages })))
    }

    /// The chat, if this caller may read what was written in it.
    async fn readable(&self, caller: &Caller, id: &str) -> Result<(Arc<Live>, Option<AgentId>), Status> {
        let (tenant, of) = (caller.tenant()?.as_str(), parse::only_of(caller)?);
        let id = parse::interaction_id(id)?;
        let live = self.handler.load_of(tenant, id).await?.ok_or_else(|| not_found("interaction"))?;
        check_reader(&self.handler, &live, of).await?;
        Ok((live, of))
    }
}

/// Refuses an agent who is not and was not in the chat. One to whom it is offered knows what the initiator has written to them, and reads the rest
/// once they have accepted (B306).
async fn check_reader(handler: &CommandHandler, live: &Live, agent: Option<AgentId>) -> Result<(), Status> {
    let Some(agent) = agent else { return Ok(()) };
    if live.agent(agent).is_some() || store::interactions::was_party(&handler.db, live.id, agent).await? {
        return Ok(());
    }
    Err(not_found("interaction"))
}

/// Sends a message once, and gives it as it was written the first time.
pub(super) async fn send(
    handler: &Arc<CommandHandler>,
    asked: &CommandRequest,
    message: Message,
    audience: Audience,
) -> Result<ChatMessage, Status> {
    commands::execute(handler, asked, Command::SendMessage(message), drop).await?;
    let sent = messages::by_request(&handler.db, asked.id, &asked.request_key).await?;
    let sent = sent.ok_or_else(|| ApiError::internal("The message was sent, and is not there."))?;
    Ok(shown(asked.id, audience, sent))
}

pub(super) fn text(text: &str) -> Result<Arc<str>, Status> {
    parse::text("text", text, 1, MAX_MESSAGE)
}

pub(super) fn sequence(after: i32) -> Result<i64, Status> {
    if after < 0 {
        return Err(ApiError::invalid_argument("after_sequence", "must not be negative").into());
    }
    Ok(after.into())
}

pub(super) async fn page(
    handler: &CommandHandler,
    id: InteractionId,
    audience: Audience,
    asked: &PageAsked<'_>,
) -> Result<MessagePage, Status> {
    let (size, after) = (parse::page_size(asked.size)?, sequence(asked.after_sequence)?);
    let after = match asked.token {
        "" => after,
        token => token.parse::<u32>().map_err(|_| parse::bad_page_token())?.into(),
    };
    let mut found = messages::after(&handler.db, id, audience, after, size + 1).await?;
    let more = found.len() as i64 > size;
    found.truncate(size as usize);
    let messages: Vec<_> = found.into_iter().map(|it| shown(id, audience, it)).collect();
    let last = messages.last().filter(|_| more);
    let next_page_token = last.map(|it| it.sequence.to_string()).unwrap_or_default();
    Ok(MessagePage { messages, next_page_token })
}

fn shown(id: InteractionId, audience: Audience, own: ChatRow) -> ChatMessage {
    let visibility = if own.shown.is_some() { Visibility::Everyone } else { Visibility::Agents };
    let author = convert::actor(&own.author);
    let of_customer = audience == Audience::Customer;
    ChatMessage {
        message_id: if of_customer { String::new() } else { MessageNo(own.number as u32).of(id) },
        sequence: if of_customer { own.shown.unwrap_or_default() } else { own.number } as i32,
        author: Some(if of_customer { stranger(&own.author, &author) } else { author }),
        author_name: own.author_name,
        visibility: visibility.into(),
        text: own.text,
        create_time: Some(convert::words::at(own.at_us)),
    }
}

/// Whoever writes for an agent is the agent to a customer.
fn stranger(own: &Actor, author: &WireActor) -> WireActor {
    let agent = own.agent().map(|_| baton_api::common::v1::actor::Kind::Agent.into());
    WireActor { kind: agent.unwrap_or(author.kind), ..WireActor::default() }
}

/// Follows a chat for a stream.
pub(super) struct MessageFollow {
    pub(super) handler: Arc<CommandHandler>,
    pub(super) id: InteractionId,
    pub(super) audience: Audience,
    /// The agent who reads, who may lose the right to.
    pub(super) of: Option<AgentId>,
    pub(super) after: i64,
}

impl MessageFollow {
    /// Streams what `answer` makes of each version of the chat and the messages that are new with it, until the chat is over.
    pub(super) fn stream<R: Send + 'static>(
        mut self,
        permit: Permit,
        mut answer: impl FnMut(&Live, Vec<ChatMessage>) -> Option<R> + Send + 'static,
    ) -> ReceiverStream<Result<R, Status>> {
        let (out, receiver) = mpsc::channel(1);
        lifecycle::spawn(async move {
            let _permit = permit;
            let sending = out.clone();
            let following = self.follow(&out, &mut answer);
            tokio::select! {
                followed = following => if let Err(status) = followed {
                    // It fails when the client has gone.
                    let _ = sending.send(Err(status)).await;
                },
                () = sending.closed() => {}
            }
        });
        ReceiverStream::new(receiver)
    }

    async fn follow<R>(
        &mut self,
        out: &mpsc::Sender<Result<R, Status>>,
        answer: &mut impl FnMut(&Live, Vec<ChatMessage>) -> Option<R>,
    ) -> Result<(), Status> {
        let mut seen = self.handler.hub.watch(self.id);
        let now = self.handler.load(self.id).await?.ok_or_else(|| not_found("interaction"))?;
        self.handler.hub.publish(&now);
        loop {
            let newest = seen.borrow_and_update().clone();
            if let Some(live) = newest {
                check_reader(&self.handler, &live, self.of).await?;
                if !self.send_new(&live, out, answer).await? || live.ended() {
                    return Ok(());
                }
            }
            if seen.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// `false`: the client has gone.
    async fn send_new<R>(
        &mut self,
        live: &Live,
        out: &mpsc::Sender<Result<R, Status>>,
        answer: &mut impl FnMut(&Live, Vec<ChatMessage>) -> Option<R>,
    ) -> Result<bool, Status> {
        loop {
            let new = messages::after(&self.handler.db, self.id, self.audience, self.after, IN_ONE).await?;
            let more = new.len() as i64 == IN_ONE;
            let new: Vec<_> = new.into_iter().map(|it| shown(self.id, self.audience, it)).collect();
            self.after = new.last().map_or(self.after, |it| it.sequence.into());
            if let Some(answer) = answer(live, new)
                && out.send(Ok(answer)).await.is_err()
            {
                return Ok(false);
            }
            if !more {
                return Ok(true);
            }
        }
    }
}
