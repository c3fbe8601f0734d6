//! A customer: calls, waits for as long as they like, and leaves a message if they come to voicemail. What they say to an agent, and who
//! hangs up first, is the agent's script.

use std::sync::Arc;

use baton_api::simulator::v1::PlaceCallRequest;

use super::board::CallView;
use super::office::fresh;
use super::plan::PlannedCall;
use super::{Day, ScriptPart};
use crate::client::refusal::OrRefusal as _;

/// From the first ring to the end.
pub(super) async fn call(day: Arc<Day>, call: PlannedCall) -> anyhow::Result<()> {
    day.reach(call.at).await;
    let mut view = day.board.call(&call.customer);
    day.parts().insert(call.customer.clone(), ScriptPart::First);
    let to = day.office.numbers.get(call.number).cloned().unwrap_or_default();
    let request = PlaceCallRequest { request_id: fresh(), from: call.customer.clone(), to, tone_hz: 0 };
    day.office.phones().place_call(request).await.or_refusal()?;
    let mut patience = call.patience.into_iter();
    loop {
        let now = view.wait_for(|it| !it.customer_leg.is_empty()).await?.clone();
        if now.is_over {
            break;
        }
        let lasts = if now.in_voicemail {
            Some(call.message)
        } else if now.talks.is_empty() {
            Some(patience.next().unwrap_or(call.patience[1]))
        } else {
            None
        };
        let is_same = |it: &CallView| {
            !it.is_over && it.in_voicemail == now.in_voicemail && it.talks.is_empty() == now.talks.is_empty()
        };
        let changes = view.wait_for(|it| !is_same(it));
        let gives_up = if let Some(lasts) = lasts {
            day.clock.timeout(lasts, changes).await.is_err()
        } else {
            let _ = changes.await;
            false
        };
        if gives_up {
            day.hang_up(&now.customer_leg).await;
        }
    }
    day.parts().remove(&call.customer);
    day.progress.inc(1);
    Ok(())
}
