//! What a party is told that it may do.

use crate::{
    happening::{Happening, actors, command_of},
    invariants::{Checked, ensure},
    model::Proof,
    rules::transfer::phase_rules,
    timers,
    transitions::Transition,
    world::{World, agent, number_of},
};
use baton_domain::{
    Action, ActionSet, Actor, Input,
    interaction::{Party, Stage},
    permit,
};
use baton_words::TransferNo;

/// A deadline that is further away is no way out of a hold or a queue.
const SOON_US: i64 = 3_600_000_000;

pub(crate) fn nobody_is_stuck(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let apart = i.held() || i.transfer.is_some() || matches!(i.stage, Stage::Seeking(_));
    let soon = || timers::armed(i, &proof.policy).iter().any(|at_us| at_us - world.now_us <= SOON_US);
    if !apart || soon() {
        return Ok(());
    }
    let ways_out = [Action::Resume, Action::Cancel, Action::Complete, Action::End];
    let may = |party: &Party| {
        party.agent_id().is_some_and(|agent| {
            let allowed = permit::allowed(i, &proof.policy, &Actor::Agent(agent));
            ways_out.iter().any(|way| allowed.contains(*way))
        })
    };
    ensure(i.agents().any(may), || {
        "nobody who is there may do anything about it, nor will a deadline within an hour".to_owned()
    })
}

pub(crate) fn others_are_refused(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let mut trial = i.clone();
    let open = i.transfer.as_ref().map(|transfer| transfer.no);
    let another = TransferNo(i.counters.transfer + 1);
    let everybody = actors(&proof.bound).chain([Actor::External, Actor::Agent(agent(u8::MAX - 1).id)]);
    for actor in everybody {
        let shown = permit::allowed(i, &proof.policy, &actor);
        for action in Action::ALL.into_iter().filter(|action| !shown.contains(*action)) {
            let input = Input::Command(actor.clone(), command_of(&proof.policy, action, open));
            let refused = baton_domain::react(&mut trial, &proof.policy, input, world.now_us).is_err();
            ensure(refused, || format!("{actor:?} may {action} without being told"))?;
        }
        for action in [Action::Cancel, Action::Complete, Action::Decline, Action::Accept]
            .into_iter()
            .filter(|it| shown.contains(*it))
        {
            let input = Input::Command(actor.clone(), command_of(&proof.policy, action, Some(another)));
            let refused = baton_domain::react(&mut trial, &proof.policy, input, world.now_us).is_err();
            ensure(refused, || format!("to {action} hits another transfer than is meant"))?;
        }
    }
    ensure(trial == *i, || "a refusal has changed something".to_owned())
}

/// What a policy permits by phase.
const BY_PHASE: [Action; 5] = [Action::Hold, Action::Resume, Action::Cancel, Action::Complete, Action::Swap];

pub(crate) fn as_the_policy_says(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let Some(transfer) = &i.transfer else { return Ok(()) };
    let Some(method) = proof.policy.method(transfer.kind) else { return Ok(()) };
    let rules = phase_rules(transfer, method);
    for party in i.agents() {
        let Some(agent) = party.agent_id() else { continue };
        let shown = permit::allowed(i, &proof.policy, &Actor::Agent(agent));
        let starts = shown.iter().any(|action| matches!(action, Action::Start(_)));
        ensure(!starts, || "a transfer may be started although one is open".to_owned())?;
        let Some(rules) = rules else { continue };
        let may = if agent == transfer.initiator.id {
            rules.initiator_may
        } else if transfer.recipient() == Some(party.no) {
            rules.recipient_may
        } else {
            ActionSet::default()
        };
        let too_much = BY_PHASE.into_iter().find(|action| shown.contains(*action) && !may.contains(*action));
        ensure(too_much.is_none(), || format!("agent {} may do what the policy does not permit", number_of(agent)))?;
    }
    Ok(())
}

pub(crate) fn buttons_do_not_lie(step: &Transition<'_>) -> bool {
    step.changed() || !matches!(step.happening, Happening::Input(Input::Command(..)))
}
