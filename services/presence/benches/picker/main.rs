//! The picker at 10,000, 100,000 and 1,000,000 agents: the first 50 of a team by longest idle, while 5,000 states change a second; with all that is
//! shown of an agent, and with what a row of a list shows (`read_mask`).
//!
//! Beside it, in the same run and in turns: Redis, with a sorted set for each team and each agent's part of the answer ready-made, read in one round
//! trip by a script; the limits: a page that is ready-made, answered by a gRPC server that does nothing else, and an empty call to Baton; and the
//! same question to memory, without a call. Then changes a second, searches, and the memory of each agent.
//!
//! `cargo bench -p baton-presence --features bench --bench picker -- [--agents=10000,…] [--callers=1,32] [--seconds=3] [--rounds=2]`. Redis is
//! started if `redis-server` is installed (the Debian package of that name), without a disk; otherwise the benchmark says that it is not there.
//! What is measured of Baton is its service without commits: Redis makes none either. Clients and Baton are one process, Redis is another.

#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is real time, and tasks that end with the measurement"
)]

mod redis;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use baton_api::picker::ListTargetsResponse;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{ListTargetsRequest, PickerTarget, TargetFilter, TargetOrder};
use baton_api::read_mask::ReadMask;
use baton_bus::{Bus, EventLog};
use baton_presence::measure::{Crowd, Memory};
use baton_runtime::auth::{AdmissionList, Caller, Role, SigningKey, TenantState};
use baton_runtime::client::{GrpcChannel, InternalChannel, Peers, PublicChannel, ServiceIdentity};
use baton_runtime::config::PresenceConfig;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::server::ServerBuilder;
use baton_runtime::{Clock, ServiceName};
use baton_service::{RunningService as _, ServiceContext};
use prost::bytes::Bytes;
use prost_types::FieldMask;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;

use redis::Redis;

const TENANT: &str = "acme";
const PAGE: usize = 50;
const TEAM: u32 = 500;
const CHANGES_A_SECOND: u32 = 5_000;
/// Connections of many callers of Baton. Each caller of Redis has its own.
const CHANNELS: usize = 4;

struct Options {
    agents: Vec<u32>,
    callers: Vec<usize>,
    seconds: f64,
    rounds: usize,
}

impl Options {
    fn read() -> anyhow::Result<Self> {
        let mut options =
            Self { agents: vec![10_000, 100_000, 1_000_000], callers: vec![1, 32], seconds: 3.0, rounds: 2 };
        for argument in std::env::args().skip(1) {
            match argument.split_once('=') {
                Some(("--agents", numbers)) => {
                    options.agents = numbers.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                Some(("--callers", numbers)) => {
                    options.callers = numbers.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                Some(("--seconds", seconds)) => options.seconds = seconds.parse()?,
                Some(("--rounds", rounds)) => options.rounds = rounds.parse()?,
                // Cargo says `--bench`.
                _ if argument == "--bench" => {}
                _ => anyhow::bail!("{argument} is no option of this benchmark"),
            }
        }
        Ok(options)
    }
}

/// What many measurements of the same say.
#[derive(Default)]
struct Measured {
    each_second: Vec<f64>,
    p50_us: Vec<f64>,
}

impl Measured {
    fn add(&mut self, mut latencies: Vec<Duration>, elapsed: Duration) {
        latencies.sort_unstable();
        self.each_second.push(latencies.len() as f64 / elapsed.as_secs_f64());
        self.p50_us.push(latencies.get(latencies.len() / 2).map_or(0.0, |it| it.as_secs_f64() * 1e6));
    }

    fn rate(&self) -> String {
        format!("{:.0}", median(&self.each_second))
    }

    fn p50_ms(&self) -> String {
        format!("{:.2}", median(&self.p50_us) / 1e3)
    }
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::read()?;
    if Redis::start().is_none() {
        println!("redis-server is not installed (the Debian package of that name): Baton is measured alone.\n");
    }
    for agents in &options.agents {
        measure(&options, Crowd { agents: *agents, team: TEAM }).await?;
    }
    Ok(())
}

async fn measure(options: &Options, crowd: Crowd) -> anyhow::Result<()> {
    let baton = Baton::start(crowd).await?;
    let redis = Redis::start();
    println!("{} agents, {} teams of {TEAM}", crowd.agents, crowd.teams());
    for shown in [Shown::Row, Shown::Everything] {
        pickers(options, (&baton, shown), redis.as_ref()).await?;
    }
    println!(
        "memory of an agent: Baton {} bytes{}",
        baton.bytes_each,
        match &redis {
            Some(redis) => format!(", Redis {} bytes", redis.bytes().await? / u64::from(crowd.agents)),
            None => String::new(),
        }
    );
    let span = Duration::from_secs_f64(options.seconds);
    let (mut own, mut others) = (Measured::default(), Measured::default());
    for _ in 0..options.rounds {
        let (count, elapsed) = baton.changes(span);
        own.each_second.push(f64::from(count) / elapsed.as_secs_f64());
        if let Some(redis) = &redis {
            let (count, elapsed) = redis.changes(crowd, span).await?;
            others.each_second.push(f64::from(count) / elapsed.as_secs_f64());
        }
    }
    println!("changes a second, one after the other: Baton {}, Redis (100 in a batch) {}", own.rate(), others.rate());
    for search in ["a", "q", "zz", "mül", "zoe mull", "haddad", "ben.claes4", "team 7", "nobody has this"] {
        let (latencies, _) = baton.searches(search, span.min(Duration::from_secs(1))).await?;
        let mut sorted = latencies;
        sorted.sort_unstable();
        let at = |part: usize| sorted.get(sorted.len() * part / 100).map_or(0.0, |it| it.as_secs_f64() * 1e3);
        println!("search {search:?}: p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
    }
    println!();
    baton.lifecycle.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

/// One line of the table for each number of callers.
async fn pickers(options: &Options, (baton, shown): (&Baton, Shown), redis: Option<&Redis>) -> anyhow::Result<()> {
    let page = baton.page(0, shown).await?;
    let bytes = page.iter().map(Bytes::len).sum::<usize>();
    println!("a page of {PAGE} agents, {} of each: {bytes} bytes", shown.name());
    if let Some(redis) = redis {
        redis.fill(&page, baton.crowd).await?;
    }
    let span = Duration::from_secs_f64(options.seconds);
    for callers in options.callers.iter().copied() {
        let [mut picker, mut other, mut limit, mut empty, mut memory] = std::array::from_fn(|_| Measured::default());
        for _ in 0..options.rounds {
            let (latencies, elapsed) = baton.pickers(callers, span, shown).await?;
            picker.add(latencies, elapsed);
            if let Some(redis) = redis {
                let (latencies, elapsed) = redis.pickers(baton.crowd, callers, span).await?;
                other.add(latencies, elapsed);
            }
            let (latencies, elapsed) = baton.ready_made(callers, span, shown).await?;
            limit.add(latencies, elapsed);
            let (latencies, elapsed) = baton.empty(callers, span).await?;
            empty.add(latencies, elapsed);
            let (latencies, elapsed) = baton.in_memory(callers, span, shown).await;
            memory.add(latencies, elapsed);
        }
        let ratio = if redis.is_some() {
            format!("{:.2}", median(&picker.each_second) / median(&other.each_second))
        } else {
            "-".to_owned()
        };
        println!(
            "| {} | {} | {callers} | {} | {} | {} | {} | {ratio} | {} | {} | {:.2} | {} | {} | {} |",
            baton.crowd.agents,
            shown.name(),
            picker.rate(),
            picker.p50_ms(),
            other.rate(),
            other.p50_ms(),
            limit.rate(),
            limit.p50_ms(),
            median(&picker.each_second) / median(&limit.each_second),
            empty.rate(),
            empty.p50_ms(),
            memory.rate(),
        );
    }
    Ok(())
}

/// Calls until the time is over, each after the last one.
async fn repeat<F: Future<Output = anyhow::Result<()>>>(
    span: Duration,
    mut call: impl FnMut(u32) -> F,
) -> anyhow::Result<Vec<Duration>> {
    let (begin, mut latencies) = (Instant::now(), Vec::new());
    let mut number = 0;
    while begin.elapsed() < span {
        let sent = Instant::now();
        call(number).await?;
        latencies.push(sent.elapsed());
        number += 1;
    }
    Ok(latencies)
}

async fn all_of(tasks: Vec<tokio::task::JoinHandle<anyhow::Result<Vec<Duration>>>>) -> anyhow::Result<Vec<Duration>> {
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

struct Baton {
    crowd: Crowd,
    memory: Memory,
    channels: Vec<PublicChannel>,
    address: String,
    bytes_each: u64,
    lifecycle: Lifecycle,
    _folder: tempfile::TempDir,
}

impl Baton {
    async fn start(crowd: Crowd) -> anyhow::Result<Self> {
        let (clock, key, lifecycle) = (Clock::real(), SigningKey::generate(), Lifecycle::new());
        let folder = tempfile::tempdir()?;
        let nowhere: InternalChannel =
            GrpcChannel::internal("http://127.0.0.1:9", ServiceIdentity::new(key.clone(), "bench"), clock.clone())?;
        let context = ServiceContext {
            name: ServiceName::Presence,
            folder: folder.path().to_owned(),
            databases: baton_store::testing::databases(folder.path()),
            config: PresenceConfig { lease_ms: 15_000u64.try_into().expect("not zero") },
            clock: clock.clone(),
            lifecycle: lifecycle.clone(),
            calls_kept: Duration::from_hours(24),
            space: DiskSpace::default(),
            bus: Bus::from(EventLog::open(folder.path().join("bus.db"), clock.clone()).await?),
            peers: Peers::at_one(&nowhere),
        };
        let admitted = AdmissionList::default();
        admitted.set(TENANT.parse()?, TenantState::Active);
        let presence = baton_presence::start(context, admitted.clone()).await?;
        let before = resident_bytes();
        let memory = Memory::fill(&presence, TENANT, crowd);
        let bytes_each = resident_bytes().saturating_sub(before) / u64::from(crowd.agents);
        let server = presence.add_public(ServerBuilder::new(clock.clone(), key.verifier()).admitting(admitted));
        let bound = server.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = format!("http://{}", bound.local_addr());
        lifecycle::spawn(bound.serve(lifecycle.soft()));
        let caller = Caller::of_tenant(TENANT.parse()?, "boss", Role::Supervisor);
        let token = key.mint(&caller, clock.now_us(), Duration::from_hours(24))?;
        let channels = (0..CHANNELS).map(|_| GrpcChannel::public(&address, &token, clock.clone()));
        let channels = channels.collect::<Result<_, _>>()?;
        Ok(Self { crowd, memory, channels, address, bytes_each, lifecycle, _folder: folder })
    }

    /// The first page of a team, each target as a message of its own.
    async fn page(&self, team: u32, shown: Shown) -> anyhow::Result<Vec<Bytes>> {
        let mut client = PresenceServiceClient::new(self.channels[0].clone());
        let found = client.list_targets(first_of(self.crowd, team, shown)).await?;
        let targets = found.into_inner().targets;
        anyhow::ensure!(targets.len() == PAGE, "a page of {}", targets.len());
        Ok(targets)
    }

    async fn pickers(&self, callers: usize, span: Duration, shown: Shown) -> anyhow::Result<(Vec<Duration>, Duration)> {
        let crowd = self.crowd;
        let asking = |caller: usize| {
            let client = PresenceServiceClient::new(self.channels[caller % CHANNELS].clone());
            move |number| {
                let mut client = client.clone();
                let team = spread(number, caller) % crowd.teams();
                async move { show(client.list_targets(first_of(crowd, team, shown)).await?.into_inner()) }
            }
        };
        self.while_states_change(callers, span, asking).await
    }

    /// A page that is ready-made, from a server that does nothing else.
    async fn ready_made(
        &self,
        callers: usize,
        span: Duration,
        shown: Shown,
    ) -> anyhow::Result<(Vec<Duration>, Duration)> {
        let page = ListTargetsResponse { targets: self.page(0, shown).await?, next_page_token: String::new() };
        let incoming = TcpIncoming::from(tokio::net::TcpListener::bind("127.0.0.1:0").await?).with_nodelay(Some(true));
        let address = format!("http://{}", incoming.local_addr()?);
        let server = tonic::transport::Server::builder().add_service(ReadyMade(page));
        let serving = tokio::spawn(server.serve_with_incoming(incoming));
        let mut channels = Vec::new();
        for _ in 0..CHANNELS {
            channels.push(tonic::transport::Endpoint::from_shared(address.clone())?.connect().await?);
        }
        let asked = first_of(self.crowd, 0, shown);
        let asking = |caller: usize| {
            let client = PresenceServiceClient::new(channels[caller % CHANNELS].clone());
            let asked = asked.clone();
            move |_| {
                let (mut client, asked) = (client.clone(), asked.clone());
                async move { show(client.list_targets(asked).await?.into_inner()) }
            }
        };
        let measured = self.while_states_change(callers, span, asking).await;
        serving.abort();
        measured
    }

    /// So many callers, each with calls of their own.
    async fn while_states_change<C, F>(
        &self,
        callers: usize,
        span: Duration,
        calls: impl Fn(usize) -> C,
    ) -> anyhow::Result<(Vec<Duration>, Duration)>
    where
        C: FnMut(u32) -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let changing = Changing::start(self.memory.clone());
        let begin = Instant::now();
        let tasks = (0..callers).map(|caller| tokio::spawn(repeat(span, calls(caller))));
        let latencies = all_of(tasks.collect()).await?;
        let elapsed = begin.elapsed();
        changing.stop().await;
        Ok((latencies, elapsed))
    }

    async fn empty(&self, callers: usize, span: Duration) -> anyhow::Result<(Vec<Duration>, Duration)> {
        let begin = Instant::now();
        let mut tasks = Vec::new();
        let mut channels = Vec::new();
        for _ in 0..CHANNELS {
            channels.push(tonic::transport::Endpoint::from_shared(self.address.clone())?.connect().await?);
        }
        for caller in 0..callers {
            let client = HealthClient::new(channels[caller % CHANNELS].clone());
            tasks.push(tokio::spawn(repeat(span, move |_| {
                let mut client = client.clone();
                async move {
                    client.check(HealthCheckRequest::default()).await?;
                    Ok(())
                }
            })));
        }
        Ok((all_of(tasks).await?, begin.elapsed()))
    }

    /// The same question without a call, on as many threads as there are cores for.
    async fn in_memory(&self, callers: usize, span: Duration, shown: Shown) -> (Vec<Duration>, Duration) {
        let wanted = ReadMask::parse::<PickerTarget>(shown.mask().as_ref()).expect("there are these fields");
        let changing = Changing::start(self.memory.clone());
        let begin = Instant::now();
        let threads: Vec<_> = (0..callers.min(2))
            .map(|caller| {
                let (memory, crowd, wanted) = (self.memory.clone(), self.crowd, wanted.clone());
                std::thread::spawn(move || {
                    let mut latencies = Vec::new();
                    for number in 0.. {
                        if begin.elapsed() > span {
                            break;
                        }
                        let asked = Instant::now();
                        assert_eq!(memory.first_of(spread(number, caller) % crowd.teams(), PAGE, &wanted), PAGE);
                        latencies.push(asked.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        let joined = tokio::task::spawn_blocking(|| {
            threads.into_iter().flat_map(|it| it.join().expect("it does not panic")).collect::<Vec<_>>()
        });
        let latencies = joined.await.expect("it does not panic");
        let elapsed = begin.elapsed();
        changing.stop().await;
        (latencies, elapsed)
    }

    fn changes(&self, span: Duration) -> (u32, Duration) {
        let begin = Instant::now();
        let mut count = 0;
        while begin.elapsed() < span {
            self.memory.change(spread(count, 7), i64::from(count));
            count += 1;
        }
        // All are available again.
        for agent in 0..count {
            self.memory.change(spread(agent, 7), i64::from(count + agent));
        }
        (count * 2, begin.elapsed())
    }

    async fn searches(&self, search: &'static str, span: Duration) -> anyhow::Result<(Vec<Duration>, Duration)> {
        let begin = Instant::now();
        let client = PresenceServiceClient::new(self.channels[0].clone());
        let latencies = repeat(span, |_| {
            let mut client = client.clone();
            let filter =
                TargetFilter { search: search.to_owned(), include_unavailable: true, ..TargetFilter::default() };
            async move {
                client.list_targets(ListTargetsRequest { filter: Some(filter), ..Default::default() }).await?;
                Ok(())
            }
        });
        Ok((latencies.await?, begin.elapsed()))
    }
}

/// As a client does that shows the page.
fn show(page: ListTargetsResponse) -> anyhow::Result<()> {
    let targets = baton_api::picker::targets(page.targets)?;
    anyhow::ensure!(targets.len() == PAGE, "a page that is not full");
    Ok(())
}

/// Answers each call of any method with this page.
#[derive(Clone)]
struct ReadyMade(ListTargetsResponse);

impl NamedService for ReadyMade {
    const NAME: &'static str = "baton.presence.v1.PresenceService";
}

impl UnaryService<ListTargetsRequest> for ReadyMade {
    type Response = ListTargetsResponse;
    type Future = std::future::Ready<Result<Response<ListTargetsResponse>, Status>>;

    fn call(&mut self, _: Request<ListTargetsRequest>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.clone())))
    }
}

impl Service<http::Request<Body>> for ReadyMade {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let page = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(ProstCodec::default()).unary(page, request).await) })
    }
}

/// What is wanted of each agent of a page.
#[derive(Clone, Copy)]
enum Shown {
    /// What a row of a list shows: who it is, how they are, and since when.
    Row,
    Everything,
}

impl Shown {
    fn name(self) -> &'static str {
        match self {
            Self::Row => "a row",
            Self::Everything => "everything",
        }
    }

    fn mask(self) -> Option<FieldMask> {
        let fields = ["target", "name", "available", "presence.state", "presence.state_start_time"];
        matches!(self, Self::Row).then(|| FieldMask { paths: fields.map(str::to_owned).into() })
    }
}

fn first_of(crowd: Crowd, team: u32, shown: Shown) -> ListTargetsRequest {
    let filter = TargetFilter {
        team_id: crowd.team_id(team).to_string(),
        order: TargetOrder::LongestIdle.into(),
        ..TargetFilter::default()
    };
    ListTargetsRequest {
        filter: Some(filter),
        page_size: PAGE as i32,
        page_token: String::new(),
        read_mask: shown.mask(),
    }
}

/// Numbers that jump about.
fn spread(number: u32, caller: usize) -> u32 {
    (number.wrapping_add(caller as u32 * 7_919)).wrapping_mul(2_654_435_761) >> 4
}

/// States change, evenly, until it is stopped.
struct Changing {
    over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Changing {
    fn start(memory: Memory) -> Self {
        Self::with(move |agent| {
            memory.change(agent, i64::from(agent));
            std::future::ready(())
        })
    }

    fn with<F: Future<Output = ()> + Send>(mut change: impl FnMut(u32) -> F + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let task = tokio::spawn(async move {
            let mut changed = 0;
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            while !is_over.load(Ordering::Relaxed) {
                ticks.tick().await;
                for _ in 0..CHANGES_A_SECOND / 100 {
                    // Each agent twice: away, and back.
                    change(spread(changed / 2, 3)).await;
                    changed += 1;
                }
            }
            if changed % 2 == 1 {
                change(spread(changed / 2, 3)).await;
            }
        });
        Self { over, task }
    }

    async fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.expect("changes do not panic");
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024
}
