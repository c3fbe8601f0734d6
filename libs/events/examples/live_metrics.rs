//! Counts while it happens: answered calls, the service level 80/20, and transfers by kind and outcome, as docs/events/metrics defines them.
//!
//! ```sh
//! cargo run --package baton-events --example live_metrics -- --tenant demo --state counts.db
//! ```
//!
//! Each event counts once, whatever is killed when: what was counted and the cursor after it are committed in one transaction. An event that is
//! delivered again is known by its source, subject and sequence, also when the stream was made anew; a gap in a sequence is reported and not averaged
//! away. It counts, prints and keeps the same as `examples/python/live_metrics.py`.

use std::path::PathBuf;

use baton_events::api::common::v1::{Direction, Reason};
use baton_events::{
    Arrival, Cursor, Data, EventFeed, FeedError, FeedItem, FeedOptions, Login, NatsOptions, ReadFrom, ReceivedEvent,
};
use clap::Parser;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{Connection, Sqlite, Transaction};

type Failure = Box<dyn std::error::Error>;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS cursor (stream TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sequences (source TEXT, subject TEXT, sequence INTEGER NOT NULL, PRIMARY KEY (source, subject));
CREATE TABLE IF NOT EXISTS gaps (source TEXT, subject TEXT, after INTEGER, next INTEGER);
CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, number TEXT, opened_ms INTEGER, answer_ms INTEGER, left_after_ms INTEGER, ended INTEGER);
CREATE TABLE IF NOT EXISTS transfers (id TEXT PRIMARY KEY, kind TEXT, outcome TEXT);
";
const ANSWERED: &str = "SELECT count(answer_ms) FROM calls WHERE ended";
/// In time is within 20 s; who gave up within 5 s does not count.
const SERVICE_LEVEL: &str = "
SELECT avg(coalesce(answer_ms <= 20000, 0)) FROM calls
WHERE ended AND NOT (answer_ms IS NULL AND left_after_ms IS NOT NULL AND left_after_ms <= 5000)
";
const TRANSFERS: &str = "SELECT kind, outcome, count(*) FROM transfers GROUP BY kind, outcome ORDER BY kind, outcome";

/// Counts answered calls, the service level and transfers, live.
#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "nats://127.0.0.1:4222")]
    server: String,
    /// As whom, where the server asks
    #[arg(long, requires = "password_file")]
    user: Option<String>,
    /// A file with that user's password
    #[arg(long)]
    password_file: Option<PathBuf>,
    #[arg(long, default_value = "BATON_EVT")]
    stream: String,
    #[arg(long, default_value = "demo")]
    tenant: String,
    /// How many events are committed at once, at most
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// Where the counts are kept
    #[arg(long, default_value = "counts.db")]
    state: PathBuf,
    /// End when nothing more comes
    #[arg(long)]
    until_idle: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let mut counts = Counts::open(&arguments.state).await?;
    let cursor = counts.cursor(&arguments.stream).await?;
    let mut feed = open(&arguments, cursor).await?;
    let mut batch = Vec::new();
    loop {
        let is_idle = match feed.next().await {
            Ok(FeedItem::Event(received)) => {
                batch.push(*received);
                false
            }
            Ok(FeedItem::CaughtUp(_)) => true,
            Ok(FeedItem::Unreadable(message)) => {
                eprintln!("{} after {}: {}", message.subject, message.cursor, message.why);
                false
            }
            Err(error) => {
                // Its cursors are of the old stream.
                batch.clear();
                feed = begin_again(&arguments, error).await?;
                false
            }
        };
        if !batch.is_empty() && (is_idle || batch.len() >= arguments.batch) {
            counts.take(&arguments.stream, &batch, &feed.cursor()).await?;
            batch.clear();
            println!("{}", counts.text().await?);
        } else if is_idle {
            counts.keep(&arguments.stream, &feed.cursor()).await?;
        }
        if is_idle && arguments.until_idle {
            return Ok(());
        }
    }
}

async fn open(arguments: &Arguments, cursor: Option<Cursor>) -> Result<EventFeed, Failure> {
    let login = match (&arguments.user, &arguments.password_file) {
        (Some(name), Some(file)) => Login::User { name: name.clone(), password_file: file.clone() },
        _ => Login::Anonymous,
    };
    let nats = NatsOptions { servers: vec![arguments.server.clone()], login, ..NatsOptions::default() };
    let options = |from| FeedOptions {
        stream: arguments.stream.clone(),
        tenant: Some(arguments.tenant.clone()),
        // All that this service publishes: with less, sequences would have gaps.
        services: vec!["transfer".to_owned()],
        from,
        ..FeedOptions::default()
    };
    let from = cursor.map_or(ReadFrom::Beginning, ReadFrom::After);
    match EventFeed::open(&nats, options(from)).await {
        Err(FeedError::Rebuilt { .. } | FeedError::Expired { .. }) => {
            Ok(EventFeed::open(&nats, options(ReadFrom::Beginning)).await?)
        }
        opened => Ok(opened?),
    }
}

/// After an error for which that helps: the sequences tell what is known, and show what is missing.
async fn begin_again(arguments: &Arguments, error: FeedError) -> Result<EventFeed, Failure> {
    match error {
        FeedError::Rebuilt { .. } | FeedError::Expired { .. } => open(arguments, None).await,
        error => Err(error.into()),
    }
}

/// What was counted, in a database of its own.
struct Counts(SqliteConnection);

impl Counts {
    async fn open(path: &PathBuf) -> Result<Self, Failure> {
        let options =
            SqliteConnectOptions::new().filename(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let mut db = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql(TABLES).execute(&mut db).await?;
        Ok(Self(db))
    }

    async fn cursor(&mut self, stream: &str) -> Result<Option<Cursor>, Failure> {
        let kept: Option<String> = sqlx::query_scalar("SELECT cursor FROM cursor WHERE stream = $1")
            .bind(stream)
            .fetch_optional(&mut self.0)
            .await?;
        Ok(kept.map(|text| text.parse()).transpose()?)
    }

    /// Counts them, and keeps how far the stream was read: all or nothing.
    async fn take(&mut self, stream: &str, events: &[ReceivedEvent], cursor: &Cursor) -> Result<(), Failure> {
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await?;
        for received in events {
            if is_new(&mut tx, received).await? {
                count(&mut tx, received).await?;
            }
        }
        keep(&mut tx, stream, cursor).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps how far the stream was read when there was nothing to count.
    async fn keep(&mut self, stream: &str, cursor: &Cursor) -> Result<(), Failure> {
        self.take(stream, &[], cursor).await
    }

    /// The metrics of now, in a line.
    async fn text(&mut self) -> Result<String, Failure> {
        let answered: i64 = sqlx::query_scalar(ANSWERED).fetch_one(&mut self.0).await?;
        let level: Option<f64> = sqlx::query_scalar(SERVICE_LEVEL).fetch_one(&mut self.0).await?;
        let rows: Vec<(String, String, i64)> = sqlx::query_as(TRANSFERS).fetch_all(&mut self.0).await?;
        let gaps: i64 = sqlx::query_scalar("SELECT count(*) FROM gaps").fetch_one(&mut self.0).await?;
        let level = level.map_or("–".to_owned(), |it| format!("{:.1}%", it * 100.0));
        let transfers: Vec<_> = rows
            .iter()
            .map(|(kind, outcome, many)| {
                format!("{} {outcome}: {many}", kind.trim_start_matches("TRANSFER_KIND_").to_lowercase())
            })
            .collect();
        let transfers = if transfers.is_empty() { "none".to_owned() } else { transfers.join(", ") };
        let gaps = if gaps > 0 { format!("; GAPS: {gaps}") } else { String::new() };
        Ok(format!("answered: {answered}; service level: {level}; transfers: {transfers}{gaps}"))
    }
}

async fn keep(tx: &mut Transaction<'_, Sqlite>, stream: &str, cursor: &Cursor) -> Result<(), Failure> {
    let sql = "INSERT OR REPLACE INTO cursor VALUES ($1, $2)";
    sqlx::query(sql).bind(stream).bind(cursor.to_string()).execute(&mut **tx).await?;
    Ok(())
}

/// Whether it was not counted yet. Notes that it is now, and a gap before it.
async fn is_new(tx: &mut Transaction<'_, Sqlite>, received: &ReceivedEvent) -> Result<bool, Failure> {
    let event = &received.event;
    let last: Option<i64> = sqlx::query_scalar("SELECT sequence FROM sequences WHERE source = $1 AND subject = $2")
        .bind(&event.source)
        .bind(&event.subject)
        .fetch_optional(&mut **tx)
        .await?;
    let last = last.unwrap_or(0);
    match received.arrival(last) {
        Arrival::Again => return Ok(false),
        Arrival::New => {}
        Arrival::AfterGap { .. } => {
            let sql = "INSERT INTO gaps VALUES ($1, $2, $3, $4)";
            let gap = sqlx::query(sql).bind(&event.source).bind(&event.subject).bind(last).bind(event.sequence);
            gap.execute(&mut **tx).await?;
        }
    }
    let sql = "INSERT OR REPLACE INTO sequences VALUES ($1, $2, $3)";
    sqlx::query(sql).bind(&event.source).bind(&event.subject).bind(event.sequence).execute(&mut **tx).await?;
    Ok(true)
}

async fn count(tx: &mut Transaction<'_, Sqlite>, received: &ReceivedEvent) -> Result<(), Failure> {
    let event = &received.event;
    let call = event.subject.trim_start_matches("interaction/");
    let changed = match received.data() {
        Some(Data::InteractionOpened(it)) if it.direction() == Direction::Inbound => {
            let sql = "INSERT INTO calls (id, number, opened_ms) VALUES ($1, $2, $3)";
            sqlx::query(sql).bind(call).bind(&it.number).bind(event.time.map(milliseconds))
        }
        Some(Data::InteractionEnded(it)) => {
            let left = (it.reason() == Reason::CustomerLeft).then_some(it.duration_ms);
            let sql = "UPDATE calls SET ended = 1, answer_ms = $1 - opened_ms, left_after_ms = $2 WHERE id = $3";
            sqlx::query(sql).bind(it.answer_time.map(milliseconds)).bind(left).bind(call)
        }
        Some(Data::TransferStarted(it)) => {
            let sql = "INSERT INTO transfers VALUES ($1, $2, 'open')";
            sqlx::query(sql).bind(&it.transfer_id).bind(it.kind().as_str_name())
        }
        Some(Data::TransferCompleted(it)) => outcome("completed", &it.transfer_id),
        Some(Data::TransferDiverted(it)) => outcome("diverted", &it.transfer_id),
        Some(Data::TransferFailed(it)) => outcome("failed", &it.transfer_id),
        Some(Data::TransferCancelled(it)) => outcome("cancelled", &it.transfer_id),
        Some(Data::TransferAbandoned(it)) => outcome("abandoned", &it.transfer_id),
        _ => return Ok(()),
    };
    changed.execute(&mut **tx).await?;
    Ok(())
}

fn outcome<'a>(what: &'static str, transfer: &'a str) -> sqlx::query::Query<'a, Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query("UPDATE transfers SET outcome = $1 WHERE id = $2").bind(what).bind(transfer)
}

/// Since 1970, rounded down.
fn milliseconds(time: prost_types::Timestamp) -> i64 {
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}
