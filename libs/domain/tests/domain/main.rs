//! The pure core, tested as a whole: rows played through, random input sequences against the invariants, and the state × input table.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod accepted;
mod causes;
mod chat;
mod edges;
mod invariants;
mod ivr;
mod kept;
mod likely;
mod outside;
mod queue;
mod random;
mod rows;
mod table;
mod user_transfer;
mod world;
