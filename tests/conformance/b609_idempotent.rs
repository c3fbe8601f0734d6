//! B609: every command is idempotent under a client's request id; a retry gets the first answer.

use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::AgentState;
use baton_api::transfer::v1::{AddNoteRequest, AddNoteResponse, StartTransferRequest, StartTransferResponse};
use baton_testkit::tenant::fresh;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant, To};
use futures::future::join_all;
use tonic::{Response, Status};

use crate::harness::{Office, Scenario, refused, shared};

const CALLERS: usize = 64;

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b609_sixty_four_callers_with_one_request_id_get_one_answer,
        b609_a_refusal_is_repeated_and_another_body_is_refused,
    ]
}

async fn b609_sixty_four_callers_with_one_request_id_get_one_answer(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;

    let note = AddNoteRequest {
        request_id: fresh(),
        interaction_id: call.interaction_id.clone(),
        text: "once".to_owned(),
        ..Default::default()
    };
    let answers = join_all((0..CALLERS).map(|_| async { ada.interactions().add_note(note.clone()).await }));
    let answers: Vec<_> = answers.await.into_iter().collect::<Result<Vec<_>, Status>>()?;
    let written = |it: &Response<AddNoteResponse>| it.get_ref().interaction.as_ref().map(|it| it.notes.clone());
    anyhow::ensure!(answers.iter().all(|it| written(it) == written(&answers[0])), "the outcomes differ");
    let notes = ada.view(&call.interaction_id).await?.notes.len();
    anyhow::ensure!(notes == 1, "{notes} notes were written");

    let request = warm(&call, &ben, fresh());
    let answers = join_all((0..CALLERS).map(|_| start(&ada, &request)));
    let answers: Vec<_> = answers.await.into_iter().collect::<Result<Vec<_>, Status>>()?;
    anyhow::ensure!(answers.iter().all(|it| transfer(it) == transfer(&answers[0])), "the outcomes differ");
    office.phones.until_ringing(ben.phone()).await?;
    anyhow::ensure!(office.phones.legs(ben.phone()).await?.len() == 1, "it rings more than once");

    ada.cancel(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Cancelled).await?;
    let later = start(&ada, &request).await?;
    anyhow::ensure!(transfer(&later) == transfer(&answers[0]), "later, the outcome is another one");
    office.until_events(&call, "transfer.cancelled", 1).await?;
    office.until_events(&call, "transfer.started", 1).await
}

/// The outcome of a start. The call around it goes on between two answers.
fn transfer(answer: &StartTransferResponse) -> Option<&str> {
    Some(answer.interaction.as_ref()?.transfer.as_ref()?.transfer_id.as_str())
}

async fn b609_a_refusal_is_repeated_and_another_body_is_refused(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let request = warm(&call, &ben, fresh());
    let reason = refused(start(&ada, &request).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentOffline, "refused as {reason:?}");

    office.connect(&ben).await?;
    ben.until_state(AgentState::Available).await?;
    let again = refused(start(&ada, &request).await)?;
    anyhow::ensure!(again == ErrorReason::AgentOffline, "the retry got another answer: {again:?}");

    let other = StartTransferRequest { message: "please".to_owned(), ..request };
    let reused = refused(start(&ada, &other).await)?;
    anyhow::ensure!(reused == ErrorReason::RequestIdReused, "another body was refused as {reused:?}");
    anyhow::ensure!(office.phones.legs(ben.phone()).await?.is_empty(), "it rings though all was refused");

    start(&ada, &warm(&call, &ben, fresh())).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    Ok(())
}

fn warm(call: &Call, to: &AgentDesk, request_id: String) -> StartTransferRequest {
    StartTransferRequest {
        request_id,
        interaction_id: call.interaction_id.clone(),
        kind: TransferKind::Warm.into(),
        target: Some(To::Agent(to).into()),
        message: String::new(),
        ..Default::default()
    }
}

async fn start(desk: &AgentDesk, request: &StartTransferRequest) -> Result<StartTransferResponse, Status> {
    desk.transfers().start_transfer(request.clone()).await.map(tonic::Response::into_inner)
}
