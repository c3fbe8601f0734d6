//! Calls that begin: a customer calls, or an agent calls a customer.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::Reason;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{ListHeardRequest, PlaceCallRequest};
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{
    self as transfer, Interaction, ListInteractionsRequest, WatchInteractionRequest, interaction, party,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;

use super::{INTERACTION, changed};
use crate::client::refusal::{self, Told};
use crate::client::session::Session;
use crate::client::{number, resolve, view, word};
use crate::failure::Usage;

/// A call is known as soon as the switch has told of it.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
/// An agent who can't be had is found out with their claim.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// A phone that is dialled counts as ringing until the switch says that it is busy.
const BUSY_WITHIN: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A customer calls.
pub(super) async fn place(session: &Session, from: String, to: Option<String>) -> anyhow::Result<()> {
    let to = match to {
        Some(to) => to,
        None => number::first(session).await?,
    };
    let before = latest(session).await?.into_iter().map(|it| it.interaction_id).collect();
    let request = PlaceCallRequest { request_id: session.request_id(), from: from.clone(), to: to.clone(), tone_hz: 0 };
    let leg_id = SimulatorServiceClient::new(session.of_phones()?).place_call(request).await.told()?.leg_id;
    let placed = Placed { from, to: to.clone(), leg_id, before };
    let became = session.clock.timeout(KNOWN_WITHIN, became(session, &placed)).await;
    let Ok(became) = became else {
        anyhow::bail!("the phone rings, but no call came of it; is {to} one of the tenant's numbers?")
    };
    let Some(call) = became? else {
        anyhow::bail!(
            "the call was disconnected at once; {to} may have no call flow\n  `baton flow list` lists them, and `baton number set {to} --flow NAME` gives it one."
        )
    };
    let names = resolve::names(session).await?;
    // Whoever looked for it.
    let who = if session.can_mint() { "a supervisor".to_owned() } else { session.whose("", &names) };
    session.out.one(INTERACTION, &call, |it| view::now(it, &names, &who))
}

/// What a customer did, and which calls there were before.
struct Placed {
    from: String,
    to: String,
    leg_id: String,
    before: BTreeSet<String>,
}

/// The call that it became; none if it is over already. It has just begun, and is nobody's: it is looked for as somebody who
/// sees all.
async fn became(session: &Session, placed: &Placed) -> anyhow::Result<Option<Interaction>> {
    loop {
        if let Some(call) = of_leg(resolve::interactions_seen_on(session.lookup()?, true).await?, &placed.leg_id) {
            return Ok(Some(call));
        }
        if latest(session).await?.iter().any(|it| was_dropped(it, placed)) || is_gone(session, placed).await? {
            return Ok(None);
        }
        session.clock.sleep(LOOK_EVERY).await;
    }
}

/// The latest calls, also those that are over.
async fn latest(session: &Session) -> anyhow::Result<Vec<Interaction>> {
    let mut client = InteractionServiceClient::new(session.lookup()?);
    Ok(client.list_interactions(ListInteractionsRequest::default()).await.told()?.interactions)
}

/// A call that is over has no legs any more by which to know it.
fn was_dropped(call: &Interaction, placed: &Placed) -> bool {
    let is_new = !placed.before.contains(&call.interaction_id);
    is_new && refused(call).is_some() && call.customer == placed.from && call.number == placed.to
}

/// A number that nobody knows is refused before there is a call.
async fn is_gone(session: &Session, placed: &Placed) -> anyhow::Result<bool> {
    let request = ListHeardRequest { address: placed.from.clone() };
    let heard = SimulatorServiceClient::new(session.of_phones()?).list_heard(request).await.told()?.heard;
    Ok(heard.iter().any(|it| it.leg_id == placed.leg_id && it.ended))
}

/// The number would not do: who calls twice has two calls.
fn of_leg(calls: Vec<Interaction>, leg_id: &str) -> Option<Interaction> {
    calls.into_iter().find(|it| it.parties.iter().any(|party| party.leg_id == leg_id))
}

/// An agent calls a customer.
pub(super) async fn dial(session: &Session, from: Option<String>, to: String) -> anyhow::Result<()> {
    if session.can_mint() && session.acting_agent().is_none() {
        return Err(Usage::new("say who calls, for example --as agent:Ada").into());
    }
    let number = match from {
        Some(from) => from,
        None => number::first(session).await?,
    };
    let request = transfer::PlaceCallRequest { request_id: session.request_id(), number, to };
    let channel = session.of_role(Role::Agent)?;
    let call = InteractionServiceClient::new(channel.clone()).place_call(request).await.told()?.interaction;
    let call = under_way(session, channel, call.context("the answer is empty")?).await?;
    if let Some(why) = refused(&call) {
        let who = session.whose("", &resolve::names(session).await?);
        anyhow::bail!("the call did not come about: {}", because(&who, why));
    }
    changed(session, "", Some(call)).await
}

/// The call when the agent's phone rings and goes on ringing, or when it is over.
async fn under_way(session: &Session, channel: GrpcChannel, mut call: Interaction) -> anyhow::Result<Interaction> {
    let request = WatchInteractionRequest { interaction_id: call.interaction_id.clone(), after_version: 0 };
    let mut changes = InteractionServiceClient::new(channel).watch_interaction(request).await.told()?;
    let mut until_us = session.clock.after(REFUSED_WITHIN);
    while refused(&call).is_none() {
        let Ok(change) = session.clock.timeout_at(until_us, changes.message()).await else { break };
        let Some(change) = change.map_err(|status| refusal::of(&status))? else { break };
        call = change.interaction.unwrap_or(call);
        if rings(&call) {
            until_us = until_us.min(session.clock.after(BUSY_WITHIN));
        }
    }
    Ok(call)
}

fn rings(call: &Interaction) -> bool {
    let has_phone = |it: &party::LegState| matches!(it, party::LegState::Ringing | party::LegState::Up);
    call.parties.iter().any(|it| !it.agent_id.is_empty() && has_phone(&it.leg_state()))
}

/// Why it is over, or about to be.
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
            customer: "+32470123456".to_owned(),
            parties: vec![Party { leg_id: leg_id.to_owned(), ..Party::default() }],
            ..Interaction::default()
        }
    }

    #[test]
    fn a_placed_call_is_the_one_of_its_leg_and_no_other_of_the_same_customer() {
        let mut calls = vec![of_customer("first", "leg-1")];
        assert_eq!(of_leg(calls.clone(), "leg-2"), None);
        calls.push(of_customer("second", "leg-2"));
        assert_eq!(of_leg(calls, "leg-2").unwrap().interaction_id, "second");
    }

    #[test]
    fn a_call_that_was_dropped_is_known_by_its_numbers_if_it_was_not_there_before() {
        let (from, to, leg_id) = ("+32470123456".to_owned(), "+3225550199".to_owned(), "leg-1".to_owned());
        let placed = Placed { from, to: to.clone(), leg_id, before: ["first".to_owned()].into() };
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
    }

    #[test]
    fn a_call_that_is_over_did_not_come_about_and_one_whose_agents_phone_rings_did() {
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
