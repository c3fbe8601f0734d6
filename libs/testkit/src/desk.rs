//! An agent's desk: everything that an agent can do.

use anyhow::Context as _;
use baton_api::common::v1::{Action, ExternalTarget, RecordingState, Target, TransferKind, target};
use baton_api::presence::v1 as presence;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::recording::v1 as recording;
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::transfer::v1 as transfer;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_runtime::client::GrpcChannel;
use tonic::Status;

use crate::names::fresh;
use crate::session::OpenSession;
use crate::voicemail::Voicemail;
use crate::wait::{BOUND, eventually};

/// An agent with a client and a phone.
#[derive(Debug, Clone)]
pub struct AgentDesk {
    agent: presence::Agent,
    tone_hz: u32,
    channel: GrpcChannel,
    supervisor: GrpcChannel,
}

/// The target of a transfer.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    Agent(&'a AgentDesk),
    /// A team, by its id.
    Team(&'a str),
    /// An external number, by its id.
    External(&'a str),
    /// A number outside that is typed in.
    Number(&'a str),
    /// A queue, by its id.
    Queue(&'a str),
    /// An IVR flow, by its id.
    IvrFlow(&'a str),
}

impl From<To<'_>> for Target {
    fn from(to: To<'_>) -> Self {
        let target = match to {
            To::Agent(desk) => target::Target::AgentId(desk.id().to_owned()),
            To::Team(team_id) => target::Target::TeamId(team_id.to_owned()),
            To::External(id) => target::Target::External(ExternalTarget {
                external_number_id: id.to_owned(),
                ..ExternalTarget::default()
            }),
            To::Number(number) => {
                target::Target::External(ExternalTarget { number: number.to_owned(), ..ExternalTarget::default() })
            }
            To::Queue(queue_id) => target::Target::QueueId(queue_id.to_owned()),
            To::IvrFlow(id) => target::Target::IvrFlowId(id.to_owned()),
        };
        Self { target: Some(target) }
    }
}

type View = Result<transfer::Interaction, Status>;

impl AgentDesk {
    /// `channel` is the agent's own, `supervisor` is for reading presence.
    pub(crate) fn new(agent: presence::Agent, tone_hz: u32, channel: GrpcChannel, supervisor: GrpcChannel) -> Self {
        Self { agent, tone_hz, channel, supervisor }
    }

    pub fn id(&self) -> &str {
        &self.agent.agent_id
    }

    pub fn name(&self) -> &str {
        &self.agent.name
    }

    /// The phone's address.
    pub fn phone(&self) -> &str {
        &self.agent.phone
    }

    /// The phone's tone.
    pub fn tone_hz(&self) -> u32 {
        self.tone_hz
    }

    /// Interactions, as the agent.
    pub fn interactions(&self) -> InteractionServiceClient<GrpcChannel> {
        InteractionServiceClient::new(self.channel.clone())
    }

    /// Transfers, as the agent.
    pub fn transfers(&self) -> TransferServiceClient<GrpcChannel> {
        TransferServiceClient::new(self.channel.clone())
    }

    /// Recordings, as the agent.
    pub fn recordings(&self) -> RecordingServiceClient<GrpcChannel> {
        RecordingServiceClient::new(self.channel.clone())
    }

    /// The agent's voicemail box.
    pub fn voicemail(&self) -> Voicemail {
        Voicemail::new(self.channel.clone())
    }

    /// Presence, as the agent.
    pub fn presence(&self) -> PresenceServiceClient<GrpcChannel> {
        PresenceServiceClient::new(self.channel.clone())
    }

    /// Connects as available; returns when presence shows that.
    pub async fn connect(&self) -> anyhow::Result<OpenSession> {
        let session = OpenSession::open(self.presence(), presence::AgentState::Available).await?;
        self.until_state(presence::AgentState::Available).await?;
        Ok(session)
    }

    /// The agent's presence, as a supervisor sees it.
    pub async fn state(&self) -> anyhow::Result<presence::Presence> {
        let request = presence::GetPresenceRequest { agent_id: self.id().to_owned() };
        let answer = PresenceServiceClient::new(self.supervisor.clone()).get_presence(request).await?;
        answer.into_inner().presence.context("the answer has no presence")
    }

    /// Waits until the agent is in this state.
    pub async fn until_state(&self, state: presence::AgentState) -> anyhow::Result<presence::Presence> {
        eventually(&format!("{} is {}", self.name(), state.as_str_name()), BOUND, async || {
            let seen = self.state().await.map_err(|error| format!("{error:#}"))?;
            if seen.state() == state { Ok(seen) } else { Err(format!("{seen:?}")) }
        })
        .await
    }

    pub async fn set_state(&self, state: presence::AgentState, away_reason: &str) -> Result<(), Status> {
        let request = presence::SetStateRequest {
            request_id: fresh(),
            state: state.into(),
            away_reason: away_reason.to_owned(),
            agent_id: String::new(),
        };
        self.presence().set_state(request).await.map(|_| ())
    }

    /// The picker, as the agent sees it.
    pub async fn targets(&self, filter: presence::TargetFilter) -> Result<Vec<presence::PickerTarget>, Status> {
        let request = presence::ListTargetsRequest { filter: Some(filter), page_size: 500, ..Default::default() };
        let page = self.presence().list_targets(request).await?.into_inner();
        baton_api::picker::targets(page.targets).map_err(|error| Status::internal(error.to_string()))
    }

    /// The offers to the agent, and the interactions that they are in.
    pub async fn inbox(&self) -> Result<Vec<presence::InboxItem>, Status> {
        let answer = self.presence().list_inbox(presence::ListInboxRequest {}).await?.into_inner();
        Ok(answer.inbox.map(|it| it.active).unwrap_or_default())
    }

    /// The transfers that wait until the agent is free.
    pub async fn waiting(&self) -> Result<Vec<presence::InboxItem>, Status> {
        let answer = self.presence().list_inbox(presence::ListInboxRequest {}).await?.into_inner();
        Ok(answer.inbox.map(|it| it.waiting).unwrap_or_default())
    }

    /// The interaction as the agent sees it.
    pub async fn view(&self, interaction_id: &str) -> View {
        let request = transfer::GetInteractionRequest { interaction_id: interaction_id.to_owned() };
        seen(self.interactions().get_interaction(request).await?.into_inner().interaction)
    }

    /// Waits until the agent may do this.
    pub async fn until_may(&self, interaction_id: &str, action: Action) -> anyhow::Result<transfer::Interaction> {
        eventually(&format!("{} may {}", self.name(), action.as_str_name()), BOUND, async || {
            let view = self.view(interaction_id).await.map_err(|status| status.to_string())?;
            if view.allowed_actions().any(|it| it == action) { Ok(view) } else { Err(format!("{view:#?}")) }
        })
        .await
    }

    /// Calls a customer from one of the tenant's numbers.
    pub async fn place_call(&self, from: &str, to: &str) -> View {
        let request = transfer::PlaceCallRequest {
            request_id: fresh(),
            from_number: from.to_owned(),
            to_number: to.to_owned(),
            ..Default::default()
        };
        seen(self.interactions().place_call(request).await?.into_inner().interaction)
    }

    pub async fn start(&self, interaction_id: &str, kind: TransferKind, to: To<'_>) -> View {
        let request = transfer::StartTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            kind: kind.into(),
            target: Some(to.into()),
            message: String::new(),
            ..Default::default()
        };
        seen(self.transfers().start_transfer(request).await?.into_inner().interaction)
    }

    /// Starts a transfer, with a message to whoever gets it.
    pub async fn start_saying(&self, interaction_id: &str, kind: TransferKind, to: To<'_>, message: &str) -> View {
        let request = transfer::StartTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            kind: kind.into(),
            target: Some(to.into()),
            message: message.to_owned(),
            ..Default::default()
        };
        seen(self.transfers().start_transfer(request).await?.into_inner().interaction)
    }

    /// What the agent can choose when they hand this interaction over.
    pub async fn options(&self, interaction_id: &str) -> Result<transfer::GetTransferOptionsResponse, Status> {
        let request = transfer::GetTransferOptionsRequest {
            interaction_id: interaction_id.to_owned(),
            for_agent_id: String::new(),
        };
        Ok(self.transfers().get_transfer_options(request).await?.into_inner())
    }

    /// To whom the agent can hand this interaction over, in the order in which they are offered.
    pub async fn choices(
        &self,
        interaction_id: &str,
        kind: TransferKind,
        filter: presence::TargetFilter,
    ) -> Result<Vec<presence::TransferTarget>, Status> {
        let request = transfer::ListTransferTargetsRequest {
            interaction_id: interaction_id.to_owned(),
            kind: kind.into(),
            filter: Some(filter),
            ..Default::default()
        };
        Ok(self.transfers().list_transfer_targets(request).await?.into_inner().targets)
    }

    /// Starts a transfer to an agent, for what it is for.
    pub async fn start_for(&self, interaction_id: &str, kind: TransferKind, to: &Self, outcome: &str) -> View {
        let request = transfer::StartTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            kind: kind.into(),
            target: Some(To::Agent(to).into()),
            outcome: outcome.to_owned(),
            ..Default::default()
        };
        seen(self.transfers().start_transfer(request).await?.into_inner().interaction)
    }

    /// Starts a transfer to an agent, with a message to them.
    pub async fn start_with(&self, interaction_id: &str, kind: TransferKind, to: &Self, message: &str) -> View {
        let request = transfer::StartTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            kind: kind.into(),
            target: Some(To::Agent(to).into()),
            message: message.to_owned(),
            ..Default::default()
        };
        seen(self.transfers().start_transfer(request).await?.into_inner().interaction)
    }

    /// Says how the agent's turn ended.
    pub async fn disposition(&self, interaction_id: &str, disposition: &str, note: &str) -> View {
        let request = transfer::DispositionInteractionRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            disposition: disposition.to_owned(),
            note: note.to_owned(),
            ..Default::default()
        };
        seen(self.interactions().disposition_interaction(request).await?.into_inner().interaction)
    }

    /// Starts a warm transfer to an agent.
    pub async fn start_warm(&self, interaction_id: &str, to: &Self) -> View {
        self.start(interaction_id, TransferKind::Warm, To::Agent(to)).await
    }

    /// Starts a cold transfer to an agent.
    pub async fn start_cold(&self, interaction_id: &str, to: &Self) -> View {
        self.start(interaction_id, TransferKind::Cold, To::Agent(to)).await
    }

    /// The id of the open transfer, as this agent sees it; empty without one.
    async fn open_transfer(&self, interaction_id: &str) -> String {
        let request = transfer::GetInteractionRequest { interaction_id: interaction_id.to_owned() };
        let seen = self.interactions().get_interaction(request).await.ok();
        let open = seen.and_then(|it| it.into_inner().interaction?.transfer).filter(|it| it.end_time.is_none());
        open.map(|it| it.transfer_id).unwrap_or_default()
    }

    /// The id of the open transfer, or of the first that there could be: for a try that is to be refused.
    async fn some_transfer(&self, interaction_id: &str) -> String {
        match self.open_transfer(interaction_id).await {
            none if none.is_empty() => format!("{interaction_id}-transfer-1"),
            open => open,
        }
    }

    /// Declines the offered transfer, or what the call flow offers.
    pub async fn decline(&self, interaction_id: &str) -> Result<(), Status> {
        let request = transfer::DeclineTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            transfer_id: self.open_transfer(interaction_id).await,
            ..Default::default()
        };
        self.transfers().decline_transfer(request).await.map(|_| ())
    }

    /// Cancels the open transfer.
    pub async fn cancel(&self, interaction_id: &str) -> View {
        let request = transfer::CancelTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            transfer_id: self.some_transfer(interaction_id).await,
            ..Default::default()
        };
        seen(self.transfers().cancel_transfer(request).await?.into_inner().interaction)
    }

    /// Completes the transfer now.
    pub async fn complete(&self, interaction_id: &str) -> View {
        let request = transfer::CompleteTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            transfer_id: self.some_transfer(interaction_id).await,
            ..Default::default()
        };
        seen(self.transfers().complete_transfer(request).await?.into_inner().interaction)
    }

    /// Goes from the recipient to the customer, or back.
    pub async fn swap(&self, interaction_id: &str) -> View {
        let request = transfer::SwapTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            transfer_id: self.some_transfer(interaction_id).await,
            ..Default::default()
        };
        seen(self.transfers().swap_transfer(request).await?.into_inner().interaction)
    }

    pub async fn hold(&self, interaction_id: &str) -> View {
        let request = transfer::HoldCustomerRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            ..Default::default()
        };
        seen(self.interactions().hold_customer(request).await?.into_inner().interaction)
    }

    /// Takes the customer off hold.
    pub async fn resume(&self, interaction_id: &str) -> View {
        let request = transfer::ResumeCustomerRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            ..Default::default()
        };
        seen(self.interactions().resume_customer(request).await?.into_inner().interaction)
    }

    pub async fn mute(&self, interaction_id: &str, muted: bool) -> View {
        let request = transfer::SetMuteRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            muted,
            ..Default::default()
        };
        seen(self.interactions().set_mute(request).await?.into_inner().interaction)
    }

    pub async fn note(&self, interaction_id: &str, text: &str) -> View {
        let request = transfer::AddNoteRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            text: text.to_owned(),
            ..Default::default()
        };
        seen(self.interactions().add_note(request).await?.into_inner().interaction)
    }

    /// Leaves; the same as hanging up.
    pub async fn leave(&self, interaction_id: &str) -> Result<(), Status> {
        let request = transfer::LeaveInteractionRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            ..Default::default()
        };
        self.interactions().leave_interaction(request).await.map(|_| ())
    }

    /// Ends the interaction for everybody.
    pub async fn end(&self, interaction_id: &str) -> Result<(), Status> {
        let request = transfer::EndInteractionRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            ..Default::default()
        };
        self.interactions().end_interaction(request).await.map(|_| ())
    }

    /// Starts recording by hand; what is being recorded then, as after the other three.
    pub async fn start_recording(&self, interaction_id: &str) -> Result<RecordingState, Status> {
        let request =
            recording::StartRecordingRequest { request_id: fresh(), interaction_id: interaction_id.to_owned() };
        recorded(self.recordings().start_recording(request).await?.into_inner().recording)
    }

    /// Stops recording that was started by hand.
    pub async fn stop_recording(&self, interaction_id: &str) -> Result<RecordingState, Status> {
        let request =
            recording::StopRecordingRequest { request_id: fresh(), interaction_id: interaction_id.to_owned() };
        recorded(self.recordings().stop_recording(request).await?.into_inner().recording)
    }

    pub async fn pause_recording(&self, interaction_id: &str) -> Result<RecordingState, Status> {
        let request =
            recording::PauseRecordingRequest { request_id: fresh(), interaction_id: interaction_id.to_owned() };
        recorded(self.recordings().pause_recording(request).await?.into_inner().recording)
    }

    pub async fn resume_recording(&self, interaction_id: &str) -> Result<RecordingState, Status> {
        let request =
            recording::ResumeRecordingRequest { request_id: fresh(), interaction_id: interaction_id.to_owned() };
        recorded(self.recordings().resume_recording(request).await?.into_inner().recording)
    }
}

fn recorded(recording: Option<RecordingState>) -> Result<RecordingState, Status> {
    recording.ok_or_else(|| Status::internal("the answer has no recording"))
}

fn seen(interaction: Option<transfer::Interaction>) -> View {
    interaction.ok_or_else(|| Status::internal("the answer has no interaction"))
}
