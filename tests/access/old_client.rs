//! A client that was built from a released contract, before later fields were added: what it does not know, it does not erase.
//!
//! Its messages are made from `proto/released` with the later fields taken out, and sent as bytes.

use std::path::Path;

use anyhow::Context as _;
use baton_api::presence::v1::{GetAgentRequest, GetTeamRequest};
use baton_api::tenant::v1::GetTenantRequest;
use baton_api::transfer::v1::GetPolicyRequest;
use baton_runtime::auth::Role;
use baton_testkit::TestTenant;
use baton_testkit::tenant::fresh;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

use super::contract::{call, methods};
use crate::harness::office::set_policy;
use crate::harness::{Scenario, shared};

/// The contract as it was first released.
const RELEASED: &str = "proto/released/0.1.0.binpb";
/// What stands for fields that came later.
const LATER: &[(&str, &[&str])] = &[
    ("Agent", &["email", "phone", "voicemail"]),
    ("Team", &["agent_ids"]),
    ("Tenant", &["entitlements", "limits"]),
    ("Policy", &["overrides_toml"]),
];

const OVERRIDES: &str = "interaction.wrap_up_ms = 1234";

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![contract_an_old_client_renames_and_erases_nothing_that_it_does_not_know]
}

async fn contract_an_old_client_renames_and_erases_nothing_that_it_does_not_know(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let old = OldClient { pool: old_contract()?, tenant };
    let tenant = &old.tenant;
    let ada = tenant.agent("Ada").await?;
    let team_id = tenant.team("Sales", &[&ada]).await?;
    set_policy(tenant, "lead_center", OVERRIDES).await?;
    tenant.grant(&["warm_transfer"]).await?;

    let agent = json!({ "agentId": ada.id(), "name": "Ada Lovelace" });
    old.update("/baton.presence.v1.DirectoryService/UpdateAgent", "agent", agent).await?;
    let request = GetAgentRequest { agent_id: ada.id().to_owned() };
    let seen = tenant.directory()?.get_agent(request).await?.into_inner().agent.unwrap_or_default();
    let expected = ("Ada Lovelace", "ada@example.com", ada.phone(), true);
    anyhow::ensure!((&*seen.name, &*seen.email, &*seen.phone, seen.voicemail) == expected, "{seen:?}");

    let team = json!({ "teamId": team_id, "name": "Sales of Belgium" });
    old.update("/baton.presence.v1.DirectoryService/UpdateTeam", "team", team).await?;
    let seen = tenant.directory()?.get_team(GetTeamRequest { team_id }).await?.into_inner().team.unwrap_or_default();
    anyhow::ensure!(seen.name == "Sales of Belgium" && seen.agent_ids == [ada.id()], "{seen:?}");

    let policy = json!({ "profile": "helpdesk" });
    old.update("/baton.transfer.v1.PolicyService/UpdatePolicy", "policy", policy).await?;
    let seen = tenant.policies()?.get_policy(GetPolicyRequest {}).await?.into_inner().policy.unwrap_or_default();
    anyhow::ensure!(seen.profile == "helpdesk" && seen.overrides_toml == OVERRIDES, "{seen:?}");

    let renamed = json!({ "tenantId": tenant.id(), "displayName": "Acme" });
    old.update("/baton.tenant.v1.TenantService/UpdateTenant", "tenant", renamed).await?;
    let request = GetTenantRequest { tenant_id: tenant.id().to_owned() };
    let seen = tenant.operator()?.get_tenant(request).await?.into_inner().tenant.unwrap_or_default();
    anyhow::ensure!(seen.display_name == "Acme" && seen.entitlements == ["warm_transfer"], "{seen:?}");
    Ok(())
}

/// The released contract without what came later.
fn old_contract() -> anyhow::Result<DescriptorPool> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(RELEASED);
    let image = std::fs::read(&file).with_context(|| file.display().to_string())?;
    let mut files = FileDescriptorSet::decode(image.as_slice())?;
    for message in files.file.iter_mut().flat_map(|it| &mut it.message_type) {
        let later = LATER.iter().filter(|it| it.0 == message.name()).flat_map(|it| it.1);
        let later: Vec<_> = later.copied().collect();
        message.field.retain(|it| !later.contains(&it.name()));
    }
    Ok(DescriptorPool::from_file_descriptor_set(files)?)
}

struct OldClient {
    pool: DescriptorPool,
    tenant: TestTenant,
}

impl OldClient {
    /// Updates one thing without a mask, as a client does that has never heard of any.
    async fn update(&self, path: &str, field: &str, thing: Value) -> anyhow::Result<()> {
        let method = methods()?.into_iter().find(|it| it.path == path).context("there is no such method")?;
        let input = self.pool.get_message_by_name(method.input.full_name()).context("it was not released")?;
        let mut request = json!({ "requestId": fresh() });
        request[field] = thing;
        let body = DynamicMessage::deserialize(input, request)?.encode_to_vec();
        let role = if method.roles.contains(&Role::Operator) { Role::Operator } else { Role::Admin };
        call(&self.tenant.channel("boss", role)?, &method, body).await.with_context(|| path.to_owned())?;
        Ok(())
    }
}
