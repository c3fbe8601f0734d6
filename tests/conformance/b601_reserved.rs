//! B601: two initiators cannot get the same recipient: choosing a target *reserves* it atomically, with an expiring lease.

use baton_api::common::v1::TransferPhase;
use baton_api::error::ErrorReason;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::{Office, Scenario, refused, shared};

/// So often, as a race that is won by luck once is not won each time.
const ROUNDS: usize = 3;

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b601_of_two_initiators_at_once_one_gets_the_recipient]
}

async fn b601_of_two_initiators_at_once_one_gets_the_recipient(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let cleo = office.agent("Cleo").await?;
    let calls = (office.talking(&ada).await?, office.talking(&cleo).await?);
    for _ in 0..ROUNDS {
        one_wins(&office, (&ada, &calls.0), (&cleo, &calls.1), &ben).await?;
    }
    let ledger = office.phones.ledger().await?;
    let dialled =
        ledger.iter().filter(|it| it.action().as_str_name().ends_with("LEG_DIALED") && it.address == ben.phone());
    anyhow::ensure!(dialled.count() == ROUNDS, "the recipient's phone rang for both");
    Ok(())
}

async fn one_wins(
    office: &Office,
    one: (&AgentDesk, &Call),
    other: (&AgentDesk, &Call),
    target: &AgentDesk,
) -> anyhow::Result<()> {
    let start = async |(desk, call): (&AgentDesk, &Call)| desk.start_warm(&call.interaction_id, target).await;
    let (first, second) = tokio::join!(start(one), start(other));
    let (winner, loser, refusal) = match (first, second) {
        (Ok(_), refusal) => (one, other, refusal),
        (refusal, Ok(_)) => (other, one, refusal),
        (first, second) => anyhow::bail!("nobody got the recipient: {first:?}, {second:?}"),
    };
    let reason = refused(refusal)?;
    anyhow::ensure!(reason == ErrorReason::AgentBusy, "the other is told {reason:?}");
    let lost = office.until_phase(loser.1, TransferPhase::Failed).await?;
    anyhow::ensure!(!lost.customer_on_hold, "the other's customer was put on hold");
    office.phones.until_ringing(target.phone()).await?;
    anyhow::ensure!(office.phones.legs(target.phone()).await?.len() == 1, "more than one leg");

    winner.0.cancel(&winner.1.interaction_id).await?;
    winner.0.resume(&winner.1.interaction_id).await?;
    office.until_free(target).await?;
    office.phones.until_idle(target.phone()).await
}
