//! Who hears whom, as the switch's own ledger shows it.

use std::collections::BTreeMap;

use baton_api::simulator::v1::{LedgerAction, LedgerEntry, RoomTreatment};
use serde_json::{Value, json};

use crate::client::word;

/// The legs and rooms of the switch, as far as they matter to who hears whom.
#[derive(Debug, Default)]
pub(super) struct Switchboard {
    legs: BTreeMap<String, LedgerLeg>,
    rooms: BTreeMap<String, RoomTreatment>,
}

#[derive(Debug)]
struct LedgerLeg {
    who: String,
    is_up: bool,
    room: String,
}

/// What those in one room hear.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hearing {
    pub(super) who: Vec<String>,
    pub(super) hears: &'static str,
}

impl Switchboard {
    /// Takes in the next line of the ledger; `name` says who has a phone.
    pub(super) fn apply(&mut self, entry: &LedgerEntry, name: impl Fn(&str) -> String) {
        match entry.action() {
            LedgerAction::CallPlaced | LedgerAction::LegDialed => {
                let leg = LedgerLeg { who: name(&entry.address), is_up: false, room: String::new() };
                self.legs.insert(entry.leg_id.clone(), leg);
            }
            LedgerAction::LegAnswered => {
                if let Some(leg) = self.legs.get_mut(&entry.leg_id) {
                    leg.is_up = true;
                }
            }
            LedgerAction::LegMoved => {
                if let Some(leg) = self.legs.get_mut(&entry.leg_id) {
                    leg.room.clone_from(&entry.room_id);
                }
            }
            LedgerAction::LegEnded => {
                self.legs.remove(&entry.leg_id);
            }
            LedgerAction::RoomEnsured => {
                self.rooms.insert(entry.room_id.clone(), entry.treatment());
            }
            LedgerAction::RoomDestroyed => {
                self.rooms.remove(&entry.room_id);
            }
            _ => {}
        }
    }

    /// Who hears whom now.
    pub(super) fn hearings(&self) -> Vec<Hearing> {
        let mut rooms: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for leg in self.legs.values().filter(|it| it.is_up) {
            rooms.entry(&leg.room).or_default().push(leg.who.clone());
        }
        let mut hearings: Vec<_> = rooms.into_iter().map(|(room, who)| self.hearing(room, who)).collect();
        hearings.sort();
        hearings
    }

    fn hearing(&self, room: &str, mut who: Vec<String>) -> Hearing {
        // "the customer" first, then by name.
        who.sort_by_key(|it| (!it.starts_with("the "), it.clone()));
        let treatment = self.rooms.get(room).copied().unwrap_or(RoomTreatment::Silence);
        let hears = match treatment {
            RoomTreatment::Conversation if who.len() > 1 => "each other",
            RoomTreatment::HoldMusic => "music",
            RoomTreatment::Ringback => "ringing",
            _ => "silence",
        };
        Hearing { who, hears }
    }
}

/// In words.
pub(super) fn sentence(hearings: &[Hearing]) -> String {
    if hearings.is_empty() {
        return "Nobody is on the line.".to_owned();
    }
    let clause = |it: &Hearing| {
        let verb = if it.who.len() == 1 { "hears" } else { "hear" };
        format!("{} {verb} {}", word::listed(&it.who), it.hears)
    };
    let text = hearings.iter().map(clause).collect::<Vec<_>>().join("; ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// For programs.
pub(super) fn value(hearings: &[Hearing]) -> Value {
    hearings.iter().map(|it| json!({ "who": it.who, "hears": it.hears })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(action: LedgerAction, leg: &str, room: &str) -> LedgerEntry {
        LedgerEntry {
            action: action.into(),
            leg_id: leg.to_owned(),
            room_id: room.to_owned(),
            address: leg.to_owned(),
            ..LedgerEntry::default()
        }
    }

    fn board(lines: &[LedgerEntry]) -> String {
        let mut board = Switchboard::default();
        for line in lines {
            board.apply(line, |address| if address == "c" { "the customer".to_owned() } else { address.to_owned() });
        }
        sentence(&board.hearings())
    }

    fn room(room: &str, treatment: RoomTreatment) -> LedgerEntry {
        LedgerEntry { treatment: treatment.into(), ..line(LedgerAction::RoomEnsured, "", room) }
    }

    fn joined(leg: &str, room: &str) -> [LedgerEntry; 3] {
        let (dialed, answered) = (LedgerAction::LegDialed, LedgerAction::LegAnswered);
        [line(dialed, leg, ""), line(answered, leg, ""), line(LedgerAction::LegMoved, leg, room)]
    }

    #[test]
    fn a_consult_is_private_and_the_customer_hears_music() {
        let mut lines = vec![room("hold", RoomTreatment::HoldMusic), room("consult", RoomTreatment::Conversation)];
        lines.extend(joined("c", "hold"));
        lines.extend(joined("Ada", "consult"));
        assert_eq!(board(&lines), "Ada hears silence; the customer hears music.");
        lines.extend(joined("Ben", "consult"));
        assert_eq!(board(&lines), "Ada and Ben hear each other; the customer hears music.");
    }

    #[test]
    fn a_phone_that_only_rings_hears_nobody_and_is_not_told_of() {
        assert_eq!(board(&[line(LedgerAction::LegDialed, "Ada", "")]), "Nobody is on the line.");
    }

    #[test]
    fn who_has_hung_up_is_gone() {
        let mut lines = vec![room("talk", RoomTreatment::Conversation)];
        lines.extend(joined("c", "talk"));
        lines.extend(joined("Ada", "talk"));
        assert_eq!(board(&lines), "The customer and Ada hear each other.");
        lines.push(line(LedgerAction::LegEnded, "Ada", ""));
        assert_eq!(board(&lines), "The customer hears silence.");
    }
}
