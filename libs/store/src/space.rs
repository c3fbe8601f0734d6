//! Giving the space of what was deleted back to the disk (R13).
//!
//! Pages that become free are written again by what comes next, so a database whose calls come and go evenly does not grow, and
//! giving each page back would only make the next call ask for it anew. But after a busy month, or a shorter retention, most of a
//! file would stay empty: then its pages are given back in small steps, until a quarter of it is free. A file that an earlier
//! version made can't do that while it is in use (`docs/what-grows.md` says how it learns to); its free pages are used again all the same.

use crate::{Affected as _, Db, StoreError, Tx, on};

/// Pages of 4 KiB that one transaction gives back: whoever waits for the writer waits for a megabyte.
const STEP: i64 = 256;
/// Of four pages one may be free.
const FREE_OF: i64 = 4;
/// How `SQLite` says that a file can give pages back.
const INCREMENTAL: i64 = 2;

impl Db {
    /// Gives back what is free beyond a quarter of the file. For upkeep, after it has deleted.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        if let Self::Postgres(_) = self {
            // A server looks after its space itself.
            return Ok(());
        }
        loop {
            let mut tx = self.begin().await?;
            if !is_too_empty(&mut tx).await? {
                return tx.rollback().await;
            }
            on!(tx, conn => {
                let mut give_back = sqlx::QueryBuilder::new("PRAGMA incremental_vacuum(");
                give_back.push(STEP).push(")").build().affected(conn).await
            })?;
            tx.commit().await?;
        }
    }
}

async fn is_too_empty(tx: &mut Tx) -> Result<bool, StoreError> {
    let (mode, free, pages): (i64, i64, i64) = on!(tx, conn => sqlx::query_as(
        "SELECT auto_vacuum, freelist_count, page_count
         FROM pragma_auto_vacuum, pragma_freelist_count, pragma_page_count")
        .fetch_one(conn)
        .await)?;
    Ok(mode == INCREMENTAL && free >= STEP && free * FREE_OF > pages)
}
