//! B612: a supervisor asks why a call went as it did, and is told step by step: what happened, what came in, and the rule that decided.

use baton_api::common::v1::TransferPhase;
use baton_api::error::ErrorReason;
use baton_api::transfer::v1::{
    ExplainInteractionRequest, ExplainInteractionResponse, ExplainedStep, GetInteractionRequest,
};
use baton_runtime::auth::Role;
use baton_testkit::{Call, PhoneBehaviour, TestTenant};

use super::b102_cold_unanswered::until_in_voicemail;
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b612_a_call_is_explained_from_its_beginning_to_voicemail, b612_an_analyst_is_shown_causes_and_no_names]
}

/// What came in, and the rule, where there is one; of each step that is not about the recording.
type Line<'a> = (&'a str, &'a str);

async fn b612_a_call_is_explained_from_its_beginning_to_voicemail(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let cleo = office.agent("Cleo").await?;
    let dora = office.agent_with("Dora", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;

    ada.start_warm(&call.interaction_id, &ben).await?;
    let failed = office.until_phase(&call, TransferPhase::Failed).await?;
    ada.start_warm(&call.interaction_id, &cleo).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    ada.complete(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    cleo.start_cold(&call.interaction_id, &dora).await?;
    until_in_voicemail(&office, &call).await?;
    office.customer_hangs_up(&call).await?;

    let all = explained(&office, &call, "").await?;
    anyhow::ensure!(all.complete, "all of it is kept");
    let numbers: Vec<_> = all.steps.iter().map(|step| step.sequence).collect();
    anyhow::ensure!(numbers == (1..=numbers.len() as i64).collect::<Vec<_>>(), "not in order: {numbers:?}");
    let told: Vec<_> = all.steps.iter().map(|step| (steady(&step.what), steady(&step.why))).collect();
    let told: Vec<Line<'_>> = told.iter().map(|(what, why)| (what.as_str(), why.as_str())).collect();
    let expected = [&BEGINNING[..], &NO_ANSWER, &COMPLETED, &VOICEMAIL].concat();
    let differs = told.iter().zip(&expected).position(|(told, expected)| told != expected);
    anyhow::ensure!(told == expected, "at {differs:?}: {told:#?}");

    let transfer_id = failed.transfer.map(|it| it.transfer_id).unwrap_or_default();
    let one = explained(&office, &call, &transfer_id).await?;
    let told: Vec<_> = one.steps.iter().map(|step| step.what.as_str()).collect();
    let expected: Vec<_> = NO_ANSWER.iter().map(|(what, _)| *what).collect();
    anyhow::ensure!(told == expected && one.complete, "{told:#?}");
    anyhow::ensure!(one.steps.iter().all(|step| step.transfer_id == transfer_id), "{:#?}", one.steps);
    pages(&office, &call, &all.steps).await?;
    strangers(&office, &call).await
}

const BEGINNING: [Line<'static>; 5] = [
    ("A customer, …, calls ….", "the customer called"),
    ("The call flow takes step 1: ring agent.", "the customer called"),
    ("Ada is reserved (claim granted), and the phone rings.", "presence granted the claim on Ada"),
    ("Ada answers and is in the call.", "Ada answered"),
    ("Ada has the customer now.", "Ada answered"),
];
const NO_ANSWER: [Line<'static>; 6] = [
    ("Ada starts a warm transfer to Ben.", "asked for by Ada (start warm)"),
    ("Ben is reserved (claim granted), and the phone rings.", "presence granted the claim on Ben"),
    ("The transfer is offered to Ben.", "presence granted the claim on Ben"),
    ("The customer is put on hold.", "presence granted the claim on Ben; methods.warm.customer = \"hold\""),
    ("Ben did not take the call: no answer.", "Ben: the phone rang out; methods.warm.offer.ring_ms = 2000"),
    (
        "The transfer did not go through: no answer.",
        "Ben: the phone rang out; methods.warm.offer.ring_ms = 2000; methods.warm.on_unanswered = \"fail\"",
    ),
];
const COMPLETED: [Line<'static>; 9] = [
    ("Ada starts a warm transfer to Cleo.", "asked for by Ada (start warm)"),
    ("Cleo is reserved (claim granted), and the phone rings.", "presence granted the claim on Cleo"),
    ("The transfer is offered to Cleo.", "presence granted the claim on Cleo"),
    ("Cleo answers and is in the call.", "Cleo answered"),
    ("The two agents talk in private.", "Cleo answered"),
    ("The customer goes from Ada to Cleo.", "asked for by Ada (complete)"),
    ("Ada is no longer in the call (requested); claim released.", "asked for by Ada (complete)"),
    (
        "The customer is taken off hold.",
        "asked for by Ada (complete); methods.warm.consult.hold_after_complete = \"release\"",
    ),
    ("The transfer is complete: Cleo has the customer, Ada is released (… s in all).", "the switch has Cleo in place"),
];
const RANG_OUT: &str = "Dora: the phone rang out; methods.cold.offer.ring_ms = 2000";
const VOICEMAIL: [Line<'static>; 8] = [
    ("Cleo starts a cold transfer to Dora.", "asked for by Cleo (start cold)"),
    ("Dora is reserved (claim granted), and the phone rings.", "presence granted the claim on Dora"),
    ("The transfer is offered to Dora.", "presence granted the claim on Dora"),
    (
        "Cleo is no longer in the call (requested); claim released.",
        "presence granted the claim on Dora; methods.cold.released = \"reserved\"",
    ),
    ("Dora did not take the call: no answer.", RANG_OUT),
    (
        "The transfer went elsewhere: voicemail, because: no answer.",
        "Dora: the phone rang out; methods.cold.offer.ring_ms = 2000; methods.cold.offer.fallback = [\"voicemail\", \"next_step\", \"disconnect\"]",
    ),
    ("The customer hangs up.", "the customer hung up"),
    ("The call is over (voicemail) after … s.", "the customer hung up"),
];

/// What is another in each run stands between these.
const VARYING: [(&str, &str); 4] =
    [("A customer, ", ", calls"), (" calls ", "."), ("(voicemail) after ", " s."), ("is released (", " s in all")];
/// Which of them comes first is another in each run, too: whose leg is seen, and what the switch says of the end.
const EITHER: [[&str; 2]; 2] = [
    ["the switch has Cleo in place", "the switch has the customer in place"],
    ["the customer hung up", "the customer is no longer in voicemail, or in the flow"],
];

/// The text with dots in the place of what is another in each run.
fn steady(text: &str) -> String {
    if let Some([first, _]) = EITHER.iter().find(|either| either.contains(&text)) {
        return (*first).to_owned();
    }
    VARYING.iter().fold(text.to_owned(), |text, (before, after)| {
        let Some((begins, rest)) = text.split_once(before) else { return text };
        let Some((_, ends)) = rest.split_once(after) else { return text };
        format!("{begins}{before}…{after}{ends}")
    })
}

async fn explained(office: &Office, call: &Call, transfer_id: &str) -> anyhow::Result<ExplainInteractionResponse> {
    let request = ExplainInteractionRequest {
        interaction_id: call.interaction_id.clone(),
        transfer_id: transfer_id.to_owned(),
        page_size: 500,
        ..Default::default()
    };
    Ok(office.tenant.interactions()?.explain_interaction(request).await?.into_inner())
}

/// Page after page it is the same.
async fn pages(office: &Office, call: &Call, all: &[ExplainedStep]) -> anyhow::Result<()> {
    let mut request =
        ExplainInteractionRequest { interaction_id: call.interaction_id.clone(), page_size: 3, ..Default::default() };
    let mut steps = Vec::new();
    loop {
        let page = office.tenant.interactions()?.explain_interaction(request.clone()).await?.into_inner();
        anyhow::ensure!(page.steps.len() <= 3 && page.complete, "{page:#?}");
        steps.extend(page.steps);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    anyhow::ensure!(steps == all, "page after page it is another explanation: {steps:#?}");
    let wrong = ExplainInteractionRequest { page_token: "yesterday".to_owned(), ..request };
    let refusal = office.tenant.interactions()?.explain_interaction(wrong).await.expect_err("no page token");
    anyhow::ensure!(refusal.code() == tonic::Code::InvalidArgument, "{refusal}");
    Ok(())
}

/// Who may not read the call is not told anything of it.
async fn strangers(office: &Office, call: &Call) -> anyhow::Result<()> {
    let eve = office.tenant.agent("Eve").await?;
    let asked = ExplainInteractionRequest { interaction_id: call.interaction_id.clone(), ..Default::default() };
    let reason = refused(eve.interactions().explain_interaction(asked).await)?;
    let read = GetInteractionRequest { interaction_id: call.interaction_id.clone() };
    let same = refused(eve.interactions().get_interaction(read).await)?;
    anyhow::ensure!(reason == same && reason == ErrorReason::NotFound, "{reason:?}, and {same:?} for reading it");
    Ok(())
}

async fn b612_an_analyst_is_shown_causes_and_no_names(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    office.customer_hangs_up(&call).await?;
    let asked = ExplainInteractionRequest { interaction_id: call.interaction_id.clone(), ..Default::default() };
    let mut analyst = office.tenant.interactions_as("analyst", Role::Analyst)?;
    let steps = analyst.explain_interaction(asked).await?.into_inner().steps;
    anyhow::ensure!(
        !steps.is_empty() && steps.iter().all(|step| step.what.is_empty() && step.why.is_empty()),
        "{steps:#?}"
    );
    anyhow::ensure!(steps.iter().all(|step| step.cause.is_some() && !step.r#type.is_empty()), "{steps:#?}");
    Ok(())
}
