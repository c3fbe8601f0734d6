//! The system as its clients meet it: unary reads beside an empty gRPC call on the same listener (the limit); whole transfers a second, from
//! start to completed, beside nothing but their commits (the limit); what 200 calls cost that only wait; how punctual the sound of 100
//! recorded calls is; and how long each process takes to start. The client, the services, the databases and the switch share this machine.
//! Sound is off for all but the last: what is measured is the control plane.
//!
//! `cargo bench -p baton-server --bench system -- [reads|transfers|idle|sound]` measures the embedded system. With `tests/postgres tests/nats`
//! before it, the separate processes on these servers are measured: `[transfers|starts]`. Of transfers `--in-flight=1,32,128`,
//! `--seconds=5` and `--warm-up=1` say how many at once and how long, and `--json` prints a line of JSON for each instead of the table.

use anyhow::Context as _;
use baton_api::{
    common::v1::{RecordingMode, TransferPhase},
    presence::v1::{AgentState, GetAgentRequest, directory_service_client::DirectoryServiceClient},
    simulator::v1::GetStatsRequest,
    transfer::v1::{EndInteractionRequest, GetInteractionRequest, Interaction, WatchInteractionRequest},
};
use baton_runtime::{ServiceName, auth::Role, clock::Clock, ids::new_uuid};
use baton_store::Affected as _;
use baton_store::{
    Db, Migrations, on,
    outbox::{self, OutboxRow},
};
use baton_testkit::{
    Distributed, PhoneBehaviour,
    desk::AgentDesk,
    distributed::is_ready,
    target::{Embedded, TestTarget},
    tenant::{Call, TestTenant, fresh, ring, ring_team},
};
use futures::future::try_join_all;
use std::{
    future::Future,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;
use tonic::Status;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// How long is measured, after so much that is not.
#[derive(Clone, Copy)]
struct Span {
    warm_up: Duration,
    measured: Duration,
}

const SPAN: Span = Span { warm_up: Duration::from_secs(1), measured: Duration::from_secs(5) };

/// What the command line asks for.
struct Options {
    parts: Vec<String>,
    in_flight: Vec<usize>,
    span: Span,
    json: bool,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self { parts: Vec::new(), in_flight: vec![1, 32, 128], span: SPAN, json: false };
        for argument in arguments {
            match argument.split_once('=') {
                Some(("--in-flight", numbers)) => {
                    options.in_flight = numbers.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                Some(("--seconds", seconds)) => options.span.measured = Duration::from_secs(seconds.parse()?),
                Some(("--warm-up", seconds)) => options.span.warm_up = Duration::from_secs(seconds.parse()?),
                _ if argument == "--json" => options.json = true,
                // Cargo says `--bench`.
                _ if argument == "--bench" => {}
                _ if argument.starts_with("--") => anyhow::bail!("{argument} is no option of this benchmark"),
                _ => options.parts.push(argument),
            }
        }
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|it| it == part)
    }
}

/// One line of the table.
struct Measured {
    each_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let binary = Path::new(env!("CARGO_BIN_EXE_baton"));
    let mut target = TestTarget::start(binary, &[("BATON_SWITCH__SOUND", "false")]).await?;
    match &mut target {
        TestTarget::Embedded(embedded) => {
            if options.wants("reads") {
                reads(embedded).await?;
            }
            if options.wants("idle") {
                idle(embedded).await?;
            }
        }
        TestTarget::Distributed(distributed) => {
            if options.wants("starts") {
                starts(distributed).await?;
            }
        }
    }
    if options.wants("transfers") {
        transfers(&target, &options).await?;
    }
    let is_embedded = matches!(target, TestTarget::Embedded(_));
    target.stop().await?;
    if is_embedded && options.wants("sound") {
        sound(binary).await?;
    }
    Ok(())
}

/// Runs `work` in `callers` tasks at once, again and again; it says how long each took, in microseconds.
async fn measure<W, F>(callers: usize, span: Span, work: W) -> anyhow::Result<Measured>
where
    W: Fn(usize) -> F,
    F: Future<Output = anyhow::Result<i64>>,
{
    let clock = Clock::real();
    let (from_us, until_us) = (clock.after(span.warm_up), clock.after(span.warm_up + span.measured));
    let caller = async |caller| {
        let mut took_us = Vec::new();
        loop {
            let start_us = clock.now_us();
            if start_us >= until_us {
                return Ok::<_, anyhow::Error>(took_us);
            }
            let took = work(caller).await?;
            if start_us >= from_us {
                took_us.push(took);
            }
        }
    };
    let mut all: Vec<_> = try_join_all((0..callers).map(caller)).await?.into_iter().flatten().collect();
    all.sort_unstable();
    let at = |part: f64| all.get((all.len() as f64 * part) as usize).copied().unwrap_or_default() as f64 / 1000.0;
    Ok(Measured { each_second: all.len() as f64 / span.measured.as_secs_f64(), p50_ms: at(0.5), p99_ms: at(0.99) })
}

/// How long one call took.
async fn timed(call: impl Future<Output = Result<(), Status>>) -> anyhow::Result<i64> {
    let clock = Clock::real();
    let start_us = clock.now_us();
    call.await?;
    Ok(clock.now_us() - start_us)
}

async fn reads(target: &Embedded) -> anyhow::Result<()> {
    let world = TestTenant::create(target.endpoints()).await?;
    let ada = world.agent("Ada").await?;
    let _session = ada.connect().await?;
    let number = world.number(vec![ring(&ada)]).await?;
    let call = world.call(&number).await?;
    world.until_with(&call, &ada).await?;

    println!("unary reads                     callers        /s    p50 ms    p99 ms   /s of limit   p50 of limit");
    for callers in [1, 128] {
        let channel = world.channel("boss", Role::Supervisor)?;
        let health = HealthClient::new(channel.clone());
        let limit = measure(callers, SPAN, move |_| {
            let mut health = health.clone();
            timed(async move { health.check(HealthCheckRequest::default()).await.map(drop) })
        })
        .await?;
        line("an empty gRPC call (the limit)", callers, &limit, &limit);

        let directory = DirectoryServiceClient::new(channel);
        let agent_id = ada.id().to_owned();
        let agent = measure(callers, SPAN, move |_| {
            let (mut directory, agent_id) = (directory.clone(), agent_id.clone());
            timed(async move { directory.get_agent(GetAgentRequest { agent_id }).await.map(drop) })
        })
        .await?;
        line("GetAgent", callers, &agent, &limit);

        let (interactions, id) = (world.interactions()?, call.interaction_id.clone());
        let interaction = measure(callers, SPAN, move |_| {
            let (mut interactions, interaction_id) = (interactions.clone(), id.clone());
            timed(async move { interactions.get_interaction(GetInteractionRequest { interaction_id }).await.map(drop) })
        })
        .await?;
        line("GetInteraction", callers, &interaction, &limit);
    }
    Ok(())
}

fn line(what: &str, callers: usize, own: &Measured, limit: &Measured) {
    println!(
        "{what:<32}{callers:>7}{:>10.0}{:>10.2}{:>10.2}{:>14.2}{:>15.2}",
        own.each_second,
        own.p50_ms,
        own.p99_ms,
        own.each_second / limit.each_second,
        own.p50_ms / limit.p50_ms
    );
}

/// A call that is handed to and fro between two agents.
#[derive(Clone)]
struct Pair {
    world: TestTenant,
    desks: [AgentDesk; 2],
    number: String,
    call: Arc<Mutex<Call>>,
}

impl Pair {
    async fn new(world: &TestTenant, n: usize) -> anyhow::Result<Self> {
        let answers_immediately = || PhoneBehaviour::AnswersAfter(0);
        let first = world.agent_with(&format!("a{n}"), answers_immediately(), false).await?;
        let second = world.agent_with(&format!("b{n}"), answers_immediately(), false).await?;
        for desk in [&first, &second] {
            // The session lives as long as the process: its heartbeats are part of the load.
            std::mem::forget(desk.connect().await?);
        }
        let number = world.number(vec![ring(&first)]).await?;
        let call = world.call(&number).await?;
        world.until_with(&call, &first).await?;
        Ok(Self { world: world.clone(), desks: [first, second], number, call: Arc::new(Mutex::new(call)) })
    }

    /// The call to hand over: a fresh one after ten times, as no customer is handed on for ever. Not measured.
    async fn call(&self) -> anyhow::Result<Interaction> {
        let mut call = self.call.lock().await;
        let now = self.world.interaction(&call.interaction_id).await?;
        if now.journey.len() <= 10 {
            return Ok(now);
        }
        let end = EndInteractionRequest {
            request_id: fresh(),
            interaction_id: call.interaction_id.clone(),
            ..Default::default()
        };
        self.world.interactions()?.end_interaction(end).await?;
        loop {
            let now = self.desks[0].state().await?;
            if now.state() == AgentState::Available && now.is_free() {
                break;
            }
            Clock::real().sleep(Duration::from_millis(2)).await;
        }
        *call = self.world.call(&self.number).await?;
        self.world.until_with(&call, &self.desks[0]).await
    }

    /// One whole warm transfer: start, ring, answer, consult, join, leave, completed. How long it took, and how many versions of the
    /// interaction: each is a commit.
    async fn hand_over(&self, versions: &AtomicU64) -> anyhow::Result<i64> {
        let (clock, now) = (Clock::real(), self.call().await?);
        let (id, start_us) = (&now.interaction_id, clock.now_us());
        let from = usize::from(now.primary_agent_id == self.desks[1].id());
        let (giver, taker) = (&self.desks[from], &self.desks[1 - from]);
        giver.start_warm(id, taker).await?;
        self.until_phase(id, TransferPhase::Consulting).await?;
        giver.resume(id).await?;
        giver.leave(id).await?;
        let version = self.until_phase(id, TransferPhase::Completed).await?;
        versions.store(version - now.version, Ordering::Relaxed);
        Ok(clock.now_us() - start_us)
    }

    /// The version in which it is reached.
    async fn until_phase(&self, interaction_id: &str, phase: TransferPhase) -> anyhow::Result<u64> {
        let watch = WatchInteractionRequest { interaction_id: interaction_id.to_owned(), after_version: 0 };
        let mut stream = self.world.interactions()?.watch_interaction(watch).await?.into_inner();
        while let Some(next) = stream.message().await? {
            let interaction = next.interaction.unwrap_or_default();
            if interaction.transfer.is_some_and(|transfer| transfer.phase() == phase) {
                return Ok(interaction.version);
            }
        }
        anyhow::bail!("the watch ended before {phase:?}")
    }
}

async fn transfers(target: &TestTarget, options: &Options) -> anyhow::Result<()> {
    let name = if matches!(target, TestTarget::Embedded(_)) { "embedded" } else { "distributed" };
    if !options.json {
        println!(
            "\nwarm transfers, start to completed   in flight        /s    p50 ms    p99 ms   /s of limit   CPU ms   ({name}, sound off)"
        );
    }
    for pairs in options.in_flight.iter().copied() {
        let world = TestTenant::create(target.endpoints()).await?;
        let mut all = Vec::new();
        for n in 0..pairs {
            all.push(Pair::new(&world, n).await?);
        }
        let (versions, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let before = target.cpu_time()?;
        let own = measure(pairs, options.span, |n| {
            let (pair, versions, done) = (all[n].clone(), Arc::clone(&versions), Arc::clone(&done));
            async move {
                let took = pair.hand_over(&versions).await?;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(took)
            }
        })
        .await?;
        let used = target.cpu_time()?.saturating_sub(before);
        let cpu_ms = 1_000.0 * used.as_secs_f64() / done.load(Ordering::Relaxed).max(1) as f64;
        let commits = versions.load(Ordering::Relaxed);
        if options.json {
            let Measured { each_second, p50_ms, p99_ms } = own;
            println!(
                "{{\"what\": \"transfers\", \"target\": \"{name}\", \"in_flight\": {pairs}, \"per_second\": {each_second:.1}, \"p50_ms\": \
                 {p50_ms:.2}, \"p99_ms\": {p99_ms:.2}, \"commits\": {commits}, \"cpu_ms\": {cpu_ms:.2}}}"
            );
            continue;
        }
        let limit = only_commits(pairs, commits).await?;
        transfer_line("", pairs, &own, &limit, &format!("{cpu_ms:.1}"));
        transfer_line(&format!("{commits} commits in a row (the limit)"), pairs, &limit, &limit, "");
    }
    Ok(())
}

/// How long each process takes from its start until it is ready, and how much memory it has had; the limit is a second.
async fn starts(target: &mut Distributed) -> anyhow::Result<()> {
    let clock = Clock::real();
    println!("\nstart to ready                  ms    memory, MiB");
    for service in ServiceName::ALL {
        let health = target.health(service).context("its health")?;
        target.kill(service)?;
        let from_us = clock.now_us();
        target.start_again(service)?;
        while !is_ready(health).await {
            clock.sleep(Duration::from_millis(5)).await;
        }
        let took_ms = (clock.now_us() - from_us) as f64 / 1_000.0;
        let mib = target.peak_memory(service)? as f64 / f64::from(1 << 20);
        println!("{:<24}{took_ms:>10.0}{mib:>15.0}", service.as_str());
    }
    target.until_serving().await
}

fn transfer_line(what: &str, pairs: usize, own: &Measured, limit: &Measured, cpu_ms: &str) {
    println!(
        "{what:<37}{pairs:>9}{:>10.0}{:>10.1}{:>10.1}{:>14.2}{cpu_ms:>9}",
        own.each_second,
        own.p50_ms,
        own.p99_ms,
        own.each_second / limit.each_second
    );
}

/// The limit of a transfer: as many durable changes one after the other as the transfer service commits for it, each of a state of
/// 4 KB with two events, in a database of its own, and nothing else: no call, no other service, no switch.
async fn only_commits(pairs: usize, commits: u64) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let db = Db::open(folder.path().join("limit.db")).await?;
    db.migrate(&Migrations::NONE).await?;
    let mut tx = db.begin().await?;
    on!(tx, conn => sqlx::query("CREATE TABLE states (id BIGINT PRIMARY KEY, state TEXT NOT NULL)").affected(conn).await)?;
    tx.commit().await?;
    let clock = Clock::real();
    measure(pairs, SPAN, |n| {
        let (db, clock) = (db.clone(), clock.clone());
        async move {
            let start_us = clock.now_us();
            for _ in 0..commits {
                commit_one(&db, n).await?;
            }
            Ok(clock.now_us() - start_us)
        }
    })
    .await
}

async fn commit_one(db: &Db, n: usize) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let aggregate = format!("interaction/{}", new_uuid());
    let events = [1, 2].map(|sequence| OutboxRow {
        id: new_uuid(),
        tenant: "bench".into(),
        aggregate: aggregate.clone(),
        sequence,
        event_type: "transfer.started".into(),
        area: "transfer".into(),
        payload: vec![0; 250],
        actor: "system".into(),
        traceparent: String::new(),
        time_us: 0,
    });
    on!(tx, conn => sqlx::query("INSERT INTO states VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET state = excluded.state")
        .bind(n as i64)
        .bind("x".repeat(4_000))
        .affected(conn)
        .await)?;
    outbox::append(&mut tx, &events).await?;
    tx.commit().await?;
    Ok(())
}

/// So many calls that wait for an agent at once, for so long.
const WAITING: usize = 200;
const IDLE: Duration = Duration::from_secs(30);

/// What calls cost that only wait, beside an installation without a call. The limit: 0.5 % of a core.
async fn idle(target: &Embedded) -> anyhow::Result<()> {
    let clock = Clock::real();
    let of_a_core = async || {
        let before = target.cpu_time()?;
        clock.sleep(IDLE).await;
        anyhow::Ok(100.0 * target.cpu_time()?.saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64())
    };
    let world = TestTenant::create(target.endpoints()).await?;
    let team = world.team("Nobody", &[&world.agent("Ada").await?]).await?;
    let number = world.number(vec![ring_team(&team, 20_000, 3_600_000)]).await?;
    clock.sleep(SPAN.warm_up).await;
    let without = of_a_core().await?;
    for _ in 0..WAITING {
        world.call(&number).await?;
    }
    clock.sleep(SPAN.warm_up).await;
    let with = of_a_core().await?;
    println!("\nnothing happens, for {} s               % of a core", IDLE.as_secs());
    println!("{:<40}{without:>11.2}", "no call");
    println!("{:<40}{with:>11.2}", format!("{WAITING} calls wait (the limit: 0.50 more)"));
    Ok(())
}

/// So many recorded calls at once, for so long.
const CALLS: usize = 100;
const TALK: Duration = Duration::from_secs(20);

/// The limit: 99.9 % of the frames within 20 ms of their time, none later than 60 ms.
async fn sound(binary: &Path) -> anyhow::Result<()> {
    let mut target = Embedded::start(binary, &[]).await?;
    let world = TestTenant::create(target.endpoints()).await?;
    let answers_immediately = || PhoneBehaviour::AnswersAfter(0);
    let mut calls = Vec::new();
    for n in 0..CALLS {
        let desk = world.agent_with(&format!("agent-{n}"), answers_immediately(), false).await?;
        std::mem::forget(desk.connect().await?);
        let number = world.number(vec![ring(&desk)]).await?;
        world.record(&number, RecordingMode::All).await?;
        calls.push((world.call(&number).await?, desk));
    }
    for (call, desk) in &calls {
        world.until_with(call, desk).await?;
    }
    let mut simulator = world.phones()?.client();
    let before = simulator.get_stats(GetStatsRequest {}).await?.into_inner();
    Clock::real().sleep(TALK).await;
    let after = simulator.get_stats(GetStatsRequest {}).await?.into_inner();
    let frames = (after.frames - before.frames) as f64;
    let late = |count: i64| 100.0 * count as f64 / frames;
    println!("\n{CALLS} recorded calls for {TALK:?}      measured      limit");
    println!(
        "frames later than 20 ms, %     {:>12.3}{:>11}",
        late(after.frames_late_20_ms - before.frames_late_20_ms),
        0.1
    );
    println!("frames later than 60 ms        {:>12}{:>11}", after.frames_late_60_ms - before.frames_late_60_ms, 0);
    println!("the latest frame, ms           {:>12.1}{:>11}", after.max_lateness_us as f64 / 1000.0, 60);
    let mixing = (after.mixing_time_us - before.mixing_time_us) as f64 / TALK.as_micros() as f64;
    println!("mixing, share of a core        {mixing:>12.3}{:>11}", 1);
    println!("recordings that run            {:>12}{CALLS:>11}", after.live_recordings);
    target.stop().await?;
    Ok(())
}
