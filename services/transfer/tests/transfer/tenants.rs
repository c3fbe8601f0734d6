//! Tenants and their plans: the operator's to grant, the tenant's to read (K6).

use crate::world::{TENANT, World, warm};
use baton_api::{
    ApiError,
    common::v1::Reason,
    error::ErrorReason,
    event::v1::{EventData, event_data::Data, interaction_refused::Cause},
    tenant::v1::{
        CreateTenantRequest, GetTenantRequest, ListTenantsRequest, ResumeTenantRequest, SuspendTenantRequest, Tenant,
        TenantGrants, TenantLimits, TenantState, UpdateTenantRequest, tenant_service_client::TenantServiceClient,
    },
    transfer::v1::{
        GetPolicyRequest, OpenInteractionRequest, Policy, UpdatePolicyRequest, ValidatePolicyRequest,
        policy_service_client::PolicyServiceClient,
    },
};
use baton_bus::EventMatcher;
use baton_runtime::{auth::Role, client::GrpcChannel};
use prost::Message as _;
use prost_types::FieldMask;
use tonic::{Code, Status};

fn mask(paths: &[&str]) -> FieldMask {
    FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() }
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> ErrorReason {
    ApiError::from_status(&answer.unwrap_err()).expect("it is typed").reason
}

impl World {
    fn tenants(&self) -> TenantServiceClient<GrpcChannel> {
        TenantServiceClient::new(self.operator())
    }

    fn policies(&self, role: Role) -> PolicyServiceClient<GrpcChannel> {
        PolicyServiceClient::new(self.channel(TENANT, "root", role))
    }

    async fn create(&self, entitlements: &[&str]) -> Tenant {
        let request = CreateTenantRequest { request_id: "create".into(), tenant: Some(plan(entitlements)) };
        self.tenants().create_tenant(request).await.unwrap().into_inner().tenant.unwrap()
    }

    async fn update(&self, request_id: &str, tenant: Tenant, paths: &[&str]) -> Result<Tenant, Status> {
        let request =
            UpdateTenantRequest { request_id: request_id.into(), tenant: Some(tenant), update_mask: Some(mask(paths)) };
        Ok(self.tenants().update_tenant(request).await?.into_inner().tenant.unwrap())
    }

    async fn policy(&self) -> Policy {
        self.policies(Role::Admin).get_policy(GetPolicyRequest {}).await.unwrap().into_inner().policy.unwrap()
    }

    async fn set_policy(&self, request_id: &str, policy: Policy, paths: &[&str]) -> Result<Policy, Status> {
        let request =
            UpdatePolicyRequest { request_id: request_id.into(), policy: Some(policy), update_mask: Some(mask(paths)) };
        Ok(self.policies(Role::Admin).update_policy(request).await?.into_inner().policy.unwrap())
    }

    /// Why a call was refused, by the one event that says so (F1).
    async fn refused_call(&self) -> Cause {
        let filter = EventMatcher::types(["interaction.refused"]).unwrap();
        let seen = self
            .until("the refusal is published", async || {
                let events = self.bus.read(0, &filter, 10).await.unwrap().events;
                (!events.is_empty()).then_some(events)
            })
            .await;
        assert_eq!(seen.len(), 1);
        match EventData::decode(seen[0].envelope.payload.as_slice()).unwrap().data {
            Some(Data::InteractionRefused(it)) => {
                assert_eq!(it.number, "+3225550100");
                it.cause()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn ring_in(&self, leg: &str) -> Result<String, Status> {
        let request = OpenInteractionRequest {
            tenant: TENANT.into(),
            leg: leg.into(),
            number: "+3225550100".into(),
            customer: "+32470000000".into(),
            switch_id: "main".into(),
        };
        Ok(self.intake().open_interaction(request).await?.into_inner().interaction_id)
    }
}

fn plan(entitlements: &[&str]) -> Tenant {
    Tenant {
        tenant_id: TENANT.into(),
        entitlements: entitlements.iter().map(|it| (*it).to_owned()).collect(),
        ..Tenant::default()
    }
}

#[tokio::test]
async fn k6_a_tenants_admin_reads_the_plan_and_cannot_grant_it() {
    let world = World::start().await;
    world.create(&[]).await;
    let mut admin = TenantServiceClient::new(world.channel(TENANT, "root", Role::Admin));
    let read = admin.get_tenant(GetTenantRequest::default()).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!((read.tenant_id.as_str(), read.entitlements.len()), (TENANT, 0));
    let tenant = Some(plan(&["warm_transfer"]));
    let grant = UpdateTenantRequest { request_id: "grab".into(), tenant, update_mask: None };
    assert_eq!(reason(admin.update_tenant(grant).await), ErrorReason::RoleNotAllowed);
    let foreign = GetTenantRequest { tenant_id: "rival".into() };
    assert_eq!(admin.get_tenant(foreign).await.unwrap_err().code(), Code::NotFound);

    // What an admin says of entitlements in a policy is not looked at.
    let policy =
        Policy { profile: "lead_center".into(), entitlements: vec!["warm_transfer".into()], ..Policy::default() };
    let set = world.set_policy("p1", policy, &["profile"]).await.unwrap();
    assert_eq!(set.entitlements, [""; 0]);
    let id = world.talking().await;
    assert_eq!(reason(world.transfers(1).start_transfer(warm(&id, 2, "t1")).await), ErrorReason::NotInPlan);

    world.update("u1", plan(&["warm_transfer"]), &["entitlements"]).await.unwrap();
    assert_eq!(world.policy().await.entitlements, ["warm_transfer"]);
    let frozen = world.transfers(1).start_transfer(warm(&id, 2, "t2")).await;
    assert_eq!(reason(frozen), ErrorReason::NotInPlan, "a call keeps the plan with which it began");
}

#[tokio::test]
async fn two_operators_with_one_etag_do_not_undo_each_others_change() {
    let world = World::start().await;
    let read = world.create(&[]).await;
    let named = Tenant { display_name: "Acme".into(), ..read.clone() };
    let granted = Tenant { entitlements: vec!["warm_transfer".into()], ..read };
    world.update("a", named, &["display_name"]).await.unwrap();
    let late = world.update("b", granted.clone(), &["entitlements"]).await.unwrap_err();
    assert_eq!(late.code(), Code::Aborted);
    assert!(late.message().contains("Read it again"), "{late}");
    let anew = world.update("c", Tenant { etag: String::new(), ..granted }, &["entitlements"]).await.unwrap();
    assert_eq!((anew.display_name.as_str(), anew.entitlements.len()), ("Acme", 1), "only what the mask names changes");
}

#[tokio::test]
async fn two_admins_with_one_etag_do_not_undo_each_others_policy() {
    let world = World::start().await;
    let read = world.policy().await;
    let helpdesk = Policy { profile: "helpdesk".into(), ..read.clone() };
    let set = world.set_policy("a", helpdesk, &["profile"]).await.unwrap();
    assert_eq!((set.version, set.profile.as_str()), (1, "helpdesk"));
    let overrides = Policy { overrides_toml: "# mine".into(), ..read };
    let late = world.set_policy("b", overrides.clone(), &["overrides_toml"]).await.unwrap_err();
    assert_eq!(late.code(), Code::Aborted);
    let anew = world.set_policy("c", Policy { etag: set.etag, ..overrides }, &["overrides_toml"]).await.unwrap();
    assert_eq!((anew.profile.as_str(), anew.overrides_toml.as_str()), ("helpdesk", "# mine"));
    let unknown = world.set_policy("d", anew, &["entitlements"]).await.unwrap_err();
    assert_eq!(ApiError::from_status(&unknown).unwrap().fields[0].0, "update_mask");
}

#[tokio::test]
async fn a_policy_is_checked_without_being_set() {
    let world = World::start().await;
    let check = async |overrides: &str| {
        let policy = Policy { profile: "lead_center".into(), overrides_toml: overrides.into(), ..Policy::default() };
        world.policies(Role::Supervisor).validate_policy(ValidatePolicyRequest { policy: Some(policy) }).await
    };
    let whole = check("").await.unwrap().into_inner().toml;
    assert!(whole.contains("[methods.warm]"), "{whole}");
    assert_eq!(reason(check("metods = 1").await), ErrorReason::PolicyInvalid);
    assert_eq!(world.policy().await.version, 0);
}

#[tokio::test]
async fn all_wrong_fields_of_a_tenant_are_named_and_an_entitlement_that_no_profile_asks_for_is_a_typo() {
    let world = World::start().await;
    let tenant = Tenant {
        tenant_id: "Not a slug".into(),
        entitlements: vec!["warm_transfr".into()],
        limits: Some(TenantLimits { live_interactions: -1, stored_mib: -1, ..TenantLimits::default() }),
        ..Tenant::default()
    };
    let request = CreateTenantRequest { request_id: "c".into(), tenant: Some(tenant) };
    let refused = ApiError::from_status(&world.tenants().create_tenant(request).await.unwrap_err()).unwrap();
    let fields: Vec<_> = refused.fields.iter().map(|(field, _)| field.as_str()).collect();
    let limits = ["tenant.limits.live_interactions", "tenant.limits.stored_mib"];
    assert_eq!(fields, [&["tenant.tenant_id", "tenant.entitlements"][..], &limits].concat());
    assert!(refused.message.contains("warm_transfer"), "{refused:?}");
}

#[tokio::test]
async fn a_suspended_tenant_takes_no_new_calls_and_its_live_ones_go_on() {
    let world = World::start().await;
    world.create(&[]).await;
    let live = world.talking().await;
    let suspend = SuspendTenantRequest { request_id: "s".into(), tenant_id: TENANT.into(), reason: "unpaid".into() };
    let tenant = world.tenants().suspend_tenant(suspend.clone()).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!((tenant.state(), tenant.suspend_reason.as_str()), (TenantState::Suspended, "unpaid"));
    assert_eq!(reason(world.ring_in("late").await), ErrorReason::TenantSuspended);
    assert_eq!(world.refused_call().await, Cause::Suspended);
    assert_eq!(world.view(&live).await.end_reason(), Reason::Unspecified, "the call was cut off");

    let resume = ResumeTenantRequest { request_id: "r".into(), tenant_id: TENANT.into() };
    world.tenants().resume_tenant(resume).await.unwrap();
    // A retry of the suspension gets its answer again, and suspends nothing.
    let again = world.tenants().suspend_tenant(suspend).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(again.state(), TenantState::Suspended);
    world.ring_in("next").await.expect("the tenant is active");
}

#[tokio::test]
async fn what_tenants_there_are_outlives_the_process() {
    let world = World::start().await;
    world.create(&["warm_transfer"]).await;
    let suspend = SuspendTenantRequest { request_id: "s".into(), tenant_id: TENANT.into(), reason: String::new() };
    world.tenants().suspend_tenant(suspend).await.unwrap();
    let world = world.crash_and_restart().await;
    assert_eq!(reason(world.ring_in("late").await), ErrorReason::TenantSuspended);
}

#[tokio::test]
async fn a_tenant_has_as_many_calls_as_its_plan_allows() {
    let world = World::start().await;
    world.create(&[]).await;
    let limited =
        Tenant { limits: Some(TenantLimits { live_interactions: 2, ..TenantLimits::default() }), ..plan(&[]) };
    world.update("u", limited, &["limits.live_interactions"]).await.unwrap();
    for leg in ["a", "b", "a"] {
        world.ring_in(leg).await.expect("the plan allows it; a leg that is known is no further call");
    }
    let third = ApiError::from_status(&world.ring_in("c").await.unwrap_err()).unwrap();
    assert_eq!(third.reason, ErrorReason::Limit);
    assert_eq!(world.refused_call().await, Cause::Limit);
    assert!(third.retry_after.is_some(), "{third:?}");
}

#[tokio::test]
async fn s2_each_limit_is_set_by_itself_and_stands_after_a_restart() {
    let world = World::start().await;
    world.create(&[]).await;
    let limited = |limits| Tenant { limits: Some(limits), ..plan(&[]) };
    let (first, more) = (
        TenantLimits { live_interactions: 2, calls_per_second: 30, changes_per_second: 7, stored_mib: 100 },
        TenantLimits { calls_per_second: 40, ..TenantLimits::default() },
    );
    world.update("a", limited(first), &["limits.calls_per_second", "limits.stored_mib"]).await.unwrap();
    let set = world.update("b", limited(first), &["limits.live_interactions"]).await.unwrap().limits.unwrap();
    assert_eq!(set, TenantLimits { changes_per_second: 0, ..first });
    // Of a client that names no fields: those that are set.
    let set = world.update("c", limited(more), &[]).await.unwrap().limits.unwrap();
    assert_eq!(set, TenantLimits { changes_per_second: 0, calls_per_second: 40, ..first });
    let world = world.crash_and_restart().await;
    let get = GetTenantRequest { tenant_id: TENANT.into() };
    let kept = world.tenants().get_tenant(get).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(kept.limits, Some(set));
    let none = world.update("d", limited(TenantLimits::default()), &[]).await.unwrap();
    assert_eq!(none.limits, Some(TenantLimits::default()), "an empty message takes all of them away");
}

#[tokio::test]
async fn tenants_are_listed_in_pages() {
    let world = World::start().await;
    for name in ["acme", "beta", "cold"] {
        let tenant = Some(Tenant { tenant_id: name.into(), ..Tenant::default() });
        world.tenants().create_tenant(CreateTenantRequest { request_id: name.into(), tenant }).await.unwrap();
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = world.tenants().list_tenants(ListTenantsRequest { page_size: 2, page_token }).await.unwrap();
        let page = page.into_inner();
        seen.extend(page.tenants.into_iter().map(|it| it.tenant_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["acme", "beta", "cold"]);
}

#[tokio::test]
async fn s7_the_operator_grants_numbers_and_destinations_and_a_new_tenant_has_none() {
    let world = World::start().await;
    let created = world.create(&[]).await;
    assert_eq!(created.grants, Some(TenantGrants::default()));
    let grants = |numbers: &[&str], destinations: &[&str]| {
        let list = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        Tenant {
            tenant_id: TENANT.to_owned(),
            grants: Some(TenantGrants { numbers: list(numbers), destinations: list(destinations) }),
            ..Tenant::default()
        }
    };
    let asked = grants(&["+322555", "+1", "+1"], &["+"]);
    let updated = world.update("u1", asked, &["grants.numbers", "grants.destinations"]).await.unwrap();
    assert_eq!(updated.grants, grants(&["+1", "+322555"], &["+"]).grants);
    let updated = world.update("u2", grants(&["+2"], &[]), &["grants.destinations"]).await.unwrap();
    assert_eq!(updated.grants, grants(&["+1", "+322555"], &[]).grants, "the fields that are named");
    for bad in ["", "32", "+0", "+3a", "+1234567890123456"] {
        let refused = world.update("u3", grants(&[bad], &[]), &["grants.numbers"]).await.unwrap_err();
        assert_eq!(ApiError::of(&refused).fields[0].0, "tenant.grants.numbers", "{bad}");
    }
}
