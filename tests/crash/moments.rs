//! One call lives through many crashes, at many moments of its transfers: from the very start of one to the time when all is done.

use std::path::PathBuf;

use anyhow::Context as _;
use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::transfer::v1::{StartTransferRequest, Transfer};
use baton_testkit::tenant::fresh;
use baton_testkit::{AgentDesk, BOUND, Call, Embedded, To, eventually};

use super::services::reconnect;
use super::{consults_or_is_tried_again, in_an_office, was_never_in_silence};
use crate::harness::ears::CUSTOMER;
use crate::harness::{Office, Scenario, alone, talk_for};

/// When `up` is killed, ms after the start of a transfer was sent. The phone answers after 100 ms.
const MOMENTS_MS: [u64; 8] = [0, 3, 8, 20, 60, 110, 180, 400];

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![b610_crash_at_many_moments_of_a_transfer_and_the_call_lives_through_all]
}

async fn b610_crash_at_many_moments_of_a_transfer_and_the_call_lives_through_all(
    binary: PathBuf,
) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let ben = office.agent("Ben").await?;
        let call = office.talking(&ada).await?;
        let mut attempts = 0;
        for (round, moment_ms) in MOMENTS_MS.into_iter().enumerate() {
            let (from, to) = if round % 2 == 0 { (&ada, &ben) } else { (&ben, &ada) };
            let crash = async |office: &mut Office| {
                talk_for(moment_ms).await;
                target.kill()?;
                target.restart().await?;
                reconnect(office, &[from, to]).await
            };
            let lived = one_round(office, &call, (from, to), crash).await;
            let tried_again = lived.with_context(|| format!("killed {moment_ms} ms after the start"))?;
            attempts += 1 + usize::from(tried_again);
        }
        office.until_events(&call, "transfer.started", attempts).await?;
        office.until_events(&call, "transfer.completed", MOMENTS_MS.len()).await?;
        was_never_in_silence(office, &call).await
    })
    .await
}

/// A transfer is started and meanwhile `crash` has something killed and come back, the start is sent again under the same request id (T7), and
/// the transfer is brought to its end. Says whether it had to be tried again.
pub(super) async fn one_round(
    office: &mut Office,
    call: &Call,
    (from, to): (&AgentDesk, &AgentDesk),
    crash: impl AsyncFnOnce(&mut Office) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let request = StartTransferRequest {
        request_id: fresh(),
        interaction_id: call.interaction_id.clone(),
        kind: TransferKind::Warm.into(),
        target: Some(To::Agent(to).into()),
        message: String::new(),
        ..Default::default()
    };
    let (first, crashed) = tokio::join!(start(from, &request), crash(office));
    crashed?;
    let again = eventually("the same request is answered", BOUND, async || start(from, &request).await).await?;
    if let Ok(first) = first {
        anyhow::ensure!(first.transfer_id == again.transfer_id, "the retry started another transfer");
    }
    let tried_again = consults_or_is_tried_again(office, call, from, to).await?;
    let legs = (office.leg(from).await?, office.leg(to).await?);
    office.hear_each_other(&[(&legs.0, from.tone_hz()), (&legs.1, to.tone_hz())]).await?;
    from.complete(&call.interaction_id).await?;
    office.until_phase(call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&legs.1, to.tone_hz())]).await?;
    office.until_free(from).await?;
    Ok(tried_again)
}

async fn start(desk: &AgentDesk, request: &StartTransferRequest) -> Result<Transfer, String> {
    let answer = desk.transfers().start_transfer(request.clone()).await.map_err(|status| status.to_string())?;
    answer.into_inner().interaction.and_then(|it| it.transfer).ok_or_else(|| "no transfer".to_owned())
}
