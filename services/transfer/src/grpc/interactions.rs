//! `InteractionService`.

use super::{
    InteractionApi, commands,
    commands::CommandRequest,
    parse,
    watch::{self, InteractionsWatch},
};
use crate::{
    command_handler::{CommandHandler, not_found},
    convert,
    filter::Filter,
    live::Live,
    store::{
        self,
        listing::{self, After, InteractionQuery},
    },
};
use baton_api::{
    ApiError, fields,
    transfer::v1::{
        AddNoteRequest, AddNoteResponse, DispositionInteractionRequest, DispositionInteractionResponse,
        EndInteractionRequest, EndInteractionResponse, ExplainInteractionRequest, ExplainInteractionResponse,
        ForgetCustomerRequest, ForgetCustomerResponse, GetInteractionRequest, GetInteractionResponse,
        HoldCustomerRequest, HoldCustomerResponse, LeaveInteractionRequest, LeaveInteractionResponse,
        ListInteractionsRequest, ListInteractionsResponse, ListMessagesRequest, ListMessagesResponse, PlaceCallRequest,
        PlaceCallResponse, ResumeCustomerRequest, ResumeCustomerResponse, SendMessageRequest, SendMessageResponse,
        SetDataRequest, SetDataResponse, SetMuteRequest, SetMuteResponse, WatchInteractionRequest,
        WatchInteractionResponse, WatchInteractionsRequest, WatchInteractionsResponse, WatchMessagesRequest,
        WatchMessagesResponse, interaction_service_server::InteractionService,
    },
};
use baton_domain::{Command, input::Disposition, interaction::MAX_DATA};
use baton_runtime::{CallerExt, auth::Caller, lifecycle, quota::Permit, stream};
use baton_words::{AgentId, Room};
use futures::stream::BoxStream;
use prost::Message as _;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

const MAX_NOTE: usize = 4_000;
/// The longest name of a disposition.
const MAX_DISPOSITION: usize = 100;
const MAX_DISPOSITION_NOTE: usize = 2_000;
const MAX_KEY: usize = 64;
const MAX_VALUE: usize = 1_024;
/// A page is full at this size, bytes: clients take 4 MiB.
const LARGEST_PAGE: usize = 1024 * 1024;

impl CommandHandler {
    /// The interaction, if this caller may see it.
    pub(super) async fn visible(&self, caller: &Caller, id: &str) -> Result<Arc<Live>, Status> {
        let (tenant, of) = (caller.tenant()?.as_str(), parse::only_of(caller)?);
        let id = parse::interaction_id(id)?;
        let interaction = self.load_of(tenant, id).await?.ok_or_else(|| not_found("interaction"))?;
        self.check_reader(&interaction, of).await?;
        Ok(interaction)
    }

    /// Refuses an agent who has no part in the interaction: also one who was offered it, once the offer is over (H4).
    async fn check_reader(&self, live: &Live, agent: Option<AgentId>) -> Result<(), Status> {
        let Some(agent) = agent else { return Ok(()) };
        if live.agent(agent).is_some() || store::interactions::may_read(&self.db, live.id, agent).await? {
            return Ok(());
        }
        Err(not_found("interaction"))
    }
}

#[tonic::async_trait]
impl InteractionService for InteractionApi {
    type WatchInteractionsStream = BoxStream<'static, Result<WatchInteractionsResponse, Status>>;
    type WatchInteractionStream = ReceiverStream<Result<WatchInteractionResponse, Status>>;
    type WatchMessagesStream = ReceiverStream<Result<WatchMessagesResponse, Status>>;

    async fn get_interaction(
        &self,
        request: Request<GetInteractionRequest>,
    ) -> Result<Response<GetInteractionResponse>, Status> {
        let caller = request.caller()?;
        let interaction = self.handler.visible(caller, &request.get_ref().interaction_id).await?;
        let view = convert::view::interaction(&interaction, parse::viewer(caller)?.as_ref());
        Ok(Response::new(GetInteractionResponse { interaction: Some(view) }))
    }

    async fn explain_interaction(
        &self,
        request: Request<ExplainInteractionRequest>,
    ) -> Result<Response<ExplainInteractionResponse>, Status> {
        self.explain(request.caller()?, request.get_ref()).await.map(Response::new)
    }

    async fn list_interactions(
        &self,
        request: Request<ListInteractionsRequest>,
    ) -> Result<Response<ListInteractionsResponse>, Status> {
        let caller = request.caller()?;
        let (tenant, of, viewer) = (caller.tenant()?.as_str(), parse::only_of(caller)?, parse::viewer(caller)?);
        let asked = request.get_ref();
        let limit = parse::page_size(asked.page_size)?;
        let after = match asked.page_token.as_str() {
            "" => After::NOTHING,
            token => token.parse().map_err(|()| parse::bad_page_token())?,
        };
        // One more than requested tells whether there is a next page.
        parse::may_filter(caller, asked.filter.as_ref())?;
        let filter = Filter::parse(asked.filter.as_ref(), of, tenant, &self.handler.tenants)?;
        let query = InteractionQuery { tenant, filter: &filter, live_only: asked.live_only, after, limit: limit + 1 };
        let found = listing::list(&self.handler.db, &query).await?;
        let (mut interactions, mut bytes, mut last) = (Vec::new(), 0, None);
        for place in &found {
            if interactions.len() as i64 == limit || bytes > LARGEST_PAGE {
                break;
            }
            if let Some(interaction) = self.handler.load(place.id).await? {
                let view = convert::view::listed(&interaction, viewer.as_ref());
                bytes += view.encoded_len();
                interactions.push(view);
            }
            last = Some(place);
        }
        let more = last.filter(|last| found.last() != Some(last));
        let next_page_token = more.map(ToString::to_string).unwrap_or_default();
        Ok(Response::new(ListInteractionsResponse { interactions, next_page_token }))
    }

    async fn watch_interaction(
        &self,
        request: Request<WatchInteractionRequest>,
    ) -> Result<Response<Self::WatchInteractionStream>, Status> {
        let caller = request.caller()?;
        let (viewer, of) = (parse::viewer(caller)?, parse::only_of(caller)?);
        let asked = request.get_ref();
        let id = self.handler.visible(caller, &asked.interaction_id).await?.id;
        let permit = self.watch_permit(caller.tenant()?.as_str())?;
        let mut seen = self.handler.hub.watch(id);
        let now = self.handler.load(id).await?.ok_or_else(|| not_found("interaction"))?;
        self.handler.hub.publish(&now);
        let (sender, receiver) = mpsc::channel(1);
        let mut after = asked.after_version;
        let handler = Arc::clone(&self.handler);
        let task = async move {
            let _permit = permit;
            loop {
                let newest = seen.borrow_and_update().clone();
                if let Some(interaction) = newest.filter(|interaction| interaction.version > after) {
                    if let Err(status) = handler.check_reader(&interaction, of).await {
                        // It fails when the client has gone.
                        let _ = sender.send(Err(status)).await;
                        return;
                    }
                    after = interaction.version;
                    let view = convert::view::interaction(&interaction, viewer.as_ref());
                    if sender.send(Ok(WatchInteractionResponse { interaction: Some(view) })).await.is_err() {
                        return;
                    }
                }
                if seen
                    .borrow()
                    .as_ref()
                    .is_some_and(|interaction| interaction.settled() && interaction.version <= after)
                {
                    return;
                }
                tokio::select! {
                    changed = seen.changed() => if changed.is_err() { return },
                    () = sender.closed() => return,
                }
            }
        };
        lifecycle::spawn(task);
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn watch_interactions(
        &self,
        request: Request<WatchInteractionsRequest>,
    ) -> Result<Response<Self::WatchInteractionsStream>, Status> {
        let caller = request.caller()?;
        let (tenant, of, viewer) = (caller.tenant()?.as_str(), parse::only_of(caller)?, parse::viewer(caller)?);
        let asked = request.get_ref();
        parse::may_filter(caller, asked.filter.as_ref())?;
        let filter = Filter::parse(asked.filter.as_ref(), of, tenant, &self.handler.tenants);
        let (filter, since_us) = fields::all((filter, watch::read_cursor(&asked.cursor)))?;
        let permit = self.watch_permit(tenant)?;
        let (out, messages) = mpsc::channel(watch::BUFFER);
        let watch = InteractionsWatch {
            handler: self.handler.clone(),
            tenant: tenant.to_owned(),
            filter,
            viewer,
            out,
            shown: HashMap::new(),
        };
        lifecycle::spawn(async move {
            let _permit = permit;
            watch.serve(since_us).await;
        });
        Ok(Response::new(stream::endless(ReceiverStream::new(messages))))
    }

    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        let caller = request.caller()?.clone();
        self.send(&caller, request.get_ref()).await.map(Response::new)
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = request.caller()?.clone();
        self.list(&caller, request.get_ref()).await.map(Response::new)
    }

    async fn watch_messages(
        &self,
        request: Request<WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let caller = request.caller()?.clone();
        let permit = self.watch_permit(caller.tenant()?.as_str())?;
        self.watch(&caller, request.get_ref(), permit).await.map(Response::new)
    }

    async fn forget_customer(
        &self,
        request: Request<ForgetCustomerRequest>,
    ) -> Result<Response<ForgetCustomerResponse>, Status> {
        let caller = request.caller()?.clone();
        self.forget(&caller, request.get_ref()).await.map(Response::new)
    }

    async fn place_call(&self, request: Request<PlaceCallRequest>) -> Result<Response<PlaceCallResponse>, Status> {
        let caller = request.caller()?.clone();
        self.place(&caller, request.into_inner()).await.map(Response::new)
    }

    async fn hold_customer(
        &self,
        request: Request<HoldCustomerRequest>,
    ) -> Result<Response<HoldCustomerResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "HoldCustomer", request.get_ref())?;
        let decide = |live: &_| moved(live, true).then_some(Ok(()));
        let live = commands::execute_and_await(&self.handler, &asked, Command::Hold, decide).await?;
        Ok(Response::new(HoldCustomerResponse { interaction: Some(asked.view(&live)) }))
    }

    async fn resume_customer(
        &self,
        request: Request<ResumeCustomerRequest>,
    ) -> Result<Response<ResumeCustomerResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "ResumeCustomer", request.get_ref())?;
        let decide = |live: &_| moved(live, false).then_some(Ok(()));
        let live = commands::execute_and_await(&self.handler, &asked, Command::Resume, decide).await?;
        Ok(Response::new(ResumeCustomerResponse { interaction: Some(asked.view(&live)) }))
    }

    async fn set_mute(&self, request: Request<SetMuteRequest>) -> Result<Response<SetMuteResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "SetMute", request.get_ref())?;
        let command = Command::SetMute(request.get_ref().muted);
        let answer = |view| SetMuteResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn add_note(&self, request: Request<AddNoteRequest>) -> Result<Response<AddNoteResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "AddNote", request.get_ref())?;
        let command = Command::Note(parse::text("text", &request.get_ref().text, 1, MAX_NOTE)?);
        let answer = |view| AddNoteResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn set_data(&self, request: Request<SetDataRequest>) -> Result<Response<SetDataResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "SetData", request.get_ref())?;
        let command = parse_data(&request.get_ref().set, &request.get_ref().remove)?;
        let answer = |view| SetDataResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn disposition_interaction(
        &self,
        request: Request<DispositionInteractionRequest>,
    ) -> Result<Response<DispositionInteractionResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "DispositionInteraction", request.get_ref())?;
        let name = parse::text("disposition", &request.get_ref().disposition, 1, MAX_DISPOSITION)?;
        let note = parse::text("note", &request.get_ref().note, 0, MAX_DISPOSITION_NOTE)?;
        let command = Command::Disposition(Disposition { name, note });
        let answer = |view| DispositionInteractionResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn leave_interaction(
        &self,
        request: Request<LeaveInteractionRequest>,
    ) -> Result<Response<LeaveInteractionResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "LeaveInteraction", request.get_ref())?;
        let answer = |view| LeaveInteractionResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, Command::Leave, answer).await.map(Response::new)
    }

    async fn end_interaction(
        &self,
        request: Request<EndInteractionRequest>,
    ) -> Result<Response<EndInteractionResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "EndInteraction", request.get_ref())?;
        let answer = |view| EndInteractionResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, Command::End, answer).await.map(Response::new)
    }
}

impl InteractionApi {
    fn watch_permit(&self, tenant: &str) -> Result<Permit, ApiError> {
        self.watchers.take(tenant).map_err(|error| {
            ApiError::resource_exhausted(format!(
                "No more interactions can be watched: {error}. End some streams first."
            ))
        })
    }
}

/// The switch has the customer where this hold, or its end, wants them; or it can't come to that any more, because the customer is with nobody,
/// or somebody has commanded the contrary meanwhile (H2).
fn moved(live: &Live, held: bool) -> bool {
    let there = if held { Room::Hold } else { Room::Talk };
    live.service().is_none() || live.held() != held || live.customer().leg.seen_in() == Some(there)
}

fn parse_data(set: &BTreeMap<String, String>, remove: &[String]) -> Result<Command, Status> {
    let limit = |field: &str, why: String| Status::from(ApiError::invalid_argument(field, why));
    if set.len() + remove.len() > MAX_DATA {
        return Err(limit("set", format!("has too many keys; {MAX_DATA} are allowed")));
    }
    for key in set.keys().chain(remove) {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(good) {
            return Err(limit("set", format!("{key:?} is no key: 1 to {MAX_KEY} of a-z, 0-9, `_`, `.` and `-`")));
        }
    }
    let set = set.iter().map(|(key, value)| Ok((key.as_str().into(), parse::text("set", value, 0, MAX_VALUE)?)));
    let remove = remove.iter().map(|key| key.as_str().into()).collect();
    Ok(Command::SetData { set: set.collect::<Result<_, Status>>()?, remove })
}
