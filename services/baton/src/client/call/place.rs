//! Placing calls: a customer calls, or an agent calls a customer.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::{Customer, Reason};
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{ListHeardRequest, PlaceCallRequest};
use baton_api::telephone;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{
    self as transfer, Interaction, ListInteractionsRequest, WatchInteractionRequest, interaction, party,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;

use super::{INTERACTION, print_changed};
use crate::client::refusal::{self, OrRefusal};
use crate::client::session::ClientSession;
use crate::client::{number, resolve, view, word};
use crate::failure::{KnownFailure, UsageError};

/// Transfer knows the call when the switch's event has reached it.
const INTERACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// An unavailable agent is refused with the claim.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// A dialled phone counts as ringing until the switch reports it busy.
const BUSY_TIMEOUT: Duration = Duration::from_millis(300);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Calls as a customer.
pub(super) async fn place_call(session: &ClientSession, from: String, to: Option<String>) -> anyhow::Result<()> {
    let to = match to {
        Some(to) => to,
        None => number::first(session).await?,
    };
    let before = latest(session).await?.into_iter().map(|it| it.interaction_id).collect();
    let request = PlaceCallRequest { request_id: session.request_id(), from: from.clone(), to: to.clone(), tone_hz: 0 };
    let leg_id =
        SimulatorServiceClient::new(session.simulator_channel()?).place_call(request).await.or_refusal()?.leg_id;
    let placed = PlacedLeg { from, to: to.clone(), leg_id, before };
    let found = session.clock.timeout(INTERACTION_TIMEOUT, await_interaction(session, &placed)).await;
    let Ok(found) = found else {
        anyhow::bail!("the phone rings, but no call came of it; is {to} one of the tenant's numbers?")
    };
    let call = match found? {
        Some(call) if refused(&call).is_none() => call,
        Some(call) if number::has_flow(session, &to).await? => return Err(ended_by_flow(&call).into()),
        _ => return Err(disconnected(&to).into()),
    };
    let names = resolve::names(session).await?;
    // The call was read on the lookup channel.
    let who = if session.can_mint_tokens() { "a supervisor".to_owned() } else { session.acting_name("", &names) };
    session.out.one(INTERACTION, &call, |it| view::summary(it, &names, &who))
}

fn ended_by_flow(call: &Interaction) -> KnownFailure {
    let (id, why) = (word::short(&call.interaction_id), word::or_dash(word::reason(call.end_reason)));
    KnownFailure::not_now(format!(
        "the call came in, and its call flow ended it at once ({why})\n  `baton call explain {id}` tells what happened."
    ))
}

fn disconnected(to: &str) -> KnownFailure {
    KnownFailure::not_now(format!(
        "the call was disconnected at once; {to} may be none of the tenant's numbers, or have no call flow, or the tenant takes no calls now\n  `baton number list` lists the numbers, `baton number set {to} --flow NAME` gives one a call flow, and `baton events list` says why a call was refused."
    ))
}

/// A customer's leg, and the ids of the calls that were there before it.
struct PlacedLeg {
    from: String,
    to: String,
    leg_id: String,
    before: BTreeSet<String>,
}

/// The leg's interaction, which may be over already; `None` if the leg is, and had none. It has no agent yet, so it is read on the
/// lookup channel.
async fn await_interaction(session: &ClientSession, placed: &PlacedLeg) -> anyhow::Result<Option<Interaction>> {
    loop {
        if let Some(call) =
            find_by_leg(resolve::interactions_on(session.lookup_channel()?, true).await?, &placed.leg_id)
        {
            return Ok(Some(call));
        }
        // The call is over before its leg is, so it is among the latest when the leg is gone.
        let is_gone = is_gone(session, placed).await?;
        let dropped = latest(session).await?.into_iter().find(|it| was_dropped(it, placed));
        if dropped.is_some() || is_gone {
            return Ok(dropped);
        }
        session.clock.sleep(POLL_INTERVAL).await;
    }
}

/// The first page of calls, newest first, with ended ones.
async fn latest(session: &ClientSession) -> anyhow::Result<Vec<Interaction>> {
    let mut client = InteractionServiceClient::new(session.lookup_channel()?);
    Ok(client.list_interactions(ListInteractionsRequest::default()).await.or_refusal()?.interactions)
}

/// An ended call has no legs any more, so its numbers must do.
fn was_dropped(call: &Interaction, placed: &PlacedLeg) -> bool {
    let is_new = !placed.before.contains(&call.interaction_id);
    is_new
        && refused(call).is_some()
        && Customer::address_of(call.customer.as_ref()) == telephone::caller(&placed.from)
        && call.number == placed.to
}

/// The switch ends the leg of a call to an unknown number without an interaction.
async fn is_gone(session: &ClientSession, placed: &PlacedLeg) -> anyhow::Result<bool> {
    let request = ListHeardRequest { address: placed.from.clone() };
    let heard = SimulatorServiceClient::new(session.simulator_channel()?).list_heard(request).await.or_refusal()?.heard;
    Ok(heard.iter().any(|it| it.leg_id == placed.leg_id && it.ended))
}

/// By the leg and not by the number: one customer may have two calls.
fn find_by_leg(calls: Vec<Interaction>, leg_id: &str) -> Option<Interaction> {
    calls.into_iter().find(|it| it.parties.iter().any(|party| party.leg_id == leg_id))
}

pub(super) async fn dial(session: &ClientSession, from: Option<String>, to: String) -> anyhow::Result<()> {
    if session.can_mint_tokens() && session.acting_agent().is_none() {
        return Err(UsageError::new("say who calls, for example --as agent:Ada").into());
    }
    let number = match from {
        Some(from) => from,
        None => number::first(session).await?,
    };
    let request = transfer::PlaceCallRequest {
        request_id: session.request_id(),
        from_number: number,
        to_number: to,
        ..Default::default()
    };
    let channel = session.channel_for_role(Role::Agent)?;
    let call = InteractionServiceClient::new(channel.clone()).place_call(request).await.or_refusal()?.interaction;
    let call = under_way(session, channel, call.context("the answer is empty")?).await?;
    if let Some(why) = refused(&call) {
        let who = session.acting_name("", &resolve::names(session).await?);
        return Err(KnownFailure::not_now(format!("the call did not come about: {}", because(&who, why))).into());
    }
    print_changed(session, "", Some(call)).await
}

/// Waits until the agent's phone has rung for [`BUSY_TIMEOUT`], or until the call is refused.
async fn under_way(
    session: &ClientSession,
    channel: GrpcChannel,
    mut call: Interaction,
) -> anyhow::Result<Interaction> {
    let request = WatchInteractionRequest { interaction_id: call.interaction_id.clone(), after_version: 0 };
    let mut changes = InteractionServiceClient::new(channel).watch_interaction(request).await.or_refusal()?;
    let mut until_us = session.clock.after(REFUSAL_TIMEOUT);
    while refused(&call).is_none() {
        let Ok(change) = session.clock.timeout_at(until_us, changes.message()).await else { break };
        let Some(change) = change.map_err(|status| refusal::of(&status))? else { break };
        call = change.interaction.unwrap_or(call);
        if rings(&call) {
            until_us = until_us.min(session.clock.after(BUSY_TIMEOUT));
        }
    }
    Ok(call)
}

fn rings(call: &Interaction) -> bool {
    let has_phone = |it: &party::LegState| matches!(it, party::LegState::Ringing | party::LegState::Up);
    call.parties.iter().any(|it| !it.agent_id.is_empty() && has_phone(&it.leg_state()))
}

/// The end reason of a call that is ending or ended.
fn refused(call: &Interaction) -> Option<Reason> {
    matches!(call.state(), interaction::State::Ending | interaction::State::Ended).then(|| call.end_reason())
}

fn because(who: &str, why: Reason) -> String {
    let word = word::or_dash(word::reason(why.into()));
    match why {
        Reason::Offline => format!("{who} is offline; `baton agent connect` is how an agent comes to work"),
        Reason::Busy | Reason::NotAvailable | Reason::Unreachable => format!("{who} is {word}"),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use baton_api::transfer::v1::Party;

    use super::*;

    fn of_customer(interaction_id: &str, leg_id: &str) -> Interaction {
        Interaction {
            interaction_id: interaction_id.to_owned(),
            customer: Some(Customer { address: "+32470123456".to_owned(), key: String::new() }),
            parties: vec![Party { leg_id: leg_id.to_owned(), ..Party::default() }],
            ..Interaction::default()
        }
    }

    #[test]
    fn a_placed_call_is_found_by_its_leg_and_not_by_its_customer() {
        let mut calls = vec![of_customer("first", "leg-1")];
        assert_eq!(find_by_leg(calls.clone(), "leg-2"), None);
        calls.push(of_customer("second", "leg-2"));
        assert_eq!(find_by_leg(calls, "leg-2").unwrap().interaction_id, "second");
    }

    #[test]
    fn a_dropped_call_is_recognized_by_its_numbers_if_it_is_new() {
        let (from, to, leg_id) = ("+32470123456".to_owned(), "+3225550199".to_owned(), "leg-1".to_owned());
        let placed = PlacedLeg { from, to: to.clone(), leg_id, before: ["first".to_owned()].into() };
        let over = |id: &str| Interaction {
            state: interaction::State::Ended.into(),
            number: to.clone(),
            parties: Vec::new(),
            ..of_customer(id, "")
        };
        assert!(was_dropped(&over("second"), &placed));
        assert!(!was_dropped(&over("first"), &placed));
        assert!(!was_dropped(&Interaction { number: "+32".to_owned(), ..over("second") }, &placed));
        let live = Interaction { state: interaction::State::InFlow.into(), ..over("second") };
        assert!(!was_dropped(&live, &placed));
        let told = Interaction { end_reason: Reason::Disconnected.into(), ..over("second") };
        let told = ended_by_flow(&told).to_string();
        assert!(told.contains("its call flow ended it at once (disconnected)"), "{told}");
        assert!(told.contains("`baton call explain second`"), "{told}");
    }

    #[test]
    fn an_ended_call_is_refused_and_a_ringing_agent_phone_is_not() {
        let (state, end_reason) = (interaction::State::Ended.into(), Reason::Offline.into());
        let over = Interaction { state, end_reason, ..Interaction::default() };
        assert_eq!(refused(&over), Some(Reason::Offline));
        assert!(because("Dan", Reason::Offline).starts_with("Dan is offline"));
        assert_eq!(because("Dan", Reason::NotAvailable), "Dan is not available");
        assert_eq!(because("Dan", Reason::Declined), "declined");
        let mut call = of_customer("first", "leg-1");
        call.parties[0].leg_state = party::LegState::Ringing.into();
        assert!(!rings(&call), "only the customer's");
        call.parties[0].agent_id = "a".to_owned();
        assert!(rings(&call) && refused(&call).is_none());
    }
}
