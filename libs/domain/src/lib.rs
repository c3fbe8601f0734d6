//! The pure core of Baton: what an interaction is, what may happen to it, and what the world must look like because of it.
//!
//! # Theory of operation
//!
//! An [`Interaction`] is one aggregate: its parties (the customer, the agents), at most one open [`Transfer`], the call flow, the recording,
//! the journey. One function advances it: [`react`] takes an [`Input`] (a command, a fact or a tick), the policy and the time, changes the
//! state, and says which [`Event`]s to publish. It refuses with a typed [`Refusal`] and has then changed nothing.
//!
//! Inside are four small [`machine`]s: the search for an agent, the call flow, the transfer, and the recorder. Each owns its data, takes an
//! input and *returns* what came of it; none of them knows another. One file connects them (`react/connect.rs`) and reads as the table of
//! the house.
//!
//! Nothing in here acts. What the outside must do is a *projection* of the state, a pure function of it (module [`project`]): which rooms
//! and legs there are, which agents are claimed, whom routing must find, when to look again. Whoever makes a projection true reports what it
//! saw as a [`Fact`]. Facts may come twice, late or never: a repeated one changes nothing (S5), and a missing one is met by a deadline. So
//! there is no script that can stop half way; after a crash the state is loaded, projected and pushed again.
//!
//! Policies are data ([`policy`]): how a customer is handed over is a row of a table of methods, and what an actor may do in which phase is
//! looked up, never coded. The function that decides, [`permit`](permit::permit), is also the one that tells each party what it may do, so
//! that no button lies (T6).
//!
//! There is no clock, no randomness, no I/O and no hashing order in this crate: the same inputs give the same state, always.

pub mod action;
pub mod actor;
pub mod cause;
pub mod event;
pub mod input;
pub mod interaction;
pub mod machine;
pub mod permit;
pub mod policy;
pub mod project;
pub mod queue;
mod react;

pub use action::{Action, ActionSet};
pub use actor::{Actor, AgentRef, ExternalRef, OutsideSort, Recipient, StaffRole, Target};
pub use cause::{Cause, FactSort, RuleField, Trigger};
pub use event::{Event, EventKind};
pub use input::{Command, Fact, Input, RecordingCommand, StartTransfer};
pub use interaction::{Interaction, Opening};
pub use machine::Transfer;
pub use permit::Refusal;
pub use policy::Policy;
pub use react::{Reaction, open, place, react};
