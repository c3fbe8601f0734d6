//! A process stands still for a while, and goes on: what came meanwhile is heard before anybody is judged by their silence (R2).

use std::path::PathBuf;

use baton_api::common::v1::TransferPhase;
use baton_api::presence::v1::AgentState;
use baton_testkit::{AgentDesk, Call, Embedded, PhoneBehaviour, TestTenant};

use super::in_an_office;
use crate::harness::ears::{ADA, BEN};
use crate::harness::{Office, Scenario, alone, on_its_own, talk_for};

/// The phone rings for two seconds.
const BRIEFLY: &str = "[methods.warm.offer]\nring_ms = 2000\n";
/// Longer than the phone may ring, and than a lease lasts.
const STILL_MS: u64 = 4_000;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        r2_who_answers_while_baton_stands_still_is_not_cut_off,
        r2_who_answers_while_the_switch_stands_still_is_not_cut_off,
        r2_agents_whose_heartbeats_wait_in_the_socket_stay_available,
    ]
}

async fn r2_who_answers_while_baton_stands_still_is_not_cut_off(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", BRIEFLY, async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = ringing(office).await?;
        target.stands_still("up")?;
        target.switch_phones(&office.tenant)?.answer(ben.phone()).await?;
        talk_for(STILL_MS).await;
        target.goes_on("up")?;
        office.until_phase(&call, TransferPhase::Consulting).await?;
        office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;
        office.customer_hangs_up(&call).await.map(|_| ())
    })
    .await
}

async fn r2_who_answers_while_the_switch_stands_still_is_not_cut_off(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", BRIEFLY, async |target: &mut Embedded, office: &mut Office| {
        let (_, ben, call) = ringing(office).await?;
        let direct = target.switch_phones(&office.tenant)?;
        direct.all().await?;
        target.stands_still("switch")?;
        let (answered, went_on) = tokio::join!(direct.answer(ben.phone()), async {
            talk_for(STILL_MS).await;
            target.goes_on("switch")
        });
        went_on?;
        answered?;
        office.until_phase(&call, TransferPhase::Consulting).await?;
        office.customer_hangs_up(&call).await.map(|_| ())
    })
    .await
}

/// Ada hands her customer over, and Ben's phone rings.
async fn ringing(office: &mut Office) -> anyhow::Result<(AgentDesk, AgentDesk, Call)> {
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.phones.until_ringing(ben.phone()).await?;
    Ok((ada, ben, call))
}

async fn r2_agents_whose_heartbeats_wait_in_the_socket_stay_available(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[("BATON_PRESENCE__LEASE_MS", "2000")], async |target: &mut Embedded| {
        let mut office = Office::open(TestTenant::create(target.endpoints()).await?, "lead_center").await?;
        let mut desks = Vec::new();
        for name in ["Ada", "Ben", "Cleo", "Dan"] {
            desks.push(office.agent(name).await?);
        }
        let mut since = Vec::new();
        for desk in &desks {
            since.push(desk.until_state(AgentState::Available).await?.state_start_time);
        }
        target.stands_still("up")?;
        talk_for(STILL_MS).await;
        target.goes_on("up")?;
        // A lease later, everybody would have been judged.
        talk_for(3_000).await;
        for (desk, since) in desks.iter().zip(since) {
            let now = desk.state().await?;
            anyhow::ensure!(now.state() == AgentState::Available, "{} is {:?}", desk.name(), now.state());
            anyhow::ensure!(now.state_start_time == since, "{} was gone and came back", desk.name());
        }
        Ok(())
    })
    .await
}
