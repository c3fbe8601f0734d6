//! Telephony against the real simulated switch, over real connections: one binary, as linking is what costs.

mod calls;
mod faults;
mod harness;
mod kept;
mod outgoing;
mod segments;
mod traces;
