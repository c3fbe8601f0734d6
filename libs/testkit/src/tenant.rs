//! A fresh tenant: scenarios share a target and never see each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::{IvrElement, RecordingMode, Skill, ivr_element::Element};
use baton_api::event::v1::event_service_client::EventServiceClient;
use baton_api::presence::v1 as presence;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{NumberRecordingSettings, UpdateNumberSettingsRequest};
use baton_api::routing::v1 as routing;
use baton_api::routing::v1::call_flow_step::{self, Disconnect, RingAgent, RingTeam, Step, WaitInQueue};
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::simulator::v1::Phone;
use baton_api::tenant::v1::tenant_service_client::TenantServiceClient;
use baton_api::tenant::v1::{
    CreateTenantRequest, GetTenantRequest, Tenant, TenantGrants, TenantLimits, UpdateTenantRequest,
};
use baton_api::transfer::v1 as transfer;
use baton_api::transfer::v1::interaction_service_client::InteractionServiceClient;
use baton_api::transfer::v1::policy_service_client::PolicyServiceClient;
use baton_api::transfer::v1::transfer_service_client::TransferServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use baton_runtime::client::GrpcChannel;
use prost_types::FieldMask;

use tonic::Status;

use crate::desk::AgentDesk;
pub use crate::names::fresh;
use crate::names::random_number;
use crate::phones::{CUSTOMER_HZ, PhoneBehaviour, Phones};
use crate::voicemail::Voicemail;
use crate::wait::{BOUND, eventually};

/// Longer than any test, also one in simulated time.
const TOKEN_TTL: Duration = Duration::from_hours(24 * 30);
/// The tone of whoever is called outside.
const OUTSIDER_HZ: i32 = 1_700;
/// The entitlement to warm transfers.
const WARM_TRANSFER: &str = "warm_transfer";
/// How long a phone rings before its agent picks up.
const ANSWERS_AFTER_MS: i64 = 100;

/// The addresses of a target, and the key of its tokens.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The public listener, `http://…`.
    pub public: String,
    /// The listener that has the simulator's service.
    pub simulator: String,
    pub key: SigningKey,
}

/// A fresh tenant. Cheap to clone; clones are the same tenant.
#[derive(Debug, Clone)]
pub struct TestTenant {
    access: Arc<TenantAccess>,
}

/// The tenant's channels and key.
#[derive(Debug)]
struct TenantAccess {
    tenant: TenantId,
    key: SigningKey,
    address: String,
    public: GrpcChannel,
    simulator: GrpcChannel,
    /// Counts the phones that were made, for their addresses.
    phones: AtomicU32,
}

/// A customer's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub interaction_id: String,
    /// The customer's leg.
    pub leg_id: String,
    /// The customer's number.
    pub customer: String,
}

impl TestTenant {
    /// A tenant with a fresh id, as the operator creates it, with everything in its plan.
    pub async fn create(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let this = Self::of_tenant(endpoints, &format!("t-{}", fresh()))?;
        let tenant = Tenant {
            tenant_id: this.id().to_owned(),
            entitlements: vec![WARM_TRANSFER.to_owned()],
            grants: Some(TenantGrants { numbers: vec!["+".to_owned()], destinations: vec!["+".to_owned()] }),
            ..Tenant::default()
        };
        let request = CreateTenantRequest { request_id: fresh(), tenant: Some(tenant) };
        this.operator()?.create_tenant(request).await.context("creating a tenant")?;
        Ok(this)
    }

    /// The tenants, as the operator of the installation sees them.
    pub fn operator(&self) -> anyhow::Result<TenantServiceClient<GrpcChannel>> {
        Ok(TenantServiceClient::new(self.channel("root", Role::Operator)?))
    }

    /// Gives the tenant another plan.
    pub async fn grant(&self, entitlements: &[&str]) -> anyhow::Result<()> {
        let entitlements = entitlements.iter().map(|it| (*it).to_owned()).collect();
        let tenant = Tenant { tenant_id: self.id().to_owned(), entitlements, ..Tenant::default() };
        let update_mask = Some(FieldMask { paths: vec!["entitlements".to_owned()] });
        let request = UpdateTenantRequest { request_id: fresh(), tenant: Some(tenant), update_mask };
        self.operator()?.update_tenant(request).await.context("changing the plan")?;
        Ok(())
    }

    /// Gives the tenant other limits.
    pub async fn limit(&self, limits: TenantLimits) -> anyhow::Result<()> {
        let tenant = Tenant { tenant_id: self.id().to_owned(), limits: Some(limits), ..Tenant::default() };
        let request = UpdateTenantRequest { request_id: fresh(), tenant: Some(tenant), update_mask: None };
        self.operator()?.update_tenant(request).await.context("changing the limits")?;
        Ok(())
    }

    /// What the operator sees of it.
    pub async fn as_stored(&self) -> anyhow::Result<Tenant> {
        let request = GetTenantRequest { tenant_id: self.id().to_owned() };
        self.operator()?.get_tenant(request).await?.into_inner().tenant.context("no tenant")
    }

    /// A tenant by its name, for example the one that a test used before a restart on another port.
    pub fn of_tenant(endpoints: &Endpoints, tenant: &str) -> anyhow::Result<Self> {
        let clock = Clock::real();
        let access = TenantAccess {
            tenant: tenant.parse()?,
            key: endpoints.key.clone(),
            address: endpoints.public.clone(),
            public: GrpcChannel::anonymous(&endpoints.public, clock.clone())?,
            simulator: GrpcChannel::anonymous(&endpoints.simulator, clock)?,
            phones: AtomicU32::new(0),
        };
        Ok(Self { access: Arc::new(access) })
    }

    pub fn id(&self) -> &str {
        self.access.tenant.as_str()
    }

    /// A token of this tenant, or of none where the role belongs to none.
    pub fn token(&self, subject: &str, role: Role) -> anyhow::Result<String> {
        let tenant = role.belongs_to_tenant().then(|| self.access.tenant.clone());
        let caller = Caller { tenant, subject: subject.to_owned(), role };
        Ok(self.access.key.mint(&caller, Clock::real().now_us(), TOKEN_TTL)?)
    }

    /// For tests that forge tokens or call from outside this tenant.
    pub fn key(&self) -> &SigningKey {
        &self.access.key
    }

    /// The public listener, `http://…`, for connections of one's own.
    pub fn address(&self) -> &str {
        &self.access.address
    }

    /// The public listener, called without a token.
    pub fn anonymous(&self) -> GrpcChannel {
        self.access.public.clone()
    }

    /// The public listener, called as this subject in this role.
    pub fn channel(&self, subject: &str, role: Role) -> anyhow::Result<GrpcChannel> {
        Ok(self.access.public.with_token(&self.token(subject, role)?)?)
    }

    pub fn phones(&self) -> anyhow::Result<Phones> {
        Ok(Phones::new(self.access.simulator.with_token(&self.token("simulator", Role::Simulator)?)?))
    }

    fn as_admin(&self) -> anyhow::Result<GrpcChannel> {
        self.channel("admin", Role::Admin)
    }

    fn as_supervisor(&self) -> anyhow::Result<GrpcChannel> {
        self.channel("supervisor", Role::Supervisor)
    }

    /// The directory, as an admin.
    pub fn directory(&self) -> anyhow::Result<DirectoryServiceClient<GrpcChannel>> {
        Ok(DirectoryServiceClient::new(self.as_admin()?))
    }

    /// Numbers and call flows, as an admin.
    pub fn routing(&self) -> anyhow::Result<RoutingServiceClient<GrpcChannel>> {
        Ok(RoutingServiceClient::new(self.as_admin()?))
    }

    /// Policies, as an admin.
    pub fn policies(&self) -> anyhow::Result<PolicyServiceClient<GrpcChannel>> {
        Ok(PolicyServiceClient::new(self.as_admin()?))
    }

    /// Interactions, as a supervisor.
    pub fn interactions(&self) -> anyhow::Result<InteractionServiceClient<GrpcChannel>> {
        Ok(InteractionServiceClient::new(self.as_supervisor()?))
    }

    /// Interactions, as somebody with another role.
    pub fn interactions_as(&self, subject: &str, role: Role) -> anyhow::Result<InteractionServiceClient<GrpcChannel>> {
        Ok(InteractionServiceClient::new(self.channel(subject, role)?))
    }

    /// Transfers, as a supervisor.
    pub fn transfers(&self) -> anyhow::Result<TransferServiceClient<GrpcChannel>> {
        Ok(TransferServiceClient::new(self.as_supervisor()?))
    }

    /// Recordings, as a supervisor.
    pub fn recordings(&self) -> anyhow::Result<RecordingServiceClient<GrpcChannel>> {
        Ok(RecordingServiceClient::new(self.as_supervisor()?))
    }

    /// All voicemail boxes, as a supervisor.
    pub fn voicemail(&self) -> anyhow::Result<Voicemail> {
        Ok(Voicemail::new(self.as_supervisor()?))
    }

    /// Presence, as a supervisor.
    pub fn presence(&self) -> anyhow::Result<PresenceServiceClient<GrpcChannel>> {
        Ok(PresenceServiceClient::new(self.as_supervisor()?))
    }

    /// Events, as an analyst.
    pub fn event_log(&self) -> anyhow::Result<EventServiceClient<GrpcChannel>> {
        Ok(EventServiceClient::new(self.channel("analyst", Role::Analyst)?))
    }

    /// An agent with a phone that answers soon. The first agent speaks 1000 Hz, the second 1700, the third 2300.
    pub async fn agent(&self, name: &str) -> anyhow::Result<AgentDesk> {
        self.agent_with(name, PhoneBehaviour::AnswersAfter(ANSWERS_AFTER_MS), true).await
    }

    /// An agent with this behaviour of the phone, with or without a voicemail box.
    pub async fn agent_with(
        &self,
        name: &str,
        behaviour: PhoneBehaviour,
        voicemail: bool,
    ) -> anyhow::Result<AgentDesk> {
        let number = self.access.phones.fetch_add(1, Ordering::Relaxed) + 1;
        let phone = self.phones()?.put(&format!("phone-{number}"), behaviour).await?;
        self.agent_at(name, &phone, voicemail).await
    }

    /// An agent with this phone, which others may have as well.
    pub async fn agent_at(&self, name: &str, phone: &Phone, voicemail: bool) -> anyhow::Result<AgentDesk> {
        let agent = presence::Agent {
            name: name.to_owned(),
            email: format!("{}@example.com", name.to_lowercase().replace(' ', ".")),
            phone: phone.address.clone(),
            voicemail,
            ..presence::Agent::default()
        };
        let request = presence::CreateAgentRequest { request_id: fresh(), agent: Some(agent) };
        let answer = self.directory()?.create_agent(request).await.with_context(|| format!("creating {name}"))?;
        let agent = answer.into_inner().agent.context("the answer has no agent")?;
        let channel = self.channel(&agent.agent_id, Role::Agent)?;
        Ok(AgentDesk::new(agent, phone.tone_hz as u32, channel, self.as_supervisor()?))
    }

    /// A team of these agents; its id.
    pub async fn team(&self, name: &str, members: &[&AgentDesk]) -> anyhow::Result<String> {
        let team = presence::Team {
            name: name.to_owned(),
            agent_ids: members.iter().map(|it| it.id().to_owned()).collect(),
            ..presence::Team::default()
        };
        let request = presence::CreateTeamRequest { request_id: fresh(), team: Some(team) };
        let answer = self.directory()?.create_team(request).await.with_context(|| format!("creating team {name}"))?;
        Ok(answer.into_inner().team.context("the answer has no team")?.team_id)
    }

    /// A queue; its id. Without a name it gets a fresh one.
    pub async fn queue(&self, queue: routing::Queue) -> anyhow::Result<String> {
        let name = if queue.name.is_empty() { format!("queue {}", fresh()) } else { queue.name.clone() };
        let queue = Some(routing::Queue { name, ..queue });
        let request =
            routing::UpdateQueueRequest { request_id: fresh(), queue, update_mask: None, allow_missing: true };
        let answer = self.routing()?.update_queue(request).await.context("making a queue")?;
        Ok(answer.into_inner().queue.context("the answer has no queue")?.queue_id)
    }

    /// What an agent can do: each skill with its level.
    pub async fn skills(&self, agent: &AgentDesk, skills: &[(&str, i32)]) -> anyhow::Result<()> {
        let skills = skills.iter().map(|(name, level)| Skill { name: (*name).to_owned(), level: *level }).collect();
        let agent = Some(presence::Agent { agent_id: agent.id().to_owned(), skills, ..presence::Agent::default() });
        let request = presence::UpdateAgentRequest { request_id: fresh(), agent, update_mask: None };
        self.directory()?.update_agent(request).await.context("setting skills")?;
        Ok(())
    }

    /// A site at which these agents work; its id.
    pub async fn site(&self, name: &str, agents: &[&AgentDesk]) -> anyhow::Result<String> {
        let site = presence::Site { name: name.to_owned(), ..presence::Site::default() };
        let request = presence::CreateSiteRequest { request_id: fresh(), site: Some(site) };
        let answer = self.directory()?.create_site(request).await.with_context(|| format!("creating site {name}"))?;
        let site_id = answer.into_inner().site.context("the answer has no site")?.site_id;
        for desk in agents {
            let agent_id = desk.id().to_owned();
            let agent = presence::Agent { agent_id, site_id: site_id.clone(), ..presence::Agent::default() };
            let request =
                presence::UpdateAgentRequest { request_id: fresh(), agent: Some(agent), ..Default::default() };
            self.directory()?
                .update_agent(request)
                .await
                .with_context(|| format!("{} works at {name}", desk.name()))?;
        }
        Ok(site_id)
    }

    /// A number with a call flow of these steps; the number.
    pub async fn number(&self, steps: Vec<Step>) -> anyhow::Result<String> {
        self.number_with(steps, false).await
    }

    /// The same; with `skip_voicemail`, unanswered transfers go to the next step and not to a voicemail box (B102).
    pub async fn number_with(&self, steps: Vec<Step>, skip_voicemail: bool) -> anyhow::Result<String> {
        let number = random_number("+3225");
        self.entry(&number, steps, skip_voicemail).await?;
        Ok(number)
    }

    /// A number, or an entry for chats, with a call flow of these steps.
    pub(crate) async fn entry(&self, number: &str, steps: Vec<Step>, skip_voicemail: bool) -> anyhow::Result<()> {
        let flow = routing::CallFlow {
            name: format!("flow {} of {number}", fresh()),
            steps: steps.into_iter().map(|it| routing::CallFlowStep { step: Some(it) }).collect(),
            skip_voicemail,
            ..routing::CallFlow::default()
        };
        let request = routing::UpdateCallFlowRequest {
            request_id: fresh(),
            call_flow: Some(flow),
            update_mask: None,
            allow_missing: true,
        };
        let answer = self.routing()?.update_call_flow(request).await.context("making a call flow")?;
        let call_flow_id = answer.into_inner().call_flow.context("the answer has no call flow")?.call_flow_id;
        let entry = routing::Number { number: number.to_owned(), call_flow_id, ..routing::Number::default() };
        let request = routing::UpdateNumberRequest {
            request_id: fresh(),
            number: Some(entry),
            update_mask: None,
            allow_missing: true,
        };
        self.routing()?.update_number(request).await.context("making a number")?;
        Ok(())
    }

    /// An IVR flow of these elements, for round trips or not; its id.
    pub async fn ivr_flow(&self, elements: Vec<Element>, round_trip: bool) -> Result<String, Status> {
        let element = |it| IvrElement { label: String::new(), element: Some(it) };
        let elements = elements.into_iter().map(element).collect();
        let flow = routing::IvrFlow { name: fresh(), elements, round_trip, ..routing::IvrFlow::default() };
        let request = routing::UpdateIvrFlowRequest {
            request_id: fresh(),
            ivr_flow: Some(flow),
            update_mask: None,
            allow_missing: true,
        };
        let mut routing = self.routing().map_err(|error| Status::internal(format!("{error:#}")))?;
        Ok(routing.update_ivr_flow(request).await?.into_inner().ivr_flow.unwrap_or_default().ivr_flow_id)
    }

    /// Sets which calls of a number are recorded.
    pub async fn record(&self, number: &str, mode: RecordingMode) -> anyhow::Result<()> {
        let settings = NumberRecordingSettings {
            number: number.to_owned(),
            mode: mode.into(),
            ..NumberRecordingSettings::default()
        };
        let request = UpdateNumberSettingsRequest { request_id: fresh(), settings: Some(settings), update_mask: None };
        let mut recording = RecordingServiceClient::new(self.as_admin()?);
        recording.update_number_settings(request).await.context("setting what is recorded")?;
        Ok(())
    }

    /// Allows agents to call outside numbers with this prefix.
    pub async fn allow(&self, prefix: &str) -> anyhow::Result<()> {
        let rule = Some(routing::DialRule { prefix: prefix.to_owned(), ..routing::DialRule::default() });
        let request =
            routing::UpdateDialRuleRequest { request_id: fresh(), rule, update_mask: None, allow_missing: true };
        self.routing()?.update_dial_rule(request).await.with_context(|| format!("allowing {prefix}"))?;
        Ok(())
    }

    /// A number outside to which agents can transfer; its id.
    pub async fn external_number(&self, name: &str, number: &str, forwarding: bool) -> anyhow::Result<String> {
        let external_number = Some(routing::ExternalNumber {
            name: name.to_owned(),
            number: number.to_owned(),
            user_number_forwarding: forwarding,
            ..routing::ExternalNumber::default()
        });
        let request = routing::UpdateExternalNumberRequest {
            request_id: fresh(),
            external_number,
            update_mask: None,
            allow_missing: true,
        };
        let answer = self.routing()?.update_external_number(request).await.with_context(|| format!("making {name}"))?;
        Ok(answer.into_inner().external_number.context("the answer is empty")?.external_number_id)
    }

    /// A phone outside, with a tone of 1,700 Hz, as a second agent would have. Its number begins with +3247, and is its address.
    pub async fn outsider(&self, behaviour: PhoneBehaviour) -> anyhow::Result<String> {
        let number = random_number("+3247");
        self.phones()?.put_with_tone(&number, OUTSIDER_HZ, behaviour).await?;
        Ok(number)
    }

    /// A customer's phone with a tone of 440 Hz. Its number begins with +3247, and is its address.
    pub async fn customer(&self, behaviour: PhoneBehaviour) -> anyhow::Result<String> {
        let number = random_number("+3247");
        self.phones()?.put_with_tone(&number, CUSTOMER_HZ.cast_signed(), behaviour).await?;
        Ok(number)
    }

    /// A customer calls; returns when the interaction is known.
    pub async fn call(&self, number: &str) -> anyhow::Result<Call> {
        let customer = random_number("+3247");
        let leg_id = self.phones()?.call(&customer, number).await?;
        let interaction_id = eventually("the call becomes an interaction", BOUND, async || {
            let found = self.find_by_leg(&leg_id).await.map_err(|error| format!("{error:#}"))?;
            found.ok_or_else(|| "no such interaction".to_owned())
        })
        .await?;
        Ok(Call { interaction_id, leg_id, customer })
    }

    /// `leg_id`: the customer's leg on the switch.
    async fn find_by_leg(&self, leg_id: &str) -> anyhow::Result<Option<String>> {
        let filter = Some(transfer::InteractionFilter { leg_id: leg_id.to_owned(), ..Default::default() });
        let request = transfer::ListInteractionsRequest { filter, ..Default::default() };
        let page = self.interactions()?.list_interactions(request).await?.into_inner();
        Ok(page.interactions.into_iter().next().map(|it| it.interaction_id))
    }

    /// The interaction as a supervisor sees it.
    pub async fn interaction(&self, interaction_id: &str) -> anyhow::Result<transfer::Interaction> {
        let request = transfer::GetInteractionRequest { interaction_id: interaction_id.to_owned() };
        let answer = self.interactions()?.get_interaction(request).await?;
        answer.into_inner().interaction.context("the answer has no interaction")
    }

    /// Waits until the interaction is as expected.
    pub async fn until(
        &self,
        call: &Call,
        what: &str,
        is_it: impl Fn(&transfer::Interaction) -> bool,
    ) -> anyhow::Result<transfer::Interaction> {
        eventually(what, BOUND, async || {
            let seen = self.interaction(&call.interaction_id).await.map_err(|error| format!("{error:#}"))?;
            if is_it(&seen) { Ok(seen) } else { Err(format!("{seen:#?}")) }
        })
        .await
    }

    /// Waits until this agent has the customer, who is not on hold.
    pub async fn until_with(&self, call: &Call, desk: &AgentDesk) -> anyhow::Result<transfer::Interaction> {
        self.until(call, &format!("{} has the customer", desk.name()), |it| {
            it.state() == transfer::interaction::State::WithAgent
                && it.primary_agent_id == desk.id()
                && !it.customer_on_hold
        })
        .await
    }

    /// Waits until the interaction has ended.
    pub async fn until_ended(&self, call: &Call) -> anyhow::Result<transfer::Interaction> {
        self.until(call, "the interaction is over", |it| it.state() == transfer::interaction::State::Ended).await
    }
}

/// A step of a call flow: rings an agent.
pub fn ring(desk: &AgentDesk) -> Step {
    ring_for(desk, 0)
}

/// The same, for so long.
pub fn ring_for(desk: &AgentDesk, ring_ms: i64) -> Step {
    Step::RingAgent(RingAgent { agent_id: desk.id().to_owned(), ring_ms })
}

/// A step of a call flow: waits in a queue.
pub fn wait_in_queue(queue_id: &str) -> Step {
    Step::Queue(WaitInQueue { queue_id: queue_id.to_owned() })
}

/// A step of a call flow: rings a team's agents.
pub fn ring_team(team_id: &str, ring_ms: i64, wait_ms: i64) -> Step {
    Step::RingTeam(RingTeam { team_id: team_id.to_owned(), ring_ms, wait_ms })
}

/// A step of a call flow: takes a message.
pub fn voicemail(mailbox: &str) -> Step {
    Step::Voicemail(call_flow_step::Voicemail { mailbox: mailbox.to_owned() })
}

/// A step of a call flow: ends the call.
pub fn disconnect() -> Step {
    Step::Disconnect(Disconnect {})
}
