//! Finding and watching interactions: by agent, team, number, customer, leg, state and time.

use crate::{
    peers::agent,
    world::{TENANT, World, warm},
};
use baton_api::{
    ApiError,
    common::v1::TransferPhase,
    tenant::v1::{CreateTenantRequest, Tenant, tenant_service_client::TenantServiceClient},
    transfer::v1::{
        EndInteractionRequest, Interaction, InteractionFilter, ListInteractionsRequest, ListTransfersRequest,
        OpenInteractionRequest, WatchInteractionsRequest, WatchInteractionsResponse, interaction::State,
        interaction_service_client::InteractionServiceClient, transfer_service_client::TransferServiceClient,
    },
};
use baton_runtime::auth::Role;
use std::time::Duration;
use tonic::Streaming;

const NUMBER: &str = "+3225550100";
const CUSTOMER: &str = "+32470000000";

impl World {
    /// With a record, and so with pseudonyms.
    async fn with_tenant() -> Self {
        let world = Self::start().await;
        let tenant =
            Some(Tenant { tenant_id: TENANT.into(), entitlements: vec!["warm_transfer".into()], ..Tenant::default() });
        let request = CreateTenantRequest { request_id: "c".into(), tenant };
        TenantServiceClient::new(world.operator()).create_tenant(request).await.unwrap();
        world
    }

    async fn found(&self, filter: InteractionFilter) -> Vec<String> {
        let request = ListInteractionsRequest { filter: Some(filter), ..ListInteractionsRequest::default() };
        let page = self.supervisor_of(TENANT).list_interactions(request).await.unwrap().into_inner();
        page.interactions.into_iter().map(|it| it.interaction_id).collect()
    }

    async fn watch(&self, filter: InteractionFilter, cursor: &str) -> Watch {
        let request = WatchInteractionsRequest { filter: Some(filter), cursor: cursor.into() };
        Watch(self.supervisor_of(TENANT).watch_interactions(request).await.unwrap().into_inner())
    }

    async fn ring(&self, number: &str) -> String {
        let request = OpenInteractionRequest {
            tenant: TENANT.into(),
            leg: baton_runtime::ids::new_uuid().to_string(),
            number: number.into(),
            customer: "+32470000009".into(),
            switch_id: "main".into(),
        };
        self.intake().open_interaction(request).await.unwrap().into_inner().interaction_id
    }

    async fn end(&self, id: &str) {
        let request = EndInteractionRequest {
            request_id: baton_runtime::ids::new_uuid().to_string(),
            interaction_id: id.into(),
            ..EndInteractionRequest::default()
        };
        self.supervisor_of(TENANT).end_interaction(request).await.unwrap();
    }
}

struct Watch(Streaming<WatchInteractionsResponse>);

impl Watch {
    async fn next(&mut self) -> WatchInteractionsResponse {
        let bound = baton_runtime::Clock::real();
        let message = bound.timeout(Duration::from_secs(10), self.0.message()).await.expect("a message in time");
        message.unwrap().expect("it has no end")
    }

    /// Until a checkpoint: what came, and the checkpoint's cursor.
    async fn round(&mut self) -> (Vec<Interaction>, String) {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                WatchInteractionsResponse { interaction: Some(it), .. } => seen.push(it),
                WatchInteractionsResponse { interaction: None, cursor } => return (seen, cursor),
            }
        }
    }

    async fn until(&mut self, id: &str, fits: impl Fn(&Interaction) -> bool) {
        loop {
            let message = self.next().await;
            if message.interaction.is_some_and(|it| it.interaction_id == id && fits(&it)) {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_call_is_found_by_each_thing_that_is_known_of_it_and_s16_by_an_analyst_not_by_the_customers_number() {
    let world = World::with_tenant().await;
    let id = world.talking().await;
    let view = world.view(&id).await;
    let (opened, leg) = (view.create_time.unwrap(), view.parties[0].leg_id.clone());
    let key = view.customer.unwrap().key;
    let later = prost_types::Timestamp { seconds: opened.seconds + 60, ..opened };
    let none = InteractionFilter::default;
    let fitting = [
        InteractionFilter { agent_id: agent(1), ..none() },
        InteractionFilter { number: NUMBER.into(), ..none() },
        InteractionFilter { customer: CUSTOMER.into(), ..none() },
        InteractionFilter { customer_key: key.clone(), ..none() },
        InteractionFilter { leg_id: leg, ..none() },
        InteractionFilter { states: vec![State::WithAgent.into(), State::Ended.into()], ..none() },
        InteractionFilter { opened_from_time: Some(opened), opened_before_time: Some(later), ..none() },
        InteractionFilter { agent_id: agent(1), number: NUMBER.into(), customer: CUSTOMER.into(), ..none() },
    ];
    for filter in fitting {
        assert_eq!(world.found(filter.clone()).await, [id.as_str()], "{filter:?}");
    }
    let unfitting = [
        InteractionFilter { agent_id: agent(3), ..none() },
        InteractionFilter { number: "+3225550101".into(), ..none() },
        InteractionFilter { customer: "+32470000001".into(), ..none() },
        InteractionFilter { leg_id: "another".into(), ..none() },
        InteractionFilter { team_id: agent(1), ..none() },
        InteractionFilter { states: vec![State::Ended.into()], ..none() },
        InteractionFilter { opened_from_time: Some(later), ..none() },
        InteractionFilter { opened_before_time: Some(opened), ..none() },
        InteractionFilter { agent_id: agent(1), number: "+3225550101".into(), ..none() },
    ];
    for filter in unfitting {
        assert_eq!(world.found(filter.clone()).await, [""; 0], "{filter:?}");
    }
    assert_eq!(key.len(), 32);
    let analyst = || InteractionServiceClient::new(world.channel(TENANT, "counts", Role::Analyst));
    let asked = |filter| ListInteractionsRequest { filter: Some(filter), ..ListInteractionsRequest::default() };
    let by_key = asked(InteractionFilter { customer_key: key.clone(), ..none() });
    assert_eq!(analyst().list_interactions(by_key).await.unwrap().into_inner().interactions.len(), 1);
    let by_number = InteractionFilter { customer: CUSTOMER.into(), ..none() };
    let refused = analyst().list_interactions(asked(by_number.clone())).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied, "S16: it would tell whose key it is");
    let watch = WatchInteractionsRequest { filter: Some(by_number), cursor: String::new() };
    assert_eq!(analyst().watch_interactions(watch).await.unwrap_err().code(), tonic::Code::PermissionDenied);
    let wrong = InteractionFilter { agent_id: "x".into(), team_id: "y".into(), states: vec![99], ..none() };
    let request = ListInteractionsRequest { filter: Some(wrong), ..ListInteractionsRequest::default() };
    let refused = world.supervisor_of(TENANT).list_interactions(request).await.unwrap_err();
    assert_eq!(ApiError::from_status(&refused).unwrap().fields.len(), 3);
}

#[tokio::test]
async fn an_analyst_finds_a_customers_calls_by_the_pseudonym_alone() {
    let world = World::with_tenant().await;
    let id = world.talking().await;
    let mut analyst = InteractionServiceClient::new(world.channel(TENANT, "ann", Role::Analyst));
    let all = analyst.list_interactions(ListInteractionsRequest::default()).await.unwrap().into_inner().interactions;
    let customer = all[0].customer.clone().unwrap();
    assert_eq!((customer.address.as_str(), customer.key.len()), ("", 32));
    let filter = InteractionFilter { customer_key: customer.key.clone(), ..InteractionFilter::default() };
    let request = ListInteractionsRequest { filter: Some(filter), ..ListInteractionsRequest::default() };
    let found = analyst.list_interactions(request).await.unwrap().into_inner().interactions;
    assert_eq!(found[0].interaction_id, id);
}

#[tokio::test]
async fn transfers_are_found_by_agent_phase_and_time() {
    let world = World::with_tenant().await;
    let id = world.talking().await;
    world.transfers(1).start_transfer(warm(&id, 2, "t")).await.unwrap();
    let found = async |request: ListTransfersRequest| {
        let mut transfers = TransferServiceClient::new(world.channel(TENANT, "boss", Role::Supervisor));
        transfers.list_transfers(request).await.unwrap().into_inner().transfers.len()
    };
    let none = ListTransfersRequest::default;
    assert_eq!(found(ListTransfersRequest { agent_id: agent(1), ..none() }).await, 1);
    assert_eq!(found(ListTransfersRequest { agent_id: agent(3), ..none() }).await, 0);
    let open = vec![TransferPhase::Waiting.into(), TransferPhase::Offered.into(), TransferPhase::Consulting.into()];
    assert_eq!(found(ListTransfersRequest { phases: open, ..none() }).await, 1);
    assert_eq!(found(ListTransfersRequest { phases: vec![TransferPhase::Completed.into()], ..none() }).await, 0);
    let long_ago = prost_types::Timestamp { seconds: 1, nanos: 0 };
    assert_eq!(found(ListTransfersRequest { started_before_time: Some(long_ago), ..none() }).await, 0);
    assert_eq!(found(ListTransfersRequest { started_from_time: Some(long_ago), ..none() }).await, 1);
}

#[tokio::test]
async fn a_tenant_is_watched_as_it_is_and_then_as_it_changes() {
    let world = World::with_tenant().await;
    let first = world.talking().await;
    let mut watch = world.watch(InteractionFilter::default(), "").await;
    let (seen, _) = watch.round().await;
    assert_eq!(seen.iter().map(|it| it.interaction_id.as_str()).collect::<Vec<_>>(), [first.as_str()]);
    let second = world.ring(NUMBER).await;
    watch.until(&second, |it| it.state() == State::InFlow).await;
    world.end(&first).await;
    watch.until(&first, |it| it.state() == State::Ended).await;
}

#[tokio::test]
async fn a_watch_of_a_number_or_an_agent_has_nothing_else_in_it() {
    let world = World::with_tenant().await;
    let id = world.talking().await;
    let mut of_agent = world.watch(InteractionFilter { agent_id: agent(1), ..Default::default() }, "").await;
    let mut of_number = world.watch(InteractionFilter { number: "+3225550199".into(), ..Default::default() }, "").await;
    assert_eq!((of_agent.round().await.0.len(), of_number.round().await.0.len()), (1, 0));
    world.ring(NUMBER).await;
    let other = world.ring("+3225550199").await;
    assert_eq!(of_number.next().await.interaction.unwrap().interaction_id, other, "another number's call comes");
    world.end(&id).await;
    of_agent.until(&id, |it| it.state() == State::Ended).await;
}

#[tokio::test]
async fn a_watch_that_broke_off_goes_on_and_learns_of_what_has_ended_meanwhile() {
    let world = World::with_tenant().await;
    let (ends, stays) = (world.talking().await, world.ring(NUMBER).await);
    let mut watch = world.watch(InteractionFilter::default(), "").await;
    let (_, cursor) = watch.round().await;
    drop(watch);
    world.end(&ends).await;
    world.follow_until(&ends, |view| view.state() == State::Ended).await;
    let new = world.ring(NUMBER).await;
    let mut again = world.watch(InteractionFilter::default(), &cursor).await;
    let (seen, _) = again.round().await;
    let ended: Vec<_> =
        seen.iter().filter(|it| it.state() == State::Ended).map(|it| it.interaction_id.clone()).collect();
    assert_eq!(ended, [ends]);
    assert!(seen.iter().any(|it| it.interaction_id == new), "a call is missing");
    world.end(&stays).await;
    again.until(&stays, |it| it.state() == State::Ended).await;
    let strange = WatchInteractionsRequest { filter: None, cursor: "x".into() };
    let refused = world.supervisor_of(TENANT).watch_interactions(strange).await.unwrap_err();
    assert_eq!(ApiError::from_status(&refused).unwrap().fields[0].0, "cursor");
}

#[tokio::test]
async fn s3_the_pages_of_a_time_have_each_call_once_newest_first() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.ring(NUMBER).await);
    }
    ids.reverse();
    let filter =
        InteractionFilter { opened_from_time: Some(prost_types::Timestamp::default()), ..InteractionFilter::default() };
    let mut asked =
        ListInteractionsRequest { page_size: 2, filter: Some(filter), ..ListInteractionsRequest::default() };
    let mut seen = Vec::new();
    loop {
        let page = world.supervisor_of(TENANT).list_interactions(asked.clone()).await.unwrap().into_inner();
        seen.extend(page.interactions.into_iter().map(|it| it.interaction_id));
        if page.next_page_token.is_empty() {
            break;
        }
        asked.page_token = page.next_page_token;
    }
    assert_eq!(seen, ids);
    let foreign = ListInteractionsRequest { page_token: ids[0].clone(), ..ListInteractionsRequest::default() };
    let refused = world.supervisor_of(TENANT).list_interactions(foreign).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}
