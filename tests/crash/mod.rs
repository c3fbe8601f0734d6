//! Crashes: `up` or the switch is killed with `kill -9` at the worst moments, and started again on the same data.
//!
//! The calls on the switch live on and nobody hears silence for long (C1); a transfer goes on or ends as its policy says; nothing is
//! stuck; no event is lost or doubled (E1).

mod backup;
mod distributed;
mod moments;
mod refused;
mod restart;
mod services;
mod standstill;
mod switch;
mod time_set;

use std::path::Path;

use baton_api::common::v1::{Reason, TransferPhase};
use baton_api::transfer::v1::{Interaction, Transfer};
use baton_testkit::{AgentDesk, Call, Embedded, TestTenant};

use crate::harness::ears::{MUSIC, longest_silence_ms};
use crate::harness::{Office, Scenario, aftermath, on_its_own};

/// All of them.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        services::scenarios(),
        moments::scenarios(),
        switch::scenarios(),
        restart::scenarios(),
        standstill::scenarios(),
        time_set::scenarios(),
        refused::scenarios(),
        backup::scenarios(),
        distributed::scenarios(),
    ]
    .concat()
}

/// Plays a scenario in an office of its own; afterwards nothing is left.
async fn in_an_office(
    binary: &Path,
    profile: &str,
    overrides: &str,
    play: impl AsyncFnOnce(&mut Embedded, &mut Office) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    on_its_own(binary, &[], async |target: &mut Embedded| {
        let mut office = Office::open_with(TestTenant::create(target.endpoints()).await?, profile, overrides).await?;
        play(target, &mut office).await?;
        aftermath::nothing_is_left(&office.tenant).await
    })
    .await
}

/// Once initiator and recipient talk. A phone that was about to be dialled when `up` died is never dialled again (S2), as it may have
/// rung: the transfer then fails as *unreachable*, the customer is on hold, and the initiator tries again. Says whether they had to.
async fn consults_or_is_tried_again(
    office: &Office,
    call: &Call,
    from: &AgentDesk,
    to: &AgentDesk,
) -> anyhow::Result<bool> {
    let decided = |it: &Interaction| {
        let phase = it.transfer.as_ref().map(Transfer::phase);
        matches!(phase, Some(TransferPhase::Consulting | TransferPhase::Failed))
    };
    let view = office.tenant.until(call, "the transfer goes on or has ended", decided).await?;
    let transfer = view.transfer.unwrap_or_default();
    if transfer.phase() == TransferPhase::Consulting {
        return Ok(false);
    }
    anyhow::ensure!(transfer.reason() == Reason::Unreachable, "it failed as {:?}", transfer.reason());
    office.hears(&call.leg_id, &[MUSIC]).await?;
    office.until_free(to).await?;
    from.start_warm(&call.interaction_id, to).await?;
    office.until_phase(call, TransferPhase::Consulting).await?;
    Ok(true)
}

/// C1: the customer heard somebody or something all the time.
async fn was_never_in_silence(office: &Office, call: &Call) -> anyhow::Result<()> {
    let silence_ms = longest_silence_ms(&office.phones.heard(&call.leg_id).await?);
    anyhow::ensure!(silence_ms <= 2_000, "the customer heard nothing for {silence_ms} ms");
    Ok(())
}
