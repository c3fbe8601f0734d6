//! What happened, as lines of the ledger.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::LedgerAction as Action;

use crate::engine::{Happening, Place, What};

use super::convert::text;

/// One line.
pub(crate) fn entry(happening: &Happening) -> proto::LedgerEntry {
    let mut entry = proto::LedgerEntry {
        sequence: happening.sequence,
        boot_id: happening.boot_id.to_string(),
        occurred_at_us: happening.occurred_at_us,
        tenant: happening.tenant.clone(),
        ..proto::LedgerEntry::default()
    };
    let action = match &happening.what {
        What::Booted => Action::Booted,
        What::ControlTaken { epoch, controller } => {
            entry.detail = format!("{controller} with epoch {epoch}");
            Action::ControlTaken
        }
        What::CommandRefused { command, message } => {
            entry.detail = format!("{command}: {message}");
            Action::CommandRefused
        }
        What::RoomEnsured { room_id, treatment } => {
            entry.room_id = room_id.to_string();
            entry.set_treatment((*treatment).into());
            Action::RoomEnsured
        }
        What::RoomDestroyed { room_id } => {
            entry.room_id = room_id.to_string();
            Action::RoomDestroyed
        }
        what => leg_line(&mut entry, what).or_else(|| sound_line(&mut entry, what)).unwrap_or_default(),
    };
    entry.set_action(action);
    entry
}

fn leg_line(entry: &mut proto::LedgerEntry, what: &What) -> Option<Action> {
    let (leg_id, action) = match what {
        What::CallPlaced { leg_id, address, called } => {
            (entry.address, entry.detail) = (address.clone(), called.clone());
            (leg_id, Action::CallPlaced)
        }
        What::LegDialed { leg_id, address, caller_id } => {
            (entry.address, entry.detail) = (address.clone(), caller_id.clone());
            (leg_id, Action::LegDialed)
        }
        What::LegRinging { leg_id } => (leg_id, Action::LegRinging),
        What::LegAnswered { leg_id } => (leg_id, Action::LegAnswered),
        What::LegEnded { leg_id, cause, side } => {
            entry.set_cause((*cause).into());
            entry.set_side((*side).into());
            (leg_id, Action::LegEnded)
        }
        What::LegMoved { leg_id, room_id, from_room_id } => {
            (entry.room_id, entry.from_room_id) = (text(room_id.as_ref()), text(from_room_id.as_ref()));
            (leg_id, Action::LegMoved)
        }
        What::LegMuted { leg_id, muted, side } => {
            entry.muted = *muted;
            entry.set_side((*side).into());
            (leg_id, Action::LegMuted)
        }
        What::ExitStarted { exit_id, leg_id, mailbox } => {
            (entry.subject_id, entry.detail) = (exit_id.to_string(), mailbox.clone());
            (leg_id, Action::ExitStarted)
        }
        What::ExitEnded { exit_id, leg_id, outcome, .. } => {
            entry.subject_id = exit_id.to_string();
            entry.set_exit_outcome((*outcome).into());
            (leg_id, Action::ExitEnded)
        }
        _ => return None,
    };
    entry.leg_id = leg_id.to_string();
    Some(action)
}

fn sound_line(entry: &mut proto::LedgerEntry, what: &What) -> Option<Action> {
    match what {
        What::PlaybackStarted { playback_id, at, announcement } => {
            playback(entry, playback_id, at, announcement);
            Some(Action::PlaybackStarted)
        }
        What::PlaybackFinished { playback_id, at, announcement, end } => {
            playback(entry, playback_id, at, announcement);
            entry.set_playback_end((*end).into());
            Some(Action::PlaybackFinished)
        }
        What::PlaybackFailed { playback_id, at, message } => {
            playback(entry, playback_id, at, message);
            Some(Action::PlaybackFailed)
        }
        What::RecordingStarted { recording_id, room_id, .. } => {
            (entry.subject_id, entry.room_id) = (recording_id.to_string(), text(room_id.as_ref()));
            Some(Action::RecordingStarted)
        }
        What::RecordingFinished { recording } => {
            entry.subject_id = recording.recording_id.to_string();
            entry.room_id = text(recording.room_id.as_ref());
            Some(Action::RecordingFinished)
        }
        What::RecordingFailed { recording_id, room_id, message } => {
            (entry.subject_id, entry.room_id) = (recording_id.to_string(), text(room_id.as_ref()));
            entry.detail.clone_from(message);
            Some(Action::RecordingFailed)
        }
        What::RecordingDeleted { recording_id } => {
            entry.subject_id = recording_id.to_string();
            Some(Action::RecordingDeleted)
        }
        _ => None,
    }
}

fn playback(entry: &mut proto::LedgerEntry, id: &impl ToString, at: &Place, detail: &str) {
    entry.subject_id = id.to_string();
    entry.room_id = text(at.room_id.as_ref());
    entry.leg_id = text(at.leg_id.as_ref());
    detail.clone_into(&mut entry.detail);
}
