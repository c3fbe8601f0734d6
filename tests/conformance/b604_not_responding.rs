//! B604: a recipient who does not answer is marked *not responding*, and pickers and queues skip them until they come back.

use baton_api::common::v1::TransferPhase;
use baton_api::presence::v1::{AgentState, TargetFilter};
use baton_api::simulator::v1::LedgerAction;
use baton_testkit::tenant::ring_team;
use baton_testkit::{AgentDesk, PhoneBehaviour, TestTenant};

use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b604_an_agent_who_does_not_answer_is_skipped_until_they_come_back]
}

async fn b604_an_agent_who_does_not_answer_is_skipped_until_they_come_back(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;
    anyhow::ensure!(is_in_the_picker(&ada, &ben).await?, "the picker has not got the recipient at first");
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Failed).await?;
    ben.until_state(AgentState::NotResponding).await?;
    anyhow::ensure!(!is_in_the_picker(&ada, &ben).await?, "the picker has who does not respond");

    // Ben is idle for longer than Cleo: without the mark it would be his phone that rings.
    let cleo = office.agent("Cleo").await?;
    let team = office.tenant.team("Support", &[&ben, &cleo]).await?;
    let number = office.tenant.number(vec![ring_team(&team, 2_000, 10_000)]).await?;
    let rang_before = rang(&office, &ben).await?;
    let second = office.talking_on(&number, &cleo).await?;
    anyhow::ensure!(rang(&office, &ben).await? == rang_before, "the flow rang who does not respond");
    office.customer_hangs_up(&second).await?;

    office.phones.put(ben.phone(), PhoneBehaviour::AnswersAfter(100)).await?;
    ben.set_state(AgentState::Available, "").await?;
    ben.until_state(AgentState::Available).await?;
    anyhow::ensure!(is_in_the_picker(&ada, &ben).await?, "the picker has not got who came back");
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    Ok(())
}

async fn is_in_the_picker(desk: &AgentDesk, whom: &AgentDesk) -> anyhow::Result<bool> {
    Ok(desk.targets(TargetFilter::default()).await?.iter().any(|it| it.name == whom.name()))
}

/// How often the phone was dialled.
async fn rang(office: &Office, desk: &AgentDesk) -> anyhow::Result<usize> {
    let ledger = office.phones.ledger().await?;
    Ok(ledger.iter().filter(|it| it.action() == LedgerAction::LegDialed && it.address == desk.phone()).count())
}
