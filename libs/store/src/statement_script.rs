//! Statements for `SQLite` that go to its thread together.
//!
//! A connection of the library lives on a thread of its own. Handing a statement over to it and waiting for the answer costs more than most
//! statements do, so what needs no answer of its own waits here, and goes with the next one that does: a whole change is often one
//! hand-over, from its `BEGIN` to its `COMMIT`. The library takes several statements in one text and remembers how it has prepared them.

use std::fmt::Write as _;

use futures::TryStreamExt as _;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Either, Encode, Executor as _, Sqlite, SqliteConnection, Type};

/// A longer text hardly ever comes again: its statements, some kilobytes each, are not remembered.
const MOST_REMEMBERED: usize = 8;

/// What waits. Its values are numbered through all statements.
#[derive(Debug, Default)]
pub(crate) struct StatementScript {
    text: String,
    statements: usize,
    values: SqliteArguments,
}

/// One of the statements has failed; those before it have been carried out, and none after it.
#[derive(Debug)]
pub(crate) struct ScriptError {
    /// From 0.
    pub(crate) statement: usize,
    pub(crate) error: sqlx::Error,
}

impl StatementScript {
    pub(crate) fn is_empty(&self) -> bool {
        self.statements == 0
    }

    /// How many statements wait.
    pub(crate) fn len(&self) -> usize {
        self.statements
    }

    /// How many values there are: the first one of the next statement, `$1` in its text, comes after them.
    pub(crate) fn values(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn bind<'t, T>(&mut self, value: T) -> Result<(), BoxDynError>
    where
        T: Encode<'t, Sqlite> + Type<Sqlite> + 't,
    {
        self.values.add(value)
    }

    /// Adds a statement whose first value is the one after `values`.
    pub(crate) fn push(&mut self, statement: &str, values: usize) {
        let mut parts = statement.split('$');
        self.text.extend(parts.next());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            // A text that is not a number's is refused by the database.
            let number = number.parse().map_or(0, |it: usize| it + values);
            let _ = write!(self.text, "${number}{rest}");
        }
        self.text.push_str(";\n");
        self.statements += 1;
    }

    /// Carries everything out; how many rows the last statement has changed.
    pub(crate) async fn run(self, connection: &mut SqliteConnection) -> Result<u64, ScriptError> {
        let (mut statement, mut changed) = (0, 0);
        let is_remembered = self.statements <= MOST_REMEMBERED;
        let query = sqlx::query_with(AssertSqlSafe(self.text), self.values).persistent(is_remembered);
        let mut results = connection.fetch_many(query);
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(result))) => (statement, changed) = (statement + 1, result.rows_affected()),
                Ok(Some(Either::Right(_row))) => {}
                Ok(None) => return Ok(changed),
                Err(error) => return Err(ScriptError { statement, error }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn connection() -> SqliteConnection {
        let mut connection = <SqliteConnection as sqlx::Connection>::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").execute(&mut connection).await.unwrap();
        connection
    }

    fn insert(script: &mut StatementScript, a: i64, b: &str) {
        let values = script.values();
        script.bind(a).unwrap();
        script.bind(b).unwrap();
        script.push("INSERT INTO t VALUES ($1, $2)", values);
    }

    #[tokio::test]
    async fn values_go_to_their_statements_and_the_last_one_says_what_it_changed() {
        let mut connection = connection().await;
        let mut script = StatementScript::default();
        for (a, b) in [(1, "one"), (2, "a $1 in a value is none"), (3, "three")] {
            insert(&mut script, a, b);
        }
        let values = script.values();
        script.bind("changed").unwrap();
        script.bind(2_i64).unwrap();
        script.push("UPDATE t SET b = $1 WHERE a >= $2", values);
        assert_eq!((script.len(), script.run(&mut connection).await.unwrap()), (4, 2));
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT a, b FROM t ORDER BY a").fetch_all(&mut connection).await.unwrap();
        assert_eq!(
            rows.iter().map(|(a, b)| (*a, b.as_str())).collect::<Vec<_>>(),
            [(1, "one"), (2, "changed"), (3, "changed")]
        );
    }

    #[tokio::test]
    async fn a_statement_that_fails_is_named_and_is_the_last() {
        let mut connection = connection().await;
        let mut script = StatementScript::default();
        for a in [1, 2, 1, 3] {
            insert(&mut script, a, "x");
        }
        let failed = script.run(&mut connection).await.unwrap_err();
        assert_eq!(failed.statement, 2);
        assert!(
            failed.error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation),
            "{failed:?}"
        );
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(&mut connection).await.unwrap();
        assert_eq!(count, 2);
    }
}
