//! Crashes where each service is a process of its own: any of them, the database server and NATS are killed in the middle of a transfer,
//! and come back. Nothing is lost, doubled or stuck, and the customer notices nothing.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::ids::random_below;
use baton_runtime::{Clock, ServiceName};
use baton_testkit::distributed::is_ready;
use baton_testkit::{AgentDesk, Call, Distributed, OwnServers, TestServers, TestTenant, eventually};
use rustix::process::Signal;
use tonic::Code;

use super::moments::one_round;
use super::services::{consulting, consults_joins_and_completes, reconnect};
use super::was_never_in_silence;
use crate::harness::ears::{ADA, BEN, MUSIC};
use crate::harness::{Office, Scenario, aftermath, alone, talk_for};

/// How long something is away.
const DOWN_MS: u64 = 700;
const SOON: Duration = Duration::from_secs(20);
/// Elsewhere in these tests a caller waits longer, because everything is on one busy machine.
const IMPATIENT: [(&str, &str); 1] = [("BATON_DATABASE__PATIENCE_MS", "100")];
/// What a command may take where the database is away.
const AT_ONCE: Duration = Duration::from_secs(1);

/// None where this run of tests has not both servers.
pub(super) fn scenarios() -> Vec<Scenario> {
    if TestServers::of_this_run().is_none() {
        return Vec::new();
    }
    alone![
        b610_each_service_is_killed_in_a_consult_and_the_transfer_goes_on,
        b610_the_database_server_is_killed_in_a_consult_and_the_transfer_goes_on,
        b610_nats_is_killed_and_calls_go_on_and_every_event_comes_later,
        a_service_says_that_it_leaves_before_it_closes,
        a_second_process_of_a_service_waits_until_the_first_is_gone,
        b610_one_call_lives_through_the_death_of_everything_at_random_moments_of_its_transfers,
    ]
}

/// Plays on processes of its own; afterwards nothing is left, and all end in order.
async fn in_a_distributed_office(
    binary: PathBuf,
    servers: &TestServers,
    settings: &[(&str, &str)],
    play: impl AsyncFnOnce(&mut Distributed, &mut Office) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut target = Distributed::start(&binary, servers, settings).await?;
    let played = async {
        let mut office = Office::open(TestTenant::create(target.endpoints()).await?, "lead_center").await?;
        play(&mut target, &mut office).await?;
        aftermath::nothing_is_left(&office.tenant).await?;
        let code = target.stop().await.context("ending them")?;
        anyhow::ensure!(code == 0, "a process ended with exit code {code}");
        Ok(())
    };
    let played = played.await;
    played.map_err(|error: anyhow::Error| error.context(format!("logs in {}", target.keep().display())))
}

async fn b610_each_service_is_killed_in_a_consult_and_the_transfer_goes_on(binary: PathBuf) -> anyhow::Result<()> {
    let servers = TestServers::of_this_run().context("no servers")?;
    in_a_distributed_office(binary, &servers, &[], async |target, office| {
        let (ada, ben, call) = consulting(office).await?;
        let legs = Legs::of(office, (&ada, &ben), &call).await?;
        for service in ServiceName::ALL {
            let context = || format!("after {service} was killed");
            target.kill(service)?;
            talk_for(DOWN_MS).await;
            still_consult(office, &legs).await.with_context(context)?;
            target.start_again(service)?;
            target.until_serving().await.with_context(context)?;
            reconnect(office, &[&ada, &ben]).await.with_context(context)?;
        }
        consults_joins_and_completes(office, &ada, &ben, &call).await
    })
    .await
}

async fn b610_the_database_server_is_killed_in_a_consult_and_the_transfer_goes_on(
    binary: PathBuf,
) -> anyhow::Result<()> {
    let servers = OwnServers::start().await?;
    in_a_distributed_office(binary, &servers.addresses(), &IMPATIENT, async |target, office| {
        let (ada, ben, call) = consulting(office).await?;
        let legs = Legs::of(office, (&ada, &ben), &call).await?;
        servers.postgres.kill()?;
        talk_for(DOWN_MS).await;
        still_consult(office, &legs).await?;
        let clock = Clock::real();
        let asked_us = clock.now_us();
        let refused = ada.resume(&call.interaction_id).await.err().context("a command was taken without a database")?;
        anyhow::ensure!(refused.code() == Code::Unavailable, "it is refused as {refused:?}");
        let took_us = clock.now_us() - asked_us;
        anyhow::ensure!(took_us < i64::try_from(AT_ONCE.as_micros())?, "the refusal took {} ms", took_us / 1_000);
        let transfer = target.health(ServiceName::Transfer).context("its health")?;
        eventually(
            "it is not ready",
            SOON,
            async || if is_ready(transfer).await { Err("it is".to_owned()) } else { Ok(()) },
        )
        .await?;
        servers.postgres.start_again().await?;
        target.until_serving().await?;
        reconnect(office, &[&ada, &ben]).await?;
        consults_joins_and_completes(office, &ada, &ben, &call).await
    })
    .await
}

/// Events of a whole transfer are made while NATS is away.
async fn b610_nats_is_killed_and_calls_go_on_and_every_event_comes_later(binary: PathBuf) -> anyhow::Result<()> {
    let mut servers = OwnServers::start().await?;
    in_a_distributed_office(binary, &servers.addresses(), &[], async |target, office| {
        let (ada, ben, call) = consulting(office).await?;
        servers.nats.kill()?;
        consults_joins_and_completes(office, &ada, &ben, &call).await?;
        office.phones.hang_up_leg(&call.leg_id).await?;
        office.until_free(&ben).await?;
        for service in [ServiceName::Transfer, ServiceName::Gateway] {
            let health = target.health(service).context("its health")?;
            anyhow::ensure!(is_ready(health).await, "{service} is not ready without NATS");
        }
        let refused = office
            .tenant
            .events_about(&format!("interaction/{}", call.interaction_id))
            .await
            .err()
            .context("events without NATS")?;
        anyhow::ensure!(format!("{refused:#}").contains("can't be read at the moment"), "{refused:#}");
        servers.nats.start_again().await?;
        aftermath::events_of_are_whole(&office.tenant, &call.interaction_id).await
    })
    .await
}

/// Balancers see it on a new connection, while calls are still served.
async fn a_service_says_that_it_leaves_before_it_closes(binary: PathBuf) -> anyhow::Result<()> {
    let servers = TestServers::of_this_run().context("no servers")?;
    let settings = [("BATON_SERVER__DRAIN_DELAY_MS", "3000")];
    in_a_distributed_office(binary, &servers, &settings, async |target, office| {
        let ada = office.agent("Ada").await?;
        let health = target.health(ServiceName::Presence).context("its health")?;
        target.signal(ServiceName::Presence, Signal::TERM)?;
        eventually(
            "it is not ready",
            SOON,
            async || if is_ready(health).await { Err("it is".to_owned()) } else { Ok(()) },
        )
        .await?;
        ada.state().await.context("it does not serve any more")?;
        office.sessions.clear();
        let code = target.until_ended(ServiceName::Presence).await?;
        anyhow::ensure!(code == 0, "it ended with exit code {code}");
        target.start_again(ServiceName::Presence)?;
        target.until_serving().await
    })
    .await
}

/// Two would each believe that they know who is online, or that the switch is theirs.
async fn a_second_process_of_a_service_waits_until_the_first_is_gone(binary: PathBuf) -> anyhow::Result<()> {
    let servers = TestServers::of_this_run().context("no servers")?;
    in_a_distributed_office(binary, &servers, &[], async |target, _office| {
        let alone = [ServiceName::Presence, ServiceName::Routing, ServiceName::Telephony];
        for service in alone {
            let second = target.start_second(service)?;
            let name = format!("second-{service}");
            eventually(&format!("the second {service} waits"), SOON, async || {
                let said = target.said(&name);
                if said.contains("waiting for it to end") { Ok(()) } else { Err(said) }
            })
            .await?;
            anyhow::ensure!(!is_ready(second).await, "the second {service} is ready");
            target.kill(service)?;
            eventually(&format!("the second {service} takes over"), SOON, async || {
                if is_ready(second).await { Ok(()) } else { Err(target.said(&name)) }
            })
            .await?;
            target.kill_extra()?;
            target.start_again(service)?;
            target.until_serving().await?;
        }
        Ok(())
    })
    .await
}

/// They are heard as before: the switch needs nobody for that.
/// What is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Service(ServiceName),
    Postgres,
    Nats,
}

/// How late after the start of a transfer, in milliseconds, something is killed at most: then both talk.
const LATEST_MS: u64 = 500;

/// Each once in the tests; `CRASH_ROUNDS` says how often otherwise (`just crashes`).
async fn b610_one_call_lives_through_the_death_of_everything_at_random_moments_of_its_transfers(
    binary: PathBuf,
) -> anyhow::Result<()> {
    let mut servers = OwnServers::start().await?;
    let addresses = servers.addresses();
    #[expect(clippy::disallowed_methods, reason = "of tests alone: how long they go on")]
    let rounds = std::env::var("CRASH_ROUNDS").ok().map_or(Ok(1), |it| it.parse()).context("CRASH_ROUNDS")?;
    in_a_distributed_office(binary, &addresses, &[], async |target, office| {
        let ada = office.agent("Ada").await?;
        let ben = office.agent("Ben").await?;
        let services = ServiceName::ALL.map(Victim::Service);
        let mut everything = services.into_iter().chain([Victim::Postgres, Victim::Nats]).collect::<Vec<_>>();
        for _ in 0..rounds {
            let call = office.talking(&ada).await?;
            everything.sort_by_cached_key(|_| random_below(u64::MAX));
            for (round, victim) in everything.iter().copied().enumerate() {
                let (from, to) = if round % 2 == 0 { (&ada, &ben) } else { (&ben, &ada) };
                let moment_ms = random_below(LATEST_MS);
                let crash = async |office: &mut Office| {
                    talk_for(moment_ms).await;
                    killed_and_back(target, &mut servers, victim).await?;
                    reconnect(office, &[from, to]).await
                };
                let lived = one_round(office, &call, (from, to), crash).await;
                lived.with_context(|| format!("{victim:?} was killed {moment_ms} ms after the start"))?;
            }
            office.until_events(&call, "transfer.completed", everything.len()).await?;
            was_never_in_silence(office, &call).await?;
            office.customer_hangs_up(&call).await?;
            office.until_free(&ada).await?;
            office.until_free(&ben).await?;
        }
        Ok(())
    })
    .await
}

async fn killed_and_back(target: &mut Distributed, servers: &mut OwnServers, victim: Victim) -> anyhow::Result<()> {
    match victim {
        Victim::Service(service) => {
            target.kill(service)?;
            target.start_again(service)?;
        }
        Victim::Postgres => {
            servers.postgres.kill()?;
            servers.postgres.start_again().await?;
        }
        Victim::Nats => {
            servers.nats.kill()?;
            servers.nats.start_again().await?;
        }
    }
    target.until_serving().await
}

async fn still_consult(office: &Office, legs: &Legs) -> anyhow::Result<()> {
    office.hear_each_other(&[(&legs.ada, ADA), (&legs.ben, BEN)]).await?;
    office.hears(&legs.customer, &[MUSIC]).await.map(drop)
}

/// Of whoever is in the call: while a service is away, nobody can be asked for them.
struct Legs {
    ada: String,
    ben: String,
    customer: String,
}

impl Legs {
    async fn of(office: &Office, (ada, ben): (&AgentDesk, &AgentDesk), call: &Call) -> anyhow::Result<Self> {
        Ok(Self { ada: office.leg(ada).await?, ben: office.leg(ben).await?, customer: call.leg_id.clone() })
    }
}
