//! The play: what the customer, the agents and their clients do, and when. It waits for what must come before it goes on,
//! and tells only what people do; what comes of it is the narrator's to tell.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::{Target, TransferKind, TransferPhase, target};
use baton_api::presence::v1::AgentState;
use baton_api::simulator::v1::phone_selector::Selector;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{HangUpPhoneRequest, PhoneSelector, PlaceCallRequest};
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::policy_service_client::PolicyServiceClient;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_api::transfer::v1::{
    CompleteTransferRequest, DispositionInteractionRequest, ListInteractionsRequest, Policy, ResumeCustomerRequest,
    SetMuteRequest, StartTransferRequest, UpdatePolicyRequest, interaction,
};
use baton_runtime::auth::Role;
use baton_runtime::{ids, lifecycle};

use super::DemoKind;
use super::stage::DemoContext;
use super::telling::Telling;
use super::{DemoProfile, DemoScenario};
use crate::client::agent_connection::AgentConnection;
use crate::client::refusal::{self, OrRefusal as _};
use crate::up::seed;

/// The customer's number.
pub(super) const CUSTOMER: &str = "+32470123456";
/// Who has the customer first.
pub(super) const INITIATOR: &str = "Ada";
/// Who gets them.
pub(super) const RECIPIENT: &str = "Ben";
/// What the initiator writes to the recipient.
const MESSAGE: &str = "Wants to know about the invoice of May.";
/// What the transfer is for, and how both agents say that it ended, where the policy asks for it.
const OUTCOME: &str = "Other department";
const DISPOSITION: &str = "Resolved";
/// How long people talk before anything else happens.
const TALK: Duration = Duration::from_secs(2);

/// What was played.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) interaction_id: String,
    pub(super) customer_leg: String,
}

/// Sets the policy, and lets the agents come to work.
pub(super) async fn prepare(stage: &DemoContext, play: DemoScenario) -> anyhow::Result<()> {
    let policy = Policy { profile: play.profile.name().to_owned(), ..Policy::default() };
    let request = UpdatePolicyRequest { request_id: request_id(), policy: Some(policy), update_mask: None };
    PolicyServiceClient::new(stage.role(Role::Admin)?).update_policy(request).await.or_refusal()?;
    for name in [INITIATOR, RECIPIENT] {
        come_to_work(stage, name).await?;
    }
    Ok(())
}

async fn come_to_work(stage: &DemoContext, name: &'static str) -> anyhow::Result<()> {
    let desk = AgentConnection::open(stage.agent(name)?, stage.clock.clone(), AgentState::Available).await;
    let mut desk = desk.map_err(|status| refusal::of(&status))?;
    // The first update comes when the session is open.
    desk.next().await.map_err(|status| refusal::of(&status))?;
    let stopping = stage.stopping.clone();
    lifecycle::spawn(async move {
        let listen = async {
            while let Ok(Some(update)) = desk.next().await {
                tracing::debug!(agent.name = name, ?update, "news");
            }
        };
        stopping.run_until_cancelled(listen).await;
    });
    Ok(())
}

/// Plays it from the first ring to the last goodbye.
pub(super) async fn play(stage: &DemoContext, play: DemoScenario, telling: &Telling) -> anyhow::Result<Played> {
    telling.act(&format!("By the rules of {}: {}.", play.profile.name(), play.opening()));
    telling.act(&format!("The customer, {CUSTOMER}, dials {}.", seed::NUMBER));
    let customer_leg = dial(stage).await?;
    let interaction_id = answered(stage).await?;
    telling.now("the customer and the first agent talk");
    stage.pause(TALK).await?;

    start_transfer(stage, play, telling, &interaction_id).await?;
    match play.kind {
        DemoKind::Warm => consult(stage, play, telling, &interaction_id).await?,
        DemoKind::Cold | DemoKind::OnAnswer => telling.now("the recipient's phone rings"),
    }
    completed(stage, &interaction_id).await?;
    telling.now("the customer and the second agent talk");
    stage.pause(TALK).await?;

    telling.act("The customer hangs up.");
    hang_up(stage, CUSTOMER).await?;
    let ended = |it: &interaction::State| *it == interaction::State::Ended;
    stage.until_call(&interaction_id, "the call is over", |it| ended(&it.state())).await?;
    if play.profile == DemoProfile::UserTransfer {
        disposition(stage, telling, &interaction_id).await?;
    }
    Ok(Played { interaction_id, customer_leg })
}

async fn dial(stage: &DemoContext) -> anyhow::Result<String> {
    let request = PlaceCallRequest {
        request_id: request_id(),
        from: CUSTOMER.to_owned(),
        to: seed::NUMBER.to_owned(),
        tone_hz: 0,
    };
    let mut simulator = SimulatorServiceClient::new(stage.role(Role::Simulator)?);
    Ok(simulator.place_call(request).await.or_refusal()?.leg_id)
}

/// Waits until the first agent has the customer.
async fn answered(stage: &DemoContext) -> anyhow::Result<String> {
    let supervisor = InteractionServiceClient::new(stage.role(Role::Supervisor)?);
    let request = ListInteractionsRequest { live_only: true, ..ListInteractionsRequest::default() };
    let look = async || {
        let calls = supervisor.clone().list_interactions(request.clone()).await.or_refusal()?.interactions;
        Ok(calls.into_iter().find(|it| it.state() == interaction::State::WithAgent))
    };
    Ok(stage.until("an agent answers", look).await?.interaction_id)
}

async fn start_transfer(
    stage: &DemoContext,
    play: DemoScenario,
    telling: &Telling,
    interaction_id: &str,
) -> anyhow::Result<()> {
    let kind = TransferKind::from(play.kind);
    let how = match play.kind {
        DemoKind::Warm => "wants to hand over to",
        DemoKind::OnAnswer => "hands over, as soon as they answer, to",
        DemoKind::Cold => "hands over blindly to",
    };
    let outcome = if play.profile == DemoProfile::UserTransfer { OUTCOME } else { "" };
    let what_for = if outcome.is_empty() { String::new() } else { format!(", for \"{outcome}\"") };
    telling.act(&format!("{INITIATOR} {how} {RECIPIENT}{what_for}, and writes: \"{MESSAGE}\""));
    let request = StartTransferRequest {
        request_id: request_id(),
        interaction_id: interaction_id.to_owned(),
        kind: kind.into(),
        target: Some(Target { target: Some(target::Target::AgentId(seed::agent_id(RECIPIENT))) }),
        message: MESSAGE.to_owned(),
        outcome: outcome.to_owned(),
        ..Default::default()
    };
    TransferServiceClient::new(stage.agent(INITIATOR)?).start_transfer(request).await.or_refusal()?;
    Ok(())
}

async fn consult(
    stage: &DemoContext,
    play: DemoScenario,
    telling: &Telling,
    interaction_id: &str,
) -> anyhow::Result<()> {
    telling.now("the recipient's phone rings");
    let accepts = play.profile == DemoProfile::Engagement;
    let answered = if accepts { TransferPhase::Accepted } else { TransferPhase::Consulting };
    phase(stage, interaction_id, answered).await?;
    telling.now(if accepts {
        "the recipient waits, and the initiator says goodbye"
    } else {
        "the agents talk in private"
    });
    stage.pause(TALK).await?;

    match play.profile {
        DemoProfile::LeadCenter | DemoProfile::Aicc => {
            join(stage, telling, interaction_id, INITIATOR).await?;
            leave(stage, telling).await
        }
        DemoProfile::Helpdesk => {
            join(stage, telling, interaction_id, RECIPIENT).await?;
            mute(stage, telling, interaction_id).await?;
            leave(stage, telling).await
        }
        DemoProfile::Engagement => complete(stage, telling, interaction_id).await,
        DemoProfile::UserTransfer => {
            complete(stage, telling, interaction_id).await?;
            resume(stage, telling, interaction_id, RECIPIENT).await
        }
    }
}

/// Whoever takes the customer off hold joins all three.
async fn join(stage: &DemoContext, telling: &Telling, interaction_id: &str, joins: &'static str) -> anyhow::Result<()> {
    resume(stage, telling, interaction_id, joins).await?;
    phase(stage, interaction_id, TransferPhase::Joined).await?;
    telling.now("all three talk");
    stage.pause(TALK).await
}

async fn leave(stage: &DemoContext, telling: &Telling) -> anyhow::Result<()> {
    telling.act(&format!("{INITIATOR} says goodbye and hangs up."));
    hang_up(stage, &seed::phone(INITIATOR)).await
}

/// Once the initiator is muted, the recipient has the customer (B203).
async fn mute(stage: &DemoContext, telling: &Telling, interaction_id: &str) -> anyhow::Result<()> {
    telling.act(&format!("{INITIATOR} mutes herself, and only listens."));
    let (request_id, interaction_id) = (request_id(), interaction_id.to_owned());
    let request = SetMuteRequest { request_id, interaction_id, muted: true, ..Default::default() };
    InteractionServiceClient::new(stage.agent(INITIATOR)?).set_mute(request).await.or_refusal()?;
    stage.pause(TALK).await
}

/// The initiator hands over (B305, B508).
async fn complete(stage: &DemoContext, telling: &Telling, interaction_id: &str) -> anyhow::Result<()> {
    telling.act(&format!("{INITIATOR} completes the transfer."));
    let call = stage.until_call(interaction_id, "there is a transfer", |it| it.transfer.is_some()).await?;
    let request = CompleteTransferRequest {
        request_id: request_id(),
        interaction_id: interaction_id.to_owned(),
        transfer_id: call.transfer.unwrap_or_default().transfer_id,
        ..Default::default()
    };
    TransferServiceClient::new(stage.agent(INITIATOR)?).complete_transfer(request).await.or_refusal()?;
    phase(stage, interaction_id, TransferPhase::Completed).await
}

async fn resume(stage: &DemoContext, telling: &Telling, interaction_id: &str, who: &'static str) -> anyhow::Result<()> {
    telling.act(&format!("{who} takes the customer off hold."));
    let request = ResumeCustomerRequest {
        request_id: request_id(),
        interaction_id: interaction_id.to_owned(),
        ..Default::default()
    };
    InteractionServiceClient::new(stage.agent(who)?).resume_customer(request).await.or_refusal()?;
    Ok(())
}

/// Both wrap up until they have said how their turn ended (B507).
async fn disposition(stage: &DemoContext, telling: &Telling, interaction_id: &str) -> anyhow::Result<()> {
    for who in [INITIATOR, RECIPIENT] {
        telling.act(&format!("{who} chooses how it ended: \"{DISPOSITION}\"."));
        let request = DispositionInteractionRequest {
            request_id: request_id(),
            interaction_id: interaction_id.to_owned(),
            disposition: DISPOSITION.to_owned(),
            ..Default::default()
        };
        InteractionServiceClient::new(stage.agent(who)?).disposition_interaction(request).await.or_refusal()?;
    }
    Ok(())
}

async fn phase(stage: &DemoContext, interaction_id: &str, phase: TransferPhase) -> anyhow::Result<()> {
    let is_so = |it: &baton_api::transfer::v1::Interaction| it.transfer.as_ref().is_some_and(|it| it.phase() == phase);
    stage.until_call(interaction_id, phase.as_str_name(), is_so).await.map(|_| ())
}

async fn completed(stage: &DemoContext, interaction_id: &str) -> anyhow::Result<()> {
    phase(stage, interaction_id, TransferPhase::Completed).await
}

async fn hang_up(stage: &DemoContext, address: &str) -> anyhow::Result<()> {
    let phone = Some(PhoneSelector { selector: Some(Selector::Address(address.to_owned())) });
    let mut simulator = SimulatorServiceClient::new(stage.role(Role::Simulator)?);
    let hung_up = simulator.hang_up_phone(HangUpPhoneRequest { request_id: request_id(), phone }).await.or_refusal()?;
    hung_up.leg_ids.first().map(|_| ()).context("nobody hung up")
}

fn request_id() -> String {
    ids::new_uuid().to_string()
}
