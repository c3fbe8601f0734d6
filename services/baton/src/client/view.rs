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
        let _ = writeln!(text, "  note       {} ({})", word::one_line(&note.text), names.of(&note.author_agent_id));
    }
    for (key, value) in &call.data {
        let _ = writeln!(text, "  data       {} = {}", word::one_line(key), word::one_line(value));
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
    format!(
        "{} from {} to {}: {}{}",
        word::transfer_kind(transfer.kind),
        names.of(&transfer.initiator_agent_id),
        names.of_target(transfer.target.as_ref()),
        word::transfer_phase(transfer.phase),
        because(transfer.reason),
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
    text + &because(call.end_reason)
}

fn party_line(party: &Party) -> String {
    let muted = if party.muted { ", muted" } else { "" };
    format!("{} ({}{muted})", word::one_line(&party.name), word::leg_state(party.leg_state))
}

fn hop_line(hop: &Hop, names: &Names) -> String {
    let from = if hop.transfer_id.is_empty() { "the call flow".to_owned() } else { names.of(&hop.from_agent_id) };
    let outcome = match word::transfer_phase(hop.outcome) {
        open if open.is_empty() => "open".to_owned(),
        outcome => outcome,
    };
    // Until somebody has the customer, and when nobody got them, it is told whom it was meant for.
    let to = if hop.to_agent_id.is_empty() { names.of_target(hop.target.as_ref()) } else { names.of(&hop.to_agent_id) };
    format!("{from} -> {to}: {outcome}{}", because(hop.reason))
}

fn because(reason: i32) -> String {
    match word::reason(reason) {
        none if none.is_empty() => none,
        why => format!(" ({})", why.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::{Reason, Target, TransferPhase, target};
    use baton_api::transfer::v1::Note;

    use super::*;

    fn names() -> Names {
        [("a", "Ada"), ("b", "Ben"), ("s", "Support")]
            .map(|(id, name)| (id.to_owned(), name.to_owned()))
            .into_iter()
            .collect()
    }

    fn hop(target: target::Target, to: &str, outcome: TransferPhase, reason: Reason) -> String {
        let hop = Hop {
            transfer_id: "t".to_owned(),
            from_agent_id: "a".to_owned(),
            target: Some(Target { target: Some(target) }),
            to_agent_id: to.to_owned(),
            outcome: outcome.into(),
            reason: reason.into(),
            ..Hop::default()
        };
        hop_line(&hop, &names())
    }

    #[test]
    fn a_hop_that_failed_says_whom_it_was_for() {
        let ben = target::Target::AgentId("b".to_owned());
        let support = target::Target::TeamId("s".to_owned());
        let failed = hop(ben, "", TransferPhase::Failed, Reason::NoAnswer);
        assert_eq!(failed, "Ada -> Ben: failed (no answer)");
        let open = hop(support.clone(), "", TransferPhase::Unspecified, Reason::Unspecified);
        assert_eq!(open, "Ada -> team Support: open");
        let completed = hop(support, "b", TransferPhase::Completed, Reason::Unspecified);
        assert_eq!(completed, "Ada -> Ben: completed");
    }

    #[test]
    fn a_note_forges_no_line() {
        let text = "call back\n  recording  is paused".to_owned();
        let notes = vec![Note { text, author_agent_id: "a".to_owned(), ..Note::default() }];
        let data = [("vip".to_owned(), "no\n  may now    end".to_owned())].into();
        let shown = whole(&Interaction { notes, data, ..Interaction::default() }, &names());
        assert!(shown.contains("\n  note       call back /   recording  is paused (Ada)\n"), "{shown}");
        assert!(shown.contains("\n  data       vip = no /   may now    end\n"), "{shown}");
    }
}
