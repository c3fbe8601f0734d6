//! A telephone switch, as telephony needs it: the port behind which the simulated switch stands today and Asterisk later.
//!
//! Every backend must keep these promises, because the code above it can't make up for them:
//! - Telephony chooses the names of legs, playbacks, recordings and exits. A used name is [`SwitchPortError::Exists`] where
//!   the switch can tell; in any case, telephony never requests the same attempt twice. Of recordings every switch can tell:
//!   a start asks again for one that the switch has not seen.
//! - After [`SwitchPort::connect`] no command of an older epoch is executed.
//! - After [`SwitchCommand::Move`] the leg hears what its room's treatment says. A backend whose switch does not do so
//!   repeats the treatment.
//! - [`SwitchCommand::StopRecording`] is done when no further sample is taken, though the file may not be complete yet.
//! - Events come in order while a session lasts. Events of a gap between two sessions never come: take a snapshot.
//! - A command that is not answered in a few seconds is [`SwitchPortError::Unknown`].

pub mod simulated;

use async_trait::async_trait;
use baton_api::common::v1::IvrElement;
use baton_api::transfer::v1::FlowDatum;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::plan::Treatment;

/// The port.
#[async_trait]
pub trait SwitchPort: Send + Sync + 'static {
    /// Takes control with an epoch greater than `after_epoch`, and opens the stream of events.
    async fn connect(&self, after_epoch: i64) -> Result<SwitchSession, SwitchPortError>;
    async fn snapshot(&self) -> Result<SwitchSnapshot, SwitchPortError>;

    /// Carries the commands out in this order, until one is not; at once where the switch can do that. Returns what became of each that was tried,
    /// of one at least.
    async fn execute(&self, commands: &[SwitchCommand]) -> Vec<CommandResult>;
    /// How a leg ended that is not there any more; `None` where the switch can't tell.
    async fn how_ended(&self, leg: &str) -> Result<Option<LegEnd>, SwitchPortError>;

    /// The file of a closed recording, or of the message of an exit that is over.
    async fn fetch(&self, recording: &str) -> Result<FetchedRecording, SwitchPortError>;
    /// Deletes the file of a closed recording.
    async fn delete_recording(&self, recording: &str) -> Result<(), SwitchPortError>;
    /// The name under which the switch keeps what is said in an exit.
    fn message_of(&self, exit: &str) -> String;
}

/// What became of a command. When it was carried out: the time of a recording's first or last sample, in µs; 0 for other commands.
pub type CommandResult = Result<i64, SwitchPortError>;

/// Changes one thing on the switch. All names are those on the switch.
#[derive(Clone, Debug, PartialEq)]
pub enum SwitchCommand {
    Dial(DialCall),
    Answer {
        leg: String,
    },
    HangUp {
        leg: String,
        /// The reason is the end of the ring time.
        no_answer: bool,
    },
    /// Moves the leg from its present room, if any, in one step.
    Move {
        leg: String,
        room: String,
    },
    TakeOut {
        leg: String,
    },
    SetMute {
        leg: String,
        muted: bool,
    },
    /// Creates the room, or changes its treatment.
    EnsureRoom {
        room: String,
        tenant: String,
        treatment: Treatment,
    },
    /// The room must be empty.
    DestroyRoom {
        room: String,
    },
    Play {
        playback: String,
        room: String,
        /// The name of the sound.
        announcement: String,
    },
    StopPlayback {
        playback: String,
    },
    StartRecording {
        recording: String,
        room: String,
        tenant: String,
    },
    StopRecording {
        recording: String,
    },
    /// Sends the leg to a voicemail box.
    Exit {
        exit: String,
        leg: String,
        mailbox: String,
    },
    /// Sends the leg into an IVR flow. The switch tells how far it is by [`SwitchEventKind::Flow`], and keeps that until the leg has ended.
    RunFlow {
        exit: String,
        leg: String,
        flow: Vec<IvrElement>,
    },
    /// Takes the leg back out of a flow, into no room. `Gone`: the flow is over.
    Recall {
        exit: String,
    },
}

/// Carries out one command.
pub async fn execute_one(switch: &dyn SwitchPort, command: SwitchCommand) -> CommandResult {
    let mut results = switch.execute(&[command]).await;
    results.pop().unwrap_or_else(|| Err(SwitchPortError::Unknown("the command was not tried".to_owned())))
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchPortError {
    /// The leg, room, playback or recording does not exist. For a command that removes it, this is success.
    #[error("the switch has no such thing")]
    Gone,
    /// The name was used before: an earlier request reached the switch.
    #[error("the switch has used that name already")]
    Exists,
    /// The switch refuses the command. Nothing has changed.
    #[error("the switch refused: {0}")]
    Refused(String),
    /// Another controller has a newer epoch. Nothing has changed.
    #[error("another controller has taken the switch")]
    Fenced,
    /// No clear answer: the command may or may not have been executed.
    #[error("the switch did not answer: {0}")]
    Unknown(String),
}

impl SwitchPortError {
    /// The command was certainly not executed, now or by an earlier request.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Gone | Self::Refused(_))
    }
}

/// For commands that remove something: "already gone" is success.
pub fn gone_is_done<T>(result: Result<T, SwitchPortError>) -> Result<(), SwitchPortError> {
    match result {
        Ok(_) | Err(SwitchPortError::Gone) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Control of a switch, for as long as its stream of events lasts.
pub struct SwitchSession {
    /// The epoch under which control was taken.
    pub epoch: i64,
    /// The run of the switch: a leg never outlives its run.
    pub boot_id: String,
    /// Of the last event before the stream.
    pub sequence: i64,
    pub events: BoxStream<'static, Result<SwitchEvent, SwitchPortError>>,
}

/// The file of a recording.
pub struct FetchedRecording {
    /// When its first sample was taken, and when its last, in µs; 0 where the switch does not say so.
    pub started_at_us: i64,
    pub ended_at_us: i64,
    /// Hexadecimal; empty where the switch gives none.
    pub sha256: String,
    /// The switch died while it was written.
    pub torn: bool,
    /// A WAV file, in pieces.
    pub file: BoxStream<'static, Result<Bytes, SwitchPortError>>,
}

/// An outgoing leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialCall {
    /// Its name on the switch.
    pub leg: String,
    pub tenant: String,
    /// Stored with the leg on the switch, so that a later snapshot shows which interaction it belongs to.
    pub interaction: String,
    pub phone: String,
    /// The caller id that the phone shows.
    pub caller: String,
    /// Length of the ring time.
    pub ring_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SwitchEvent {
    /// Counts within the run of the switch; 0 where the switch does not count.
    pub sequence: i64,
    /// By the switch's clock.
    pub at_us: i64,
    pub kind: SwitchEventKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SwitchEventKind {
    InboundCall(InboundCall),
    Ringing {
        leg: String,
    },
    Answered {
        leg: String,
    },
    Ended {
        leg: String,
        why: LegEnding,
    },
    /// An announcement is over, or could not be played.
    PlaybackOver {
        playback: String,
    },
    RecordingStarted {
        recording: String,
        /// The time of its first sample.
        started_at_us: i64,
    },
    /// A recording is complete and can be fetched.
    RecordingClosed(ClosedRecording),
    /// A recording could not be written.
    RecordingFailed {
        recording: String,
    },
    ExitOver {
        exit: String,
        leg: String,
        end: ExitEnd,
    },
    /// An IVR flow has come so far, or is over.
    Flow(FlowReport),
    /// Telephony does not need it.
    Other,
}

/// How far a leg is in an IVR flow, or was when it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowReport {
    pub exit: String,
    pub leg: String,
    /// `None`: it goes on.
    pub end: Option<FlowEnding>,
    /// All that it has collected and set.
    pub data: Vec<FlowDatum>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowEnding {
    /// The leg is gone.
    Left,
    /// The flow gave the leg back, or it was taken back; it is in no room. So it is after the other ends.
    Returned,
    Ended,
    /// By the transfer element at this index.
    Transferred(i32),
    /// The flow did not come to an end.
    Failed,
}

/// A call that came in and is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundCall {
    /// The switch's name for the leg.
    pub leg: String,
    /// The tenant of the number that was called.
    pub tenant: String,
    /// The caller's number.
    pub from: String,
    pub to: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnding {
    /// Hung up by either side, or cancelled before the answer.
    HungUp,
    Busy,
    /// The ring time is over.
    NoAnswer,
    Declined,
    /// The phone does not exist, or the cause is unknown.
    Unreachable,
    /// The switch stopped or restarted.
    SwitchLost,
}

/// The end of a leg, as the switch kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegEnd {
    pub why: LegEnding,
    /// By the switch's clock.
    pub at_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitEnd {
    Left,
    /// The leg came back, and is in no room.
    Returned,
    Unknown,
}

/// A recording that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRecording {
    pub recording: String,
    /// The time of its first sample.
    pub started_at_us: i64,
    /// The time of its last sample.
    pub ended_at_us: i64,
    /// Of the file, hex; empty when the switch gives none.
    pub sha256: String,
    /// The file was damaged and repaired: a part of the audio is missing.
    pub torn: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SwitchSnapshot {
    pub boot_id: String,
    /// Of the last event that the snapshot contains; 0 where the switch does not count.
    pub sequence: i64,
    pub legs: Vec<LegSnapshot>,
    pub rooms: Vec<RoomSnapshot>,
    /// Announcements that are playing.
    pub playbacks: Vec<String>,
    /// Running recordings, with the time of their first sample.
    pub recordings: Vec<(String, i64)>,
    pub closed: Vec<ClosedRecording>,
    /// The flows that live legs are in, or were in last.
    pub flows: Vec<FlowReport>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegSnapshot {
    pub name: String,
    pub tenant: String,
    /// Of the phone at the other end; of an inbound call, the caller's number.
    pub address: String,
    pub progress: LegProgress,
    pub room: Option<String>,
    /// `None` where the switch can't tell.
    pub muted: Option<bool>,
    pub origin: LegOrigin,
}

/// The progress of a call on one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegProgress {
    Ringing,
    Up,
    /// In this exit, where it can only be hung up.
    Exited(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegOrigin {
    Inbound(InboundCall),
    /// Dialled by telephony, for this interaction.
    Dialled(String),
    /// Neither inbound nor dialled by telephony.
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSnapshot {
    pub name: String,
    /// `None`: one that telephony never requests.
    pub treatment: Option<Treatment>,
    pub empty: bool,
}
