//! A running routing service, with a presence and a transfer service that do what a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use baton_api::common::v1::{AgentRef, TeamRef};
use baton_api::presence::v1::claim_service_server::{ClaimService, ClaimServiceServer};
use baton_api::presence::v1::{
    CompareClaimsRequest, CompareClaimsResponse, ListCandidatesRequest, ListCandidatesResponse, ListChoicesRequest,
    ListChoicesResponse, LookupAgentsRequest, LookupAgentsResponse, LookupTeamsRequest, LookupTeamsResponse,
    SyncClaimsRequest, SyncClaimsResponse, WatchAvailabilityRequest, WatchAvailabilityResponse,
};
use baton_api::routing::v1::route_service_client::RouteServiceClient;
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::transfer::v1::intake_service_server::{IntakeService, IntakeServiceServer};
use baton_api::transfer::v1::{
    ControlRecordingRequest, ControlRecordingResponse, GetWantedRequest, GetWantedResponse, OpenInteractionRequest,
    OpenInteractionResponse, ReportFactsRequest, ReportFactsResponse,
};
use baton_bus::{Bus, EventLog};
use baton_runtime::Clock;
use baton_runtime::auth::{AdmissionList, Caller, Grants, Role, SigningKey};
use baton_runtime::client::{GrpcChannel, InternalChannel, PublicChannel, ServiceIdentity};
use baton_runtime::clock::BusyGuard;
use baton_runtime::config::RoutingConfig;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService as _, ServiceContext};
use baton_store::Db;
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub(crate) const TENANT: &str = "acme";

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) peers: Peers,
    pub(crate) bus: Bus,
    /// What the operator has granted.
    pub(crate) admitted: AdmissionList,
    key: SigningKey,
    public: String,
    internal: InternalChannel,
    frozen: Option<BusyGuard>,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (clock, driver) = Clock::simulated(1_700_000_000_000_000);
        lifecycle::spawn(driver.run());
        let frozen = Some(clock.busy());
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate();
        let peers = Peers::default();
        let server = || ServerBuilder::new(clock.clone(), key.verifier());
        let peer_server = server()
            .add_service(ClaimServiceServer::new(peers.clone()))
            .add_service(IntakeServiceServer::new(peers.clone()));
        let others = internal(&serve(peer_server), &key, &clock);
        let bus = Bus::from(EventLog::open(folder.path().join("bus.db"), clock.clone()).await.unwrap());
        let admitted = AdmissionList::default();
        for tenant in ["acme", "other", "rival"] {
            admitted.grant(tenant.parse().unwrap(), Grants::all());
        }
        let context = ServiceContext {
            name: baton_runtime::ServiceName::Routing,
            folder: folder.path().to_owned(),
            databases: baton_store::testing::databases(folder.path()),
            config: RoutingConfig { rescan_interval_ms: 1_000.try_into().unwrap() },
            clock: clock.clone(),
            lifecycle: Lifecycle::new(),
            calls_kept: Duration::from_hours(24 * 400),
            space: DiskSpace::default(),
            bus: bus.clone(),
            peers: baton_runtime::client::Peers::at_one(&others),
        };
        let routing = baton_routing::start(context, admitted.clone()).await.unwrap();
        let public = serve(routing.add_public(server()));
        let internal = internal(&serve(routing.add_internal(server())), &key, &clock);
        Self { clock, peers, bus, admitted, key, public, internal, frozen, folder }
    }

    /// The service's database.
    pub(crate) async fn database(&self) -> Db {
        baton_store::testing::open(self.folder.path(), "routing").await
    }

    /// Lets time pass.
    pub(crate) async fn pass(&mut self, duration: Duration) {
        let until_us = self.clock.after(duration);
        self.frozen = None;
        self.clock.sleep_until(until_us).await;
        self.frozen = Some(self.clock.busy());
    }

    pub(crate) fn routing(&self, tenant: &str, role: Role) -> RoutingServiceClient<PublicChannel> {
        let caller = Caller::of_tenant(tenant.parse().unwrap(), "boss", role);
        let token = self.key.mint(&caller, self.clock.now_us(), Duration::from_hours(24)).unwrap();
        RoutingServiceClient::new(GrpcChannel::public(&self.public, &token, self.clock.clone()).unwrap())
    }

    pub(crate) fn route(&self) -> RouteServiceClient<InternalChannel> {
        RouteServiceClient::new(self.internal.clone())
    }
}

fn serve(server: ServerBuilder) -> String {
    let bound = server.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = format!("http://{}", bound.local_addr());
    lifecycle::spawn(bound.serve(Lifecycle::new().soft()));
    address
}

fn internal(address: &str, key: &SigningKey, clock: &Clock) -> InternalChannel {
    GrpcChannel::internal(address, ServiceIdentity::new(key.clone(), "test"), clock.clone()).unwrap()
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

/// A presence and a transfer service, as far as routing uses them.
#[derive(Clone)]
pub(crate) struct Peers(Arc<Mutex<Known>>, broadcast::Sender<()>);

#[derive(Default)]
pub(crate) struct Known {
    /// Each team's members, longest idle first, and whether each is free.
    pub(crate) teams: BTreeMap<Uuid, Vec<(Uuid, bool)>>,
    pub(crate) acknowledged: Vec<ReportFactsRequest>,
    /// The next reports fail, as many as this.
    pub(crate) report_failures: u32,
    /// Presence refuses to answer for these tenants.
    pub(crate) refuses: BTreeSet<&'static str>,
    /// Presence never answers for these tenants.
    pub(crate) hangs: BTreeSet<&'static str>,
    /// How often presence was asked for candidates.
    pub(crate) questions: usize,
}

impl Default for Peers {
    fn default() -> Self {
        Self(Arc::default(), broadcast::Sender::new(16))
    }
}

impl Peers {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }

    /// Makes a member of a team free or not; a free one is announced.
    pub(crate) fn set_free(&self, team: Uuid, agent: Uuid, is_free: bool) {
        let mut known = self.known();
        let members = known.teams.entry(team).or_default();
        members.retain(|it| it.0 != agent);
        members.push((agent, is_free));
        drop(known);
        if is_free {
            self.announce();
        }
    }

    /// Announces that an agent became available.
    pub(crate) fn announce(&self) {
        // This fails if nobody listens yet.
        let _ = self.1.send(());
    }

    /// The agents of the acknowledged proposals, with the interaction of each.
    pub(crate) fn proposals(&self) -> Vec<(String, Vec<String>)> {
        use baton_api::transfer::v1::fact::Fact;
        let known = self.known();
        let facts =
            known.acknowledged.iter().flat_map(|report| report.facts.iter().map(|it| (&report.interaction_id, it)));
        let proposals = facts.filter_map(|(interaction, fact)| match &fact.fact {
            Some(Fact::Proposal(it)) => {
                Some((interaction.clone(), it.agents.iter().map(|it| it.agent_id.clone()).collect()))
            }
            _ => None,
        });
        proposals.collect()
    }
}

fn agent_ref(id: Uuid) -> AgentRef {
    AgentRef { agent_id: id.to_string(), name: "Somebody".to_owned(), phone: "p".to_owned(), voicemail: false }
}

#[tonic::async_trait]
impl ClaimService for Peers {
    type WatchAvailabilityStream = BoxStream<WatchAvailabilityResponse>;

    async fn sync_claims(&self, _request: Request<SyncClaimsRequest>) -> Result<Response<SyncClaimsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn lookup_agents(
        &self,
        request: Request<LookupAgentsRequest>,
    ) -> Result<Response<LookupAgentsResponse>, Status> {
        let known = self.known();
        let agents = known.teams.values().flatten().map(|it| it.0);
        let asked = &request.get_ref().agent_ids;
        let agents = agents.filter(|it| asked.contains(&it.to_string())).map(agent_ref).collect();
        Ok(Response::new(LookupAgentsResponse { agents }))
    }

    async fn lookup_teams(
        &self,
        request: Request<LookupTeamsRequest>,
    ) -> Result<Response<LookupTeamsResponse>, Status> {
        let known = self.known();
        let ids = request.into_inner().team_ids.into_iter();
        let ids = ids.filter(|id| id.parse().is_ok_and(|id| known.teams.contains_key(&id)));
        let teams = ids.map(|team_id| TeamRef { team_id, name: "Support".into() }).collect();
        Ok(Response::new(LookupTeamsResponse { teams }))
    }

    async fn compare_claims(
        &self,
        _request: Request<CompareClaimsRequest>,
    ) -> Result<Response<CompareClaimsResponse>, Status> {
        Err(Status::unimplemented("not asked by routing"))
    }

    async fn list_candidates(
        &self,
        request: Request<ListCandidatesRequest>,
    ) -> Result<Response<ListCandidatesResponse>, Status> {
        let asked = request.get_ref();
        self.known().questions += 1;
        if self.known().hangs.contains(asked.tenant.as_str()) {
            std::future::pending::<()>().await;
        }
        let known = self.known();
        if known.refuses.contains(asked.tenant.as_str()) {
            return Err(Status::unavailable("down"));
        }
        let team = known.teams.get(&asked.team_id.parse().unwrap());
        let members = team.ok_or_else(|| Status::not_found("no team"))?.iter();
        let left: Vec<_> = members.filter(|it| !asked.skip_agent_ids.contains(&it.0.to_string())).collect();
        let free = left.iter().filter(|it| it.1).map(|it| agent_ref(it.0));
        let agents = free.take(asked.limit as usize).collect();
        let anybody_left = !left.is_empty();
        Ok(Response::new(ListCandidatesResponse { agents, anybody_left, ..ListCandidatesResponse::default() }))
    }

    async fn list_choices(
        &self,
        _request: Request<ListChoicesRequest>,
    ) -> Result<Response<ListChoicesResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn watch_availability(
        &self,
        _request: Request<WatchAvailabilityRequest>,
    ) -> Result<Response<Self::WatchAvailabilityStream>, Status> {
        // What changed before is not known to a new watcher: the real one begins with every tenant, too.
        let first = tokio_stream::once(Ok(()));
        let messages = first
            .chain(BroadcastStream::new(self.1.subscribe()))
            .map(|_| Ok(WatchAvailabilityResponse { tenant: TENANT.to_owned() }));
        Ok(Response::new(Box::pin(messages)))
    }
}

#[tonic::async_trait]
impl IntakeService for Peers {
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
        let mut known = self.known();
        if known.report_failures > 0 {
            known.report_failures -= 1;
            return Err(Status::unavailable("not now"));
        }
        known.acknowledged.push(request.into_inner());
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
