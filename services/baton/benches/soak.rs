//! A steady load for some minutes: calls that are recorded, handed over and left as messages. Each minute it prints what the processes hold
//! (memory, descriptors) and what is stored, so that one sees whether anything grows that should not. What is stored grows with the
//! calls until it is old (`docs/what-grows.md`, and `baton demo weeks` for that).
//!
//! `cargo bench -p baton-server --bench soak -- [MINUTES] [CALLS A SECOND]`; ten minutes and four calls a second unless said otherwise. It
//! fails if a call fails, or if memory or descriptors are more at the end than half way, by a fifth.

use baton_api::common::v1::RecordingMode;
use baton_runtime::clock::Clock;
use baton_testkit::{
    PhoneBehaviour,
    desk::AgentDesk,
    target::Embedded,
    tenant::{TestTenant, ring, voicemail},
    wait::{BOUND, eventually},
};
use futures::future::try_join_all;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long a call and what follows it take at most: so many callers at once make the rate.
const ROUND: Duration = Duration::from_secs(10);
const BEFORE_THE_TRANSFER: Duration = Duration::from_secs(2);
const AFTER_THE_TRANSFER: Duration = Duration::from_secs(1);
/// The greeting and the beep, and a message of two seconds.
const IN_VOICEMAIL: Duration = Duration::from_millis(3_500);
/// Each so many-th call goes to voicemail.
const TO_VOICEMAIL: usize = 5;
/// What may be more at the end than half way.
const MORE: f64 = 1.2;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let minutes = numbers.first().copied().unwrap_or(10).max(1);
    let each_second = numbers.get(1).copied().unwrap_or(4).max(1);
    // What phones heard is kept for tests and not for a minute longer.
    let settings = [("BATON_SWITCH__HEARD_KEPT_MS", "60000")];
    let mut target = Embedded::start(Path::new(env!("CARGO_BIN_EXE_baton")), &settings).await?;
    let done = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for no in 0..each_second * ROUND.as_secs() {
        callers.push(Caller::begin(&target, Arc::clone(&done)).await?.call_every(ROUND, no, each_second));
    }
    println!("{each_second} calls a second from {} tenants; `up` / the switch", callers.len());
    println!("minute   calls    memory MiB    descriptors   databases MiB   KiB a call   audio MiB");
    tokio::select! {
        ended = try_join_all(callers) => ended.map(drop)?,
        watched = watch(&target, minutes, &done) => watched?,
    }
    target.stop().await?;
    Ok(())
}

/// Prints a line each minute.
async fn watch(target: &Embedded, minutes: u64, done: &AtomicUsize) -> anyhow::Result<()> {
    let clock = Clock::real();
    let stored_before = stored(target.data(), "db")?;
    let mut held = Vec::new();
    for minute in 1..=minutes {
        clock.sleep(Duration::from_mins(1)).await;
        let now = [target.usage("up")?, target.usage("switch")?];
        let (calls, databases) = (done.load(Ordering::Relaxed), stored(target.data(), "db")?);
        let each_kib = databases.saturating_sub(stored_before) / 1024 / calls.max(1) as u64;
        let [up, switch] = now;
        println!(
            "{minute:>6}{calls:>8}{:>8} / {:<4}{:>8} / {:<5}{:>13}{each_kib:>13}{:>12}",
            mib(up.memory),
            mib(switch.memory),
            up.descriptors,
            switch.descriptors,
            mib(databases),
            mib(stored(target.data(), "wav")?),
        );
        held.push(now);
    }
    let (half, end) = (held[held.len() / 2], held[held.len() - 1]);
    for (half, end) in half.into_iter().zip(end) {
        let grows = |half: u64, end: u64| end as f64 > half as f64 * MORE;
        anyhow::ensure!(!grows(half.memory, end.memory), "memory grew from {half:?} to {end:?}");
        anyhow::ensure!(!grows(half.descriptors, end.descriptors), "descriptors grew from {half:?} to {end:?}");
    }
    Ok(())
}

fn mib(bytes: u64) -> u64 {
    bytes / 1024 / 1024
}

/// The bytes of all files of this sort, a database's log among them.
fn stored(folder: &Path, sort: &str) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // It may be gone since.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            bytes += stored(&entry.path(), sort).unwrap_or(0);
        } else if entry.file_name().to_string_lossy().contains(&format!(".{sort}")) {
            bytes += about.len();
        }
    }
    Ok(bytes)
}

/// Two agents of a tenant of their own, and the customers who call them one after the other.
struct Caller {
    world: TestTenant,
    desks: [AgentDesk; 2],
    number: String,
    box_number: String,
    done: Arc<AtomicUsize>,
}

impl Caller {
    async fn begin(target: &Embedded, done: Arc<AtomicUsize>) -> anyhow::Result<Self> {
        let world = TestTenant::create(target.endpoints()).await?;
        let ada = world.agent_with("Ada", PhoneBehaviour::AnswersAfter(100), false).await?;
        let ben = world.agent_with("Ben", PhoneBehaviour::AnswersAfter(100), false).await?;
        for desk in [&ada, &ben] {
            // The session lives as long as the process: its heartbeats are part of the load.
            std::mem::forget(desk.connect().await?);
        }
        let number = world.number(vec![ring(&ada)]).await?;
        world.record(&number, RecordingMode::All).await?;
        let box_number = world.number(vec![voicemail("sales")]).await?;
        Ok(Self { world, desks: [ada, ben], number, box_number, done })
    }

    /// For ever; the callers begin one after the other.
    async fn call_every(self, round: Duration, no: u64, each_second: u64) -> anyhow::Result<()> {
        let clock = Clock::real();
        clock.sleep(Duration::from_millis(1_000 * no / each_second)).await;
        let mut rounds = clock.interval(round);
        for call in 0_usize.. {
            if call % TO_VOICEMAIL == TO_VOICEMAIL - 1 {
                self.leave_a_message(&clock).await?;
            } else {
                self.hand_over(&clock).await?;
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            rounds.tick().await;
        }
        Ok(())
    }

    async fn hand_over(&self, clock: &Clock) -> anyhow::Result<()> {
        let [ada, ben] = &self.desks;
        eventually("both agents are free", BOUND, async || {
            for desk in [ada, ben] {
                let presence = desk.state().await.map_err(|error| format!("{error:#}"))?;
                if !presence.is_free() {
                    return Err(format!("{presence:?}"));
                }
            }
            Ok(())
        })
        .await?;
        let call = self.world.call(&self.number).await?;
        self.world.until_with(&call, ada).await?;
        ada.note(&call.interaction_id, "Wants to know when the parcel comes; has called twice.").await?;
        clock.sleep(BEFORE_THE_TRANSFER).await;
        ada.start_cold(&call.interaction_id, ben).await?;
        self.world.until_with(&call, ben).await?;
        clock.sleep(AFTER_THE_TRANSFER).await;
        self.world.phones()?.hang_up_leg(&call.leg_id).await?;
        self.world.until_ended(&call).await.map(drop)
    }

    async fn leave_a_message(&self, clock: &Clock) -> anyhow::Result<()> {
        let call = self.world.call(&self.box_number).await?;
        clock.sleep(IN_VOICEMAIL).await;
        self.world.phones()?.hang_up_leg(&call.leg_id).await?;
        self.world.until_ended(&call).await.map(drop)
    }
}
