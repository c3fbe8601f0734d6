//! The tenant of the day, created through the public API: agents with phones, teams, numbers with their call flows, and the policy. What
//! it is like is the first that is written down.

use std::time::Duration;

use anyhow::Context as _;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{AddTeamMembersRequest, Agent, CreateAgentRequest, CreateTeamRequest, Team};
use baton_api::routing::v1::call_flow_step::{Disconnect, RingAgent, RingTeam, Step, Voicemail};
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{
    CallFlow, CallFlowStep, DialRule, Number, UpdateCallFlowRequest, UpdateDialRuleRequest, UpdateNumberRequest,
};
use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{Manual, PhoneBehaviour, PutPhoneRequest};
use baton_api::tenant::v1::tenant_service_client::TenantServiceClient;
use baton_api::tenant::v1::{CreateTenantRequest, Tenant, TenantGrants};
use baton_api::transfer::v1::policy_service_client::PolicyServiceClient;
use baton_api::transfer::v1::{Policy, UpdatePolicyRequest};
use baton_runtime::auth::{Caller, Role, TenantId};
use baton_runtime::client::GrpcChannel;
use baton_runtime::ids;
use serde_json::{Value, json};

use super::diary::Diary;
use super::plan::DIALLED;
use crate::client::refusal::OrRefusal as _;
use crate::demo::house::House;

/// How long an agent may work on after a call.
pub(super) const WRAP_UP: Duration = Duration::from_mins(1);
/// The names of the teams; the first has the most agents.
pub(super) const TEAMS: [&str; 3] = ["Sales", "Support", "Billing"];
/// How many numbers there are: one for each call flow of [`Office::flows`].
pub(super) const NUMBERS: usize = 3;

const TENANT: &str = "day";
/// Longer than the day.
const TOKEN_TTL: Duration = Duration::from_hours(24);
const RING_MS: i64 = 20_000;

/// Who works for the tenant, and how to speak in their names.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) agents: Vec<Worker>,
    pub(super) team_ids: Vec<String>,
    pub(super) numbers: Vec<String>,
    admin: GrpcChannel,
    simulator: GrpcChannel,
}

/// An agent.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: String,
    pub(super) phone: String,
    pub(super) channel: GrpcChannel,
}

impl Office {
    /// Creates the tenant.
    pub(super) async fn open(house: &House, agents: usize, diary: &Diary) -> anyhow::Result<Self> {
        let role =
            |role, name: &str| house.channel(&Caller::of_tenant(TENANT.parse::<TenantId>()?, name, role), TOKEN_TTL);
        let (admin, simulator) = (role(Role::Admin, "office")?, role(Role::Simulator, "phones")?);
        let mut office = Self { agents: Vec::new(), team_ids: Vec::new(), numbers: Vec::new(), admin, simulator };
        create_tenant(house).await.context("creating the tenant")?;
        office.set_policy().await.context("setting the policy")?;
        for no in 0..agents {
            let (id, phone) = office.hire(no).await.with_context(|| format!("creating agent {no}"))?;
            let channel = role(Role::Agent, &id)?;
            office.agents.push(Worker { id, phone, channel });
        }
        let now_us = || house.clock().now_us();
        diary.note(now_us(), "rules", json!({ "wrap_up_ms": WRAP_UP.as_millis() as u64 }));
        let ids: Vec<_> = office.agents.iter().map(|it| it.id.clone()).collect();
        diary.note(now_us(), "agents", json!({ "ids": ids }));
        for (no, name) in TEAMS.into_iter().enumerate() {
            office.form_team(no, name).await.with_context(|| format!("creating the team {name}"))?;
        }
        for (no, (name, steps)) in office.flows().into_iter().enumerate() {
            let number = format!("+322555{no:04}");
            office.publish(&number, name, &steps).await.with_context(|| format!("setting {number} up"))?;
            let steps: Vec<_> = steps.iter().map(step_value).collect();
            diary.note(now_us(), "number", json!({ "number": number, "steps": steps }));
            office.numbers.push(number);
        }
        let dialled = Some(DialRule { prefix: DIALLED.to_owned(), ..DialRule::default() });
        let request =
            UpdateDialRuleRequest { request_id: fresh(), rule: dialled, update_mask: None, allow_missing: true };
        RoutingServiceClient::new(office.admin()).update_dial_rule(request).await.or_refusal()?;
        // Somebody joins the last team later, so that a team's latest content is not its first.
        office.join(2, 1).await.context("adding a member to a team")?;
        for (no, team_id) in office.team_ids.iter().enumerate() {
            let members: Vec<_> = (0..agents).filter(|it| is_member(*it, no) || (no, *it) == (2, 1)).collect();
            diary.note(now_us(), "team", json!({ "team": team_id, "name": TEAMS[no], "agents": members }));
        }
        Ok(office)
    }

    /// The simulated phones.
    pub(super) fn phones(&self) -> SimulatorServiceClient<GrpcChannel> {
        SimulatorServiceClient::new(self.simulator.clone())
    }

    /// As somebody who may read everything.
    pub(super) fn admin(&self) -> GrpcChannel {
        self.admin.clone()
    }

    async fn set_policy(&self) -> anyhow::Result<()> {
        let overrides_toml = format!(
            "[interaction]\nwrap_up_ms = {}\nwhen_nobody = \"wait\"\n\
             [methods.cold.offer]\nwhen_nobody = \"wait\"\n[methods.warm.offer]\nwhen_nobody = \"wait\"\n",
            WRAP_UP.as_millis()
        );
        let policy = Policy { profile: "lead_center".to_owned(), overrides_toml, ..Policy::default() };
        let request = UpdatePolicyRequest { request_id: fresh(), policy: Some(policy), update_mask: None };
        PolicyServiceClient::new(self.admin()).update_policy(request).await.or_refusal()?;
        Ok(())
    }

    /// Makes a phone, or has it behave otherwise.
    pub(super) async fn put_phone(&self, address: &str, behaviour: Behaviour) -> anyhow::Result<()> {
        let (address, behaviour) = (address.to_owned(), Some(PhoneBehaviour { behaviour: Some(behaviour) }));
        let request = PutPhoneRequest { request_id: fresh(), address, tone_hz: 0, behaviour };
        self.phones().put_phone(request).await.or_refusal()?;
        Ok(())
    }

    async fn hire(&self, no: usize) -> anyhow::Result<(String, String)> {
        let phone = format!("phone-{no}");
        self.put_phone(&phone, Behaviour::Manual(Manual {})).await?;
        let agent = Agent {
            name: format!("Agent {no}"),
            email: format!("agent-{no}@example.com"),
            phone: phone.clone(),
            voicemail: no.is_multiple_of(2),
            ..Agent::default()
        };
        let request = CreateAgentRequest { request_id: fresh(), agent: Some(agent) };
        let created = DirectoryServiceClient::new(self.admin()).create_agent(request).await.or_refusal()?;
        Ok((created.agent.context("the answer is empty")?.agent_id, phone))
    }

    async fn form_team(&mut self, no: usize, name: &str) -> anyhow::Result<()> {
        let members = self.agents.iter().enumerate().filter(|(agent, _)| is_member(*agent, no));
        let agent_ids = members.map(|(_, it)| it.id.clone()).collect();
        let team = Team { name: name.to_owned(), agent_ids, ..Team::default() };
        let request = CreateTeamRequest { request_id: fresh(), team: Some(team) };
        let created = DirectoryServiceClient::new(self.admin()).create_team(request).await.or_refusal()?;
        self.team_ids.push(created.team.context("the answer is empty")?.team_id);
        Ok(())
    }

    async fn join(&self, team: usize, agent: usize) -> anyhow::Result<()> {
        let team_id = self.team_ids.get(team).cloned().unwrap_or_default();
        let agent_ids = self.agents.get(agent).map(|it| it.id.clone()).into_iter().collect();
        let request = AddTeamMembersRequest { request_id: fresh(), team_id, agent_ids };
        DirectoryServiceClient::new(self.admin()).add_team_members(request).await.or_refusal()?;
        Ok(())
    }

    /// The call flows, with their names.
    fn flows(&self) -> [(&'static str, Vec<Step>); NUMBERS] {
        let team = |no: usize, wait_ms| {
            Step::RingTeam(RingTeam { team_id: self.team_ids[no].clone(), ring_ms: RING_MS, wait_ms })
        };
        let agent = |no: usize| Step::RingAgent(RingAgent { agent_id: self.agents[no].id.clone(), ring_ms: 15_000 });
        [
            ("Sales, then Support", vec![team(0, 150_000), team(1, 60_000), voicemail("sales")]),
            ("Support", vec![team(1, 300_000), Step::Disconnect(Disconnect {})]),
            ("Billing's lead, then Billing", vec![agent(2), team(2, 240_000), voicemail("billing")]),
        ]
    }

    async fn publish(&self, number: &str, name: &str, steps: &[Step]) -> anyhow::Result<()> {
        let mut routing = RoutingServiceClient::new(self.admin());
        let steps = steps.iter().map(|step| CallFlowStep { step: Some(step.clone()) }).collect();
        let flow = CallFlow { name: name.to_owned(), steps, ..CallFlow::default() };
        let call_flow = Some(flow);
        let request = UpdateCallFlowRequest { request_id: fresh(), call_flow, update_mask: None, allow_missing: true };
        let flow = routing.update_call_flow(request).await.or_refusal()?.call_flow.unwrap_or_default();
        let number = Some(Number { number: number.to_owned(), call_flow_id: flow.call_flow_id, ..Number::default() });
        let request = UpdateNumberRequest { request_id: fresh(), number, update_mask: None, allow_missing: true };
        routing.update_number(request).await.or_refusal()?;
        Ok(())
    }
}

/// As the operator of the installation.
async fn create_tenant(house: &House) -> anyhow::Result<()> {
    let tenant = Tenant {
        tenant_id: TENANT.to_owned(),
        display_name: "A day".to_owned(),
        entitlements: vec!["warm_transfer".to_owned()],
        grants: Some(TenantGrants { numbers: vec!["+".to_owned()], destinations: vec!["+".to_owned()] }),
        ..Tenant::default()
    };
    let operator = house.channel(&Caller::operator("office"), TOKEN_TTL)?;
    let request = CreateTenantRequest { request_id: fresh(), tenant: Some(tenant) };
    TenantServiceClient::new(operator).create_tenant(request).await.or_refusal()?;
    Ok(())
}

/// Two of five agents are in each of the first two teams, one in the third; every seventh is in the next one, too.
fn is_member(agent: usize, team: usize) -> bool {
    let own = [0, 1, 2, 0, 1][agent % 5];
    own == team || (agent % 7 == 6 && (own + 1) % TEAMS.len() == team)
}

fn voicemail(mailbox: &str) -> Step {
    Step::Voicemail(Voicemail { mailbox: mailbox.to_owned() })
}

fn step_value(step: &Step) -> Value {
    match step {
        Step::RingAgent(it) => json!({ "kind": "agent", "agent": it.agent_id, "ring_ms": it.ring_ms }),
        Step::RingTeam(it) => {
            json!({ "kind": "team", "team": it.team_id, "ring_ms": it.ring_ms, "wait_ms": it.wait_ms })
        }
        Step::Voicemail(it) => json!({ "kind": "voicemail", "mailbox": it.mailbox }),
        Step::Disconnect(_) => json!({ "kind": "disconnect" }),
        Step::Queue(it) => json!({ "kind": "queue", "queue": it.queue_id }),
    }
}

/// Each intent has an id of its own.
pub(super) fn fresh() -> String {
    ids::new_uuid().to_string()
}
