//! Forgetting a customer (S11).

use crate::retention::{ended, store};
use crate::world::{TENANT, World};
use baton_api::{
    ApiError,
    error::ErrorReason,
    tenant::v1::{CreateTenantRequest, Tenant, tenant_service_client::TenantServiceClient},
    transfer::v1::{
        ForgetCustomerRequest, ForgetCustomerResponse, InteractionFilter, ListInteractionsRequest,
        ListTransfersRequest, OpenInteractionRequest, interaction_service_client::InteractionServiceClient,
    },
};
use baton_bus::EventMatcher;
use baton_runtime::auth::Role;
use baton_store::on;
use tonic::{Code, Status};

const CUSTOMER: &str = "+32470000000";

async fn world() -> World {
    let world = World::start().await;
    let tenant = Tenant { tenant_id: TENANT.into(), entitlements: vec!["warm_transfer".into()], ..Tenant::default() };
    let create = CreateTenantRequest { request_id: "create".into(), tenant: Some(tenant) };
    TenantServiceClient::new(world.operator()).create_tenant(create).await.unwrap();
    world
}

async fn forget(world: &World, role: Role, request_id: &str) -> Result<ForgetCustomerResponse, Status> {
    let request = ForgetCustomerRequest { request_id: request_id.into(), address: CUSTOMER.into() };
    let mut client = InteractionServiceClient::new(world.channel(TENANT, "root", role));
    Ok(client.forget_customer(request).await?.into_inner())
}

#[tokio::test]
async fn s11_a_forgotten_customer_is_in_none_of_their_calls_and_all_are_still_counted() {
    let world = world().await;
    let ids = [ended(&world).await, ended(&world).await];
    let before = world.view(&ids[0]).await;
    assert_eq!(before.notes[0].text, "lives at the harbour");
    let key = before.customer.unwrap().key;

    let refused = forget(&world, Role::Supervisor, "f").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let forgotten = forget(&world, Role::Admin, "f").await.unwrap();
    let expected = ForgetCustomerResponse { customer_key: key.clone(), interactions: 2, recordings: 2, messages: 1 };
    assert_eq!(forgotten, expected);
    assert_eq!(forget(&world, Role::Admin, "f").await.unwrap(), forgotten, "T7");
    assert_eq!(world.notes().forgotten, [key.as_str(), key.as_str()]);

    let store = store(&world).await;
    for (table, column) in [("interactions", "state"), ("interaction_notes", "text"), ("transfers", "body")] {
        for said in [CUSTOMER, "harbour", "for Ben"] {
            let mut reader = store.read().await.unwrap();
            let rows: i64 = on!(reader, conn => {
                let mut rows = sqlx::QueryBuilder::new("SELECT COUNT(*) FROM ");
                rows.push(table).push(" WHERE ").push(column).push(" LIKE ").push_bind(format!("%{said}%"));
                rows.build_query_scalar().fetch_one(conn).await
            })
            .unwrap();
            assert_eq!(rows, 0, "{said} is in {table}");
        }
    }
    check(&world, &ids, &key).await;
    check(&world.crash_and_restart().await, &ids, &key).await;
}

#[tokio::test]
async fn f1_a_customer_is_one_person_however_their_number_was_sent_and_who_withholds_it_is_nobody() {
    let world = world().await;
    let call = async |customer: &str| {
        let request = OpenInteractionRequest {
            tenant: TENANT.into(),
            leg: baton_runtime::ids::new_uuid().to_string(),
            number: "+3225550100".into(),
            customer: customer.into(),
            switch_id: "main".into(),
        };
        let id = world.intake().open_interaction(request).await.unwrap().into_inner().interaction_id;
        world.view(&id).await.customer.unwrap()
    };
    let plain = call(CUSTOMER).await;
    for dressed in ["0032470000000", "tel:+32-470-00-00-00", "sip:+32470000000@trunk.example"] {
        assert_eq!(call(dressed).await, plain, "{dressed}");
    }
    let withheld = call("sip:anonymous@anonymous.invalid").await;
    assert_eq!((withheld.address.as_str(), withheld.key.as_str()), ("", ""));
    let filter = InteractionFilter { customer: "+32 470 00 00 00".into(), ..Default::default() };
    let list = ListInteractionsRequest { filter: Some(filter), ..Default::default() };
    let listed = world.supervisor_of(TENANT).list_interactions(list).await.unwrap().into_inner();
    assert_eq!(listed.interactions.len(), 4);
}

async fn check(world: &World, ids: &[String; 2], key: &str) {
    let after = world.view(&ids[0]).await;
    let customer = after.customer.unwrap();
    assert_eq!((customer.address.as_str(), customer.key.as_str()), ("", key));
    assert!(after.notes.iter().all(|note| note.text.is_empty()) && after.notes.len() == 1);
    assert_eq!(after.journey.len(), 2, "how it went stays");
    let filter = InteractionFilter { customer: CUSTOMER.into(), ..Default::default() };
    let list = ListInteractionsRequest { filter: Some(filter), ..Default::default() };
    let listed = world.supervisor_of(TENANT).list_interactions(list).await.unwrap().into_inner();
    assert_eq!(listed.interactions.len(), 2);
    let transfers = world.transfers(1).list_transfers(ListTransfersRequest::default()).await.unwrap().into_inner();
    assert!(transfers.transfers.len() == 2 && transfers.transfers.iter().all(|it| it.message.is_empty()));
    let events = EventMatcher::all().about(format!("customer/{key}"));
    let events = world
        .until("it is published", async || {
            let events = world.bus.read(0, &events, 10).await.unwrap().events;
            (!events.is_empty()).then_some(events)
        })
        .await;
    assert_eq!(events.len(), 1);
    let envelope = &events[0].envelope;
    assert_eq!((envelope.event_type.as_str(), envelope.actor.as_str()), ("customer.forgotten", "admin/root"));
    let payload = String::from_utf8_lossy(&envelope.payload);
    assert!(payload.contains(key) && !payload.contains(CUSTOMER), "{payload}");
}

#[tokio::test]
async fn s11_a_customer_who_is_in_a_call_is_not_forgotten() {
    let world = world().await;
    ended(&world).await;
    let live = world.talking().await;
    let refused = forget(&world, Role::Admin, "f").await.unwrap_err();
    let error = ApiError::of(&refused);
    assert_eq!((refused.code(), error.reason), (Code::FailedPrecondition, ErrorReason::InUse));
    assert_eq!(error.metadata, [("interaction_id".to_owned(), live.clone())]);
    assert_eq!(world.view(&live).await.customer.unwrap().address, CUSTOMER);
    assert!(world.notes().forgotten.is_empty());
}
