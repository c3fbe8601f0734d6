//! `TenantService`: the operator's side of a tenant.

use super::{TenantApi, policies};
use crate::{
    convert::words,
    pseudonym::PseudonymKey,
    store::tenants::{self as stored, TenantRecord},
};
use baton_api::{
    ApiError,
    event::v1::{TenantChanged, event_data::Data, tenant_changed::Change},
    fields, mask, page,
    tenant::v1::{
        CreateTenantRequest, CreateTenantResponse, GetTenantRequest, GetTenantResponse, ListTenantsRequest,
        ListTenantsResponse, ResumeTenantRequest, ResumeTenantResponse, SuspendTenantRequest, SuspendTenantResponse,
        Tenant, TenantGrants, TenantLimits, TenantState, UpdateTenantRequest, UpdateTenantResponse,
        tenant_service_server::TenantService,
    },
};
use baton_runtime::{
    CallerExt,
    auth::{self, Caller, Grants, TenantId},
    ids,
};
use baton_store::{Etag, Tx, change, idempotent, outbox, requests::RequestKey};
use prost::Message;
use tonic::{Request, Response, Status};

const MAX_TEXT: usize = 200;
const MAX_ENTITLEMENTS: usize = 50;
const MAX_GRANTS: usize = 1_000;
const FIELDS: &[&str] = &[
    "display_name",
    "entitlements",
    "limits.live_interactions",
    "limits.calls_per_second",
    "limits.changes_per_second",
    "limits.stored_mib",
    "grants.numbers",
    "grants.destinations",
];

#[tonic::async_trait]
impl TenantService for TenantApi {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let asked = given(request.tenant.as_ref())?;
        let (id, display_name, (entitlements, limits), (numbers, destinations)) = fields::all((
            tenant_id("tenant.tenant_id", &asked.tenant_id),
            text("tenant.display_name", &asked.display_name),
            fields::all((entitlements(&asked.entitlements), limits(asked))),
            fields::all((granted_numbers(asked), granted_destinations(asked))),
        ))?;
        let created_us = self.handler.clock.now_us();
        let tenant = self.change(&caller, &id, &request.request_id, &request, Change::Created, |known| {
            if known.is_some() {
                return Err(ApiError::already_exists("tenant", format!("There is a tenant {id} already.")));
            }
            Ok(TenantRecord {
                id: id.clone(),
                display_name: display_name.clone(),
                entitlements: entitlements.clone(),
                live_interactions: limits.live_interactions,
                limits: limits.rest,
                grants: Grants { numbers: numbers.clone(), destinations: destinations.clone() },
                is_suspended: false,
                suspend_reason: String::new(),
                etag: Etag::new(ids::new_uuid()),
                pseudonym_key: PseudonymKey::fresh(),
                created_us,
                updated_us: created_us,
            })
        });
        Ok(Response::new(CreateTenantResponse { tenant: Some(tenant.await?) }))
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<GetTenantResponse>, Status> {
        let own = request.caller()?.tenant.as_ref().map(TenantId::as_str);
        let id = match (own, request.get_ref().tenant_id.as_str()) {
            (None, "") => return Err(ApiError::invalid_argument("tenant_id", "must be given by an operator").into()),
            (Some(own), "") => own,
            // Another tenant is not there for those who belong to one (X1).
            (Some(own), asked) if own != asked => return Err(ApiError::not_found("tenant").into()),
            (_, asked) => asked,
        };
        // A text that can't be an id is that of no tenant; a database may not even take it.
        let id = id.parse::<TenantId>().map_err(|_| ApiError::not_found("tenant"))?;
        let record = stored::read(&self.handler.db, id.as_str()).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
        Ok(Response::new(GetTenantResponse { tenant: Some(self.wire(record)) }))
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        let request = request.get_ref();
        let after = page::after(&request.page_token, |token| token.parse::<TenantId>().ok());
        let (size, after) = fields::all((page::size(request.page_size), after))?;
        let mut records = stored::list(&self.handler.db, after.as_ref().map_or("", TenantId::as_str), size + 1).await?;
        let next_page_token = page::cut(&mut records, size, |last| last.id.to_string());
        let tenants = records.into_iter().map(|record| self.wire(record)).collect();
        Ok(Response::new(ListTenantsResponse { tenants, next_page_token }))
    }

    async fn update_tenant(
        &self,
        request: Request<UpdateTenantRequest>,
    ) -> Result<Response<UpdateTenantResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let asked = given(request.tenant.as_ref())?;
        let named = mask::named_fields(request.update_mask.as_ref(), FIELDS, |field| match field {
            "display_name" => !asked.display_name.is_empty(),
            "entitlements" => !asked.entitlements.is_empty(),
            "grants.numbers" => asked.grants.as_ref().is_some_and(|it| !it.numbers.is_empty()),
            "grants.destinations" => asked.grants.as_ref().is_some_and(|it| !it.destinations.is_empty()),
            // An empty message takes the limit away that was the only one at first.
            _ => asked.limits.is_some_and(|it| is_set(field, &it) || it == TenantLimits::default()),
        });
        let (id, named) = fields::all((tenant_id("tenant.tenant_id", &asked.tenant_id), named))?;
        let has = |field| named.contains(&field);
        let (name, granted, limits, (numbers, destinations)) = fields::all((
            has("display_name").then(|| text("tenant.display_name", &asked.display_name)).transpose(),
            has("entitlements").then(|| entitlements(&asked.entitlements)).transpose(),
            limits(asked),
            fields::all((
                has("grants.numbers").then(|| granted_numbers(asked)).transpose(),
                has("grants.destinations").then(|| granted_destinations(asked)).transpose(),
            )),
        ))?;
        let tenant = self.change(&caller, &id, &request.request_id, &request, Change::Updated, |known| {
            let before = known.ok_or_else(|| ApiError::not_found("tenant"))?;
            before.etag.check(&asked.etag, "tenant")?;
            let (new, old) = (limits.rest, before.limits);
            let either = |field, new, old| if has(field) { new } else { old };
            Ok(TenantRecord {
                display_name: name.clone().unwrap_or(before.display_name),
                entitlements: granted.clone().unwrap_or(before.entitlements),
                live_interactions: either(
                    "limits.live_interactions",
                    limits.live_interactions,
                    before.live_interactions,
                ),
                limits: auth::TenantLimits {
                    calls_per_second: either("limits.calls_per_second", new.calls_per_second, old.calls_per_second),
                    changes_per_second: either(
                        "limits.changes_per_second",
                        new.changes_per_second,
                        old.changes_per_second,
                    ),
                    stored_mib: either("limits.stored_mib", new.stored_mib, old.stored_mib),
                },
                grants: Grants {
                    numbers: numbers.clone().unwrap_or(before.grants.numbers),
                    destinations: destinations.clone().unwrap_or(before.grants.destinations),
                },
                ..before
            })
        });
        Ok(Response::new(UpdateTenantResponse { tenant: Some(tenant.await?) }))
    }

    async fn suspend_tenant(
        &self,
        request: Request<SuspendTenantRequest>,
    ) -> Result<Response<SuspendTenantResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let (id, reason) = fields::all((tenant_id("tenant_id", &request.tenant_id), text("reason", &request.reason)))?;
        let tenant = self.change(&caller, &id, &request.request_id, &request, Change::Suspended, |known| {
            let before = known.ok_or_else(|| ApiError::not_found("tenant"))?;
            Ok(TenantRecord { is_suspended: true, suspend_reason: reason.clone(), ..before })
        });
        Ok(Response::new(SuspendTenantResponse { tenant: Some(tenant.await?) }))
    }

    async fn resume_tenant(
        &self,
        request: Request<ResumeTenantRequest>,
    ) -> Result<Response<ResumeTenantResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let id = tenant_id("tenant_id", &request.tenant_id)?;
        let tenant = self.change(&caller, &id, &request.request_id, &request, Change::Resumed, |known| {
            let before = known.ok_or_else(|| ApiError::not_found("tenant"))?;
            Ok(TenantRecord { is_suspended: false, suspend_reason: String::new(), ..before })
        });
        Ok(Response::new(ResumeTenantResponse { tenant: Some(tenant.await?) }))
    }
}

impl TenantApi {
    fn wire(&self, record: TenantRecord) -> Tenant {
        let stored_bytes = self.space.stored(record.id.as_str());
        wire(record, stored_bytes)
    }

    /// Carries a change out once: the record, its event, and what it means for the tenant's policy and tokens. `decide` is given the
    /// tenant as it is, and says how it is to be.
    async fn change(
        &self,
        caller: &Caller,
        id: &TenantId,
        request_id: &str,
        request: &impl Message,
        change: Change,
        decide: impl Fn(Option<TenantRecord>) -> Result<TenantRecord, ApiError>,
    ) -> Result<Tenant, Status> {
        let key = RequestKey::new("", &caller.subject, change.as_str_name(), request_id)?;
        let now_us = self.handler.clock.now_us();
        let decide = &decide;
        let tenant = idempotent(
            &self.handler.db,
            &key,
            request,
            now_us,
            change!(|tx| {
                crate::store::policies::lock(tx, id.as_str()).await?;
                let decided = decide(stored::read_in(tx, id.as_str()).await?)?;
                let record = TenantRecord { etag: Etag::new(ids::new_uuid()), updated_us: now_us, ..decided };
                stored::put(tx, &record).await?;
                policies::grant(tx, caller, &record, now_us).await?;
                announce(tx, caller, &record, change).await?;
                Ok(self.wire(record))
            }),
        )
        .await?;
        // Also for a repeated request: the process may have ended between the first one's commit and this.
        self.handler.tenants.changed(id).await?;
        Ok(tenant)
    }
}

async fn announce(tx: &mut Tx, caller: &Caller, record: &TenantRecord, change: Change) -> Result<(), Status> {
    let changed = TenantChanged {
        change: change.into(),
        entitlements: record.entitlements.clone(),
        live_interactions: record.live_interactions.cast_signed(),
        calls_per_second: record.limits.calls_per_second.cast_signed(),
        changes_per_second: record.limits.changes_per_second.cast_signed(),
        stored_mib: record.limits.stored_mib.cast_signed(),
        granted_numbers: record.grants.numbers.clone(),
        granted_destinations: record.grants.destinations.clone(),
    };
    let (tenant, aggregate) = (record.id.as_str(), format!("tenant/{}", record.id));
    let sequence = outbox::next_sequence(tx, tenant, &aggregate).await?;
    let data = Data::TenantChanged(changed);
    let event = policies::event(caller, (tenant, &aggregate, sequence), "tenant.changed", data, record.updated_us);
    Ok(outbox::append(tx, &[event]).await?)
}

fn given(tenant: Option<&Tenant>) -> Result<&Tenant, ApiError> {
    tenant.ok_or_else(|| ApiError::invalid_argument("tenant", "is missing"))
}

fn tenant_id(field: &str, id: &str) -> Result<TenantId, ApiError> {
    id.parse().map_err(|error: baton_runtime::auth::InvalidTenant| ApiError::invalid_argument(field, error.to_string()))
}

fn text(field: &str, text: &str) -> Result<String, ApiError> {
    if text.chars().count() > MAX_TEXT || baton_api::name::hidden(text).is_some() {
        let why = format!("must have at most {MAX_TEXT} characters, and no control characters or invisible ones");
        return Err(ApiError::invalid_argument(field, why));
    }
    Ok(text.trim().to_owned())
}

/// A tenant's limits: the one that this service keeps, and those that the gates keep.
#[derive(Debug, Clone, Copy)]
struct Limits {
    live_interactions: u32,
    rest: auth::TenantLimits,
}

fn limits(tenant: &Tenant) -> Result<Limits, ApiError> {
    let asked = tenant.limits.unwrap_or_default();
    let limit = |field: &str, limit: i32| {
        let wrong = |_| {
            ApiError::invalid_argument(&format!("tenant.limits.{field}"), "must be 0 (no limit of its own) or more")
        };
        u32::try_from(limit).map_err(wrong)
    };
    let (live_interactions, calls_per_second, changes_per_second, stored_mib) = fields::all((
        limit("live_interactions", asked.live_interactions),
        limit("calls_per_second", asked.calls_per_second),
        limit("changes_per_second", asked.changes_per_second),
        limit("stored_mib", asked.stored_mib),
    ))?;
    Ok(Limits { live_interactions, rest: auth::TenantLimits { calls_per_second, changes_per_second, stored_mib } })
}

fn is_set(field: &str, limits: &TenantLimits) -> bool {
    let limit = match field {
        "limits.live_interactions" => limits.live_interactions,
        "limits.calls_per_second" => limits.calls_per_second,
        "limits.changes_per_second" => limits.changes_per_second,
        _ => limits.stored_mib,
    };
    limit != 0
}

fn granted_numbers(tenant: &Tenant) -> Result<Vec<String>, ApiError> {
    prefixes("tenant.grants.numbers", tenant.grants.as_ref().map_or(&[], |it| &it.numbers))
}

fn granted_destinations(tenant: &Tenant) -> Result<Vec<String>, ApiError> {
    prefixes("tenant.grants.destinations", tenant.grants.as_ref().map_or(&[], |it| &it.destinations))
}

/// How numbers in E.164 begin: `+` for all of them.
fn prefixes(field: &str, asked: &[String]) -> Result<Vec<String>, ApiError> {
    let is_prefix = |text: &String| {
        let digits = text.strip_prefix('+');
        digits.is_some_and(|it| it.len() <= 15 && it.bytes().all(|b| b.is_ascii_digit()) && !it.starts_with('0'))
    };
    if asked.len() > MAX_GRANTS || !asked.iter().all(is_prefix) {
        let why =
            format!("must be at most {MAX_GRANTS} beginnings of E.164 numbers, as +322555; + alone is any number");
        return Err(ApiError::invalid_argument(field, why));
    }
    let mut granted = asked.to_vec();
    granted.sort_unstable();
    granted.dedup();
    Ok(granted)
}

/// A name that no policy asks for is a typo.
fn entitlements(asked: &[String]) -> Result<Vec<String>, ApiError> {
    let field = "tenant.entitlements";
    let is_name =
        |text: &String| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if asked.len() > MAX_ENTITLEMENTS || !asked.iter().all(is_name) {
        let why = format!("must be at most {MAX_ENTITLEMENTS} names of a-z and `_`");
        return Err(ApiError::invalid_argument(field, why));
    }
    let known = policies::known_entitlements();
    if let Some(unknown) = asked.iter().find(|it| !known.contains(*it)) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let why = format!("has `{unknown}`, which no profile asks for; those there are: {known}");
        return Err(ApiError::invalid_argument(field, why));
    }
    let mut granted = asked.to_vec();
    granted.sort_unstable();
    granted.dedup();
    Ok(granted)
}

fn wire(record: TenantRecord, stored_bytes: u64) -> Tenant {
    let state = if record.is_suspended { TenantState::Suspended } else { TenantState::Active };
    Tenant {
        tenant_id: record.id.to_string(),
        display_name: record.display_name,
        entitlements: record.entitlements,
        limits: Some(TenantLimits {
            live_interactions: record.live_interactions.cast_signed(),
            calls_per_second: record.limits.calls_per_second.cast_signed(),
            changes_per_second: record.limits.changes_per_second.cast_signed(),
            stored_mib: record.limits.stored_mib.cast_signed(),
        }),
        state: state.into(),
        suspend_reason: record.suspend_reason,
        grants: Some(TenantGrants { numbers: record.grants.numbers, destinations: record.grants.destinations }),
        etag: record.etag.as_str().to_owned(),
        create_time: Some(words::at(record.created_us)),
        update_time: Some(words::at(record.updated_us)),
        stored_bytes: stored_bytes.cast_signed(),
    }
}
