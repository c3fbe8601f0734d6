//! Changes of call flows, numbers and dial rules by several admins: none is lost.

use baton_api::error::{ApiError, ErrorReason};
use baton_api::routing::v1::call_flow_step::{RingTeam, Step, Voicemail};
use baton_api::routing::v1::{
    CallFlow, DeleteCallFlowRequest, DeleteNumberRequest, DialRule, GetCallFlowRequest, GetNumberRequest,
    ListCallFlowsRequest, Number, UpdateCallFlowRequest, UpdateDialRuleRequest, UpdateNumberRequest,
};
use baton_runtime::auth::{Grants, Role};
use baton_store::{Affected as _, on};
use prost_types::FieldMask;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::configuration::{field, flow, hang_up};
use crate::world::{TENANT, World, fresh};

const NUMBER: &str = "+3225550100";
const PREFIX: &str = "+32";

/// Whether an update may create what is missing.
#[derive(Clone, Copy)]
enum Missing {
    Refused,
    Created,
}

impl Missing {
    fn is_allowed(self) -> bool {
        matches!(self, Self::Created)
    }
}

impl World {
    async fn main_flow(&self) -> CallFlow {
        self.put_flow(flow("Main", vec![hang_up()])).await.unwrap()
    }

    async fn read_flow(&self, id: &str) -> CallFlow {
        let request = GetCallFlowRequest { call_flow_id: id.to_owned() };
        let response = self.routing(TENANT, Role::Supervisor).get_call_flow(request).await.unwrap();
        response.into_inner().call_flow.unwrap()
    }

    async fn read_number(&self) -> Number {
        let request = GetNumberRequest { number: NUMBER.to_owned() };
        self.routing(TENANT, Role::Supervisor).get_number(request).await.unwrap().into_inner().number.unwrap()
    }

    /// An update of these fields; with an empty mask for none.
    async fn update_flow(&self, flow: CallFlow, fields: &[&str], missing: Missing) -> Result<CallFlow, Status> {
        let request = UpdateCallFlowRequest {
            request_id: fresh(),
            call_flow: Some(flow),
            update_mask: mask(fields),
            allow_missing: missing.is_allowed(),
        };
        let response = self.routing(TENANT, Role::Admin).update_call_flow(request).await?;
        Ok(response.into_inner().call_flow.unwrap())
    }

    async fn update_number(&self, number: Number, fields: &[&str], missing: Missing) -> Result<Number, Status> {
        let request = UpdateNumberRequest {
            request_id: fresh(),
            number: Some(number),
            update_mask: mask(fields),
            allow_missing: missing.is_allowed(),
        };
        Ok(self.routing(TENANT, Role::Admin).update_number(request).await?.into_inner().number.unwrap())
    }

    async fn update_rule(&self, rule: DialRule, fields: &[&str], missing: Missing) -> Result<DialRule, Status> {
        let request = UpdateDialRuleRequest {
            request_id: fresh(),
            rule: Some(rule),
            update_mask: mask(fields),
            allow_missing: missing.is_allowed(),
        };
        Ok(self.routing(TENANT, Role::Admin).update_dial_rule(request).await?.into_inner().rule.unwrap())
    }

    async fn delete_flow(&self, id: &str) {
        let request = DeleteCallFlowRequest { request_id: fresh(), call_flow_id: id.to_owned() };
        self.routing(TENANT, Role::Admin).delete_call_flow(request).await.unwrap();
    }
}

fn mask(fields: &[&str]) -> Option<FieldMask> {
    (!fields.is_empty()).then(|| FieldMask { paths: fields.iter().map(|it| (*it).to_owned()).collect() })
}

fn number(call_flow_id: &str) -> Number {
    Number { number: NUMBER.to_owned(), call_flow_id: call_flow_id.to_owned(), ..Number::default() }
}

fn rule(prefix: &str) -> DialRule {
    DialRule { prefix: prefix.to_owned(), ..DialRule::default() }
}

fn assert_conflict(status: &Status) {
    assert_eq!((status.code(), ApiError::of(status).reason), (Code::Aborted, ErrorReason::VersionConflict));
    assert_eq!(ApiError::of(status).retry_after, None, "the same etag is refused again");
    assert!(status.message().contains("Read it again"), "{}", status.message());
}

#[tokio::test]
async fn of_two_who_edit_a_flow_at_once_one_is_refused_and_nothing_is_lost() {
    let world = World::new().await;
    let read = world.main_flow().await;
    let named = CallFlow { name: "Day".to_owned(), ..read.clone() };
    let skipping = CallFlow { skip_voicemail: true, ..read.clone() };
    let one = world.update_flow(named.clone(), &["name"], Missing::Refused);
    let two = world.update_flow(skipping.clone(), &["skip_voicemail"], Missing::Created);
    let (one, two) = tokio::join!(one, two);
    assert_conflict(one.as_ref().err().or(two.as_ref().err()).expect("one is refused"));
    let stored = one.as_ref().or(two.as_ref()).expect("one is not");
    assert_eq!(world.read_flow(&read.call_flow_id).await, *stored);
    assert_ne!(stored.etag, read.etag);
    // The one who was refused reads again, and both changes are there.
    let again = CallFlow { etag: stored.etag.clone(), skip_voicemail: true, ..named };
    world.update_flow(again, &["name", "skip_voicemail"], Missing::Refused).await.unwrap();
    let both = world.read_flow(&read.call_flow_id).await;
    assert_eq!((both.name.as_str(), both.skip_voicemail, &both.steps), ("Day", true, &read.steps));
}

#[tokio::test]
async fn of_two_who_edit_a_number_the_second_is_refused_unless_they_give_no_etag() {
    let world = World::new().await;
    let night = world.put_flow(flow("Night", vec![hang_up()])).await.unwrap().call_flow_id;
    let day = world.main_flow().await.call_flow_id;
    let read = world.put_number(NUMBER, &day).await.unwrap();
    let first = Number { call_flow_id: night.clone(), ..read.clone() };
    world.update_number(first, &[], Missing::Refused).await.unwrap();
    let second = Number { call_flow_id: String::new(), ..read };
    for missing in [Missing::Refused, Missing::Created] {
        assert_conflict(&world.update_number(second.clone(), &["call_flow_id"], missing).await.unwrap_err());
    }
    assert_eq!(world.read_number().await.call_flow_id, night);
    let last = world.update_number(number(""), &["call_flow_id"], Missing::Refused).await.unwrap();
    assert_eq!(world.read_number().await, last);
    assert_eq!(last.call_flow_id, "");
}

#[tokio::test]
async fn a_rule_that_was_made_anew_is_not_the_one_that_was_read() {
    let world = World::new().await;
    let read = world.allow(TENANT, PREFIX).await.unwrap();
    assert_eq!(world.update_rule(read.clone(), &["*"], Missing::Refused).await.unwrap(), read);
    world.take_back(TENANT, PREFIX).await.unwrap();
    world.allow(TENANT, PREFIX).await.unwrap();
    assert_conflict(&world.update_rule(read, &[], Missing::Created).await.unwrap_err());
}

#[tokio::test]
async fn what_was_deleted_meanwhile_does_not_come_back_by_an_update() {
    let world = World::new().await;
    let read = world.main_flow().await;
    world.delete_flow(&read.call_flow_id).await;
    assert_conflict(&world.update_flow(read.clone(), &["*"], Missing::Created).await.unwrap_err());
    let gone = world.update_flow(read.clone(), &["*"], Missing::Refused).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    // Without an etag it is meant.
    let anew = CallFlow { etag: String::new(), ..read.clone() };
    assert_eq!(world.update_flow(anew, &["*"], Missing::Created).await.unwrap().call_flow_id, read.call_flow_id);

    let read = world.put_number(NUMBER, "").await.unwrap();
    let delete = DeleteNumberRequest { request_id: fresh(), number: NUMBER.to_owned() };
    world.routing(TENANT, Role::Admin).delete_number(delete).await.unwrap();
    assert_conflict(&world.update_number(read, &["*"], Missing::Created).await.unwrap_err());

    let read = world.allow(TENANT, PREFIX).await.unwrap();
    world.take_back(TENANT, PREFIX).await.unwrap();
    assert_conflict(&world.update_rule(read, &[], Missing::Created).await.unwrap_err());
}

#[tokio::test]
async fn a_mask_changes_the_named_fields_only() {
    let world = World::new().await;
    let voicemail = Step::Voicemail(Voicemail { mailbox: "sales".to_owned() });
    let before = CallFlow { skip_voicemail: true, ..flow("Main", vec![voicemail]) };
    let before = world.put_flow(before).await.unwrap();
    for (name, fields) in [("Day", &["name"][..]), ("Night", &[])] {
        let sent = CallFlow { call_flow_id: before.call_flow_id.clone(), name: name.to_owned(), ..CallFlow::default() };
        let after = world.update_flow(sent, fields, Missing::Refused).await.unwrap();
        let expected = CallFlow { name: name.to_owned(), etag: after.etag.clone(), ..before.clone() };
        assert_eq!(after, expected);
        assert_eq!(world.read_flow(&before.call_flow_id).await, expected);
    }
    let sent = CallFlow { call_flow_id: before.call_flow_id.clone(), ..flow("Ignored", vec![hang_up()]) };
    let after = world.update_flow(sent.clone(), &["steps", "skip_voicemail"], Missing::Refused).await.unwrap();
    assert_eq!((after.name.as_str(), &after.steps, after.skip_voicemail), ("Night", &sent.steps, false));
    // A flow keeps its name while the steps change, and what is not named is not checked.
    let unnamed = CallFlow { name: String::new(), ..sent };
    world.update_flow(unnamed, &["steps"], Missing::Refused).await.unwrap();

    let day = world.main_flow().await.call_flow_id;
    world.put_number(NUMBER, &day).await.unwrap();
    let unchanged = world.update_number(number(""), &[], Missing::Created).await.unwrap();
    assert_eq!(unchanged.call_flow_id, day);
}

#[tokio::test]
async fn an_update_that_changes_nothing_leaves_the_etag() {
    let world = World::new().await;
    let read = world.main_flow().await;
    assert_eq!(world.update_flow(read.clone(), &["*"], Missing::Refused).await.unwrap(), read);
    let read = world.put_number(NUMBER, "").await.unwrap();
    assert_eq!(world.update_number(read.clone(), &["*"], Missing::Created).await.unwrap(), read);
}

#[tokio::test]
async fn an_unknown_path_and_an_update_of_nothing_are_refused_with_the_mask() {
    let world = World::new().await;
    let read = world.main_flow().await;
    let id_only = CallFlow { call_flow_id: read.call_flow_id.clone(), ..CallFlow::default() };
    world.put_number(NUMBER, "").await.unwrap();
    world.allow(TENANT, PREFIX).await.unwrap();
    let refusals = [
        world.update_flow(read.clone(), &["name", "etag"], Missing::Refused).await.unwrap_err(),
        world.update_flow(read, &["call_flow.name"], Missing::Created).await.unwrap_err(),
        world.update_flow(id_only, &[], Missing::Refused).await.unwrap_err(),
        world.update_number(number(""), &["number"], Missing::Refused).await.unwrap_err(),
        world.update_number(number(""), &[], Missing::Refused).await.unwrap_err(),
        world.update_rule(rule(PREFIX), &["prefix"], Missing::Created).await.unwrap_err(),
    ];
    for status in &refusals {
        assert_eq!((status.code(), field(status).as_str()), (Code::InvalidArgument, "update_mask"), "{status}");
    }
    assert!(refusals[0].message().contains("\"etag\""), "{}", refusals[0].message());
}

#[tokio::test]
async fn what_is_missing_is_created_only_if_the_client_allows_it() {
    let world = World::new().await;
    let id = Uuid::from_u128(7).to_string();
    let sent = CallFlow { call_flow_id: id.clone(), ..flow("Main", vec![hang_up()]) };
    let missing = [
        world.update_flow(sent.clone(), &["name"], Missing::Refused).await.unwrap_err(),
        world.update_number(number(&id), &[], Missing::Refused).await.unwrap_err(),
        world.update_rule(rule(PREFIX), &[], Missing::Refused).await.unwrap_err(),
    ];
    assert_eq!(missing.map(|it| it.code()), [Code::NotFound; 3]);
    let without_id = world.update_flow(flow("Main", vec![hang_up()]), &[], Missing::Refused).await.unwrap_err();
    assert_eq!(field(&without_id), "call_flow.call_flow_id");
    // Of what is created, the mask is ignored.
    let created = world.update_flow(sent.clone(), &["name"], Missing::Created).await.unwrap();
    assert_eq!(created, CallFlow { etag: created.etag.clone(), ..sent });
    let created = world.update_number(number(&id), &[], Missing::Created).await.unwrap();
    assert_eq!(created, Number { etag: created.etag.clone(), ..number(&id) });
    assert_eq!(world.update_rule(rule(PREFIX), &[], Missing::Created).await.unwrap().prefix, PREFIX);
}

#[tokio::test]
async fn what_is_created_needs_all_fields_whatever_is_named() {
    let world = World::new().await;
    let sent = CallFlow { name: "Main".to_owned(), ..CallFlow::default() };
    let status = world.update_flow(sent.clone(), &["name"], Missing::Created).await.unwrap_err();
    assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "call_flow.steps"));
    let stored = world.main_flow().await;
    let sent = CallFlow { call_flow_id: stored.call_flow_id, ..sent };
    world.update_flow(sent, &["name"], Missing::Created).await.expect("the flow that is there has steps");
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once() {
    let world = World::new().await;
    let bad = CallFlow { call_flow_id: "x".to_owned(), ..flow("", vec![]) };
    let status = world.update_flow(bad, &["*"], Missing::Created).await.unwrap_err();
    let names: Vec<_> = ApiError::of(&status).fields.into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["call_flow.call_flow_id", "call_flow.name", "call_flow.steps"]);
    let bad = Number { number: "1".to_owned(), call_flow_id: "x".to_owned(), ..Number::default() };
    let status = world.update_number(bad, &[], Missing::Refused).await.unwrap_err();
    let names: Vec<_> = ApiError::of(&status).fields.into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["number.number", "number.call_flow_id"]);
    let status = world.update_rule(rule("32"), &["prefix"], Missing::Refused).await.unwrap_err();
    let names: Vec<_> = ApiError::of(&status).fields.into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["rule.prefix", "update_mask"]);
}

#[tokio::test]
async fn what_an_older_baton_wrote_has_an_etag_that_counts() {
    let world = World::new().await;
    let db = world.database().await;
    let mut tx = db.begin().await.unwrap();
    on!(&mut tx, conn => sqlx::query("INSERT INTO numbers (tenant, number) VALUES ($1, $2)")
        .bind(TENANT)
        .bind(NUMBER)
        .affected(conn)
        .await)
    .unwrap();
    tx.commit().await.unwrap();
    let read = world.read_number().await;
    assert!(!read.etag.is_empty());
    let flow = world.main_flow().await.call_flow_id;
    let change = Number { call_flow_id: flow, ..read };
    world.update_number(change.clone(), &[], Missing::Refused).await.unwrap();
    assert_conflict(&world.update_number(change, &[], Missing::Refused).await.unwrap_err());
}

#[tokio::test]
async fn f12_a_flow_says_which_of_its_targets_were_deleted() {
    let world = World::new().await;
    let (team, gone_team, ann) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(11));
    world.peers.set_free(team, ann, true);
    world.peers.set_free(gone_team, ann, true);
    let ring = |team: Uuid| Step::RingTeam(RingTeam { team_id: team.to_string(), ..RingTeam::default() });
    let written = world.put_flow(flow("Main", vec![ring(gone_team), ring(team), hang_up()])).await.unwrap();
    assert!(world.read_flow(&written.call_flow_id).await.missing_ids.is_empty());

    world.peers.known().teams.remove(&gone_team);
    let read = world.read_flow(&written.call_flow_id).await;
    assert_eq!(read.missing_ids, [gone_team.to_string()]);
    let list = world.routing(TENANT, Role::Supervisor).list_call_flows(ListCallFlowsRequest::default()).await.unwrap();
    assert_eq!(list.into_inner().call_flows[0].missing_ids, [gone_team.to_string()]);
    let renamed = CallFlow { name: "Night".to_owned(), ..read };
    world.update_flow(renamed, &["name"], Missing::Refused).await.unwrap();
}

#[tokio::test]
async fn s7_a_number_is_one_tenants() {
    let world = World::new().await;
    let flow = world.main_flow().await.call_flow_id;
    let number = || Number { number: NUMBER.to_owned(), ..Number::default() };
    let mine = world.update_number(Number { call_flow_id: flow, ..number() }, &[], Missing::Created).await.unwrap();
    let put =
        || UpdateNumberRequest { request_id: fresh(), number: Some(number()), update_mask: None, allow_missing: true };
    let refused = world.routing("rival", Role::Admin).update_number(put()).await.unwrap_err();
    assert_eq!(ApiError::of(&refused).reason, ErrorReason::AlreadyExists);
    world
        .update_number(Number { call_flow_id: String::new(), ..mine }, &["call_flow_id"], Missing::Refused)
        .await
        .unwrap();
    let delete = DeleteNumberRequest { request_id: fresh(), number: NUMBER.to_owned() };
    world.routing(TENANT, Role::Admin).delete_number(delete).await.unwrap();
    world.routing("rival", Role::Admin).update_number(put()).await.unwrap();
}

#[tokio::test]
async fn s7_a_tenant_puts_the_numbers_that_the_operator_has_granted() {
    let world = World::new().await;
    let grant = |numbers: &[&str]| {
        let numbers = numbers.iter().map(|it| (*it).to_owned()).collect();
        world.admitted.grant(TENANT.parse().unwrap(), Grants { numbers, ..Grants::all() });
    };
    let put = async || {
        let number = Some(Number { number: NUMBER.to_owned(), ..Number::default() });
        let request = UpdateNumberRequest { request_id: fresh(), number, update_mask: None, allow_missing: true };
        world.routing(TENANT, Role::Admin).update_number(request).await
    };
    for too_little in [&[] as &[&str], &["+1", &NUMBER[..NUMBER.len() - 1].replace('5', "6")]] {
        grant(too_little);
        let refused = put().await.unwrap_err();
        assert_eq!(ApiError::of(&refused).reason, ErrorReason::NotGranted, "{too_little:?}");
        assert!(!refused.message().contains(NUMBER), "errors are logged");
    }
    grant(&["+1", &NUMBER[..5]]);
    put().await.unwrap();
    grant(&[]);
    put().await.unwrap();
    let flow = world.main_flow().await.call_flow_id;
    let again = Number { number: NUMBER.to_owned(), call_flow_id: flow, ..Number::default() };
    let refused = world.update_number(again, &["call_flow_id"], Missing::Refused).await.unwrap_err();
    assert_eq!(ApiError::of(&refused).reason, ErrorReason::NotGranted, "what was taken back is not put again");
}
