//! B607: live pickers: a watch stream pushes availability changes; no polling.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::{Medium, TransferKind, TransferPhase, target};
use baton_api::picker::{self, WatchTargetsResponse};
use baton_api::presence::v1::engagement::State;
use baton_api::presence::v1::{AgentState, Engagement, PickerTarget, TargetFilter, WatchTargetsRequest};
use baton_api::routing::v1::Queue;
use baton_api::transfer::v1::{WatchTransferTargetsRequest, WatchTransferTargetsResponse};
use baton_runtime::Clock;
use baton_testkit::{AgentDesk, BOUND, PhoneBehaviour, TestTenant};
use tonic::Streaming;

use crate::harness::{Office, Scenario, shared};

/// Shown availability is at most so old (A3).
const WITHIN: Duration = Duration::from_secs(1);

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b607_the_picker_sees_reserved_engaged_and_available_within_a_second,
        b607_the_picker_of_a_transfer_is_live_for_all_sorts_of_targets,
    ]
}

async fn b607_the_picker_sees_reserved_engaged_and_available_within_a_second(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let cleo = office.agent("Cleo").await?;
    let call = office.talking(&ada).await?;
    let mut all = Watch::open(&cleo, true).await?;
    let mut free = Watch::open(&cleo, false).await?;
    anyhow::ensure!(all.first(&ben).is_some_and(|it| it.available), "the first message has not got Ben available");
    anyhow::ensure!(free.first(&ben).is_some() && free.first(&ada).is_none(), "the first message: {:?}", free.first);

    ada.start_warm(&call.interaction_id, &ben).await?;
    all.until(&ben, "reserved", |it| presence(it).has(State::Reserved) && !it.available).await?;
    free.until_removed(&ben).await?;

    // A colleague sees that Ben is in a call, not in which.
    let in_a_call =
        Engagement { interaction_id: String::new(), medium: Medium::Voice.into(), state: State::Engaged.into() };
    office.phones.until_ringing(ben.phone()).await?;
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    all.until(&ben, "engaged", |it| presence(it).engagements == [in_a_call.clone()] && !it.available).await?;

    office.phones.hang_up(ben.phone()).await?;
    office.phones.until_idle(ben.phone()).await?;
    all.until(&ben, "available", |it| it.available && presence(it).is_free()).await?;
    free.until(&ben, "available", |it| it.available).await
}

async fn b607_the_picker_of_a_transfer_is_live_for_all_sorts_of_targets(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    office.tenant.allow("+3247").await?;
    let call = office.talking(&ada).await?;
    let request = WatchTransferTargetsRequest {
        interaction_id: call.interaction_id.clone(),
        kind: TransferKind::Cold.into(),
        ..Default::default()
    };
    let mut picker = ada.transfers().watch_transfer_targets(request).await?.into_inner();
    shows(&mut picker, &["Ben"]).await?;
    ben.set_state(AgentState::Away, "lunch").await?;
    shows(&mut picker, &[]).await?;
    ben.set_state(AgentState::Available, "").await?;
    shows(&mut picker, &["Ben"]).await?;
    let queue = Queue { name: "Billing".to_owned(), ..super::b302_queue::french(1) };
    office.tenant.queue(queue).await?;
    shows(&mut picker, &["Ben", "Billing"]).await?;
    office.tenant.external_number("Taxis", "+32470000001", false).await?;
    shows(&mut picker, &["Ben", "Billing", "Taxis"]).await?;
    office.customer_hangs_up(&call).await?;
    let clock = Clock::real();
    let until_over = async {
        while picker.message().await?.is_some() {}
        anyhow::Ok(())
    };
    clock.timeout(BOUND, until_over).await.context("the stream goes on after the call")?
}

/// Waits until the picker shows these, by their names.
async fn shows(picker: &mut Streaming<WatchTransferTargetsResponse>, expected: &[&str]) -> anyhow::Result<()> {
    let mut shown = Vec::new();
    let until = async {
        while shown != expected {
            let message = picker.message().await?.context("the stream is over")?;
            shown = message.targets.into_iter().map(|it| it.target.unwrap_or_default().name).collect();
        }
        anyhow::Ok(())
    };
    let clock = Clock::real();
    let found = clock.timeout(BOUND, until).await;
    found.unwrap_or_else(|_| anyhow::bail!("expected {expected:?}")).with_context(|| format!("it shows {shown:?}"))
}

fn presence(target: &PickerTarget) -> baton_api::presence::v1::Presence {
    target.presence.clone().unwrap_or_default()
}

fn is(target: Option<&baton_api::common::v1::Target>, desk: &AgentDesk) -> bool {
    let target = target.and_then(|it| it.target.as_ref());
    matches!(target, Some(target::Target::AgentId(id)) if id == desk.id())
}

/// A picker that is open on somebody's screen.
struct Watch {
    first: Vec<PickerTarget>,
    stream: Streaming<WatchTargetsResponse>,
}

impl Watch {
    async fn open(desk: &AgentDesk, include_unavailable: bool) -> anyhow::Result<Self> {
        let filter = TargetFilter { include_unavailable, ..TargetFilter::default() };
        let request = WatchTargetsRequest { filter: Some(filter), ..WatchTargetsRequest::default() };
        let mut stream = desk.presence().watch_targets(request).await?.into_inner();
        let first = stream.message().await?.context("no first message")?;
        anyhow::ensure!(first.complete, "the first message is not complete");
        Ok(Self { first: picker::targets(first.changed)?, stream })
    }

    fn first(&self, desk: &AgentDesk) -> Option<&PickerTarget> {
        self.first.iter().find(|it| is(it.target.as_ref(), desk))
    }

    /// Once it is pushed that the agent is so; within a second from now, as what has happened has happened.
    async fn until(
        &mut self,
        desk: &AgentDesk,
        what: &str,
        is_so: impl Fn(&PickerTarget) -> bool,
    ) -> anyhow::Result<()> {
        let so = |it: &WatchTargetsResponse| {
            let changed = picker::targets(it.changed.clone()).unwrap_or_default();
            changed.iter().any(|it| is(it.target.as_ref(), desk) && is_so(it))
        };
        self.until_message(&format!("{} is {what}", desk.name()), so).await
    }

    /// Once it is pushed that the agent no longer matches.
    async fn until_removed(&mut self, desk: &AgentDesk) -> anyhow::Result<()> {
        let gone = |it: &WatchTargetsResponse| it.removed.iter().any(|it| is(Some(it), desk));
        self.until_message(&format!("{} is removed", desk.name()), gone).await
    }

    async fn until_message(&mut self, what: &str, is_it: impl Fn(&WatchTargetsResponse) -> bool) -> anyhow::Result<()> {
        let pushed = async {
            while let Some(message) = self.stream.message().await? {
                if is_it(&message) {
                    return Ok(());
                }
            }
            anyhow::bail!("the stream ended before {what}")
        };
        let late = || format!("{what}: not pushed within {WITHIN:?}");
        Clock::real().timeout(WITHIN, pushed).await.with_context(late)?
    }
}
