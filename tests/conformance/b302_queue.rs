//! B302: transfer to a queue: the first available operator is offered it, and accepts as in B304 and B305; the picker shows for each queue how many
//! wait and the estimated wait. B307: who declined is skipped, and the place in the queue is kept; what counts is the time from the offer. B401: skills
//! decide who is offered. B404: a release to a queue comes only after it was entered.

use baton_api::common::v1::{Reason, Skill, TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::event::v1::event_data::Data;
use baton_api::presence::v1::{QueueLoad, TargetFilter};
use baton_api::routing::v1::Queue;
use baton_testkit::tenant::wait_in_queue;
use baton_testkit::{AgentDesk, BOUND, Call, PhoneBehaviour, TestTenant, To, eventually};

use crate::harness::ears::{ADA, BEN, CUSTOMER, tells};
use crate::harness::{Office, Scenario, refused, shared};

const MESSAGE: &str = "wants to know about the invoice";

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b302_the_first_available_operator_of_a_queue_is_offered_it_and_accepts,
        b302_the_picker_shows_how_many_wait_and_the_estimated_wait,
        b307_who_declined_in_a_queue_is_skipped_and_the_next_is_asked,
        b401_the_skills_that_a_queue_wants_decide_who_is_offered,
        b404_a_release_to_a_queue_comes_after_it_was_entered,
        b404_a_queue_that_is_closed_leaves_the_initiator_with_the_customer,
    ]
}

/// A queue of whoever speaks French at this level.
pub(super) fn french(level: i32) -> Queue {
    Queue { required_skills: vec![Skill { name: "french".to_owned(), level }], ..Queue::default() }
}

/// An agent who speaks French at this level, and whose phone does this.
pub(super) async fn speaker(
    office: &mut Office,
    name: &str,
    level: i32,
    behaviour: PhoneBehaviour,
) -> anyhow::Result<AgentDesk> {
    let desk = office.agent_with(name, behaviour).await?;
    office.tenant.skills(&desk, &[("french", level)]).await?;
    Ok(desk)
}

/// The queue as the picker of a warm transfer shows it.
async fn picked(desk: &AgentDesk, call: &Call, queue: &str) -> anyhow::Result<QueueLoad> {
    let targets = desk.choices(&call.interaction_id, TransferKind::Warm, TargetFilter::default()).await?;
    let wanted = baton_api::common::v1::Target::from(To::Queue(queue));
    let is_it = |it: &baton_api::presence::v1::TransferTarget| {
        it.target.as_ref().is_some_and(|target| target.target.as_ref() == Some(&wanted))
    };
    let found = targets.iter().find(|it| is_it(it)).and_then(|it| it.queue_load);
    found.ok_or_else(|| anyhow::anyhow!("the queue is not in the picker: {targets:#?}"))
}

/// Waits until the picker shows it so: routing hears of a call a little later than its agents do.
async fn picked_as(desk: &AgentDesk, call: &Call, queue: &str, wanted: QueueLoad) -> anyhow::Result<()> {
    eventually(&format!("the picker shows {wanted:?}"), BOUND, async || {
        let shown = picked(desk, call, queue).await.map_err(|error| format!("{error:#}"))?;
        if shown == wanted { Ok(()) } else { Err(format!("{shown:?}")) }
    })
    .await
}

async fn b302_the_first_available_operator_of_a_queue_is_offered_it_and_accepts(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    let queue = office.tenant.queue(french(5)).await?;
    ada.start_saying(id, TransferKind::Warm, To::Queue(&queue), MESSAGE).await?;
    office.until_phase(&call, TransferPhase::Waiting).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 500).await?;

    // Nobody could take it yet; the first who can is offered it.
    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::Manual).await?;
    office.phones.until_ringing(ben.phone()).await?;
    let inbox = ben.inbox().await?;
    anyhow::ensure!(inbox.len() == 1 && inbox[0].message == MESSAGE, "{inbox:?}");
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Accepted).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 500).await?;
    ada.complete(id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    let types = ["interaction.queued", "interaction.agent_offered", "interaction.dequeued", "transfer.completed"];
    let events = office.events_tell(&call, &types).await?;
    let queued = events.iter().find_map(|it| match it.data.as_ref().and_then(|it| it.data.as_ref()) {
        Some(Data::InteractionQueued(it)) => Some((it.queue_id.clone(), it.team_id.clone(), it.position)),
        _ => None,
    });
    anyhow::ensure!(queued == Some((queue, String::new(), 1)), "{queued:?}");
    tells("the customer", &office.phones.heard(&call.leg_id).await?, &[&[ADA], &[BEN]])
}

async fn b302_the_picker_shows_how_many_wait_and_the_estimated_wait(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let queue = office.tenant.queue(french(5)).await?;
    let nobody = QueueLoad { waiting: 0, signed_in: 0, estimated_wait_ms: -1, open: true };
    picked_as(&ada, &call, &queue, nobody).await?;

    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::AnswersAfter(100)).await?;
    picked_as(&ada, &call, &queue, QueueLoad { signed_in: 1, estimated_wait_ms: 0, ..nobody }).await?;

    let number = office.tenant.number(vec![wait_in_queue(&queue)]).await?;
    let first = office.tenant.call(&number).await?;
    office.tenant.until_with(&first, &ben).await?;
    // One agent, and three minutes a call as long as nothing is known of this queue.
    picked_as(&ada, &call, &queue, QueueLoad { signed_in: 1, estimated_wait_ms: 180_000, ..nobody }).await?;
    let second = office.tenant.call(&number).await?;
    office.until_events(&second, "interaction.queued", 1).await?;
    let one = QueueLoad { waiting: 1, signed_in: 1, estimated_wait_ms: 360_000, open: true };
    picked_as(&ada, &call, &queue, one).await?;

    // The first call is over: the second is next, and what the first took counts.
    office.customer_hangs_up(&first).await?;
    office.tenant.until_with(&second, &ben).await?;
    eventually("nobody waits, and a call takes less than was thought", BOUND, async || {
        let known = picked(&ada, &call, &queue).await.map_err(|error| format!("{error:#}"))?;
        let shorter = (1..180_000).contains(&known.estimated_wait_ms);
        if known.waiting == 0 && shorter { Ok(()) } else { Err(format!("{known:?}")) }
    })
    .await
}

async fn b307_who_declined_in_a_queue_is_skipped_and_the_next_is_asked(tenant: TestTenant) -> anyhow::Result<()> {
    // Ringing may last 3 s, and waiting much longer: a wait is no offer.
    let briefly = "[methods.warm.offer]\nring_ms = 3000\n";
    let mut office = Office::open_with(tenant, "engagement", briefly).await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    let queue = office.tenant.queue(french(5)).await?;
    ada.start_saying(id, TransferKind::Warm, To::Queue(&queue), MESSAGE).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 4_000).await?;
    office.until_phase(&call, TransferPhase::Waiting).await?;

    let ben = speaker(&mut office, "Ben", 5, PhoneBehaviour::Manual).await?;
    office.phones.until_ringing(ben.phone()).await?;
    let cleo = speaker(&mut office, "Cleo", 5, PhoneBehaviour::Manual).await?;
    ben.decline(id).await?;
    office.phones.until_ringing(cleo.phone()).await?;
    anyhow::ensure!(office.phones.legs(ben.phone()).await?.is_empty(), "who declined is rung again");
    office.phones.answer(cleo.phone()).await?;
    office.until_phase(&call, TransferPhase::Accepted).await?;
    let events = office.tenant.events(&call).await?;
    let queued = events.iter().filter(|it| it.name() == "interaction.queued").count();
    anyhow::ensure!(queued == 1, "the place in the queue was not kept: it was entered {queued} times");
    Ok(())
}

async fn b401_the_skills_that_a_queue_wants_decide_who_is_offered(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    // Ben has been idle for longer, and speaks too little French.
    let ben = speaker(&mut office, "Ben", 4, PhoneBehaviour::AnswersAfter(100)).await?;
    let cleo = speaker(&mut office, "Cleo", 7, PhoneBehaviour::AnswersAfter(100)).await?;
    let call = office.talking(&ada).await?;
    let queue = office.tenant.queue(french(5)).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Queue(&queue)).await?;
    office.tenant.until_with(&call, &cleo).await?;
    let rang = office.tenant.events(&call).await?;
    let offered = rang.iter().filter_map(|it| match it.data.as_ref().and_then(|it| it.data.as_ref()) {
        Some(Data::InteractionAgentOffered(it)) if !it.queue_id.is_empty() => Some(it.agent_id.clone()),
        _ => None,
    });
    let offered: Vec<_> = offered.collect();
    anyhow::ensure!(offered == [cleo.id()], "{offered:?}, and Ben is {}", ben.id());
    Ok(())
}

async fn b404_a_release_to_a_queue_comes_after_it_was_entered(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;
    let queue = office.tenant.queue(french(5)).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, To::Queue(&queue)).await?;
    // Nobody is there, and it has succeeded all the same: the customer waits in the queue.
    office.phones.until_ended(&adas_leg).await?;
    let events = office.events_tell(&call, &["interaction.queued", "interaction.agent_left"]).await?;
    let place = |name: &str| events.iter().rposition(|it| it.name() == name);
    anyhow::ensure!(place("interaction.queued") < place("interaction.agent_left"), "released before it was queued");

    let ben = speaker(&mut office, "Ben", 9, PhoneBehaviour::AnswersAfter(100)).await?;
    office.tenant.until_with(&call, &ben).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    Ok(())
}

async fn b404_a_queue_that_is_closed_leaves_the_initiator_with_the_customer(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let _ben = speaker(&mut office, "Ben", 9, PhoneBehaviour::AnswersAfter(100)).await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    let closed = office.tenant.queue(super::b606_queue::closed_today(french(5))).await?;
    let reason = refused(ada.start(id, TransferKind::Cold, To::Queue(&closed)).await)?;
    anyhow::ensure!(reason == ErrorReason::QueueClosed, "{reason:?}");
    let answered = "[methods.cold]\nqueue_success = \"answered\"\n";
    anyhow::ensure!(ada.view(id).await?.primary_agent_id == ada.id(), "the initiator has lost the customer");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;

    // A policy by which only an answer counts: in the queue the initiator stays with the customer, and has them if nobody comes.
    crate::harness::office::set_policy(&office.tenant, "aicc", answered).await?;
    office.customer_hangs_up(&call).await?;
    office.until_free(&ada).await?;
    let call = office.talking(&ada).await?;
    let nobody = office.tenant.queue(Queue { max_wait_ms: 2_000, ..french(10) }).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, To::Queue(&nobody)).await?;
    office.until_phase(&call, TransferPhase::Waiting).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    let why = view.transfer.clone().unwrap_or_default().reason();
    anyhow::ensure!(why == Reason::NobodyAvailable && view.primary_agent_id == ada.id(), "{view:?}");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
}
