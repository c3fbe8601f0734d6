//! A call as a person reads it in a terminal.

use std::fmt::Write as _;

use baton_api::common::v1::Direction;
use baton_api::transfer::v1::{Hop, Interaction, Party, Transfer};

use super::story::Names;
use super::word;

/// Everything that there is to know of a call.
pub(super) fn whole(call: &Interaction, names: &Names) -> String {
    let mut text = now(call, names);
    for hop in &call.journey {
        let _ = writeln!(text, "  hop        {}", hop_line(hop, names));
    }
    for note in &call.notes {
        let _ = writeln!(text, "  note       {} ({})", note.text, names.of(&note.author_agent_id));
    }
    for (key, value) in &call.data {
        let _ = writeln!(text, "  data       {key} = {value}");
    }
    text
}

/// How a call stands.
pub(super) fn now(call: &Interaction, names: &Names) -> String {
    let way = if call.direction() == Direction::Outbound { "from" } else { "to" };
    let mut text = format!("Call {} {way} {}: {}\n", call.interaction_id, call.number, state(call, names));
    for party in &call.parties {
        let _ = writeln!(text, "  {:<10} {}", word::party_role(party.role), party_line(party));
    }
    if let Some(transfer) = &call.transfer {
        let _ = writeln!(text, "  transfer   {}", transfer_line(transfer, names));
    }
    if let Some(recording) = &call.recording {
        let how = match (recording.live, recording.paused) {
            (true, _) => "is being written",
            (false, true) => "is paused",
            (false, false) => "nothing is being written",
        };
        let _ = writeln!(text, "  recording  {how} (mode {})", word::or_dash(word::recording_mode(recording.mode)));
    }
    if !call.allowed_actions.is_empty() {
        let actions: Vec<_> = call.allowed_actions.iter().map(|it| word::action(*it)).collect();
        let _ = writeln!(text, "  may now    {}", actions.join(", "));
    }
    text
}

/// One line for a call as it changes.
pub(super) fn change(call: &Interaction, names: &Names) -> String {
    let parties: Vec<_> =
        call.parties.iter().map(|it| format!("{} {}", it.name, word::leg_state(it.leg_state))).collect();
    let transfer = call.transfer.as_ref().map_or_else(String::new, |it| format!("; {}", transfer_line(it, names)));
    format!("{:>4}  {}; {}{transfer}", call.version, state(call, names), parties.join(", "))
}

pub(super) const COLUMNS: [&str; 6] = ["call", "state", "customer", "number", "with", "since"];

/// A call as a row of a list.
pub(super) fn row(call: &Interaction, names: &Names) -> Vec<String> {
    vec![
        call.interaction_id.clone(),
        word::interaction_state(call.state),
        call.customer.clone(),
        call.number.clone(),
        if call.primary_agent_id.is_empty() { "-".to_owned() } else { names.of(&call.primary_agent_id) },
        word::time(call.create_time.as_ref()),
    ]
}

/// A transfer in one line.
pub(super) fn transfer_line(transfer: &Transfer, names: &Names) -> String {
    let why = word::reason(transfer.reason);
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!(
        "{} from {} to {}: {}{why}",
        word::transfer_kind(transfer.kind),
        names.of(&transfer.initiator_agent_id),
        names.of_target(transfer.target.as_ref()),
        word::transfer_phase(transfer.phase),
    )
}

fn state(call: &Interaction, names: &Names) -> String {
    let mut text = word::interaction_state(call.state).replace('_', " ");
    if !call.primary_agent_id.is_empty() {
        let _ = write!(text, " {}", names.of(&call.primary_agent_id));
    }
    if call.customer_on_hold {
        text.push_str(", customer on hold");
    }
    let why = word::reason(call.end_reason);
    if !why.is_empty() {
        let _ = write!(text, " ({why})");
    }
    text
}

fn party_line(party: &Party) -> String {
    let muted = if party.muted { ", muted" } else { "" };
    format!("{} ({}{muted})", party.name, word::leg_state(party.leg_state))
}

fn hop_line(hop: &Hop, names: &Names) -> String {
    let from = if hop.transfer_id.is_empty() { "the call flow".to_owned() } else { names.of(&hop.from_agent_id) };
    let outcome = match word::transfer_phase(hop.outcome) {
        open if open.is_empty() => "open".to_owned(),
        outcome => outcome,
    };
    let why = word::reason(hop.reason);
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!("{from} -> {}: {outcome}{why}", names.of(&hop.to_agent_id))
}
