//! How events leave a service and reach the services and clients that act upon them.
//!
//! A change and its events commit together in the service's own database (`baton_store::outbox`). The [`Relay`] copies
//! them from there to the [`Bus`], a [`Consumer`] of another service reads the bus and commits the effect in *its* own
//! database, and [`EventApi`] shows them to people and programs. No call waits for any of this: with the bus down, events
//! queue in the outbox.
//!
//! # Guarantees
//! - An event is on the bus if its change was committed (E1), within milliseconds while all is well, and once: the bus
//!   keeps how far it has the outbox of each service, and moves that with the events.
//! - Within an aggregate the order is 1, 2, 3… without holes (E2). Between aggregates there is none to rely on.
//! - An event has its effect on a consumer once, and in order, however often it is delivered. An event that can't be acted
//!   upon becomes a dead letter after five tries, and the others go on (E5).
//!
//! # The bus
//! In `baton up` the embedded [`EventLog`]: a `SQLite` file and a number to wait on. On many machines [`JetStreamBus`]: a stream of
//! NATS, which is its own fence. Services hold a [`Bus`] and never see which. Neither is needed for a start: a stream that can't be
//! reached is waited for.
//!
//! # A service's part
//! ```ignore
//! tracker.spawn(Relay::new("recording", db.clone(), bus.clone(), clock.clone()).run(shutdown.clone()));
//! let consumer = Consumer::new("recording", bus, db, clock, EventMatcher::types(["recording.*"])?);
//! tracker.spawn(consumer.run(handler, shutdown)); // `handler` implements `Handler`.
//! ```

mod actor;
mod bus;
mod consumer;
mod cursor;
mod envelope;
mod error;
mod event_service;
mod jetstream;
mod log;
mod log_line;
mod matcher;
mod outgoing;
mod relay;

pub use actor::caller_actor;
pub use baton_api::actor_text::{actor_text, parse_actor};
pub use bus::{Bus, CursorMove, EventStream, SourceCursor, TailStream};
pub use consumer::{Consumer, Failure, Handler, MAX_TRIES};
pub use envelope::{DATA_SCHEMA, Envelope, Logged, PARTITIONS, SPEC_VERSION, partition};
pub use error::BusError;
pub use event_service::EventApi;
pub use jetstream::{JetStreamBus, JetStreamError, JetStreamOptions, StreamSettings};
pub use log::{EventLog, MAX_PAGE, Page, Tailed};
pub use matcher::{EventMatcher, EventMatcherError};
pub use outgoing::OutgoingEvent;
pub use relay::{Relay, copy_cursor};
