//! Whatever is sent to whichever method: a typed error that says what to do, never a fault, and nothing changes.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_runtime::auth::Role;
use baton_testkit::TestTenant;
use baton_testkit::tenant::fresh;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::{Code, Status};

use super::contract::{Method, call, methods};
use crate::harness::office::set_policy;
use crate::harness::{Office, Scenario, refused, shared};

/// Not ids, not numbers, not names. `LONG` stands for a text of `LENGTH` digits.
const CORPUS: [&str; 9] = [
    "x",
    "0192f0c1-2345-7000-8000-00000000000",
    "00000000-0000-0000-0000-000000000000",
    "../../etc/passwd",
    "'; DROP TABLE agent; --",
    "SIP/${EXTEN}@trunk,30,g\r\nHangup()",
    "\u{202e}\u{0}\u{7}",
    "+0",
    LONG,
];
const LONG: &str = "long";
const LENGTH: usize = 100_000;

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        access_whatever_is_sent_is_answered_with_a_typed_error_and_nothing_changes,
        access_a_policy_with_a_typo_names_the_line,
    ]
}

async fn access_whatever_is_sent_is_answered_with_a_typed_error_and_nothing_changes(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let before = office.tenant.interaction(&call.interaction_id).await?;
    let mut wrong = Vec::new();
    for method in methods()?.into_iter().filter(|it| !it.is_internal()) {
        for role in method.roles {
            for bad in CORPUS {
                wrong.extend(send(&office.tenant, &method, *role, bad).await?);
            }
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    let after = office.tenant.interaction(&call.interaction_id).await?;
    anyhow::ensure!(after == before, "something changed: {before:#?} became {after:#?}");
    Ok(())
}

async fn access_a_policy_with_a_typo_names_the_line(tenant: TestTenant) -> anyhow::Result<()> {
    let typo = "# shorter\n[methods.warm.offer]\nring_sm = 10\n";
    let Err(error) = set_policy(&tenant, "helpdesk", typo).await else { anyhow::bail!("it was taken") };
    let status = error.downcast::<Status>()?;
    anyhow::ensure!(status.message().contains("overrides:3"), "it says {}", status.message());
    let reason = refused::<()>(Err(status))?;
    anyhow::ensure!(reason == ErrorReason::PolicyInvalid, "refused as {reason:?}");
    Ok(())
}

/// What is wrong with the answer, if anything is.
async fn send(tenant: &TestTenant, method: &Method, role: Role, bad: &str) -> anyhow::Result<Option<String>> {
    let bad = if bad == LONG { "9".repeat(LENGTH) } else { bad.to_owned() };
    let channel = tenant.channel(&fresh(), role)?;
    let body = message(&method.input, &bad).encode_to_vec();
    let Err(status) = call(&channel, method, body).await else { return Ok(None) };
    let typed = ApiError::from_status(&status).is_some();
    let fault = matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable);
    let short: String = bad.chars().take(40).collect();
    Ok((fault || !typed).then(|| format!("{role} {} {short:?}: {:?} {}", method.path, status.code(), status.message())))
}

/// A message with the bad text, and numbers as bad, in every field.
fn message(descriptor: &MessageDescriptor, bad: &str) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        if let Some(value) = value(&field, bad) {
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, bad: &str) -> Option<Value> {
    let one = match field.kind() {
        Kind::String if field.name() == "request_id" => Value::String(fresh()),
        Kind::String => Value::String(bad.to_owned()),
        Kind::Enum(_) => Value::EnumNumber(999),
        Kind::Message(_) if field.is_map() => return None,
        Kind::Message(inner) => Value::Message(message(&inner, bad)),
        Kind::Int32 => Value::I32(i32::MIN),
        Kind::Int64 => Value::I64(i64::MIN),
        _ => return None,
    };
    Some(if field.is_list() { Value::List(vec![one]) } else { one })
}
