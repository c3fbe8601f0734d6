//! Proves a policy: explores everything that can happen to one interaction under it, and says which of the rules that must always hold can
//! break, each with the shortest way there.
//!
//! # How
//! The core of Baton is one pure function, [`react`](baton_domain::react). A *world* ([`World`]) is an interaction and a time; a *happening*
//! ([`Happening`]) is whatever could come next: a command of anybody, a fact of the switch, of presence or of routing, a deadline that
//! passes. From the first moment of a call on, every happening is tried in every world, by a model checker, until no new world is found.
//!
//! # Within a bound
//! There are endlessly many calls, so a proof needs a [`Bound`]: so many agents, so many transfers in a call. Worlds that differ in nothing
//! that matters later are one (`alike.rs`): numbers are renamed, and of time only remains which deadline is next and which of the
//! policy's durations still fit before each. Facts come late, twice or never: a fact is possible from the moment on at which it can be true,
//! and none is ever awaited.
//!
//! Only what must hold *always* is looked at ([`INVARIANTS`]). That something good happens in the end is said in that form, too: in every world
//! a deadline is armed, and deadlines alone lead to the end.

mod alike;
mod bound;
mod happening;
mod invariants;
mod model;
mod report;
mod rules;
mod timers;
mod transitions;
mod watch;
mod words;
mod world;

pub use bound::Bound;
pub use happening::{Happening, command_of};
pub use invariants::{INVARIANTS, Invariant};
pub use model::prove;
pub use report::{Broken, Completeness, Report, StoryStep, Unreached};
pub use watch::Watch;
pub use world::{World, agent, flow, outside, team};
