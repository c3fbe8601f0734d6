//! The part of `RoutingService` that says what may be dialled.

use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::{
    DeleteDialRuleRequest, DeleteDialRuleResponse, DialRule, GetDialRuleRequest, GetDialRuleResponse,
    ListDialRulesRequest, ListDialRulesResponse, UpdateDialRuleRequest, UpdateDialRuleResponse,
};
use baton_api::{ApiError, fields, mask, page};
use baton_runtime::auth::{Caller, TenantId};
use baton_store::{Etag, Tx, change};
use tonic::Status;

use super::RoutingApi;
use super::configuration::{configuration_request, fresh_etag, given, lock};
use crate::dial_rule;
use crate::page::ConfigurationCursor;
use crate::store::dial_rules::{self, DialRuleRow};

/// What an update can change: a rule is its prefix, and that is its name.
const FIELDS: &[&str] = &[];

impl RoutingApi {
    pub(super) async fn read_rule(
        &self,
        tenant: &TenantId,
        request: &GetDialRuleRequest,
    ) -> Result<GetDialRuleResponse, Status> {
        let prefix = &dial_rule::prefix("prefix", &request.prefix)?;
        let found = dial_rules::look_up(&mut self.matcher.core.db.read().await?, tenant, prefix).await?;
        let row = found.ok_or_else(|| ApiError::not_found("dial rule"))?;
        Ok(GetDialRuleResponse { rule: Some(shown(row)) })
    }

    pub(super) async fn read_rules(
        &self,
        tenant: &TenantId,
        request: &ListDialRulesRequest,
    ) -> Result<ListDialRulesResponse, Status> {
        let (size, after) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token)))?;
        let mut rows = dial_rules::list(&mut self.matcher.core.db.read().await?, tenant, &after.key, size + 1).await?;
        let next_page_token = page::cut(&mut rows, size, |row| ConfigurationCursor::of_key(&row.prefix).token());
        Ok(ListDialRulesResponse { rules: rows.into_iter().map(shown).collect(), next_page_token })
    }

    pub(super) async fn change_rule(
        &self,
        caller: &Caller,
        request: &UpdateDialRuleRequest,
    ) -> Result<UpdateDialRuleResponse, Status> {
        let tenant = caller.tenant()?;
        let sent = given(request.rule.as_ref(), "rule")?;
        let (prefix, _) = fields::all((
            dial_rule::prefix("rule.prefix", &sent.prefix),
            mask::named_fields_if_any(request.update_mask.as_ref(), FIELDS, |_| false),
        ))?;
        let prefix = &prefix;
        let change = configuration_request(caller, "UpdateDialRule", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let row = match dial_rules::get(tx, tenant, prefix).await? {
                    Some(row) => {
                        row.etag.check(&sent.etag, "dial rule")?;
                        row
                    }
                    None if request.allow_missing => {
                        if !self.matcher.core.admitted.grants(tenant).has_destination(prefix) {
                            return Err(dial_rule::not_granted(tenant).into());
                        }
                        Etag::default().check(&sent.etag, "dial rule")?;
                        let row = create(tx, tenant, prefix.clone()).await?;
                        let rule = Configuration::DialRule(shown(row.clone()));
                        self.changed(tx, caller, Change::Created, rule).await?;
                        row
                    }
                    None => return Err(ApiError::not_found("dial rule").into()),
                };
                Ok(UpdateDialRuleResponse { rule: Some(shown(row)) })
            }),
        )
        .await
    }

    pub(super) async fn remove_rule(
        &self,
        caller: &Caller,
        request: &DeleteDialRuleRequest,
    ) -> Result<DeleteDialRuleResponse, Status> {
        let tenant = caller.tenant()?;
        let prefix = &dial_rule::prefix("prefix", &request.prefix)?;
        let change = configuration_request(caller, "DeleteDialRule", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let row = dial_rules::get(tx, tenant, prefix).await?.ok_or_else(|| ApiError::not_found("dial rule"))?;
                dial_rules::delete(tx, tenant, prefix).await?;
                self.changed(tx, caller, Change::Deleted, Configuration::DialRule(shown(row))).await?;
                Ok(DeleteDialRuleResponse {})
            }),
        )
        .await
    }
}

async fn create(tx: &mut Tx, tenant: &TenantId, prefix: String) -> Result<DialRuleRow, Status> {
    if dial_rules::count(tx, tenant).await? >= dial_rule::MOST {
        let message = format!("There are {} rules, as many as there may be. Delete one first.", dial_rule::MOST);
        return Err(ApiError::resource_exhausted(message).without_retry().into());
    }
    let row = DialRuleRow { prefix, etag: fresh_etag() };
    dial_rules::insert(tx, tenant, &row).await?;
    Ok(row)
}

fn shown(row: DialRuleRow) -> DialRule {
    DialRule { prefix: row.prefix, etag: row.etag.as_str().to_owned() }
}
