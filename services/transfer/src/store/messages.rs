//! What was written in chats: a row each, beside the interaction, which has only their number.

use baton_domain::{Actor, Event, EventKind, Interaction, interaction::Party};
use baton_store::{Db, StoreError, Tx, on};
use baton_words::InteractionId;
use sqlx::types::Json;

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChatRow {
    pub(crate) number: i64,
    /// Its number for the customer; none: they don't see it.
    pub(crate) shown: Option<i64>,
    pub(crate) author: Actor,
    pub(crate) author_name: String,
    pub(crate) text: String,
    pub(crate) at_us: i64,
}

/// Who reads: the customer sees less, and by other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Agents,
    Customer,
}

type Row = (i64, Option<i64>, Json<Actor>, String, String, i64);

fn message((number, shown, Json(author), author_name, text, at_us): Row) -> ChatRow {
    ChatRow { number, shown, author, author_name, text, at_us }
}

/// Writes the messages among these events.
pub(crate) async fn append(
    tx: &mut Tx,
    interaction: &Interaction,
    events: &[Event],
    request_key: &str,
) -> Result<(), StoreError> {
    for event in events {
        let EventKind::MessageSent { message, shown, text } = &event.kind else { continue };
        let author = event.actor.agent().and_then(|agent| interaction.agent(agent)).and_then(Party::agent);
        tx.statement(
            "INSERT INTO chat_messages (interaction_id, number, shown, author, author_name, by_customer, text, at_us, request_key)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(interaction.id.0)
        .bind(i64::from(message.0))
        .bind(shown.map(i64::from))
        .bind(Json(&event.actor))
        .bind(author.map_or("", |agent| &*agent.name))
        .bind(event.actor == Actor::Customer)
        .bind(&**text)
        .bind(interaction.updated_at_us)
        .bind(request_key)
        .run()
        .await?;
    }
    Ok(())
}

/// So many that come after this number, oldest first.
pub(crate) async fn after(
    db: &Db,
    id: InteractionId,
    audience: Audience,
    after: i64,
    limit: i64,
) -> Result<Vec<ChatRow>, StoreError> {
    let mut reader = db.read().await?;
    let rows: Vec<Row> = match audience {
        Audience::Agents => on!(reader, conn => sqlx::query_as(
            "SELECT number, shown, author, author_name, text, at_us FROM chat_messages
             WHERE interaction_id = $1 AND number > $2 ORDER BY number LIMIT $3")
            .bind(id.0).bind(after).bind(limit).fetch_all(conn).await)?,
        Audience::Customer => on!(reader, conn => sqlx::query_as(
            "SELECT number, shown, author, author_name, text, at_us FROM chat_messages
             WHERE interaction_id = $1 AND shown > $2 ORDER BY number LIMIT $3")
            .bind(id.0).bind(after).bind(limit).fetch_all(conn).await)?,
    };
    drop(reader);
    // They may be from a commit that is not durable yet.
    db.settled().await?;
    Ok(rows.into_iter().map(message).collect())
}

/// The one that was asked for by this request.
pub(crate) async fn by_request(db: &Db, id: InteractionId, request_key: &str) -> Result<Option<ChatRow>, StoreError> {
    let mut reader = db.read().await?;
    let row: Option<Row> = on!(reader, conn => sqlx::query_as(
        "SELECT number, shown, author, author_name, text, at_us FROM chat_messages
         WHERE interaction_id = $1 AND request_key = $2")
        .bind(id.0).bind(request_key).fetch_optional(conn).await)?;
    Ok(row.map(message))
}

/// When the customer wrote the message that is so many before their last; none: they have not written so many.
pub(crate) async fn customers_nth_last(db: &Db, id: InteractionId, back: i64) -> Result<Option<i64>, StoreError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => sqlx::query_scalar(
        "SELECT at_us FROM chat_messages WHERE interaction_id = $1 AND by_customer ORDER BY number DESC LIMIT 1 OFFSET $2")
        .bind(id.0).bind(back).fetch_optional(conn).await)?)
}

/// Erases what was written; who wrote and when stays.
pub(super) async fn erase(tx: &mut Tx, id: InteractionId) -> Result<(), StoreError> {
    tx.statement("UPDATE chat_messages SET text = '' WHERE interaction_id = $1").bind(id.0).run().await?;
    Ok(())
}
