//! The machines: what an interaction consists of inside. Each owns its data, takes an input and returns what came of it. None knows another,
//! the interaction, or a clock; `react/connect.rs` carries what comes of one to the others.

mod decided;
mod flow;
mod ivr;
mod recorder;
mod search;
mod transfer;

pub use flow::{Flow, FlowStep};
pub use ivr::{IvrCase, IvrElement, IvrFlow, IvrStep};
pub use recorder::{Gap, Recorder, Segment, SuspendedTenure, Tenure};
pub use search::{Offer, OfferState, OutsideCall, Round, Search, Skipped};
pub use transfer::{Transfer, TransferState};

pub(crate) use recorder::{Conversation, Recorded};
pub(crate) use search::{AgentAnswered, Failed, Numbers, Overflowed, SearchEffect, SearchInput, SearchRules};
pub(crate) use transfer::{Course, Situation, TransferInput};
