//! The vocabulary that all of Baton shares: ids, and the closed lists with the names that they have in stored states, policies and on the
//! wire. One word has one meaning, and it is defined here once; a crate that needs a word of its own alone keeps it.
//!
//! Pure: no I/O, no clock, no randomness, and nothing of the contract. `baton-api` knows how each list is written in protobuf.

mod ids;
mod list;
mod lists;
mod type_text;

pub use ids::{
    AgentId, AnnouncementNo, ClaimNo, ExitNo, InteractionId, IvrFlowId, LegNo, MessageNo, NotAnId, QueueId,
    RecordingNo, SegmentNo, SwitchId, TeamId, TransferNo, WaitNo,
};
pub use lists::{
    AgentState, Direction, DivertedTo, Exclusion, ExitOutcome, FlowOutcome, Medium, Phase, Reason, RecordingMode, Room,
    TargetSort, TransferKind, Treatment, Visibility,
};
pub use type_text::type_text;
