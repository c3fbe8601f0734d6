//! B401 (numbers outside), B404, B408, B409 and X3: a customer is handed over to a number outside, which is configured with or without *user
//! number forwarding*, or typed in.

use baton_api::common::v1::{Reason, RecordingMode, TargetSort, TransferKind, TransferPhase, target};
use baton_api::error::ErrorReason;
use baton_api::event::v1::event_data::Data;
use baton_api::presence::v1::TargetFilter;
use baton_api::simulator::v1::LedgerAction;
use baton_api::transfer::v1::{OutsideOption, TransferOption, interaction::State};
use baton_testkit::tenant::ring;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant, To};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, RINGING, holds_exactly, tells};
use crate::harness::{Office, Scenario, refused, shared, talk_for};

/// The tone of whoever is called outside; there is no second agent where somebody is.
const OUTSIDER: u32 = BEN;

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b401_an_external_number_is_listed_after_agents_and_teams,
        b404_a_release_transfer_outside_leaves_the_customer_with_ringing_until_somebody_answers,
        b404_a_release_transfer_outside_that_nobody_answers_goes_where_the_fallback_says,
        b408_each_cell_of_the_table_in_an_inbound_call,
        b408_each_cell_of_the_table_in_a_call_that_the_agent_placed,
        b408_a_success_transfer_outside_releases_the_agent_when_somebody_answers,
        b408_a_conversation_transfer_outside_is_completed_by_the_agent,
        b409_the_agent_goes_on_with_customer_2_and_cannot_go_outside_from_then_on,
        b409_when_customer_2_hangs_up_the_agent_goes_on_with_customer_1_and_can_go_outside,
        x3_a_fresh_tenant_transfers_to_nobody_outside,
    ]
}

/// Ada talks with a customer who called.
async fn talking(tenant: TestTenant) -> anyhow::Result<(Office, AgentDesk, Call)> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    office.tenant.allow("+3247").await?;
    let call = office.talking(&ada).await?;
    Ok((office, ada, call))
}

/// Ada talks with a customer whom she called.
async fn called(tenant: TestTenant) -> anyhow::Result<(Office, AgentDesk, Call)> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let number = office.tenant.number(vec![ring(&ada)]).await?;
    office.tenant.allow("+3247").await?;
    let customer = office.tenant.customer(PhoneBehaviour::AnswersAfter(100)).await?;
    let interaction_id = ada.place_call(&number, &customer).await?.interaction_id;
    let leg_id = office.phones.until_up(&customer).await?.leg_id;
    let call = Call { interaction_id, leg_id, customer };
    office.tenant.until_with(&call, &ada).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    Ok((office, ada, call))
}

async fn b401_an_external_number_is_listed_after_agents_and_teams(tenant: TestTenant) -> anyhow::Result<()> {
    let (mut office, ada, call) = talking(tenant).await?;
    let ben = office.agent("Ben").await?;
    office.tenant.team("Support", &[&ben]).await?;
    let taxis = office.tenant.outsider(PhoneBehaviour::Manual).await?;
    let plain = office.tenant.external_number("Taxis", &taxis, false).await?;
    let forwarding = office.tenant.external_number("Workshop", "+32470000002", true).await?;
    let listed = |kind, search: &str| {
        let filter = TargetFilter { search: search.to_owned(), ..TargetFilter::default() };
        let (ada, id) = (&ada, call.interaction_id.clone());
        async move { ada.choices(&id, kind, filter).await }
    };
    let names = |targets: Vec<baton_api::presence::v1::TransferTarget>| {
        targets.into_iter().map(|it| it.target.unwrap_or_default().name).collect::<Vec<_>>()
    };
    let warm = names(listed(TransferKind::Warm, "").await?);
    anyhow::ensure!(warm == ["Ben", "Support", "Taxis", "Workshop"], "{warm:?}");
    let cold = names(listed(TransferKind::Cold, "").await?);
    anyhow::ensure!(cold == ["Ben", "Support", "Taxis"], "release goes to no number with forwarding: {cold:?}");
    let found = listed(TransferKind::Warm, "work").await?;
    let own = found.first().and_then(|it| it.target.clone()?.target?.target);
    let is_it = matches!(&own, Some(target::Target::External(it)) if it.external_number_id == forwarding);
    anyhow::ensure!(found.len() == 1 && is_it, "{found:?}");
    let options = ada.options(&call.interaction_id).await?.options;
    let external = |it: &TransferOption| it.target_sorts().any(|sort| sort == TargetSort::External);
    let round_trip = |it: &TransferOption| it.kind() == TransferKind::RoundTrip;
    anyhow::ensure!(options.iter().all(|it| external(it) != round_trip(it)), "{options:?}");
    // The target is read as it was configured, and the allow decision is on record before the phone rings.
    ada.start(&call.interaction_id, TransferKind::Warm, To::External(&plain)).await?;
    let events = office.tenant.until_event(&call, "interaction.external_dialled").await?;
    let dialled = events.iter().find_map(|event| match event.data.as_ref()?.data.as_ref()? {
        Data::InteractionExternalDialled(it) => Some(it.clone()),
        _ => None,
    });
    let dialled = dialled.unwrap_or_default();
    let external = dialled.external.clone().unwrap_or_default();
    anyhow::ensure!(dialled.allowed_by == "+3247" && external.name == "Taxis", "{dialled:?}");
    ada.cancel(&call.interaction_id).await?;
    Ok(())
}

async fn b404_a_release_transfer_outside_leaves_the_customer_with_ringing_until_somebody_answers(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let (office, ada, call) = talking(tenant).await?;
    let outsider = office.tenant.outsider(PhoneBehaviour::Manual).await?;
    let adas_leg = office.leg(&ada).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, To::Number(&outsider)).await?;
    office.phones.until_ended(&adas_leg).await?;
    office.phones.until_ringing(&outsider).await?;
    office.hears(&call.leg_id, &[RINGING]).await?;
    office.until_free(&ada).await?;
    office.phones.answer(&outsider).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.state() == State::WithExternal && view.primary_agent_id.is_empty(), "{view:?}");
    let reached = view.transfer.clone().unwrap_or_default().recipient_external.unwrap_or_default();
    anyhow::ensure!(reached.number == outsider, "{view:?}");
    let outside = office.phones.until_up(&outsider).await?.leg_id;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&outside, OUTSIDER)]).await?;
    office.phones.hang_up(&outsider).await?;
    office.tenant.until_ended(&call).await?;
    office.phones.until_ended(&call.leg_id).await?;
    let told = ["transfer.offered", "interaction.external_joined", "transfer.completed", "interaction.ended"];
    office.events_tell(&call, &told).await?;
    tells("the customer", &office.phones.heard(&call.leg_id).await?, &[&[ADA], &[RINGING], &[OUTSIDER]])
}

async fn b404_a_release_transfer_outside_that_nobody_answers_goes_where_the_fallback_says(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let (office, ada, call) = talking(tenant).await?;
    let outsider = office.tenant.outsider(PhoneBehaviour::Unreachable).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, To::Number(&outsider)).await?;
    let view = office.until_phase(&call, TransferPhase::Diverted).await?;
    anyhow::ensure!(view.transfer.clone().unwrap_or_default().reason() == Reason::Unreachable, "{view:?}");
    office.tenant.until_ended(&call).await?;
    // S2: a number outside is dialled once, whatever became of it.
    let dialled = |it: &&baton_api::simulator::v1::LedgerEntry| {
        it.action() == LedgerAction::LegDialed && it.address == outsider.trim_start_matches('+')
    };
    let times = office.phones.ledger().await?.iter().filter(dialled).count();
    anyhow::ensure!(times <= 1, "it was dialled {times} times");
    Ok(())
}

/// One cell of the table after the other: which are refused, with the reason and with what is possible.
async fn cells(office: &Office, ada: &AgentDesk, call: &Call, refused_cold: &[&str]) -> anyhow::Result<()> {
    // Nobody answers there, so that one cell comes after the other.
    let outsider = office.tenant.outsider(PhoneBehaviour::Manual).await?;
    let forwarding = office.tenant.external_number("With forwarding", &outsider, true).await?;
    let plain = office.tenant.external_number("Without", &outsider, false).await?;
    let sorts =
        [("forwarding", To::External(&forwarding)), ("plain", To::External(&plain)), ("typed", To::Number(&outsider))];
    for (sort, to) in sorts {
        for kind in [TransferKind::OnAnswer, TransferKind::Warm] {
            ada.start(&call.interaction_id, kind, to).await?;
            office.phones.until_ringing(&outsider).await?;
            ada.cancel(&call.interaction_id).await?;
            office.phones.until_idle(&outsider).await?;
        }
        if refused_cold.contains(&sort) {
            let status = ada.start(&call.interaction_id, TransferKind::Cold, to).await.expect_err("refused");
            let error = baton_api::ApiError::of(&status);
            anyhow::ensure!(error.reason == ErrorReason::OutsideNotOffered, "{sort}: {error:?}");
            anyhow::ensure!(error.message.ends_with("possible is: on_answer, warm"), "{sort}: {}", error.message);
        }
    }
    let options = ada.options(&call.interaction_id).await?.options;
    let cold = options.iter().find(|it| it.kind() == TransferKind::Cold).and_then(|it| it.outside).unwrap_or_default();
    let shown = [("forwarding", cold.forwarding), ("plain", cold.not_forwarding), ("typed", cold.typed)];
    anyhow::ensure!(shown.iter().all(|(sort, can)| *can != refused_cold.contains(sort)), "{cold:?}");
    // What is not refused rings, without the agent.
    if !refused_cold.contains(&"typed") {
        ada.start(&call.interaction_id, TransferKind::Cold, To::External(&plain)).await?;
        office.phones.until_ringing(&outsider).await?;
        office.until_free(ada).await?;
    }
    Ok(())
}

async fn b408_each_cell_of_the_table_in_an_inbound_call(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, call) = talking(tenant).await?;
    cells(&office, &ada, &call, &["forwarding"]).await
}

async fn b408_each_cell_of_the_table_in_a_call_that_the_agent_placed(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, call) = called(tenant).await?;
    cells(&office, &ada, &call, &["forwarding", "plain", "typed"]).await
}

async fn b408_a_success_transfer_outside_releases_the_agent_when_somebody_answers(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let (office, ada, call) = talking(tenant).await?;
    let outsider = office.tenant.outsider(PhoneBehaviour::Manual).await?;
    let id = office.tenant.external_number("Workshop", &outsider, true).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::External(&id)).await?;
    office.phones.until_ringing(&outsider).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 800).await?;
    office.phones.decline(&outsider).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    let reason = view.transfer.clone().unwrap_or_default().reason();
    anyhow::ensure!(reason == Reason::Declined && view.primary_agent_id == ada.id(), "{view:?}");
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::External(&id)).await?;
    office.phones.until_ringing(&outsider).await?;
    office.phones.answer(&outsider).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    let outside = office.phones.until_up(&outsider).await?.leg_id;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&outside, OUTSIDER)]).await?;
    office.until_free(&ada).await?;
    office.customer_hangs_up(&call).await?;
    office.phones.until_ended(&outside).await?;
    Ok(())
}

/// Ada consults somebody outside: their number, and their leg.
async fn consulting(office: &Office, ada: &AgentDesk, call: &Call) -> anyhow::Result<(String, String)> {
    let outsider = office.tenant.outsider(PhoneBehaviour::AnswersAfter(100)).await?;
    ada.start(&call.interaction_id, TransferKind::Warm, To::Number(&outsider)).await?;
    office.until_phase(call, TransferPhase::Consulting).await?;
    let outside = office.phones.until_up(&outsider).await?.leg_id;
    office.hear_each_other(&[(&office.leg(ada).await?, ADA), (&outside, OUTSIDER)]).await?;
    Ok((outsider, outside))
}

async fn b408_a_conversation_transfer_outside_is_completed_by_the_agent(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    office.tenant.allow("+3247").await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    talk_for(500).await;
    let (_, outside) = consulting(&office, &ada, &call).await?;
    office.goes_on_hearing(&call.leg_id, &[MUSIC], 800).await?;
    ada.swap(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    office.hears(&outside, &[MUSIC]).await?;
    ada.swap(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    ada.resume(&call.interaction_id).await?;
    let three = [(&*call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA), (&outside, OUTSIDER)];
    office.hear_each_other(&three).await?;
    ada.complete(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&outside, OUTSIDER)]).await?;
    talk_for(500).await;
    office.customer_hangs_up(&call).await?;
    // What was said without an agent is in no recording, nor is the consult.
    let [only] = office.recordings(&call).await?;
    anyhow::ensure!(only.agent_id == ada.id(), "{only:?}");
    let segments = office.tenant.segments_of(&only).await?;
    let (last, before) = segments.split_last().ok_or_else(|| anyhow::anyhow!("no segments"))?;
    for segment in before {
        holds_exactly("before the three-way", segment, &[CUSTOMER, ADA])?;
    }
    holds_exactly("the three-way", last, &[CUSTOMER, ADA, OUTSIDER])
}

async fn b409_the_agent_goes_on_with_customer_2_and_cannot_go_outside_from_then_on(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    office.tenant.allow("+3247").await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    talk_for(500).await;
    let (outsider, outside) = consulting(&office, &ada, &call).await?;
    office.phones.hang_up_leg(&call.leg_id).await?;
    let view = office.until_phase(&call, TransferPhase::Abandoned).await?;
    let customer = view.customer.clone().unwrap_or_default();
    anyhow::ensure!(customer.address == outsider && view.primary_agent_id == ada.id(), "{view:?}");
    anyhow::ensure!(!view.customer_on_hold && view.state() == State::WithAgent, "{view:?}");
    let adas_leg = office.leg(&ada).await?;
    office.hear_each_other(&[(&outside, OUTSIDER), (&adas_leg, ADA)]).await?;
    talk_for(500).await;
    let another = office.tenant.outsider(PhoneBehaviour::Manual).await?;
    let id = office.tenant.external_number("Workshop", &another, false).await?;
    for kind in [TransferKind::OnAnswer, TransferKind::Warm, TransferKind::Cold] {
        for to in [To::Number(&another), To::External(&id)] {
            let why = refused(ada.start(&call.interaction_id, kind, to).await)?;
            anyhow::ensure!(why == ErrorReason::CustomerIsOutside, "{kind:?}: {why:?}");
        }
    }
    let options = ada.options(&call.interaction_id).await?.options;
    let numbers: Vec<_> = options.iter().filter_map(|it| it.outside.as_ref()).collect();
    let says = |it: &&OutsideOption| it.refusal() == ErrorReason::CustomerIsOutside;
    anyhow::ensure!(numbers.len() == 3 && numbers.iter().all(says), "{options:?}");
    // To an agent they go as any customer does.
    let cleo = office.agent("Cleo").await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Agent(&cleo)).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    let why = refused(cleo.start(&call.interaction_id, TransferKind::Warm, To::Number(&another)).await)?;
    anyhow::ensure!(why == ErrorReason::CustomerIsOutside, "the restriction is kept: {why:?}");
    office.phones.hang_up_leg(&outside).await?;
    office.tenant.until_ended(&call).await?;
    // Each customer's conversation is a recording of its own.
    let [first, second, third] = office.recordings(&call).await?;
    anyhow::ensure!(first.agent_id == ada.id() && second.agent_id == ada.id() && third.agent_id == cleo.id());
    holds_exactly("recording 1", &office.tenant.sound_of(&first).await?, &[CUSTOMER, ADA])?;
    holds_exactly("recording 2", &office.tenant.sound_of(&second).await?, &[OUTSIDER, ADA])?;
    let told = ["interaction.customer_left", "transfer.abandoned", "interaction.customer_changed", "interaction.ended"];
    office.events_tell(&call, &told).await?;
    Ok(())
}

async fn b409_when_customer_2_hangs_up_the_agent_goes_on_with_customer_1_and_can_go_outside(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let (office, ada, call) = talking(tenant).await?;
    let (outsider, _) = consulting(&office, &ada, &call).await?;
    office.phones.hang_up(&outsider).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    let reason = view.transfer.clone().unwrap_or_default().reason();
    anyhow::ensure!(reason == Reason::RecipientLeft && view.primary_agent_id == ada.id(), "{view:?}");
    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    let another = office.tenant.outsider(PhoneBehaviour::AnswersAfter(100)).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Number(&another)).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    let outside = office.phones.until_up(&another).await?.leg_id;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&outside, OUTSIDER)]).await
}

async fn x3_a_fresh_tenant_transfers_to_nobody_outside(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let outsider = office.tenant.outsider(PhoneBehaviour::AnswersAfter(100)).await?;
    let id = office.tenant.external_number("Workshop", &outsider, false).await?;
    for prefix in [None, Some("+1")] {
        if let Some(prefix) = prefix {
            office.tenant.allow(prefix).await?;
        }
        for to in [To::Number(&outsider), To::External(&id)] {
            let why = refused(ada.start(&call.interaction_id, TransferKind::OnAnswer, to).await)?;
            anyhow::ensure!(why == ErrorReason::DialNotAllowed, "{why:?}");
        }
    }
    let ledger = office.phones.ledger().await?;
    let dialled = ledger.iter().filter(|it| it.action() == LedgerAction::LegDialed);
    anyhow::ensure!(dialled.count() == 1, "somebody else than Ada rang: {ledger:?}");
    office.goes_on_hearing(&call.leg_id, &[ADA], 500).await
}
