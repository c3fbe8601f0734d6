//! `baton tenant`: for whoever runs the installation.

use anyhow::Context as _;
use baton_api::tenant::v1::tenant_service_client::TenantServiceClient;
use baton_api::tenant::v1::{
    CreateTenantRequest, GetTenantRequest, ListTenantsRequest, ResumeTenantRequest, SuspendTenantRequest, Tenant,
    TenantGrants, TenantLimits, TenantState, UpdateTenantRequest,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use super::output::Column;
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::word;
use crate::failure::UsageError;

const TENANT: &str = "baton.tenant.v1.Tenant";

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// List all tenants.
    #[command(visible_alias = "ls")]
    List,
    /// Show a tenant with its plan.
    Show {
        /// The tenant's id.
        #[arg(value_name = "TENANT")]
        tenant_id: String,
    },
    /// Create a tenant; from then on its tokens are accepted.
    Create(TenantArgs),
    /// Change a tenant's name or plan; what is not given stays as it is.
    Update(TenantArgs),
    /// Refuse whatever a tenant asks for, and take no new calls of it; those that are live go on.
    Suspend {
        /// The tenant's id.
        #[arg(value_name = "TENANT")]
        tenant_id: String,
        /// Why, for those who look at it later.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a suspension.
    Resume {
        /// The tenant's id.
        #[arg(value_name = "TENANT")]
        tenant_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TenantArgs {
    /// The tenant's id: 1 to 63 of a-z, 0-9 and -.
    #[arg(value_name = "TENANT")]
    tenant_id: String,
    /// Its name for people.
    #[arg(long)]
    name: Option<String>,
    /// What its plan includes, for example `warm_transfer`; all of it, separated by commas. Empty for nothing.
    #[arg(long, value_name = "NAME,...")]
    entitlements: Option<String>,
    /// Which numbers its admins may put: how they begin, separated by commas, for example +322555; + for any. Empty for none.
    #[arg(long, value_name = "PREFIX,...")]
    numbers: Option<String>,
    /// Where its dial rules may lead: how numbers begin, separated by commas, for example +32; + for anywhere. Empty for nowhere.
    #[arg(long, value_name = "PREFIX,...")]
    destinations: Option<String>,
    /// Calls that it may have at the same time; 0 for no limit.
    #[arg(long, value_name = "NUMBER", value_parser = word::parse_count::<i32>)]
    calls: Option<i32>,
    /// Calls of the API that it may make a second; 0 for what the configuration says.
    #[arg(long, value_name = "NUMBER", value_parser = word::parse_count::<i32>)]
    calls_per_second: Option<i32>,
    /// Changes that it may make a second; 0 for what the configuration says.
    #[arg(long, value_name = "NUMBER", value_parser = word::parse_count::<i32>)]
    changes_per_second: Option<i32>,
    /// How much it may store, in MiB; 0 for what the configuration says.
    #[arg(long, value_name = "MIB", value_parser = word::parse_count::<i32>)]
    storage: Option<i32>,
}

pub(crate) async fn run(session: &ClientSession, command: TenantCommand) -> anyhow::Result<()> {
    match command {
        TenantCommand::List => list(session).await,
        TenantCommand::Show { tenant_id } => show(session, tenant_id).await,
        TenantCommand::Create(args) => create(session, args).await,
        TenantCommand::Update(args) => update(session, args).await,
        TenantCommand::Suspend { tenant_id, reason } => suspend(session, tenant_id, reason).await,
        TenantCommand::Resume { tenant_id } => resume(session, tenant_id).await,
    }
}

fn client(session: &ClientSession) -> anyhow::Result<TenantServiceClient<GrpcChannel>> {
    Ok(TenantServiceClient::new(session.channel_for_role(Role::Operator)?))
}

const COLUMNS: [Column; 5] = [
    Column::always("tenant"),
    Column::state("state"),
    Column::always("plan"),
    Column::always("calls"),
    Column::if_room("name"),
];

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let (mut client, mut tenants, mut page_token) = (client(session)?, Vec::new(), String::new());
    loop {
        let page = client.list_tenants(ListTenantsRequest { page_size: 0, page_token }).await.or_refusal()?;
        tenants.extend(page.tenants);
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    session.out.list(TENANT, &tenants, &COLUMNS, |it| {
        let plan = word::or_dash(it.entitlements.join(", "));
        vec![
            it.tenant_id.clone(),
            state(it),
            plan,
            word::call_limit(limits(it).live_interactions),
            word::or_dash(it.display_name.clone()),
        ]
    })
}

async fn show(session: &ClientSession, tenant_id: String) -> anyhow::Result<()> {
    let tenant = client(session)?.get_tenant(GetTenantRequest { tenant_id }).await.or_refusal()?.tenant;
    print(session, tenant)
}

async fn create(session: &ClientSession, args: TenantArgs) -> anyhow::Result<()> {
    let (tenant, _) = args.fields();
    let request = CreateTenantRequest { request_id: session.request_id(), tenant: Some(tenant) };
    print(session, client(session)?.create_tenant(request).await.or_refusal()?.tenant)
}

async fn update(session: &ClientSession, args: TenantArgs) -> anyhow::Result<()> {
    let (tenant, paths) = args.fields();
    if paths.is_empty() {
        return Err(UsageError::new(
            "say what is to change: --name, --entitlements, --numbers, --destinations, --calls, --calls-per-second, --changes-per-second or --storage",
        )
        .into());
    }
    let update_mask = Some(FieldMask { paths: paths.into_iter().map(str::to_owned).collect() });
    let request = UpdateTenantRequest { request_id: session.request_id(), tenant: Some(tenant), update_mask };
    print(session, client(session)?.update_tenant(request).await.or_refusal()?.tenant)
}

async fn suspend(session: &ClientSession, tenant_id: String, reason: Option<String>) -> anyhow::Result<()> {
    let reason = reason.unwrap_or_default();
    let request = SuspendTenantRequest { request_id: session.request_id(), tenant_id, reason };
    print(session, client(session)?.suspend_tenant(request).await.or_refusal()?.tenant)
}

async fn resume(session: &ClientSession, tenant_id: String) -> anyhow::Result<()> {
    let request = ResumeTenantRequest { request_id: session.request_id(), tenant_id };
    print(session, client(session)?.resume_tenant(request).await.or_refusal()?.tenant)
}

impl TenantArgs {
    /// The tenant with what was given, and the names of those fields.
    fn fields(self) -> (Tenant, Vec<&'static str>) {
        let given = [
            self.name.is_some().then_some("display_name"),
            self.entitlements.is_some().then_some("entitlements"),
            self.calls.is_some().then_some("limits.live_interactions"),
            self.calls_per_second.is_some().then_some("limits.calls_per_second"),
            self.changes_per_second.is_some().then_some("limits.changes_per_second"),
            self.storage.is_some().then_some("limits.stored_mib"),
            self.numbers.is_some().then_some("grants.numbers"),
            self.destinations.is_some().then_some("grants.destinations"),
        ];
        let tenant = Tenant {
            tenant_id: self.tenant_id,
            display_name: self.name.unwrap_or_default(),
            entitlements: listed(self.entitlements),
            grants: Some(TenantGrants { numbers: listed(self.numbers), destinations: listed(self.destinations) }),
            limits: Some(TenantLimits {
                live_interactions: self.calls.unwrap_or_default(),
                calls_per_second: self.calls_per_second.unwrap_or_default(),
                changes_per_second: self.changes_per_second.unwrap_or_default(),
                stored_mib: self.storage.unwrap_or_default(),
            }),
            ..Tenant::default()
        };
        (tenant, given.into_iter().flatten().collect())
    }
}

/// What stands between commas.
fn listed(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn print(session: &ClientSession, tenant: Option<Tenant>) -> anyhow::Result<()> {
    let tenant = tenant.context("the answer is empty")?;
    session.out.one(TENANT, &tenant, |it| {
        format!(
            "Tenant {}\n  name     {}\n  state    {}\n  plan     {}\n  calls    {}\n  numbers  {}\n  dials    {}\n  rates    {}\n  stored   {}",
            it.tenant_id,
            word::or_dash(it.display_name.clone()),
            state(it),
            word::or_dash(it.entitlements.join(", ")),
            word::call_limit(limits(it).live_interactions),
            word::granted(it.grants.as_ref().map_or(&[], |it| &it.numbers)),
            word::granted(it.grants.as_ref().map_or(&[], |it| &it.destinations)),
            word::rates(limits(it).calls_per_second, limits(it).changes_per_second),
            stored(it),
        )
    })
}

fn state(tenant: &Tenant) -> String {
    match (tenant.state(), tenant.suspend_reason.as_str()) {
        (TenantState::Suspended, "") => "suspended".to_owned(),
        (TenantState::Suspended, reason) => format!("suspended: {reason}"),
        (TenantState::Active | TenantState::Unspecified, _) => "active".to_owned(),
    }
}

fn limits(tenant: &Tenant) -> TenantLimits {
    tenant.limits.unwrap_or_default()
}

fn stored(tenant: &Tenant) -> String {
    let mib = tenant.stored_bytes / (1024 * 1024);
    format!("{mib} MiB, {}", word::storage_limit(limits(tenant).stored_mib))
}
