//! Processes that pass calls on, and that follow whose tokens others accept: over real connections.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::tenant::v1::admission_service_client::AdmissionServiceClient;
use baton_api::tenant::v1::admission_service_server::{AdmissionService, AdmissionServiceServer};
use baton_api::tenant::v1::{
    AdmittedTenant, LookupTenantRequest, LookupTenantResponse, TenantState as ProtoState, WatchAdmissionsRequest,
    WatchAdmissionsResponse,
};
use baton_api::transfer::v1::transfer_service_server::TransferServiceServer;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tonic::{Code, Request, Response, Status};

use super::tests::{TestServer, raw_call, run};
use super::*;
use crate::ServiceName;
use crate::auth::{AdmissionApi, Caller, OwnedAdmissions, Role, SigningKey, TenantState, follow_admissions};
use crate::client::{GrpcChannel, Peers, ServiceIdentity};
use crate::lifecycle::Lifecycle;

const SOON: Duration = Duration::from_secs(10);
const PATH: &str = "/baton.transfer.v1.TransferService/StartTransfer";

/// An owner of each sort, and a gateway that passes calls on to the first.
struct Site {
    key: SigningKey,
    tenants: AdmissionList,
    agents: AdmissionList,
    owners: [TestServer; 2],
    gateway: TestServer,
}

impl Site {
    fn open() -> Self {
        let key = SigningKey::generate();
        let (tenants, agents) = (AdmissionList::default(), AdmissionList::default());
        let owned = [(&tenants, OwnedAdmissions::Tenants), (&agents, OwnedAdmissions::DeletedAgents)];
        let owners = owned.map(|(list, owned)| {
            // Who has come so far is accepted here.
            run(ServerBuilder::new(Clock::real(), key.verifier())
                .add_service(AdmissionApi::server(list.clone(), owned)))
        });
        let [at, agents_at] = owners.each_ref().map(|it| it.address.clone());
        let gateway = gateway(&key, (&at, &agents_at), &at);
        Self { key, tenants, agents, owners, gateway }
    }

    async fn call(&self, tenant: &str, agent: &str) -> ApiError {
        call(&self.key, &self.gateway, tenant, agent).await
    }

    async fn until(&self, agent: &str, reason: ErrorReason) {
        let refused = async { while self.call("acme", agent).await.reason != reason {} };
        Clock::real().timeout(SOON, refused).await.unwrap();
    }
}

fn internal(key: &SigningKey, address: &str) -> GrpcChannel {
    GrpcChannel::internal(address, ServiceIdentity::new(key.clone(), "gateway"), Clock::real()).unwrap()
}

fn gateway(key: &SigningKey, (tenants_at, agents_at): (&str, &str), to: &str) -> TestServer {
    let list = AdmissionList::default();
    let owners = [(ServiceName::Transfer, tenants_at), (ServiceName::Presence, agents_at)];
    let peers: Peers = owners.into_iter().map(|(name, at)| (name, internal(key, at))).collect();
    follow_admissions(&list, None, &peers, (&Clock::real(), &Lifecycle::new())).unwrap();
    let to = GrpcChannel::anonymous(to, Clock::real()).unwrap();
    let builder = ServerBuilder::new(Clock::real(), key.verifier()).admitting(list);
    let builder = builder.add_service(Forwarded::<TransferServiceServer<()>>::new(&to));
    run(builder.add_service(Forwarded::<AdmissionServiceServer<()>>::new(&to)))
}

async fn call(key: &SigningKey, gateway: &TestServer, tenant: &str, agent: &str) -> ApiError {
    let caller = Caller::of_tenant(tenant.parse().unwrap(), agent, Role::Agent);
    let token = key.mint(&caller, Clock::real().wall_us(), SOON).unwrap();
    let channel = GrpcChannel::public(&gateway.address, &token, Clock::real()).unwrap();
    ApiError::of(&raw_call(channel, PATH).await)
}

#[tokio::test]
async fn a_process_that_owns_neither_tenants_nor_agents_follows_those_that_do() {
    let site = Site::open();
    site.tenants.set("acme".parse().unwrap(), TenantState::Active);
    // Passed on: the other process has no such service.
    site.until("ada", ErrorReason::MethodUnknown).await;
    assert_eq!(site.call("nobody", "ada").await.reason, ErrorReason::TenantUnknown);
    site.agents.deleted([("acme".parse().unwrap(), "ada".to_owned())]);
    site.until("ada", ErrorReason::AgentDeleted).await;
    assert_eq!(site.call("acme", "ben").await.reason, ErrorReason::MethodUnknown);
    site.tenants.set("acme".parse().unwrap(), TenantState::Suspended);
    site.until("ben", ErrorReason::TenantSuspended).await;
}

#[tokio::test]
async fn until_everything_is_known_a_caller_is_asked_to_try_again_and_then_an_owner_that_is_away_changes_nothing() {
    let site = Site::open();
    site.tenants.set("acme".parse().unwrap(), TenantState::Active);
    site.until("ada", ErrorReason::MethodUnknown).await;
    let [tenants, _] = site.owners;
    let nowhere = gateway(&site.key, ("http://127.0.0.1:9", "http://127.0.0.1:9"), &tenants.address);
    let error = call(&site.key, &nowhere, "acme", "ada").await;
    assert_eq!((error.kind, error.reason), (baton_api::ErrorKind::Unavailable, ErrorReason::Unavailable), "{error:?}");
    assert!(error.message.contains("not known here yet"), "{error:?}");
    tenants.stop().await;
    let error = call(&site.key, &site.gateway, "acme", "ada").await;
    assert!(error.message.contains("does not answer"), "it is admitted, and not passed on: {error:?}");
    assert!(error.is_retryable() && error.retry_after.is_some(), "{error:?}");
}

/// An owner that tells of nothing by itself.
struct Silent;

#[tonic::async_trait]
impl AdmissionService for Silent {
    type WatchAdmissionsStream = BoxStream<'static, Result<WatchAdmissionsResponse, Status>>;

    async fn watch_admissions(
        &self,
        _request: Request<WatchAdmissionsRequest>,
    ) -> Result<Response<Self::WatchAdmissionsStream>, Status> {
        let complete = WatchAdmissionsResponse { is_complete: true, ..WatchAdmissionsResponse::default() };
        Ok(Response::new(futures::stream::iter([Ok(complete)]).chain(futures::stream::pending()).boxed()))
    }

    async fn lookup_tenant(
        &self,
        request: Request<LookupTenantRequest>,
    ) -> Result<Response<LookupTenantResponse>, Status> {
        let tenant_id = request.into_inner().tenant_id;
        let is_there = tenant_id == "acme";
        let tenant = AdmittedTenant { tenant_id, state: ProtoState::Active.into(), ..AdmittedTenant::default() };
        Ok(Response::new(LookupTenantResponse { tenant: is_there.then_some(tenant) }))
    }
}

#[tokio::test]
async fn a_tenant_that_was_not_heard_of_is_asked_for_once() {
    let key = SigningKey::generate();
    let builder = ServerBuilder::new(Clock::real(), key.verifier());
    let owner = run(builder.add_service(AdmissionServiceServer::new(Silent)));
    let gateway = gateway(&key, (&owner.address, &owner.address), &owner.address);
    let admitted = async { while call(&key, &gateway, "acme", "ada").await.reason != ErrorReason::MethodUnknown {} };
    Clock::real().timeout(SOON, admitted).await.unwrap();
    assert_eq!(call(&key, &gateway, "nobody", "ada").await.reason, ErrorReason::TenantUnknown);
}

/// Another address for a server, until it is cut: then the connection is gone, as when the process dies.
async fn wire_to(address: &str) -> (String, CancellationToken) {
    let to = address.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (wire, cut) = (format!("http://{}", listener.local_addr().unwrap()), CancellationToken::new());
    let until = cut.clone();
    crate::lifecycle::spawn(async move {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(to).await.unwrap();
        until.run_until_cancelled(tokio::io::copy_bidirectional(&mut from, &mut to)).await
    });
    (wire, cut)
}

#[tokio::test]
async fn a_stream_whose_process_dies_ends_with_a_status() {
    let site = Site::open();
    let [owner, _] = &site.owners;
    let (wire, cut) = wire_to(&owner.address).await;
    let gateway = gateway(&site.key, (&owner.address, &owner.address), &wire);
    let mut client = AdmissionServiceClient::new(internal(&site.key, &gateway.address));
    let mut stream = client.watch_admissions(WatchAdmissionsRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().unwrap().is_complete);
    cut.cancel();
    let error = Clock::real().timeout(SOON, stream.message()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error:?}");
}
