//! `baton chat`: chats from both sides. With `--visitor`, or a visitor's token, a command is the customer's, with the token that the web
//! page would have.

use anyhow::Context as _;
use baton_api::common::v1::actor::Kind;
use baton_api::transfer::v1::chat_service_client::ChatServiceClient;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_api::transfer::v1::{
    AcceptTransferRequest, ChatMessage, Interaction, LeaveChatRequest, ListChatMessagesRequest, ListMessagesRequest,
    OpenChatRequest, SendChatMessageRequest, SendMessageRequest, Visibility, WatchChatMessagesRequest,
    WatchMessagesRequest,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};

use super::output::Column;
use super::refusal::{self, OrRefusal};
use super::session::ClientSession;
use super::{call, resolve, word};
use crate::failure::UsageError;

const MESSAGE: &str = "baton.transfer.v1.ChatMessage";

#[derive(Debug, Subcommand)]
pub(crate) enum ChatCommand {
    /// Open a chat for a visitor, as the tenant's web server does: its id, and the visitor's token.
    Open {
        /// Where it comes in: a number that begins with chat: (`baton number set chat:support`).
        #[arg(default_value = "chat:support")]
        entry: String,
        /// Who the visitor is, for example an e-mail address.
        #[arg(long, default_value = "", hide_default_value = true)]
        customer: String,
        /// For how long the token is good, in seconds: 60 to 86400.
        #[arg(long, default_value_t = 3600)]
        token_seconds: i32,
    },
    /// Accept a chat that is offered to the agent named with --as.
    Accept(ChatArgs),
    /// Write to the others, as the agent named with --as, or as the visitor.
    Send {
        #[command(flatten)]
        chat: ChatArgs,
        /// What to write.
        text: String,
        /// To the agents alone.
        #[arg(long, conflicts_with = "visitor")]
        to_agents: bool,
    },
    /// List what was written, oldest first.
    Messages(ChatArgs),
    /// Show what was written and what is being written, until the chat is over.
    Watch(ChatArgs),
    /// Leave, as the visitor: the chat is over then. Agents leave by `baton call leave`.
    Leave(ChatArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// The chat's id, or the beginning or the end of it [default: the only interaction that is live]. Not needed with a visitor's token
    /// (--token).
    #[arg(long = "chat", value_name = "ID")]
    id: Option<String>,
    /// As the visitor of the chat, as with a visitor's token.
    #[arg(long)]
    visitor: bool,
}

impl ChatArgs {
    /// A token decides in whose name.
    fn is_visitors(&self, session: &ClientSession) -> bool {
        self.visitor || session.visited_chat().is_some()
    }
}

pub(crate) async fn run(session: &ClientSession, command: ChatCommand) -> anyhow::Result<()> {
    match command {
        ChatCommand::Open { entry, customer, token_seconds } => open(session, entry, customer, token_seconds).await,
        ChatCommand::Accept(chat) => accept(session, &chat).await,
        ChatCommand::Send { chat, text, to_agents } => send(session, &chat, text, to_agents).await,
        ChatCommand::Messages(chat) => list(session, &chat).await,
        ChatCommand::Watch(chat) => watch(session, &chat).await,
        ChatCommand::Leave(chat) => leave(session, &chat).await,
    }
}

async fn open(session: &ClientSession, entry: String, customer: String, token_seconds: i32) -> anyhow::Result<()> {
    let request =
        OpenChatRequest { request_id: session.request_id(), entry, customer_address: customer, token_seconds };
    let opened =
        ChatServiceClient::new(session.channel_for_role(Role::Admin)?).open_chat(request).await.or_refusal()?;
    session.out.one("baton.transfer.v1.OpenChatResponse", &opened, |it| {
        let chat = it.chat.as_ref().map(|it| it.interaction_id.as_str()).unwrap_or_default();
        let token = it.token.as_ref().map(|it| it.token.as_str()).unwrap_or_default();
        format!("Chat {chat} is open. Whoever has this token is its visitor:\n{token}")
    })
}

async fn accept(session: &ClientSession, chat: &ChatArgs) -> anyhow::Result<()> {
    let call = named(session, chat).await?;
    let open = call.transfer.as_ref().filter(|it| it.end_time.is_none());
    let request = AcceptTransferRequest {
        request_id: session.request_id(),
        // What a call flow offers belongs to no transfer.
        transfer_id: open.map(|it| it.transfer_id.clone()).unwrap_or_default(),
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let channel = session.channel_for_role(Role::Agent)?;
    let accepted = TransferServiceClient::new(channel).accept_transfer(request).await.or_refusal()?;
    session.out.one("baton.transfer.v1.AcceptTransferResponse", &accepted, |_| "Accepted.".to_owned())
}

async fn send(session: &ClientSession, chat: &ChatArgs, text: String, to_agents: bool) -> anyhow::Result<()> {
    let request_id = session.request_id();
    let sent = if chat.is_visitors(session) {
        if to_agents {
            return Err(UsageError::new("a visitor does not write to the agents alone: leave out --to-agents").into());
        }
        let request = SendChatMessageRequest { request_id, text };
        visitor(session, chat).await?.send_chat_message(request).await.or_refusal()?.message
    } else {
        let (call, channel) = call::acting_in(session, chat.id.as_deref()).await?;
        let visibility = if to_agents { Visibility::Agents } else { Visibility::Everyone };
        let request = SendMessageRequest {
            request_id,
            interaction_id: call.interaction_id,
            text,
            visibility: visibility.into(),
            ..Default::default()
        };
        InteractionServiceClient::new(channel).send_message(request).await.or_refusal()?.message
    };
    let sent = sent.context("the answer is empty")?;
    session.out.one(MESSAGE, &sent, |it| format!("Message {} is sent.", it.sequence))
}

const COLUMNS: [Column; 4] =
    [Column::always("no"), Column::always("time"), Column::always("from"), Column::always("text")];

async fn list(session: &ClientSession, chat: &ChatArgs) -> anyhow::Result<()> {
    let (mut messages, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = page(session, chat, page_token).await?;
        messages.extend(page.0);
        page_token = page.1;
        if page_token.is_empty() {
            break;
        }
    }
    session.out.list(MESSAGE, &messages, &COLUMNS, |it| {
        vec![it.sequence.to_string(), word::time(it.create_time.as_ref()), author(it), word::one_line(&it.text)]
    })
}

async fn page(
    session: &ClientSession,
    chat: &ChatArgs,
    page_token: String,
) -> anyhow::Result<(Vec<ChatMessage>, String)> {
    if chat.is_visitors(session) {
        let request = ListChatMessagesRequest { page_token, ..Default::default() };
        let page = visitor(session, chat).await?.list_chat_messages(request).await.or_refusal()?;
        return Ok((page.messages, page.next_page_token));
    }
    let interaction_id = named(session, chat).await?.interaction_id;
    let request = ListMessagesRequest { interaction_id, page_token, ..Default::default() };
    let mut client = InteractionServiceClient::new(session.reader_channel()?);
    let page = client.list_messages(request).await.or_refusal()?;
    Ok((page.messages, page.next_page_token))
}

async fn watch(session: &ClientSession, chat: &ChatArgs) -> anyhow::Result<()> {
    if chat.is_visitors(session) {
        let request = WatchChatMessagesRequest::default();
        let mut stream = visitor(session, chat).await?.watch_chat_messages(request).await.or_refusal()?;
        while let Some(new) = stream.message().await.map_err(|status| refusal::of(&status))? {
            print(session, &new.messages)?;
        }
        return Ok(());
    }
    let interaction_id = named(session, chat).await?.interaction_id;
    let request = WatchMessagesRequest { interaction_id, ..Default::default() };
    let mut client = InteractionServiceClient::new(session.reader_channel()?);
    let mut stream = client.watch_messages(request).await.or_refusal()?;
    while let Some(new) = stream.message().await.map_err(|status| refusal::of(&status))? {
        print(session, &new.messages)?;
    }
    Ok(())
}

fn print(session: &ClientSession, messages: &[ChatMessage]) -> anyhow::Result<()> {
    messages.iter().try_for_each(|it| {
        session.out.one(MESSAGE, it, |it| {
            format!("{} {}: {}", word::time(it.create_time.as_ref()), author(it), word::one_line(&it.text))
        })
    })
}

async fn leave(session: &ClientSession, chat: &ChatArgs) -> anyhow::Result<()> {
    if !chat.is_visitors(session) {
        return Err(UsageError::new("say --visitor; an agent leaves by `baton call leave`").into());
    }
    let request = LeaveChatRequest { request_id: session.request_id() };
    let left = visitor(session, chat).await?.leave_chat(request).await.or_refusal()?;
    session.out.one("baton.transfer.v1.LeaveChatResponse", &left, |_| "The chat is over.".to_owned())
}

/// Who wrote it, and whether to agents alone.
fn author(message: &ChatMessage) -> String {
    let kind = message.author.as_ref().map(baton_api::common::v1::Actor::kind).unwrap_or_default();
    let name = match kind {
        Kind::Customer => "customer",
        _ if message.author_name.is_empty() => "agent",
        _ => &message.author_name,
    };
    if message.visibility() == Visibility::Agents { format!("{name} (to agents)") } else { name.to_owned() }
}

async fn named(session: &ClientSession, chat: &ChatArgs) -> anyhow::Result<Interaction> {
    resolve::interaction(session, chat.id.as_deref()).await
}

/// The customer's side: by the token that was given, or by one for the chat that is named.
async fn visitor(session: &ClientSession, chat: &ChatArgs) -> anyhow::Result<ChatServiceClient<GrpcChannel>> {
    if let (Some(id), Some(own)) = (&chat.id, session.visited_chat()) {
        check_same(id, own)?;
    }
    let id = match &chat.id {
        Some(id) if session.can_mint_tokens() => resolve::interaction(session, Some(id)).await?.interaction_id,
        Some(id) => id.clone(),
        None if session.can_mint_tokens() => {
            return Err(UsageError::new("name the chat with --chat, or give the visitor's token with --token").into());
        }
        None => String::new(),
    };
    Ok(ChatServiceClient::new(session.channel_for_visitor(&id)?))
}

/// A visitor's token is of one chat, whichever is named.
fn check_same(id: &str, own: &str) -> Result<(), UsageError> {
    resolve::find_one("chat", id, &[own], |it| [it, it]).map(|_| ()).map_err(|_| {
        UsageError::new(format!("the token is of the chat {own} alone, and --chat says {id}: leave out --chat"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitors_token_is_of_one_chat() {
        const OWN: &str = "01980000-0000-7000-8000-0000000000c1";
        for same in [OWN, "0000000000c1", "00c1", "0198"] {
            assert!(check_same(same, OWN).is_ok(), "{same}");
        }
        let refused = check_same("01980000-0000-7000-8000-0000000000c2", OWN).unwrap_err().to_string();
        assert!(refused.contains("the token is of the chat 01980000-0000-7000-8000-0000000000c1 alone"), "{refused}");
    }
}
