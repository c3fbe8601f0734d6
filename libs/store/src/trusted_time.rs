//! The time by which what is old is deleted (F5).
//!
//! A system's time that is set ahead makes everything old at once, and what is deleted because of it does not come back when the
//! time is right again. So each database remembers when it was last in use. If the clock is more than a day ahead of that, either the
//! time is wrong or Baton was not running: both look the same from here. Nothing is deleted then until Baton has run with the new time
//! for three days in all, over restarts, and the log says so after each start. Within one process the clock can't jump.

use crate::{Db, StoreError, Tx, on};

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;
/// How long somebody has to see the warning, over a weekend.
const WAIT_US: i64 = 3 * DAY_US;

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
struct TrustedTime {
    time_us: i64,
    waited_us: i64,
}

impl TrustedTime {
    /// `passed_us`: since this process looked last; 0 for its first look.
    fn follow(self, now_us: i64, passed_us: i64) -> Self {
        let waited_us = self.waited_us + passed_us;
        if now_us - self.time_us <= DAY_US + passed_us || waited_us >= WAIT_US {
            Self { time_us: now_us, waited_us: 0 }
        } else {
            Self { waited_us, ..self }
        }
    }
}

impl Db {
    /// The time, in microseconds since the epoch, from which the age of what may be deleted is counted: `now_us`, or an earlier time
    /// while the clock's is not trusted.
    pub async fn trusted_us(&self, now_us: i64) -> Result<i64, StoreError> {
        let (looked, name) = match self {
            Self::Sqlite(db) => (&db.looked_us, db.file.display().to_string()),
            Self::Postgres(db) => (&db.looked_us, db.schema.to_string()),
        };
        let mut tx = self.begin().await?;
        tx.lock(["store/trusted_time".to_owned()]).await?;
        let looked_us = looked.lock().replace(now_us);
        let known = read(&mut tx).await?.unwrap_or(TrustedTime { time_us: now_us, waited_us: 0 });
        let next = known.follow(now_us, looked_us.map_or(0, |looked_us| now_us - looked_us));
        if looked_us.is_none() && next.time_us != now_us {
            let days = (now_us - next.time_us) / DAY_US;
            tracing::warn!(
                database = name,
                days,
                "the system's time is days ahead of when Baton ran last: if it is wrong, set it and start again; if it is right, do nothing. \
                 What is old is deleted again after three days of running"
            );
        }
        write(&mut tx, next).await?;
        // Lost in a power cut, it is an earlier time: less is deleted.
        tx.commit_lazily().await?;
        Ok(next.time_us)
    }
}

async fn read(tx: &mut Tx) -> Result<Option<TrustedTime>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_as("SELECT time_us, waited_us FROM store_trusted_time").fetch_optional(conn).await)?)
}

async fn write(tx: &mut Tx, trusted: TrustedTime) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO store_trusted_time (id, time_us, waited_us) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET time_us = excluded.time_us, waited_us = excluded.waited_us",
    )
    .bind(trusted.time_us)
    .bind(trusted.waited_us)
    .run()
    .await?;
    Ok(())
}
