//! B613: every event can be replayed from any point, and a consumer can rebuild the whole picture from events alone. (Every other scenario that
//! shares its Baton ends with the same comparison.)

use anyhow::Context as _;
use baton_api::common::v1::{Reason, TransferPhase};
use baton_api::presence::v1::AgentState;
use baton_api::transfer::v1::interaction::State;
use baton_testkit::tenant::ring_team;
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::rebuilt::Rebuilt;
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b613_the_picture_of_a_busy_moment_and_of_the_end_is_rebuilt_from_events]
}

async fn b613_the_picture_of_a_busy_moment_and_of_the_end_is_rebuilt_from_events(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    let dora = office.agent_with("Dora", PhoneBehaviour::NeverAnswers).await?;
    let eve = office.agent("Eve").await?;
    eve.set_state(AgentState::Away, "lunch").await?;
    let team = office.tenant.team("Support", &[&eve]).await?;
    let support = office.tenant.number(vec![ring_team(&team, 10_000, 60_000)]).await?;

    // A transfer that fails, and a warm one in its consult; a cold one that is over; a call in a queue.
    let first = office.talking(&ada).await?;
    ada.note(&first.interaction_id, "wants a refund").await?;
    ada.start_warm(&first.interaction_id, &dora).await?;
    office.until_phase(&first, TransferPhase::Failed).await?;
    ada.start_warm(&first.interaction_id, &ben).await?;
    office.until_phase(&first, TransferPhase::Consulting).await?;
    ada.mute(&first.interaction_id, true).await?;
    let second = office.talking(&cleo).await?;
    let queued = office.tenant.call(&support).await?;
    office.until_events(&queued, "interaction.queued", 1).await?;

    let mut middle = Rebuilt::new(&office.tenant);
    middle.until_as_the_api_says().await?;
    let picture = &middle.picture;
    let call = &picture.calls()[&first.interaction_id].interaction;
    let hops: Vec<_> = call.journey.iter().map(|it| (it.outcome(), it.reason())).collect();
    let failed = (TransferPhase::Failed, Reason::NoAnswer);
    let open = (TransferPhase::Unspecified, Reason::Unspecified);
    anyhow::ensure!(hops == [(TransferPhase::Completed, Reason::Unspecified), failed, open], "{hops:?}");
    anyhow::ensure!(call.customer_on_hold && call.note_count == 1 && call.parties.len() == 2, "{call:#?}");
    let waiting: Vec<_> = picture.queues()[team.as_str()].iter().map(|it| &it.interaction.interaction_id).collect();
    anyhow::ensure!(waiting == [&queued.interaction_id], "{waiting:?}");
    let agents = picture.agents();
    let away = agents.iter().find(|it| it.agent_id == eve.id()).context("no Eve")?;
    anyhow::ensure!(away.state() == AgentState::Away && away.away_reason == "lunch", "{away:?}");
    let (kept, cursor) = (picture.clone(), middle.cursor.clone());

    ada.complete(&first.interaction_id).await?;
    office.until_phase(&first, TransferPhase::Completed).await?;
    office.until_free(&ada).await?;
    cleo.start_cold(&second.interaction_id, &ada).await?;
    office.until_phase(&second, TransferPhase::Completed).await?;
    eve.set_state(AgentState::Available, "").await?;
    office.tenant.until_with(&queued, &eve).await?;
    for call in [&first, &second, &queued] {
        office.customer_hangs_up(call).await?;
    }

    let mut whole = Rebuilt::new(&office.tenant);
    whole.until_as_the_api_says().await?;
    let ended = |it: &baton_events::CallPicture| it.interaction.state() == State::Ended && it.queued.is_none();
    anyhow::ensure!(
        whole.picture.calls().len() == 3 && whole.picture.calls().values().all(ended),
        "{:#?}",
        whole.picture
    );
    let mut from_middle = Rebuilt::going_on(&office.tenant, kept, cursor);
    from_middle.until_as_the_api_says().await?;
    // What still comes after the last call, such as the end of a wrap-up, both have.
    whole.read_on().await?;
    from_middle.read_on().await?;
    whole.read_on().await?;
    anyhow::ensure!(whole.cursor == from_middle.cursor, "something still happens");
    anyhow::ensure!(whole.picture == from_middle.picture, "from the middle on it becomes another picture");
    Ok(())
}
