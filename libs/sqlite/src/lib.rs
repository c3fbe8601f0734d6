//! `SQLite` on the caller's thread, behind the traits of `sqlx`.
//!
//! `sqlx`'s own driver runs each connection on a thread of its own: to hand a statement over and to wait for its answer costs two wake-ups, more
//! than most statements take. Here a statement is carried out where it is awaited (by `rusqlite`), and its future is ready at once. What is written
//! for either driver reads the same: `sqlx::query`, `FromRow`, `QueryBuilder`, migrations.
//!
//! # What that asks of its users
//! - A statement occupies its thread for as long as it takes: keep statements short, and results limited (they are gathered before the first row is
//!   given out). What took long the last time runs beside the others (`block_in_place`, on a runtime of several threads).
//! - The log is [written back](LogWriter::write_back) by whoever owns the database, not by the commit that made it long.
//! - What waits for another connection's lock waits without the thread ([`SqliteOptions::busy_timeout`]). Within one process, queue for the right
//!   to write before a transaction begins.
//! - Nothing of a statement is left when its future is dropped; a transaction is, and is rolled back by whoever owns the connection.
//!
//! Values are those of `SQLite` itself: integers, reals, texts and blobs. A [`Uuid`](uuid::Uuid) is a blob of 16 bytes, a `bool` an integer, JSON a text.

mod arguments;
mod connection;
mod database;
mod error;
mod executor;
mod migrate;
mod options;
mod row;
mod types;
mod value;

pub use arguments::SqliteArguments;
pub use connection::SqliteConnection;
pub use database::{Sqlite, SqliteQueryResult, SqliteTransactions};
pub use error::SqliteError;
pub use options::{LogWriter, SqliteOptions};
pub use row::{SqliteColumn, SqliteRow, SqliteStatement};
pub use value::{SqliteType, SqliteValue, SqliteValueRef};
