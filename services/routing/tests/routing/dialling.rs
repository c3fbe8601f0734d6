//! Dial rules.

use baton_api::error::{ApiError, ErrorReason};
use baton_api::routing::v1::{
    DeleteDialRuleRequest, DialRule, GetDialRuleRequest, ListDialRulesRequest, ResolveDialRequest,
    UpdateDialRuleRequest,
};
use baton_runtime::auth::{Grants, Role};
use baton_store::{Affected as _, on};
use tonic::{Code, Status};

use crate::world::{TENANT, World, fresh};

const NUMBER: &str = "+3225550100";

fn rule(prefix: &str) -> DialRule {
    DialRule { prefix: prefix.to_owned(), ..DialRule::default() }
}

/// Creates a rule, or leaves the one that is there.
fn put(prefix: &str) -> UpdateDialRuleRequest {
    UpdateDialRuleRequest {
        request_id: fresh(),
        rule: Some(rule(prefix)),
        allow_missing: true,
        ..UpdateDialRuleRequest::default()
    }
}

impl World {
    pub(crate) async fn allow(&self, tenant: &str, prefix: &str) -> Result<DialRule, Status> {
        Ok(self.routing(tenant, Role::Admin).update_dial_rule(put(prefix)).await?.into_inner().rule.unwrap())
    }

    pub(crate) async fn take_back(&self, tenant: &str, prefix: &str) -> Result<(), Status> {
        let request = DeleteDialRuleRequest { request_id: fresh(), prefix: prefix.to_owned() };
        self.routing(tenant, Role::Admin).delete_dial_rule(request).await.map(drop)
    }

    /// Adds `count` rules, from +320 on, in one commit.
    async fn have_rules(&self, count: usize) {
        let db = self.database().await;
        let mut tx = db.begin().await.unwrap();
        for n in 0..count {
            on!(&mut tx, conn => sqlx::query("INSERT INTO dial_rules (tenant, prefix) VALUES ($1, $2)")
                .bind(TENANT)
                .bind(format!("+32{n}"))
                .affected(conn)
                .await)
            .unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn allowed(&self, tenant: &str) -> Vec<String> {
        let request = ListDialRulesRequest { page_size: 500, ..ListDialRulesRequest::default() };
        let listed = self.routing(tenant, Role::Supervisor).list_dial_rules(request).await.unwrap();
        listed.into_inner().rules.into_iter().map(|it| it.prefix).collect()
    }

    async fn resolve(&self, tenant: &str, to: &str) -> Result<String, Status> {
        let request = ResolveDialRequest {
            tenant: tenant.to_owned(),
            number: NUMBER.to_owned(),
            to: to.to_owned(),
            external_number_id: String::new(),
        };
        Ok(self.route().resolve_dial(request).await?.into_inner().allowed_by)
    }
}

#[tokio::test]
async fn a_tenant_without_rules_can_dial_nothing_outside() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    let refusal = world.resolve(TENANT, "+32470000001").await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(ApiError::of(&refusal).reason, ErrorReason::DialNotAllowed);
    assert!(refusal.message().contains("baton number allow PREFIX"), "{refusal}");
    assert!(!refusal.message().contains("470000001"), "the number dialled is nobody's to read");
}

#[tokio::test]
async fn the_longest_rule_that_fits_allows_a_number() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    for prefix in ["+32", "+3247", "+32470000001", "+33612345678901", "+1"] {
        world.allow(TENANT, prefix).await.unwrap();
    }
    let cases = [
        ("+3225550199", Some("+32")),
        ("+32470000002", Some("+3247")),
        ("+32470000001", Some("+32470000001")),
        ("+3247000000", Some("+3247")),
        ("+12025550100", Some("+1")),
        ("+33612345678", None),
        ("+442025550100", None),
    ];
    for (to, expected) in cases {
        assert_eq!(world.resolve(TENANT, to).await.ok().as_deref(), expected, "{to}");
    }
}

#[tokio::test]
async fn only_an_e164_number_is_dialled() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    world.allow(TENANT, "+32").await.unwrap();
    for to in ["", "3225550199", "+32 25550199", "+32%", "+3225550199&x", "+32255501991234567", "sip:a@b"] {
        let refusal = world.resolve(TENANT, to).await.unwrap_err();
        assert_eq!(
            (refusal.code(), ApiError::of(&refusal).fields[0].0.as_str()),
            (Code::InvalidArgument, "to"),
            "{to}"
        );
    }
}

#[tokio::test]
async fn a_call_comes_from_a_number_of_the_tenant_only() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    world.allow(TENANT, "+32").await.unwrap();
    world.allow("other", "+32").await.unwrap();
    let foreign = world.resolve("other", "+3225550199").await.unwrap_err();
    let missing = ResolveDialRequest {
        tenant: "other".to_owned(),
        number: "+3225550999".to_owned(),
        to: "+3225550199".to_owned(),
        external_number_id: String::new(),
    };
    let missing = world.route().resolve_dial(missing).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    assert_eq!((foreign.code(), foreign.message()), (missing.code(), missing.message()));
}

#[tokio::test]
async fn a_rule_that_is_taken_back_allows_nothing_more() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    world.allow(TENANT, "+32").await.unwrap();
    world.take_back(TENANT, "+32").await.unwrap();
    assert!(world.resolve(TENANT, "+3225550199").await.is_err());
    let refusal = world.take_back(TENANT, "+32").await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
}

#[tokio::test]
async fn rules_are_each_tenants_own() {
    let world = World::new().await;
    for prefix in ["+33", "+32"] {
        world.allow(TENANT, prefix).await.unwrap();
    }
    assert_eq!(world.allowed(TENANT).await, ["+32", "+33"]);
    assert!(world.allowed("other").await.is_empty());
    let foreign = world.take_back("other", "+32").await.unwrap_err();
    let missing = world.take_back("other", "+44").await.unwrap_err();
    assert_eq!((foreign.code(), foreign.message()), (missing.code(), missing.message()));
    assert_eq!(world.allowed(TENANT).await, ["+32", "+33"]);
}

#[tokio::test]
async fn a_rule_is_read_by_its_prefix() {
    let world = World::new().await;
    let stored = world.allow(TENANT, "+32").await.unwrap();
    let get = |prefix: &str| GetDialRuleRequest { prefix: prefix.to_owned() };
    let mut reader = world.routing(TENANT, Role::Supervisor);
    assert_eq!(reader.get_dial_rule(get("+32")).await.unwrap().into_inner().rule, Some(stored));
    assert_eq!(reader.get_dial_rule(get("+3")).await.unwrap_err().code(), Code::NotFound);
    let foreign = world.routing("other", Role::Supervisor).get_dial_rule(get("+32")).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_the_first_was() {
    let world = World::new().await;
    let mut admin = world.routing(TENANT, Role::Admin);
    let put = put("+32");
    let first = admin.update_dial_rule(put.clone()).await.unwrap().into_inner();
    world.take_back(TENANT, "+32").await.unwrap();
    let again = admin.update_dial_rule(put.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert!(world.allowed(TENANT).await.is_empty(), "the repetition has put it back");
    let other = UpdateDialRuleRequest { rule: Some(rule("+33")), ..put };
    let refusal = admin.update_dial_rule(other).await.unwrap_err();
    assert_eq!(ApiError::of(&refusal).reason, ErrorReason::RequestIdReused);
}

#[tokio::test]
async fn there_are_a_thousand_rules_at_most() {
    let world = World::new().await;
    world.have_rules(1_000).await;
    let refusal = world.allow(TENANT, "+33").await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    world.allow(TENANT, "+320").await.expect("a rule that is there may be put again");
    world.allow("other", "+33").await.expect("each tenant has rules of its own");
    world.take_back(TENANT, "+320").await.unwrap();
    world.allow(TENANT, "+33").await.expect("there is room for one");
}

#[tokio::test]
async fn s7_rules_lead_where_the_operator_has_granted_and_a_grant_that_is_taken_back_counts() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    let grant = |numbers: &str, destinations: &str| {
        let list = |prefix: &str| vec![prefix.to_owned()];
        let grants = Grants { numbers: list(numbers), destinations: list(destinations) };
        world.admitted.grant(TENANT.parse().unwrap(), grants);
    };
    let reason = |refused: Status| ApiError::of(&refused).reason;
    grant("+", "+3247");
    for further in ["+3", "+32", "+3248", "+1"] {
        assert_eq!(reason(world.allow(TENANT, further).await.unwrap_err()), ErrorReason::NotGranted, "{further}");
    }
    world.allow(TENANT, "+32470").await.unwrap();
    assert_eq!(world.resolve(TENANT, "+32470000001").await.unwrap(), "+32470");
    grant("+", "+1");
    assert_eq!(reason(world.resolve(TENANT, "+32470000001").await.unwrap_err()), ErrorReason::NotGranted);
    grant("+1", "+");
    let refused = world.resolve(TENANT, "+32470000001").await.unwrap_err();
    assert!(!refused.message().contains("470000001"), "the number dialled is nobody's to read");
    assert_eq!(reason(refused), ErrorReason::NotGranted, "a number that is not the tenant's is not shown as its own");
}
