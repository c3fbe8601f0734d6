//! The part of `RoutingService` that says which numbers there are.

use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::{
    DeleteNumberRequest, DeleteNumberResponse, GetNumberRequest, GetNumberResponse, ListNumbersRequest,
    ListNumbersResponse, Number, UpdateNumberRequest, UpdateNumberResponse,
};
use baton_api::{ApiError, fields, page};
use baton_runtime::auth::{Caller, TenantId};
use baton_store::{Etag, Tx, change};
use tonic::Status;
use uuid::Uuid;

use super::RoutingApi;
use super::configuration::{configuration_request, fresh_etag, given, lock};
use crate::events;
use crate::page::ConfigurationCursor;
use crate::store::flows;
use crate::store::numbers::{self, NumberRow};
use crate::upsert::Upsert;
use crate::{flow, number};

/// What an update can change.
const FIELDS: &[&str] = &["call_flow_id"];

/// What is written of a number.
#[derive(Clone, Copy)]
enum NumberChange {
    /// Its call flow stays.
    Nothing,
    /// It gets this call flow, or none.
    CallFlow(Option<Uuid>),
}

impl NumberChange {
    /// The call flow after the change.
    fn of(self, before: Option<Uuid>) -> Option<Uuid> {
        match self {
            Self::Nothing => before,
            Self::CallFlow(id) => id,
        }
    }
}

impl RoutingApi {
    pub(super) async fn read_number(
        &self,
        tenant: &TenantId,
        request: &GetNumberRequest,
    ) -> Result<GetNumberResponse, Status> {
        let number = &number::parse_entry("number", &request.number)?;
        let found = numbers::look_up(&mut self.matcher.core.db.read().await?, tenant, number).await?;
        let row = found.ok_or_else(|| ApiError::not_found("number"))?;
        Ok(GetNumberResponse { number: Some(shown(row)) })
    }

    pub(super) async fn read_numbers(
        &self,
        tenant: &TenantId,
        request: &ListNumbersRequest,
    ) -> Result<ListNumbersResponse, Status> {
        let (size, after) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token)))?;
        let mut rows = numbers::list(&mut self.matcher.core.db.read().await?, tenant, &after.key, size + 1).await?;
        let next_page_token = page::cut(&mut rows, size, |row| ConfigurationCursor::of_key(&row.number).token());
        Ok(ListNumbersResponse { numbers: rows.into_iter().map(shown).collect(), next_page_token })
    }

    pub(super) async fn change_number(
        &self,
        caller: &Caller,
        request: &UpdateNumberRequest,
    ) -> Result<UpdateNumberResponse, Status> {
        let tenant = caller.tenant()?;
        let sent = given(request.number.as_ref(), "number")?;
        let (number, upsert) =
            fields::all((number::parse_entry("number.number", &sent.number), upsert(sent, request)))?;
        let change = configuration_request(caller, "UpdateNumber", &request.request_id, request);
        let (number, upsert) = (&number, &upsert);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let before = numbers::get(tx, tenant, number).await?;
                let (change, before) = match before {
                    Some(row) => (upsert.change(), row),
                    None => (
                        upsert.creation("number")?,
                        NumberRow { number: number.clone(), call_flow_id: None, etag: Etag::default() },
                    ),
                };
                before.etag.check(&sent.etag, "number")?;
                let call_flow_id = change.of(before.call_flow_id);
                let is_new = before.etag == Etag::default();
                if call_flow_id == before.call_flow_id && !is_new {
                    return Ok(UpdateNumberResponse { number: Some(shown(before)) });
                }
                let is_chat = number::is_chat(&before.number);
                if !is_chat && !self.matcher.core.admitted.grants(tenant).has_number(&before.number) {
                    return Err(number::not_granted(tenant).into());
                }
                if is_new && !is_chat && numbers::is_anothers(tx, tenant, &before.number).await? {
                    let message = "Another tenant of this Baton has the number; its operator knows whose it is.";
                    return Err(ApiError::already_exists("number", message).into());
                }
                check_flow(tx, tenant, call_flow_id).await?;
                let row = NumberRow { call_flow_id, etag: fresh_etag(), ..before };
                numbers::put(tx, tenant, &row).await?;
                let number = shown(row);
                self.changed(tx, caller, events::update_of(!is_new), Configuration::Number(number.clone())).await?;
                Ok(UpdateNumberResponse { number: Some(number) })
            }),
        )
        .await
    }

    pub(super) async fn remove_number(
        &self,
        caller: &Caller,
        request: &DeleteNumberRequest,
    ) -> Result<DeleteNumberResponse, Status> {
        let tenant = caller.tenant()?;
        let number = &number::parse_entry("number", &request.number)?;
        let change = configuration_request(caller, "DeleteNumber", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let row = numbers::get(tx, tenant, number).await?.ok_or_else(|| ApiError::not_found("number"))?;
                numbers::delete(tx, tenant, number).await?;
                self.changed(tx, caller, Change::Deleted, Configuration::Number(shown(row))).await?;
                Ok(DeleteNumberResponse {})
            }),
        )
        .await
    }
}

fn upsert(sent: &Number, request: &UpdateNumberRequest) -> Result<Upsert<NumberChange>, ApiError> {
    let asked = (request.update_mask.as_ref(), request.allow_missing);
    let is_set = |_: &str| !sent.call_flow_id.is_empty();
    Upsert::parse(asked, FIELDS, is_set, |names| match names {
        [] => Ok(NumberChange::Nothing),
        _ => flow_id(&sent.call_flow_id).map(NumberChange::CallFlow),
    })
}

fn flow_id(text: &str) -> Result<Option<Uuid>, ApiError> {
    let given = Some(text).filter(|it| !it.is_empty());
    given.map(|it| flow::uuid("number.call_flow_id", it)).transpose()
}

async fn check_flow(tx: &mut Tx, tenant: &TenantId, id: Option<Uuid>) -> Result<(), Status> {
    if let Some(id) = id
        && !flows::exists(tx, tenant, id).await?
    {
        let why = "there is no such call flow; create it first";
        return Err(ApiError::invalid_argument("number.call_flow_id", why).into());
    }
    Ok(())
}

fn shown(row: NumberRow) -> Number {
    let call_flow_id = row.call_flow_id.map(|it| it.to_string()).unwrap_or_default();
    Number { number: row.number, call_flow_id, etag: row.etag.as_str().to_owned() }
}
