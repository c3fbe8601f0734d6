//! `baton demo day`: a contact centre's whole day in simulated time, for whoever builds reports.
//!
//! A seed [decides](plan) who works when, who calls when and what is to come of each call. Then [agents](agent) and
//! [customers](customer) play it, all at once, through the public API and the simulated phones, as real clients do; the [board] tells
//! them what their phones do. What they do is written down in a [diary], which Baton has no part in. At the end the tenant's events
//! are read as a report would read them.

mod agent;
mod board;
mod customer;
mod diary;
mod dice;
mod office;
mod plan;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::event::v1::ListEventsRequest;
use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::simulator::v1::phone_selector::Selector;
use baton_api::simulator::v1::{HangUpPhoneRequest, PhoneSelector};
use baton_runtime::config::Millis;
use baton_runtime::{Clock, clock, lifecycle};
use clap::Args;
use indicatif::ProgressBar;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::agent::AgentAtWork;
use self::board::Board;
use self::diary::Diary;
use self::office::{NUMBERS, Office, TEAMS, fresh};
use self::plan::{DayPlan, PlannedCall, TransferScript};
use super::house::House;
use crate::client::json;
use crate::client::refusal::OrRefusal as _;
use crate::client::word;
use crate::stdout;

/// 2026-03-02, a Monday, at 07:50 UTC.
const BEGINS_US: i64 = 1_772_437_800_000_000;
/// How long an agent's session lives without a heartbeat.
const LEASE: Duration = Duration::from_mins(30);
/// After the last customer and agent have gone: longer than anything takes that is still under way then.
const AFTERWARDS: Duration = Duration::from_hours(1);
const PAGE_SIZE: i32 = 500;
const LOGGED: &str = "baton.event.v1.LoggedEvent";

/// What `baton demo day` takes.
#[derive(Debug, Args)]
pub(super) struct DayArgs {
    /// How many customers call.
    #[arg(long, default_value_t = 2_000, value_parser = word::parse_between::<1, 100_000, u32>)]
    calls: u32,
    /// The same seed plays the same day.
    #[arg(long, default_value_t = 1, value_parser = word::parse_count::<u64>)]
    seed: u64,
    /// Where events.jsonl (as `baton events list --json` prints them) and truth.jsonl (what people and phones did) are written
    /// [default: a new temporary folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is logged to standard error, for example info.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub(super) log: String,
}

/// What all people of the day share.
struct Day {
    clock: Clock,
    plan: DayPlan,
    office: Office,
    board: Arc<Board>,
    diary: Arc<Diary>,
    /// What whoever answers next does with a customer, by the customer's number.
    parts: Mutex<HashMap<String, ScriptPart>>,
    /// The calls that were handed over once more.
    handed_on: Mutex<HashSet<usize>>,
    progress: ProgressBar,
}

/// What an agent does who answers.
#[derive(Debug, Clone, Copy)]
enum ScriptPart {
    /// The script from its beginning.
    First,
    /// Listens to the initiator of a warm transfer, and then has the customer.
    Consult { initiator: usize },
    /// Talks, and ends the call.
    Last,
}

/// The moment by the simulated clock.
fn at_us(since_beginning: Duration) -> i64 {
    BEGINS_US + clock::micros(since_beginning)
}

impl Day {
    /// Waits until then.
    async fn reach(&self, since_beginning: Duration) {
        self.clock.sleep_until(at_us(since_beginning)).await;
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<String, ScriptPart>> {
        self.parts.lock()
    }

    fn plan_of(&self, customer: &str) -> Option<PlannedCall> {
        self.plan.calls.iter().find(|it| it.customer == customer).cloned()
    }

    /// Somebody hangs up; whose call is over at the same moment has nothing to hang up.
    async fn hang_up(&self, leg_id: &str) {
        let phone = Some(PhoneSelector { selector: Some(Selector::LegId(leg_id.to_owned())) });
        let request = HangUpPhoneRequest { request_id: fresh(), phone };
        if let Err(status) = self.office.phones().hang_up_phone(request).await {
            tracing::debug!(%status, "nothing to hang up");
        }
    }

    /// The second transfer of this call, once.
    fn second_transfer(&self, call: &PlannedCall) -> Option<TransferScript> {
        let again = call.script.again.filter(|_| call.script.transfer.is_some())?;
        self.handed_on.lock().insert(call.no).then_some(again)
    }
}

pub(super) async fn run(args: DayArgs) -> anyhow::Result<()> {
    let out = super::out_folder(args.out)?;
    let plan = DayPlan::make(args.seed, args.calls as usize, TEAMS.len(), NUMBERS);
    let lease = Millis::try_from(LEASE.as_millis() as u64).map_err(anyhow::Error::msg)?;
    let house = House::open_for_a_day(BEGINS_US, lease).await.context("starting Baton")?;
    let stopping = house.stopping();
    let played = stopping.run_until_cancelled(play(&house, plan, &out)).await;
    house.close().await;
    let events = played.context("interrupted")??;
    stdout::try_print_line(&format!("{events} events and what really happened: {}", out.display()))?;
    Ok(())
}

/// Plays the day, and writes its events down; how many there are.
async fn play(house: &House, plan: DayPlan, out: &Path) -> anyhow::Result<usize> {
    let diary = Arc::new(Diary::begin(&out.join("truth.jsonl"))?);
    let office = Office::open(house, plan.shifts.len(), &diary).await.context("making the tenant")?;
    let (phones, rings): (Vec<_>, Vec<_>) = office.agents.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let phones = office.agents.iter().zip(phones).enumerate().map(|(no, (it, to))| (it.phone.clone(), (no, to)));
    let board = Arc::new(Board::new(phones.collect(), Arc::clone(&diary)));
    let switch = house.switch().context("the switch is elsewhere")?;
    let reading = lifecycle::spawn(Arc::clone(&board).read(switch));
    let (clock, progress) = (house.clock(), ProgressBar::new(plan.calls.len() as u64));
    let parts = Mutex::default();
    let day = Arc::new(Day { clock, plan, office, board, diary, parts, handed_on: Mutex::default(), progress });

    let mut people = JoinSet::new();
    for ((me, shift), rings) in day.plan.shifts.iter().enumerate().zip(rings) {
        let agent = AgentAtWork::new(Arc::clone(&day), me, rings);
        people.spawn(agent.work(shift.clone()));
    }
    for call in day.plan.calls.clone() {
        people.spawn(customer::call(Arc::clone(&day), call));
    }
    while let Some(gone) = people.join_next().await {
        gone.context("somebody panicked")??;
    }
    day.clock.sleep(AFTERWARDS).await;
    day.progress.finish_and_clear();
    reading.abort();
    day.diary.close()?;
    write_events(&day, &out.join("events.jsonl")).await
}

async fn write_events(day: &Day, file: &Path) -> anyhow::Result<usize> {
    let opened = File::create(file).with_context(|| file.display().to_string())?;
    let (mut lines, mut written) = (BufWriter::new(opened), 0);
    let mut client = EventServiceClient::new(day.office.admin());
    let mut page_token = String::new();
    loop {
        let request = ListEventsRequest { page_size: PAGE_SIZE, page_token, ..Default::default() };
        let page = client.list_events(request).await.or_refusal()?;
        for event in &page.events {
            writeln!(lines, "{}", json::of(LOGGED, event)?)?;
            written += 1;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            lines.flush()?;
            return Ok(written);
        }
    }
}
