//! So many clients at once, each with one transfer after the other, and how long these took from start to completed.

use crate::{ingress::Ingress, phones::Rings, transfer::State};
use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use futures::future::{try_join, try_join_all};
use hyper::Uri;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Args)]
pub(crate) struct Load {
    /// How many transfers are in flight at once: one measurement for each number.
    #[arg(long, value_delimiter = ',', default_value = "1,32,128")]
    in_flight: Vec<usize>,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// For how many seconds before it nothing is counted.
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
    /// Where Restate takes calls.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    ingress: Uri,
    /// How the two signals get into a transfer.
    #[arg(long, value_enum, default_value_t = Signals::Promises)]
    signals: Signals,
    /// Where the endpoint reports which phones ring.
    #[arg(long, default_value = "127.0.0.1:9081")]
    phones: SocketAddr,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Signals {
    /// Through handlers of the workflow, which resolve durable promises.
    Promises,
    /// The client resolves them itself.
    Awakeables,
}

/// One client's way to Restate.
#[derive(Clone)]
enum Client {
    Promises(Ingress),
    Awakeables(Ingress, Rings),
}

/// One line of the table.
#[derive(Serialize)]
struct Measured {
    what: &'static str,
    in_flight: usize,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Load {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        if !self.json {
            println!("warm transfers on Restate   in flight        /s    p50 ms    p99 ms");
        }
        for &in_flight in &self.in_flight {
            self.print(&self.measure(in_flight).await?)?;
        }
        Ok(())
    }

    fn print(&self, it: &Measured) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(it)?);
        } else {
            println!("{:<37}{:>10.1}{:>10.1}{:>10.1}", it.in_flight, it.per_second, it.p50_ms, it.p99_ms);
        }
        Ok(())
    }

    async fn client(&self) -> anyhow::Result<Client> {
        let ingress = Ingress::new(self.ingress.clone());
        Ok(match self.signals {
            Signals::Promises => Client::Promises(ingress),
            Signals::Awakeables => Client::Awakeables(ingress, Rings::connect(self.phones).await?),
        })
    }

    async fn measure(&self, in_flight: usize) -> anyhow::Result<Measured> {
        let client = self.client().await?;
        let from = Instant::now() + Duration::from_secs(self.warm_up);
        let until = from + Duration::from_secs(self.seconds);
        // Keys are fresh in each run, as Restate remembers the workflows of a day.
        let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let clients = (0..in_flight).map(|n| one_after_the_other(&client, format!("{run:x}-{n}"), from, until));
        let mut took: Vec<_> = try_join_all(clients).await?.into_iter().flatten().collect();
        took.sort_unstable();
        ensure!(!took.is_empty(), "no transfer was completed in {} s: give it more --seconds", self.seconds);
        let at = |part: f64| took[(took.len() as f64 * part) as usize].as_secs_f64() * 1000.0;
        let per_second = took.len() as f64 / self.seconds as f64;
        let what = if self.signals == Signals::Promises { "restate promises" } else { "restate awakeables" };
        Ok(Measured { what, in_flight, per_second, p50_ms: at(0.5), p99_ms: at(0.99) })
    }
}

/// How long each of the transfers took that began in the measurement.
async fn one_after_the_other(
    client: &Client,
    name: String,
    from: Instant,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for n in 0.. {
        let start = Instant::now();
        if start >= until {
            break;
        }
        client.hand_over(&format!("{name}-{n}")).await?;
        if start >= from {
            took.push(start.elapsed());
        }
    }
    Ok(took)
}

impl Client {
    /// One whole warm transfer.
    async fn hand_over(&self, interaction_id: &str) -> anyhow::Result<()> {
        let first = State::new(interaction_id);
        let last = match self {
            Self::Promises(ingress) => with_promises(ingress, &first).await?,
            Self::Awakeables(ingress, rings) => with_awakeables(ingress, rings, &first).await?,
        };
        ensure!(last.phase == "completed" && last.version == 8, "it ended {} after {} steps", last.phase, last.version);
        Ok(())
    }
}

/// The wait for the ringing is on its way together with the start, so that it costs no time of its own.
async fn with_promises(ingress: &Ingress, first: &State) -> anyhow::Result<State> {
    let handler = |name: &str| format!("Transfer/{}/{name}", first.interaction_id);
    let (run, rings, answered, leaves) =
        (handler("run"), handler("rings"), handler("agent_answered"), handler("giver_leaves"));
    let signals = async {
        ingress.signal(&rings).await?;
        ingress.signal(&answered).await?;
        ingress.signal(&leaves).await
    };
    Ok(try_join(ingress.run(&run, first), signals).await?.0)
}

async fn with_awakeables(ingress: &Ingress, rings: &Rings, first: &State) -> anyhow::Result<State> {
    let ringing = rings.of(&first.interaction_id);
    let signals = async {
        let call_back = ringing.await.context("the endpoint is gone")?;
        ingress.resolve(&call_back.answered).await?;
        ingress.resolve(&call_back.left).await
    };
    Ok(try_join(ingress.run("CalledBack/run", first), signals).await?.0)
}
