//! The text form of a call flow's step: parsed from `ring-team:Support,20s,2m`, and printed.

use std::str::FromStr;
use std::time::Duration;

use baton_api::routing::v1::CallFlowStep;
use baton_api::routing::v1::call_flow_step::{Disconnect, RingAgent, RingTeam, Step, Voicemail, WaitInQueue};

use crate::client::event_text::Names;
use crate::client::session::ClientSession;
use crate::client::{queue, resolve, word};

/// A parsed step; agents and teams are still names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StepText {
    RingAgent { agent: String, ring_ms: i64 },
    RingTeam { team: String, ring_ms: i64, wait_ms: i64 },
    Voicemail { mailbox: String },
    Disconnect,
    Queue { queue: String },
}

impl FromStr for StepText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let mut parts = rest.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default().to_owned();
        let mut time = || parts.next().map_or(Ok(0), ms);
        let step = match kind {
            "ring-agent" if !name.is_empty() => Self::RingAgent { agent: name, ring_ms: time()? },
            "ring-team" if !name.is_empty() => Self::RingTeam { team: name, ring_ms: time()?, wait_ms: time()? },
            "voicemail" if !name.is_empty() => Self::Voicemail { mailbox: name },
            "queue" if !name.is_empty() => Self::Queue { queue: name },
            "disconnect" if rest.is_empty() => Self::Disconnect,
            _ => {
                return Err("write ring-agent:NAME, ring-team:NAME, queue:NAME, voicemail:BOX or disconnect".to_owned());
            }
        };
        match parts.next() {
            Some(more) => Err(format!("{more:?} is too much")),
            None => Ok(step),
        }
    }
}

/// In the contract 0 means the default; it can't be written.
fn ms(text: &str) -> Result<i64, String> {
    let duration: Duration = word::parse_duration(text)?;
    i64::try_from(duration.as_millis()).map_err(|_| format!("{text:?} is too long"))
}

impl StepText {
    /// Looks up the ids of the agent, team or queue.
    pub(super) async fn resolved(self, session: &ClientSession) -> anyhow::Result<CallFlowStep> {
        let step = match self {
            Self::RingAgent { agent, ring_ms } => {
                let agent_id = resolve::agent(session, &agent).await?.agent_id;
                Step::RingAgent(RingAgent { agent_id, ring_ms })
            }
            Self::RingTeam { team, ring_ms, wait_ms } => {
                let team_id = resolve::team(session, &team).await?.team_id;
                Step::RingTeam(RingTeam { team_id, ring_ms, wait_ms })
            }
            Self::Voicemail { mailbox } => Step::Voicemail(Voicemail { mailbox }),
            Self::Disconnect => Step::Disconnect(Disconnect {}),
            Self::Queue { queue } => {
                Step::Queue(WaitInQueue { queue_id: queue::named(session, &queue).await?.queue_id })
            }
        };
        Ok(CallFlowStep { step: Some(step) })
    }
}

/// `missing`: who was deleted; their steps are skipped.
pub(super) fn words(step: &CallFlowStep, names: &Names, missing: &[String]) -> String {
    let of = |id: &String| {
        let name = names.of(id);
        if missing.contains(id) { format!("{name} (deleted: skipped)") } else { name }
    };
    match &step.step {
        Some(Step::RingAgent(it)) => format!("ring {}", of(&it.agent_id)),
        Some(Step::RingTeam(it)) => format!("ring team {}", of(&it.team_id)),
        Some(Step::Voicemail(it)) => format!("voicemail {}", it.mailbox),
        Some(Step::Disconnect(_)) => "disconnect".to_owned(),
        Some(Step::Queue(it)) => format!("wait in queue {}", of(&it.queue_id)),
        None => "something newer than this program".to_owned(),
    }
}

pub(super) fn words_with_times(step: &CallFlowStep, names: &Names, missing: &[String]) -> String {
    let words = words(step, names, missing);
    match &step.step {
        Some(Step::RingAgent(it)) => format!("{words} for {}", word::seconds(it.ring_ms)),
        Some(Step::RingTeam(it)) => {
            format!("{words}, each for {}, {} in all", word::seconds(it.ring_ms), word::seconds(it.wait_ms))
        }
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_parsed() {
        let read = |text: &str| text.parse::<StepText>();
        let agent = |ring_ms| StepText::RingAgent { agent: "Ada Lovelace".to_owned(), ring_ms };
        let team = |ring_ms, wait_ms| StepText::RingTeam { team: "Support".to_owned(), ring_ms, wait_ms };
        assert_eq!(read("ring-agent:Ada Lovelace"), Ok(agent(0)));
        assert_eq!(read("ring-agent:Ada Lovelace,20s"), Ok(agent(20_000)));
        assert_eq!(read("ring-team:Support"), Ok(team(0, 0)));
        assert_eq!(read("ring-team:Support,20s, 2m"), Ok(team(20_000, 120_000)));
        assert_eq!(read("voicemail:main"), Ok(StepText::Voicemail { mailbox: "main".to_owned() }));
        assert_eq!(read("disconnect"), Ok(StepText::Disconnect));
    }

    #[test]
    fn what_is_no_step_is_refused() {
        let wrong = ["", "ring-agent", "ring-agent:", "ring:Ada", "ring-agent:Ada,20", "ring-agent:Ada,20s,2m"];
        for text in wrong.into_iter().chain(["voicemail:a,b", "voicemail:", "disconnect:now", "ring-team:S,1s,1m,1h"]) {
            assert!(text.parse::<StepText>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_step_says_how_long_it_may_take() {
        let ring = RingTeam { team_id: "s".to_owned(), ring_ms: 20_000, wait_ms: 120_000 };
        let step = CallFlowStep { step: Some(Step::RingTeam(ring)) };
        let names: Names = [("s".to_owned(), "Support".to_owned())].into_iter().collect();
        assert_eq!(words(&step, &names, &[]), "ring team Support");
        assert_eq!(words_with_times(&step, &names, &[]), "ring team Support, each for 20.0 s, 120.0 s in all");
    }
}
