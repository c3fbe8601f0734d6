//! The job: eight durable steps and two signals from outside, in the two ways that a user of Restate may write it. A step does nothing but return
//! the state after it, which Restate keeps: what is measured is what durability costs.

use crate::phones::{Awakeables, Phones};
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

/// With durable promises: a workflow whose key is the interaction that is handed over, and whose other handlers take the signals.
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

/// With awakeables: the phone has the name of what to resolve, so that a signal is no invocation of its own.
pub(crate) struct CalledBack {
    pub(crate) phones: Phones,
}

#[restate_sdk::service]
impl CalledBack {
    #[handler]
    async fn run(&self, ctx: Context<'_>, state: Json<State>) -> Result<Json<State>, HandlerError> {
        let state = step!(ctx, state.into_inner(), "taker_reserved");
        let state = step!(ctx, state, "customer_on_hold");
        let ((answered_id, answered), (left_id, left)) = (ctx.awakeable::<()>(), ctx.awakeable::<()>());
        let ringing = state.after("taker_ringing");
        let call_back = Awakeables { answered: answered_id, left: left_id };
        let ring = || async move {
            self.phones.ring(&ringing.interaction_id, &call_back);
            Ok(Json(ringing))
        };
        let state = ctx.run(ring).name("taker_ringing").await?.into_inner();
        answered.await?;
        let state = step!(ctx, state, "taker_answered");
        let state = step!(ctx, state, "consulting");
        let state = step!(ctx, state, "customer_resumed");
        left.await?;
        let state = step!(ctx, state, "giver_left");
        let state = step!(ctx, state, "completed");
        Ok(Json(state))
    }
}
