//! A running presence service, its clients, and a transfer service that only records reports.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_api::ApiError;
use baton_api::presence::v1::claim_service_client::ClaimServiceClient;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{
    Agent, AgentState, Claim, ConnectRequest, ConnectResponse, CreateAgentRequest, CreateTeamRequest,
    GetPresenceRequest, InboxItem, Presence, ReleasedClaim, SyncClaimsRequest, Team, claim, connect_request,
    connect_response,
};
use baton_api::transfer::v1::intake_service_server::{IntakeService, IntakeServiceServer};
use baton_api::transfer::v1::{
    ControlRecordingRequest, ControlRecordingResponse, Fact, GetWantedRequest, GetWantedResponse,
    OpenInteractionRequest, OpenInteractionResponse, ReportFactsRequest, ReportFactsResponse, fact,
};
use baton_bus::{Bus, EventLog};
use baton_runtime::Clock;
use baton_runtime::auth::{AdmissionList, Caller, Role, SigningKey, TenantState};
use baton_runtime::client::{GrpcChannel, InternalChannel, PublicChannel, ServiceIdentity};
use baton_runtime::clock::BusyGuard;
use baton_runtime::config::PresenceConfig;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::{self, Lifecycle, TaskName};
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService as _, ServiceContext};
use baton_store::Db;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

pub(crate) const TENANT: &str = "acme";
const OTHER_TENANT: &str = "other";
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// Everything that a test needs.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) bus: Bus,
    pub(crate) intake: Intake,
    folder: TempDir,
    key: SigningKey,
    transfer: InternalChannel,
    frozen: Option<BusyGuard>,
    running: Running,
}

/// One run of the service: a restart makes another.
struct Running {
    lifecycle: Lifecycle,
    public: String,
    internal: InternalChannel,
}

/// A claim of which the transfer service can make nothing.
pub(crate) const NONSENSE: &str = "nonsense";

/// A transfer service that fails the next `failures_left` reports, refuses those with a claim that it calls nonsense, and records the others.
#[derive(Clone, Default)]
pub(crate) struct Intake {
    pub(crate) acknowledged: Arc<Mutex<Vec<(i64, ReportFactsRequest)>>>,
    pub(crate) failures_left: Arc<Mutex<u32>>,
    /// How many reports were refused.
    pub(crate) refused: Arc<Mutex<u32>>,
    clock: Option<Clock>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (clock, driver) = Clock::simulated(1_700_000_000_000_000);
        lifecycle::spawn(driver.run());
        let frozen = Some(clock.busy());
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate();
        let intake = Intake { clock: Some(clock.clone()), ..Intake::default() };
        let server = ServerBuilder::new(clock.clone(), key.verifier());
        let address = serve(server.add_service(IntakeServiceServer::new(intake.clone())), &Lifecycle::new());
        let transfer = internal(&address, &key, &clock);
        let bus = Bus::from(EventLog::open(folder.path().join("bus.db"), clock.clone()).await.unwrap());
        let running = Running::start(&folder, &key, &clock, &bus, &transfer).await;
        Self { clock, bus, intake, folder, key, transfer, frozen, running }
    }

    /// Stops the service; returns the tasks that are still running two seconds later.
    pub(crate) async fn stop(&self) -> Vec<TaskName> {
        self.running.lifecycle.shutdown(Duration::from_secs(2)).await.unfinished
    }

    /// Stops the service and starts it again on the same data.
    pub(crate) async fn restart(&mut self) {
        self.running.lifecycle.shutdown(Duration::from_secs(5)).await;
        self.running = Running::start(&self.folder, &self.key, &self.clock, &self.bus, &self.transfer).await;
    }

    /// The service's database.
    pub(crate) async fn database(&self) -> Db {
        baton_store::testing::open(self.folder.path(), "presence").await
    }

    /// Lets time pass.
    pub(crate) async fn pass(&mut self, duration: Duration) {
        let until_us = self.clock.after(duration);
        self.frozen = None;
        self.clock.sleep_until(until_us).await;
        self.frozen = Some(self.clock.busy());
    }

    pub(crate) fn channel(&self, tenant: &str, subject: &str, role: Role) -> PublicChannel {
        let caller = Caller::of_tenant(tenant.parse().unwrap(), subject, role);
        self.channel_for(&caller, Duration::from_hours(24))
    }

    /// With a token that is valid this long.
    pub(crate) fn channel_for(&self, caller: &Caller, ttl: Duration) -> PublicChannel {
        let token = self.key.mint(caller, self.clock.now_us(), ttl).unwrap();
        GrpcChannel::public(&self.running.public, &token, self.clock.clone()).unwrap()
    }

    pub(crate) fn directory(&self, role: Role) -> DirectoryServiceClient<PublicChannel> {
        DirectoryServiceClient::new(self.channel(TENANT, "boss", role))
    }

    pub(crate) fn presence(&self, agent: Uuid) -> PresenceServiceClient<PublicChannel> {
        PresenceServiceClient::new(self.channel(TENANT, &agent.to_string(), Role::Agent))
    }

    pub(crate) fn claims(&self) -> ClaimServiceClient<InternalChannel> {
        ClaimServiceClient::new(self.running.internal.clone())
    }

    /// Creates an agent; their address is made of the name.
    pub(crate) async fn agent(&self, name: &str) -> Uuid {
        self.agent_of(TENANT, name).await
    }

    pub(crate) async fn agent_of(&self, tenant: &str, name: &str) -> Uuid {
        let agent = Agent {
            name: name.to_owned(),
            email: format!("{}@acme.test", name.to_lowercase()),
            phone: name.to_lowercase(),
            ..Agent::default()
        };
        let request = CreateAgentRequest { request_id: fresh(), agent: Some(agent) };
        let mut directory = DirectoryServiceClient::new(self.channel(tenant, "boss", Role::Admin));
        let response = directory.create_agent(request).await.unwrap().into_inner();
        response.agent.unwrap().agent_id.parse().unwrap()
    }

    pub(crate) async fn team(&self, name: &str, members: &[Uuid]) -> Uuid {
        let agent_ids = members.iter().map(Uuid::to_string).collect();
        let team = Team { name: name.to_owned(), agent_ids, ..Team::default() };
        let request = CreateTeamRequest { request_id: fresh(), team: Some(team) };
        let response = self.directory(Role::Admin).create_team(request).await.unwrap().into_inner();
        response.team.unwrap().team_id.parse().unwrap()
    }

    /// An agent with a session that stays open for one lease.
    pub(crate) async fn online(&self, name: &str) -> (Uuid, Client) {
        let agent = self.agent(name).await;
        (agent, self.connect(agent).await)
    }

    pub(crate) async fn connect(&self, agent: Uuid) -> Client {
        self.connect_in(agent, AgentState::Unspecified).await
    }

    pub(crate) async fn connect_in(&self, agent: Uuid, state: AgentState) -> Client {
        Client::connect(self.presence(agent), state).await
    }

    pub(crate) async fn state(&self, agent: Uuid) -> AgentState {
        self.snapshot(agent).await.state()
    }

    pub(crate) async fn snapshot(&self, agent: Uuid) -> Presence {
        let response = self.presence(agent).get_presence(GetPresenceRequest::default()).await;
        response.unwrap().into_inner().presence.unwrap()
    }

    /// Waits until the agent is in this state; time stands still.
    pub(crate) async fn until_state(&self, agent: Uuid, state: AgentState) {
        eventually(async || self.state(agent).await == state).await;
    }
}

impl Running {
    async fn start(folder: &TempDir, key: &SigningKey, clock: &Clock, bus: &Bus, transfer: &InternalChannel) -> Self {
        let lifecycle = Lifecycle::new();
        let ms = |it: u64| it.try_into().unwrap();
        let context = ServiceContext {
            name: baton_runtime::ServiceName::Presence,
            folder: folder.path().to_owned(),
            databases: baton_store::testing::databases(folder.path()),
            config: PresenceConfig { lease_ms: ms(15_000) },
            clock: clock.clone(),
            lifecycle: lifecycle.clone(),
            calls_kept: Duration::from_hours(24 * 400),
            space: DiskSpace::default(),
            bus: bus.clone(),
            peers: baton_runtime::client::Peers::at_one(transfer),
        };
        let admitted = AdmissionList::default();
        admitted.set(TENANT.parse().unwrap(), TenantState::Active);
        admitted.set(OTHER_TENANT.parse().unwrap(), TenantState::Active);
        let service = baton_presence::start(context, admitted.clone()).await.unwrap();
        let server = || ServerBuilder::new(clock.clone(), key.verifier()).admitting(admitted.clone());
        let public = serve(service.add_public(server()), &lifecycle);
        let inside = serve(service.add_internal(server()), &lifecycle);
        Self { lifecycle, public, internal: internal(&inside, key, clock) }
    }
}

fn serve(server: ServerBuilder, lifecycle: &Lifecycle) -> String {
    let bound = server.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = format!("http://{}", bound.local_addr());
    let stop = lifecycle.soft();
    lifecycle::spawn(bound.serve(stop));
    address
}

fn internal(address: &str, key: &SigningKey, clock: &Clock) -> InternalChannel {
    GrpcChannel::internal(address, ServiceIdentity::new(key.clone(), "test"), clock.clone()).unwrap()
}

/// An agent's client.
pub(crate) struct Client {
    pub(crate) up: mpsc::Sender<ConnectRequest>,
    pub(crate) down: Streaming<ConnectResponse>,
}

impl Client {
    pub(crate) async fn connect(mut presence: PresenceServiceClient<PublicChannel>, state: AgentState) -> Self {
        let (up, requests) = mpsc::channel(8);
        up.send(hello(state)).await.unwrap();
        let down = presence.connect(ReceiverStream::new(requests)).await.unwrap().into_inner();
        let mut client = Client { up, down };
        client.until(|it| matches!(it, connect_response::Message::Presence(_))).await;
        client
    }

    /// The next message for which `wanted` holds, skipping others.
    pub(crate) async fn until(
        &mut self,
        wanted: impl Fn(&connect_response::Message) -> bool,
    ) -> connect_response::Message {
        let search = async {
            loop {
                let message = self.down.message().await.unwrap().unwrap().message.unwrap();
                if wanted(&message) {
                    return message;
                }
            }
        };
        Clock::real().timeout(Duration::from_secs(10), search).await.expect("a message of that sort")
    }

    pub(crate) async fn say(&self, message: connect_request::Message) {
        self.up.send(ConnectRequest { message: Some(message) }).await.unwrap();
    }
}

pub(crate) fn hello(state: AgentState) -> ConnectRequest {
    let hello = connect_request::Hello { client: "test/1".to_owned(), state: state as i32 };
    ConnectRequest { message: Some(connect_request::Message::Hello(hello)) }
}

/// A fresh request id.
pub(crate) fn fresh() -> String {
    baton_runtime::ids::new_uuid().to_string()
}

/// Polls until the condition holds; ten seconds of real time at most.
pub(crate) async fn eventually(condition: impl AsyncFn() -> bool) {
    let real = Clock::real();
    let wait = async {
        while !condition().await {
            real.sleep(Duration::from_millis(2)).await;
        }
    };
    real.timeout(Duration::from_secs(10), wait).await.expect("the condition comes true");
}

/// What one interaction wants at version 1.
pub(crate) fn wants(interaction: &str, claims: Vec<Claim>) -> SyncClaimsRequest {
    SyncClaimsRequest {
        tenant: TENANT.to_owned(),
        interaction_id: interaction.to_owned(),
        version: 1,
        claims,
        ..SyncClaimsRequest::default()
    }
}

pub(crate) fn reserve(claim_id: &str, agent: Uuid, expires_at_us: i64) -> Claim {
    Claim {
        claim_id: claim_id.to_owned(),
        agent_id: agent.to_string(),
        state: claim::State::Reserved as i32,
        expires_at_us,
        choosable: vec![AgentState::Available as i32],
        waits_if_busy: false,
        inbox: Some(InboxItem { from_name: "Ada".to_owned(), ..InboxItem::default() }),
    }
}

pub(crate) fn engage(claim_id: &str, agent: Uuid) -> Claim {
    Claim { state: claim::State::Engaged as i32, ..reserve(claim_id, agent, 0) }
}

pub(crate) fn release(claim_id: &str, agent: Uuid) -> ReleasedClaim {
    ReleasedClaim { claim_id: claim_id.to_owned(), agent_id: agent.to_string(), ..ReleasedClaim::default() }
}

#[tonic::async_trait]
impl IntakeService for Intake {
    async fn open_interaction(
        &self,
        _request: Request<OpenInteractionRequest>,
    ) -> Result<Response<OpenInteractionResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn report_facts(
        &self,
        request: Request<ReportFactsRequest>,
    ) -> Result<Response<ReportFactsResponse>, Status> {
        let mut failures = self.failures_left.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(Status::unavailable("not now"));
        }
        let is_nonsense = |it: &Fact| matches!(&it.fact, Some(fact::Fact::Claim(it)) if it.claim_id == NONSENSE);
        if request.get_ref().facts.iter().any(is_nonsense) {
            *self.refused.lock().unwrap() += 1;
            return Err(ApiError::invalid_argument("facts.claim.claim_id", "is nonsense").into());
        }
        let now_us = self.clock.as_ref().unwrap().now_us();
        self.acknowledged.lock().unwrap().push((now_us, request.into_inner()));
        Ok(Response::new(ReportFactsResponse {}))
    }

    async fn control_recording(
        &self,
        _request: Request<ControlRecordingRequest>,
    ) -> Result<Response<ControlRecordingResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_wanted(&self, _request: Request<GetWantedRequest>) -> Result<Response<GetWantedResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}
