//! The beginning of most scenarios: a tenant with a policy, agents at their desks, and a customer who talks with one of them.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_api::event::v1::Event;
use baton_api::presence::v1::AgentState;
use baton_api::recording::v1::Recording;
use baton_api::transfer::v1::{Interaction, Policy, UpdatePolicyRequest};
use baton_testkit::tenant::{fresh, ring};
use baton_testkit::wait::stays;
use baton_testkit::{AgentDesk, Call, OpenSession, PhoneBehaviour, Phones, Sound, TestTenant, eventually};
use prost_types::FieldMask;

use super::ears::{ALL, is_exactly};

/// The length of sound in which present tones are looked for: longer than any pause in ringing.
const LISTEN_MS: i64 = 600;

/// A tenant at work.
pub(crate) struct Office {
    pub(crate) tenant: TestTenant,
    pub(crate) phones: Phones,
    /// Of the connected agents; dropping a session breaks its connection.
    pub(crate) sessions: Vec<OpenSession>,
}

impl Office {
    /// With a profile as it is: a phone rings for longer than any scenario waits.
    pub(crate) async fn open(tenant: TestTenant, profile: &str) -> anyhow::Result<Self> {
        Self::open_with(tenant, profile, "").await
    }

    /// With a profile, but with a ring time of 2 s, for scenarios in which a phone rings out.
    pub(crate) async fn open_ringing_briefly(tenant: TestTenant, profile: &str) -> anyhow::Result<Self> {
        Self::open_with(tenant, profile, "[methods.warm.offer]\nring_ms = 2000\n[methods.cold.offer]\nring_ms = 2000\n")
            .await
    }

    /// With a profile and overrides.
    pub(crate) async fn open_with(tenant: TestTenant, profile: &str, overrides: &str) -> anyhow::Result<Self> {
        set_policy(&tenant, profile, overrides).await?;
        let phones = tenant.phones()?;
        Ok(Self { tenant, phones, sessions: Vec::new() })
    }

    /// A connected agent with a phone that answers soon.
    pub(crate) async fn agent(&mut self, name: &str) -> anyhow::Result<AgentDesk> {
        let desk = self.tenant.agent(name).await?;
        self.connect(&desk).await?;
        Ok(desk)
    }

    /// A connected agent with this behaviour of the phone.
    pub(crate) async fn agent_with(&mut self, name: &str, behaviour: PhoneBehaviour) -> anyhow::Result<AgentDesk> {
        let desk = self.tenant.agent_with(name, behaviour, true).await?;
        self.connect(&desk).await?;
        Ok(desk)
    }

    /// The agent connects and is available.
    pub(crate) async fn connect(&mut self, desk: &AgentDesk) -> anyhow::Result<()> {
        self.sessions.push(desk.connect().await.with_context(|| format!("{} connects", desk.name()))?);
        Ok(())
    }

    /// A customer calls a number that rings only this agent, and the two talk. Nothing is recorded.
    pub(crate) async fn talking(&self, desk: &AgentDesk) -> anyhow::Result<Call> {
        let number = self.tenant.number(vec![ring(desk)]).await?;
        self.talking_on(&number, desk).await
    }

    /// The same, on a number that is recorded in this way.
    pub(crate) async fn recorded(&self, mode: RecordingMode, desk: &AgentDesk) -> anyhow::Result<Call> {
        let number = self.tenant.number(vec![ring(desk)]).await?;
        self.tenant.record(&number, mode).await?;
        self.talking_on(&number, desk).await
    }

    /// A customer calls this number, and this agent and the customer hear each other.
    pub(crate) async fn talking_on(&self, number: &str, desk: &AgentDesk) -> anyhow::Result<Call> {
        let call = self.tenant.call(number).await?;
        self.tenant.until_with(&call, desk).await?;
        self.hear_each_other(&[(&call.leg_id, 440), (&self.leg(desk).await?, desk.tone_hz())]).await?;
        Ok(call)
    }

    /// The live leg of an agent's phone.
    pub(crate) async fn leg(&self, desk: &AgentDesk) -> anyhow::Result<String> {
        Ok(self.phones.until_up(desk.phone()).await?.leg_id)
    }

    /// Waits until only these tones are heard on a leg.
    pub(crate) async fn hears(&self, leg_id: &str, hz: &[u32]) -> anyhow::Result<Sound> {
        let exactly = |sound: &Sound| is_exactly(sound, hz);
        self.phones.until_hears(leg_id, LISTEN_MS, &format!("exactly {hz:?}"), exactly).await
    }

    /// Waits until each of these legs hears exactly the tones of all the others.
    pub(crate) async fn hear_each_other(&self, parties: &[(&str, u32)]) -> anyhow::Result<()> {
        for (leg_id, own) in parties {
            let others: Vec<_> = parties.iter().map(|it| it.1).filter(|hz| hz != own).collect();
            self.hears(leg_id, &others).await?;
        }
        Ok(())
    }

    /// Fails if a leg stops hearing exactly these tones within this time.
    pub(crate) async fn goes_on_hearing(&self, leg_id: &str, hz: &[u32], ms: u64) -> anyhow::Result<()> {
        self.hears(leg_id, hz).await?;
        stays(&format!("leg {leg_id} hears {hz:?}"), Duration::from_millis(ms), async || {
            let sound = self.phones.heard(leg_id).await.map_err(|error| format!("{error:#}"))?.last_ms(LISTEN_MS);
            if is_exactly(&sound, hz) { Ok(()) } else { Err(sound.in_words(&ALL)) }
        })
        .await
    }

    /// Waits until the transfer is in this phase.
    pub(crate) async fn until_phase(&self, call: &Call, phase: TransferPhase) -> anyhow::Result<Interaction> {
        let there = |it: &Interaction| it.transfer.as_ref().is_some_and(|transfer| transfer.phase() == phase);
        self.tenant.until(call, &format!("the transfer is {}", phase.as_str_name()), there).await
    }

    /// Waits until the agent is available, and neither reserved nor engaged.
    pub(crate) async fn until_free(&self, desk: &AgentDesk) -> anyhow::Result<()> {
        eventually(&format!("{} is free", desk.name()), baton_testkit::BOUND, async || {
            let presence = desk.state().await.map_err(|error| format!("{error:#}"))?;
            let free = presence.state() == AgentState::Available && presence.is_free();
            if free { Ok(()) } else { Err(format!("{presence:?}")) }
        })
        .await
    }

    /// The customer hangs up, and the interaction is over.
    pub(crate) async fn customer_hangs_up(&self, call: &Call) -> anyhow::Result<Interaction> {
        self.phones.hang_up_leg(&call.leg_id).await?;
        self.tenant.until_ended(call).await
    }

    /// Waits until there are so many events of this type: they are published a little later than they happen.
    pub(crate) async fn until_events(&self, call: &Call, event_type: &str, count: usize) -> anyhow::Result<()> {
        eventually(&format!("{count} events {event_type}"), baton_testkit::BOUND, async || {
            let types = self.tenant.event_types(call).await.map_err(|error| format!("{error:#}"))?;
            if types.iter().filter(|it| *it == event_type).count() == count { Ok(()) } else { Err(types.join(", ")) }
        })
        .await
    }

    /// Waits until a call has exactly so many recordings and their audio is stored.
    pub(crate) async fn recordings<const COUNT: usize>(&self, call: &Call) -> anyhow::Result<[Recording; COUNT]> {
        let stored = self.tenant.until_recorded(call, COUNT).await?;
        stored.try_into().map_err(|other| anyhow::anyhow!("another number of recordings: {other:#?}"))
    }

    /// Fails if there are no events of these types in this order, with any others between them; all events.
    pub(crate) async fn events_tell(&self, call: &Call, types: &[&str]) -> anyhow::Result<Vec<Event>> {
        let last = types.last().context("no events to look for")?;
        let events = self.tenant.until_event(call, last).await?;
        let mut seen = events.iter().map(Event::name);
        let missing = types.iter().find(|wanted| !seen.any(|it| it == **wanted));
        let all: Vec<_> = events.iter().map(Event::name).collect();
        anyhow::ensure!(missing.is_none(), "no {missing:?} in this place among {all:?}");
        Ok(events)
    }
}

/// Sets the tenant's policy.
pub(crate) async fn set_policy(tenant: &TestTenant, profile: &str, overrides: &str) -> anyhow::Result<()> {
    let policy = Policy { profile: profile.to_owned(), overrides_toml: overrides.to_owned(), ..Policy::default() };
    let update_mask = Some(FieldMask { paths: vec!["*".to_owned()] });
    let request = UpdatePolicyRequest { request_id: fresh(), policy: Some(policy), update_mask };
    tenant.policies()?.update_policy(request).await.context("setting the policy")?;
    Ok(())
}
