//! Call flows and numbers.

use baton_api::error::{ApiError, ErrorReason};
use baton_api::routing::v1::call_flow_step::{Disconnect, RingAgent, RingTeam, Step};
use baton_api::routing::v1::{
    CallFlow, CallFlowStep, DeleteCallFlowRequest, DeleteNumberRequest, GetCallFlowRequest, ListCallFlowsRequest,
    ListNumbersRequest, Number, PutCallFlowRequest, PutNumberRequest, ResolveNumberRequest,
};
use baton_runtime::auth::Role;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{TENANT, World, fresh};

const TEAM: Uuid = Uuid::from_u128(1);
const ANN: Uuid = Uuid::from_u128(11);
const NUMBER: &str = "+3225550100";

fn flow(name: &str, steps: Vec<Step>) -> CallFlow {
    let steps = steps.into_iter().map(|step| CallFlowStep { step: Some(step) }).collect();
    CallFlow { name: name.to_owned(), steps, ..CallFlow::default() }
}

fn ring_ann() -> Step {
    Step::RingAgent(RingAgent { agent_id: ANN.to_string(), ring_ms: 0 })
}

impl World {
    async fn put_flow(&self, flow: CallFlow) -> Result<CallFlow, Status> {
        let request = PutCallFlowRequest { request_id: fresh(), call_flow: Some(flow) };
        let response = self.routing(TENANT, Role::Admin).put_call_flow(request).await?;
        Ok(response.into_inner().call_flow.unwrap())
    }

    pub(crate) async fn put_number(&self, number: &str, call_flow_id: &str) -> Result<(), Status> {
        let number = Number { number: number.to_owned(), call_flow_id: call_flow_id.to_owned() };
        let request = PutNumberRequest { request_id: fresh(), number: Some(number) };
        self.routing(TENANT, Role::Admin).put_number(request).await.map(drop)
    }
}

fn field(status: &Status) -> String {
    ApiError::of(status).fields[0].0.clone()
}

#[tokio::test]
async fn a_number_is_resolved_with_the_agents_of_its_flow() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    let ring_team = Step::RingTeam(RingTeam { team_id: TEAM.to_string(), ..RingTeam::default() });
    let stored = world.put_flow(flow("Main", vec![ring_ann(), ring_team])).await.unwrap();
    world.put_number(NUMBER, &stored.call_flow_id).await.unwrap();
    let ask = |tenant: &str| ResolveNumberRequest { tenant: tenant.to_owned(), number: NUMBER.to_owned() };
    let resolved = world.route().resolve_number(ask(TENANT)).await.unwrap().into_inner();
    assert_eq!(resolved.call_flow.as_ref(), Some(&stored));
    assert_eq!(resolved.agents.iter().map(|it| it.agent_id.as_str()).collect::<Vec<_>>(), [ANN.to_string()]);
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
async fn a_flow_in_use_stays() {
    let world = World::new().await;
    let stored = world.put_flow(flow("Main", vec![Step::Disconnect(Disconnect {})])).await.unwrap();
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
    let call_flow = Some(flow("Main", vec![Step::Disconnect(Disconnect {})]));
    let request = PutCallFlowRequest { request_id: fresh(), call_flow };
    let mut admin = world.routing(TENANT, Role::Admin);
    let first = admin.put_call_flow(request.clone()).await.unwrap().into_inner();
    let second = admin.put_call_flow(request).await.unwrap().into_inner();
    assert_eq!(first, second);
    let listed = admin.list_call_flows(ListCallFlowsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.call_flows, [first.call_flow.unwrap()]);
}

#[tokio::test]
async fn another_tenants_flow_is_as_missing_as_one_that_never_was() {
    let world = World::new().await;
    let stored = world.put_flow(flow("Main", vec![Step::Disconnect(Disconnect {})])).await.unwrap();
    let mut stranger = world.routing("other", Role::Admin);
    let mut refusals = Vec::new();
    for call_flow_id in [stored.call_flow_id, TEAM.to_string()] {
        let get = GetCallFlowRequest { call_flow_id: call_flow_id.clone() };
        let status = stranger.get_call_flow(get).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
        let delete = DeleteCallFlowRequest { request_id: fresh(), call_flow_id };
        let status = stranger.delete_call_flow(delete).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
    }
    assert_eq!(refusals[..2], refusals[2..]);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for number in ["+3225550103", "+3225550101", "+3225550102"] {
        world.put_number(number, "").await.unwrap();
    }
    let mut admin = world.routing(TENANT, Role::Supervisor);
    let mut numbers = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = admin.list_numbers(ListNumbersRequest { page_size: 2, page_token }).await.unwrap().into_inner();
        numbers.extend(page.numbers.into_iter().map(|it| it.number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, ["+3225550101", "+3225550102", "+3225550103"]);
}
