//! Deadlines: wakes every live interaction when its state says so, and submits a tick. What a restart interrupts is set again from the stored
//! state.

use crate::door::Door;
use baton_domain::{Input, InteractionId};
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
    by_id: HashMap<InteractionId, i64>,
}

impl Alarms {
    fn set(&mut self, id: InteractionId, at_us: Option<i64>) {
        if let Some(old) = self.by_id.remove(&id) {
            self.by_time.remove(&(old, id));
        }
        if let Some(at_us) = at_us {
            self.by_id.insert(id, at_us);
            self.by_time.insert((at_us, id));
        }
    }

    fn next_us(&self) -> Option<i64> {
        self.by_time.first().map(|(at_us, _)| *at_us)
    }

    fn due(&mut self, now_us: i64) -> Option<InteractionId> {
        let (_, id) = *self.by_time.first().filter(|(at_us, _)| *at_us <= now_us)?;
        self.set(id, None);
        Some(id)
    }
}

/// Runs until the shutdown.
pub(crate) async fn run(
    door: Arc<Door>,
    mut settings: UnboundedReceiver<(InteractionId, Option<i64>)>,
    stop: CancellationToken,
) {
    let mut alarms = Alarms::default();
    let clock = door.clock.clone();
    loop {
        let next = alarms.next_us();
        tokio::select! {
            () = stop.cancelled() => return,
            set = settings.recv() => match set {
                Some((id, at_us)) => alarms.set(id, at_us),
                None => return,
            },
            () = async { clock.sleep_until(next.unwrap_or(i64::MAX)).await }, if next.is_some() => {}
        }
        while let Some(id) = alarms.due(clock.now_us()) {
            if let Err(error) = door.submit(id, vec![Input::Tick]).await {
                tracing::warn!(interaction.id = %id, %error, "a deadline could not be acted upon; trying again");
                alarms.set(id, Some(clock.after(AGAIN)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn alarms_go_off_in_order_and_are_replaced() {
        let [a, b] = [1, 2].map(|n| InteractionId(Uuid::from_u128(n)));
        let mut alarms = Alarms::default();
        alarms.set(a, Some(10));
        alarms.set(b, Some(5));
        alarms.set(a, Some(3));
        assert_eq!(alarms.due(2), None);
        assert_eq!((alarms.due(9), alarms.due(9), alarms.due(9)), (Some(a), Some(b), None));
        alarms.set(b, Some(1));
        alarms.set(b, None);
        assert_eq!(alarms.next_us(), None);
    }
}
