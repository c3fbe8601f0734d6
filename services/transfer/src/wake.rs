//! Deadlines: wakes every live interaction when its state says so, and submits a tick. What a restart interrupts is set again from the stored
//! state.
//!
//! Two commits of one interaction may be noted here in either order: the later version counts. A tick that changes nothing sets the alarm
//! anew from the state, so that none is ever lost.

use crate::{alarm::Alarm, command_handler::CommandHandler, error::SubmitError};
use baton_domain::Input;
use baton_words::InteractionId;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

/// How long to wait before a tick that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// When to wake whom.
#[derive(Debug, Default)]
struct Alarms {
    by_time: BTreeSet<(i64, InteractionId)>,
    by_id: HashMap<InteractionId, Alarm>,
}

impl Alarms {
    fn set(&mut self, alarm: Alarm) {
        let Alarm { id, version, at_us } = alarm;
        let old = self.by_id.get(&id);
        if old.is_some_and(|old| old.version > version) {
            return;
        }
        if let Some(old_us) = old.and_then(|old| old.at_us) {
            self.by_time.remove(&(old_us, id));
        }
        match at_us {
            Some(at_us) => {
                self.by_id.insert(id, alarm);
                self.by_time.insert((at_us, id));
            }
            // It is over: nothing comes after it.
            None => drop(self.by_id.remove(&id)),
        }
    }

    fn next_us(&self) -> Option<i64> {
        self.by_time.first().map(|(at_us, _)| *at_us)
    }

    /// The next one whose time has come. It goes off once.
    fn due(&mut self, now_us: i64) -> Option<Alarm> {
        let (at_us, id) = *self.by_time.first().filter(|(at_us, _)| *at_us <= now_us)?;
        self.by_time.remove(&(at_us, id));
        let alarm = self.by_id.get_mut(&id)?;
        Some(Alarm { at_us: alarm.at_us.take(), ..*alarm })
    }
}

/// Runs until the shutdown.
pub(crate) async fn run(handler: Arc<CommandHandler>, mut settings: UnboundedReceiver<Alarm>, stop: CancellationToken) {
    let mut alarms = Alarms::default();
    let clock = handler.clock.clone();
    loop {
        let next = alarms.next_us();
        tokio::select! {
            () = stop.cancelled() => return,
            set = settings.recv() => match set {
                Some(alarm) => alarms.set(alarm),
                None => return,
            },
            () = async { clock.sleep_until(next.unwrap_or(i64::MAX)).await }, if next.is_some() => {}
        }
        // One at a time: what is set meanwhile is taken in between.
        let Some(alarm) = alarms.due(clock.heard_us()) else { continue };
        let woken = wake(&handler, alarm.id).await;
        let again = clock.after(AGAIN);
        match woken {
            Ok(next) => alarms.set(next.map_or(Alarm { at_us: None, ..alarm }, |next| next.not_before(again))),
            Err(error) => {
                tracing::warn!(interaction.id = %alarm.id, %error, "a deadline could not be acted upon; trying again");
                alarms.set(Alarm { at_us: Some(again), ..alarm });
            }
        }
    }
}

/// Submits the tick. What it leads to sets its own alarm; this is the alarm of a state that it did not change.
async fn wake(handler: &Arc<CommandHandler>, id: InteractionId) -> Result<Option<Alarm>, SubmitError> {
    handler.submit(id, vec![Input::Tick]).await?;
    Ok(handler.load(id).await?.map(|interaction| Alarm::of(&interaction)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn alarms_go_off_in_order_and_are_replaced() {
        let [a, b] = [1, 2].map(|n| InteractionId(Uuid::from_u128(n)));
        let mut alarms = Alarms::default();
        let set = |alarms: &mut Alarms, id, version, at_us| alarms.set(Alarm { id, version, at_us });
        let due = |alarms: &mut Alarms, now_us| alarms.due(now_us).map(|alarm| alarm.id);
        set(&mut alarms, a, 1, Some(10));
        set(&mut alarms, b, 1, Some(5));
        set(&mut alarms, a, 2, Some(3));
        assert_eq!(due(&mut alarms, 2), None);
        assert_eq!([due(&mut alarms, 9), due(&mut alarms, 9), due(&mut alarms, 9)], [Some(a), Some(b), None]);
        set(&mut alarms, b, 2, Some(1));
        set(&mut alarms, b, 3, None);
        assert_eq!(alarms.next_us(), None);
    }

    #[test]
    fn an_older_version_that_comes_later_sets_nothing() {
        let id = InteractionId(Uuid::from_u128(1));
        let mut alarms = Alarms::default();
        alarms.set(Alarm { id, version: 6, at_us: Some(60) });
        alarms.set(Alarm { id, version: 5, at_us: Some(50) });
        assert_eq!(alarms.next_us(), Some(60));
        assert!(alarms.due(60).is_some());
        alarms.set(Alarm { id, version: 5, at_us: Some(50) });
        assert_eq!(alarms.next_us(), None, "also after it went off");
    }
}
