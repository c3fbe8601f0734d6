//! `PolicyService`.

use super::PolicyApi;
use crate::store::{
    events::AREA,
    policies::{self as stored, PolicyRow},
    tenants::TenantRecord,
};
use baton_api::{
    ApiError, ErrorKind,
    error::ErrorReason,
    event::v1::{PolicyChanged, event_data::Data},
    fields, mask, page,
    transfer::v1::{
        GetPolicyRequest, GetPolicyResponse, ListProfilesRequest, ListProfilesResponse, Policy, Profile,
        UpdatePolicyRequest, UpdatePolicyResponse, ValidatePolicyRequest, ValidatePolicyResponse,
        policy_service_server::PolicyService,
    },
};
use baton_bus::{OutgoingEvent, actor_text, caller_actor};
use baton_domain::policy::{self, PROFILES};
use baton_runtime::{CallerExt, auth::Caller};
use baton_store::{
    Etag, Tx, change, idempotent,
    outbox::{self, OutboxRow},
    requests::RequestKey,
};
use std::collections::BTreeSet;
use tonic::{Request, Response, Status};

const MAX_OVERRIDES: usize = 20_000;
const FIELDS: &[&str] = &["profile", "overrides_toml"];

#[tonic::async_trait]
impl PolicyService for PolicyApi {
    async fn list_profiles(
        &self,
        request: Request<ListProfilesRequest>,
    ) -> Result<Response<ListProfilesResponse>, Status> {
        let request = request.get_ref();
        let known = |token: &str| PROFILES.iter().any(|own| own.name == token).then(|| token.to_owned());
        let after = page::after(&request.page_token, known);
        let (size, after) = fields::all((page::size(request.page_size), after))?;
        let mut profiles: Vec<_> = PROFILES
            .iter()
            .filter(|own| after.as_deref().is_none_or(|after| own.name > after))
            .map(|own| Profile { name: own.name.into(), toml: own.toml.into() })
            .collect();
        profiles.sort_by(|a, b| a.name.cmp(&b.name));
        let next_page_token = page::cut(&mut profiles, size, |last| last.name.clone());
        Ok(Response::new(ListProfilesResponse { profiles, next_page_token }))
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Result<Response<GetPolicyResponse>, Status> {
        let tenant = request.caller()?.tenant()?.as_str();
        let (version, row) = stored::newest(&self.handler.db, tenant).await?;
        Ok(Response::new(GetPolicyResponse { policy: Some(wire(row, version)) }))
    }

    async fn update_policy(
        &self,
        request: Request<UpdatePolicyRequest>,
    ) -> Result<Response<UpdatePolicyResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let tenant = caller.tenant()?.as_str();
        let asked = given(request.policy.as_ref())?;
        let named = mask::named_fields(request.update_mask.as_ref(), FIELDS, |field| match field {
            "profile" => !asked.profile.is_empty(),
            _ => !asked.overrides_toml.is_empty(),
        })?;
        let key = RequestKey::new(tenant, &caller.subject, "UpdatePolicy", &request.request_id)?;
        let now_us = self.handler.clock.now_us();
        let (caller, named) = (&caller, &named);
        let response = idempotent(
            &self.handler.db,
            &key,
            &request,
            now_us,
            change!(|tx| {
                crate::store::policies::lock(tx, tenant).await?;
                let (version, mut row) = stored::newest_in(tx, tenant).await?;
                Etag::of_version(version).check(&asked.etag, "policy")?;
                for field in named {
                    match *field {
                        "profile" => row.profile.clone_from(&asked.profile),
                        _ => row.overrides.clone_from(&asked.overrides_toml),
                    }
                }
                parsed(&row)?;
                let version = add(tx, caller, tenant, &row, now_us).await?;
                Ok(UpdatePolicyResponse { policy: Some(wire(row, version)) })
            }),
        );
        response.await.map(Response::new)
    }

    async fn validate_policy(
        &self,
        request: Request<ValidatePolicyRequest>,
    ) -> Result<Response<ValidatePolicyResponse>, Status> {
        let asked = given(request.get_ref().policy.as_ref())?;
        let row = PolicyRow {
            profile: asked.profile.clone(),
            overrides: asked.overrides_toml.clone(),
            entitlements: Vec::new(),
        };
        let toml = parsed(&row)?.to_toml().map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(Response::new(ValidatePolicyResponse { toml }))
    }
}

fn given(policy: Option<&Policy>) -> Result<&Policy, ApiError> {
    policy.ok_or_else(|| ApiError::invalid_argument("policy", "is missing"))
}

/// A policy that is stored is one that can be used.
fn parsed(row: &PolicyRow) -> Result<baton_domain::Policy, ApiError> {
    if row.overrides.len() > MAX_OVERRIDES {
        let why = format!("is longer than {MAX_OVERRIDES} bytes");
        return Err(ApiError::invalid_argument("policy.overrides_toml", why));
    }
    policy::parse(&row.profile, &row.overrides, row.entitlements.clone())
        .map_err(|error| ApiError::new(ErrorKind::InvalidArgument, ErrorReason::PolicyInvalid, error.to_string()))
}

/// What the built-in profiles ask a plan for: a plan stays as it is when the profile changes.
pub(super) fn known_entitlements() -> BTreeSet<String> {
    let profiles: Vec<_> = PROFILES.iter().filter_map(|own| policy::parse(own.name, "", Vec::new()).ok()).collect();
    profiles.iter().flat_map(baton_domain::Policy::known_entitlements).map(str::to_owned).collect()
}

/// The plan of a tenant is part of each version of its policy, so that an interaction keeps the one with which it began: another plan
/// is another version.
pub(super) async fn grant(tx: &mut Tx, caller: &Caller, tenant: &TenantRecord, now_us: i64) -> Result<(), Status> {
    let id = tenant.id.as_str();
    let (_, row) = stored::newest_in(tx, id).await?;
    if row.entitlements != tenant.entitlements {
        let row = PolicyRow { entitlements: tenant.entitlements.clone(), ..row };
        add(tx, caller, id, &row, now_us).await?;
    }
    Ok(())
}

/// The next version of a tenant's policy, with its event.
async fn add(tx: &mut Tx, caller: &Caller, tenant: &str, row: &PolicyRow, now_us: i64) -> Result<u64, Status> {
    let version = stored::add(tx, tenant, row).await?;
    let data = Data::PolicyChanged(PolicyChanged { profile: row.profile.clone(), version });
    let event = event(caller, (tenant, "policy", version.cast_signed()), "policy.changed", data, now_us);
    outbox::append(tx, &[event]).await?;
    Ok(version)
}

/// An event about `(tenant, aggregate, sequence)`.
pub(super) fn event(
    caller: &Caller,
    (tenant, aggregate, sequence): (&str, &str, i64),
    event_type: &str,
    data: Data,
    time_us: i64,
) -> OutboxRow {
    let (aggregate, actor) = (aggregate.to_owned(), &actor_text(&caller_actor(caller)));
    OutgoingEvent { tenant, aggregate, area: AREA, event_type, data, actor, now_us: time_us }.numbered(sequence)
}

fn wire(row: PolicyRow, version: u64) -> Policy {
    Policy {
        profile: row.profile,
        overrides_toml: row.overrides,
        entitlements: row.entitlements,
        version,
        etag: Etag::of_version(version).as_str().to_owned(),
    }
}
