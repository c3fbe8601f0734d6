//! Tokens of a site's own issuer, from the configuration to the call: tenant, role and agent are what its claims say, and a withdrawn key ends
//! them.

#[path = "../../libs/runtime/src/auth/issuers/test_keys.rs"]
mod test_keys;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{Agent, CreateAgentRequest, ListAgentsRequest, ListInboxRequest};
use baton_api::tenant::v1::tenant_service_client::TenantServiceClient;
use baton_api::tenant::v1::{CreateTenantRequest, Tenant};
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey};
use baton_runtime::client::GrpcChannel;
use baton_testkit::{BOUND, eventually};
use serde_json::{Value, json};
use tonic::Status;

use self::test_keys::{TestKey, jwks};
use crate::harness::{Scenario, alone, now_us};

const AGENT: &str = "0192aaaa-0000-7000-8000-00000000000a";
const CONFIGURATION: &str = r#"
    [[auth.issuers]]
    issuer = "https://staff.example"
    audience = "baton"
    jwks_file = "staff.json"
    roles = ["operator"]

    [[auth.issuers]]
    issuer = "https://id.example"
    audience = "baton"
    jwks_file = "people.json"
    tenants = ["acme"]
    roles = ["admin", "agent"]
    role_claim = "/realm_access/roles"
    agent_claim = "oid"
"#;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![identity_is_what_the_sites_own_issuers_say_and_no_more]
}

/// A Baton whose clients have tokens of two issuers.
struct Site {
    folder: tempfile::TempDir,
    child: Child,
    address: String,
}

impl Site {
    async fn start(binary: &Path, staff: &TestKey, people: &TestKey) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("staff.json"), jwks(&[staff]))?;
        fs::write(folder.path().join("people.json"), jwks(&[people]))?;
        fs::write(folder.path().join("baton.toml"), CONFIGURATION)?;
        let output = folder.path().join("up.out");
        let child = Command::new(binary)
            .args(["up", "--exit-with-stdin", "--listen", "127.0.0.1:0", "--data", "data", "--config", "baton.toml"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(File::create(&output)?)
            .spawn()?;
        let mut this = Self { folder, child, address: String::new() };
        let said = eventually("`up` says whose tokens it takes", BOUND, async || {
            let said = fs::read_to_string(&output).unwrap_or_default();
            if said.contains("Clients need tokens of ") { Ok(said) } else { Err(said) }
        })
        .await?;
        anyhow::ensure!(said.contains("https://staff.example, https://id.example") && !said.contains("Ada"), "{said}");
        let address = said.lines().next().and_then(|line| line.split_whitespace().last());
        address.context("no address")?.clone_into(&mut this.address);
        Ok(this)
    }

    fn with(&self, token: &str) -> anyhow::Result<GrpcChannel> {
        Ok(GrpcChannel::anonymous(&self.address, Clock::real())?.with_token(token)?)
    }

    async fn list_agents(&self, token: &str) -> anyhow::Result<Result<Vec<Agent>, Status>> {
        let listed = DirectoryServiceClient::new(self.with(token)?).list_agents(ListAgentsRequest::default()).await;
        Ok(listed.map(|it| it.into_inner().agents))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It ends with its standard input, and its switch with it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The good claims with others in their place.
fn claims(issuer: &str, others: &Value) -> Value {
    let mut claims = json!({"iss": issuer, "aud": "baton", "sub": "eve", "exp": now_us() / 1_000_000 + 600});
    for (name, value) in others.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

fn refusal<T>(answer: Result<T, Status>) -> anyhow::Result<(ErrorReason, String)> {
    let status = answer.err().context("it was not refused")?;
    let error = ApiError::from_status(&status).context("the refusal has no reason")?;
    Ok((error.reason, error.message))
}

async fn identity_is_what_the_sites_own_issuers_say_and_no_more(binary: PathBuf) -> anyhow::Result<()> {
    let (staff, people) = (TestKey::of("staff", "EdDSA"), TestKey::of("people", "RS256"));
    let site = Site::start(&binary, &staff, &people).await?;
    let of_people = |others: Value| people.token(&claims("https://id.example", &others));
    let admin = of_people(json!({"realm_access": {"roles": ["admin", "offline_access"]}}));
    let agent = of_people(json!({"realm_access": {"roles": ["agent"]}, "oid": AGENT.to_uppercase()}));

    // The operator comes from the one issuer, and from no other.
    let create = CreateTenantRequest {
        request_id: "acme".to_owned(),
        tenant: Some(Tenant { tenant_id: "acme".to_owned(), ..Tenant::default() }),
    };
    let operator = of_people(json!({"realm_access": {"roles": ["operator"]}}));
    let refused = TenantServiceClient::new(site.with(&operator)?).create_tenant(create.clone()).await;
    anyhow::ensure!(refusal(refused)?.0 == ErrorReason::TokenInvalid);
    anyhow::ensure!(refusal(site.list_agents(&admin).await?)?.0 == ErrorReason::TenantUnknown);
    let operator = staff.token(&claims("https://staff.example", &json!({})));
    TenantServiceClient::new(site.with(&operator)?).create_tenant(create).await?;

    // An agent has the id that the issuer has for them, however it writes it.
    let ada = Agent { agent_id: AGENT.to_owned(), name: "Ada".to_owned(), phone: "ada".to_owned(), ..Agent::default() };
    let create = CreateAgentRequest { request_id: "ada".to_owned(), agent: Some(ada) };
    DirectoryServiceClient::new(site.with(&admin)?).create_agent(create).await?;
    anyhow::ensure!(site.list_agents(&admin).await??.len() == 1);
    PresenceServiceClient::new(site.with(&agent)?).list_inbox(ListInboxRequest::default()).await?;

    // The key of the data folder opens nothing here, nor does another one in the issuer's name.
    let own = SigningKey::load(&site.folder.path().join("data").join(SigningKey::FILE_NAME))?.context("no key")?;
    let caller = Caller::of_tenant("acme".parse()?, "eve", Role::Admin);
    let minted = own.mint(&caller, now_us(), std::time::Duration::from_mins(1))?;
    let (reason, said) = refusal(site.list_agents(&minted).await?)?;
    anyhow::ensure!(reason == ErrorReason::TokenInvalid && said.contains("auth.development_key"), "{said}");
    let forged = TestKey::new("people").token(&claims("https://id.example", &json!({})));
    anyhow::ensure!(refusal(site.list_agents(&forged).await?)?.0 == ErrorReason::TokenInvalid);

    // A key that is withdrawn takes its tokens along, and the new one is there.
    let new = TestKey::of("new", "ES384");
    let draft = site.folder.path().join("people.new");
    fs::write(&draft, jwks(&[&new]))?;
    fs::rename(draft, site.folder.path().join("people.json"))?;
    eventually("the old key is withdrawn", BOUND, async || match site.list_agents(&admin).await {
        Ok(Err(status)) if status.message().contains("does not publish the key") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let renewed = claims("https://id.example", &json!({"realm_access": {"roles": ["admin"]}}));
    anyhow::ensure!(site.list_agents(&new.token(&renewed)).await??.len() == 1);
    Ok(())
}
