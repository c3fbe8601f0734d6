//! Telephony: makes a switch match what interactions want.
//!
//! # Theory of operation
//! The transfer service pushes a *plan* per interaction: which legs, in which rooms, hearing what, recorded as what. It is a
//! projection of the interaction's state, not a script, so versions may be skipped, repeated or come late. One task per
//! [`interaction`] compares the newest plan with the [`observed`] state (what is on the switch, as far as known) and executes
//! one step after the other, in the order that [`reconcile`] gives, until they match.
//!
//! - *Readable* state (rooms, members, running recordings) is compared and corrected.
//! - *Repeatable* commands (music, mute) are sent again after every move, and when a snapshot does not show their effect.
//! - An [`operation`] (dial, announcement, exit, segment) happens at most once: it is written down before the switch is
//!   asked, and the same id is never requested again (but for a segment that a start finds was never requested). Its outcome
//!   is a fact; after two snapshots without it, it is *gone, unknown*.
//!
//! Facts go the other way in the same manner: the last observation of each operation is kept, and [`report`]ed until the
//! transfer service has committed it. So nothing has to be recovered after a crash: load, take a snapshot, compare. Only
//! after another start of the machine a plan that was loaded may not be the newest ([`doubt`]).
//!
//! The switch is behind the port [`switch::SwitchPort`]. [`plan_acceptor`] fences and stores plans, [`link`] keeps the
//! connection to the switch, `live_phones` knows which phones are busy, [`name_registry`] knows which interaction a name on the
//! switch belongs to, [`orphan`] handles calls, legs, rooms and recordings of no known interaction, and [`upload`] brings closed
//! segments to the archive.

pub mod doubt;
pub mod fact;
pub mod grpc;
pub mod interaction;
pub mod link;
mod live_phones;
pub mod name_registry;
pub mod observed;
pub mod operation;
pub mod orphan;
pub mod plan;
pub mod plan_acceptor;
pub mod reconcile;
pub mod report;
mod retry;
mod start;
pub mod store;
pub mod switch;
pub mod upload;

pub use start::{Telephony, start};
pub use store::MIGRATIONS;
