//! What can be chosen when an interaction is handed over: by the policy under which it began, and by what the agent chose the last time.

use super::{TransferApi, outside, parse};
use crate::{
    convert::words::{at, kind, refusal_reason, target},
    live::Live,
    store::transfers,
};
use baton_api::{
    common::v1::TargetSort,
    transfer::v1::{GetTransferOptionsRequest, GetTransferOptionsResponse, LastChoice, TransferOption},
};
use baton_domain::{
    Action, Actor, Target,
    permit::permit,
    policy::{Method, WhenBusy},
    project::TransferRecord,
};
use baton_runtime::auth::Caller;
use baton_words::{AgentId, TransferKind};
use std::sync::Arc;
use tonic::Status;

impl TransferApi {
    pub(super) async fn options(
        &self,
        caller: &Caller,
        request: &GetTransferOptionsRequest,
    ) -> Result<GetTransferOptionsResponse, Status> {
        let (live, actor) = self.chooser(caller, &request.interaction_id, &request.for_agent_id).await?;
        let house = &live.policy.interaction;
        let last = self.last_choice(&live, &actor).await?;
        Ok(GetTransferOptionsResponse {
            options: live.policy.methods.iter().map(|(kind, method)| option(&live, &actor, *kind, method)).collect(),
            outcomes: house.outcomes.iter().map(ToString::to_string).collect(),
            dispositions: house.dispositions.iter().map(ToString::to_string).collect(),
            last_choice: last.map(|last| last_choice(&live, &last)),
            kept_message: actor.agent().map(|agent| kept_message(&live, agent)).unwrap_or_default(),
        })
    }

    /// The interaction, if the caller may see it, and as whom they would hand it over.
    pub(super) async fn chooser(
        &self,
        caller: &Caller,
        id: &str,
        for_agent_id: &str,
    ) -> Result<(Arc<Live>, Actor), Status> {
        let actor = parse::actor(caller, for_agent_id)?;
        Ok((self.handler.visible(caller, id).await?, actor))
    }

    /// What the agent chose the last time, in whatever interaction.
    pub(super) async fn last_choice(&self, live: &Live, actor: &Actor) -> Result<Option<TransferRecord>, Status> {
        match actor.agent() {
            Some(agent) => Ok(transfers::last_of(&self.handler.db, &live.tenant, agent).await?),
            None => Ok(None),
        }
    }
}

fn option(live: &Live, actor: &Actor, own: TransferKind, method: &Method) -> TransferOption {
    let refusal = permit(&live.state, &live.policy, actor, Action::Start(own)).err();
    TransferOption {
        kind: kind(own),
        target_sorts: method.offer.sorts(live.medium).map(|sort| TargetSort::from(sort).into()).collect(),
        needs_outcome: method.needs_outcome,
        needs_message: method.needs_message,
        waits_if_busy: method.offer.when_busy == WhenBusy::Wait,
        refusal: refusal.map(refusal_reason).unwrap_or_default().into(),
        outside: outside::option(live, own, method),
    }
}

/// What the agent wrote with their last transfer of this interaction, unless it reached somebody (B308).
fn kept_message(live: &Live, agent: AgentId) -> String {
    let last = live.journey.iter().rev().find_map(|hop| Some((hop.by.as_ref()?, hop.outcome)));
    let kept = last.filter(|(by, outcome)| by.from == agent && !outcome.reached());
    kept.map(|(by, _)| by.message.to_string()).unwrap_or_default()
}

/// An outcome that the policy does not list any more is not offered again.
fn last_choice(live: &Live, last: &TransferRecord) -> LastChoice {
    let name = match &last.target {
        Target::Agent(agent) => &agent.name,
        Target::Team { name, .. } => name,
        Target::Queue(queue) => &queue.name,
        Target::External(own) => &outside::name(own),
        Target::IvrFlow(flow) => &flow.name,
    };
    let listed = live.policy.interaction.outcomes.contains(&last.outcome);
    LastChoice {
        target: Some(target(&last.target)),
        name: name.to_string(),
        kind: kind(last.kind),
        outcome: if listed { last.outcome.to_string() } else { String::new() },
        choose_time: Some(at(last.started_at_us)),
    }
}
