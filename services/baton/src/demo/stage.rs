//! What the people of the play use: connections in their names, and waiting for what must come.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::{GetInteractionRequest, Interaction};
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use baton_runtime::client::GrpcChannel;
use tokio_util::sync::CancellationToken;

use crate::client::refusal::OrRefusal as _;
use crate::up::seed;

/// Longer than any play; the key goes with its folder.
const TOKEN_TTL: Duration = Duration::from_hours(24 * 90);
/// Nothing in the play takes longer; the longest is ringing, a second and a half.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Connections in anybody's name.
#[derive(Clone)]
pub(super) struct DemoContext {
    channel: GrpcChannel,
    key: SigningKey,
    pub(super) clock: Clock,
    /// Somebody wants it to end.
    pub(super) stopping: CancellationToken,
}

impl DemoContext {
    pub(super) fn new(channel: GrpcChannel, key: SigningKey, clock: Clock, stopping: CancellationToken) -> Self {
        Self { channel, key, clock, stopping }
    }

    /// As this agent.
    pub(super) fn agent(&self, name: &str) -> anyhow::Result<GrpcChannel> {
        self.of(Role::Agent, &seed::agent_id(name))
    }

    /// As somebody of this role.
    pub(super) fn role(&self, role: Role) -> anyhow::Result<GrpcChannel> {
        self.of(role, "demo")
    }

    fn of(&self, role: Role, subject: &str) -> anyhow::Result<GrpcChannel> {
        let caller = Caller::of_tenant(seed::TENANT.parse::<TenantId>()?, subject, role);
        Ok(self.channel.with_token(&self.key.mint(&caller, self.clock.wall_us(), TOKEN_TTL)?)?)
    }

    /// Lets time pass; an error if somebody wants it to end.
    pub(super) async fn pause(&self, duration: Duration) -> anyhow::Result<()> {
        let passed = self.stopping.run_until_cancelled(self.clock.sleep(duration)).await;
        passed.context("interrupted")
    }

    /// Looks again and again until there is what must come.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let deadline_us = self.clock.after(PATIENCE);
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            anyhow::ensure!(self.clock.now_us() < deadline_us, "waited in vain: {what}");
            self.pause(LOOK_EVERY).await?;
        }
    }

    /// The call as a supervisor sees it.
    pub(super) async fn call(&self, interaction_id: &str) -> anyhow::Result<Interaction> {
        let request = GetInteractionRequest { interaction_id: interaction_id.to_owned() };
        let mut client = InteractionServiceClient::new(self.role(Role::Supervisor)?);
        client.get_interaction(request).await.or_refusal()?.interaction.context("the answer is empty")
    }

    /// Waits until the call is so.
    pub(super) async fn until_call(
        &self,
        interaction_id: &str,
        what: &str,
        is_so: impl Fn(&Interaction) -> bool,
    ) -> anyhow::Result<Interaction> {
        self.until(what, async || Ok(Some(self.call(interaction_id).await?).filter(|it| is_so(it)))).await
    }
}
