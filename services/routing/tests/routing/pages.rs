//! Lists come in pages.

use baton_api::routing::v1::{ListCallFlowsRequest, ListDialRulesRequest, ListNumbersRequest};
use baton_runtime::auth::Role;
use tonic::Code;

use crate::configuration::{field, flow, hang_up};
use crate::world::{TENANT, World};

/// The keys of all items, in pages of two, with the number of pages.
macro_rules! in_pages {
    ($world:ident, $method:ident, $request:ident, $items:ident, $key:ident) => {{
        let mut reader = $world.routing(TENANT, Role::Supervisor);
        let (mut keys, mut pages, mut page_token) = (Vec::new(), 0, String::new());
        loop {
            let page = reader.$method($request { page_size: 2, page_token }).await.unwrap().into_inner();
            assert!(page.$items.len() <= 2);
            keys.extend(page.$items.into_iter().map(|it| it.$key));
            pages += 1;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break (keys, pages);
            }
        }
    }};
}

/// The fields that are wrong with a page of less than nothing, and with a token from elsewhere.
macro_rules! refused {
    ($world:ident, $method:ident, $request:ident) => {{
        let mut reader = $world.routing(TENANT, Role::Supervisor);
        let wrong = [
            $request { page_size: -1, page_token: String::new() },
            $request { page_size: 0, page_token: "nothing".to_owned() },
        ];
        let mut fields = Vec::new();
        for request in wrong {
            let status = reader.$method(request).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            fields.push(field(&status));
        }
        fields
    }};
}

#[tokio::test]
async fn numbers_come_in_pages() {
    let world = World::new().await;
    for number in ["+3225550103", "+3225550101", "+3225550102"] {
        world.put_number(number, "").await.unwrap();
    }
    let (numbers, pages) = in_pages!(world, list_numbers, ListNumbersRequest, numbers, number);
    assert_eq!(numbers, ["+3225550101", "+3225550102", "+3225550103"]);
    assert_eq!(pages, 2);
    assert_eq!(refused!(world, list_numbers, ListNumbersRequest), ["page_size", "page_token"]);
}

#[tokio::test]
async fn flows_come_in_pages_by_name() {
    let world = World::new().await;
    for name in ["night", "Day", "Night 2", "day 2", "Main"] {
        world.put_flow(flow(name, vec![hang_up()])).await.unwrap();
    }
    let (names, pages) = in_pages!(world, list_call_flows, ListCallFlowsRequest, call_flows, name);
    assert_eq!(pages, 3);
    let names: Vec<_> = names.iter().map(|it| it.to_lowercase()).collect();
    assert_eq!(names, ["day", "day 2", "main", "night", "night 2"]);
    assert_eq!(refused!(world, list_call_flows, ListCallFlowsRequest), ["page_size", "page_token"]);
}

#[tokio::test]
async fn dial_rules_come_in_pages() {
    let world = World::new().await;
    for prefix in ["+33", "+32", "+3247", "+1", "+44"] {
        world.allow(TENANT, prefix).await.unwrap();
    }
    let (prefixes, pages) = in_pages!(world, list_dial_rules, ListDialRulesRequest, rules, prefix);
    assert_eq!(prefixes, ["+1", "+32", "+3247", "+33", "+44"]);
    assert_eq!(pages, 3);
    assert_eq!(refused!(world, list_dial_rules, ListDialRulesRequest), ["page_size", "page_token"]);
}
