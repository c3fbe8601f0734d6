//! Reads Baton's events from NATS `JetStream`: in order, from where the caller was, each with effect once.
//!
//! For programs outside Baton, such as reports, screens on a wall, and copies in a warehouse. What an event is, and which there are, is
//! in `docs/events`; [`Event`] is the contract's own message, the same that `EventService` gives.
//!
//! **Once.** An [`EventFeed`] gives with each event a [`Cursor`]. Keep its text with your results, in one transaction, and begin there
//! again: what was killed at any moment then loses and doubles nothing. The server keeps no account of what was read and wants no
//! acknowledgements. An event that was published twice has the same source, subject and sequence: [`ReceivedEvent::arrival`] tells, and
//! tells of a gap, too.
//!
//! **Order** is the stream's: events about one subject come as they happened. While NATS is away or changes its leader, [`EventFeed::next`]
//! waits, and goes on with the next event.
//!
//! **All of it.** A [`Picture`] takes one event after the other and says how all calls, agents and queues of a tenant are.
//!
//! **Limits.** At most [`MAX_AHEAD`] events wait in memory. Nothing more is asked for before the caller has taken them; how long that takes does
//! not matter, but for the seven days that the stream keeps events.
//!
//! ```no_run
//! use baton_events::{Data, EventFeed, FeedError, FeedItem, FeedOptions, NatsOptions, ReadFrom};
//!
//! /// Whatever has transactions. Both are written together.
//! struct Results { completed: u64, cursor: Option<String> }
//! # impl Results { fn commit(&self) {} }
//!
//! async fn count(results: &mut Results) -> Result<(), Box<dyn std::error::Error>> {
//!     let nats = NatsOptions { servers: vec!["tls://nats:4222".into()], ..NatsOptions::default() };
//!     let from = match &results.cursor {
//!         Some(text) => ReadFrom::After(text.parse()?),
//!         None => ReadFrom::Beginning,
//!     };
//!     let mut feed = EventFeed::open(&nats, FeedOptions::of_tenant("acme").from(from)).await?;
//!     loop {
//!         match feed.next().await {
//!             Ok(FeedItem::Event(received)) => {
//!                 if let Some(Data::TransferCompleted(_)) = received.data() {
//!                     results.completed += 1;
//!                 }
//!                 results.cursor = Some(received.cursor.to_string());
//!             }
//!             // Nothing more is there now: a good moment to commit, also for what was passed over.
//!             Ok(FeedItem::CaughtUp(cursor)) => {
//!                 results.cursor = Some(cursor.to_string());
//!                 results.commit();
//!             }
//!             // Say so, and go on: what is wrong with one message must not stop the others.
//!             Ok(FeedItem::Unreadable(message)) => eprintln!("{}: {}", message.cursor, message.why),
//!             // The stream was made anew, so what comes from its beginning may be known already: see `ReceivedEvent::arrival`.
//!             Err(FeedError::Rebuilt { .. }) => feed = EventFeed::open(&nats, FeedOptions::of_tenant("acme")).await?,
//!             Err(error) => return Err(error.into()),
//!         }
//!     }
//! }
//! ```
//!
//! `examples/live_metrics.rs` is a whole program, with its results in `SQLite`.

mod arrival;
mod connection;
mod cursor;
mod error;
mod event;
mod feed;
mod options;
mod picture;
mod pull;

pub use arrival::Arrival;
/// The contract: every message and enum that an event may have.
pub use baton_api as api;
pub use baton_api::event::v1::{Event, EventData, event_data::Data};
pub use cursor::{Cursor, CursorError};
pub use error::FeedError;
pub use event::{ReceivedEvent, Unreadable};
pub use feed::{EventFeed, FeedItem};
pub use options::{FeedOptions, Login, NatsOptions, ReadFrom};
pub use picture::{CallPicture, Picture, PictureError, QueuedCall};
pub use pull::MAX_AHEAD;
