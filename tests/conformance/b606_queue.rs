//! B606: queues ring by strategy, skipping those who decline: the longest idle, all at once with one winner (A7), who had the fewest calls. And what
//! happens to whoever waits: a queue overflows into another, and gives up when nobody is signed in, as it says.

use baton_api::common::v1::TransferKind;
use baton_api::common::v1::TransferPhase;
use baton_api::error::ErrorReason;
use baton_api::event::v1::event_data::Data;
use baton_api::routing::v1::queue::{Instead, Strategy};
use baton_api::routing::v1::{OpeningHours, Queue};
use baton_testkit::tenant::{ring, wait_in_queue};
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant, To};

use super::b302_queue::{french, speaker};
use crate::harness::ears::CUSTOMER;
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b606_a_queue_that_rings_all_at_once_has_one_winner,
        b606_a_queue_asks_who_had_the_fewest_calls_or_was_idle_longest,
        b606_a_queue_of_higher_priority_is_served_first,
        b606_whoever_waits_too_long_or_is_declined_by_all_waits_on_in_the_overflow_queue,
        b606_a_queue_that_nobody_serves_gives_up_as_it_says,
        b606_a_closed_queue_sends_callers_to_its_overflow,
    ]
}

/// Open on one minute of another day of the week: closed now, whenever that is.
pub(super) fn closed_today(queue: Queue) -> Queue {
    let days = crate::harness::now_us() / 86_400_000_000;
    // 1 January 1970 was a Thursday. The day after tomorrow is not today in any time zone.
    let day = i32::try_from((days + 3 + 2) % 7).unwrap_or_default() + 1;
    let hours = OpeningHours { day, from: "12:00".to_owned(), to: "12:01".to_owned() };
    Queue { opening_hours: vec![hours], ..queue }
}

/// The queues that it entered, in order.
async fn queues_of(office: &Office, call: &Call) -> anyhow::Result<Vec<String>> {
    let events = office.tenant.events(call).await?;
    let queued = events.iter().filter_map(|it| match it.data.as_ref().and_then(|it| it.data.as_ref()) {
        Some(Data::InteractionQueued(it)) => Some(it.queue_id.clone()),
        _ => None,
    });
    Ok(queued.collect())
}

async fn b606_a_queue_that_rings_all_at_once_has_one_winner(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = speaker(&mut office, "Ada", 5, PhoneBehaviour::Manual).await?;
    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::Manual).await?;
    let queue = Queue { strategy: Strategy::Broadcast.into(), ..french(5) };
    let queue = office.tenant.queue(queue).await?;
    let number = office.tenant.number(vec![wait_in_queue(&queue)]).await?;
    let call = office.tenant.call(&number).await?;
    office.phones.until_ringing(ada.phone()).await?;
    office.phones.until_ringing(ben.phone()).await?;
    // Both answer at the same moment.
    let (first, second) = tokio::join!(office.phones.answer(ben.phone()), office.phones.answer(ada.phone()));
    anyhow::ensure!(first.is_ok() || second.is_ok(), "nobody could answer: {first:?}, {second:?}");
    let view = office
        .tenant
        .until(&call, "one of them has the customer", |it| {
            it.state() == baton_api::transfer::v1::interaction::State::WithAgent && !it.primary_agent_id.is_empty()
        })
        .await?;
    let (winner, loser) = if view.primary_agent_id == ada.id() { (&ada, &ben) } else { (&ben, &ada) };
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(winner).await?, winner.tone_hz())]).await?;
    office.until_free(loser).await?;
    let events = office.events_tell(&call, &["interaction.queued", "interaction.agent_joined"]).await?;
    let joined = events.iter().filter(|it| it.name() == "interaction.agent_joined").count();
    anyhow::ensure!(joined == 1, "{joined} have won");
    Ok(())
}

async fn b606_a_queue_asks_who_had_the_fewest_calls_or_was_idle_longest(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = speaker(&mut office, "Ada", 5, PhoneBehaviour::AnswersAfter(100)).await?;
    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::AnswersAfter(100)).await?;
    let idle = office.tenant.queue(french(5)).await?;
    let fewest = Queue { strategy: Strategy::FewestCallsToday.into(), ..french(5) };
    let fewest = office.tenant.queue(fewest).await?;
    let [by_idle, by_calls] = [
        office.tenant.number(vec![wait_in_queue(&idle)]).await?,
        office.tenant.number(vec![wait_in_queue(&fewest)]).await?,
    ];
    let bens_own = office.tenant.number(vec![ring(&ben)]).await?;
    // Ada is idle for longer, and gets a call from a queue; then Ben gets one that is from none. Now Ada is idle for longer again.
    for (number, desk) in [(&by_idle, &ada), (&bens_own, &ben)] {
        over_with(&office, number, desk).await?;
    }
    // Ben had fewer from queues; then both had one, and Ada is idle for longer.
    over_with(&office, &by_calls, &ben).await?;
    over_with(&office, &by_calls, &ada).await?;
    over_with(&office, &by_idle, &ben).await
}

/// A call to this number comes to this agent, and is over.
async fn over_with(office: &Office, number: &str, desk: &AgentDesk) -> anyhow::Result<()> {
    let call = office.tenant.call(number).await?;
    office.tenant.until_with(&call, desk).await?;
    office.customer_hangs_up(&call).await?;
    office.until_free(desk).await
}

async fn b606_a_queue_of_higher_priority_is_served_first(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let low = office.tenant.queue(Queue { priority: 3, ..french(5) }).await?;
    let high = office.tenant.queue(Queue { priority: 8, ..french(5) }).await?;
    let [at_low, at_high] = [
        office.tenant.number(vec![wait_in_queue(&low)]).await?,
        office.tenant.number(vec![wait_in_queue(&high)]).await?,
    ];
    let first = office.tenant.call(&at_low).await?;
    office.until_events(&first, "interaction.queued", 1).await?;
    let second = office.tenant.call(&at_high).await?;
    office.until_events(&second, "interaction.queued", 1).await?;
    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::AnswersAfter(100)).await?;
    office.tenant.until_with(&second, &ben).await?;
    office.customer_hangs_up(&second).await?;
    office.tenant.until_with(&first, &ben).await?;
    office.hear_each_other(&[(&first.leg_id, CUSTOMER), (&office.leg(&ben).await?, ben.tone_hz())]).await
}

async fn b606_whoever_waits_too_long_or_is_declined_by_all_waits_on_in_the_overflow_queue(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let second = office.tenant.queue(french(3)).await?;
    let first = Queue {
        max_wait_ms: 2_000,
        overflow_queue_id: second.clone(),
        when_declined: Instead::Overflow.into(),
        ..french(8)
    };
    let first = office.tenant.queue(first).await?;

    // Too long: nobody speaks so much French.
    let call = office.talking(&ada).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Queue(&first)).await?;
    office.until_events(&call, "interaction.queued", 2).await?;
    anyhow::ensure!(queues_of(&office, &call).await? == [first.clone(), second.clone()], "not in this order");
    let ben = speaker(&mut office, "Ben", 3, PhoneBehaviour::AnswersAfter(100)).await?;
    office.tenant.until_with(&call, &ben).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.customer_hangs_up(&call).await?;
    office.until_free(&ben).await?;

    // Declined by all: Cleo alone serves the first.
    let cleo = speaker(&mut office, "Cleo", 9, PhoneBehaviour::Manual).await?;
    office.until_free(&ada).await?;
    let call = office.talking(&ada).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Queue(&first)).await?;
    office.phones.until_ringing(cleo.phone()).await?;
    cleo.decline(&call.interaction_id).await?;
    office.tenant.until_with(&call, &ben).await?;
    let types = ["interaction.queued", "interaction.offer_failed", "interaction.dequeued", "interaction.queued"];
    office.events_tell(&call, &types).await?;
    anyhow::ensure!(queues_of(&office, &call).await? == [first, second], "not in this order");
    Ok(())
}

async fn b606_a_queue_that_nobody_serves_gives_up_as_it_says(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let queue = Queue { when_unattended: Instead::GiveUp.into(), ..french(5) };
    let queue = office.tenant.queue(queue).await?;
    let call = office.talking(&ada).await?;
    let started = ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Queue(&queue)).await;
    let reason = refused(started)?;
    anyhow::ensure!(reason == ErrorReason::NobodySignedIn, "{reason:?}");

    // In a call flow the next step follows.
    let number = office.tenant.number(vec![wait_in_queue(&queue), ring(&ada)]).await?;
    office.customer_hangs_up(&call).await?;
    office.until_free(&ada).await?;
    let call = office.tenant.call(&number).await?;
    office.tenant.until_with(&call, &ada).await?;
    Ok(())
}

async fn b606_a_closed_queue_sends_callers_to_its_overflow(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::AnswersAfter(100)).await?;
    let night = office.tenant.queue(french(1)).await?;
    let day = Queue { overflow_queue_id: night.clone(), ..closed_today(french(5)) };
    let day = office.tenant.queue(day).await?;
    let number = office.tenant.number(vec![wait_in_queue(&day)]).await?;
    let call = office.tenant.call(&number).await?;
    office.tenant.until_with(&call, &ben).await?;
    let entered = queues_of(&office, &call).await?;
    anyhow::ensure!(entered == [night], "{entered:?}");
    Ok(())
}
