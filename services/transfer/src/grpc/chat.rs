//! `ChatService`: chats from the customer's side. A visitor is whoever has a token for a chat, and sees nothing but that chat, and of it nothing that
//! is among agents.

use super::{
    ChatApi, commands,
    commands::CommandRequest,
    intake, messages,
    messages::{MessageFollow, MessagePage, PageAsked},
    parse,
};
use crate::{
    command_handler::{NewInteraction, not_found},
    convert,
    live::Live,
    store::{self, messages::Audience},
};
use baton_api::{
    ApiError,
    error::ErrorReason,
    fields,
    routing::v1::ResolveNumberRequest,
    telephone,
    transfer::v1::{
        Chat, GetChatRequest, GetChatResponse, IssueVisitorTokenRequest, IssueVisitorTokenResponse, LeaveChatRequest,
        LeaveChatResponse, ListChatMessagesRequest, ListChatMessagesResponse, OpenChatRequest, OpenChatResponse,
        SendChatMessageRequest, SendChatMessageResponse, VisitorToken, WatchChatMessagesRequest,
        WatchChatMessagesResponse, chat, chat_service_server::ChatService,
    },
};
use baton_domain::{
    Command, Opening,
    input::Message,
    interaction::{LegSource, Party, Stage},
};
use baton_runtime::{CallerExt as _, auth::Caller, ids};
use baton_store::requests::{BodyHash, RequestKey};
use baton_words::{InteractionId, RecordingMode, SwitchId, Visibility};
use std::{sync::Arc, time::Duration};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// How a number begins that is an entry for chats.
pub(super) const ENTRY: &str = "chat:";
/// The longest address of a customer, in characters.
const MAX_ADDRESS: usize = 64;
/// For how long a token is good, seconds, where nothing is said.
const TOKEN_S: i32 = 3_600;
const TOKEN_RANGE_S: std::ops::RangeInclusive<i32> = 60..=86_400;
/// A visitor writes so many messages in so long: nobody types faster, and a program that does fills a disk.
const MOST_WRITTEN: i64 = 20;
const WRITTEN_IN_US: i64 = 10_000_000;

#[tonic::async_trait]
impl ChatService for ChatApi {
    type WatchChatMessagesStream = ReceiverStream<Result<WatchChatMessagesResponse, Status>>;

    async fn open_chat(&self, request: Request<OpenChatRequest>) -> Result<Response<OpenChatResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let ttl = token_ttl(request.token_seconds)?;
        let key = RequestKey::new(caller.tenant()?.as_str(), &caller.subject, "OpenChat", &request.request_id)?;
        let opening = self.opening(&caller, &request).await;
        if let Err(status) = &opening
            && ApiError::of(status).is_retryable()
        {
            return Err(status.clone());
        }
        let live = self.handler.place(&key, BodyHash::of(&request), opening).await?;
        let token = Some(self.token(&caller, live.id, ttl)?);
        Ok(Response::new(OpenChatResponse { chat: Some(view(&live)), token }))
    }

    async fn issue_visitor_token(
        &self,
        request: Request<IssueVisitorTokenRequest>,
    ) -> Result<Response<IssueVisitorTokenResponse>, Status> {
        let (caller, asked) = (request.caller()?, request.get_ref());
        let ttl = token_ttl(asked.token_seconds)?;
        // Nothing is kept of it: whoever asks again gets another token.
        RequestKey::new(caller.tenant()?.as_str(), &caller.subject, "IssueVisitorToken", &asked.request_id)?;
        let id = parse::interaction_id(&asked.interaction_id)?;
        let live = self.chat_of(caller, id).await?;
        Ok(Response::new(IssueVisitorTokenResponse { token: Some(self.token(caller, live.id, ttl)?) }))
    }

    async fn get_chat(&self, request: Request<GetChatRequest>) -> Result<Response<GetChatResponse>, Status> {
        let live = self.own(request.caller()?).await?;
        Ok(Response::new(GetChatResponse { chat: Some(view(&live)) }))
    }

    async fn send_chat_message(
        &self,
        request: Request<SendChatMessageRequest>,
    ) -> Result<Response<SendChatMessageResponse>, Status> {
        let (caller, asked) = (request.caller()?, request.get_ref());
        self.own(caller).await?;
        let command = CommandRequest::of_visitor(caller, "SendChatMessage", asked, &asked.request_id)?;
        let message = Message { visibility: Visibility::Everyone, text: messages::text(&asked.text)? };
        self.check_rate(&command).await?;
        let message = messages::send(&self.handler, &command, message, Audience::Customer).await?;
        Ok(Response::new(SendChatMessageResponse { message: Some(message) }))
    }

    async fn list_chat_messages(
        &self,
        request: Request<ListChatMessagesRequest>,
    ) -> Result<Response<ListChatMessagesResponse>, Status> {
        let live = self.own(request.caller()?).await?;
        let asked = request.get_ref();
        let asked = PageAsked { size: asked.page_size, token: &asked.page_token, after_sequence: asked.after_sequence };
        let MessagePage { messages, next_page_token } =
            messages::page(&self.handler, live.id, Audience::Customer, &asked).await?;
        Ok(Response::new(ListChatMessagesResponse { messages, next_page_token }))
    }

    async fn watch_chat_messages(
        &self,
        request: Request<WatchChatMessagesRequest>,
    ) -> Result<Response<Self::WatchChatMessagesStream>, Status> {
        let caller = request.caller()?;
        let live = self.own(caller).await?;
        let permit = self.watchers.take(caller.tenant()?.as_str()).map_err(|error| {
            ApiError::resource_exhausted(format!("No more chats can be watched: {error}. End some streams first."))
        })?;
        let follow = MessageFollow {
            handler: Arc::clone(&self.handler),
            id: live.id,
            audience: Audience::Customer,
            of: None,
            after: messages::sequence(request.get_ref().after_sequence)?,
        };
        let mut last = None;
        let answer = move |live: &Live, messages: Vec<_>| {
            let now = view(live);
            let new = !messages.is_empty() || last.as_ref() != Some(&now);
            last = Some(now.clone());
            new.then_some(WatchChatMessagesResponse { messages, chat: Some(now) })
        };
        Ok(Response::new(follow.stream(permit, answer)))
    }

    async fn leave_chat(&self, request: Request<LeaveChatRequest>) -> Result<Response<LeaveChatResponse>, Status> {
        let (caller, asked) = (request.caller()?, request.get_ref());
        let live = self.own(caller).await?;
        let command = CommandRequest::of_visitor(caller, "LeaveChat", asked, &asked.request_id)?;
        commands::execute(&self.handler, &command, Command::Leave, drop).await?;
        let live = self.chat_of(caller, live.id).await?;
        Ok(Response::new(LeaveChatResponse { chat: Some(view(&live)) }))
    }
}

impl ChatApi {
    /// Everything that a chat begins with, looked up and frozen.
    async fn opening(&self, caller: &Caller, request: &OpenChatRequest) -> Result<NewInteraction, Status> {
        let tenant = caller.tenant()?.as_str().to_owned();
        let ((), customer) = fields::all((entry(&request.entry), address(&request.customer_address)))?;
        let route = ResolveNumberRequest { tenant: tenant.clone(), number: request.entry.clone() };
        let mut routing = self.peers.routing.clone();
        let (route, policy) = futures::join!(routing.resolve_number(route), self.handler.policies.current(&tenant));
        let (policy_version, policy) = policy?;
        let route = route?.into_inner();
        let flow = route.call_flow.as_ref();
        let opening = Opening {
            id: InteractionId(ids::new_uuid()),
            tenant: tenant.as_str().into(),
            switch: SwitchId::default(),
            number: route.number.as_str().into(),
            customer_key: self.handler.tenants.pseudonym(&tenant, &customer).into(),
            customer: customer.into(),
            origin: LegSource::Written,
            flow_id: flow.map(|flow| flow.call_flow_id.as_str().into()),
            skip_voicemail: true,
            steps: intake::steps(&route)?,
            recording: RecordingMode::Manual,
            policy_version,
        };
        Ok(NewInteraction { opening, policy, caller: None })
    }

    /// The chat of a visitor's token.
    async fn own(&self, caller: &Caller) -> Result<Arc<Live>, Status> {
        self.chat_of(caller, parse::interaction_id(&caller.subject)?).await
    }

    async fn chat_of(&self, caller: &Caller, id: InteractionId) -> Result<Arc<Live>, Status> {
        let live = self.handler.load_of(caller.tenant()?.as_str(), id).await?;
        live.filter(|live| live.medium.is_written()).ok_or_else(|| not_found("chat"))
    }

    fn token(&self, caller: &Caller, id: InteractionId, ttl: Duration) -> Result<VisitorToken, Status> {
        let now_us = self.handler.clock.wall_us();
        let token = self.visitors.mint(caller.tenant()?, &id.to_string(), now_us, ttl);
        let token = token.map_err(|error| ApiError::internal(error.to_string()))?.ok_or_else(|| {
            let message = "This installation has no key with which visitors' tokens could be signed: its operator gives it one (auth.key_file).";
            ApiError::failed_precondition(ErrorReason::NoVisitorKey, message)
        })?;
        let expires_us = now_us + ttl.as_micros() as i64;
        Ok(VisitorToken { token, expire_time: Some(convert::words::at(expires_us)) })
    }

    /// Refuses one more message of a visitor who has just written many; not one that was sent already.
    async fn check_rate(&self, asked: &CommandRequest) -> Result<(), Status> {
        let (db, now_us) = (&self.handler.db, self.handler.clock.now_us());
        let nth_last = store::messages::customers_nth_last(db, asked.id, MOST_WRITTEN - 1).await?;
        let Some(free_at_us) = nth_last.map(|at_us| at_us + WRITTEN_IN_US).filter(|at_us| *at_us > now_us) else {
            return Ok(());
        };
        if store::messages::by_request(db, asked.id, &asked.request_key).await?.is_some() {
            return Ok(());
        }
        let wait = Duration::from_micros((free_at_us - now_us).unsigned_abs());
        let message = format!("A visitor writes at most {MOST_WRITTEN} messages in {} s.", WRITTEN_IN_US / 1_000_000);
        Err(ApiError { retry_after: Some(wait), ..ApiError::resource_exhausted(message) }.into())
    }
}

fn entry(entry: &str) -> Result<(), ApiError> {
    if entry.starts_with(ENTRY) {
        return Ok(());
    }
    Err(ApiError::invalid_argument("entry", "must begin with chat:, for example chat:support"))
}

fn address(text: &str) -> Result<String, ApiError> {
    let as_sent = telephone::as_sent(text);
    if as_sent != text {
        let why = format!("must be {MAX_ADDRESS} characters at most, without control characters");
        return Err(ApiError::invalid_argument("customer_address", why));
    }
    // As for calls: the same customer has the same pseudonym, however they come.
    Ok(telephone::caller(text))
}

fn token_ttl(seconds: i32) -> Result<Duration, Status> {
    let seconds = if seconds == 0 { TOKEN_S } else { seconds };
    if TOKEN_RANGE_S.contains(&seconds) {
        return Ok(Duration::from_secs(seconds.unsigned_abs().into()));
    }
    let why = format!("must be 0, or {} to {}", TOKEN_RANGE_S.start(), TOKEN_RANGE_S.end());
    Err(ApiError::invalid_argument("token_seconds", why).into())
}

/// The chat as its visitor sees it: who has them, and no more.
fn view(live: &Live) -> Chat {
    let agent = live.primary().and_then(|id| live.agent(id)).and_then(Party::agent);
    let state = match live.stage {
        Stage::Served(_) => chat::State::WithAgent,
        Stage::Ended(_) => chat::State::Ended,
        Stage::Seeking(_) | Stage::Exiting(_) | Stage::Farewell { .. } => chat::State::Waiting,
    };
    Chat {
        interaction_id: live.id.to_string(),
        state: state.into(),
        agent_name: agent.map(|agent| agent.name.to_string()).unwrap_or_default(),
        last_sequence: live.counters.shown_message.cast_signed(),
        create_time: Some(convert::words::at(live.opened_at_us)),
    }
}
