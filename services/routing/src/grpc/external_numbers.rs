//! The part of `RoutingService` that says to which numbers outside agents can transfer, and what a picker shows of it.

use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::{
    DeleteExternalNumberRequest, DeleteExternalNumberResponse, ExternalNumber, GetExternalNumberRequest,
    GetExternalNumberResponse, ListExternalChoicesRequest, ListExternalChoicesResponse, ListExternalNumbersRequest,
    ListExternalNumbersResponse, UpdateExternalNumberRequest, UpdateExternalNumberResponse,
};
use baton_api::{ApiError, fields, name, page};
use baton_runtime::auth::{Caller, TenantId};
use baton_runtime::ids;
use baton_store::{Etag, Tx, change};
use tonic::Status;
use uuid::Uuid;

use super::RoutingApi;
use super::configuration::{configuration_request, fresh_etag, given, lock};
use crate::page::ConfigurationCursor;
use crate::store::dial_rules;
use crate::store::external_numbers::{self, ExternalNumberRow};
use crate::upsert::Upsert;
use crate::{dial_rule, events, flow, number};

/// Of one tenant: enough for every workshop, branch and partner.
const MOST: usize = 1_000;
/// Characters that a picker searches for.
const MAX_SEARCH: usize = 100;
/// What an update can change.
const FIELDS: &[&str] = &["name", "number", "user_number_forwarding"];
const WHAT: &str = "external number";

/// The fields that are written; the others stay as they are.
#[derive(Debug, Clone)]
struct ExternalNumberChange {
    name: Option<String>,
    number: Option<String>,
    forwarding: Option<bool>,
}

impl ExternalNumberChange {
    /// Reads the named fields of what a client sent.
    fn parse(sent: &ExternalNumber, names: &[&str]) -> Result<Self, ApiError> {
        let has = |field| names.contains(&field);
        let (name, number) = fields::all((
            has("name").then(|| name::parse("external_number.name", &sent.name)).transpose(),
            has("number").then(|| number::parse("external_number.number", &sent.number)).transpose(),
        ))?;
        let forwarding = has("user_number_forwarding").then_some(sent.user_number_forwarding);
        Ok(Self { name, number, forwarding })
    }

    /// What it is like after the change.
    fn of(self, before: &ExternalNumberRow) -> ExternalNumberRow {
        ExternalNumberRow {
            name: self.name.unwrap_or_else(|| before.name.clone()),
            number: self.number.unwrap_or_else(|| before.number.clone()),
            forwarding: self.forwarding.unwrap_or(before.forwarding),
            ..before.clone()
        }
    }
}

impl RoutingApi {
    pub(super) async fn read_external_number(
        &self,
        tenant: &TenantId,
        request: &GetExternalNumberRequest,
    ) -> Result<GetExternalNumberResponse, Status> {
        let id = flow::uuid("external_number_id", &request.external_number_id)?;
        let found = external_numbers::look_up(&mut self.matcher.core.db.read().await?, tenant, id).await?;
        let row = found.ok_or_else(|| ApiError::not_found(WHAT))?;
        Ok(GetExternalNumberResponse { external_number: Some(shown(row)) })
    }

    pub(super) async fn read_external_numbers(
        &self,
        tenant: &TenantId,
        request: &ListExternalNumbersRequest,
    ) -> Result<ListExternalNumbersResponse, Status> {
        let (size, after) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token)))?;
        let mut rows =
            external_numbers::list(&mut self.matcher.core.db.read().await?, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut rows, size, |row| cursor(row).token());
        Ok(ListExternalNumbersResponse { external_numbers: rows.into_iter().map(shown).collect(), next_page_token })
    }

    /// The same for a picker, which searches in names and numbers.
    pub(super) async fn read_external_choices(
        &self,
        tenant: &TenantId,
        request: &ListExternalChoicesRequest,
    ) -> Result<ListExternalChoicesResponse, Status> {
        let too_long = request.search.chars().count() > MAX_SEARCH;
        let search = if too_long {
            Err(ApiError::invalid_argument("search", format!("must be {MAX_SEARCH} characters at most")))
        } else {
            Ok(name::key(&request.search))
        };
        let (size, after, search) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token), search))?;
        let mut reader = self.matcher.core.db.read().await?;
        let mut rows = external_numbers::list(&mut reader, tenant, &after, MOST).await?;
        rows.retain(|row| name::key(&row.name).contains(&search) || row.number.contains(&search));
        let next_page_token = page::cut(&mut rows, size, |row| cursor(row).token());
        let rules = dial_rules::list(&mut reader, tenant, "", dial_rule::MOST as usize).await?;
        drop(reader);
        let grants = self.matcher.core.admitted.grants(tenant);
        let is_refused = |row: &&ExternalNumberRow| dial_rule::permitted(&rules, &row.number, tenant, &grants).is_err();
        let refused_ids = rows.iter().filter(is_refused).map(|row| row.external_number_id.to_string()).collect();
        let external_numbers = rows.into_iter().map(shown).collect();
        Ok(ListExternalChoicesResponse { external_numbers, next_page_token, refused_ids })
    }

    pub(super) async fn change_external_number(
        &self,
        caller: &Caller,
        request: &UpdateExternalNumberRequest,
    ) -> Result<UpdateExternalNumberResponse, Status> {
        let tenant = caller.tenant()?;
        let sent = given(request.external_number.as_ref(), "external_number")?;
        let asked = (request.update_mask.as_ref(), request.allow_missing);
        let (id, upsert) = fields::all((
            updated_id(&sent.external_number_id, request.allow_missing),
            Upsert::parse(asked, FIELDS, |field| is_set(sent, field), |names| ExternalNumberChange::parse(sent, names)),
        ))?;
        let change = configuration_request(caller, "UpdateExternalNumber", &request.request_id, request);
        let upsert = &upsert;
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let before = external_numbers::get(tx, tenant, id).await?;
                let change = match &before {
                    Some(_) => upsert.change(),
                    None => upsert.creation(WHAT)?,
                };
                let is_new = before.is_none();
                let before = before.unwrap_or_else(|| missing(id));
                before.etag.check(&sent.etag, WHAT)?;
                let row = change.of(&before);
                if row == before {
                    return Ok(UpdateExternalNumberResponse { external_number: Some(shown(before)) });
                }
                if is_new {
                    refuse_more(tx, tenant).await?;
                }
                if row.name != before.name {
                    let alike = external_numbers::alike(tx, tenant, id, &row.name).await?;
                    name::EXTERNAL_NUMBER.refuse_twin(&row.name, &alike)?;
                }
                let row = ExternalNumberRow { etag: fresh_etag(), ..row };
                external_numbers::put(tx, tenant, &row).await?;
                let own = shown(row);
                let change = events::update_of(!is_new);
                self.changed(tx, caller, change, Configuration::ExternalNumber(own.clone())).await?;
                Ok(UpdateExternalNumberResponse { external_number: Some(own) })
            }),
        )
        .await
    }

    pub(super) async fn remove_external_number(
        &self,
        caller: &Caller,
        request: &DeleteExternalNumberRequest,
    ) -> Result<DeleteExternalNumberResponse, Status> {
        let tenant = caller.tenant()?;
        let id = flow::uuid("external_number_id", &request.external_number_id)?;
        let change = configuration_request(caller, "DeleteExternalNumber", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let row = external_numbers::get(tx, tenant, id).await?.ok_or_else(|| ApiError::not_found(WHAT))?;
                external_numbers::delete(tx, tenant, id).await?;
                self.changed(tx, caller, Change::Deleted, Configuration::ExternalNumber(shown(row))).await?;
                Ok(DeleteExternalNumberResponse {})
            }),
        )
        .await
    }
}

async fn refuse_more(tx: &mut Tx, tenant: &TenantId) -> Result<(), Status> {
    if external_numbers::count(tx, tenant).await? < MOST as i64 {
        return Ok(());
    }
    let message = format!("There are {MOST} external numbers, as many as there may be. Delete one first.");
    Err(ApiError::resource_exhausted(message).without_retry().into())
}

fn missing(id: Uuid) -> ExternalNumberRow {
    ExternalNumberRow {
        external_number_id: id,
        name: String::new(),
        number: String::new(),
        forwarding: false,
        etag: Etag::default(),
    }
}

/// The id that an update is of. One that may be created needs none.
fn updated_id(text: &str, allow_missing: bool) -> Result<Uuid, ApiError> {
    match text {
        "" if allow_missing => Ok(ids::new_uuid()),
        "" => {
            let why = "must be a UUID; may be empty with allow_missing alone, for a new external number";
            Err(ApiError::invalid_argument("external_number.external_number_id", why))
        }
        text => flow::uuid("external_number.external_number_id", text),
    }
}

/// Whether a client has filled in this field.
fn is_set(sent: &ExternalNumber, field: &str) -> bool {
    match field {
        "name" => !sent.name.is_empty(),
        "number" => !sent.number.is_empty(),
        _ => sent.user_number_forwarding,
    }
}

fn cursor(row: &ExternalNumberRow) -> ConfigurationCursor {
    ConfigurationCursor { key: name::key(&row.name), id: row.external_number_id }
}

/// As clients see it.
pub(super) fn shown(row: ExternalNumberRow) -> ExternalNumber {
    ExternalNumber {
        external_number_id: row.external_number_id.to_string(),
        name: row.name,
        number: row.number,
        user_number_forwarding: row.forwarding,
        etag: row.etag.as_str().to_owned(),
    }
}
