//! The kit against a real switch and a real presence service.

use std::collections::BTreeSet;
use std::time::Duration;

use baton_bus::EventLog;
use baton_runtime::Clock;
use baton_runtime::auth::{AdmissionList, SigningKey};
use baton_runtime::client::{GrpcChannel, ServiceIdentity};
use baton_runtime::config::PresenceConfig;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService as _, ServiceContext};
use baton_switch::{Switch, SwitchSettings};
use baton_testkit::{Endpoints, PhoneBehaviour, TestTenant, wait};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use baton_api::presence::v1::{AgentState, TargetFilter};

struct Peers {
    endpoints: Endpoints,
    lifecycle: Lifecycle,
    switch: CancellationToken,
    _folder: TempDir,
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.lifecycle.stop();
        self.switch.cancel();
    }
}

async fn start() -> Peers {
    let folder = tempfile::tempdir().unwrap();
    let (clock, key, lifecycle) = (Clock::real(), SigningKey::generate(), Lifecycle::new());
    let any = "127.0.0.1:0".parse().unwrap();
    let settings = SwitchSettings::new(any, folder.path().join("switch"));
    let switch = Switch::open(settings, clock.clone(), key.verifier()).unwrap();
    let simulator = format!("http://{}", switch.local_addr());
    let stop = CancellationToken::new();
    lifecycle::spawn(switch.serve(stop.clone()));

    let nobody = ServiceIdentity::new(key.clone(), "presence");
    let context = ServiceContext {
        name: baton_runtime::ServiceName::Presence,
        folder: folder.path().to_owned(),
        databases: baton_store::testing::databases(folder.path()),
        config: PresenceConfig { lease_ms: 1_000.try_into().unwrap() },
        clock: clock.clone(),
        lifecycle: lifecycle.clone(),
        calls_kept: Duration::from_hours(24 * 400),
        space: DiskSpace::default(),
        bus: EventLog::open(folder.path().join("events.db"), clock.clone()).await.unwrap().into(),
        peers: baton_runtime::client::Peers::at_one(
            &GrpcChannel::internal("http://127.0.0.1:9", nobody, clock.clone()).unwrap(),
        ),
    };
    let presence = baton_presence::start(context, AdmissionList::default()).await.unwrap();
    let server = presence.add_public(ServerBuilder::new(clock, key.verifier())).bind(any).unwrap();
    let public = format!("http://{}", server.local_addr());
    lifecycle::spawn(server.serve(lifecycle.soft()));
    Peers { endpoints: Endpoints { public, simulator, key }, lifecycle, switch: stop, _folder: folder }
}

#[tokio::test]
async fn agents_connect_live_by_their_heartbeats_and_are_seen_in_the_picker() {
    let peers = start().await;
    let tenant = TestTenant::of_tenant(&peers.endpoints, &format!("t-{}", baton_testkit::tenant::fresh())).unwrap();
    let ada = tenant.agent("Ada Lovelace").await.unwrap();
    let bob = tenant.agent_with("Bob", PhoneBehaviour::Manual, false).await.unwrap();
    assert_eq!((ada.tone_hz(), bob.tone_hz()), (1_000, 1_700));
    let _ada_connected = ada.connect().await.unwrap();
    let session = bob.connect().await.unwrap();
    assert_eq!(session.lease, Duration::from_secs(1));
    wait::stays("Bob is available", Duration::from_millis(1_500), async || {
        let presence = bob.state().await.map_err(|error| error.to_string())?;
        if presence.state() == AgentState::Available { Ok(()) } else { Err(format!("{presence:?}")) }
    })
    .await
    .unwrap();
    let targets = ada.targets(TargetFilter::default()).await.unwrap();
    assert_eq!(targets.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["Bob"]);
    assert!(bob.inbox().await.unwrap().is_empty());

    session.fall_silent().await.unwrap();
    bob.until_state(AgentState::Offline).await.unwrap();
    let again = bob.connect().await.unwrap();
    again.goodbye().await.unwrap();
    bob.until_state(AgentState::Offline).await.unwrap();
    drop(bob.connect().await.unwrap());
    bob.until_state(AgentState::Offline).await.unwrap();
    ada.until_state(AgentState::Available).await.unwrap();
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let peers = start().await;
    let (left, right) = (
        TestTenant::of_tenant(&peers.endpoints, &format!("t-{}", baton_testkit::tenant::fresh())).unwrap(),
        TestTenant::of_tenant(&peers.endpoints, &format!("t-{}", baton_testkit::tenant::fresh())).unwrap(),
    );
    let ada = left.agent("Ada").await.unwrap();
    let bob = right.agent("Bob").await.unwrap();
    assert_eq!(ada.phone(), bob.phone(), "the same address, in two tenants");
    assert_eq!(left.phones().unwrap().all().await.unwrap().len(), 1);
    let _session = bob.connect().await.unwrap();
    assert!(ada.targets(TargetFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn customers_call_hear_nothing_in_no_room_and_hang_up() {
    let peers = start().await;
    let tenant = TestTenant::of_tenant(&peers.endpoints, &format!("t-{}", baton_testkit::tenant::fresh())).unwrap();
    let phones = tenant.phones().unwrap();
    let leg_id = phones.call("+32470000001", "+3225550100").await.unwrap();
    let heard = phones.until_hears(&leg_id, 200, "silence or ringback", |sound| !sound.hears(1_000)).await.unwrap();
    assert_eq!(heard.tones(&[440, 600, 1_000]), BTreeSet::new());
    phones.hang_up_leg(&leg_id).await.unwrap();
    let ledger = phones.ledger().await.unwrap();
    assert!(ledger.iter().any(|it| it.leg_id == leg_id), "{ledger:#?}");
    let error = phones.hang_up_leg(&leg_id).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::NotFound);
}
