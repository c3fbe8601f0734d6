//! `IntakeService`: what the other services tell. Internal.

use super::{IntakeApi, commands, commands::CommandRequest, parse, refused};
use crate::{
    command_handler::not_found,
    convert::{self, facts, words},
    live::Live,
};
use baton_api::{
    ApiError,
    recording::v1::ResolveModeRequest,
    routing::v1::{CallFlow, Queue as WireQueue, ResolveNumberRequest, ResolveNumberResponse, call_flow_step::Step},
    telephone,
    transfer::v1::{
        ControlRecordingRequest, ControlRecordingResponse, GetWantedRequest, GetWantedResponse, OpenInteractionRequest,
        OpenInteractionResponse, ReportFactsRequest, ReportFactsResponse, intake_service_server::IntakeService,
    },
};
use baton_domain::{
    Action, AgentRef, Command, Input, Opening, Policy, RecordingCommand, interaction::LegSource, machine::FlowStep,
};
use baton_runtime::{
    auth::{Caller, Role, TenantId},
    ids,
};
use baton_words::InteractionId;
use std::sync::Arc;
use tonic::{Request, Response, Status};

const MAX_FACTS: usize = 1_000;
const MAX_LEG: usize = 128;
const DEFAULT_RING_MS: i64 = 20_000;
const DEFAULT_WAIT_MS: i64 = 300_000;

#[tonic::async_trait]
impl IntakeService for IntakeApi {
    async fn open_interaction(
        &self,
        request: Request<OpenInteractionRequest>,
    ) -> Result<Response<OpenInteractionResponse>, Status> {
        let request = request.into_inner();
        let (tenant, called) = (request.tenant.clone(), request.number.clone());
        let id = match self.open(request).await {
            Ok(id) => id,
            Err(refused) => return Err(refused::note(&self.handler, &tenant, &called, refused).await),
        };
        let over = self.handler.load(id).await?.is_none_or(|interaction| interaction.ended());
        Ok(Response::new(OpenInteractionResponse { interaction_id: id.to_string(), over }))
    }

    async fn report_facts(
        &self,
        request: Request<ReportFactsRequest>,
    ) -> Result<Response<ReportFactsResponse>, Status> {
        let request = request.into_inner();
        let id = parse::interaction_id(&request.interaction_id)?;
        if request.facts.len() > MAX_FACTS {
            return Err(ApiError::resource_exhausted(format!("at most {MAX_FACTS} facts at once")).into());
        }
        let facts = request.facts.iter().map(|fact| facts::parse(id, fact).map(Input::Fact));
        let facts = facts.collect::<Result<Vec<_>, _>>()?;
        self.handler.submit(id, facts).await?.ok_or_else(|| not_found("interaction"))?;
        Ok(Response::new(ReportFactsResponse {}))
    }

    async fn control_recording(
        &self,
        request: Request<ControlRecordingRequest>,
    ) -> Result<Response<ControlRecordingResponse>, Status> {
        let request = request.into_inner();
        let (caller, command) = (on_behalf(&request)?, recording_command(&request)?);
        let method = format!("ControlRecording/{}", request.action);
        let asked = CommandRequest::new(&caller, &method, &request)?;
        let decide = |live: &_| confirmed(live, command).then_some(Ok(()));
        let live = commands::execute_and_await(&self.handler, &asked, Command::Recording(command), decide).await?;
        Ok(Response::new(recording_answer(&live)))
    }

    async fn get_wanted(&self, request: Request<GetWantedRequest>) -> Result<Response<GetWantedResponse>, Status> {
        let id: InteractionId = parse::interaction_id(&request.get_ref().interaction_id)?;
        let response = match self.handler.load(id).await? {
            None => GetWantedResponse { known: false, version: 0, leg_ids: Vec::new() },
            Some(interaction) => GetWantedResponse {
                known: true,
                version: interaction.version,
                leg_ids: interaction.plan().legs.iter().map(|leg| leg.leg.of(id)).collect(),
            },
        };
        Ok(Response::new(response))
    }
}

impl IntakeApi {
    /// Everything that an interaction begins with, looked up and frozen.
    async fn open(&self, request: OpenInteractionRequest) -> Result<InteractionId, Status> {
        let (opening, policy) = self.opening(request).await?;
        Ok(self.handler.open(opening, policy).await?)
    }

    async fn opening(&self, request: OpenInteractionRequest) -> Result<(Opening, Arc<Policy>), Status> {
        let tenant: TenantId = request
            .tenant
            .parse()
            .map_err(|_| ApiError::invalid_argument("tenant", "is no tenant: 1 to 63 of a-z, 0-9 and `-`"))?;
        self.handler.tenants.states().check_tenant(&tenant)?;
        // Nobody dials an entry for chats.
        if request.number.starts_with(super::chat::ENTRY) {
            return Err(ApiError::invalid_argument("number", "is an entry for chats").into());
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if request.leg.is_empty() || request.leg.len() > MAX_LEG || !request.leg.bytes().all(plain) {
            return Err(ApiError::invalid_argument("leg", "is no name of a leg").into());
        }
        let switch = parse::switch_id("switch_id", &request.switch_id)?;
        // What a caller sends of themselves is no reason to lose them.
        let customer = telephone::caller(&telephone::as_sent(&request.customer));
        let of = tenant.as_str().to_owned();
        let route = ResolveNumberRequest { tenant: of.clone(), number: request.number };
        let (mut routing, mut recording) = (self.peers.routing.clone(), self.peers.recording.clone());
        let (route, policy) = futures::join!(routing.resolve_number(route), self.handler.policies.current(&of));
        let (policy_version, policy) = policy?;
        let route = route?.into_inner();
        let number = route.number.clone();
        let mode = recording.resolve_mode(ResolveModeRequest { tenant: of.clone(), number: number.clone() }).await?;
        let flow = route.call_flow.as_ref();
        let opening = Opening {
            id: InteractionId(ids::new_uuid()),
            tenant: of.as_str().into(),
            switch,
            number: number.into(),
            customer_key: self.handler.tenants.pseudonym(&of, &customer).into(),
            customer: customer.into(),
            origin: LegSource::Inbound(request.leg.into()),
            flow_id: flow.map(|flow| flow.call_flow_id.as_str().into()),
            skip_voicemail: flow.is_some_and(|flow| flow.skip_voicemail),
            steps: steps(&route)?,
            recording: words::parse_mode(mode.get_ref().mode()),
            policy_version,
        };
        Ok((opening, policy))
    }
}

/// The steps of the call flow, with the agents and teams that it names; a step whose agent is gone is left out.
pub(super) fn steps(route: &ResolveNumberResponse) -> Result<Vec<FlowStep>, ApiError> {
    let agents = route.agents.iter().map(facts::agent).collect::<Result<Vec<_>, _>>()?;
    let team_name = |id: &str| route.teams.iter().find(|team| team.team_id == id).map(|team| team.name.as_str());
    let Some(flow): Option<&CallFlow> = route.call_flow.as_ref() else { return Ok(Vec::new()) };
    let steps = flow.steps.iter().filter_map(|step| step.step.as_ref());
    let steps = steps.map(|step| flow_step(step, &agents, team_name, &route.queues));
    Ok(steps.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn flow_step<'n>(
    step: &Step,
    agents: &[AgentRef],
    team_name: impl Fn(&str) -> Option<&'n str>,
    queues: &[WireQueue],
) -> Result<Option<FlowStep>, ApiError> {
    let or = |value: i64, default: i64| if value == 0 { default } else { value };
    Ok(match step {
        Step::RingAgent(ring) => {
            let agent = agents.iter().find(|agent| agent.id.to_string() == ring.agent_id);
            agent.map(|agent| FlowStep::RingAgent { agent: agent.clone(), ring_ms: or(ring.ring_ms, DEFAULT_RING_MS) })
        }
        Step::RingTeam(ring) => Some(FlowStep::RingTeam {
            team: ring.team_id.parse().map_err(|_| ApiError::invalid_argument("team_id", "is no UUID"))?,
            name: team_name(&ring.team_id).unwrap_or_default().into(),
            ring_ms: or(ring.ring_ms, DEFAULT_RING_MS),
            wait_ms: or(ring.wait_ms, DEFAULT_WAIT_MS),
        }),
        Step::Voicemail(voicemail) => Some(FlowStep::Voicemail(voicemail.mailbox.as_str().into())),
        Step::Disconnect(_) => Some(FlowStep::Disconnect),
        Step::Queue(wait) => super::queue::chain(queues, &wait.queue_id)?.map(|queue| FlowStep::Queue(Box::new(queue))),
    })
}

/// The caller for whom the recording service asks; it has verified their token.
fn on_behalf(request: &ControlRecordingRequest) -> Result<Caller, Status> {
    let tenant: TenantId = request.tenant.parse().map_err(|_| ApiError::invalid_argument("tenant", "is no tenant"))?;
    let role: Role = request.role.parse().map_err(|_| ApiError::invalid_argument("role", "is no role"))?;
    Ok(Caller::of_tenant(tenant, request.subject.clone(), role))
}

fn recording_command(request: &ControlRecordingRequest) -> Result<RecordingCommand, Status> {
    match words::parse_action(request.action) {
        Some(Action::StartRecording) => Ok(RecordingCommand::Start),
        Some(Action::StopRecording) => Ok(RecordingCommand::Stop),
        Some(Action::PauseRecording) => Ok(RecordingCommand::Pause),
        Some(Action::ResumeRecording) => Ok(RecordingCommand::Resume),
        _ => Err(ApiError::invalid_argument("action", "must be one of the four recording actions").into()),
    }
}

/// The switch has done what the command is about: nothing is being written (R3), or what is wanted is; or somebody has commanded the contrary
/// meanwhile.
fn confirmed(interaction: &Live, command: RecordingCommand) -> bool {
    let recording = &interaction.recorder;
    match command {
        RecordingCommand::Pause => !recording.maybe_live() || !recording.paused,
        RecordingCommand::Stop => !recording.maybe_live() || recording.on(),
        RecordingCommand::Start | RecordingCommand::Resume => recording.current.is_none_or(|segment| segment.live),
    }
}

fn recording_answer(interaction: &Live) -> ControlRecordingResponse {
    ControlRecordingResponse { recording: Some(convert::view::recording(interaction)) }
}
