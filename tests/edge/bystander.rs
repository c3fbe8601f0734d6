//! A tenant that works while somebody else attacks: an agent's session, reads, and changes, each as soon as the last one is over.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::presence::v1::ListAgentsRequest;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use baton_testkit::tenant::ring;
use baton_testkit::{AgentDesk, Call, OpenSession, TestTenant};
use tonic::Status;

/// No call may take longer.
const LONGEST: Duration = Duration::from_secs(1);
/// Between two rounds: with it, the agent makes fewer changes than one subject may.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Bystander {
    tenant: TestTenant,
    desk: AgentDesk,
    session: OpenSession,
    call: Call,
}

/// How long its calls took, in microseconds, in order.
pub(super) struct Worked(Vec<i64>);

impl Bystander {
    /// An agent talks with a customer.
    pub(super) async fn begin(tenant: TestTenant) -> anyhow::Result<Self> {
        let desk = tenant.agent("Bea").await?;
        let session = desk.connect().await?;
        let number = tenant.number(vec![ring(&desk)]).await?;
        let call = tenant.call(&number).await?;
        tenant.until_with(&call, &desk).await?;
        Ok(Self { tenant, desk, session, call })
    }

    /// Works for so long; an error if a call is refused.
    pub(super) async fn work_for(&self, duration: Duration) -> anyhow::Result<Worked> {
        let (clock, mut took) = (Clock::real(), Vec::new());
        let until_us = clock.after(duration);
        let id = &self.call.interaction_id;
        while clock.now_us() < until_us {
            let start_us = clock.now_us();
            self.tenant.interaction(id).await.context("a read")?;
            let read_us = clock.now_us();
            self.desk.mute(id, true).await.context("a change")?;
            let muted_us = clock.now_us();
            self.desk.mute(id, false).await.context("another change")?;
            let changed_us = clock.now_us();
            // A new connection for each, as a client that begins has.
            let fresh = GrpcChannel::public(
                self.tenant.address(),
                &self.tenant.token("boss", Role::Supervisor)?,
                clock.clone(),
            )?;
            list(fresh).await.context("a new connection")?;
            took.extend([read_us - start_us, muted_us - read_us, changed_us - muted_us, clock.now_us() - changed_us]);
            clock.sleep(PAUSE).await;
        }
        anyhow::ensure!(!self.session.latest().ended, "the agent's session has ended");
        took.sort_unstable();
        Ok(Worked(took))
    }
}

/// Lists the agents.
pub(super) async fn list(channel: GrpcChannel) -> Result<(), Status> {
    DirectoryServiceClient::new(channel).list_agents(ListAgentsRequest::default()).await.map(drop)
}

impl Worked {
    /// Hard lines: the ratios are for people, a machine under load has others.
    pub(super) fn check(&self, attack: &str) -> anyhow::Result<()> {
        let slowest = Duration::from_micros(self.0.last().copied().unwrap_or_default().unsigned_abs());
        anyhow::ensure!(self.0.len() > 30, "{attack}: only {} calls", self.0.len());
        anyhow::ensure!(slowest < LONGEST, "{attack}: a call took {slowest:?}");
        Ok(())
    }

    fn at_ms(&self, part: f64) -> f64 {
        let at = (self.0.len() as f64 * part) as usize;
        self.0.get(at.min(self.0.len().saturating_sub(1))).map_or(0.0, |us| *us as f64 / 1000.0)
    }
}

impl fmt::Display for Worked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8}{:>10.1}{:>10.1}", self.0.len(), self.at_ms(0.99), self.at_ms(1.0))
    }
}
