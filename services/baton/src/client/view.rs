//! A call as a person reads it in a terminal.

use std::fmt::Write as _;

use baton_api::common::v1::actor::Kind;
use baton_api::common::v1::{Actor, Customer, Direction, TransferPhase};
use baton_api::transfer::v1::interaction::State;
use baton_api::transfer::v1::party::Role;
use baton_api::transfer::v1::{Hop, Interaction, Participation, Party, Transfer};

use super::event_text::Names;
use super::output::Column;
use super::word;

/// All of a call; the allowed actions are those of `who`.
pub(super) fn full_text(call: &Interaction, names: &Names, who: &str) -> String {
    let mut text = summary(call, names, who);
    line(&mut text, "began", &word::moment(call.create_time.as_ref()));
    if call.state() == State::Ended {
        line(&mut text, "ended", &end(call));
    }
    for hop in &call.journey {
        line(&mut text, "hop", &hop_line(hop, call.direction(), names));
    }
    for participation in &call.participations {
        line(&mut text, "participation", &participation_line(participation, names));
    }
    for note in &call.notes {
        line(&mut text, "note", &format!("{} ({})", word::or_dash(&note.text), actor(note.author.as_ref(), names)));
    }
    for (key, value) in &call.data {
        line(&mut text, "data", &format!("{} = {}", word::one_line(key), word::one_line(value)));
    }
    text
}

/// Empty for an actor that is not given.
pub(super) fn actor(actor: Option<&Actor>, names: &Names) -> String {
    let Some(actor) = actor else { return String::new() };
    let own = match actor.kind() {
        Kind::Agent => names.of(&actor.id),
        _ => format!("{}, {}", word::one_line(&actor.id), word::actor_kind(actor.kind)),
    };
    if actor.for_agent_id.is_empty() { own } else { format!("{own}, for {}", names.of(&actor.for_agent_id)) }
}

/// A call without its history; the allowed actions are those of `who`.
pub(super) fn summary(call: &Interaction, names: &Names, who: &str) -> String {
    let way = if call.direction() == Direction::Outbound { "from" } else { "to" };
    let mut text = format!("Call {} {way} {}: {}\n", call.interaction_id, call.number, state(call, names));
    for party in &call.parties {
        line(&mut text, &word::party_role(party.role), &party_line(party));
    }
    if let Some(transfer) = &call.transfer {
        line(&mut text, "transfer", &transfer_line(transfer, names));
    }
    if let Some(recording) = &call.recording {
        let how = match (recording.live, recording.paused) {
            (true, _) => "on",
            (false, true) => "paused",
            (false, false) => "off at this moment",
        };
        let mode = word::or_dash(word::recording_mode(recording.mode));
        line(&mut text, "recording", &format!("{how} (mode {mode})"));
    }
    if !call.allowed_actions.is_empty() {
        let actions: Vec<_> = call.allowed_actions.iter().map(|it| word::action(*it)).collect();
        line(&mut text, "may now", &format!("{}: {}", word::one_line(who), actions.join(", ")));
    }
    text
}

/// A labelled line; the column is as wide as the longest label, `participant`.
fn line(text: &mut String, what: &str, is: &str) {
    let _ = writeln!(text, "  {what:<11} {is}");
}

/// When it ended, and its length. An ended call does not change, so its last update was its end.
fn end(call: &Interaction) -> String {
    let (Some(begin), Some(end)) = (&call.create_time, &call.update_time) else { return String::new() };
    let lasted_ms = (word::micros(end) - word::micros(begin)) / 1_000;
    format!("{}, after {}", word::moment(Some(end)), word::seconds(lasted_ms))
}

/// One line for a call as it changes.
pub(super) fn change_line(call: &Interaction, names: &Names) -> String {
    let mut parts = vec![state(call, names)];
    let with_leg = |it: &Party| format!("{} {}", word::or_dash(&it.name), word::leg_state(it.leg_state));
    if !call.parties.is_empty() {
        parts.push(call.parties.iter().map(with_leg).collect::<Vec<_>>().join(", "));
    }
    parts.extend(call.transfer.as_ref().map(|it| transfer_line(it, names)));
    parts.join("; ")
}

const COLUMNS: [Column; 6] = [
    Column::id("call"),
    Column::state("state"),
    Column::always("with"),
    Column::always("customer"),
    Column::if_room(word::SINCE),
    Column::if_room("number"),
];
const WITH_ENDED: [Column; 7] = [
    Column::id("call"),
    Column::state("state"),
    Column::always("with"),
    Column::always("customer"),
    Column::if_room(word::SINCE),
    Column::if_room("ended because"),
    Column::if_room("number"),
];

/// The columns of a list of calls; the end reason only where ended calls are listed.
pub(super) fn columns(with_ended: bool) -> &'static [Column] {
    if with_ended { &WITH_ENDED } else { &COLUMNS }
}

pub(super) fn row(call: &Interaction, names: &Names, with_ended: bool) -> Vec<String> {
    let mut row = vec![
        call.interaction_id.clone(),
        word::interaction_state(call.state),
        if call.primary_agent_id.is_empty() { "-".to_owned() } else { names.of(&call.primary_agent_id) },
        word::or_dash(Customer::address_of(call.customer.as_ref())),
        word::time(call.create_time.as_ref()),
    ];
    if with_ended {
        row.push(word::or_dash(word::reason(call.end_reason)));
    }
    row.push(call.number.clone());
    row
}

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
    let mut text = word::interaction_state(call.state);
    if !call.primary_agent_id.is_empty() {
        let _ = write!(text, " {}", names.of(&call.primary_agent_id));
    }
    if call.customer_on_hold {
        text.push_str(", customer on hold");
    }
    let outside = call.parties.iter().find(|it| it.external.is_some() && it.role() == Role::Primary);
    if let Some(outside) = outside {
        let _ = write!(text, " {}", word::or_dash(&outside.name));
    }
    let parked = |it: &&Transfer| matches!(it.phase(), TransferPhase::Accepted | TransferPhase::Swapped);
    if let Some(transfer) = call.transfer.as_ref().filter(parked) {
        let _ = write!(
            text,
            ", {} waits with music",
            names.of_recipient(&transfer.recipient_agent_id, transfer.recipient_external.as_ref())
        );
    }
    let away = call.transfer.as_ref().filter(|it| it.phase() == TransferPhase::Away);
    if let Some(transfer) = away {
        let _ = write!(text, ", customer in {} until they come back", names.of_target(transfer.target.as_ref()));
    }
    if let Some(hop) = waits_in(call) {
        let since = word::time(hop.start_time.as_ref());
        let _ = write!(text, ", waits for {} since {since}", names.of_target(hop.target.as_ref()));
    }
    text + &because(call.end_reason)
}

/// The step of the call flow that looks for an agent of a team or a queue.
fn waits_in(call: &Interaction) -> Option<&Hop> {
    let hop = call.journey.last()?;
    let of_flow = hop.transfer_id.is_empty() && hop.outcome() == TransferPhase::Unspecified;
    (call.state() == State::InFlow && of_flow).then_some(hop)
}

fn party_line(party: &Party) -> String {
    let muted = if party.muted { ", muted" } else { "" };
    format!("{} ({}{muted})", word::or_dash(&party.name), word::leg_state(party.leg_state))
}

fn hop_line(hop: &Hop, direction: Direction, names: &Names) -> String {
    let outcome = match word::transfer_phase(hop.outcome) {
        open if open.is_empty() => "open".to_owned(),
        outcome => outcome,
    };
    // An open or failed hop has no receiving agent, so its target is named.
    let to = if hop.to_agent_id.is_empty() { names.of_target(hop.target.as_ref()) } else { names.of(&hop.to_agent_id) };
    let way = match (hop.transfer_id.is_empty(), direction) {
        (true, Direction::Outbound) => format!("{to} calls"),
        (true, _) => format!("the call flow -> {to}"),
        (false, _) => format!("{} -> {to}", names.of(&hop.from_agent_id)),
    };
    let what_for = match word::one_line(&hop.chosen_outcome) {
        none if none.is_empty() => none,
        chosen => format!(", for \"{chosen}\""),
    };
    format!("{way}: {outcome}{}{what_for}", because(hop.reason))
}

fn participation_line(participation: &Participation, names: &Names) -> String {
    let (who, how) = (names.of(&participation.agent_id), word::one_line(&participation.disposition));
    match (how.is_empty(), participation.disposition_due) {
        (true, true) => format!("{who} has yet to say how it ended"),
        (true, false) => format!("{who} may say how it ended"),
        (false, _) if participation.note.is_empty() => format!("{who}: {how}"),
        (false, _) => format!("{who}: {how}, \"{}\"", word::one_line(&participation.note)),
    }
}

fn because(reason: i32) -> String {
    match word::reason(reason) {
        none if none.is_empty() => none,
        why => format!(" ({why})"),
    }
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::{Action, Reason, Target, TransferPhase, target};
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
        hop_line(&hop, Direction::Inbound, &names())
    }

    #[test]
    fn a_failed_hop_names_its_target() {
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
    fn a_turn_says_whether_it_is_dispositioned() {
        let participation = |disposition: &str, note: &str, disposition_due| {
            let (agent_id, disposition, note) = ("a".to_owned(), disposition.to_owned(), note.to_owned());
            participation_line(
                &Participation { agent_id, disposition, note, disposition_due, ..Participation::default() },
                &names(),
            )
        };
        assert_eq!(participation("", "", true), "Ada has yet to say how it ended");
        assert_eq!(participation("Resolved", "", false), "Ada: Resolved");
        assert_eq!(participation("Resolved", "two\nlines", false), "Ada: Resolved, \"two / lines\"");
    }

    #[test]
    fn a_note_with_line_ends_adds_no_line() {
        let text = "call back\n  recording  is paused".to_owned();
        let notes = vec![Note {
            text,
            author: Some(Actor { kind: Kind::Agent.into(), id: "a".to_owned(), ..Actor::default() }),
            ..Note::default()
        }];
        let data = [("vip".to_owned(), "no\n  may now    end".to_owned())].into();
        let shown = full_text(&Interaction { notes, data, ..Interaction::default() }, &names(), "Ada");
        assert!(shown.contains("\n  note        call back /   recording  is paused (Ada)\n"), "{shown}");
        assert!(shown.contains("\n  data        vip = no /   may now    end\n"), "{shown}");
    }

    #[test]
    fn an_actor_is_named() {
        let text = |kind: Kind, id: &str, for_agent: &str| {
            let it = Actor { kind: kind.into(), id: id.to_owned(), for_agent_id: for_agent.to_owned() };
            actor(Some(&it), &names())
        };
        assert_eq!(text(Kind::Agent, "a", ""), "Ada");
        assert_eq!(text(Kind::Supervisor, "eve", ""), "eve, supervisor");
        assert_eq!(text(Kind::Service, "crm", "a"), "crm, service, for Ada");
        assert_eq!(actor(None, &names()), "");
    }

    #[test]
    fn the_first_hop_of_an_outbound_call_names_no_flow() {
        let hop = Hop { to_agent_id: "a".to_owned(), outcome: TransferPhase::Completed.into(), ..Hop::default() };
        assert_eq!(hop_line(&hop, Direction::Outbound, &names()), "Ada calls: completed");
        assert_eq!(hop_line(&hop, Direction::Inbound, &names()), "the call flow -> Ada: completed");
    }

    #[test]
    fn allowed_actions_name_the_caller_and_labels_have_their_column() {
        let call = Interaction {
            parties: vec![Party { role: Role::Participant.into(), name: "Ben".to_owned(), ..Party::default() }],
            allowed_actions: vec![Action::Hold.into(), Action::SetData.into()],
            ..Interaction::default()
        };
        let shown = summary(&call, &names(), "Ada");
        assert!(shown.contains("\n  participant Ben ("), "{shown}");
        assert!(shown.contains("\n  may now     Ada: hold, set data\n"), "{shown}");
    }

    #[test]
    fn an_ended_call_says_when_and_after_how_long() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let call = Interaction {
            state: State::Ended.into(),
            end_reason: Reason::CustomerLeft.into(),
            create_time: at(0),
            update_time: at(83),
            ..Interaction::default()
        };
        let shown = full_text(&call, &names(), "");
        assert!(shown.contains("\n  ended       1970-01-01 00:01:23 UTC, after 83.0 s\n"), "{shown}");
        assert_eq!(row(&call, &names(), true).get(5).map(String::as_str), Some("customer left"));
        assert_eq!(row(&call, &names(), false).len(), columns(false).len());
        assert_eq!(row(&call, &names(), true).len(), columns(true).len());
    }

    #[test]
    fn a_change_without_parties_and_transfer_is_the_state_alone() {
        let call = Interaction { state: State::Ended.into(), ..Interaction::default() };
        assert_eq!(change_line(&call, &names()), "ended");
    }
}
