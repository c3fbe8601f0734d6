//! Chats, by the same rules as calls. B306: the recipient sees the whole earlier chat history, and the transfer message among the notes. B309: the
//! customer is not put on hold. B303 to B305, B307 and B308 where their steps are others than in a call. Beside that: one call and three chats at
//! once (A1), and what a visitor may touch.

use baton_api::common::v1::{Action, Medium, Reason, TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::engagement::State as Engaged;
use baton_api::presence::v1::{AgentState, Engagement};
use baton_api::transfer::v1::chat::State;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_api::transfer::v1::{
    Chat, ChatMessage, EndInteractionRequest, ForgetCustomerRequest, GetInteractionRequest, GetTransferRequest,
    ListInteractionsRequest, OpenChatRequest, SendMessageRequest, Visibility,
    interaction_service_client::InteractionServiceClient,
};
use baton_runtime::auth::Role;
use baton_testkit::chat::{ENTRY, Visitor};
use baton_testkit::tenant::{fresh, ring, ring_team};
use baton_testkit::{AgentDesk, BOUND, TestTenant, To, eventually};
use tonic::Code;

use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b306_the_recipient_of_a_chat_sees_all_that_was_written_and_the_message_among_the_notes,
        b309_a_visitor_goes_on_writing_to_the_initiator_all_the_while,
        b305_the_recipient_of_a_chat_accepts_in_the_application_and_waits,
        b307_a_chat_is_declined_or_not_accepted_and_the_initiator_is_told_which,
        b601_one_call_and_three_chats_at_once_and_the_fourth_is_busy,
        b606_a_chat_goes_to_whoever_of_a_team_has_room,
        s16_a_visitor_touches_nothing_but_their_own_chat,
        s11_a_customer_who_is_forgotten_leaves_no_word_in_a_chat,
    ]
}

const MESSAGE: &str = "asks about the old contract";

/// Eva writes to Ada, who has accepted.
async fn chatting(office: &mut Office) -> anyhow::Result<(AgentDesk, Visitor)> {
    let ada = office.agent("Ada").await?;
    office.tenant.chat_entry(vec![ring(&ada)]).await?;
    let visitor = office.tenant.visit().await?;
    visitor.says("hello?").await?;
    ada.until_may(&visitor.interaction_id, Action::Accept).await?;
    ada.accept(&visitor.interaction_id).await?;
    Ok((ada, visitor))
}

/// Waits until the chat is so for the visitor.
async fn until(visitor: &Visitor, what: &str, there: impl Fn(&Chat) -> bool) -> anyhow::Result<Chat> {
    eventually(what, BOUND, async || {
        let chat = visitor.chat().await.map_err(|status| status.to_string())?;
        if there(&chat) { Ok(chat) } else { Err(format!("{chat:?}")) }
    })
    .await
}

fn texts(messages: &[ChatMessage]) -> Vec<&str> {
    messages.iter().map(|it| it.text.as_str()).collect()
}

async fn b306_the_recipient_of_a_chat_sees_all_that_was_written_and_the_message_among_the_notes(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, visitor) = chatting(&mut office).await?;
    let (id, ben) = (visitor.interaction_id.as_str(), office.agent("Ben").await?);
    ada.says(id, "good morning", Visibility::Everyone).await?;
    ada.says(id, "a difficult one", Visibility::Agents).await?;
    visitor.says("it is about my contract").await?;

    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    ben.until_may(id, Action::Accept).await?;
    let inbox = ben.inbox().await?;
    anyhow::ensure!(inbox[0].message == MESSAGE && inbox[0].medium() == Medium::Chat, "{inbox:?}");
    let status = ben.messages(id).await.expect_err("it is only offered to them");
    anyhow::ensure!(status.code() == Code::NotFound, "{status:?}");

    let view = ben.accept(id).await?;
    let notes: Vec<_> = view.notes.iter().map(|it| it.text.as_str()).collect();
    anyhow::ensure!(notes == [MESSAGE], "{notes:?}");
    let all = ben.messages(id).await?;
    let expected = ["hello?", "good morning", "a difficult one", "it is about my contract"];
    anyhow::ensure!(texts(&all) == expected, "{all:?}");
    let numbers: Vec<_> = all.iter().map(|it| it.sequence).collect();
    anyhow::ensure!(numbers == [1, 2, 3, 4] && all[1].author_name == "Ada", "{all:?}");
    ada.complete(id).await?;
    ben.says(id, "I have read everything", Visibility::Everyone).await?;
    let seen = visitor.messages().await?;
    let expected = ["hello?", "good morning", "it is about my contract", "I have read everything"];
    anyhow::ensure!(texts(&seen) == expected, "{seen:?}");
    let hidden = seen.iter().all(|it| it.author.as_ref().is_some_and(|author| author.id.is_empty()));
    anyhow::ensure!(hidden && seen.iter().map(|it| it.sequence).eq(1..=4), "nothing is missing to them: {seen:?}");
    office
        .events_tell(
            &visitor.call(),
            &[
                "chat.message_sent",
                "interaction.agent_joined",
                "transfer.started",
                "interaction.note_added",
                "transfer.accepted",
                "transfer.completed",
            ],
        )
        .await?;
    Ok(())
}

async fn b309_a_visitor_goes_on_writing_to_the_initiator_all_the_while(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, visitor) = chatting(&mut office).await?;
    let (id, ben) = (visitor.interaction_id.as_str(), office.agent("Ben").await?);
    let reason = refused(ada.hold(id).await)?;
    anyhow::ensure!(reason == ErrorReason::NotOfMedium, "{reason:?}");
    let outside = ada.start(id, TransferKind::Warm, To::Number("+32470000001")).await;
    anyhow::ensure!(refused(outside)? == ErrorReason::NotOfMedium, "a chat is not handed to a number outside");
    let mut watch = visitor.watch(1).await?;
    let first = watch.message().await?.unwrap_or_default();
    anyhow::ensure!(first.chat.unwrap_or_default().agent_name == "Ada", "at once as it is");
    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    visitor.says("while it is offered").await?;
    ben.until_may(id, Action::Accept).await?;
    ben.accept(id).await?;
    visitor.says("while the recipient waits").await?;
    ada.says(id, "one moment", Visibility::Everyone).await?;
    let reason = refused(ben.says(id, "not yet", Visibility::Everyone).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentsOnly, "{reason:?}");
    ben.says(id, "I am ready", Visibility::Agents).await?;
    let view = ada.view(id).await?;
    anyhow::ensure!(!view.customer_on_hold && view.primary_agent_id == ada.id(), "{view:?}");
    ada.complete(id).await?;
    until(&visitor, "Ben has the visitor", |chat| chat.agent_name == "Ben").await?;
    visitor.leaves().await?;
    let (mut streamed, mut last) = (Vec::new(), None);
    while let Some(message) = watch.message().await? {
        streamed.extend(message.messages);
        last = message.chat;
    }
    anyhow::ensure!(
        texts(&streamed) == ["while it is offered", "while the recipient waits", "one moment"],
        "{streamed:?}"
    );
    anyhow::ensure!(last.unwrap_or_default().state() == State::Ended, "the stream ends with the chat");
    let types = office.tenant.event_types(&visitor.call()).await?;
    anyhow::ensure!(!types.iter().any(|it| it == "interaction.customer_held"), "B309: {types:?}");
    Ok(())
}

async fn b305_the_recipient_of_a_chat_accepts_in_the_application_and_waits(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, visitor) = chatting(&mut office).await?;
    let (id, ben) = (visitor.interaction_id.as_str(), office.agent("Ben").await?);
    let reason = refused(ada.start_with(id, TransferKind::Warm, &ben, "").await)?;
    anyhow::ensure!(reason == ErrorReason::MessageMissing, "B303: {reason:?}");
    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    ben.until_may(id, Action::Accept).await?;
    ben.accept(id).await?;
    let view = office.until_phase(&visitor.call(), TransferPhase::Accepted).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id(), "B304: {view:?}");
    anyhow::ensure!(visitor.chat().await?.agent_name == "Ada", "the customer has not moved");
    let reason = refused(ben.complete(id).await)?;
    anyhow::ensure!(reason == ErrorReason::NotAllowedNow, "{reason:?}");
    ada.complete(id).await?;
    office.until_phase(&visitor.call(), TransferPhase::Completed).await?;
    let chat = visitor.chat().await?;
    anyhow::ensure!(chat.agent_name == "Ben" && chat.state() == State::WithAgent, "{chat:?}");
    office.until_free(&ada).await
}

async fn b307_a_chat_is_declined_or_not_accepted_and_the_initiator_is_told_which(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "engagement").await?;
    let (ada, visitor) = chatting(&mut office).await?;
    let (id, call) = (visitor.interaction_id.as_str(), visitor.call());
    let (ben, cleo) = (office.agent("Ben").await?, office.agent("Cleo").await?);
    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    ben.until_may(id, Action::Decline).await?;
    ben.decline(id).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    anyhow::ensure!(view.transfer.unwrap_or_default().reason() == Reason::Declined, "declined");
    let kept = ada.options(id).await?.kept_message;
    anyhow::ensure!(kept == MESSAGE && view.notes.is_empty(), "B308: {kept:?}");
    ada.start_with(id, TransferKind::Warm, &cleo, &kept).await?;
    let no_answer = |it: &baton_api::transfer::v1::Interaction| {
        it.transfer.as_ref().is_some_and(|it| it.reason() == Reason::NoAnswer && it.phase() == TransferPhase::Failed)
    };
    office.tenant.until(&call, "nobody accepted in time", no_answer).await?;
    cleo.until_state(AgentState::NotResponding).await?;
    ada.says(id, "still here", Visibility::Everyone).await?;
    Ok(())
}

async fn b601_one_call_and_three_chats_at_once_and_the_fourth_is_busy(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, ben) = (office.agent("Ada").await?, office.agent("Ben").await?);
    office.talking(&ada).await?;
    office.tenant.chat_entry(vec![ring(&ada)]).await?;
    let mut visitors = Vec::new();
    for _ in 0..3 {
        let visitor = office.tenant.visit().await?;
        ada.until_may(&visitor.interaction_id, Action::Accept).await?;
        ada.accept(&visitor.interaction_id).await?;
        visitors.push(visitor);
    }
    eventually("Ada is in one call and three chats", BOUND, async || {
        let presence = ada.state().await.map_err(|error| format!("{error:#}"))?;
        let is_chat = |it: &&Engagement| it.medium() == Medium::Chat && it.state() == Engaged::Engaged;
        let chats = presence.engagements.iter().filter(is_chat).count();
        if chats == 3 && presence.engagements.len() == 4 { Ok(()) } else { Err(format!("{presence:?}")) }
    })
    .await?;
    anyhow::ensure!(ada.inbox().await?.len() == 4, "each is in the inbox");
    let fourth = office.tenant.visit().await?;
    until(&fourth, "nobody has room", |chat| chat.state() == State::Ended).await?;

    // Ben hands a chat of his to Ada, who is full, and then is not.
    office.tenant.chat_entry(vec![ring(&ben)]).await?;
    let other = office.tenant.visit().await?;
    let id = other.interaction_id.as_str();
    ben.until_may(id, Action::Accept).await?;
    ben.accept(id).await?;
    let reason = refused(ben.start_with(id, TransferKind::Warm, &ada, MESSAGE).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentBusy, "{reason:?}");
    visitors[1].leaves().await?;
    eventually("Ada has room for a chat", BOUND, async || {
        let presence = ada.state().await.map_err(|error| format!("{error:#}"))?;
        if presence.engagements.len() == 3 { Ok(()) } else { Err(format!("{presence:?}")) }
    })
    .await?;
    ben.start_with(id, TransferKind::Warm, &ada, MESSAGE).await?;
    ada.until_may(id, Action::Accept).await?;
    ada.accept(id).await?;
    anyhow::ensure!(ada.inbox().await?.len() == 4, "one call and three chats again");
    Ok(())
}

async fn b606_a_chat_goes_to_whoever_of_a_team_has_room(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let team = office.tenant.team("Support", &[&ada]).await?;
    office.tenant.chat_entry(vec![ring_team(&team, 0, 0)]).await?;
    // In a call, and has room for a chat.
    office.talking(&ada).await?;
    let visitor = office.tenant.visit().await?;
    let waiting = visitor.chat().await?;
    anyhow::ensure!(waiting.state() == State::Waiting && waiting.agent_name.is_empty(), "{waiting:?}");
    ada.until_may(&visitor.interaction_id, Action::Accept).await?;
    ada.accept(&visitor.interaction_id).await?;
    until(&visitor, "Ada has the visitor", |chat| chat.agent_name == "Ada").await?;
    Ok(())
}

async fn s16_a_visitor_touches_nothing_but_their_own_chat(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, visitor) = chatting(&mut office).await?;
    let other = office.tenant.visit().await?;
    let id = visitor.interaction_id.as_str();
    ada.says(id, "among us", Visibility::Agents).await?;

    let mut interactions = InteractionServiceClient::new(visitor.channel());
    let (of, request_id) = (|| id.to_owned(), fresh);
    let read = interactions.get_interaction(GetInteractionRequest { interaction_id: of() }).await.map(drop);
    let listed = interactions.list_interactions(ListInteractionsRequest::default()).await.map(drop);
    let end = EndInteractionRequest { request_id: request_id(), interaction_id: of(), ..Default::default() };
    let ended = interactions.end_interaction(end).await.map(drop);
    let send = SendMessageRequest {
        request_id: request_id(),
        interaction_id: of(),
        text: "x".to_owned(),
        ..Default::default()
    };
    let written = interactions.send_message(send).await.map(drop);
    let mut transfers = TransferServiceClient::new(visitor.channel());
    let transfer = GetTransferRequest { transfer_id: format!("{id}-transfer-1") };
    let transfer = transfers.get_transfer(transfer).await.map(drop);
    let open = OpenChatRequest { request_id: fresh(), entry: ENTRY.to_owned(), ..Default::default() };
    let opened = visitor.chats().open_chat(open).await.map(drop);
    for answer in [read, listed, ended, written, transfer, opened] {
        anyhow::ensure!(answer.as_ref().is_err_and(|it| it.code() == Code::PermissionDenied), "{answer:?}");
    }
    // Each sees their own chat, and what is theirs of it.
    anyhow::ensure!(other.messages().await?.is_empty() && texts(&visitor.messages().await?) == ["hello?"], "isolated");
    // Whoever agents are cannot be a visitor, and a visitor of another chat is none of this one.
    let as_agent = baton_api::transfer::v1::chat_service_client::ChatServiceClient::new(
        office.tenant.channel(ada.id(), Role::Agent)?,
    );
    let status = as_agent.clone().get_chat(baton_api::transfer::v1::GetChatRequest {}).await.expect_err("no visitor");
    anyhow::ensure!(status.code() == Code::PermissionDenied, "{status:?}");
    let stranger = office.tenant.channel(&fresh(), Role::Visitor)?;
    let mut stranger = baton_api::transfer::v1::chat_service_client::ChatServiceClient::new(stranger);
    let status = stranger.get_chat(baton_api::transfer::v1::GetChatRequest {}).await.expect_err("no such chat");
    anyhow::ensure!(status.code() == Code::NotFound, "{status:?}");

    // Nobody types so fast.
    let mut refusal = None;
    for number in 0..25 {
        if let Err(status) = visitor.says(&format!("{number}")).await {
            refusal = Some((number, status));
            break;
        }
    }
    let (number, status) = refusal.expect("there is a limit");
    anyhow::ensure!(status.code() == Code::ResourceExhausted && number >= 19, "{number}: {status:?}");
    other.leaves().await?;
    let status = other.says("too late").await.expect_err("it is over");
    anyhow::ensure!(status.code() == Code::FailedPrecondition, "{status:?}");
    Ok(())
}

async fn s11_a_customer_who_is_forgotten_leaves_no_word_in_a_chat(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, visitor) = chatting(&mut office).await?;
    let id = visitor.interaction_id.as_str();
    ada.says(id, "what is your number?", Visibility::Everyone).await?;
    visitor.leaves().await?;
    let admin = || office.tenant.interactions_as("admin", Role::Admin);
    eventually("the customer is forgotten", BOUND, async || {
        let request = ForgetCustomerRequest { request_id: fresh(), address: "eva@example.com".to_owned() };
        let mut admin = admin().map_err(|error| format!("{error:#}"))?;
        admin.forget_customer(request).await.map(drop).map_err(|status| status.to_string())
    })
    .await?;
    let left = ada.messages(id).await?;
    anyhow::ensure!(left.len() == 2 && left.iter().all(|it| it.text.is_empty()), "{left:?}");
    Ok(())
}
