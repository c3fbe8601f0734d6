//! The part of `RoutingService` that says what may be dialled.

use baton_api::ApiError;
use baton_api::routing::v1::{
    DeleteDialRuleRequest, DeleteDialRuleResponse, DialRule, ListDialRulesResponse, PutDialRuleRequest,
    PutDialRuleResponse,
};
use baton_runtime::auth::Caller;
use tonic::Status;

use super::RoutingApi;
use super::configuration::{configuration_request, missing};
use crate::dial_rule;
use crate::store::dial_rules;

impl RoutingApi {
    pub(super) async fn put_rule(
        &self,
        caller: &Caller,
        request: PutDialRuleRequest,
    ) -> Result<PutDialRuleResponse, Status> {
        let tenant = caller.tenant()?;
        let rule = request.rule.as_ref().ok_or_else(|| missing("rule"))?;
        let prefix = dial_rule::prefix("rule.prefix", &rule.prefix)?;
        let change = configuration_request(caller, "PutDialRule", &request.request_id, &request);
        self.change_once(change, async |tx| {
            dial_rules::put(tx, tenant, &prefix).await?;
            if dial_rules::count(tx, tenant).await? > dial_rule::MOST {
                let message =
                    format!("There are {} rules, as many as there may be. Delete one first.", dial_rule::MOST);
                return Err(ApiError::resource_exhausted(message).without_retry().into());
            }
            Ok(PutDialRuleResponse { rule: Some(DialRule { prefix }) })
        })
        .await
    }

    pub(super) async fn list_rules(&self, caller: &Caller) -> Result<ListDialRulesResponse, Status> {
        let tenant = caller.tenant()?;
        let prefixes = dial_rules::list(&mut self.matcher.core.db.read().await?, tenant).await?;
        Ok(ListDialRulesResponse { rules: prefixes.into_iter().map(|prefix| DialRule { prefix }).collect() })
    }

    pub(super) async fn delete_rule(
        &self,
        caller: &Caller,
        request: DeleteDialRuleRequest,
    ) -> Result<DeleteDialRuleResponse, Status> {
        let tenant = caller.tenant()?;
        let prefix = dial_rule::prefix("prefix", &request.prefix)?;
        let change = configuration_request(caller, "DeleteDialRule", &request.request_id, &request);
        self.change_once(change, async |tx| {
            if !dial_rules::delete(tx, tenant, &prefix).await? {
                return Err(ApiError::not_found("dial rule").into());
            }
            Ok(DeleteDialRuleResponse {})
        })
        .await
    }
}
