//! X1: no answer tells another tenant's object from a missing one: every method, every role that may call it, every id.

use std::collections::BTreeMap;

use anyhow::Context as _;
use baton_api::common::v1::{IvrEnd, RecordingMode, TransferPhase, ivr_element::Element};
use baton_api::tenant::v1::{CreateTenantRequest, Tenant};
use baton_runtime::auth::Role;
use baton_testkit::tenant::{fresh, ring};
use baton_testkit::{AgentDesk, BOUND, Call, TestTenant, eventually};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::Status;

use super::contract::{Method, call, methods};
use crate::harness::{Office, Scenario, shared};

/// These make something anew, from whatever is sent, with an id, a tone or a version of its own, or count what the whole switch does:
/// no two answers are alike.
const NEVER_ALIKE: [&str; 4] = ["GetStats", "PlaceCall", "PutPhone", "UpdatePolicy"];

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![x1_no_answer_tells_another_tenants_object_from_a_missing_one]
}

async fn x1_no_answer_tells_another_tenants_object_from_a_missing_one(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let (call, foreign) = everything(&office, &ada, &ben).await?;
    let before = office.tenant.interaction(&call.interaction_id).await?;
    let missing = foreign.others();

    let stranger = Stranger::beside(&office.tenant).await?;
    let mut leaks = Vec::new();
    for method in methods()?.into_iter().filter(|it| !it.is_internal() && !NEVER_ALIKE.contains(&it.name())) {
        // Operators look after every tenant.
        for role in method.roles.iter().filter(|role| role.belongs_to_tenant()) {
            for variant in 0..2 {
                let of_foreign = ask(&stranger, &method, *role, &foreign, variant).await?;
                let of_missing = ask(&stranger, &method, *role, &missing, variant).await?;
                if of_foreign != of_missing {
                    leaks.push(format!("{role} {}:\n  {of_foreign}\n  {of_missing}", method.path));
                }
            }
        }
    }
    anyhow::ensure!(leaks.is_empty(), "{} answers tell:\n{}", leaks.len(), leaks.join("\n"));
    let after = office.tenant.interaction(&call.interaction_id).await?;
    anyhow::ensure!(after == before, "a stranger changed it: {before:#?} became {after:#?}");
    office.until_phase(&call, TransferPhase::Completed).await?;
    Ok(())
}

/// A caller from another tenant of the same Baton.
struct Stranger {
    /// The tenant whose ids the stranger tries.
    victim: TestTenant,
    tenant: String,
    subject: String,
}

/// One id of each sort, by the name of the field that takes it.
#[derive(Debug, Clone)]
struct Ids(BTreeMap<&'static str, String>);

impl Ids {
    /// Unused ids of the same form. Those that belong together still do: a transfer's id begins with its interaction's.
    fn others(&self) -> Self {
        let mut fresh_for = BTreeMap::new();
        Self(self.0.iter().map(|(field, id)| (*field, other(id, &mut fresh_for))).collect())
    }

    /// The text with every id of these replaced by the name of its field.
    fn masked(&self, text: &str) -> String {
        self.0.iter().fold(without_etags(text), |text, (field, id)| text.replace(id.as_str(), field))
    }
}

/// The text without etags, which are 32 hexadecimal digits and new with each change, and cursors of 16, which tell the time.
fn without_etags(text: &str) -> String {
    let pieces = text.split_inclusive(|it: char| !it.is_ascii_hexdigit());
    let digits = |piece: &str| piece.trim_end_matches(|it: char| !it.is_ascii_hexdigit()).len();
    pieces.filter(|piece| !matches!(digits(piece), 16 | 32)).collect()
}

/// An id of the same form: another UUID in it, the same for the same one, or other digits.
fn other(id: &str, fresh_for: &mut BTreeMap<String, String>) -> String {
    let mut fresh = |known: &str| fresh_for.entry(known.to_owned()).or_insert_with(|| alike(known)).clone();
    match id.match_indices('-').next() {
        _ if id.starts_with('+') => {
            format!("{}{}", &id[..id.len() - 4], if id.ends_with("0000") { "1111" } else { "0000" })
        }
        Some((8, _)) if id.len() >= 36 => format!("{}{}", fresh(&id[..36]), &id[36..]),
        Some(_) if id.len() >= 36 => format!("{}{}", &id[..id.len() - 36], fresh(&id[id.len() - 36..])),
        _ => id.chars().rev().collect(),
    }
}

/// A fresh id of the same partition: how far a partition was read depends on the caller's own events in it.
fn alike(known: &str) -> String {
    let partition = |id: &str| baton_bus::partition(&format!("interaction/{id}"));
    std::iter::repeat_with(fresh).find(|id| partition(id) == partition(known)).unwrap_or_default()
}

async fn everything(office: &Office, ada: &AgentDesk, ben: &AgentDesk) -> anyhow::Result<(Call, Ids)> {
    let team_id = office.tenant.team("Support", &[ben]).await?;
    let site_id = office.tenant.site("Ghent", &[ben]).await?;
    let queue = baton_api::routing::v1::Queue { team_ids: vec![team_id.clone()], ..Default::default() };
    let queue_id = office.tenant.queue(queue).await?;
    let number = office.tenant.number(vec![ring(ada)]).await?;
    office.tenant.record(&number, RecordingMode::All).await?;
    let call = office.talking_on(&number, ada).await?;
    ada.start_cold(&call.interaction_id, ben).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    let recording = eventually("a recording is listed", BOUND, async || {
        let listed = office.tenant.recordings_of(&call).await.map_err(|error| format!("{error:#}"))?;
        listed.into_iter().next().ok_or_else(|| "none".to_owned())
    })
    .await?;
    let flows =
        office.tenant.routing()?.list_call_flows(baton_api::routing::v1::ListCallFlowsRequest::default()).await?;
    let flow = flows.into_inner().call_flows.into_iter().next().context("no flow")?;
    let ivr_flow = office.tenant.ivr_flow(vec![Element::End(IvrEnd {})], true).await?;
    let ids = [
        ("ivr_flow_id", ivr_flow),
        ("interaction_id", call.interaction_id.clone()),
        ("transfer_id", view.transfer.unwrap_or_default().transfer_id),
        ("agent_id", ada.id().to_owned()),
        ("team_id", team_id),
        ("site_id", site_id),
        ("queue_id", queue_id),
        ("call_flow_id", flow.call_flow_id),
        ("recording_id", recording.recording_id),
        ("number", number.clone()),
        ("number", number),
        ("leg_id", call.leg_id.clone()),
        ("address", ada.phone().to_owned()),
    ];
    Ok((call, Ids(ids.into())))
}

/// The stranger's call, and its answer in words without the ids.
async fn ask(stranger: &Stranger, method: &Method, role: Role, ids: &Ids, variant: usize) -> anyhow::Result<String> {
    let channel = stranger.channel(role)?;
    let body = message(&method.input, ids, variant).encode_to_vec();
    Ok(match call(&channel, method, body).await {
        Ok(answer) => ids.masked(&String::from_utf8_lossy(&answer)),
        Err(status) => ids.masked(&in_words(&status)),
    })
}

fn in_words(status: &Status) -> String {
    let error = baton_api::ApiError::from_status(status);
    format!("{:?} {} {error:?}", status.code(), status.message())
}

impl Stranger {
    /// Of a tenant that the operator has created: another one is refused whatever it asks, which would show nothing.
    async fn beside(victim: &TestTenant) -> anyhow::Result<Self> {
        let tenant = Tenant { tenant_id: format!("t-{}", fresh()), ..Tenant::default() };
        let request = CreateTenantRequest { request_id: fresh(), tenant: Some(tenant.clone()) };
        victim.operator()?.create_tenant(request).await.context("creating the stranger's tenant")?;
        Ok(Self { victim: victim.clone(), tenant: tenant.tenant_id, subject: fresh() })
    }

    fn channel(&self, role: Role) -> anyhow::Result<baton_runtime::client::GrpcChannel> {
        let caller = baton_runtime::auth::Caller::of_tenant(self.tenant.parse()?, &*self.subject, role);
        let now_us = baton_runtime::Clock::real().now_us();
        let token = self.victim.key().mint(&caller, now_us, std::time::Duration::from_mins(5))?;
        Ok(self.victim.anonymous().with_token(&token)?)
    }
}

/// A message with every field filled; of a choice, the one that this variant takes.
fn message(descriptor: &MessageDescriptor, ids: &Ids, variant: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let chosen = field
            .containing_oneof()
            .is_none_or(|choice| choice.fields().nth(variant % choice.fields().count()).is_some_and(|it| it == field));
        if chosen && let Some(value) = value(&field, ids, variant) {
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, ids: &Ids, variant: usize) -> Option<Value> {
    let one = match field.kind() {
        Kind::String => Value::String(text(field.name(), ids)?),
        Kind::Enum(_) => Value::EnumNumber(1),
        Kind::Message(_) if field.is_map() => return None,
        Kind::Message(inner) => Value::Message(message(&inner, ids, variant)),
        _ => return None,
    };
    Some(if field.is_list() { Value::List(vec![one]) } else { one })
}

fn text(field: &str, ids: &Ids) -> Option<String> {
    match field {
        "request_id" => Some(fresh()),
        "agent_ids" => ids.0.get("agent_id").cloned(),
        "from_number" | "to_number" => ids.0.get("number").cloned(),
        "subject" => ids.0.get("interaction_id").map(|id| format!("interaction/{id}")),
        "name" | "text" | "mailbox" | "phone" => Some("x".to_owned()),
        "profile" => Some("lead_center".to_owned()),
        _ => ids.0.get(field).cloned(),
    }
}
