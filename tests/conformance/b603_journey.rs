//! B603: transfer of a transfer, any number of times: the interaction keeps its whole journey (every hop: who, why, how long, outcome).

use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::transfer::v1::Hop;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CLEO, CUSTOMER, MUSIC, RINGING, tells};
use crate::harness::{Office, Scenario, at_us, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b603_over_three_transfers_the_journey_keeps_every_hop,
        t8_after_ten_transfers_everybody_is_as_their_legs_say_and_another_is_refused,
    ]
}

async fn b603_over_three_transfers_the_journey_keeps_every_hop(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent_with("Cleo", PhoneBehaviour::AnswersAfter(800)).await?;
    let call = office.talking(&ada).await?;

    warm(&office, &call, &ada, &ben).await?;
    ben.start_cold(&call.interaction_id, &cleo).await?;
    with(&office, &call, &cleo).await?;
    office.until_free(&ada).await?;
    warm(&office, &call, &cleo, &ada).await?;

    let view = office.tenant.interaction(&call.interaction_id).await?;
    let hops: Vec<_> = view.journey.iter().map(|it| (it.kind(), &*it.from_agent_id, &*it.to_agent_id)).collect();
    let expected = [
        (TransferKind::Unspecified, "", ada.id()),
        (TransferKind::Warm, ada.id(), ben.id()),
        (TransferKind::Cold, ben.id(), cleo.id()),
        (TransferKind::Warm, cleo.id(), ada.id()),
    ];
    anyhow::ensure!(hops == expected, "the journey is {hops:?}");
    anyhow::ensure!(view.journey.iter().all(is_whole), "a hop is not whole: {:#?}", view.journey);
    let heard = office.phones.heard(&call.leg_id).await?;
    let story: [&[u32]; 7] = [&[ADA], &[MUSIC], &[BEN], &[RINGING], &[CLEO], &[MUSIC], &[ADA]];
    tells("the customer", &heard, &story)?;
    office.until_events(&call, "transfer.completed", 3).await?;
    office.until_free(&ben).await?;
    office.until_free(&cleo).await
}

async fn t8_after_ten_transfers_everybody_is_as_their_legs_say_and_another_is_refused(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let limits = "[interaction]\nmax_hops = 10\nwrap_up_ms = 0\n";
    let mut office = Office::open_with(tenant, "lead_center", limits).await?;
    let mut desks = Vec::new();
    for name in ["Ada", "Ben", "Cleo"] {
        desks.push(office.agent(name).await?);
    }
    let call = office.talking(&desks[0]).await?;
    for hop in 0..10 {
        let (from, to) = (&desks[hop % 3], &desks[(hop + 1) % 3]);
        from.start_cold(&call.interaction_id, to).await?;
        with(&office, &call, to).await?;
        office.until_free(from).await?;
    }
    let (last, next) = (&desks[10 % 3], &desks[11 % 3]);
    let state = last.state().await?;
    anyhow::ensure!(!state.is_free(), "who has the customer is in a call: {state:?}");
    for desk in &desks {
        let (legs, expected) = (office.phones.legs(desk.phone()).await?.len(), usize::from(desk.id() == last.id()));
        anyhow::ensure!(legs == expected, "{} has {legs} legs", desk.name());
    }
    let reason = refused(last.start_cold(&call.interaction_id, next).await)?;
    anyhow::ensure!(reason == ErrorReason::HopLimit, "{reason:?}");
    office.customer_hangs_up(&call).await?;
    for desk in &desks {
        office.until_free(desk).await?;
    }
    let view = office.tenant.interaction(&call.interaction_id).await?;
    let reached: Vec<_> = view.journey.iter().map(|hop| &*hop.to_agent_id).collect();
    let expected: Vec<_> = (0..=10).map(|hop| desks[hop % 3].id()).collect();
    anyhow::ensure!(reached == expected, "the journey is {reached:?}");
    Ok(())
}

async fn warm(office: &Office, call: &Call, from: &AgentDesk, to: &AgentDesk) -> anyhow::Result<()> {
    from.start_warm(&call.interaction_id, to).await?;
    office.until_phase(call, TransferPhase::Consulting).await?;
    office
        .hear_each_other(&[(&office.leg(from).await?, from.tone_hz()), (&office.leg(to).await?, to.tone_hz())])
        .await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    from.complete(&call.interaction_id).await?;
    with(office, call, to).await
}

async fn with(office: &Office, call: &Call, desk: &AgentDesk) -> anyhow::Result<()> {
    office.tenant.until_with(call, desk).await?;
    office.until_phase(call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(desk).await?, desk.tone_hz())]).await
}

/// It says how it ended, and how long it took.
fn is_whole(hop: &Hop) -> bool {
    let times = hop.start_time.as_ref().map(at_us).zip(hop.end_time.as_ref().map(at_us));
    hop.outcome() == TransferPhase::Completed && times.is_some_and(|(start, end)| start < end) && hop.target.is_some()
}
