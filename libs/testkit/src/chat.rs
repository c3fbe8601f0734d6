//! Chats: a visitor at a web page, and what agents write.

use anyhow::Context as _;
use baton_api::routing::v1::call_flow_step::Step;
use baton_api::transfer::v1 as transfer;
use baton_api::transfer::v1::chat_service_client::ChatServiceClient;
use baton_api::transfer::v1::{Chat, ChatMessage, Visibility};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use tonic::{Status, Streaming};

use crate::desk::AgentDesk;
use crate::names::fresh;
use crate::tenant::{Call, TestTenant};

/// Where chats come in.
pub const ENTRY: &str = "chat:support";

/// A customer in a chat, with the token that the web page has.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub interaction_id: String,
    pub token: String,
    channel: GrpcChannel,
}

impl TestTenant {
    /// The entry for chats, with a call flow of these steps.
    pub async fn chat_entry(&self, steps: Vec<Step>) -> anyhow::Result<()> {
        self.entry(ENTRY, steps, false).await
    }

    /// Chats, as the web server of the tenant.
    pub fn web_server(&self) -> anyhow::Result<ChatServiceClient<GrpcChannel>> {
        Ok(ChatServiceClient::new(self.channel("web", Role::ServiceAccount)?))
    }

    /// A visitor opens a chat.
    pub async fn visit(&self) -> anyhow::Result<Visitor> {
        let request = transfer::OpenChatRequest {
            request_id: fresh(),
            entry: ENTRY.to_owned(),
            customer_address: "eva@example.com".to_owned(),
            token_seconds: 0,
        };
        let answer = self.web_server()?.open_chat(request).await.context("opening a chat")?.into_inner();
        let token = answer.token.context("the answer has no token")?.token;
        let channel = self.anonymous().with_token(&token)?;
        let interaction_id = answer.chat.context("the answer has no chat")?.interaction_id;
        Ok(Visitor { interaction_id, token, channel })
    }
}

impl Visitor {
    pub fn chats(&self) -> ChatServiceClient<GrpcChannel> {
        ChatServiceClient::new(self.channel.clone())
    }

    /// The public listener, as the visitor.
    pub fn channel(&self) -> GrpcChannel {
        self.channel.clone()
    }

    /// The interaction, as what reads calls takes it. There is no leg.
    pub fn call(&self) -> Call {
        Call {
            interaction_id: self.interaction_id.clone(),
            leg_id: String::new(),
            customer: "eva@example.com".to_owned(),
        }
    }

    pub async fn says(&self, text: &str) -> Result<ChatMessage, Status> {
        let request = transfer::SendChatMessageRequest { request_id: fresh(), text: text.to_owned() };
        written(self.chats().send_chat_message(request).await?.into_inner().message)
    }

    pub async fn chat(&self) -> Result<Chat, Status> {
        let answer = self.chats().get_chat(transfer::GetChatRequest {}).await?.into_inner();
        answer.chat.ok_or_else(|| Status::internal("the answer has no chat"))
    }

    /// All that the visitor sees.
    pub async fn messages(&self) -> Result<Vec<ChatMessage>, Status> {
        let request = transfer::ListChatMessagesRequest { page_size: 500, ..Default::default() };
        Ok(self.chats().list_chat_messages(request).await?.into_inner().messages)
    }

    pub async fn watch(&self, after_sequence: i32) -> Result<Streaming<transfer::WatchChatMessagesResponse>, Status> {
        let request = transfer::WatchChatMessagesRequest { after_sequence };
        Ok(self.chats().watch_chat_messages(request).await?.into_inner())
    }

    pub async fn leaves(&self) -> Result<Chat, Status> {
        let request = transfer::LeaveChatRequest { request_id: fresh() };
        let answer = self.chats().leave_chat(request).await?.into_inner();
        answer.chat.ok_or_else(|| Status::internal("the answer has no chat"))
    }
}

impl AgentDesk {
    /// Takes the chat that is offered.
    pub async fn accept(&self, interaction_id: &str) -> Result<transfer::Interaction, Status> {
        let request = transfer::AcceptTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            transfer_id: self.offering_transfer(interaction_id).await?,
            ..Default::default()
        };
        let answer = self.transfers().accept_transfer(request).await?.into_inner();
        answer.interaction.ok_or_else(|| Status::internal("the answer has no interaction"))
    }

    pub async fn says(&self, interaction_id: &str, text: &str, to: Visibility) -> Result<ChatMessage, Status> {
        let request = transfer::SendMessageRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            text: text.to_owned(),
            visibility: to.into(),
            ..Default::default()
        };
        written(self.interactions().send_message(request).await?.into_inner().message)
    }

    /// All that was written.
    pub async fn messages(&self, interaction_id: &str) -> Result<Vec<ChatMessage>, Status> {
        let request = transfer::ListMessagesRequest {
            interaction_id: interaction_id.to_owned(),
            page_size: 500,
            ..Default::default()
        };
        Ok(self.interactions().list_messages(request).await?.into_inner().messages)
    }

    async fn offering_transfer(&self, interaction_id: &str) -> Result<String, Status> {
        let inbox = self.inbox().await?;
        Ok(inbox
            .into_iter()
            .find(|it| it.interaction_id == interaction_id)
            .map(|it| it.transfer_id)
            .unwrap_or_default())
    }
}

fn written(message: Option<ChatMessage>) -> Result<ChatMessage, Status> {
    message.ok_or_else(|| Status::internal("the answer has no message"))
}
