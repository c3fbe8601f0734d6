//! B204: call notes move from initiator to recipient with the call.

use baton_api::common::v1::TransferPhase;
use baton_api::transfer::v1::Interaction;
use baton_testkit::TestTenant;

use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b204_notes_move_with_the_call]
}

async fn b204_notes_move_with_the_call(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    ada.note(id, "wants a refund").await?;
    ada.note(id, "order 4711").await?;

    ada.start_warm(id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let by_ada = [(ada.id(), "wants a refund"), (ada.id(), "order 4711")];
    expect(&ben.view(id).await?, &by_ada)?;

    ada.complete(id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    ben.note(id, "refunded").await?;
    expect(&ben.view(id).await?, &[by_ada[0], by_ada[1], (ben.id(), "refunded")])?;
    office.until_events(&call, "interaction.note_added", 3).await
}

fn expect(view: &Interaction, notes: &[(&str, &str)]) -> anyhow::Result<()> {
    let seen: Vec<_> = view
        .notes
        .iter()
        .map(|note| (note.author.as_ref().map_or("", |it| it.id.as_str()), note.text.as_str()))
        .collect();
    anyhow::ensure!(seen == notes, "the notes are {seen:?}");
    Ok(())
}
