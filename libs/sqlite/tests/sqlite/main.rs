//! The driver on real files, and beside `sqlx`'s own.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_sqlite::{SqliteConnection, SqliteError, SqliteOptions};
use sqlx::error::{DatabaseError as _, ErrorKind};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::types::Json;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

struct TestFile {
    folder: TempDir,
}

impl TestFile {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn options(&self) -> SqliteOptions {
        SqliteOptions::new(self.path()).create_if_missing(true).pragma("journal_mode", "WAL")
    }

    async fn connect(&self) -> SqliteConnection {
        self.options().connect().await.unwrap()
    }
}

async fn memory() -> SqliteConnection {
    SqliteOptions::new(":memory:").connect().await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    connection.execute(sql).await.unwrap();
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(Cow::into_owned)
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct All {
    number: i64,
    small: i32,
    is_on: bool,
    share: f64,
    name: String,
    bytes: Vec<u8>,
    id: Uuid,
    json: Json<Vec<u8>>,
    absent: Option<String>,
}

const ALL: &str = "CREATE TABLE everything (number BIGINT, small INTEGER, is_on BOOLEAN, share REAL, name TEXT, bytes BLOB, id UUID, json JSONB, absent TEXT)";
const INSERT_ALL: &str = "INSERT INTO everything VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

fn all() -> All {
    All {
        number: i64::MIN,
        small: -7,
        is_on: true,
        share: 0.1,
        name: "Zoë \u{1f600} $1 ?".into(),
        bytes: vec![0, 255, 0],
        id: Uuid::from_u128(0x0123_4567_89ab_cdef),
        json: Json(vec![1, 2]),
        absent: None,
    }
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let mut connection = memory().await;
    execute(&mut connection, ALL).await;
    let it = all();
    sqlx::query(INSERT_ALL)
        .bind(it.number)
        .bind(it.small)
        .bind(it.is_on)
        .bind(it.share)
        .bind(it.name.as_str())
        .bind(it.bytes.as_slice())
        .bind(it.id)
        .bind(&it.json)
        .bind(it.absent.clone())
        .execute(&mut connection)
        .await
        .unwrap();
    let found: All = sqlx::query_as("SELECT * FROM everything").fetch_one(&mut connection).await.unwrap();
    assert_eq!(found, it);
    let texts: (String, String) = sqlx::query_as("SELECT $1, $2")
        .bind(Cow::Borrowed("a cow"))
        .bind(Arc::<str>::from("shared"))
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(texts, ("a cow".into(), "shared".into()));
}

#[tokio::test]
async fn what_one_driver_has_written_the_other_one_reads() {
    let file = TestFile::new();
    let mut own = file.connect().await;
    execute(&mut own, ALL).await;
    let it = all();
    macro_rules! insert {
        ($connection:expr) => {
            sqlx::query(INSERT_ALL)
                .bind(it.number)
                .bind(it.small)
                .bind(it.is_on)
                .bind(it.share)
                .bind(&it.name)
                .bind(&it.bytes)
                .bind(it.id)
                .bind(&it.json)
                .bind(&it.absent)
                .execute($connection)
                .await
                .unwrap()
        };
    }
    insert!(&mut own);
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(file.path()).connect().await.unwrap();
    insert!(&mut other);
    let select = "SELECT * FROM everything";
    let of_own: Vec<All> = sqlx::query_as(select).fetch_all(&mut own).await.unwrap();
    let of_other: Vec<All> = sqlx::query_as(select).fetch_all(&mut other).await.unwrap();
    assert_eq!(of_own, [it.clone(), it]);
    assert_eq!(of_own, of_other);
}

#[tokio::test]
async fn parameters_are_given_by_their_numbers() {
    let mut connection = memory().await;
    let found: (i64, i64, i64) =
        sqlx::query_as("SELECT $2, $1, $2").bind(1_i64).bind(2_i64).fetch_one(&mut connection).await.unwrap();
    assert_eq!(found, (2, 1, 2));
    let few = sqlx::query("SELECT $1, $2").bind(1_i64).execute(&mut connection).await.unwrap_err();
    assert!(few.to_string().contains('2'), "{few}");
    sqlx::query("SELECT $name").bind(1_i64).execute(&mut connection).await.unwrap_err();
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_and_no_guess() {
    let mut connection = memory().await;
    let row =
        sqlx::query("SELECT 'seven' AS word, 7 AS number, NULL AS absent").fetch_one(&mut connection).await.unwrap();
    row.try_get::<i64, _>("word").unwrap_err();
    row.try_get::<String, _>("number").unwrap_err();
    row.try_get::<i64, _>("absent").unwrap_err();
    row.try_get::<i64, _>("missing").unwrap_err();
    assert_eq!(row.get::<Option<i64>, _>("absent"), None);
    assert_eq!(row.columns().iter().map(sqlx::Column::name).collect::<Vec<_>>(), ["word", "number", "absent"]);
    sqlx::query_scalar::<_, i8>("SELECT 300").fetch_one(&mut connection).await.unwrap_err();
}

#[tokio::test]
async fn a_text_of_several_statements_runs_all_of_them() {
    let mut connection = memory().await;
    let text = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2); -- a comment; not a statement
        INSERT INTO t VALUES (3) RETURNING n;";
    let rows = sqlx::raw_sql(text).fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.iter().map(|it| it.get::<i64, _>(0)).collect::<Vec<_>>(), [3]);
    let changed =
        sqlx::query("UPDATE t SET n = n + 1 WHERE n > $1").bind(1_i64).execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 2);
    sqlx::raw_sql("INSERT INTO t VALUES (9); INSERT INTO nowhere VALUES (1)")
        .execute(&mut connection)
        .await
        .unwrap_err();
    let all: Vec<i64> = sqlx::query_scalar("SELECT n FROM t ORDER BY n").fetch_all(&mut connection).await.unwrap();
    assert_eq!(all, [1, 3, 4, 9]);
}

#[tokio::test]
async fn refusals_have_their_kinds_and_codes() {
    let mut connection = memory().await;
    execute(&mut connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE CHECK (name <> ''))")
        .await;
    execute(&mut connection, "INSERT INTO t VALUES (1, 'a')").await;
    for (sql, kind, expected) in [
        ("INSERT INTO t VALUES (2, 'a')", ErrorKind::UniqueViolation, "2067"),
        ("INSERT INTO t VALUES (1, 'b')", ErrorKind::UniqueViolation, "1555"),
        ("INSERT INTO t VALUES (3, NULL)", ErrorKind::NotNullViolation, "1299"),
        ("INSERT INTO t VALUES (4, '')", ErrorKind::CheckViolation, "275"),
        ("INSERT INTO nowhere VALUES (4)", ErrorKind::Other, "1"),
    ] {
        let error = connection.execute(sql).await.unwrap_err();
        assert_eq!(code(&error).as_deref(), Some(expected), "{error}");
        let refused = error.into_database_error().unwrap().downcast::<SqliteError>();
        assert_eq!(format!("{:?}", refused.kind()), format!("{kind:?}"), "{sql}");
    }
}

/// On one thread: it would hang if a lock were waited for on it.
#[tokio::test]
async fn who_waits_for_a_lock_keeps_no_thread() {
    let file = TestFile::new();
    let (mut first, mut second) = (file.connect().await, file.connect().await);
    execute(&mut first, "CREATE TABLE t (n INTEGER)").await;
    execute(&mut first, "BEGIN IMMEDIATE").await;
    let second = async {
        execute(&mut second, "BEGIN IMMEDIATE").await;
        execute(&mut second, "COMMIT").await;
    };
    let first = async {
        // The other one has found it locked several times.
        #[expect(clippy::disallowed_methods, reason = "a lock of the file is real, and so is who waits for it")]
        tokio::time::sleep(Duration::from_millis(30)).await;
        execute(&mut first, "COMMIT").await;
    };
    tokio::join!(second, first);
}

/// There is one worker: it has to give its other work away.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_took_long_runs_beside_the_others_the_next_time() {
    const LONG: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n";
    let turns = Arc::new(AtomicU64::new(0));
    let other = spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let during = spawn(async move {
        let mut connection = memory().await;
        let mut during = Vec::new();
        for _ in 0..2 {
            let before = turns.load(Ordering::Relaxed);
            let count: i64 = sqlx::query_scalar(LONG).fetch_one(&mut connection).await.unwrap();
            assert_eq!(count, 300_000);
            during.push(turns.load(Ordering::Relaxed) - before);
        }
        during
    });
    let during = during.await.unwrap();
    other.abort();
    assert!(during[0] == 0 && during[1] > 0, "{during:?}");
}

#[expect(clippy::disallowed_methods, reason = "this comes before the runtime, which has the one place for this")]
fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> JoinHandle<F::Output> {
    tokio::spawn(future)
}

#[tokio::test]
async fn a_lock_that_is_not_given_back_is_an_error_after_the_time_that_was_said() {
    let file = TestFile::new();
    let mut first = file.connect().await;
    execute(&mut first, "BEGIN IMMEDIATE").await;
    let mut second = file.options().busy_timeout(Duration::from_millis(20)).connect().await.unwrap();
    let error = second.execute("BEGIN IMMEDIATE").await.unwrap_err();
    assert_eq!(code(&error).as_deref(), Some("5"), "{error}");
}

/// The first statement of the text is not carried out twice.
#[tokio::test]
async fn a_text_that_meets_a_lock_half_way_is_not_begun_again() {
    let file = TestFile::new();
    let mut first = file.connect().await;
    execute(&mut first, "CREATE TABLE t (n INTEGER)").await;
    execute(&mut first, "BEGIN IMMEDIATE").await;
    let mut second = file.options().busy_timeout(Duration::from_mins(1)).connect().await.unwrap();
    execute(&mut second, "CREATE TEMP TABLE own (n INTEGER)").await;
    let error = second.execute("INSERT INTO own VALUES (1); INSERT INTO t VALUES (1)").await.unwrap_err();
    assert_eq!(code(&error).as_deref(), Some("5"), "{error}");
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM own").fetch_one(&mut second).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing_and_one_within_another_is_a_part_of_it() {
    let file = TestFile::new();
    let mut connection = file.connect().await;
    execute(&mut connection, "CREATE TABLE t (n INTEGER)").await;
    let mut outer = connection.begin().await.unwrap();
    outer.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut inner = outer.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (2)").await.unwrap();
    drop(inner);
    outer.commit().await.unwrap();
    let mut dropped = connection.begin().await.unwrap();
    dropped.execute("INSERT INTO t VALUES (3)").await.unwrap();
    drop(dropped);
    assert!(!connection.is_in_transaction());
    let all: Vec<i64> = sqlx::query_scalar("SELECT n FROM t").fetch_all(&mut connection).await.unwrap();
    assert_eq!(all, [1]);
    // Also one that was begun by hand.
    execute(&mut connection, "BEGIN").await;
    execute(&mut connection, "DELETE FROM t").await;
    connection.roll_back().unwrap();
    connection.roll_back().unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn columns_are_those_of_the_table_as_it_is_now() {
    let file = TestFile::new();
    let (mut reader, mut writer) = (file.connect().await, file.connect().await);
    execute(&mut writer, "CREATE TABLE t (a INTEGER)").await;
    execute(&mut writer, "INSERT INTO t VALUES (1)").await;
    for columns in [1, 2] {
        let row = sqlx::query("SELECT * FROM t").fetch_one(&mut reader).await.unwrap();
        assert_eq!(row.len(), columns);
        if columns == 1 {
            execute(&mut writer, "ALTER TABLE t ADD COLUMN b INTEGER").await;
        }
    }
}

#[tokio::test]
async fn the_log_grows_until_somebody_writes_it_back() {
    let file = TestFile::new();
    let mut connection = file.connect().await;
    execute(&mut connection, "CREATE TABLE t (b BLOB)").await;
    for _ in 0..20 {
        execute(&mut connection, "INSERT INTO t VALUES (zeroblob(500000))").await;
    }
    assert!(connection.log_pages() > 2_000, "{}", connection.log_pages());
    let before = std::fs::metadata(file.path()).unwrap().len();
    file.options().log_writer().unwrap().write_back().unwrap();
    assert!(std::fs::metadata(file.path()).unwrap().len() > before + 9_000_000);
    execute(&mut connection, "INSERT INTO t VALUES (1)").await;
    assert!(connection.log_pages() < 10, "{}", connection.log_pages());
}

#[tokio::test]
async fn migrations_are_applied_once_and_an_edited_one_is_told() {
    let file = TestFile::new();
    let mut connection = file.connect().await;
    let migration = |version, sql: &'static str| {
        Migration::new(version, "test".into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let migrator = |migrations: Vec<Migration>| Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
    let first = migration(1, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);");
    let both = migrator(vec![first.clone(), migration(2, "ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 2")]);
    migrator(vec![first.clone()]).run_direct(None, &mut connection, false).await.unwrap();
    for _ in 0..2 {
        both.run_direct(None, &mut connection, false).await.unwrap();
        let row: (i64, i64) = sqlx::query_as("SELECT * FROM t").fetch_one(&mut connection).await.unwrap();
        assert_eq!(row, (1, 2));
    }
    let broken = migrator(vec![first, migration(2, "ALTER TABLE t ADD COLUMN c INTEGER")]);
    broken.run_direct(None, &mut connection, false).await.unwrap_err();
    let failing = migrator(both.migrations.iter().cloned().chain([migration(3, "DELETE FROM t; NONSENSE")]).collect());
    failing.run_direct(None, &mut connection, false).await.unwrap_err();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_error_unless_it_may_be_made() {
    let file = TestFile::new();
    let error = SqliteOptions::new(file.path()).connect().await.unwrap_err();
    assert_eq!(code(&error).as_deref(), Some("14"), "{error}");
    file.connect().await.close().await.unwrap();
    SqliteOptions::new(file.path()).connect().await.unwrap();
    format!("sqlite:{}", file.path().display()).parse::<SqliteOptions>().unwrap().connect().await.unwrap();
}
