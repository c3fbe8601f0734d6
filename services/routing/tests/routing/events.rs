//! Every change of the configuration is published with its content.

use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::routing_changed::Configuration;
use baton_api::event::v1::{Change, EventData, RoutingChanged};
use baton_api::routing::v1::{
    DeleteCallFlowRequest, DeleteDialRuleRequest, DeleteNumberRequest, DialRule, UpdateDialRuleRequest,
};
use baton_bus::EventMatcher;
use baton_runtime::auth::Role;
use prost::Message as _;

use crate::configuration::{flow, hang_up};
use crate::world::{TENANT, World, eventually, fresh};

const NUMBER: &str = "+3225550100";
const PREFIX: &str = "+32";

impl World {
    /// The events, once there are so many: subject, who did it, and data.
    pub(crate) async fn changes(&self, count: usize) -> Vec<(String, String, RoutingChanged)> {
        let filter = EventMatcher::types(["routing.changed"]).unwrap();
        let events = async || self.bus.read(0, &filter, 100).await.unwrap().events;
        eventually(async || events().await.len() >= count).await;
        let read = |payload: &[u8]| match EventData::decode(payload).unwrap().data {
            Some(Data::RoutingChanged(it)) => it,
            other => panic!("{other:?}"),
        };
        let events = events().await.into_iter().map(|it| it.envelope);
        events.map(|it| (it.aggregate, it.actor, read(&it.payload))).collect()
    }
}

#[tokio::test]
async fn what_is_created_changed_and_deleted_is_published_and_what_stays_the_same_is_not() {
    let world = World::new().await;
    let mut admin = world.routing(TENANT, Role::Admin);
    let created = world.put_flow(flow("Main", vec![hang_up()])).await.unwrap();
    world.put_flow(created.clone()).await.unwrap();
    let first = world.put_number(NUMBER, "").await.unwrap();
    let number = world.put_number(NUMBER, &created.call_flow_id).await.unwrap();
    let rule = Some(DialRule { prefix: PREFIX.to_owned(), ..DialRule::default() });
    let allow = UpdateDialRuleRequest { request_id: fresh(), rule, allow_missing: true, ..Default::default() };
    let rule = admin.update_dial_rule(allow).await.unwrap().into_inner().rule.unwrap();
    let delete = DeleteNumberRequest { request_id: fresh(), number: NUMBER.to_owned() };
    admin.delete_number(delete).await.unwrap();
    let delete = DeleteCallFlowRequest { request_id: fresh(), call_flow_id: created.call_flow_id.clone() };
    admin.delete_call_flow(delete).await.unwrap();
    let delete = DeleteDialRuleRequest { request_id: fresh(), prefix: PREFIX.to_owned() };
    admin.delete_dial_rule(delete).await.unwrap();

    let flow = Configuration::CallFlow(created.clone());
    let subjects =
        [format!("call_flow/{}", created.call_flow_id), format!("number/{NUMBER}"), format!("dial_rule/{PREFIX}")];
    let [flows, numbers, rules] = &subjects;
    let expected = [
        (flows, Change::Created, flow.clone()),
        (numbers, Change::Created, Configuration::Number(first)),
        (numbers, Change::Updated, Configuration::Number(number.clone())),
        (rules, Change::Created, Configuration::DialRule(rule.clone())),
        (numbers, Change::Deleted, Configuration::Number(number)),
        (flows, Change::Deleted, flow),
        (rules, Change::Deleted, Configuration::DialRule(rule)),
    ];
    let changes = world.changes(expected.len()).await;
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for ((subject, actor, change), expected) in changes.into_iter().zip(expected) {
        assert_eq!((&subject, change.change(), change.configuration.unwrap()), expected);
        assert!(actor.starts_with("admin/"), "{actor}");
    }
}
