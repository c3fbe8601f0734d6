//! What happened in a call, as a sentence for a person.

use super::{Names, word};
use crate::common::v1::{Customer, Direction, Reason};
use crate::event::v1::event_data::Data;

/// What happened in a call, a transfer or a recording; none of another event.
pub fn of(data: &Data, names: &Names) -> Option<String> {
    call(data, names).or_else(|| transfer(data, names)).or_else(|| ivr(data)).or_else(|| recording(data, names))
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
            format!("The call waits for {}, at position {}.", names.of_pool(&it.team_id, &it.queue_id), it.position)
        }
        Data::InteractionDequeued(it) if it.reason() == Reason::Unspecified => {
            let pool = names.of_pool(&it.team_id, &it.queue_id);
            format!("The wait for {pool} is over after {}.", word::seconds(it.wait_ms))
        }
        Data::InteractionDequeued(it) => {
            let pool = names.of_pool(&it.team_id, &it.queue_id);
            format!("The wait for {pool} is given up: {}.", reason(it.reason))
        }
        Data::InteractionHoldReminder(it) => {
            format!("The customer has been on hold for {}.", word::seconds(it.hold_ms))
        }
        Data::InteractionAgentOffered(it) => {
            format!("{} is reserved (claim granted), and the phone rings.", names.of(&it.agent_id))
        }
        Data::InteractionOfferFailed(it) => {
            let how = match it.reason() {
                Reason::Requested | Reason::CustomerLeft | Reason::InitiatorLeft | Reason::Taken => {
                    "is no longer asked"
                }
                _ => "did not take the call",
            };
            format!("{} {how}: {}.", names.of(&it.agent_id), reason(it.reason))
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
        Data::InteractionDataChanged(it) => {
            let keys: Vec<_> = it.set.iter().map(|key| word::one_line(key)).collect();
            let removed = it.removed.iter().map(|key| format!("{} (removed)", word::one_line(key)));
            format!("The attached data changes: {}.", keys.into_iter().chain(removed).collect::<Vec<_>>().join(", "))
        }
        Data::InteractionAnnounced(it) => format!("An announcement is played: {}.", word::spaced(&it.name)),
        Data::InteractionCustomerAnswered(_) => "The customer answers.".to_owned(),
        Data::InteractionCustomerLeft(_) => "The customer hangs up.".to_owned(),
        Data::ChatMessageSent(it) => {
            let to = if it.agents_only { ", to the agents alone" } else { "" };
            format!("Message {} is written{to}.", it.sequence)
        }
        data => return outside(data, names),
    })
}

/// What happens with whoever was called outside.
fn outside(data: &Data, names: &Names) -> Option<String> {
    let of = Names::of_external;
    Some(match data {
        Data::InteractionExternalDialled(it) => {
            format!("{} is called; the rule {} allows it.", of(it.external.as_ref()), it.allowed_by)
        }
        Data::InteractionExternalFailed(it) => {
            format!("{} did not take the call: {}.", of(it.external.as_ref()), reason(it.reason))
        }
        Data::InteractionExternalJoined(it) => format!("{} answers and is in the call.", of(it.external.as_ref())),
        Data::InteractionExternalLeft(it) => {
            format!("{} is no longer in the call ({}).", of(it.external.as_ref()), reason(it.reason))
        }
        Data::InteractionExternalTookOver(it) if it.from_agent_id.is_empty() => {
            format!("{} has the customer now, and no agent is in the call.", of(it.external.as_ref()))
        }
        Data::InteractionExternalTookOver(it) => format!(
            "The customer goes from {} to {}: no agent has them any more.",
            names.of(&it.from_agent_id),
            of(it.external.as_ref())
        ),
        Data::InteractionCustomerChanged(it) => {
            format!("The agent goes on with {}, who is the customer from here on.", of(it.external.as_ref()))
        }
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
            "{} starts a {} transfer to {}{}.",
            names.of(&it.initiator_agent_id),
            word::transfer_kind(it.kind),
            names.of_target(it.target.as_ref()),
            if it.outcome.is_empty() { String::new() } else { format!(", for \"{}\"", word::one_line(&it.outcome)) }
        ),
        Data::TransferOffered(it) => format!(
            "The transfer is offered to {}.",
            names.of_recipient(&it.recipient_agent_id, it.recipient_external.as_ref())
        ),
        Data::TransferWaiting(it) => {
            format!("{} is in another call; the transfer waits for them.", names.of(&it.recipient_agent_id))
        }
        Data::TransferConsulting(it) if it.recipient_external.is_some() => {
            format!("The initiator and {} talk in private.", Names::of_external(it.recipient_external.as_ref()))
        }
        Data::TransferConsulting(_) => "The two agents talk in private.".to_owned(),
        Data::TransferAccepted(it) => {
            format!(
                "{} has accepted, and waits with music.",
                names.of_recipient(&it.recipient_agent_id, it.recipient_external.as_ref())
            )
        }
        Data::TransferSwapped(it) => {
            format!(
                "The initiator is with the customer again, and {} waits.",
                names.of_recipient(&it.recipient_agent_id, it.recipient_external.as_ref())
            )
        }
        Data::TransferJoined(_) => "All three are together.".to_owned(),
        Data::TransferCompleted(it) if it.returned => format!(
            "The transfer is complete: the customer is back with {} ({} in all).",
            names.of(&it.initiator_agent_id),
            word::seconds(it.duration_ms)
        ),
        Data::TransferCompleted(it) if it.recipient_agent_id.is_empty() => format!(
            "The transfer is complete: the customer is in the flow, {} is released ({} in all).",
            names.of(&it.initiator_agent_id),
            word::seconds(it.duration_ms)
        ),
        Data::TransferCompleted(it) => format!(
            "The transfer is complete: {} has the customer, {} is released ({} in all).",
            names.of_recipient(&it.recipient_agent_id, it.recipient_external.as_ref()),
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

fn ivr(data: &Data) -> Option<String> {
    Some(match data {
        Data::IvrEntered(_) => "The customer is in the IVR flow.".to_owned(),
        Data::IvrCollected(it) if it.sensitive => {
            format!("The customer has pressed {}, which stays on the switch.", word::one_line(&it.key))
        }
        Data::IvrCollected(it) => {
            let digits = if it.digits == 1 { "digit" } else { "digits" };
            format!("The customer has pressed {}: {} {digits}.", word::one_line(&it.key), it.digits)
        }
        Data::IvrLeft(it) => format!(
            "The customer is out of the IVR flow: {} ({}).",
            word::or_dash(word::flow_outcome(it.outcome)),
            word::seconds(it.duration_ms)
        ),
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

fn reason(reason: i32) -> String {
    word::or_dash(word::reason(reason))
}
