//! `PolicyService`.

use super::PolicyApi;
use crate::store::policies::{self as stored, PolicyRow};
use baton_api::{
    ApiError, ErrorKind,
    error::ErrorReason,
    event::v1::{EventData, PolicyChanged, event_data::Data},
    transfer::v1::{
        GetPolicyRequest, GetPolicyResponse, ListProfilesRequest, ListProfilesResponse, Policy, Profile,
        SetPolicyRequest, SetPolicyResponse, policy_service_server::PolicyService,
    },
};
use baton_bus::{actor_text, caller_actor};
use baton_domain::policy::{self, PROFILES};
use baton_runtime::{CallerExt, ids, telemetry};
use baton_store::{
    Tx, idempotent,
    outbox::{self, OutboxRow},
    requests::RequestKey,
};
use prost::Message;
use std::collections::BTreeSet;
use tonic::{Request, Response, Status};

const MAX_OVERRIDES: usize = 20_000;
const MAX_ENTITLEMENTS: usize = 50;

#[tonic::async_trait]
impl PolicyService for PolicyApi {
    async fn list_profiles(
        &self,
        _request: Request<ListProfilesRequest>,
    ) -> Result<Response<ListProfilesResponse>, Status> {
        let mut profiles: Vec<_> =
            PROFILES.iter().map(|own| Profile { name: own.name.into(), toml: own.toml.into() }).collect();
        profiles.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Response::new(ListProfilesResponse { profiles }))
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Result<Response<GetPolicyResponse>, Status> {
        let tenant = request.caller()?.tenant()?.as_str();
        let version = stored::latest(&self.handler.db, tenant).await?;
        let row = match version {
            0 => PolicyRow::default_policy(),
            _ => stored::read(&self.handler.db, tenant, version).await?.unwrap_or_else(PolicyRow::default_policy),
        };
        Ok(Response::new(GetPolicyResponse { policy: Some(wire(row, version)) }))
    }

    async fn set_policy(&self, request: Request<SetPolicyRequest>) -> Result<Response<SetPolicyResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let tenant = caller.tenant()?.as_str();
        let key = RequestKey::new(tenant, &caller.subject, "SetPolicy", &request.request_id)?;
        let now_us = self.handler.clock.now_us();
        let actor = actor_text(&caller_actor(&caller));
        let response = idempotent(&self.handler.db, &key, &request, now_us, async |tx| {
            let row = parse(request.policy.as_ref())?;
            let version = stored::add(tx, tenant, &row).await?;
            announce(tx, tenant, &actor, &row.profile, version, now_us).await?;
            Ok(SetPolicyResponse { policy: Some(wire(row, version)) })
        });
        response.await.map(Response::new)
    }
}

/// A policy that is stored is one that can be used.
fn parse(policy: Option<&Policy>) -> Result<PolicyRow, ApiError> {
    let policy = policy.ok_or_else(|| ApiError::invalid_argument("policy", "is missing"))?;
    if policy.overrides_toml.len() > MAX_OVERRIDES {
        return Err(ApiError::invalid_argument(
            "policy.overrides_toml",
            format!("is longer than {MAX_OVERRIDES} bytes"),
        ));
    }
    let plain = |text: &String| {
        !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    if policy.entitlements.len() > MAX_ENTITLEMENTS || !policy.entitlements.iter().all(plain) {
        let why = format!("must be at most {MAX_ENTITLEMENTS} names of a-z and `_`");
        return Err(ApiError::invalid_argument("policy.entitlements", why));
    }
    let parsed = policy::parse(&policy.profile, &policy.overrides_toml, policy.entitlements.clone())
        .map_err(|error| ApiError::new(ErrorKind::InvalidArgument, ErrorReason::PolicyInvalid, error.to_string()))?;
    let known = known_entitlements(&parsed);
    if let Some(unknown) = policy.entitlements.iter().find(|own| !known.contains(*own)) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let why = format!("no rule asks for `{unknown}`; those there are: {known}");
        return Err(ApiError::invalid_argument("policy.entitlements", why));
    }
    Ok(PolicyRow {
        profile: policy.profile.clone(),
        overrides: policy.overrides_toml.clone(),
        entitlements: policy.entitlements.clone(),
    })
}

/// What this policy, or any built-in profile, asks a plan for: a plan stays as it is when the profile changes.
fn known_entitlements(policy: &baton_domain::Policy) -> BTreeSet<String> {
    let profiles: Vec<_> = PROFILES.iter().filter_map(|own| policy::parse(own.name, "", Vec::new()).ok()).collect();
    let all = profiles.iter().chain([policy]).flat_map(baton_domain::Policy::known_entitlements);
    all.map(str::to_owned).collect()
}

async fn announce(
    tx: &mut Tx,
    tenant: &str,
    actor: &str,
    profile: &str,
    version: u64,
    now_us: i64,
) -> Result<(), Status> {
    let data = Data::PolicyChanged(PolicyChanged { profile: profile.to_owned(), version });
    let row = OutboxRow {
        id: ids::new_uuid(),
        tenant: tenant.to_owned(),
        aggregate: "policy".into(),
        sequence: version.cast_signed(),
        event_type: "policy.changed".into(),
        area: crate::store::events::AREA.to_owned(),
        payload: EventData { data: Some(data) }.encode_to_vec(),
        actor: actor.to_owned(),
        traceparent: telemetry::traceparent(),
        time_us: now_us,
    };
    outbox::append(tx, &[row]).await?;
    Ok(())
}

fn wire(row: PolicyRow, version: u64) -> Policy {
    Policy { profile: row.profile, overrides_toml: row.overrides, entitlements: row.entitlements, version }
}
