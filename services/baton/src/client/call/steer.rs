//! Steering a call: hold, mute, notes, data, leaving, the end.

use anyhow::Context as _;
use baton_api::presence::v1::GetPresenceRequest;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{
    AddNoteRequest, DispositionInteractionRequest, EndInteractionRequest, HoldCustomerRequest, Interaction,
    LeaveInteractionRequest, Participation, ResumeCustomerRequest, SetDataRequest, SetMuteRequest,
};
use baton_runtime::auth::Role;

use super::{CallDataArgs, INTERACTION, acting_in, print_changed};
use crate::client::refusal::{self, OrRefusal};
use crate::client::session::ClientSession;
use crate::client::{resolve, view, word};
use crate::failure::{KnownFailure, UsageError};

pub(super) async fn hold(session: &ClientSession, id: Option<&str>, on_hold: bool) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let (request_id, interaction_id) = (session.request_id(), call.interaction_id);
    let mut client = InteractionServiceClient::new(channel);
    let held = if on_hold {
        client
            .hold_customer(HoldCustomerRequest { request_id, interaction_id, ..Default::default() })
            .await
            .or_refusal()?
            .interaction
    } else {
        client
            .resume_customer(ResumeCustomerRequest { request_id, interaction_id, ..Default::default() })
            .await
            .or_refusal()?
            .interaction
    };
    print_changed(session, &call.primary_agent_id, held).await
}

pub(super) async fn mute(session: &ClientSession, id: Option<&str>, muted: bool) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let request = SetMuteRequest {
        request_id: session.request_id(),
        interaction_id: call.interaction_id,
        muted,
        ..Default::default()
    };
    let muted = InteractionServiceClient::new(channel).set_mute(request).await.or_refusal()?.interaction;
    print_changed(session, &call.primary_agent_id, muted).await
}

pub(super) async fn note(session: &ClientSession, id: Option<&str>, text: String) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let request = AddNoteRequest {
        request_id: session.request_id(),
        interaction_id: call.interaction_id,
        text,
        ..Default::default()
    };
    let noted = InteractionServiceClient::new(channel).add_note(request).await.or_refusal()?.interaction;
    print_whole(session, &call.primary_agent_id, noted).await
}

pub(super) async fn data(session: &ClientSession, args: CallDataArgs) -> anyhow::Result<()> {
    if let Some((key, _)) = args.set.iter().find(|(key, _)| args.remove.contains(key)) {
        return Err(UsageError::new(format!("{key:?} is to be set and removed; which?")).into());
    }
    let is_again = |(at, (key, _)): &(usize, &(String, String))| args.set[..*at].iter().any(|(other, _)| other == key);
    if let Some((_, (key, _))) = args.set.iter().enumerate().find(is_again) {
        return Err(UsageError::new(format!("{key:?} is to be set twice; to which value?")).into());
    }
    let (call, channel) = acting_in(session, args.call.id.as_deref()).await?;
    let request = SetDataRequest {
        request_id: session.request_id(),
        interaction_id: call.interaction_id,
        set: args.set.into_iter().collect(),
        remove: args.remove,
        ..Default::default()
    };
    let attached = InteractionServiceClient::new(channel).set_data(request).await.or_refusal()?.interaction;
    print_whole(session, &call.primary_agent_id, attached).await
}

/// Like [`print_changed`], with what was written.
async fn print_whole(session: &ClientSession, agent_id: &str, call: Option<Interaction>) -> anyhow::Result<()> {
    let (call, names) = (call.context("the answer is empty")?, resolve::names(session).await?);
    let who = session.acting_name(agent_id, &names);
    session.out.one(INTERACTION, &call, |it| view::full_text(it, &names, &who))
}

/// Reads `KEY=VALUE`; the value may have `=` in it, or be empty.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, for example vip=yes".to_owned()),
    }
}

/// Of the call that is named, or of the first that the agent has yet to disposition.
pub(super) async fn disposition(
    session: &ClientSession,
    disposition: String,
    note: String,
    id: Option<&str>,
) -> anyhow::Result<()> {
    if session.can_mint_tokens() && session.acting_agent().is_none() {
        return Err(UsageError::new("say whose turn it was: --as agent:NAME").into());
    }
    let channel = session.channel_for_role(Role::Agent)?;
    let interaction_id = if id.is_some() {
        resolve::interaction(session, id).await?.interaction_id
    } else {
        let mut client = PresenceServiceClient::new(channel.clone());
        let own = client.get_presence(GetPresenceRequest::default()).await.or_refusal()?.presence.unwrap_or_default();
        // Not from their presence, which hears of a call that has just ended a little later.
        let calls = resolve::interactions_on(channel.clone(), false).await?;
        first_due(&calls, &own.agent_id)
            .ok_or_else(|| KnownFailure::not_now("no call waits for a disposition of this agent"))?
    };
    let request = DispositionInteractionRequest {
        request_id: session.request_id(),
        interaction_id,
        disposition: disposition.clone(),
        note,
        ..Default::default()
    };
    let given = InteractionServiceClient::new(channel).disposition_interaction(request).await;
    let given = given.map_err(|status| refusal::of_disposition(&status, &disposition))?.into_inner();
    session.out.one("baton.transfer.v1.DispositionInteractionResponse", &given, |_| "Dispositioned.".to_owned())
}

/// The call that this agent left first of those that they have to disposition; or else, that they may.
fn first_due(calls: &[Interaction], agent_id: &str) -> Option<String> {
    let open = calls.iter().flat_map(|call| call.participations.iter().map(move |it| (call, it)));
    let open = open.filter(|(_, it)| it.agent_id == agent_id && it.disposition.is_empty());
    let left_us = |it: &Participation| it.end_time.as_ref().map_or(0, word::micros);
    let first = open.min_by_key(|(_, it)| (!it.disposition_due, left_us(it)));
    first.map(|(call, _)| call.interaction_id.clone())
}

pub(super) async fn leave(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let (call, channel) = acting_in(session, id).await?;
    let names = resolve::names(session).await?;
    let who = session.acting_name(&call.primary_agent_id, &names);
    let request = LeaveInteractionRequest {
        request_id: session.request_id(),
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let left = InteractionServiceClient::new(channel).leave_interaction(request).await.or_refusal()?;
    session.out.one("baton.transfer.v1.LeaveInteractionResponse", &left, |_| format!("{who} has left the call."))
}

pub(super) async fn end(session: &ClientSession, id: Option<&str>) -> anyhow::Result<()> {
    let call = resolve::interaction(session, id).await?;
    let request = EndInteractionRequest {
        request_id: session.request_id(),
        interaction_id: call.interaction_id,
        ..Default::default()
    };
    let mut client = InteractionServiceClient::new(session.channel_for_role(Role::Supervisor)?);
    let ended = client.end_interaction(request).await.or_refusal()?;
    session.out.one("baton.transfer.v1.EndInteractionResponse", &ended, |_| "The call is over.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_call_that_is_due_comes_before_those_that_are_not() {
        let call = |id: &str, left_s: i64, due: bool, disposition: &str| Interaction {
            interaction_id: id.to_owned(),
            participations: vec![Participation {
                agent_id: "ada".to_owned(),
                end_time: Some(prost_types::Timestamp { seconds: left_s, nanos: 0 }),
                disposition_due: due,
                disposition: disposition.to_owned(),
                ..Participation::default()
            }],
            ..Interaction::default()
        };
        let calls =
            [call("d", 4, true, ""), call("c", 3, true, ""), call("b", 2, false, ""), call("a", 1, false, "Other")];
        assert_eq!(first_due(&calls, "ada").as_deref(), Some("c"));
        assert_eq!(first_due(&calls[2..], "ada").as_deref(), Some("b"));
        assert_eq!((first_due(&calls[3..], "ada"), first_due(&calls, "ben")), (None, None));
    }

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        assert_eq!(parse_pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse_pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(parse_pair("=b").is_err() && parse_pair("a").is_err());
    }
}
