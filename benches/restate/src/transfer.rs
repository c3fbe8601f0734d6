//! The job: eight durable steps and two signals from outside, as one workflow a transfer. A step does nothing but return the state after it,
//! which Restate keeps: what is measured is what durability costs.

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// What a step leaves: less than 1 KB of JSON.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) interaction_id: String,
    pub(crate) version: u32,
    pub(crate) phase: String,
    pub(crate) parties: Vec<Party>,
    pub(crate) note: String,
}

/// Who is in the call, and where.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Party {
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) muted: bool,
}

impl State {
    /// Before the first step.
    pub(crate) fn new(interaction_id: &str) -> Self {
        let party = |who: &str| Party {
            id: format!("{who}-{interaction_id}"),
            channel: format!("channel-of-{who}-{interaction_id}"),
            muted: false,
        };
        Self {
            interaction_id: interaction_id.to_owned(),
            version: 0,
            phase: "started".to_owned(),
            parties: ["customer", "giver", "taker"].map(party).into(),
            note: "The customer asks for a refund of the second order. ".repeat(8),
        }
    }

    fn after(mut self, phase: &str) -> Self {
        self.version += 1;
        phase.clone_into(&mut self.phase);
        self
    }
}

/// One durable step: Restate has it on disk before the next begins.
macro_rules! step {
    ($ctx:expr, $state:expr, $phase:literal) => {{
        let next = $state.after($phase);
        $ctx.run(|| async move { Ok(Json(next)) }).name($phase).await?.into_inner()
    }};
}

/// A workflow's key is the interaction that is handed over.
pub(crate) struct Transfer;

#[restate_sdk::workflow]
impl Transfer {
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>, state: Json<State>) -> Result<Json<State>, HandlerError> {
        let state = step!(ctx, state.into_inner(), "taker_reserved");
        let state = step!(ctx, state, "customer_on_hold");
        let state = step!(ctx, state, "taker_ringing");
        ctx.resolve_promise("rings", ());
        ctx.promise::<()>("answered").await?;
        let state = step!(ctx, state, "taker_answered");
        let state = step!(ctx, state, "consulting");
        let state = step!(ctx, state, "customer_resumed");
        ctx.promise::<()>("left").await?;
        let state = step!(ctx, state, "giver_left");
        let state = step!(ctx, state, "completed");
        Ok(Json(state))
    }

    /// Returns when the taker's phone rings: what the client waits for before it sends the first signal.
    #[handler]
    async fn rings(&self, ctx: SharedWorkflowContext<'_>) -> Result<(), HandlerError> {
        Ok(ctx.promise::<()>("rings").await?)
    }

    #[handler]
    async fn agent_answered(&self, ctx: SharedWorkflowContext<'_>) -> Result<(), HandlerError> {
        ctx.resolve_promise("answered", ());
        Ok(())
    }

    #[handler]
    async fn giver_leaves(&self, ctx: SharedWorkflowContext<'_>) -> Result<(), HandlerError> {
        ctx.resolve_promise("left", ());
        Ok(())
    }
}
