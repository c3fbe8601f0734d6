//! A transfer service of one's own, with clients for it.

use crate::peers::{Notes, TransferPeers, agent};
use baton_api::{
    common::v1::{Target, TransferKind, target::Target as Wire},
    presence::v1::claim_service_server::ClaimServiceServer,
    recording::v1::archive_service_server::ArchiveServiceServer,
    routing::v1::route_service_server::RouteServiceServer,
    telephony::v1::{leg::Origin, telephony_service_server::TelephonyServiceServer},
    transfer::v1::{
        Fact, GetInteractionRequest, Interaction, LegFact, OpenInteractionRequest, ReportFactsRequest, SegmentFact,
        StartTransferRequest, StartTransferResponse, fact::Fact as WireFact,
        intake_service_client::IntakeServiceClient, interaction_service_client::InteractionServiceClient, leg_fact,
        segment_fact, transfer_service_client::TransferServiceClient,
    },
};
use baton_bus::{Bus, EventLog, EventMatcher, Logged};
use baton_runtime::{
    auth::{AdmissionList, Caller, Role, SigningKey, TenantState, VisitorTokens},
    client::{GrpcChannel, Peers, ServiceIdentity},
    clock::Clock,
    config::{Config, Millis, TransferConfig},
    disk_space::DiskSpace,
    lifecycle::{self, Lifecycle},
    server::ServerBuilder,
};
use baton_service::{RunningService as _, ServiceContext};
use std::{
    future::Future,
    sync::{Arc, MutexGuard},
    time::Duration,
};
use tempfile::TempDir;
use tonic::Status;

pub(crate) const TENANT: &str = "acme";
const BOUND: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) clock: Clock,
    pub(crate) peers: TransferPeers,
    pub(crate) bus: Bus,
    pub(crate) service: baton_transfer::TransferRuntime,
    key: SigningKey,
    address: String,
    lifecycle: Lifecycle,
}

impl World {
    pub(crate) async fn start() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let bus = EventLog::open(folder.path().join("events.db"), Clock::real()).await.unwrap().into();
        Self::start_in(folder, TransferPeers::default(), bus, SigningKey::generate()).await
    }

    /// The process dies and comes back: tasks are dropped where they are.
    pub(crate) async fn crash_and_restart(self) -> Self {
        self.lifecycle.hard().cancel();
        self.lifecycle.shutdown(Duration::from_secs(5)).await;
        Self::start_in(self.folder, self.peers, self.bus, self.key).await
    }

    /// Another process of the same service, over the same database.
    pub(crate) async fn beside(&self) -> Self {
        Self::start_in(Arc::clone(&self.folder), self.peers.clone(), self.bus.clone(), self.key.clone()).await
    }

    async fn start_in(folder: Arc<TempDir>, peers: TransferPeers, bus: Bus, key: SigningKey) -> Self {
        let (clock, lifecycle) = (Clock::real(), Lifecycle::new());
        let around = ServerBuilder::new(clock.clone(), key.verifier())
            .add_service(TelephonyServiceServer::new(peers.clone()))
            .add_service(ClaimServiceServer::new(peers.clone()))
            .add_service(RouteServiceServer::new(peers.clone()))
            .add_service(ArchiveServiceServer::new(peers.clone()));
        let around = serve(around, &lifecycle);
        let identity = ServiceIdentity::new(key.clone(), "transfer");
        let tenants = AdmissionList::default();
        tenants.set(TENANT.parse().unwrap(), TenantState::Active);
        let context = ServiceContext {
            name: baton_runtime::ServiceName::Transfer,
            folder: folder.path().to_owned(),
            databases: baton_store::testing::databases(folder.path()),
            clock: clock.clone(),
            config: TransferConfig {
                compare_interval_ms: Millis::try_from(100).unwrap(),
                ..Config::default().transfer
            },
            lifecycle: lifecycle.clone(),
            calls_kept: Duration::from_hours(24 * 400),
            space: DiskSpace::default(),
            bus: bus.clone(),
            peers: Peers::at_one(&GrpcChannel::internal(&around, identity, clock.clone()).unwrap()),
        };
        let service = baton_transfer::start(context, tenants, VisitorTokens::new(Some(key.clone()))).await.unwrap();
        let server = service.add_public(ServerBuilder::new(clock.clone(), key.verifier()));
        let server = service.add_internal(server);
        let address = serve(server, &lifecycle);
        Self { folder, clock, peers, bus, service, key, address, lifecycle }
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.peers.0.lock().unwrap()
    }

    pub(crate) fn channel(&self, tenant: &str, subject: &str, role: Role) -> GrpcChannel {
        let caller = Caller::of_tenant(tenant.parse().unwrap(), subject, role);
        let token = self.key.mint(&caller, self.clock.now_us(), Duration::from_mins(10)).unwrap();
        GrpcChannel::public(&self.address, &token, self.clock.clone()).unwrap()
    }

    pub(crate) fn operator(&self) -> GrpcChannel {
        let token = self.key.mint(&Caller::operator("ops"), self.clock.now_us(), Duration::from_mins(10)).unwrap();
        GrpcChannel::public(&self.address, &token, self.clock.clone()).unwrap()
    }

    pub(crate) fn transfers(&self, n: u128) -> TransferServiceClient<GrpcChannel> {
        TransferServiceClient::new(self.channel(TENANT, &agent(n), Role::Agent))
    }

    pub(crate) fn interactions(&self, n: u128) -> InteractionServiceClient<GrpcChannel> {
        InteractionServiceClient::new(self.channel(TENANT, &agent(n), Role::Agent))
    }

    pub(crate) fn supervisor_of(&self, tenant: &str) -> InteractionServiceClient<GrpcChannel> {
        InteractionServiceClient::new(self.channel(tenant, "boss", Role::Supervisor))
    }

    pub(crate) fn intake(&self) -> IntakeServiceClient<GrpcChannel> {
        let identity = ServiceIdentity::new(self.key.clone(), "telephony");
        IntakeServiceClient::new(GrpcChannel::internal(&self.address, identity, self.clock.clone()).unwrap())
    }

    /// A customer who talks with agent 1.
    pub(crate) async fn talking(&self) -> String {
        let request = OpenInteractionRequest {
            tenant: TENANT.into(),
            leg: baton_runtime::ids::new_uuid().to_string(),
            number: "+3225550100".into(),
            customer: "+32470000000".into(),
            switch_id: "main".into(),
        };
        let id = self.intake().open_interaction(request).await.unwrap().into_inner().interaction_id;
        self.answer(&id).await;
        self.follow_until(&id, |view| !view.primary_agent_id.is_empty() && view.recording.as_ref().unwrap().live).await;
        id
    }

    /// Whoever rings is answered.
    pub(crate) async fn answer(&self, id: &str) {
        let leg = self
            .until("somebody rings", async || {
                let ringing = |leg: &&baton_api::telephony::v1::Leg| {
                    matches!(&leg.origin, Some(Origin::Dial(dial)) if dial.ring_until_us > 0)
                };
                self.notes().plan.as_ref()?.legs.iter().find(ringing).map(|leg| leg.leg_id.clone())
            })
            .await;
        self.report(id, vec![up(leg, "")]).await;
    }

    /// Telephony does what the newest plan says, again and again, until the interaction is as it should be.
    pub(crate) async fn follow_until(&self, id: &str, done: impl Fn(&Interaction) -> bool) -> Interaction {
        self.until("the world follows", async || {
            self.follow(id).await;
            Some(self.view(id).await).filter(&done)
        })
        .await
    }

    pub(crate) async fn follow(&self, id: &str) {
        let Some(plan) = self.notes().plan.clone() else { return };
        let mut facts: Vec<_> =
            plan.legs.iter().filter(|leg| !leg.room.is_empty()).map(|leg| up(leg.leg_id.clone(), &leg.room)).collect();
        facts.extend(plan.segment.map(|segment| {
            let state = segment_fact::State::Live.into();
            WireFact::Segment(SegmentFact { segment_id: segment.segment_id, state, started_at_us: 1, ended_at_us: 0 })
        }));
        self.report(id, facts).await;
    }

    pub(crate) async fn report(&self, id: &str, facts: Vec<WireFact>) {
        let facts = facts.into_iter().map(|fact| Fact { observed_at_us: self.clock.now_us(), fact: Some(fact) });
        let request = ReportFactsRequest { interaction_id: id.into(), facts: facts.collect() };
        self.intake().report_facts(request).await.unwrap();
    }

    pub(crate) async fn view(&self, id: &str) -> Interaction {
        let request = GetInteractionRequest { interaction_id: id.into() };
        self.supervisor_of(TENANT).get_interaction(request).await.unwrap().into_inner().interaction.unwrap()
    }

    pub(crate) async fn start_transfer(
        &self,
        id: &str,
        to: u128,
        request_id: &str,
    ) -> Result<StartTransferResponse, Status> {
        self.transfers(1).start_transfer(warm(id, to, request_id)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn events(&self, id: &str) -> Vec<Logged> {
        let filter = EventMatcher::all().about(format!("interaction/{id}"));
        self.bus.read(0, &filter, 1_000).await.unwrap().events
    }

    /// Waits for something, with a bound.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                self.clock.sleep(Duration::from_millis(5)).await;
            }
        };
        self.clock.timeout(BOUND, looking).await.unwrap_or_else(|_| panic!("not in {BOUND:?}: {what}"))
    }
}

pub(crate) fn warm(id: &str, to: u128, request_id: &str) -> StartTransferRequest {
    StartTransferRequest {
        request_id: request_id.into(),
        interaction_id: id.into(),
        kind: TransferKind::Warm.into(),
        target: Some(Target { target: Some(Wire::AgentId(agent(to))) }),
        message: "for Ben".into(),
        ..Default::default()
    }
}

pub(crate) fn up(leg_id: String, room: &str) -> WireFact {
    WireFact::Leg(LegFact { leg_id, state: leg_fact::State::Up.into(), reason: 0, room: room.into() })
}

fn serve(server: ServerBuilder, lifecycle: &Lifecycle) -> String {
    let server = server.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", server.local_addr());
    let stop = lifecycle.hard();
    lifecycle::spawn(async move {
        let _ = stop.clone().run_until_cancelled(server.serve(stop)).await;
    });
    address
}
