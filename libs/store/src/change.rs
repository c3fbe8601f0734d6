//! Changes, several of them at once.
//!
//! A change is a closure that may run more than once: when another change was in its way, it is undone and run again from its beginning.
//!
//! # Theory of operation
//! Several processes may write to one database. `SQLite` lets one of them write at a time, so a change there sees everything before it and
//! is in nobody's way. `PostgreSQL` lets them write side by side, and a change that has read something decides about a state that is
//! perhaps not there any more. So a change first [locks](Tx::lock) what it decides about, by name, and reads then: of two changes about the
//! same thing the second waits for the first, and sees what it has left. Names are locked in one order everywhere, so that no two changes wait
//! for each other. What a change can't know before it has read is not locked but compared: a row's version, a unique index. If the comparison
//! fails the change is [overtaken](StoreError::Overtaken), and runs again.
//!
//! A closure therefore keeps to its transaction: what it does outside must be harmless if it is done twice, and what it collects for later
//! begins empty at each run.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tonic::{Code, Status};

use crate::{Db, StoreError, Tx};

/// How often a change runs, at most. Each run has waited for whoever was in the way of the one before.
const MAX_RUNS: u32 = 8;
/// The longest pause before the second run; it doubles with each run after that.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// An error of a change, as far as the database must understand it.
pub trait ChangeError: From<StoreError> {
    /// Whether another change was in the way, so that the same change succeeds when it is run again.
    fn is_overtaken(&self) -> bool;
}

impl ChangeError for StoreError {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken(_))
    }
}

/// A status remembers the store's error that it was made of.
impl ChangeError for Status {
    fn is_overtaken(&self) -> bool {
        let source = std::error::Error::source(self).and_then(|it| it.downcast_ref::<StoreError>());
        self.code() == Code::Aborted && source.is_some_and(ChangeError::is_overtaken)
    }
}

/// The end of a run: its transaction, and what the change returns.
#[must_use = "a change is committed by whoever runs it"]
#[derive(Debug)]
pub struct Done<T> {
    pub(crate) tx: Tx,
    pub(crate) value: T,
    ending: RunEnd,
}

#[derive(Debug, Clone, Copy)]
enum RunEnd {
    Commit,
    CommitLazily,
    Undo,
}

/// The closure of a change: it commits when the body has succeeded, and undoes when the body returns an error.
///
/// What the body uses of its surroundings is moved into each run, so it must be possible to copy it: use references.
/// See the crate's example. (An `async` closure would borrow, but the compiler can't show that its future can be sent.)
#[macro_export]
macro_rules! change {
    (|$tx:ident| $body:block) => {
        |mut transaction| async move {
            let $tx = &mut transaction;
            let result = async { $body }.await;
            result.map(|value| transaction.done(value))
        }
    };
}

impl Tx {
    /// Ends a change that is to be committed.
    pub fn done<T>(self, value: T) -> Done<T> {
        Done { tx: self, value, ending: RunEnd::Commit }
    }

    /// Ends a change that is to be committed, and that may be lost if the machine stops in the next moment: it is seen at once, and durable with
    /// the next change that is. Without events: nobody is told that there are some.
    pub fn done_lazily<T>(self, value: T) -> Done<T> {
        Done { tx: self, value, ending: RunEnd::CommitLazily }
    }

    /// Ends a change that has nothing to change after all: what it has done is undone.
    pub fn undone<T>(self, value: T) -> Done<T> {
        Done { tx: self, value, ending: RunEnd::Undo }
    }
}

impl<T> Done<T> {
    /// The same transaction with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Done<U> {
        Done { tx: self.tx, value: change(self.value), ending: self.ending }
    }

    async fn end(self) -> Result<T, StoreError> {
        match self.ending {
            RunEnd::Commit => self.tx.commit().await?,
            RunEnd::CommitLazily => self.tx.commit_lazily().await?,
            RunEnd::Undo => self.tx.rollback().await?,
        }
        Ok(self.value)
    }
}

impl Db {
    /// Runs `change` in a transaction and commits it: durable when this returns. An error undoes everything, and is returned when what was read
    /// is durable, so that an answer can rely on it; so is a value that is [`undone`](Tx::undone).
    ///
    /// If another change was in the way, `change` runs again, eight times at most: see the module's documentation for what that asks
    /// of it.
    ///
    /// # Errors
    /// What `change` returns, and what the database does.
    pub async fn change<T, E, F>(&self, mut change: impl FnMut(Tx) -> F) -> Result<T, E>
    where
        E: ChangeError,
        F: Future<Output = Result<Done<T>, E>>,
    {
        let mut runs = Runs::default();
        loop {
            let result = change(self.begin().await?).await;
            if let Some(result) = runs.end(self, result).await {
                return result;
            }
        }
    }
}

/// How often a change has run.
#[derive(Debug, Default)]
pub(crate) struct Runs(u32);

impl Runs {
    /// Commits, or undoes. `None`: the change was overtaken, and runs again.
    pub(crate) async fn end<T, E: ChangeError>(&mut self, db: &Db, result: Result<Done<T>, E>) -> Option<Result<T, E>> {
        self.0 += 1;
        let result = match result {
            Ok(done) => done.end().await.map_err(E::from),
            Err(error) => db.settled().await.map_err(E::from).and(Err(error)),
        };
        if self.0 < MAX_RUNS && result.as_ref().is_err_and(ChangeError::is_overtaken) {
            tracing::debug!(runs = self.0, "a change was overtaken by another one, and runs again");
            pause(self.0).await;
            return None;
        }
        Some(result)
    }
}

/// Of random length, so that two changes that were in each other's way are not so again.
async fn pause(runs: u32) {
    let longest = FIRST_PAUSE * 2_u32.pow(runs - 1);
    // Each of them is seeded by chance.
    let fraction = RandomState::new().hash_one(runs) as f64 / u64::MAX as f64;
    #[expect(clippy::disallowed_methods, reason = "the database's time is real also where a test's is not")]
    tokio::time::sleep(longest.mul_f64(fraction)).await;
}
