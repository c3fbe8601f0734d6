//! IVR flows: changed with etags, listed in pages, published, and refused where they can't do what they are marked for (B407).

use baton_api::ApiError;
use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::{IvrElement, IvrEnd, IvrTransfer};
use baton_api::error::ErrorReason;
use baton_api::event::v1::Change;
use baton_api::event::v1::routing_changed::Configuration;
use baton_api::routing::v1::{
    DeleteIvrFlowRequest, GetIvrFlowRequest, IvrFlow, ListIvrFlowsRequest, UpdateIvrFlowRequest,
};
use baton_runtime::auth::Role;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::world::{TENANT, World, fresh};

fn element(element: Element) -> IvrElement {
    IvrElement { label: String::new(), element: Some(element) }
}

fn named(name: &str) -> IvrFlow {
    let elements = vec![element(Element::End(IvrEnd {}))];
    IvrFlow { name: name.to_owned(), elements, ..IvrFlow::default() }
}

impl World {
    async fn put_ivr(&self, flow: IvrFlow, fields: &[&str]) -> Result<IvrFlow, Status> {
        let request = UpdateIvrFlowRequest {
            request_id: fresh(),
            allow_missing: flow.ivr_flow_id.is_empty(),
            ivr_flow: Some(flow),
            update_mask: Some(FieldMask { paths: fields.iter().map(|it| (*it).to_owned()).collect() }),
        };
        Ok(self.routing(TENANT, Role::Admin).update_ivr_flow(request).await?.into_inner().ivr_flow.unwrap())
    }

    async fn ivr(&self, tenant: &str, id: &str) -> Result<IvrFlow, Status> {
        let request = GetIvrFlowRequest { ivr_flow_id: id.to_owned() };
        Ok(self.routing(tenant, Role::Supervisor).get_ivr_flow(request).await?.into_inner().ivr_flow.unwrap())
    }
}

fn reason(status: &Status) -> ErrorReason {
    ApiError::of(status).reason
}

#[tokio::test]
async fn a_flow_is_created_changed_by_its_etag_published_and_deleted() {
    let world = World::new().await;
    let created = world.put_ivr(named("Payment"), &["*"]).await.unwrap();
    assert_eq!(world.ivr(TENANT, &created.ivr_flow_id).await.unwrap(), created);
    let foreign = world.ivr("other", &created.ivr_flow_id).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    let changed = world.put_ivr(IvrFlow { name: "Card".to_owned(), ..created.clone() }, &["name"]).await.unwrap();
    assert_ne!(changed.etag, created.etag);
    let late = world.put_ivr(IvrFlow { name: "Cash".to_owned(), ..created.clone() }, &["name"]).await.unwrap_err();
    assert_eq!(reason(&late), ErrorReason::VersionConflict);
    world.put_ivr(named("card"), &["*"]).await.expect_err("a name that is there already");
    let delete = DeleteIvrFlowRequest { request_id: fresh(), ivr_flow_id: created.ivr_flow_id.clone() };
    world.routing(TENANT, Role::Admin).delete_ivr_flow(delete).await.unwrap();
    assert_eq!(world.ivr(TENANT, &created.ivr_flow_id).await.unwrap_err().code(), Code::NotFound);
    let published: Vec<_> = world.changes(3).await.into_iter().map(|(subject, _, change)| (subject, change)).collect();
    let expected = [(Change::Created, created.clone()), (Change::Updated, changed.clone()), (Change::Deleted, changed)];
    for ((subject, change), (sort, flow)) in published.into_iter().zip(expected) {
        assert_eq!(subject, format!("ivr_flow/{}", flow.ivr_flow_id));
        assert_eq!((change.change(), change.configuration), (sort, Some(Configuration::IvrFlow(flow))));
    }
}

#[tokio::test]
async fn flows_come_in_pages_by_name() {
    let world = World::new().await;
    for name in ["Survey", "Payment", "Identification"] {
        world.put_ivr(named(name), &["*"]).await.unwrap();
    }
    let mut reader = world.routing(TENANT, Role::Supervisor);
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = reader.list_ivr_flows(ListIvrFlowsRequest { page_size: 2, page_token }).await.unwrap().into_inner();
        assert!(page.ivr_flows.len() <= 2);
        names.extend(page.ivr_flows.into_iter().map(|it| it.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["Identification", "Payment", "Survey"]);
}

#[tokio::test]
async fn b407_a_flow_that_hands_on_is_not_for_round_trips() {
    let world = World::new().await;
    let transfer = element(Element::Transfer(IvrTransfer { to: None }));
    let marked = IvrFlow { elements: vec![transfer.clone()], round_trip: true, ..named("Menu") };
    let refused = world.put_ivr(marked.clone(), &["*"]).await.unwrap_err();
    assert_eq!(reason(&refused), ErrorReason::FlowTransfersOn);
    let menu = world.put_ivr(IvrFlow { round_trip: false, ..marked }, &["*"]).await.unwrap();
    let refused = world.put_ivr(IvrFlow { round_trip: true, ..menu }, &["round_trip"]).await.unwrap_err();
    assert_eq!(reason(&refused), ErrorReason::FlowTransfersOn);
    let payment = world.put_ivr(IvrFlow { round_trip: true, ..named("Payment") }, &["*"]).await.unwrap();
    let refused = world.put_ivr(IvrFlow { elements: vec![transfer], ..payment }, &["elements"]).await.unwrap_err();
    assert_eq!(reason(&refused), ErrorReason::FlowTransfersOn);
}
