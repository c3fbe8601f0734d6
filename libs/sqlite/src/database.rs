//! The database as `sqlx` sees it: which types belong together.

use sqlx_core::database::{Database, HasStatementCache};
use sqlx_core::error::Error;
use sqlx_core::executor::Executor as _;
use sqlx_core::sql_str::SqlStr;
use sqlx_core::transaction::{
    TransactionManager, begin_ansi_transaction_sql, commit_ansi_transaction_sql, rollback_ansi_transaction_sql,
};

use crate::{
    SqliteArguments, SqliteColumn, SqliteConnection, SqliteRow, SqliteStatement, SqliteType, SqliteValue,
    SqliteValueRef,
};

/// The marker of this driver.
#[derive(Debug)]
pub struct Sqlite;

impl Database for Sqlite {
    type Connection = SqliteConnection;
    type TransactionManager = SqliteTransactions;
    type Row = SqliteRow;
    type QueryResult = SqliteQueryResult;
    type Column = SqliteColumn;
    type TypeInfo = SqliteType;
    type Value = SqliteValue;
    type ValueRef<'r> = SqliteValueRef<'r>;
    type Arguments = SqliteArguments;
    type ArgumentBuffer = Vec<rusqlite::types::Value>;
    type Statement = SqliteStatement;

    const NAME: &'static str = "SQLite";
    const URL_SCHEMES: &'static [&'static str] = &["sqlite"];
}

/// Its users may say that a statement is not kept prepared.
impl HasStatementCache for Sqlite {}

/// What a statement has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SqliteQueryResult {
    pub(crate) changed: u64,
}

impl SqliteQueryResult {
    /// How many rows were inserted, updated or deleted.
    pub fn rows_affected(&self) -> u64 {
        self.changed
    }
}

impl Extend<Self> for SqliteQueryResult {
    fn extend<T: IntoIterator<Item = Self>>(&mut self, others: T) {
        self.changed += others.into_iter().map(|it| it.changed).sum::<u64>();
    }
}

/// Transactions within transactions are savepoints.
#[derive(Debug)]
pub struct SqliteTransactions;

impl TransactionManager for SqliteTransactions {
    type Database = Sqlite;

    async fn begin(connection: &mut SqliteConnection, statement: Option<SqlStr>) -> Result<(), Error> {
        let depth = connection.depth;
        let begin = match statement {
            Some(_) if depth > 0 => return Err(Error::InvalidSavePointStatement),
            Some(statement) => statement,
            None => begin_ansi_transaction_sql(depth),
        };
        connection.execute(begin).await?;
        connection.depth += 1;
        Ok(())
    }

    async fn commit(connection: &mut SqliteConnection) -> Result<(), Error> {
        if connection.depth > 0 {
            connection.execute(commit_ansi_transaction_sql(connection.depth)).await?;
            connection.depth -= 1;
        }
        Ok(())
    }

    async fn rollback(connection: &mut SqliteConnection) -> Result<(), Error> {
        if connection.depth > 0 {
            connection.execute(rollback_ansi_transaction_sql(connection.depth)).await?;
            connection.depth -= 1;
        }
        Ok(())
    }

    fn start_rollback(connection: &mut SqliteConnection) {
        if connection.depth > 0 {
            connection.run_now(rollback_ansi_transaction_sql(connection.depth).as_str());
            connection.depth -= 1;
        }
    }

    fn get_transaction_depth(connection: &SqliteConnection) -> usize {
        connection.depth
    }
}
