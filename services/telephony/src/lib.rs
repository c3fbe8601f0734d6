//! Telephony: makes a switch match what interactions want.
//!
//! # Theory of operation
//! The transfer service pushes a *plan* per interaction: which legs, in which rooms, hearing what, recorded as what. It is a
//! projection of the interaction's state, not a script, so versions may be skipped, repeated or come late. One task per
//! [`interaction`] compares the newest plan with the [`world`] (what is on the switch, as far as known) and takes one step
//! after the other, in the order that [`reconcile`] gives, until they match.
//!
//! - *Readable* things (rooms, members, recordings that run) are compared and corrected.
//! - *Repeatable* ones (music, mute) are said again after every move and every look that can't tell.
//! - *Once only* ones ([`thing`]: dial, announcement, exit, segment) are written down before the switch is asked, and the
//!   same id is never asked for again. Their outcome is a fact; after two looks that show nothing it is *gone, unknown*.
//!
//! Facts go the other way in the same manner: the last observation of each thing is kept, and [`report`]ed until the transfer
//! service has committed it. So nothing has to be recovered after a crash: load, look, compare.
//!
//! The switch is behind the port [`switch::Switch`]; [`link`] keeps the connection, [`book`] knows which name on the switch is
//! whose, [`stray`] takes care of what nobody knows, [`upload`] brings closed segments to the archive.

pub mod book;
pub mod fact;
pub mod grpc;
pub mod interaction;
pub mod link;
pub mod plan;
pub mod reconcile;
pub mod registry;
pub mod report;
mod retry;
mod start;
pub mod store;
pub mod stray;
pub mod switch;
pub mod thing;
pub mod upload;
pub mod world;

pub use start::{Deps, StartError, Telephony, start};
