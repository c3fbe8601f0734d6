//! What most scenarios begin with: a tenant with a policy, agents at their desks, and a customer who talks with one of them.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_api::event::v1::Event;
use baton_api::presence::v1::AgentState;
use baton_api::recording::v1::Recording;
use baton_api::transfer::v1::{Interaction, Policy, SetPolicyRequest};
use baton_testkit::wait::stays;
use baton_testkit::world::{fresh, ring};
use baton_testkit::{Behaviour, Call, Desk, Phones, Session, Sound, World, eventually};

use super::ears::{ALL, is_exactly};

/// What a tenant's plan includes.
const WARM: &str = "warm_transfer";
/// How long is listened to tell what is being heard: longer than any pause in ringing.
const LISTEN_MS: i64 = 600;

/// A tenant at work.
pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) phones: Phones,
    /// Who is connected; dropped, they are gone.
    pub(crate) sessions: Vec<Session>,
}

impl Office {
    /// With a profile as it is, but that phones ring for 1.2 s.
    pub(crate) async fn open(world: World, profile: &str) -> anyhow::Result<Self> {
        Self::open_with(world, profile, "[warm.offer]\nring_ms = 1200\n[cold.offer]\nring_ms = 1200\n").await
    }

    /// With a profile and what is different from it.
    pub(crate) async fn open_with(world: World, profile: &str, overrides: &str) -> anyhow::Result<Self> {
        set_policy(&world, profile, overrides, &[WARM]).await?;
        let phones = world.phones()?;
        Ok(Self { world, phones, sessions: Vec::new() })
    }

    /// An agent who is there, with a phone that is answered soon.
    pub(crate) async fn agent(&mut self, name: &str) -> anyhow::Result<Desk> {
        let desk = self.world.agent(name).await?;
        self.connect(&desk).await?;
        Ok(desk)
    }

    /// An agent who is there, with a phone that behaves as said.
    pub(crate) async fn agent_with(&mut self, name: &str, behaviour: Behaviour) -> anyhow::Result<Desk> {
        let desk = self.world.agent_with(name, behaviour, true).await?;
        self.connect(&desk).await?;
        Ok(desk)
    }

    /// The agent's client connects, and they are available.
    pub(crate) async fn connect(&mut self, desk: &Desk) -> anyhow::Result<()> {
        self.sessions.push(desk.connect().await.with_context(|| format!("{} connects", desk.name()))?);
        Ok(())
    }

    /// A customer calls a number that rings this agent and nobody else, and has them. Nothing is recorded.
    pub(crate) async fn talking(&self, desk: &Desk) -> anyhow::Result<Call> {
        let number = self.world.number(vec![ring(desk)]).await?;
        self.talking_on(&number, desk).await
    }

    /// The same, on a number that is recorded in this way.
    pub(crate) async fn recorded(&self, mode: RecordingMode, desk: &Desk) -> anyhow::Result<Call> {
        let number = self.world.number(vec![ring(desk)]).await?;
        self.world.record(&number, mode).await?;
        self.talking_on(&number, desk).await
    }

    /// A customer calls this number, and this agent has them: they hear each other.
    pub(crate) async fn talking_on(&self, number: &str, desk: &Desk) -> anyhow::Result<Call> {
        let call = self.world.call(number).await?;
        self.world.until_with(&call, desk).await?;
        self.hear_each_other(&[(&call.leg_id, 440), (&self.leg(desk).await?, desk.tone_hz())]).await?;
        Ok(call)
    }

    /// The live leg of an agent's phone.
    pub(crate) async fn leg(&self, desk: &Desk) -> anyhow::Result<String> {
        Ok(self.phones.until_up(desk.phone()).await?.leg_id)
    }

    /// Once nothing but these tones has been heard on a leg for a moment.
    pub(crate) async fn hears(&self, leg_id: &str, hz: &[u32]) -> anyhow::Result<Sound> {
        let exactly = |sound: &Sound| is_exactly(sound, hz);
        self.phones.until_hears(leg_id, LISTEN_MS, &format!("exactly {hz:?}"), exactly).await
    }

    /// Once each of these hears all the others, and nobody else: legs with what each speaks.
    pub(crate) async fn hear_each_other(&self, parties: &[(&str, u32)]) -> anyhow::Result<()> {
        for (leg_id, own) in parties {
            let others: Vec<_> = parties.iter().map(|it| it.1).filter(|hz| hz != own).collect();
            self.hears(leg_id, &others).await?;
        }
        Ok(())
    }

    /// That a leg goes on hearing exactly these tones for a while.
    pub(crate) async fn goes_on_hearing(&self, leg_id: &str, hz: &[u32], ms: u64) -> anyhow::Result<()> {
        self.hears(leg_id, hz).await?;
        stays(&format!("leg {leg_id} hears {hz:?}"), Duration::from_millis(ms), async || {
            let sound = self.phones.heard(leg_id).await.map_err(|error| format!("{error:#}"))?.last_ms(LISTEN_MS);
            if is_exactly(&sound, hz) { Ok(()) } else { Err(sound.in_words(&ALL)) }
        })
        .await
    }

    /// The interaction once its transfer is in this phase.
    pub(crate) async fn until_phase(&self, call: &Call, phase: TransferPhase) -> anyhow::Result<Interaction> {
        let there = |it: &Interaction| it.transfer.as_ref().is_some_and(|transfer| transfer.phase() == phase);
        self.world.until(call, &format!("the transfer is {}", phase.as_str_name()), there).await
    }

    /// Once the agent is in no call and nothing is reserved for one, and available.
    pub(crate) async fn until_free(&self, desk: &Desk) -> anyhow::Result<()> {
        eventually(&format!("{} is free", desk.name()), baton_testkit::BOUND, async || {
            let presence = desk.state().await.map_err(|error| format!("{error:#}"))?;
            let free = presence.state() == AgentState::Available && !presence.reserved && !presence.engaged;
            if free { Ok(()) } else { Err(format!("{presence:?}")) }
        })
        .await
    }

    /// The customer hangs up, and the interaction is over.
    pub(crate) async fn customer_hangs_up(&self, call: &Call) -> anyhow::Result<Interaction> {
        self.phones.hang_up_leg(&call.leg_id).await?;
        self.world.until_ended(call).await
    }

    /// Once there are so many events of this type: they are published a little after what they tell of.
    pub(crate) async fn until_events(&self, call: &Call, event_type: &str, count: usize) -> anyhow::Result<()> {
        eventually(&format!("{count} events {event_type}"), baton_testkit::BOUND, async || {
            let types = self.world.event_types(call).await.map_err(|error| format!("{error:#}"))?;
            if types.iter().filter(|it| *it == event_type).count() == count { Ok(()) } else { Err(types.join(", ")) }
        })
        .await
    }

    /// The recordings of a call, once there are exactly so many and their audio is stored.
    pub(crate) async fn recordings<const COUNT: usize>(&self, call: &Call) -> anyhow::Result<[Recording; COUNT]> {
        let stored = self.world.until_recorded(call, COUNT).await?;
        stored.try_into().map_err(|other| anyhow::anyhow!("another number of recordings: {other:#?}"))
    }

    /// That events of these types are there in this order, whatever is between them; gives them all.
    pub(crate) async fn events_tell(&self, call: &Call, types: &[&str]) -> anyhow::Result<Vec<Event>> {
        let last = types.last().context("no events to look for")?;
        let events = self.world.until_event(call, last).await?;
        let mut seen = events.iter().map(|event| event.r#type.as_str());
        let missing = types.iter().find(|wanted| !seen.any(|it| it == **wanted));
        let all: Vec<_> = events.iter().map(|event| event.r#type.as_str()).collect();
        anyhow::ensure!(missing.is_none(), "no {missing:?} in this place among {all:?}");
        Ok(events)
    }
}

/// Sets the tenant's policy.
pub(crate) async fn set_policy(
    world: &World,
    profile: &str,
    overrides: &str,
    entitlements: &[&str],
) -> anyhow::Result<()> {
    let policy = Policy {
        profile: profile.to_owned(),
        overrides_toml: overrides.to_owned(),
        entitlements: entitlements.iter().map(|it| (*it).to_owned()).collect(),
        version: 0,
    };
    let request = SetPolicyRequest { request_id: fresh(), policy: Some(policy) };
    world.policies()?.set_policy(request).await.context("setting the policy")?;
    Ok(())
}
