//! `baton demo`: a whole transfer, told as it happens and checked afterwards.
//!
//! Everything is started as `baton up` does it, in a temporary folder on free ports ([`house`]). A [script](script) plays the
//! people: the customer and the agents' clients, through the public API alone. The [narrator](narrator) tells what it reads
//! from the event stream and from the switch's ledger, never what the script believes. At the end the [evidence](evidence)
//! is gathered (what each phone heard, the recordings, the events) and [checked](checks). `baton demo day` plays a whole
//! [day] instead, `baton demo weeks` [weeks] of them.

mod checks;
mod day;
mod evidence;
mod house;
mod narrator;
mod scenes;
mod script;
mod stage;
mod switchboard;
mod telling;
mod weeks;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use anyhow::Context as _;
use baton_runtime::telemetry;
use clap::{Args, Subcommand, ValueEnum};

use crate::failure::{AlreadyReported, UsageError};
use baton_api::common::v1::TransferKind;
use day::DayArgs;
use house::House;
use telling::Telling;
use weeks::WeeksArgs;

/// So that two things are not at one time.
const A_MOMENT: Duration = Duration::from_millis(10);

/// What `baton demo` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    command: Option<DemoCommand>,
    /// Whose rules are followed.
    #[arg(long, value_enum, default_value = "lead_center")]
    profile: DemoProfile,
    /// How the customer is handed over [default: on-answer for aicc, warm for the others].
    #[arg(long, value_enum)]
    kind: Option<DemoKind>,
    /// Where the recordings, and what each phone heard, are saved [default: a new temporary folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// In simulated time: the same, without the waiting.
    #[arg(long)]
    fast: bool,
    /// What is logged to standard error, for example info.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
}

#[derive(Debug, Subcommand)]
enum DemoCommand {
    /// Play a contact centre's whole day in simulated time, for whoever builds reports: writes all its events, and beside them what
    /// the people and the phones really did.
    Day(DayArgs),
    /// Play weeks of calls in simulated time, and print each day what is stored: what a call costs, and that nothing grows for ever.
    Weeks(WeeksArgs),
}

impl DemoArgs {
    /// Whether a whole day or more is played: all of it runs on one thread, so that nothing overtakes anything else.
    pub(crate) fn is_long(&self) -> bool {
        self.command.is_some()
    }
}

/// A built-in policy profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum DemoProfile {
    /// The initiator takes the customer off hold, all three talk, the initiator hangs up.
    LeadCenter,
    /// The recipient takes the customer off hold and takes over when the initiator leaves.
    Helpdesk,
    /// The recipient accepts and waits, while the customer stays with the initiator, who transfers when they have said goodbye.
    Engagement,
    /// Release, success and conversation transfers: --kind cold, on-answer and warm.
    Aicc,
    /// The transfer has an outcome, the initiator completes it, and both say how their turns ended.
    UserTransfer,
}

impl DemoProfile {
    fn name(self) -> &'static str {
        match self {
            Self::LeadCenter => "lead_center",
            Self::Helpdesk => "helpdesk",
            Self::Engagement => "engagement",
            Self::Aicc => "aicc",
            Self::UserTransfer => "user_transfer",
        }
    }

    /// The kind that no other profile has, or has so.
    fn usual_kind(self) -> DemoKind {
        match self {
            Self::Aicc => DemoKind::OnAnswer,
            Self::LeadCenter | Self::Helpdesk | Self::Engagement | Self::UserTransfer => DemoKind::Warm,
        }
    }
}

impl DemoScenario {
    /// What there is to see, in a sentence.
    fn opening(self) -> &'static str {
        match (self.kind, self.profile) {
            (DemoKind::Cold, _) => {
                "the first agent is released at once, and the customer hears ringing until the second one answers"
            }
            (DemoKind::OnAnswer, _) => {
                "the first agent talks on with the customer until the second one answers, and is released then"
            }
            (DemoKind::Warm, DemoProfile::LeadCenter) => {
                "the agents talk in private; the first one joins all three, and leaves"
            }
            (DemoKind::Warm, DemoProfile::Aicc) => {
                "a conversation transfer: the agents talk in private; the first one joins all three, and leaves"
            }
            (DemoKind::Warm, DemoProfile::Helpdesk) => {
                "the agents talk in private; the second one joins all three, and has the customer once the first one is muted"
            }
            (DemoKind::Warm, DemoProfile::Engagement) => {
                "the customer is never on hold: the second agent reads a message, accepts and waits, while the first one says goodbye"
            }
            (DemoKind::Warm, DemoProfile::UserTransfer) => {
                "the transfer is for something, the first agent completes it, and both say how their turns ended"
            }
        }
    }
}

/// The kinds of transfer that are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoKind {
    /// The initiator is released at once.
    Cold,
    /// The initiator is released when the recipient answers.
    OnAnswer,
    /// The initiator stays until somebody hands over: the agents talk in private first, or the recipient waits.
    Warm,
}

impl From<DemoKind> for TransferKind {
    fn from(kind: DemoKind) -> Self {
        match kind {
            DemoKind::Cold => Self::Cold,
            DemoKind::OnAnswer => Self::OnAnswer,
            DemoKind::Warm => Self::Warm,
        }
    }
}

/// What is played.
#[derive(Debug, Clone, Copy)]
struct DemoScenario {
    profile: DemoProfile,
    kind: DemoKind,
}

pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let config = telemetry_config(&args);
    let _telemetry = telemetry::init(&config, "baton-demo")?;
    match args.command {
        Some(DemoCommand::Day(args)) => return Box::pin(day::run(args)).await,
        Some(DemoCommand::Weeks(args)) => return Box::pin(weeks::run(args)).await,
        None => {}
    }
    let kind = args.kind.unwrap_or_else(|| args.profile.usual_kind());
    if kind == DemoKind::OnAnswer && args.profile != DemoProfile::Aicc {
        let name = args.profile.name();
        return Err(UsageError::new(format!("{name} has no transfer on answer; --profile aicc has")).into());
    }
    let out = out_folder(args.out)?;
    let play = DemoScenario { profile: args.profile, kind };
    let house = House::open(args.fast).await.context("starting Baton")?;
    // What was set up is before the story, also by simulated time, which does not pass of itself.
    house.clock().sleep(A_MOMENT).await;
    let telling = Telling::new(args.json, house.clock());
    let result = perform(&house, play, &telling, &out).await;
    house.close().await;
    telling.end();
    if result? { Ok(()) } else { Err(AlreadyReported.into()) }
}

fn telemetry_config(args: &DemoArgs) -> baton_runtime::config::TelemetryConfig {
    let log = match &args.command {
        Some(DemoCommand::Day(day)) => &day.log,
        Some(DemoCommand::Weeks(weeks)) => &weeks.log,
        None => &args.log,
    };
    baton_runtime::config::TelemetryConfig { log: log.clone(), ..Default::default() }
}

/// The folder is kept: it is what remains of the demonstration.
fn out_folder(out: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    match out {
        Some(out) => {
            writable(&out).map_err(|error| {
                let folder = out.display();
                UsageError::new(format!(
                    "the folder {folder} can't be written to ({error}); choose another one with --out"
                ))
            })?;
            Ok(out)
        }
        None => Ok(tempfile::Builder::new().prefix("baton-demo-").tempdir()?.keep()),
    }
}

/// Finds out before the play, not after it, whether files can be saved there.
fn writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".baton-demo-{}", std::process::id()));
    fs::write(&probe, "probe")?;
    fs::remove_file(&probe)
}

/// Plays, tells, gathers, checks; whether all checks passed.
async fn perform(house: &House, play: DemoScenario, telling: &Telling, out: &Path) -> anyhow::Result<bool> {
    let stage = house.stage();
    let narrator = narrator::start(&stage, telling).await?;
    let played = match script::prepare(&stage, play).await {
        Ok(()) => {
            // And people come to work before anybody calls.
            house.clock().sleep(A_MOMENT).await;
            script::play(&stage, play, telling).await
        }
        Err(error) => Err(error),
    };
    let evidence = match &played {
        Ok(played) => Some(evidence::gather(&stage, played, out).await),
        Err(_) => None,
    };
    narrator.finish().await;
    played?;
    let evidence = evidence.context("nothing was played")??;
    let checks = checks::all(&evidence, play);
    telling.checks(&checks);
    telling.files(&evidence.files, house.clock().is_simulated());
    Ok(checks.iter().all(|it| it.passed))
}
