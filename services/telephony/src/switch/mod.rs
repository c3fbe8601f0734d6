//! A telephone switch, as telephony needs it: the port behind which the simulated switch stands today and Asterisk later.
//!
//! What every backend promises, because nothing above it can make up for it:
//! - Names are ours. A name of an attempt (leg, playback, recording, exit) that was used is [`SwitchError::Exists`] where the
//!   switch can tell; the caller never asks twice for the same attempt in any case.
//! - After [`Switch::move_leg`] the leg hears what its room's treatment says, also where a switch has to be told again.
//! - [`Switch::stop_recording`] returns when no further sample is taken, though the file may not be complete yet.
//! - Events come in order while a session lasts. Those of a gap between two sessions never come: look.
//! - A command that is not answered in a few seconds is [`SwitchError::Unknown`].

pub mod simulated;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::plan::Treatment;

/// The port. One method, one request to the switch.
#[async_trait]
pub trait Switch: Send + Sync + 'static {
    /// Takes control with an epoch greater than `after_epoch`, and opens the stream of events.
    async fn connect(&self, after_epoch: i64) -> Result<Session, SwitchError>;
    /// Everything that is on the switch.
    async fn look(&self) -> Result<Sight, SwitchError>;

    /// Rings a phone.
    async fn dial(&self, call: &DialCall) -> Result<(), SwitchError>;
    /// Answers a call that came in.
    async fn answer(&self, leg: &str) -> Result<(), SwitchError>;
    /// Hangs up. `no_answer`: because it rang for as long as it may.
    async fn hang_up(&self, leg: &str, no_answer: bool) -> Result<(), SwitchError>;
    /// Puts a leg into a room, out of the one it was in, in one step.
    async fn move_leg(&self, leg: &str, room: &str) -> Result<(), SwitchError>;
    /// Takes a leg out of its room.
    async fn take_out(&self, leg: &str) -> Result<(), SwitchError>;
    /// Others don't hear the leg, or do again.
    async fn set_mute(&self, leg: &str, muted: bool) -> Result<(), SwitchError>;

    /// Makes a room, or changes what is heard in it.
    async fn ensure_room(&self, room: &str, tenant: &str, treatment: Treatment) -> Result<(), SwitchError>;
    /// Removes an empty room.
    async fn destroy_room(&self, room: &str) -> Result<(), SwitchError>;

    /// Plays an announcement to all in a room.
    async fn play(&self, playback: &str, room: &str, announcement: &str) -> Result<(), SwitchError>;
    /// Stops an announcement.
    async fn stop_playback(&self, playback: &str) -> Result<(), SwitchError>;

    /// Records a room; says when the first sample was taken.
    async fn start_recording(&self, recording: &str, room: &str, tenant: &str) -> Result<i64, SwitchError>;
    /// Ends a recording; says when the last sample was taken.
    async fn stop_recording(&self, recording: &str) -> Result<i64, SwitchError>;
    /// The file of a closed recording.
    async fn fetch(&self, recording: &str) -> Result<BoxStream<'static, Result<Bytes, SwitchError>>, SwitchError>;
    /// Deletes the file of a closed recording.
    async fn delete_recording(&self, recording: &str) -> Result<(), SwitchError>;

    /// Sends a leg to a mailbox.
    async fn exit(&self, exit: &str, leg: &str, mailbox: &str) -> Result<(), SwitchError>;
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// What it is about is not there: of what was to go, success.
    #[error("the switch has no such thing")]
    Gone,
    /// The name was used before: an earlier try reached the switch.
    #[error("the switch has used that name already")]
    Exists,
    /// The switch will not do it. Nothing has changed.
    #[error("the switch refused: {0}")]
    Refused(String),
    /// Somebody else controls the switch now. Nothing has changed.
    #[error("another controller has taken the switch")]
    Fenced,
    /// No answer, or none that says: it may or may not have been done.
    #[error("the switch did not answer: {0}")]
    Unknown(String),
}

impl SwitchError {
    /// It was certainly not done, now or by an earlier try.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Gone | Self::Refused(_))
    }
}

/// "Already gone" is what was wanted.
pub fn gone_is_done(result: Result<(), SwitchError>) -> Result<(), SwitchError> {
    match result {
        Err(SwitchError::Gone) => Ok(()),
        other => other,
    }
}

/// Control of a switch, for as long as its stream of events lasts.
pub struct Session {
    /// The epoch that was taken.
    pub epoch: i64,
    /// The run of the switch: with another one, no leg of the earlier run lives.
    pub boot_id: String,
    /// The last event before the stream.
    pub sequence: i64,
    /// What happens from now on.
    pub events: BoxStream<'static, Result<Event, SwitchError>>,
}

/// How an outgoing leg is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialCall {
    /// Its name.
    pub leg: String,
    /// Whose call it is.
    pub tenant: String,
    /// The interaction, kept with the leg, so that it is known as ours later.
    pub interaction: String,
    /// The phone.
    pub phone: String,
    /// What the phone shows.
    pub caller: String,
    /// How long it may ring, in ms.
    pub ring_ms: i64,
}

/// Something that happened on the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number within the run of the switch; 0 where the switch does not count.
    pub sequence: i64,
    /// When, by the switch's clock.
    pub at_us: i64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A call came in.
    InboundCall(InboundCall),
    /// A phone rings.
    Ringing {
        /// The leg.
        leg: String,
    },
    /// A leg is connected.
    Answered {
        /// The leg.
        leg: String,
    },
    /// A leg is gone.
    Ended {
        /// The leg.
        leg: String,
        /// Why.
        why: Ending,
    },
    /// An announcement is over, or could not be played.
    PlaybackOver {
        /// The playback.
        playback: String,
    },
    /// A recording runs.
    RecordingStarted {
        /// The recording.
        recording: String,
        /// The time of its first sample.
        started_at_us: i64,
    },
    /// A recording is complete and can be fetched.
    RecordingClosed(ClosedRecording),
    /// A recording could not be written.
    RecordingFailed {
        /// The recording.
        recording: String,
    },
    /// A leg's exit is over.
    ExitOver {
        /// The exit.
        exit: String,
        /// The leg.
        leg: String,
        /// How.
        end: ExitEnd,
    },
    /// Nothing that telephony acts upon.
    Other,
}

/// A call that came in and that nobody has answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundCall {
    /// The switch's name for the leg.
    pub leg: String,
    /// Whose switch it is.
    pub tenant: String,
    /// Who calls.
    pub from: String,
    /// The number that was called.
    pub to: String,
}

/// Why a leg is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Hung up, by either side, or taken back before the answer.
    HungUp,
    /// The phone was engaged.
    Busy,
    /// It rang for as long as it may.
    NoAnswer,
    /// The person declined.
    Declined,
    /// No such phone, or nobody knows.
    Unreachable,
    /// The switch went away.
    SwitchLost,
}

/// How an exit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitEnd {
    /// The leg is gone.
    Left,
    /// The leg came back and is in no room.
    Returned,
    /// Nobody knows.
    Unknown,
}

/// A recording that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRecording {
    /// Its name.
    pub recording: String,
    /// The time of its first sample.
    pub started_at_us: i64,
    /// The time of its last sample.
    pub ended_at_us: i64,
    /// SHA-256 of the file, hex; empty when the switch gives none.
    pub sha256: String,
    /// It was torn and mended.
    pub torn: bool,
}

/// Everything on the switch at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The run of the switch.
    pub boot_id: String,
    /// The last event that is contained; 0 where the switch does not count.
    pub sequence: i64,
    /// All legs.
    pub legs: Vec<LegInSight>,
    /// All rooms.
    pub rooms: Vec<RoomInSight>,
    /// Announcements that are being played.
    pub playbacks: Vec<String>,
    /// Recordings that run, with the time of their first sample.
    pub recordings: Vec<(String, i64)>,
    /// Recordings that can be fetched.
    pub closed: Vec<ClosedRecording>,
}

/// A leg at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegInSight {
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub state: LegState,
    /// The room it is in.
    pub room: Option<String>,
    /// Nobody hears it. `None` where the switch can't tell.
    pub muted: Option<bool>,
    /// Where it came from.
    pub origin: LegOrigin,
}

/// How far a leg has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegState {
    /// Rings.
    Ringing,
    /// Connected.
    Up,
    /// In an exit: only hanging up is possible.
    Exited(String),
}

/// Where a leg on the switch came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegOrigin {
    /// It came in.
    Inbound(InboundCall),
    /// It was dialled for this interaction.
    Dialled(String),
    /// It is not ours.
    Foreign,
}

/// A room at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInSight {
    /// Its name.
    pub name: String,
    /// What is heard in it; `None` for what we never ask for.
    pub treatment: Option<Treatment>,
    /// Nobody is in it.
    pub empty: bool,
}
