//! Tells what happens, in the order of time, from two sources that know nothing of the script: the event stream, and the
//! switch's ledger (who hears whom).
//!
//! The two come at different speeds, so each thing is held back for a moment and told when nothing earlier can come any more.
//! On its way from one state to the next the switch passes through others for a few milliseconds; only what lasts is told.

use std::time::Duration;

use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::event::v1::{Event, TailEventsRequest, TailEventsResponse, tail_events_request};
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{GetLedgerRequest, LedgerEntry};
use baton_runtime::Clock;
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use baton_runtime::lifecycle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::script;
use super::stage::DemoContext;
use super::switchboard::{Hearing, Switchboard};
use super::telling::{Telling, TimelineEntry};
use crate::client::event_text::{self, Names};
use crate::client::refusal::OrRefusal as _;
use crate::client::word;
use crate::up::seed;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Nothing comes later than this.
const HELD_BACK_US: i64 = 200_000;
/// What the switch is in for less is on its way.
const LASTING_US: i64 = 60_000;

/// A narrator at work.
pub(super) struct Narrator {
    stop: CancellationToken,
    work: JoinHandle<()>,
}

impl Narrator {
    /// Tells the rest.
    pub(super) async fn finish(self) {
        self.stop.cancel();
        if let Err(error) = self.work.await {
            tracing::warn!(%error, "the narrator fell silent");
        }
    }
}

/// Begins to tell, from now on.
pub(super) async fn start(stage: &DemoContext, telling: &Telling) -> anyhow::Result<Narrator> {
    let request = TailEventsRequest { start: Some(tail_events_request::Start::Now(true)), filter: None };
    let events = EventServiceClient::new(stage.role(Role::Supervisor)?).tail_events(request).await.or_refusal()?;
    let tale = Tale {
        clock: stage.clock.clone(),
        telling: telling.clone(),
        ledger: SimulatorServiceClient::new(stage.role(Role::Simulator)?),
        after_sequence: 0,
        switchboard: Switchboard::default(),
        changed_us: 0,
        reported: Vec::new(),
        waiting: Vec::new(),
    };
    let stop = CancellationToken::new();
    let work = lifecycle::spawn(tale.run(events, stop.clone()));
    Ok(Narrator { stop, work })
}

struct Tale {
    clock: Clock,
    telling: Telling,
    ledger: SimulatorServiceClient<GrpcChannel>,
    after_sequence: i64,
    switchboard: Switchboard,
    /// When the switchboard changed last.
    changed_us: i64,
    reported: Vec<Hearing>,
    waiting: Vec<(i64, TimelineEntry)>,
}

impl Tale {
    async fn run(mut self, mut events: Streaming<TailEventsResponse>, stop: CancellationToken) {
        let mut names: Names = seed::AGENTS.iter().map(|it| (seed::agent_id(it), (*it).to_owned())).collect();
        names.extend(seed::teams().map(|(id, name)| (id, name.to_owned())));
        let mut ticks = self.clock.interval(LOOK_EVERY);
        loop {
            tokio::select! {
                next = events.message() => match next {
                    Ok(Some(next)) => self.hear_of(next.event, &names),
                    // It ends when the server does.
                    Ok(None) | Err(_) => break,
                },
                now_us = ticks.tick() => {
                    self.look_at_switch(now_us).await;
                    self.tell_until(now_us - HELD_BACK_US);
                }
                () = stop.cancelled() => break,
            }
        }
        self.look_at_switch(i64::MAX).await;
        self.tell_until(i64::MAX);
    }

    fn hear_of(&mut self, event: Option<Event>, names: &Names) {
        let Some(event) = event else { return };
        let at_us = event.time.as_ref().map_or(0, word::micros);
        let sentence = event_text::sentence(&event, names);
        self.waiting.push((at_us, TimelineEntry::Event(Box::new(event), sentence)));
    }

    async fn look_at_switch(&mut self, now_us: i64) {
        let request = GetLedgerRequest { after_sequence: self.after_sequence, page_size: 0 };
        let page = match self.ledger.get_ledger(request).await.or_refusal() {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(%error, "the ledger can't be read");
                return;
            }
        };
        self.after_sequence = page.next_after_sequence;
        for entry in &page.entries {
            self.follow(entry);
        }
        self.settle(now_us);
    }

    fn follow(&mut self, entry: &LedgerEntry) {
        self.settle(entry.occurred_at_us);
        self.switchboard.apply(entry, who);
        self.changed_us = entry.occurred_at_us;
    }

    /// What has lasted until now is told.
    fn settle(&mut self, now_us: i64) {
        let hearings = self.switchboard.hearings();
        if now_us.saturating_sub(self.changed_us) >= LASTING_US && hearings != self.reported {
            self.reported.clone_from(&hearings);
            self.waiting.push((self.changed_us, TimelineEntry::Hearings(hearings)));
        }
    }

    fn tell_until(&mut self, until_us: i64) {
        self.waiting.extend(self.telling.take_acts());
        self.waiting.sort_by_key(|(at_us, what)| (*at_us, !matches!(what, TimelineEntry::Act(_))));
        let count = self.waiting.partition_point(|(at_us, _)| *at_us <= until_us);
        for (at_us, entry) in self.waiting.drain(..count) {
            self.telling.tell(at_us, &entry);
        }
    }
}

/// Who has the phone with this address.
fn who(address: &str) -> String {
    let agent = seed::AGENTS.iter().find(|it| seed::phone(it) == address);
    match agent {
        Some(agent) => (*agent).to_owned(),
        None if address == script::CUSTOMER => "the customer".to_owned(),
        None => address.to_owned(),
    }
}
