//! Notes, a row each and not in the interaction's: a hundred notes are 400 kB, and each change writes the interaction's row anew (S2).

use baton_domain::{Actor, Interaction, interaction::Note};
use baton_store::{StoreError, Tx};
use baton_words::InteractionId;
use sqlx::types::Json;

/// The author, the text and the time of a note.
pub(super) type Row = (Json<Actor>, String, i64);

/// Those of an interaction.
pub(super) const OF: &str =
    "SELECT author, text, at_us FROM interaction_notes WHERE interaction_id = $1 ORDER BY number";

pub(super) fn note((Json(author), text, at_us): Row) -> Note {
    Note { author, text: text.into(), at_us }
}

/// Writes the notes that an interaction has beyond so many.
pub(crate) async fn append(tx: &mut Tx, interaction: &Interaction, written: usize) -> Result<(), StoreError> {
    for (at, note) in interaction.notes.iter().enumerate().skip(written) {
        tx.statement(
            "INSERT INTO interaction_notes (interaction_id, number, author, text, at_us) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(interaction.id.0)
        .bind(at as i64 + 1)
        .bind(Json(&note.author))
        .bind(&*note.text)
        .bind(note.at_us)
        .run()
        .await?;
    }
    Ok(())
}

/// Erases what was written; who wrote and when stays.
pub(super) async fn erase(tx: &mut Tx, id: InteractionId) -> Result<(), StoreError> {
    tx.statement("UPDATE interaction_notes SET text = '' WHERE interaction_id = $1").bind(id.0).run().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::SqlitePool;

    const MIGRATION: &str = include_str!("../../migrations/sqlite/0009_notes.sql");

    #[tokio::test]
    async fn s2_the_notes_of_calls_from_before_get_rows_of_their_own() {
        let db = SqlitePool::connect("sqlite::memory:").await.unwrap();
        let before = r#"CREATE TABLE interactions (id UUID, state JSONB);
            INSERT INTO interactions VALUES (x'01', '{"version": 7, "notes": []}'), (x'02', '{"version": 9, "notes": [
                {"author": "customer", "text": "VIP", "at_us": 5}, {"author": {"agent": "a"}, "text": "é", "at_us": 6}]}')"#;
        sqlx::raw_sql(before).execute(&db).await.unwrap();
        sqlx::raw_sql(MIGRATION).execute(&db).await.unwrap();
        let notes: Vec<(Vec<u8>, i64, String, String, i64)> =
            sqlx::query_as("SELECT * FROM interaction_notes ORDER BY number").fetch_all(&db).await.unwrap();
        let row =
            |number, author: &str, text: &str, at_us| (vec![2], number, author.to_owned(), text.to_owned(), at_us);
        assert_eq!(notes, [row(1, r#""customer""#, "VIP", 5), row(2, r#"{"agent":"a"}"#, "é", 6)]);
        let calls: Vec<(String, i64)> =
            sqlx::query_as("SELECT state, notes FROM interactions ORDER BY id").fetch_all(&db).await.unwrap();
        let without = |version: u8| format!(r#"{{"version": {version}, "notes": []}}"#);
        assert_eq!(calls[0], (without(7), 0));
        assert_eq!((calls[1].0.replace(' ', ""), calls[1].1), (without(9).replace(' ', ""), 2));
    }
}
