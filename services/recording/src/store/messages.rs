//! Voicemail messages: where the audio is, and whose box they are in.

use baton_store::{Db, StoreError, Tx, on};
use object_store::path::Path;

use super::audio::AudioColumns;
use crate::audio::intake::StoredFile;

/// A customer's time in a voicemail box, as telephony reports it.
#[derive(Debug, Clone)]
pub(crate) struct MailboxVisit {
    pub(crate) tenant: String,
    pub(crate) message_id: String,
    pub(crate) interaction_id: String,
    pub(crate) mailbox: String,
    pub(crate) customer: String,
    pub(crate) customer_key: String,
    pub(crate) phone_number: String,
}

/// A message that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct StoredMessage<'a> {
    pub(crate) file: &'a StoredFile,
    pub(crate) location: &'a Path,
    pub(crate) left_us: i64,
    pub(crate) expire_us: i64,
    pub(crate) torn: bool,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) tenant: String,
    pub(crate) message_id: String,
    pub(crate) interaction_id: String,
    pub(crate) mailbox: String,
    pub(crate) customer: String,
    pub(crate) customer_key: String,
    pub(crate) phone_number: String,
    state: String,
    pub(crate) left_us: i64,
    pub(crate) expire_us: i64,
    pub(crate) heard_us: Option<i64>,
    pub(crate) torn: bool,
    #[sqlx(flatten)]
    pub(crate) stored: AudioColumns,
}

impl Row {
    /// It can be played.
    pub(crate) fn is_kept(&self) -> bool {
        self.state == "KEPT"
    }

    /// A message was left; it may be deleted.
    pub(crate) fn has_audio(&self) -> bool {
        self.state != "NONE"
    }

    pub(crate) fn location(&self) -> Path {
        Path::from(self.stored.location.as_str())
    }
}

/// The filter and the position of a list of messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessagesQuery<'a> {
    pub(crate) tenant: &'a str,
    /// Only of this box; empty for all.
    pub(crate) mailbox: &'a str,
    pub(crate) unheard_only: bool,
    /// Only those that began before this time, or then and have a lower id.
    pub(crate) before: (i64, &'a str),
}

/// Appends the condition and the order of a list to its statement, whose type depends on the database.
macro_rules! build {
    ($sql:ident, $query:ident, $limit:ident) => {
        $sql.push("SELECT * FROM messages WHERE state = 'KEPT' AND tenant = ").push_bind($query.tenant);
        if !$query.mailbox.is_empty() {
            $sql.push(" AND mailbox = ").push_bind($query.mailbox);
        }
        if $query.unheard_only {
            $sql.push(" AND heard_us IS NULL");
        }
        $sql.push(" AND (left_us, message_id) < (").push_bind($query.before.0).push(", ").push_bind($query.before.1);
        $sql.push(") ORDER BY left_us DESC, message_id DESC LIMIT ").push_bind($limit);
    };
}

/// Kept messages, the newest first.
pub(crate) async fn page(db: &Db, query: &MessagesQuery<'_>, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => {
        let mut sql = sqlx::QueryBuilder::new("");
        build!(sql, query, limit);
        sql.build_query_as().fetch_all(conn).await
    })?)
}

/// One message, whatever became of it.
pub(crate) async fn lookup(db: &Db, tenant: &str, message_id: &str) -> Result<Option<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as("SELECT * FROM messages WHERE tenant = $1 AND message_id = $2")
        .bind(tenant)
        .bind(message_id)
        .fetch_optional(conn)
        .await)?)
}

/// Records a visit that is over. With `stored` a message is kept. `false`, and nothing changes, if the visit was recorded before.
pub(crate) async fn insert(
    tx: &mut Tx,
    it: &MailboxVisit,
    stored: Option<&StoredMessage<'_>>,
    now_us: i64,
) -> Result<bool, StoreError> {
    let layout = stored.map(|it| it.file.layout);
    let format = layout.map(|it| it.format);
    let rows = tx.statement("INSERT INTO messages (tenant, message_id, interaction_id, mailbox, customer, customer_key, phone_number, state, left_us,
                               expire_us, torn, location, sha256, size_bytes, data_offset, data_bytes, sample_rate, channels)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING")
        .bind(&it.tenant)
        .bind(&it.message_id)
        .bind(&it.interaction_id)
        .bind(&it.mailbox)
        // Who left nothing is in the call, and not kept here.
        .bind(if stored.is_some() { it.customer.as_str() } else { "" })
        .bind(&it.customer_key)
        .bind(&it.phone_number)
        .bind(if stored.is_some() { "KEPT" } else { "NONE" })
        .bind(stored.map_or(now_us, |it| it.left_us))
        .bind(stored.map_or(now_us, |it| it.expire_us))
        .bind(stored.is_some_and(|it| it.torn))
        .bind(stored.map_or("", |it| it.location.as_ref()))
        .bind(stored.map_or("", |it| it.file.sha256.as_str()))
        .bind(stored.map_or(0, |it| it.file.size_bytes as i64))
        .bind(layout.map_or(0, |it| it.data_offset as i64))
        .bind(layout.map_or(0, |it| it.data_bytes as i64))
        .bind(format.map_or(0, |it| i64::from(it.sample_rate)))
        .bind(format.map_or(0, |it| i64::from(it.channels))).affected().await?;
    Ok(rows == 1)
}

/// Records that it was heard. `false` if it was before, or is gone.
pub(crate) async fn heard(tx: &mut Tx, tenant: &str, message_id: &str, now_us: i64) -> Result<bool, StoreError> {
    let rows = tx
        .statement(
            "UPDATE messages SET heard_us = $3
         WHERE tenant = $1 AND message_id = $2 AND state = 'KEPT' AND heard_us IS NULL",
        )
        .bind(tenant)
        .bind(message_id)
        .bind(now_us)
        .affected()
        .await?;
    Ok(rows == 1)
}

/// After this the message is in no list and can't be played; its audio is [purged](purged) next. `by` is an actor.
pub(crate) async fn mark_deleted(
    tx: &mut Tx,
    (tenant, message_id): (&str, &str),
    by: &str,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE messages SET state = 'DELETED', deleted_us = $4, deleted_by = $3
         WHERE tenant = $1 AND message_id = $2 AND state = 'KEPT'",
    )
    .bind(tenant)
    .bind(message_id)
    .bind(by)
    .bind(now_us)
    .run()
    .await?;
    Ok(())
}

/// Records that the audio was removed, and clears the customer's number. Returns who had it deleted; `None` if it was recorded before.
pub(crate) async fn purged(
    tx: &mut Tx,
    tenant: &str,
    message_id: &str,
    now_us: i64,
) -> Result<Option<String>, StoreError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "UPDATE messages SET purged_us = $3, customer = ''
         WHERE tenant = $1 AND message_id = $2 AND state = 'DELETED' AND purged_us IS NULL
         RETURNING deleted_by")
        .bind(tenant)
        .bind(message_id)
        .bind(now_us)
        .fetch_optional(conn)
        .await)?)
}

/// Messages whose time is over.
pub(crate) async fn expired(db: &Db, now_us: i64, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM messages WHERE state = 'KEPT' AND expire_us <= $1 ORDER BY expire_us LIMIT $2")
        .bind(now_us)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}

/// Deleted messages whose audio may still be in the storage.
pub(crate) async fn unpurged(db: &Db, limit: i64) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM messages WHERE state = 'DELETED' AND purged_us IS NULL ORDER BY deleted_us LIMIT $1")
        .bind(limit)
        .fetch_all(conn)
        .await)?)
}

/// All kept messages of a customer.
pub(crate) async fn of_customer(db: &Db, tenant: &str, customer_key: &str) -> Result<Vec<Row>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_as(
        "SELECT * FROM messages WHERE state = 'KEPT' AND tenant = $1 AND customer_key = $2")
        .bind(tenant)
        .bind(customer_key)
        .fetch_all(conn)
        .await)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_list_of_messages_scans_or_sorts_a_whole_table() {
        let (db, _folder) = crate::store::tests::file().await;
        for mailbox in ["", "sales"] {
            for unheard_only in [false, true] {
                let query = &MessagesQuery { tenant: "acme", mailbox, unheard_only, before: (9, "m") };
                let limit = 50_i64;
                let mut reader = db.read().await.unwrap();
                let steps: Vec<(i64, i64, i64, String)> = on!(reader, conn => {
                    let mut sql = sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ");
                    build!(sql, query, limit);
                    sql.build_query_as().fetch_all(conn).await
                })
                .unwrap();
                let index = match (mailbox, unheard_only) {
                    ("", false) => "messages_newest",
                    ("", true) => "messages_unheard",
                    (_, false) => "messages_of_box",
                    (_, true) => "messages_unheard_of_box",
                };
                let plan = &steps[0].3;
                assert!(steps.len() == 1 && plan.contains(&format!("USING INDEX {index} (")), "{query:?}: {steps:?}");
                assert!(plan.contains("<(?,?)"), "{query:?}: {plan}");
            }
        }
    }
}
