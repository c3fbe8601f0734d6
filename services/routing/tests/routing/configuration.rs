//! Call flows and numbers.

use baton_api::error::{ApiError, ErrorReason};
use baton_api::event::v1::EventData;
use baton_api::event::v1::event_data::Data;
use baton_api::routing::v1::call_flow_step::{Disconnect, RingAgent, RingTeam, Step};
use baton_api::routing::v1::{
    CallFlow, CallFlowStep, DeleteCallFlowRequest, DeleteNumberRequest, GetCallFlowRequest, GetNumberRequest,
    ListCallFlowsRequest, Number, ResolveNumberRequest, UpdateCallFlowRequest, UpdateNumberRequest,
};
use baton_bus::EventMatcher;
use baton_runtime::auth::Role;
use prost::Message as _;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{TENANT, World, eventually, fresh};

const TEAM: Uuid = Uuid::from_u128(1);
const ANN: Uuid = Uuid::from_u128(11);
const NUMBER: &str = "+3225550100";

pub(crate) fn flow(name: &str, steps: Vec<Step>) -> CallFlow {
    let steps = steps.into_iter().map(|step| CallFlowStep { step: Some(step) }).collect();
    CallFlow { name: name.to_owned(), steps, ..CallFlow::default() }
}

pub(crate) fn hang_up() -> Step {
    Step::Disconnect(Disconnect {})
}

fn ring_ann() -> Step {
    Step::RingAgent(RingAgent { agent_id: ANN.to_string(), ring_ms: 0 })
}

/// A flow that is created or changed in all fields that are set.
fn put(flow: CallFlow) -> UpdateCallFlowRequest {
    UpdateCallFlowRequest {
        request_id: fresh(),
        call_flow: Some(flow),
        allow_missing: true,
        ..UpdateCallFlowRequest::default()
    }
}

impl World {
    pub(crate) async fn put_flow(&self, flow: CallFlow) -> Result<CallFlow, Status> {
        let response = self.routing(TENANT, Role::Admin).update_call_flow(put(flow)).await?;
        Ok(response.into_inner().call_flow.unwrap())
    }

    pub(crate) async fn put_number(&self, number: &str, call_flow_id: &str) -> Result<Number, Status> {
        let number = Number { number: number.to_owned(), call_flow_id: call_flow_id.to_owned(), ..Number::default() };
        let request = UpdateNumberRequest {
            request_id: fresh(),
            number: Some(number),
            allow_missing: true,
            ..UpdateNumberRequest::default()
        };
        let response = self.routing(TENANT, Role::Admin).update_number(request).await?;
        Ok(response.into_inner().number.unwrap())
    }
}

pub(crate) fn field(status: &Status) -> String {
    ApiError::of(status).fields[0].0.clone()
}

#[tokio::test]
async fn a_number_is_resolved_with_the_agents_and_teams_of_its_flow() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    let ring_team = Step::RingTeam(RingTeam { team_id: TEAM.to_string(), ..RingTeam::default() });
    let stored = world.put_flow(flow("Main", vec![ring_ann(), ring_team])).await.unwrap();
    world.put_number(NUMBER, &stored.call_flow_id).await.unwrap();
    let ask = |tenant: &str| ResolveNumberRequest { tenant: tenant.to_owned(), number: NUMBER.to_owned() };
    let resolved = world.route().resolve_number(ask(TENANT)).await.unwrap().into_inner();
    assert_eq!(resolved.call_flow.as_ref(), Some(&stored));
    assert_eq!(resolved.agents.iter().map(|it| it.agent_id.as_str()).collect::<Vec<_>>(), [ANN.to_string()]);
    let teams: Vec<_> = resolved.teams.iter().map(|it| (it.team_id.clone(), it.name.as_str())).collect();
    assert_eq!(teams, [(TEAM.to_string(), "Support")]);
    let status = world.route().resolve_number(ask("other")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_number_without_a_flow_is_resolved_to_nothing() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    let ask = ResolveNumberRequest { tenant: TENANT.to_owned(), number: NUMBER.to_owned() };
    let resolved = world.route().resolve_number(ask).await.unwrap().into_inner();
    assert_eq!((resolved.call_flow, resolved.agents), (None, vec![]));
}

#[tokio::test]
async fn f1_a_number_is_resolved_however_a_trunk_sends_it_and_an_unknown_one_is_an_event() {
    let world = World::new().await;
    world.put_number(NUMBER, "").await.unwrap();
    let ask = async |number: &str| {
        let ask = ResolveNumberRequest { tenant: TENANT.to_owned(), number: number.to_owned() };
        world.route().resolve_number(ask).await.map(|it| it.into_inner().number)
    };
    for sent in ["3225550100", "003225550100", "tel:+3225550100", "sip:+3225550100@x", "025550100", "0100"] {
        assert_eq!(ask(sent).await.unwrap(), NUMBER, "{sent}");
    }
    world.put_number("+33125550100", "").await.unwrap();
    assert_eq!(ask("225550100").await.unwrap(), NUMBER, "only one ends so");
    for unknown in ["0100", "+3225550101", "sip:ada@x\u{1b}[31m", "100"] {
        assert_eq!(ask(unknown).await.unwrap_err().code(), Code::NotFound, "{unknown}");
    }
    let filter = EventMatcher::types(["routing.call_refused"]).unwrap();
    let refused = async || world.bus.read(0, &filter, 100).await.unwrap().events;
    eventually(async || refused().await.len() == 4).await;
    let read = |payload: &[u8]| match EventData::decode(payload).unwrap().data {
        Some(Data::RoutingCallRefused(it)) => it.number,
        other => panic!("{other:?}"),
    };
    let numbers: Vec<_> = refused().await.iter().map(|it| read(&it.envelope.payload)).collect();
    assert_eq!(numbers, ["0100", "+3225550101", "sip:ada@x[31m", "100"]);
}

#[tokio::test]
async fn a_flow_and_a_number_cannot_name_what_does_not_exist() {
    let world = World::new().await;
    let status = world.put_flow(flow("Main", vec![ring_ann()])).await.unwrap_err();
    assert_eq!(field(&status), "call_flow.steps[0].ring_agent.agent_id");
    let ring_team = Step::RingTeam(RingTeam { team_id: TEAM.to_string(), ..RingTeam::default() });
    let status = world.put_flow(flow("Main", vec![ring_team])).await.unwrap_err();
    assert_eq!(field(&status), "call_flow.steps[0].ring_team.team_id");
    let status = world.put_number(NUMBER, &TEAM.to_string()).await.unwrap_err();
    assert_eq!(field(&status), "number.call_flow_id");
}

#[tokio::test]
async fn s14_a_second_flow_of_the_name_is_refused_and_so_is_a_twin_in_another_script() {
    let world = World::new().await;
    let main = world.put_flow(flow("Main", vec![hang_up()])).await.unwrap();
    for same in ["Main", "main", " M\u{e0}in "] {
        let refused = world.put_flow(flow(same, vec![hang_up()])).await.unwrap_err();
        assert_eq!(ApiError::of(&refused).reason, ErrorReason::AlreadyExists, "{same}");
    }
    for twin in ["\u{41c}\u{430}in", "\u{39c}ain", "\u{1d40c}ain"] {
        let refused = world.put_flow(flow(twin, vec![hang_up()])).await.unwrap_err();
        assert!(refused.message().contains("call flow"), "{refused}");
    }
    let other = world.put_flow(flow("Night", vec![hang_up()])).await.unwrap();
    let renamed = CallFlow { name: "main".to_owned(), etag: String::new(), ..other.clone() };
    let refused = world.put_flow(renamed).await.unwrap_err();
    assert_eq!(ApiError::of(&refused).reason, ErrorReason::AlreadyExists);
    world.put_flow(CallFlow { skip_voicemail: true, ..other }).await.expect("its name stays");
    world.put_flow(CallFlow { name: "MAIN".to_owned(), ..main }).await.expect("its own name in capitals");
    let put = put(flow("Main", vec![hang_up()]));
    world.routing("other", Role::Admin).update_call_flow(put).await.expect("another tenant's");
}

#[tokio::test]
async fn a_flow_in_use_stays() {
    let world = World::new().await;
    let stored = world.put_flow(flow("Main", vec![hang_up()])).await.unwrap();
    world.put_number(NUMBER, &stored.call_flow_id).await.unwrap();
    let mut admin = world.routing(TENANT, Role::Admin);
    let delete = || DeleteCallFlowRequest { request_id: fresh(), call_flow_id: stored.call_flow_id.clone() };
    let status = admin.delete_call_flow(delete()).await.unwrap_err();
    assert_eq!(ApiError::of(&status).reason, ErrorReason::InUse);
    let number = DeleteNumberRequest { request_id: fresh(), number: NUMBER.to_owned() };
    admin.delete_number(number).await.unwrap();
    admin.delete_call_flow(delete()).await.unwrap();
    let status = admin.delete_call_flow(delete()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_repeated_request_creates_one_flow() {
    let world = World::new().await;
    let request = put(flow("Main", vec![hang_up()]));
    let mut admin = world.routing(TENANT, Role::Admin);
    let first = admin.update_call_flow(request.clone()).await.unwrap().into_inner();
    let second = admin.update_call_flow(request).await.unwrap().into_inner();
    assert_eq!(first, second);
    let listed = admin.list_call_flows(ListCallFlowsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.call_flows, [first.call_flow.unwrap()]);
}

#[tokio::test]
async fn another_tenants_flow_is_as_missing_as_one_that_never_was() {
    let world = World::new().await;
    let stored = world.put_flow(flow("Main", vec![hang_up()])).await.unwrap();
    let mut stranger = world.routing("other", Role::Admin);
    let mut refusals = Vec::new();
    for call_flow_id in [stored.call_flow_id, TEAM.to_string()] {
        let get = GetCallFlowRequest { call_flow_id: call_flow_id.clone() };
        let status = stranger.get_call_flow(get).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
        let call_flow = Some(CallFlow { call_flow_id: call_flow_id.clone(), ..flow("Mine", vec![hang_up()]) });
        let update = UpdateCallFlowRequest { request_id: fresh(), call_flow, ..UpdateCallFlowRequest::default() };
        let status = stranger.update_call_flow(update).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
        let delete = DeleteCallFlowRequest { request_id: fresh(), call_flow_id };
        let status = stranger.delete_call_flow(delete).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
    }
    assert_eq!(refusals[..3], refusals[3..]);
}

#[tokio::test]
async fn a_number_is_read_by_the_tenant_whose_it_is() {
    let world = World::new().await;
    let stored = world.put_number(NUMBER, "").await.unwrap();
    let get = || GetNumberRequest { number: NUMBER.to_owned() };
    let read = world.routing(TENANT, Role::Supervisor).get_number(get()).await.unwrap().into_inner();
    assert_eq!(read.number, Some(stored));
    let status = world.routing("other", Role::Supervisor).get_number(get()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
