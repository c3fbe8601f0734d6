//! A switch, the peers, and telephony between them.

mod flaky;
mod peers;
mod plans;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use baton_api::common::v1::ProjectionVersion;
use baton_api::recording::v1::archive_service_server::ArchiveServiceServer;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{
    AnswerPhoneRequest, DeclinePhoneRequest, GetLedgerRequest, HangUpPhoneRequest, LedgerAction, LedgerEntry,
    PhoneBehaviour, PhoneSelector, PlaceCallRequest, PutPhoneRequest, phone_behaviour, phone_selector,
};
use baton_api::telephony::v1::telephony_service_client::TelephonyServiceClient;
use baton_api::telephony::v1::{ApplyPlanRequest, ComparePlansRequest, MediaPlan};
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_api::transfer::v1::intake_service_server::IntakeServiceServer;
use baton_bus::{Bus, EventLog};
use baton_runtime::auth::{Caller, Role, SigningKey};
use baton_runtime::client::{GrpcChannel, InternalChannel, ServiceIdentity};
use baton_runtime::config::Config;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::{self, Lifecycle, TaskName};
use baton_runtime::server::ServerBuilder;
use baton_runtime::{Clock, ids};
use baton_service::{RunningService as _, ServiceContext};
use baton_switch::{Switch, SwitchSettings};
use baton_telephony::Telephony;
use baton_telephony::link::LinkState;
use baton_telephony::switch::simulated::SimulatedSwitch;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(crate) use flaky::Files;
use flaky::FlakySwitch;
pub(crate) use peers::{Peers, Received};
pub(crate) use plans::PlanBuilder;
use wire::Wire;

pub(crate) const TENANT: &str = "acme";
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Stage {
    pub(crate) clock: Clock,
    bus: Bus,
    pub(crate) peers: Peers,
    pub(crate) wire: Wire,
    key: SigningKey,
    folder: TempDir,
    peers_address: SocketAddr,
    switch: Option<RunningSwitch>,
    service: Option<RunningTelephony>,
    pub(crate) flaky: Arc<FlakySwitch>,
}

struct RunningSwitch {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

struct RunningTelephony {
    lifecycle: Lifecycle,
    telephony: Telephony,
    client: TelephonyServiceClient<InternalChannel>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        // With RUST_LOG set, a failing test shows what was logged.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        Self::open_with(Clock::real()).await
    }

    /// With simulated time; the limits of the tests stay in real time.
    pub(crate) async fn open_simulated() -> Self {
        let (clock, driver) = Clock::simulated(1_700_000_000_000_000);
        lifecycle::spawn(driver.run());
        Self::open_with(clock).await
    }

    async fn open_with(clock: Clock) -> Self {
        let (key, peers) = (SigningKey::generate(), Peers::default());
        let folder = tempfile::tempdir().unwrap();
        let bus = EventLog::open(folder.path().join("events.db"), clock.clone()).await.unwrap().into();
        let server = ServerBuilder::new(clock.clone(), key.verifier())
            .add_service(IntakeServiceServer::new(peers.clone()))
            .add_service(ArchiveServiceServer::new(peers.clone()))
            .bind("127.0.0.1:0".parse().unwrap())
            .unwrap();
        let peers_address = server.local_addr();
        lifecycle::spawn(server.serve(CancellationToken::new()));
        let switch = RunningSwitch::start(&folder, &clock, &key);
        let wire = Wire::to(switch.address).await;
        let channel = internal(&key, &clock, wire.address);
        let flaky = Arc::new(FlakySwitch::new(SimulatedSwitch::new(&channel)));
        let (switch, service) = (Some(switch), None);
        let mut this = Self { clock, bus, peers, wire, key, folder, peers_address, switch, service, flaky };
        this.start_telephony().await;
        this.until_connected().await;
        this
    }

    pub(crate) async fn start_telephony(&mut self) {
        let lifecycle = Lifecycle::new();
        let context = ServiceContext {
            name: baton_runtime::ServiceName::Telephony,
            folder: self.folder.path().to_owned(),
            databases: baton_store::testing::databases(self.folder.path()),
            config: Config::default().telephony,
            clock: self.clock.clone(),
            lifecycle: lifecycle.clone(),
            calls_kept: Duration::from_hours(24 * 400),
            space: DiskSpace::default(),
            bus: self.bus.clone(),
            peers: baton_runtime::client::Peers::at_one(&self.internal(self.peers_address)),
        };
        let telephony = baton_telephony::start(context, self.flaky.clone()).await.unwrap();
        let server = telephony
            .add_internal(ServerBuilder::new(self.clock.clone(), self.key.verifier()))
            .bind("127.0.0.1:0".parse().unwrap())
            .unwrap();
        let client = TelephonyServiceClient::new(self.internal(server.local_addr()));
        let serving = server.serve(lifecycle.soft());
        lifecycle.spawn("server", async move { serving.await.unwrap() });
        self.service = Some(RunningTelephony { lifecycle, telephony, client });
    }

    /// Everything that runs is dropped where it stands, as by `kill -9`.
    pub(crate) async fn kill_telephony(&mut self) {
        let service = self.service.take().unwrap();
        service.lifecycle.hard().cancel();
        service.lifecycle.shutdown(Duration::ZERO).await;
        service.telephony.db().close().await;
    }

    /// Asked to stop, it does; says which of its tasks did not in time.
    pub(crate) async fn stop_telephony(&mut self) -> Vec<TaskName> {
        let service = self.service.take().unwrap();
        let report = service.lifecycle.shutdown(PATIENCE).await;
        service.telephony.db().close().await;
        report.unfinished
    }

    pub(crate) fn telephony(&self) -> &Telephony {
        &self.service.as_ref().unwrap().telephony
    }

    /// The next telephony has an empty database.
    pub(crate) async fn forget_telephony(&self) {
        baton_store::testing::forget(self.folder.path(), "telephony").await;
    }

    /// Waits for the first snapshot of a session.
    pub(crate) async fn until_connected(&self) {
        let mut link = self.service.as_ref().unwrap().telephony.link();
        let up = link.wait_for(|state| matches!(state, LinkState::Up { .. }));
        Clock::real().timeout(PATIENCE, up).await.expect("in time").unwrap();
    }

    /// All calls are gone; the next one is another run.
    pub(crate) async fn kill_switch(&mut self) {
        self.wire.cut();
        let switch = self.switch.take().unwrap();
        switch.shutdown.cancel();
        switch.task.await.unwrap();
    }

    pub(crate) fn start_switch(&mut self) {
        let switch = RunningSwitch::start(&self.folder, &self.clock, &self.key);
        self.wire.mend(switch.address);
        self.switch = Some(switch);
    }

    pub(crate) fn switch_address(&self) -> SocketAddr {
        self.switch.as_ref().unwrap().address
    }

    pub(crate) fn live_interactions(&self) -> usize {
        self.service.as_ref().unwrap().telephony.live_interactions()
    }

    fn internal(&self, address: SocketAddr) -> InternalChannel {
        internal(&self.key, &self.clock, address)
    }

    pub(crate) async fn apply(&self, plan: &MediaPlan) -> Result<(), Status> {
        let mut client = self.service.as_ref().unwrap().client.clone();
        client.apply_plan(ApplyPlanRequest { plan: Some(plan.clone()) }).await.map(drop)
    }

    /// Whether telephony lacks a plan at this version.
    pub(crate) async fn lacks(&self, plan: &MediaPlan) -> bool {
        let (tenant, interaction_id) = (plan.tenant.clone(), plan.interaction_id.clone());
        let versions = vec![ProjectionVersion { tenant, interaction_id, version: plan.version }];
        let mut client = self.service.as_ref().unwrap().client.clone();
        let answer = client.compare_plans(ComparePlansRequest { versions }).await.unwrap().into_inner();
        answer.lacking_interaction_ids == [plan.interaction_id.clone()]
    }

    fn simulator(&self) -> SimulatorServiceClient<GrpcChannel> {
        let caller = Caller::of_tenant(TENANT.parse().unwrap(), "phones", Role::Simulator);
        let token = self.key.mint(&caller, self.clock.now_us(), Duration::from_hours(1)).unwrap();
        let address = format!("http://{}", self.switch_address());
        SimulatorServiceClient::new(GrpcChannel::public(&address, &token, self.clock.clone()).unwrap())
    }

    pub(crate) async fn put_phone(&self, address: &str, behaviour: phone_behaviour::Behaviour) {
        let request = PutPhoneRequest {
            request_id: ids::new_uuid().to_string(),
            address: address.to_owned(),
            tone_hz: 0,
            behaviour: Some(PhoneBehaviour { behaviour: Some(behaviour) }),
        };
        self.simulator().put_phone(request).await.unwrap();
    }

    /// A customer calls; gives the switch's name of the leg.
    pub(crate) async fn call(&self, number: &str) -> String {
        let request = PlaceCallRequest {
            request_id: ids::new_uuid().to_string(),
            from: "+15550100".to_owned(),
            to: number.to_owned(),
            tone_hz: 0,
        };
        self.simulator().place_call(request).await.unwrap().into_inner().leg_id
    }

    pub(crate) async fn phone_hangs_up(&self, leg: &str) {
        let phone = PhoneSelector { selector: Some(phone_selector::Selector::LegId(leg.to_owned())) };
        let request = HangUpPhoneRequest { request_id: ids::new_uuid().to_string(), phone: Some(phone) };
        self.simulator().hang_up_phone(request).await.unwrap();
    }

    pub(crate) async fn phone_answers(&self, leg: &str) {
        let phone = PhoneSelector { selector: Some(phone_selector::Selector::LegId(leg.to_owned())) };
        let request = AnswerPhoneRequest { request_id: ids::new_uuid().to_string(), phone: Some(phone) };
        self.simulator().answer_phone(request).await.unwrap();
    }

    pub(crate) async fn phone_declines(&self, leg: &str) {
        let phone = PhoneSelector { selector: Some(phone_selector::Selector::LegId(leg.to_owned())) };
        let request = DeclinePhoneRequest { request_id: ids::new_uuid().to_string(), phone: Some(phone) };
        self.simulator().decline_phone(request).await.unwrap();
    }

    pub(crate) async fn ledger(&self) -> Vec<LedgerEntry> {
        let request = GetLedgerRequest { after_sequence: 0, page_size: 1000 };
        self.simulator().get_ledger(request).await.unwrap().into_inner().entries
    }

    /// How often the switch did this to the leg.
    pub(crate) async fn count(&self, action: LedgerAction, leg: &str) -> usize {
        self.ledger().await.iter().filter(|it| it.action() == action && it.leg_id == leg).count()
    }

    /// Waits until the ledger fulfils the condition.
    pub(crate) async fn until_ledger(&self, what: &str, holds: impl Fn(&[LedgerEntry]) -> bool) {
        let patience = Clock::real();
        let deadline_us = patience.after(PATIENCE);
        while !holds(&self.ledger().await) {
            assert!(patience.now_us() < deadline_us, "in vain: {what}\n{:#?}", self.ledger().await);
            patience.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the phone of this leg rings, as the switch says: nothing of it is reported.
    pub(crate) async fn until_rings(&self, leg: &str) {
        let rings = |it: &LedgerEntry| it.action() == LedgerAction::LegRinging && it.leg_id == leg;
        self.until_ledger("the phone rings", |ledger| ledger.iter().any(rings)).await;
    }

    /// Waits until the peers have received it.
    pub(crate) async fn until_received<T>(&self, what: &str, found: impl Fn(&Received) -> Option<T>) -> T {
        let mut changed = self.peers.changed();
        let wait = async {
            loop {
                if let Some(it) = found(&self.peers.received()) {
                    return it;
                }
                changed.changed().await.unwrap();
            }
        };
        let received = Clock::real().timeout(PATIENCE, wait).await;
        received.unwrap_or_else(|_| panic!("in vain: {what}\n{:#?}", self.peers.received().facts))
    }

    /// Waits until the fact was reported.
    pub(crate) async fn until_fact(&self, interaction: &str, fact: FactContent) {
        let what = format!("{interaction}: {fact:?}");
        self.until_received(&what, |received| received.facts.get(interaction)?.contains(&fact).then_some(())).await;
    }

    pub(crate) fn facts(&self, interaction: &str) -> Vec<FactContent> {
        self.peers.received().facts.get(interaction).cloned().unwrap_or_default()
    }

    /// Waits until no interaction has a task.
    pub(crate) async fn until_drained(&self) {
        let patience = Clock::real();
        let deadline_us = patience.after(PATIENCE);
        while self.live_interactions() > 0 {
            assert!(patience.now_us() < deadline_us, "interactions do not end");
            patience.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no upload is left.
    pub(crate) async fn until_uploaded(&self) {
        let patience = Clock::real();
        let deadline_us = patience.after(PATIENCE);
        while self.telephony().uploads().await.unwrap() > 0 {
            assert!(patience.now_us() < deadline_us, "segments are not uploaded");
            patience.sleep(Duration::from_millis(5)).await;
        }
    }

    /// A customer calls, and the interaction that was opened for it.
    pub(crate) async fn open_call(&self) -> (String, String) {
        let leg = self.call("+15550199").await;
        let interaction =
            self.until_received("the call is announced", |received| received.opened.get(&leg).cloned()).await;
        (leg, interaction)
    }
}

fn internal(key: &SigningKey, clock: &Clock, address: SocketAddr) -> InternalChannel {
    let identity = ServiceIdentity::new(key.clone(), "test");
    GrpcChannel::internal(&format!("http://{address}"), identity, clock.clone()).unwrap()
}

impl RunningSwitch {
    fn start(folder: &TempDir, clock: &Clock, key: &SigningKey) -> Self {
        let config = SwitchSettings::new("127.0.0.1:0".parse().unwrap(), folder.path().join("switch"));
        let switch = Switch::open(config, clock.clone(), key.verifier()).unwrap();
        let (address, shutdown) = (switch.local_addr(), CancellationToken::new());
        let serve = switch.serve(shutdown.clone());
        let task = lifecycle::spawn(async move { serve.await.unwrap() });
        Self { address, shutdown, task }
    }
}
