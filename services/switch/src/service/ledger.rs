//! Ledger entries as the contract has them.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::LedgerAction as ProtoAction;

use crate::engine::{LedgerAction, LedgerEntry, PlaybackLocation};

use super::convert::text;

pub(crate) fn entry(logged: &LedgerEntry) -> proto::LedgerEntry {
    let mut entry = proto::LedgerEntry {
        sequence: logged.sequence,
        boot_id: logged.boot_id.to_string(),
        occurred_at_us: logged.occurred_at_us,
        tenant: logged.tenant.clone(),
        ..proto::LedgerEntry::default()
    };
    let action = match &logged.action {
        LedgerAction::Booted => ProtoAction::Booted,
        LedgerAction::ControlTaken { epoch, controller } => {
            entry.detail = format!("{controller} with epoch {epoch}");
            ProtoAction::ControlTaken
        }
        LedgerAction::CommandRefused { command, message } => {
            entry.detail = format!("{command}: {message}");
            ProtoAction::CommandRefused
        }
        LedgerAction::RoomEnsured { room_id, treatment } => {
            entry.room_id = room_id.to_string();
            entry.set_treatment((*treatment).into());
            ProtoAction::RoomEnsured
        }
        LedgerAction::RoomDestroyed { room_id } => {
            entry.room_id = room_id.to_string();
            ProtoAction::RoomDestroyed
        }
        other => leg_line(&mut entry, other).or_else(|| sound_line(&mut entry, other)).unwrap_or_default(),
    };
    entry.set_action(action);
    entry
}

fn leg_line(entry: &mut proto::LedgerEntry, action: &LedgerAction) -> Option<ProtoAction> {
    let (leg_id, action) = match action {
        LedgerAction::CallPlaced { leg_id, address, called } => {
            (entry.address, entry.detail) = (address.clone(), called.clone());
            (leg_id, ProtoAction::CallPlaced)
        }
        LedgerAction::LegDialed { leg_id, address, caller_id } => {
            (entry.address, entry.detail) = (address.clone(), caller_id.clone());
            (leg_id, ProtoAction::LegDialed)
        }
        LedgerAction::LegRinging { leg_id } => (leg_id, ProtoAction::LegRinging),
        LedgerAction::LegAnswered { leg_id } => (leg_id, ProtoAction::LegAnswered),
        LedgerAction::LegEnded { leg_id, cause, side } => {
            entry.set_cause((*cause).into());
            entry.set_side((*side).into());
            (leg_id, ProtoAction::LegEnded)
        }
        LedgerAction::LegMoved { leg_id, room_id, from_room_id } => {
            (entry.room_id, entry.from_room_id) = (text(room_id.as_ref()), text(from_room_id.as_ref()));
            (leg_id, ProtoAction::LegMoved)
        }
        LedgerAction::LegMuted { leg_id, muted, side } => {
            entry.muted = *muted;
            entry.set_side((*side).into());
            (leg_id, ProtoAction::LegMuted)
        }
        LedgerAction::ExitStarted { exit_id, leg_id, mailbox } => {
            (entry.subject_id, entry.detail) = (exit_id.to_string(), mailbox.clone());
            (leg_id, ProtoAction::ExitStarted)
        }
        LedgerAction::FlowProgressed { exit_id, leg_id, key, .. } => {
            (entry.subject_id, entry.detail) = (exit_id.to_string(), key.clone());
            (leg_id, ProtoAction::FlowProgressed)
        }
        LedgerAction::ExitEnded { exit_id, leg_id, outcome, .. }
        | LedgerAction::FlowEnded { exit_id, leg_id, outcome, .. } => {
            entry.subject_id = exit_id.to_string();
            entry.set_exit_outcome((*outcome).into());
            (leg_id, ProtoAction::ExitEnded)
        }
        _ => return None,
    };
    entry.leg_id = leg_id.to_string();
    Some(action)
}

fn sound_line(entry: &mut proto::LedgerEntry, action: &LedgerAction) -> Option<ProtoAction> {
    match action {
        LedgerAction::PlaybackStarted { playback_id, at, announcement } => {
            playback(entry, playback_id, at, announcement);
            Some(ProtoAction::PlaybackStarted)
        }
        LedgerAction::PlaybackFinished { playback_id, at, announcement, end } => {
            playback(entry, playback_id, at, announcement);
            entry.set_playback_end((*end).into());
            Some(ProtoAction::PlaybackFinished)
        }
        LedgerAction::PlaybackFailed { playback_id, at, message } => {
            playback(entry, playback_id, at, message);
            Some(ProtoAction::PlaybackFailed)
        }
        LedgerAction::RecordingStarted { recording_id, room_id, .. } => {
            (entry.subject_id, entry.room_id) = (recording_id.to_string(), text(room_id.as_ref()));
            Some(ProtoAction::RecordingStarted)
        }
        LedgerAction::RecordingFinished { recording } => {
            entry.subject_id = recording.recording_id.to_string();
            entry.room_id = text(recording.room_id.as_ref());
            Some(ProtoAction::RecordingFinished)
        }
        LedgerAction::RecordingFailed { recording_id, room_id, message } => {
            (entry.subject_id, entry.room_id) = (recording_id.to_string(), text(room_id.as_ref()));
            entry.detail.clone_from(message);
            Some(ProtoAction::RecordingFailed)
        }
        LedgerAction::RecordingDeleted { recording_id } => {
            entry.subject_id = recording_id.to_string();
            Some(ProtoAction::RecordingDeleted)
        }
        _ => None,
    }
}

fn playback(entry: &mut proto::LedgerEntry, id: &impl ToString, at: &PlaybackLocation, detail: &str) {
    entry.subject_id = id.to_string();
    entry.room_id = text(at.room_id.as_ref());
    entry.leg_id = text(at.leg_id.as_ref());
    detail.clone_into(&mut entry.detail);
}
