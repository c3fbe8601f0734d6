//! The demo tenant: agents, teams, a number with its call flow, and phones, so that there is something to try.
//!
//! It is created through the public API, with fixed ids and request ids: after a start that was killed halfway, the next one
//! creates the rest. A marker file in the data folder says that it is complete; what people change afterwards stays changed.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::common::v1::RecordingMode;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{Agent, CreateAgentRequest, CreateTeamRequest, Team};
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{NumberRecordingSettings, UpdateNumberSettingsRequest};
use baton_api::routing::v1::call_flow_step::{RingTeam, Step, Voicemail};
use baton_api::routing::v1::routing_service_client::RoutingServiceClient;
use baton_api::routing::v1::{CallFlow, CallFlowStep, Number, UpdateCallFlowRequest, UpdateNumberRequest};
use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{AnswersAfter, PhoneBehaviour, PutPhoneRequest};
use baton_api::tenant::v1::tenant_service_client::TenantServiceClient;
use baton_api::tenant::v1::{CreateTenantRequest, Tenant, TenantGrants};
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use baton_runtime::client::GrpcChannel;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::failure::{FailureKind, KnownFailure};

pub(crate) const TENANT: &str = "demo";
/// The number that customers call.
pub(crate) const NUMBER: &str = "+3225550100";
/// Display names; an agent's phone is the name in lower case.
pub(crate) const AGENTS: [&str; 4] = ["Ada", "Ben", "Cleo", "Dan"];

const MARKER: &str = "demo-tenant.made";
const TOKEN_TTL: Duration = Duration::from_mins(5);
const SALES: u128 = 0xb1;
const SUPPORT: u128 = 0xb2;
const TEAMS: [(u128, &str, [&str; 2]); 2] = [(SALES, "Sales", ["Ada", "Cleo"]), (SUPPORT, "Support", ["Ben", "Dan"])];
const FLOW: u128 = 0xf1;
const PHONE_ANSWERS_MS: i64 = 1_500;
const RING_MS: i64 = 20_000;
const WAIT_MS: i64 = 60_000;

/// An id of the demo tenant, the same in every installation.
fn id(number: u128) -> String {
    const BASE: u128 = 0x0198_0000_0000_7000_8000_0000_0000_0000;
    Uuid::from_u128(BASE + number).to_string()
}

pub(crate) fn agent_id(name: &str) -> String {
    let position = AGENTS.iter().position(|it| *it == name).unwrap_or(AGENTS.len());
    id(0xa1 + position as u128)
}

/// The teams, each with its id and display name.
pub(crate) fn teams() -> impl Iterator<Item = (String, &'static str)> {
    TEAMS.into_iter().map(|(number, name, _)| (id(number), name))
}

pub(crate) fn phone(name: &str) -> String {
    name.to_lowercase()
}

/// What has become of the demo tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DemoTenant {
    Unwanted,
    There,
    /// Nothing can be created now; the next start makes what is missing.
    Postponed,
}

/// Creates the demo tenant unless this data folder has had it. Where that is refused for now (as a rule the disk is nearly full), Baton
/// starts without it: whatever else there is, calls above all, is worth more.
pub(crate) async fn on_first_start(
    folder: &Path,
    address: &str,
    key: &SigningKey,
    clock: &Clock,
) -> anyhow::Result<DemoTenant> {
    let channel = GrpcChannel::anonymous(address, clock.clone())?;
    let marker = folder.join(MARKER);
    let made = async {
        make_tenant(&channel, key, clock).await?;
        if !marker.exists() {
            make(&channel, key, clock).await?;
            std::fs::write(&marker, "").with_context(|| marker.display().to_string())?;
        }
        anyhow::Ok(())
    };
    match made.await {
        Ok(()) => Ok(DemoTenant::There),
        Err(error) if is_not_now(&error) && marker.exists() => Ok(DemoTenant::There),
        Err(error) if is_not_now(&error) => {
            tracing::warn!("{}", postponed(&error));
            Ok(DemoTenant::Postponed)
        }
        Err(error) => Err(error),
    }
}

/// It is refused for as long as something lasts.
fn is_not_now(error: &anyhow::Error) -> bool {
    error.downcast_ref::<KnownFailure>().is_some_and(|it| it.kind == FailureKind::NotNow)
}

fn postponed(error: &anyhow::Error) -> String {
    format!(
        "the demo tenant (agents {}; teams, number {NUMBER}, phones) could not be made: {error}; mend that (where the disk is nearly \
         full, make room or set data.min_free_mib lower) and start again: the next start makes it",
        AGENTS.join(", ")
    )
}

/// As the operator does it. Also beside the data of an earlier version, whose tenants had no records.
async fn make_tenant(channel: &GrpcChannel, key: &SigningKey, clock: &Clock) -> anyhow::Result<()> {
    let operator = key.mint(&Caller::operator("baton-up"), clock.wall_us(), TOKEN_TTL)?;
    let tenant = Tenant {
        tenant_id: TENANT.to_owned(),
        display_name: "Demonstration".to_owned(),
        entitlements: vec!["warm_transfer".to_owned()],
        grants: Some(TenantGrants { numbers: vec!["+".to_owned()], destinations: vec!["+".to_owned()] }),
        ..Tenant::default()
    };
    let request = CreateTenantRequest { request_id: "seed-tenant".to_owned(), tenant: Some(tenant) };
    made(TenantServiceClient::new(channel.with_token(&operator)?).create_tenant(request).await)
}

pub(crate) async fn make(channel: &GrpcChannel, key: &SigningKey, clock: &Clock) -> anyhow::Result<()> {
    let as_role = |role| -> anyhow::Result<GrpcChannel> {
        let caller = Caller::of_tenant(TENANT.parse::<TenantId>()?, "baton-up", role);
        Ok(channel.with_token(&key.mint(&caller, clock.wall_us(), TOKEN_TTL)?)?)
    };
    make_tenant(channel, key, clock).await?;
    let admin = as_role(Role::Admin)?;
    let simulator = as_role(Role::Simulator)?;
    let (directory, phones) = tokio::join!(make_directory(&admin), make_phones(simulator));
    directory?;
    phones?;
    make_number(&admin).await
}

async fn make_directory(admin: &GrpcChannel) -> anyhow::Result<()> {
    let mut directory = DirectoryServiceClient::new(admin.clone());
    for name in AGENTS {
        let agent = Agent {
            agent_id: agent_id(name),
            name: name.to_owned(),
            email: format!("{}@example.com", phone(name)),
            phone: phone(name),
            voicemail: true,
            ..Agent::default()
        };
        let request_id = format!("seed-agent-{}", phone(name));
        made(directory.create_agent(CreateAgentRequest { request_id, agent: Some(agent) }).await)?;
    }
    for (number, name, members) in TEAMS {
        let agent_ids = members.iter().map(|it| agent_id(it)).collect();
        let team = Team { team_id: id(number), name: name.to_owned(), agent_ids, ..Team::default() };
        let request_id = format!("seed-team-{}", name.to_lowercase());
        made(directory.create_team(CreateTeamRequest { request_id, team: Some(team) }).await)?;
    }
    Ok(())
}

async fn make_number(admin: &GrpcChannel) -> anyhow::Result<()> {
    let mut routing = RoutingServiceClient::new(admin.clone());
    let flow = UpdateCallFlowRequest {
        request_id: "seed-flow".to_owned(),
        call_flow: Some(call_flow()),
        update_mask: None,
        allow_missing: true,
    };
    made(routing.update_call_flow(flow).await)?;
    let number = UpdateNumberRequest {
        request_id: "seed-number".to_owned(),
        number: Some(Number { number: NUMBER.to_owned(), call_flow_id: id(FLOW), ..Number::default() }),
        update_mask: None,
        allow_missing: true,
    };
    made(routing.update_number(number).await)?;
    let settings = NumberRecordingSettings {
        number: NUMBER.to_owned(),
        mode: RecordingMode::All.into(),
        ..NumberRecordingSettings::default()
    };
    let settings = UpdateNumberSettingsRequest {
        request_id: "seed-recording".to_owned(),
        settings: Some(settings),
        update_mask: None,
    };
    made(RecordingServiceClient::new(admin.clone()).update_number_settings(settings).await)
}

fn call_flow() -> CallFlow {
    let ring = RingTeam { team_id: id(SALES), ring_ms: RING_MS, wait_ms: WAIT_MS };
    let steps = [Step::RingTeam(ring), Step::Voicemail(Voicemail { mailbox: "sales".to_owned() })];
    CallFlow {
        call_flow_id: id(FLOW),
        name: "Sales, then voicemail".to_owned(),
        steps: steps.into_iter().map(|step| CallFlowStep { step: Some(step) }).collect(),
        ..CallFlow::default()
    }
}

/// One after the other: the switch gives each new phone the next tone of its list.
async fn make_phones(simulator: GrpcChannel) -> anyhow::Result<()> {
    let mut simulator = SimulatorServiceClient::new(simulator);
    for name in AGENTS {
        let answers = Behaviour::AnswersAfter(AnswersAfter { delay_ms: PHONE_ANSWERS_MS });
        let phone = PutPhoneRequest {
            request_id: format!("seed-phone-{}", phone(name)),
            address: phone(name),
            tone_hz: 0,
            behaviour: Some(PhoneBehaviour { behaviour: Some(answers) }),
        };
        made(simulator.put_phone(phone).await)?;
    }
    Ok(())
}

/// "Already exists" is success: an earlier start has created it, longer ago than request ids are kept.
fn made<T>(answer: Result<T, Status>) -> anyhow::Result<()> {
    match answer {
        Err(status) if status.code() != Code::AlreadyExists => Err(crate::client::refusal::of(&status)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_no_two_are_equal() {
        let mut ids: Vec<_> = AGENTS.into_iter().map(agent_id).chain([id(SALES), id(SUPPORT), id(FLOW)]).collect();
        assert!(ids.iter().all(|id| Uuid::try_parse(id).is_ok_and(|it| it.get_version_num() == 7)));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }
}
