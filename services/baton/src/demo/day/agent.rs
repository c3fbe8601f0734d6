//! An agent: comes to work, takes calls as the script of each call says, goes on breaks, and goes home.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::common::v1::{Customer, Target, TransferKind, target};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{
    AgentState, CloseSessionRequest, InboxItem, ListInboxRequest, OpenSessionRequest, RenewSessionRequest,
    SetStateRequest,
};
use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::phone_selector::Selector;
use baton_api::simulator::v1::{AnswerPhoneRequest, AnswersAfter, DeclinePhoneRequest, NeverAnswers, PhoneSelector};
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_api::transfer::v1::{
    CancelTransferRequest, CompleteTransferRequest, EndInteractionRequest, HoldCustomerRequest,
    LeaveInteractionRequest, PlaceCallRequest, ResumeCustomerRequest, StartTransferRequest,
};
use baton_runtime::client::GrpcChannel;
use baton_runtime::lifecycle;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::board::{CallView, Ring, WatchedLeg};
use super::office::{WRAP_UP, fresh};
use super::plan::{
    Break, ConsultEnd, EndsBy, Errand, HoldScript, PlannedCall, PlannedTarget, RingReaction, Shift, TransferScript,
};
use super::{Day, LEASE, ScriptPart, at_us};
use crate::client::refusal::OrRefusal as _;

/// Why an agent is away who said so in a call.
const PAPERWORK: &str = "paperwork";
/// So many heartbeats in a lease.
const HEARTBEATS: u32 = 3;
/// How long it takes an agent to see that a transfer is over, and to click.
const SEES_IT: Duration = Duration::from_millis(1_700);
/// After a click on a customer's number.
const OWN_PHONE_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct AgentAtWork {
    day: Arc<Day>,
    me: usize,
    rings: mpsc::UnboundedReceiver<Ring>,
    presence: PresenceServiceClient<GrpcChannel>,
    /// How long they will be away after the present call.
    away_after: Option<Duration>,
}

/// What comes next on the agent's own calendar.
enum Appointment {
    Break(Break),
    Errand(Errand),
    /// The client is silent, and then connects anew.
    Silence,
    GoHome,
}

/// The call that an agent is in.
struct CallInHand {
    call: PlannedCall,
    leg: WatchedLeg,
    view: watch::Receiver<CallView>,
}

impl AgentAtWork {
    pub(super) fn new(day: Arc<Day>, me: usize, rings: mpsc::UnboundedReceiver<Ring>) -> Self {
        let presence = PresenceServiceClient::new(day.office.agents[me].channel.clone());
        Self { day, me, rings, presence, away_after: None }
    }

    /// From coming to going.
    pub(super) async fn work(mut self, shift: Shift) -> anyhow::Result<()> {
        self.day.reach(shift.begins).await;
        let mut session = self.come().await?;
        let mut heart = self.keep_alive(session.clone());
        let mut calendar = vec![(shift.ends, Appointment::GoHome)];
        calendar.extend(shift.breaks.into_iter().map(|it| (it.begins, Appointment::Break(it))));
        calendar.extend(shift.errands.into_iter().map(|it| (it.at, Appointment::Errand(it))));
        calendar.extend(shift.silent_from.map(|at| (at, Appointment::Silence)));
        calendar.sort_by_key(|(at, _)| *at);
        for (at, appointment) in calendar {
            self.take_calls_until(at_us(at)).await?;
            match appointment {
                Appointment::Break(it) if at < shift.ends => self.rest(&it).await?,
                Appointment::Errand(it) if at < shift.ends => self.run_errand(it).await?,
                Appointment::Break(_) | Appointment::Errand(_) => {}
                Appointment::Silence => {
                    heart.cancel();
                    self.note("client_died", json!({}));
                    self.take_calls_until(self.day.clock.after(LEASE + LEASE / 2)).await?;
                    session = self.come().await?;
                    heart = self.keep_alive(session.clone());
                }
                Appointment::GoHome => break,
            }
        }
        heart.cancel();
        if shift.is_cut_off {
            self.note("client_died", json!({}));
            return Ok(());
        }
        self.note("goes", json!({}));
        self.presence.close_session(CloseSessionRequest { session_id: session }).await.or_refusal()?;
        Ok(())
    }

    async fn come(&mut self) -> anyhow::Result<String> {
        self.note("comes", json!({}));
        let request =
            OpenSessionRequest { request_id: fresh(), client: "day".to_owned(), state: AgentState::Available.into() };
        Ok(self.presence.open_session(request).await.or_refusal()?.session_id)
    }

    /// Renews the session until the token is cancelled.
    fn keep_alive(&self, session_id: String) -> CancellationToken {
        let stop = CancellationToken::new();
        let (until, day, me, mut presence) = (stop.clone(), Arc::clone(&self.day), self.me, self.presence.clone());
        lifecycle::spawn(async move {
            while until.run_until_cancelled(day.clock.sleep(LEASE / HEARTBEATS)).await.is_some() {
                let request = RenewSessionRequest { session_id: session_id.clone() };
                day.diary.note(day.clock.now_us(), "heartbeat", json!({ "agent": me }));
                if presence.renew_session(request).await.is_err() {
                    return;
                }
            }
        });
        stop
    }

    async fn take_calls_until(&mut self, until_us: i64) -> anyhow::Result<()> {
        while self.day.clock.now_us() < until_us {
            let clock = self.day.clock.clone();
            let Ok(ring) = clock.timeout_at(until_us, self.rings.recv()).await else { return Ok(()) };
            self.take(ring.context("the switchboard is gone")?).await?;
        }
        Ok(())
    }

    /// A break. Whoever was just reserved answers all the same.
    async fn rest(&mut self, rest: &Break) -> anyhow::Result<()> {
        let until_us = self.day.clock.after(rest.lasts);
        self.set_state(AgentState::Away, rest.reason).await?;
        self.take_calls_until(until_us).await?;
        self.set_state(AgentState::Available, "").await
    }

    async fn set_state(&mut self, state: AgentState, reason: &str) -> anyhow::Result<()> {
        let what = if state == AgentState::Away { "away" } else { "available" };
        self.note(what, json!({ "reason": reason }));
        let away_reason = reason.to_owned();
        let request =
            SetStateRequest { request_id: fresh(), state: state.into(), away_reason, agent_id: String::new() };
        self.presence.set_state(request).await.or_refusal()?;
        Ok(())
    }

    fn note(&self, what: &str, more: Value) {
        self.note_at(self.day.clock.now_us(), what, more);
    }

    fn note_at(&self, at_us: i64, what: &str, mut more: Value) {
        more["agent"] = json!(self.me);
        self.day.diary.note(at_us, what, more);
    }

    /// The phone rings.
    async fn take(&mut self, ring: Ring) -> anyhow::Result<()> {
        let Some(call) = self.day.plan_of(&ring.customer) else { return Ok(()) };
        let mut leg = ring.leg;
        let phone = Some(PhoneSelector { selector: Some(Selector::LegId(leg.id.clone())) });
        match self.day.plan.reaction(call.no, ring.nth) {
            RingReaction::Misses => {
                leg.over().await;
                let absence = self.day.plan.absence(call.no, self.me);
                self.day.clock.sleep(absence).await;
                return self.set_state(AgentState::Available, "").await;
            }
            RingReaction::DeclinesAfter(after) => {
                if self.lasts(&mut leg, after).await {
                    // At the same moment the customer may have hung up.
                    let request = DeclinePhoneRequest { request_id: fresh(), phone };
                    let _ = self.day.office.phones().decline_phone(request).await;
                }
                return Ok(());
            }
            RingReaction::AnswersAfter(after) => {
                if !self.lasts(&mut leg, after).await {
                    return Ok(());
                }
                let request = AnswerPhoneRequest { request_id: fresh(), phone };
                if self.day.office.phones().answer_phone(request).await.is_err() {
                    return Ok(());
                }
            }
        }
        let part = self.day.parts().get(&ring.customer).copied();
        let view = self.day.board.call(&ring.customer);
        let mut conversation = CallInHand { call, leg, view };
        let no = conversation.call.no;
        self.converse(&mut conversation, part).await?;
        conversation.leg.over().await;
        self.wrap_up(no).await
    }

    /// Calls a customer: the agent's own phone rings first.
    async fn run_errand(&mut self, errand: Errand) -> anyhow::Result<()> {
        let behaviour = match errand.answers_after {
            Some(after) => Behaviour::AnswersAfter(AnswersAfter { delay_ms: after.as_millis() as i64 }),
            None => Behaviour::NeverAnswers(NeverAnswers {}),
        };
        self.day.office.put_phone(&errand.customer, behaviour).await?;
        let from_number = self.day.office.numbers[0].clone();
        self.note("dials", json!({ "customer": errand.customer, "number": from_number }));
        let request = PlaceCallRequest {
            request_id: fresh(),
            from_number,
            to_number: errand.customer.clone(),
            ..Default::default()
        };
        let is_placed = match self.interactions().place_call(request).await {
            // At the same moment somebody else was offered, and came first: that call rings.
            Err(status) if ApiError::of(&status).reason == ErrorReason::AgentBusy => false,
            placed => placed.or_refusal().map(|_| true)?,
        };
        let clock = self.day.clock.clone();
        let ring = loop {
            let ring = clock.timeout(OWN_PHONE_WITHIN, self.rings.recv()).await?.context("the switchboard is gone")?;
            if !is_placed {
                return self.take(ring).await;
            }
            if ring.customer == errand.customer {
                break ring;
            }
            // Somebody who has given up already: the agent was free for this call.
        };
        let mut leg = ring.leg;
        clock.sleep(SEES_IT).await;
        let phone = Some(PhoneSelector { selector: Some(Selector::LegId(leg.id.clone())) });
        let answered = self.day.office.phones().answer_phone(AnswerPhoneRequest { request_id: fresh(), phone }).await;
        answered.or_refusal()?;
        let mut view = self.day.board.call(&errand.customer);
        let has_answered = tokio::select! {
            biased;
            () = leg.over() => false,
            answered = view.wait_for(|it| it.has_answered) => answered.is_ok(),
        };
        if has_answered && self.lasts(&mut leg, errand.talk).await {
            self.day.hang_up(&leg.id).await;
        }
        leg.over().await;
        self.wrap_up(self.day.plan.calls.len() + self.me).await
    }

    async fn wrap_up(&mut self, call: usize) -> anyhow::Result<()> {
        let wanted = self.day.plan.wrap_up(call, self.me);
        self.day.clock.sleep(wanted.min(WRAP_UP)).await;
        match self.away_after.take() {
            // When the time is over, they are what they said last.
            Some(lasts) => {
                if wanted < WRAP_UP {
                    self.set_state(AgentState::Away, PAPERWORK).await?;
                }
                self.day.clock.sleep(lasts).await;
                self.set_state(AgentState::Available, "").await
            }
            None if wanted < WRAP_UP => self.set_state(AgentState::Available, "").await,
            None => Ok(()),
        }
    }

    /// Lets time pass; whether the call is still there then.
    async fn lasts(&self, leg: &mut WatchedLeg, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = leg.over() => false,
            () = self.day.clock.sleep(duration) => true,
        }
    }

    async fn converse(&mut self, it: &mut CallInHand, part: Option<ScriptPart>) -> anyhow::Result<()> {
        match part {
            Some(ScriptPart::First) => {
                self.day.parts().insert(it.call.customer.clone(), ScriptPart::Last);
                self.lead(it).await
            }
            Some(ScriptPart::Consult { initiator }) => {
                let alone = |view: &CallView| view.is_over || !view.talks.contains(&initiator);
                tokio::select! {
                    biased;
                    () = it.leg.over() => return Ok(()),
                    _ = it.view.wait_for(alone) => {}
                }
                self.finish(it).await
            }
            Some(ScriptPart::Last) | None => self.finish(it).await,
        }
    }

    /// Has the customer first.
    async fn lead(&mut self, it: &mut CallInHand) -> anyhow::Result<()> {
        let script = it.call.script.clone();
        if let Some(away) = script.away_after
            && self.lasts(&mut it.leg, script.talk).await
        {
            self.away_after = Some(away);
            self.set_state(AgentState::Away, PAPERWORK).await?;
        }
        if !self.lasts(&mut it.leg, script.talk).await {
            return Ok(());
        }
        if let Some(hold) = script.hold
            && !self.put_on_hold(it, hold).await?
        {
            return Ok(());
        }
        if let Some(transfer) = script.transfer
            && !self.hand_over(it, transfer).await?
        {
            return Ok(());
        }
        self.finish(it).await
    }

    /// Has the customer last.
    async fn finish(&mut self, it: &mut CallInHand) -> anyhow::Result<()> {
        if !self.lasts(&mut it.leg, it.call.script.last_talk).await {
            return Ok(());
        }
        if let Some(again) = self.day.second_transfer(&it.call)
            && !self.hand_over(it, again).await?
        {
            return Ok(());
        }
        match it.call.script.ends {
            EndsBy::Customer => self.customer_hangs_up(it).await,
            EndsBy::AgentsPhone => self.day.hang_up(&it.leg.id).await,
            EndsBy::AgentsClient => {
                let interaction_id = self.interaction(it).await?;
                let request = LeaveInteractionRequest { request_id: fresh(), interaction_id, ..Default::default() };
                done(self.interactions().leave_interaction(request).await)?;
            }
            EndsBy::EndForAll => {
                let interaction_id = self.interaction(it).await?;
                let request = EndInteractionRequest { request_id: fresh(), interaction_id, ..Default::default() };
                done(self.interactions().end_interaction(request).await)?;
            }
        }
        Ok(())
    }

    async fn customer_hangs_up(&self, it: &CallInHand) {
        let leg = it.view.borrow().customer_leg.clone();
        self.day.hang_up(&leg).await;
    }

    fn interactions(&self) -> InteractionServiceClient<GrpcChannel> {
        InteractionServiceClient::new(self.day.office.agents[self.me].channel.clone())
    }

    fn transfers(&self) -> TransferServiceClient<GrpcChannel> {
        TransferServiceClient::new(self.day.office.agents[self.me].channel.clone())
    }

    /// The interaction that the agent is in, as their client shows it.
    async fn interaction(&mut self, it: &CallInHand) -> anyhow::Result<String> {
        let inbox = self.presence.list_inbox(ListInboxRequest {}).await.or_refusal()?.inbox.unwrap_or_default();
        let is_it = |item: &InboxItem| Customer::address_of(item.customer.as_ref()) == it.call.customer;
        let item = inbox.active.into_iter().find(|item| !item.offered && is_it(item));
        item.map(|item| item.interaction_id).with_context(|| format!("the inbox does not show {}", it.call.customer))
    }

    /// Whether the call goes on.
    async fn put_on_hold(&mut self, it: &mut CallInHand, hold: HoldScript) -> anyhow::Result<bool> {
        let interaction_id = self.interaction(it).await?;
        if !self.hold(interaction_id.clone()).await? || !self.lasts(&mut it.leg, hold.lasts).await {
            return Ok(!it.leg.is_over());
        }
        if hold.is_given_up {
            self.customer_hangs_up(it).await;
            return Ok(false);
        }
        Ok(self.resume(interaction_id).await? && self.lasts(&mut it.leg, hold.talk_after).await)
    }

    async fn hold(&mut self, interaction_id: String) -> anyhow::Result<bool> {
        let request = HoldCustomerRequest { request_id: fresh(), interaction_id, ..Default::default() };
        done(self.interactions().hold_customer(request).await)
    }

    async fn resume(&mut self, interaction_id: String) -> anyhow::Result<bool> {
        let request = ResumeCustomerRequest { request_id: fresh(), interaction_id, ..Default::default() };
        done(self.interactions().resume_customer(request).await)
    }

    /// Whether the agent still has the customer afterwards.
    async fn hand_over(&mut self, it: &mut CallInHand, transfer: TransferScript) -> anyhow::Result<bool> {
        let interaction_id = self.interaction(it).await?;
        let (kind, word) = if transfer.is_warm { (TransferKind::Warm, "warm") } else { (TransferKind::Cold, "cold") };
        let office = &self.day.office;
        let (target, about) = match transfer.target {
            PlannedTarget::Team(no) => {
                (target::Target::TeamId(office.team_ids[no].clone()), json!({ "team": office.team_ids[no] }))
            }
            // Nobody hands over to themselves.
            PlannedTarget::Agent(no) => {
                let no = if no == self.me { (no + 1) % office.agents.len() } else { no };
                (target::Target::AgentId(office.agents[no].id.clone()), json!({ "to": no }))
            }
        };
        let request = StartTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.clone(),
            kind: kind.into(),
            target: Some(Target { target: Some(target) }),
            ..Default::default()
        };
        let mut noted = about;
        noted["kind"] = json!(word);
        noted["customer"] = json!(it.call.customer);
        let part = if transfer.is_warm { ScriptPart::Consult { initiator: self.me } } else { ScriptPart::Last };
        self.day.parts().insert(it.call.customer.clone(), part);
        self.note("starts_transfer", noted);
        let started = self.transfers().start_transfer(request).await;
        if !transfer.is_warm {
            it.leg.over().await;
            return Ok(false);
        }
        let Ok(started) = started else {
            return self.keep(it, interaction_id).await;
        };
        let transfer_id = started.into_inner().interaction.and_then(|it| it.transfer).unwrap_or_default().transfer_id;
        self.wait_for_recipient(it, transfer, interaction_id, transfer_id).await
    }

    /// The customer stays with the agent after all: they are taken off hold, if they were on it, as soon as the agent has seen so.
    async fn keep(&mut self, it: &mut CallInHand, interaction_id: String) -> anyhow::Result<bool> {
        self.day.parts().insert(it.call.customer.clone(), ScriptPart::Last);
        if !self.lasts(&mut it.leg, SEES_IT).await {
            return Ok(false);
        }
        self.resume(interaction_id).await?;
        Ok(true)
    }

    async fn wait_for_recipient(
        &mut self,
        it: &mut CallInHand,
        transfer: TransferScript,
        interaction_id: String,
        transfer_id: String,
    ) -> anyhow::Result<bool> {
        let (me, clock) = (self.me, self.day.clock.clone());
        let is_answered = |view: &CallView| view.is_over || view.talks.iter().any(|it| *it != me);
        let answered = tokio::select! {
            biased;
            () = it.leg.over() => return Ok(false),
            answered = clock.timeout(transfer.patience, it.view.wait_for(is_answered)) => answered.is_ok(),
        };
        if !answered {
            self.cancel(it, &interaction_id, &transfer_id).await?;
            return self.keep(it, interaction_id).await;
        }
        let recipient_left = |view: &CallView| view.is_over || view.talks.iter().all(|it| *it == me);
        let left = tokio::select! {
            biased;
            () = it.leg.over() => return Ok(false),
            left = clock.timeout(transfer.consult, it.view.wait_for(recipient_left)) => left.is_ok(),
        };
        if left {
            return self.keep(it, interaction_id).await;
        }
        self.end_consult(it, transfer.comes_to, interaction_id, transfer_id).await
    }

    async fn end_consult(
        &mut self,
        it: &mut CallInHand,
        comes_to: ConsultEnd,
        interaction_id: String,
        transfer_id: String,
    ) -> anyhow::Result<bool> {
        match comes_to {
            ConsultEnd::Completed => {
                let request =
                    CompleteTransferRequest { request_id: fresh(), interaction_id, transfer_id, ..Default::default() };
                done(self.transfers().complete_transfer(request).await)?;
            }
            ConsultEnd::LeftByInitiator => self.day.hang_up(&it.leg.id).await,
            ConsultEnd::Joined { together, alone_again } => {
                if self.resume(interaction_id.clone()).await? && self.lasts(&mut it.leg, together).await {
                    if let Some(alone) = alone_again
                        && !(self.hold(interaction_id).await? && self.lasts(&mut it.leg, alone).await)
                    {
                        return Ok(false);
                    }
                    self.day.hang_up(&it.leg.id).await;
                }
            }
            ConsultEnd::Cancelled => {
                self.cancel(it, &interaction_id, &transfer_id).await?;
                return self.keep(it, interaction_id).await;
            }
            ConsultEnd::LeftByRecipient => {
                let recipient = it.view.borrow().talks.iter().copied().find(|other| *other != self.me);
                if let Some(leg) = recipient.and_then(|agent| self.day.board.leg_of(&it.call.customer, agent)) {
                    self.day.hang_up(&leg).await;
                }
                return self.keep(it, interaction_id).await;
            }
            ConsultEnd::GivenUp => self.customer_hangs_up(it).await,
        }
        it.leg.over().await;
        Ok(false)
    }

    async fn cancel(&mut self, it: &CallInHand, interaction_id: &str, transfer_id: &str) -> anyhow::Result<()> {
        let at_us = self.day.clock.now_us();
        let request = CancelTransferRequest {
            request_id: fresh(),
            interaction_id: interaction_id.to_owned(),
            transfer_id: transfer_id.to_owned(),
            ..Default::default()
        };
        // It may be over: nobody could be had.
        if self.transfers().cancel_transfer(request).await.is_ok() {
            self.note_at(at_us, "cancels_transfer", json!({ "customer": it.call.customer }));
        }
        Ok(())
    }
}

/// Whether it was done; `false` if it was too late for it.
fn done<T>(answer: Result<tonic::Response<T>, Status>) -> anyhow::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(status)
            if matches!(
                status.code(),
                tonic::Code::FailedPrecondition | tonic::Code::NotFound | tonic::Code::Aborted
            ) =>
        {
            tracing::debug!(%status, "too late");
            Ok(false)
        }
        Err(status) => Err(crate::client::refusal::of(&status)),
    }
}
