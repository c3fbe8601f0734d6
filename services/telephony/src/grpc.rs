//! `TelephonyService`, through which plans come in.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::telephony::v1::telephony_service_server::TelephonyService;
use baton_api::telephony::v1::{ApplyPlanRequest, ApplyPlanResponse, ComparePlansRequest, ComparePlansResponse};
use baton_follow::compare;
use tonic::{Request, Response, Status};

use crate::plan_acceptor::{ApplyError, PlanAcceptor};

#[derive(Clone)]
pub struct TelephonyApi {
    plan_acceptor: Arc<PlanAcceptor>,
}

impl TelephonyApi {
    pub(crate) fn new(plan_acceptor: Arc<PlanAcceptor>) -> Self {
        Self { plan_acceptor }
    }
}

#[tonic::async_trait]
impl TelephonyService for TelephonyApi {
    async fn compare_plans(
        &self,
        request: Request<ComparePlansRequest>,
    ) -> Result<Response<ComparePlansResponse>, Status> {
        let asked = &request.get_ref().versions;
        compare::check(asked)?;
        let lacking = self.plan_acceptor.lacking(asked).await.map_err(ApplyError::from).map_err(ApiError::from)?;
        Ok(Response::new(ComparePlansResponse { lacking_interaction_ids: lacking }))
    }

    async fn apply_plan(&self, request: Request<ApplyPlanRequest>) -> Result<Response<ApplyPlanResponse>, Status> {
        let plan = request.into_inner().plan.ok_or_else(|| ApiError::invalid_argument("plan", "must be given"))?;
        match self.plan_acceptor.apply(&plan).await {
            Ok(()) => Ok(Response::new(ApplyPlanResponse {})),
            Err(error) => {
                if let ApplyError::Persist(source) = &error {
                    tracing::error!(interaction.id = %plan.interaction_id, error = %source, "a plan can't be kept");
                }
                Err(ApiError::from(error).into())
            }
        }
    }
}
