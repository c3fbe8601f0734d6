//! `baton queue`.

mod hours;
mod show;

use anyhow::Context as _;
use baton_api::common::v1::Skill;
use baton_api::presence::v1::Team;
use baton_api::routing::v1::queue::{Instead, Strategy};
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{
    DeleteQueueRequest, ListQueueStatisticsRequest, ListQueuesRequest, Queue, QueueStatistics, UpdateQueueRequest,
};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand, ValueEnum};
use prost_types::FieldMask;

use self::hours::HoursText;
use super::output::Column;
use super::refusal::OrRefusal;
use super::resolve::all_pages;
use super::session::ClientSession;
use super::{resolve, watch, word};
use crate::failure::UsageError;

const QUEUE: &str = "baton.routing.v1.Queue";
const STATISTICS: &str = "baton.routing.v1.QueueStatistics";

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List all queues.
    #[command(visible_alias = "ls")]
    List,
    /// Show a queue with all its settings.
    Show {
        /// Name or id.
        queue: String,
    },
    /// Create a queue: who serves it, and what happens to whoever waits.
    Create {
        /// Display name.
        name: String,
        #[command(flatten)]
        settings: QueueArgs,
    },
    /// Change a queue; what is not given stays as it is.
    Update {
        /// Name or id.
        queue: String,
        /// Another display name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: QueueArgs,
    },
    /// Delete a queue in which nobody waits, and to which nothing leads.
    #[command(visible_alias = "rm")]
    Delete {
        /// Name or id.
        queue: String,
    },
    /// Show how all queues stand: who waits, who serves them, and how long a new call would wait.
    Status(watch::WatchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// Whoever serves it has this skill, at this level at least: french=5. May be given several times; "" for none.
    #[arg(long = "skill", value_name = "NAME=LEVEL", value_parser = skill_or_none)]
    skills: Vec<Skill>,
    /// Whoever serves it is in this team, or another that is given: name or id. May be given several times; "" for none.
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// 1 to 10; of an agent who serves two queues the one with the higher priority gets them first.
    #[arg(long)]
    priority: Option<i32>,
    /// Who is asked of those that are free.
    #[arg(long, value_enum)]
    strategy: Option<StrategyArg>,
    /// How long one phone rings, for example 20s.
    #[arg(long, value_name = "TIME", value_parser = ms)]
    ring: Option<i64>,
    /// How long a customer waits, for example 5m.
    #[arg(long, value_name = "TIME", value_parser = ms)]
    max_wait: Option<i64>,
    /// The queue in which they wait on then: name or id; "" for none.
    #[arg(long, value_name = "QUEUE")]
    overflow: Option<String>,
    /// What happens when nobody who serves it is signed in.
    #[arg(long, value_enum)]
    when_unattended: Option<InsteadArg>,
    /// What happens when all who serve it have declined or missed.
    #[arg(long, value_enum)]
    when_declined: Option<InsteadArg>,
    /// The time zone of its hours, for example Europe/Brussels; UTC unless the queue has another.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// When it is open: mon-fri 09:00-17:30. May be given several times; "always" for no hours.
    #[arg(long = "open", value_name = "HOURS")]
    hours: Vec<HoursText>,
    /// A day on which it is closed: 2026-12-25. May be given several times; "" for none.
    #[arg(long = "holiday", value_name = "DAY")]
    holidays: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StrategyArg {
    /// Who has been idle longest.
    LongestIdle,
    /// All at once; who answers first has the customer.
    Broadcast,
    /// Who got the fewest calls from queues today.
    FewestCalls,
    /// Each in their turn.
    RoundRobin,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum InsteadArg {
    /// The customer waits.
    Wait,
    /// The customer waits on in the queue of --overflow.
    Overflow,
    /// Nobody is found.
    GiveUp,
}

impl StrategyArg {
    fn wire(self) -> Strategy {
        match self {
            Self::LongestIdle => Strategy::LongestIdle,
            Self::Broadcast => Strategy::Broadcast,
            Self::FewestCalls => Strategy::FewestCallsToday,
            Self::RoundRobin => Strategy::RoundRobin,
        }
    }
}

impl InsteadArg {
    fn wire(self) -> Instead {
        match self {
            Self::Wait => Instead::Wait,
            Self::Overflow => Instead::Overflow,
            Self::GiveUp => Instead::GiveUp,
        }
    }
}

/// A skill as it is written: `french=7`; one without a name: no skill.
fn skill_or_none(text: &str) -> Result<Skill, String> {
    if text.is_empty() { Ok(Skill::default()) } else { skill(text) }
}

/// A skill as it is written: `french=7`.
pub(super) fn skill(text: &str) -> Result<Skill, String> {
    let (name, level) =
        text.split_once('=').ok_or_else(|| "write a name and a level, for example french=7".to_owned())?;
    let level = level.trim().parse().map_err(|_| format!("{level:?} is no level; write 1 to 10"))?;
    Ok(Skill { name: name.trim().to_owned(), level })
}

fn ms(text: &str) -> Result<i64, String> {
    i64::try_from(word::parse_duration(text)?.as_millis()).map_err(|_| format!("{text:?} is too long"))
}

pub(crate) async fn run(session: &ClientSession, command: QueueCommand) -> anyhow::Result<()> {
    match command {
        QueueCommand::List => list(session).await,
        QueueCommand::Show { queue } => show(session, &queue).await,
        QueueCommand::Create { name, settings } => {
            let (queue, _) = settings.read(session).await?;
            store(session, Queue { name, ..queue }, None, "is there now").await
        }
        QueueCommand::Update { queue, name, settings } => {
            let known = named(session, &queue).await?;
            let (queue, mut paths) = settings.read(session).await?;
            paths.extend(name.is_some().then(|| "name".to_owned()));
            if paths.is_empty() {
                return Err(UsageError::new("say what is to change; `baton queue update --help` lists it").into());
            }
            let queue = Queue { queue_id: known.queue_id, name: name.unwrap_or_default(), ..queue };
            store(session, queue, Some(FieldMask { paths }), "is changed").await
        }
        QueueCommand::Delete { queue } => delete(session, &queue).await,
        QueueCommand::Status(args) => status(session, &args).await,
    }
}

impl QueueArgs {
    /// What is given, and the names of its fields.
    async fn read(self, session: &ClientSession) -> anyhow::Result<(Queue, Vec<String>)> {
        let mut team_ids = Vec::new();
        for team in self.teams.iter().filter(|team| !team.is_empty()) {
            team_ids.push(resolve::team(session, team).await?.team_id);
        }
        let overflow_queue_id = match self.overflow.as_deref() {
            None | Some("") => String::new(),
            Some(name) => named(session, name).await?.queue_id,
        };
        let given = [
            ("required_skills", !self.skills.is_empty()),
            ("team_ids", !self.teams.is_empty()),
            ("priority", self.priority.is_some()),
            ("strategy", self.strategy.is_some()),
            ("ring_ms", self.ring.is_some()),
            ("max_wait_ms", self.max_wait.is_some()),
            ("overflow_queue_id", self.overflow.is_some()),
            ("when_unattended", self.when_unattended.is_some()),
            ("when_declined", self.when_declined.is_some()),
            ("time_zone", self.time_zone.is_some()),
            ("opening_hours", !self.hours.is_empty()),
            ("holidays", !self.holidays.is_empty()),
        ];
        let queue = Queue {
            required_skills: self.skills.into_iter().filter(|it| !it.name.is_empty()).collect(),
            team_ids,
            priority: self.priority.unwrap_or_default(),
            strategy: self.strategy.map_or(Strategy::Unspecified, StrategyArg::wire).into(),
            ring_ms: self.ring.unwrap_or_default(),
            max_wait_ms: self.max_wait.unwrap_or_default(),
            overflow_queue_id,
            when_unattended: self.when_unattended.map_or(Instead::Unspecified, InsteadArg::wire).into(),
            when_declined: self.when_declined.map_or(Instead::Unspecified, InsteadArg::wire).into(),
            time_zone: self.time_zone.unwrap_or_default(),
            opening_hours: self.hours.into_iter().flat_map(|it| it.0).collect(),
            holidays: self.holidays.into_iter().filter(|day| !day.is_empty()).collect(),
            ..Queue::default()
        };
        Ok((queue, given.into_iter().filter(|it| it.1).map(|it| it.0.to_owned()).collect()))
    }
}

pub(super) async fn queues(session: &ClientSession) -> anyhow::Result<Vec<Queue>> {
    let mut routing = RoutingServiceClient::new(session.reader_channel()?);
    all_pages!(routing, list_queues, ListQueuesRequest {}, queues)
}

/// By name, id, or the beginning of either.
pub(super) async fn named(session: &ClientSession, name: &str) -> anyhow::Result<Queue> {
    Ok(find(&queues(session).await?, name)?.clone())
}

fn find<'a>(queues: &'a [Queue], name: &str) -> anyhow::Result<&'a Queue> {
    resolve::find_one("queue", name, queues, |it| [it.queue_id.as_str(), it.name.as_str()])
}

const COLUMNS: [Column; 5] = [
    Column::always("name"),
    Column::always("served by"),
    Column::state("strategy"),
    Column::if_room("priority"),
    Column::id("id"),
];

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let (queues, teams) = (queues(session).await?, resolve::teams(session).await?);
    session.out.list(QUEUE, &queues, &COLUMNS, |it| {
        let skills = it.required_skills.iter().map(|it| format!("{} from {}", it.name, it.level));
        let teams = named_teams(it, &teams).into_iter().map(|name| format!("team {name}"));
        let served_by: Vec<_> = skills.chain(teams).collect();
        let strategy = show::strategy(it.strategy());
        vec![it.name.clone(), served_by.join(", "), strategy, it.priority.to_string(), it.queue_id.clone()]
    })
}

/// The teams that serve a queue, by name.
fn named_teams(queue: &Queue, teams: &[Team]) -> Vec<String> {
    let named = queue.team_ids.iter().map(|id| teams.iter().find(|team| team.team_id == *id));
    named.map(|team| team.map_or("a deleted team", |team| &team.name).to_owned()).collect()
}

async fn show(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let (queues, teams) = (queues(session).await?, resolve::teams(session).await?);
    let queue = find(&queues, name)?;
    let overflow = queues.iter().find(|it| it.queue_id == queue.overflow_queue_id).map(|it| it.name.as_str());
    session.out.one(QUEUE, queue, |it| show::text(it, &named_teams(it, &teams), overflow))
}

async fn store(session: &ClientSession, queue: Queue, update_mask: Option<FieldMask>, how: &str) -> anyhow::Result<()> {
    let allow_missing = queue.queue_id.is_empty();
    let request_id = session.request_id();
    let request = UpdateQueueRequest { request_id, queue: Some(queue), update_mask, allow_missing };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let queue = routing.update_queue(request).await.or_refusal()?.queue.context("the answer is empty")?;
    session.out.one(QUEUE, &queue, |it| format!("The queue {} {how}.", it.name))
}

async fn delete(session: &ClientSession, name: &str) -> anyhow::Result<()> {
    let queue = named(session, name).await?;
    let request = DeleteQueueRequest { request_id: session.request_id(), queue_id: queue.queue_id };
    let mut routing = RoutingServiceClient::new(session.channel_for_role(Role::Admin)?);
    let deleted = routing.delete_queue(request).await.or_refusal()?;
    session.out.one("baton.routing.v1.DeleteQueueResponse", &deleted, |_| format!("The queue {} is gone.", queue.name))
}

const STATUS: [Column; 6] = [
    Column::always("queue"),
    Column::state("waiting"),
    Column::state("longest"),
    Column::state("signed in"),
    Column::state("free"),
    Column::state("estimated wait"),
];

async fn status(session: &ClientSession, args: &watch::WatchArgs) -> anyhow::Result<()> {
    watch::list(session, args, async || {
        let mut routing = RoutingServiceClient::new(session.reader_channel()?);
        let all = all_pages!(routing, list_queue_statistics, ListQueueStatisticsRequest {}, statistics)?;
        session.out.listed(STATISTICS, &all, &STATUS, status_row)
    })
    .await
}

fn status_row(it: &QueueStatistics) -> Vec<String> {
    let longest = if it.waiting == 0 { "-".to_owned() } else { word::seconds(it.longest_wait_ms) };
    let estimate = if it.open { estimate(it.estimated_wait_ms) } else { "closed".to_owned() };
    vec![it.name.clone(), it.waiting.to_string(), longest, it.signed_in.to_string(), it.free.to_string(), estimate]
}

/// An estimated wait in words.
pub(super) fn estimate(ms: i64) -> String {
    match ms {
        ..0 => "nobody is signed in".to_owned(),
        0 => "none".to_owned(),
        ms => format!("about {}", word::seconds(ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_read() {
        assert_eq!(skill("french=7"), Ok(Skill { name: "french".to_owned(), level: 7 }));
        assert!(skill("french").is_err() && skill("french=good").is_err());
    }

    #[test]
    fn a_row_says_how_a_queue_stands() {
        let now = QueueStatistics {
            name: "Billing".to_owned(),
            waiting: 2,
            signed_in: 3,
            longest_wait_ms: 61_000,
            estimated_wait_ms: 120_000,
            open: true,
            ..QueueStatistics::default()
        };
        let row = status_row(&now);
        assert_eq!((row[0].as_str(), row[1].as_str(), row[4].as_str()), ("Billing", "2", "0"));
        assert!(row[5].starts_with("about ") && status_row(&QueueStatistics::default())[5] == "closed");
        assert_eq!((estimate(-1).as_str(), estimate(0).as_str()), ("nobody is signed in", "none"));
    }
}
