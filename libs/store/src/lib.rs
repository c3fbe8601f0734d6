//! Baton's databases: one per service, with one writer, and the tables that make a change safe to repeat.
//!
//! # Design
//! The same SQL text runs on `SQLite` and on `PostgreSQL`, so no service names a database: it holds a [`Db`],
//! writes in a [`Tx`], reads through a [`Reader`], and reaches the connection inside with [`on!`]. Statements use `$1`
//! placeholders, times are `BIGINT` microseconds, ids are [`uuid::Uuid`] (16 bytes in `SQLite`).
//!
//! Whoever writes makes a [change](Db::change), which runs again when another one was in its way (module `change`).
//! `SQLite` has one writer at a time, also of several processes: a change queues for it and starts with `BEGIN IMMEDIATE`, so it
//! never fails half way because another one wrote first. Readers have connections of their own and never wait for the writer.
//! A change returns when it is on the disk; those at the same time share one sync (module `disk`).
//! Keep changes short: nothing that waits for the world (a call, a timer) belongs into one.
//!
//! # Tables that every service gets beside its own
//! [`outbox`] (events, written with the change), [`inbox`] (events acted upon, cursors, dead letters) and [`requests`]
//! (the first answer under each request id). [`Db::migrate`] creates them, then applies the service's own migrations.
//!
//! # Example
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! use baton_store::{Affected as _, Db, StoreError, change, on};
//!
//! // A service keeps its migrations in its own crate: `baton_store::migrations!()`.
//! # let migrations = baton_store::Migrations::NONE;
//! let db = Db::open(folder.path().join("presence.db")).await?;
//! db.migrate(&migrations).await?;
//!
//! db.change(change!(|tx| {
//!     on!(tx, conn => sqlx::query("CREATE TABLE teams (name TEXT NOT NULL PRIMARY KEY)").affected(conn).await)?;
//!     on!(tx, conn => sqlx::query("INSERT INTO teams (name) VALUES ($1)").bind("sales").affected(conn).await)?;
//!     Ok::<_, StoreError>(()) // After an error, nothing has happened.
//! }))
//! .await?;
//!
//! let mut reader = db.read().await?;
//! let names: Vec<String> =
//!     on!(reader, conn => sqlx::query_scalar("SELECT name FROM teams").fetch_all(conn).await)?;
//! assert_eq!(names, ["sales"]);
//! # Ok(()) }
//! ```
//! Several statements in one `on!` take the connection again with `&mut *conn`. Put `on!` into the one function that owns
//! a statement, so that a service reads as operations and not as SQL.

mod affected;
mod alone;
mod change;
mod checkpoint;
mod databases;
mod db;
mod disk;
mod error;
mod etag;
mod idempotent;
mod migrate;
mod open;
mod postgres;
mod readers;
mod rested;
mod server_facts;
mod space;
mod statement;
mod tenant_bytes;
mod trusted_time;
mod tx;
mod writer;

pub mod inbox;
pub mod members;
pub mod outbox;
pub mod requests;
#[doc(hidden)]
pub mod testing;

pub use affected::{Affected, Bind};
pub use alone::{AloneLock, NotAlone};
pub use change::{ChangeError, Done};
pub use databases::Databases;
pub use db::Db;
pub use error::{MigrateError, OpenError, StoreError};
pub use etag::Etag;
pub use idempotent::{idempotent, idempotent_with};
pub use migrate::Migrations;
pub use postgres::{Patience, PostgresOptions};
pub use server_facts::ServerFacts;
pub use statement::{Statement, rows_of_values};
pub use tenant_bytes::{TenantBytes, bytes_by_tenant};
pub use tx::{Conn, Reader, Tx, VisibleCommit};
