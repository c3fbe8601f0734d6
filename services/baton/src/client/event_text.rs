//! Events as sentences for a person.

use std::collections::BTreeMap;

use baton_api::common::v1::{Customer, Direction, Reason, Target, target};
use baton_api::event::v1::Event;
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::interaction_refused::Cause;
use baton_api::event::v1::routing_changed::Configuration;
use baton_api::event::v1::tenant_changed::Change;

use super::word;

/// Names of agents and teams by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Names {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(names: T) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Names {
    /// The name, or the shortened id where there is none.
    pub(crate) fn of(&self, id: &str) -> String {
        match self.0.get(id) {
            Some(name) => name.clone(),
            None if id.is_empty() => "nobody".to_owned(),
            None => word::short(id).to_owned(),
        }
    }

    /// Whose voicemail box it is: an agent's, or one of a call flow, which has a name of its own.
    pub(crate) fn of_box(&self, mailbox: &str) -> String {
        self.0.get(mailbox).map_or_else(|| format!("box {mailbox}"), |name| format!("{name}'s box"))
    }

    pub(crate) fn of_target(&self, target: Option<&Target>) -> String {
        match target.and_then(|it| it.target.as_ref()) {
            Some(target::Target::AgentId(id)) => self.of(id),
            Some(target::Target::TeamId(id)) => {
                self.0.get(id).map_or_else(|| "a team".to_owned(), |it| format!("team {it}"))
            }
            None => "nobody".to_owned(),
        }
    }
}

pub(crate) fn sentence(event: &Event, names: &Names) -> String {
    let Some(data) = event.data.as_ref().and_then(|it| it.data.as_ref()) else {
        return format!("Something newer than this program happened ({}).", event.name());
    };
    call(data, names)
        .or_else(|| transfer(data, names))
        .or_else(|| recording(data, names))
        .or_else(|| voicemail(data, names))
        .or_else(|| others(data, names))
        .unwrap_or_else(|| event.name().to_owned())
}

fn call(data: &Data, names: &Names) -> Option<String> {
    Some(match data {
        Data::InteractionOpened(it) if it.direction() == Direction::Outbound => {
            format!("{} is called from {}.", customer(it.customer.as_ref()), it.number)
        }
        Data::InteractionOpened(it) => format!("{} calls {}.", customer(it.customer.as_ref()), it.number),
        Data::InteractionEnded(it) => {
            format!("The call is over ({}) after {}.", reason(it.reason), word::seconds(it.duration_ms))
        }
        Data::InteractionFlowStep(it) => {
            format!("The call flow takes step {}: {}.", it.step, word::flow_step_kind(it.kind))
        }
        Data::InteractionQueued(it) => {
            format!("The call waits for {}, at position {}.", names.of(&it.team_id), it.position)
        }
        Data::InteractionDequeued(it) if it.reason() == Reason::Unspecified => {
            format!("The wait for {} is over after {}.", names.of(&it.team_id), word::seconds(it.wait_ms))
        }
        Data::InteractionDequeued(it) => {
            format!("The wait for {} is given up: {}.", names.of(&it.team_id), reason(it.reason))
        }
        Data::InteractionHoldReminder(it) => {
            format!("The customer has been on hold for {}.", word::seconds(it.hold_ms))
        }
        Data::InteractionAgentOffered(it) => {
            format!("{} is reserved (claim granted), and the phone rings.", names.of(&it.agent_id))
        }
        Data::InteractionOfferFailed(it) => {
            format!("{} did not take the call: {}.", names.of(&it.agent_id), reason(it.reason))
        }
        Data::InteractionAgentJoined(it) => format!("{} answers and is in the call.", names.of(&it.agent_id)),
        Data::InteractionAgentLeft(it) => {
            format!("{} is no longer in the call ({}); claim released.", names.of(&it.agent_id), reason(it.reason))
        }
        Data::InteractionPrimaryChanged(it) if it.from_agent_id.is_empty() => {
            format!("{} has the customer now.", names.of(&it.to_agent_id))
        }
        Data::InteractionPrimaryChanged(it) => {
            format!("The customer goes from {} to {}.", names.of(&it.from_agent_id), names.of(&it.to_agent_id))
        }
        Data::InteractionCustomerHeld(_) => "The customer is put on hold.".to_owned(),
        Data::InteractionCustomerResumed(_) => "The customer is taken off hold.".to_owned(),
        Data::InteractionMuteChanged(it) => {
            format!("{} is {}.", names.of(&it.agent_id), if it.muted { "muted" } else { "no longer muted" })
        }
        Data::InteractionNoteAdded(it) => format!("Note {} is written.", it.note),
        Data::InteractionDispositioned(it) => {
            format!("{} says how their turn ended: {}.", names.of(&it.agent_id), word::one_line(&it.disposition))
        }
        Data::InteractionDataChanged(_) => "The attached data changes.".to_owned(),
        Data::InteractionAnnounced(it) => format!("An announcement is played: {}.", word::spaced(&it.name)),
        Data::InteractionCustomerAnswered(_) => "The customer answers.".to_owned(),
        Data::InteractionCustomerLeft(_) => "The customer hangs up.".to_owned(),
        _ => return None,
    })
}

/// For analysts the number is empty.
fn customer(customer: Option<&Customer>) -> String {
    let number = Customer::address_of(customer);
    if number.is_empty() { "A customer".to_owned() } else { format!("A customer, {number},") }
}

fn transfer(data: &Data, names: &Names) -> Option<String> {
    Some(match data {
        Data::TransferStarted(it) => format!(
            "{} starts a {} transfer to {}.",
            names.of(&it.initiator_agent_id),
            word::transfer_kind(it.kind),
            names.of_target(it.target.as_ref())
        ),
        Data::TransferOffered(it) => format!("The transfer is offered to {}.", names.of(&it.recipient_agent_id)),
        Data::TransferWaiting(it) => {
            format!("{} is in another call; the transfer waits for them.", names.of(&it.recipient_agent_id))
        }
        Data::TransferConsulting(_) => "The two agents talk in private.".to_owned(),
        Data::TransferAccepted(it) => {
            format!("{} has accepted, and waits with music.", names.of(&it.recipient_agent_id))
        }
        Data::TransferSwapped(it) => {
            format!("The initiator is with the customer again, and {} waits.", names.of(&it.recipient_agent_id))
        }
        Data::TransferJoined(_) => "All three are together.".to_owned(),
        Data::TransferCompleted(it) => format!(
            "The transfer is complete: {} has the customer, {} is released ({} in all).",
            names.of(&it.recipient_agent_id),
            names.of(&it.initiator_agent_id),
            word::seconds(it.duration_ms)
        ),
        Data::TransferDiverted(it) => {
            format!("The transfer went elsewhere: {}, because: {}.", word::diverted_to(it.to), reason(it.reason))
        }
        Data::TransferFailed(it) => format!("The transfer did not go through: {}.", reason(it.reason)),
        Data::TransferCancelled(it) => format!("The transfer is taken back: {}.", reason(it.reason)),
        Data::TransferAbandoned(_) => "The transfer ends: the customer has left.".to_owned(),
        _ => return None,
    })
}

fn recording(data: &Data, names: &Names) -> Option<String> {
    let end = |id: &str| id.rsplit('-').next().unwrap_or(id).to_owned();
    Some(match data {
        Data::RecordingStarted(it) => {
            format!("Recording {} begins: {}'s turn with the customer.", it.ordinal, names.of(&it.agent_id))
        }
        Data::RecordingEnded(it) => format!("Recording {} ends.", end(&it.recording_id)),
        Data::RecordingPaused(_) => "Recording is paused.".to_owned(),
        Data::RecordingResumed(_) => "Recording goes on.".to_owned(),
        Data::RecordingSegmentStarted(it) => {
            let agents: Vec<_> = it.agent_ids.iter().map(|id| names.of(id)).collect();
            format!("Being recorded: the customer with {}.", word::listed(&agents))
        }
        Data::RecordingSegmentEnded(it) if it.failed => "A stretch of the recording could not be written.".to_owned(),
        Data::RecordingSegmentEnded(_) => "The stretch being recorded ends.".to_owned(),
        Data::RecordingExcluded(it) => {
            format!("Left out of recording {}: {}.", end(&it.recording_id), word::exclusion_reason(it.reason))
        }
        Data::RecordingStored(it) => format!(
            "Recording {} is stored and checked: {}{}.",
            end(&it.recording_id),
            word::seconds(it.duration_ms),
            if it.incomplete { ", some audio is lost" } else { "" }
        ),
        Data::RecordingDeleted(it) => format!("Recording {} is deleted.", end(&it.recording_id)),
        Data::RecordingSettingsChanged(it) => {
            let settings = it.settings.as_ref()?;
            format!("Recorded on {} from now on: {}.", settings.number, word::recording_mode(settings.mode))
        }
        _ => return None,
    })
}

fn voicemail(data: &Data, names: &Names) -> Option<String> {
    Some(match data {
        Data::VoicemailMessageLeft(it) => {
            format!("A message of {} is in {}.", word::seconds(it.duration_ms), names.of_box(&it.mailbox))
        }
        Data::VoicemailNoMessage(it) => format!("No message was left in {}.", names.of_box(&it.mailbox)),
        Data::VoicemailMessageHeard(it) => format!("The message in {} is heard.", names.of_box(&it.mailbox)),
        Data::VoicemailMessageDeleted(it) if it.expired => "The message is deleted: it was old.".to_owned(),
        Data::VoicemailMessageDeleted(_) => "The message is deleted.".to_owned(),
        _ => return None,
    })
}

fn others(data: &Data, names: &Names) -> Option<String> {
    Some(match data {
        Data::AgentStateChanged(it) => {
            let why =
                if it.away_reason.is_empty() { word::state_cause(it.cause) } else { word::one_line(&it.away_reason) };
            format!("{} is now {} ({why}).", names.of(&it.agent_id), word::agent_state(it.to))
        }
        Data::DirectoryChanged(it) => {
            let (what, change) = (word::directory_part(it.what), word::change(it.change));
            format!("The {what} {} was {change}.", names.of(&it.id))
        }
        Data::RoutingChanged(it) => {
            let what = match it.configuration.as_ref()? {
                Configuration::Number(it) => format!("number {}", it.number),
                Configuration::CallFlow(it) => format!("call flow {}", word::one_line(&it.name)),
                Configuration::DialRule(it) => format!("dial rule {}", it.prefix),
            };
            format!("The {what} was {}.", word::change(it.change))
        }
        Data::RoutingCallRefused(it) => {
            format!("A call for {} was refused: it is none of the tenant's numbers.", word::one_line(&it.number))
        }
        Data::InteractionRefused(it) => {
            let why = match it.cause() {
                Cause::Limit => "the tenant had as many calls as it may",
                Cause::Suspended => "the tenant was suspended",
                Cause::Unspecified => "no reason is given",
            };
            format!("A call for {} was refused: {why}.", word::one_line(&it.number))
        }
        Data::CustomerForgotten(it) => {
            let (calls, recordings, messages) = (it.interactions, it.recordings, it.messages);
            format!(
                "A customer was forgotten: calls {calls}, recordings deleted {recordings}, messages deleted {messages}."
            )
        }
        Data::PolicyChanged(it) => format!("The policy is {} now, version {}.", it.profile, it.version),
        Data::TenantChanged(it) => match it.change() {
            Change::Suspended => "The tenant was suspended.".to_owned(),
            Change::Resumed => "The tenant's suspension is over.".to_owned(),
            change => {
                let what = if change == Change::Created { "created" } else { "changed" };
                let plan = word::or_dash(it.entitlements.join(", "));
                let (calls, numbers) = (word::call_limit(it.live_interactions), word::granted(&it.granted_numbers));
                let dials = word::granted(&it.granted_destinations);
                let rates = word::rates(it.calls_per_second, it.changes_per_second);
                let stored = word::storage_limit(it.stored_mib);
                format!(
                    "The tenant was {what}; its plan: {plan}; calls: {calls}; numbers: {numbers}; dials: {dials}; rates: {rates}; storage: {stored}."
                )
            }
        },
        _ => return None,
    })
}

fn reason(reason: i32) -> String {
    word::or_dash(word::reason(reason))
}

#[cfg(test)]
mod tests {
    use baton_api::event::v1::{
        DirectoryChanged, EventData, InteractionCustomerAnswered, InteractionNoteAdded, InteractionOpened,
        TenantChanged, TransferStarted, directory_changed,
    };

    use super::*;

    #[test]
    fn a_sentence_has_names_and_no_ids() {
        let names: Names =
            [("a".to_owned(), "Ada".to_owned()), ("s".to_owned(), "Support".to_owned())].into_iter().collect();
        let started = TransferStarted {
            kind: baton_api::common::v1::TransferKind::Warm.into(),
            initiator_agent_id: "a".to_owned(),
            target: Some(Target { target: Some(target::Target::TeamId("s".to_owned())) }),
            ..TransferStarted::default()
        };
        let event = Event { data: Some(EventData { data: Some(Data::TransferStarted(started)) }), ..Event::default() };
        assert_eq!(sentence(&event, &names), "Ada starts a warm transfer to team Support.");
        let made = DirectoryChanged {
            what: directory_changed::What::Agent.into(),
            id: "a".to_owned(),
            change: baton_api::event::v1::Change::Created.into(),
            team: None,
        };
        let event = Event { data: Some(EventData { data: Some(Data::DirectoryChanged(made)) }), ..Event::default() };
        assert_eq!(sentence(&event, &names), "The agent Ada was created.");
    }

    #[test]
    fn a_call_that_an_agent_places_reads_as_outbound() {
        let opened = InteractionOpened {
            direction: Direction::Outbound.into(),
            number: "+3225550100".to_owned(),
            customer: Some(Customer { address: "+32470123456".to_owned(), key: String::new() }),
            ..InteractionOpened::default()
        };
        let text = |data| {
            let event = Event { data: Some(EventData { data: Some(data) }), ..Event::default() };
            sentence(&event, &Names::default())
        };
        let unknown = InteractionOpened { number: "+3225550100".to_owned(), ..InteractionOpened::default() };
        assert_eq!(text(Data::InteractionOpened(unknown)), "A customer calls +3225550100.");
        let noted = text(Data::InteractionNoteAdded(InteractionNoteAdded { note: 3 }));
        assert_eq!(noted, "Note 3 is written.");
        let expected = "A customer, +32470123456, is called from +3225550100.";
        assert_eq!(text(Data::InteractionOpened(opened)), expected);
        let answered = InteractionCustomerAnswered { allowed_by: "+32".to_owned(), ring_ms: 0 };
        assert_eq!(text(Data::InteractionCustomerAnswered(answered)), "The customer answers.");
    }

    #[test]
    fn a_change_of_a_tenant_says_what_is_granted() {
        let changed = TenantChanged {
            change: Change::Updated.into(),
            entitlements: vec!["warm_transfer".to_owned()],
            live_interactions: 5,
            granted_numbers: ["+322555", "+322556"].map(str::to_owned).to_vec(),
            granted_destinations: vec!["+".to_owned()],
            calls_per_second: 50,
            changes_per_second: 7,
            stored_mib: 900,
        };
        let text = |it| others(&Data::TenantChanged(it), &Names::default()).unwrap();
        let plan = "The tenant was changed; its plan: warm_transfer";
        let rates = "rates: at most 50 calls of the API a second, at most 7 changes a second; storage: at most 900 MiB";
        assert_eq!(text(changed), format!("{plan}; calls: at most 5; numbers: +322555, +322556; dials: any; {rates}."));
        let nothing = TenantChanged { change: Change::Created.into(), ..TenantChanged::default() };
        assert_eq!(
            text(nothing),
            "The tenant was created; its plan: -; calls: no limit; numbers: -; dials: -; rates: as configured; storage: as configured."
        );
    }

    #[test]
    fn an_event_of_a_newer_version_is_named_by_its_type() {
        let event = Event { r#type: "interaction.levitated".to_owned(), ..Event::default() };
        assert!(sentence(&event, &Names::default()).contains("interaction.levitated"));
    }
}
