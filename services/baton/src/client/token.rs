//! `baton token`: mints a token with the data folder's own key.

use std::path::PathBuf;
use std::time::Duration;

use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::output::Output;
use super::word;
use crate::failure::UsageError;
use crate::folder;

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Whose data its bearer sees; none for the roles operator and service.
    #[arg(long, default_value = "demo")]
    tenant: TenantId,
    /// agent, supervisor, admin, analyst, service-account, operator, service or simulator.
    #[arg(long)]
    role: Role,
    /// Who its bearer is; for an agent, the agent's id.
    #[arg(long)]
    subject: String,
    /// How long it is good: 90s, 30m, 1h, 7d.
    #[arg(long, default_value = "1h", value_parser = word::parse_duration)]
    ttl: Duration,
    /// The data folder with the key.
    #[arg(long, value_name = "DIR", default_value = "./baton-data")]
    data: PathBuf,
    /// The key file, if it is not that of the data folder.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TokenArgs) -> anyhow::Result<()> {
    let caller = caller(args)?;
    let file = args.key.clone().unwrap_or_else(|| folder::key_file(&args.data));
    let key = SigningKey::load(&file)?.ok_or_else(|| {
        let message =
            format!("there is no key at {}; name the data folder of a `baton up` with --data", file.display());
        UsageError::new(message)
    })?;
    let token = key.mint(&caller, Clock::real().now_us(), args.ttl)?;
    Output { json: args.json }.value(&json!({ "token": token, "ttl_s": args.ttl.as_secs() }), &token);
    Ok(())
}

fn caller(args: &TokenArgs) -> Result<Caller, UsageError> {
    if args.role == Role::Agent && Uuid::try_parse(&args.subject).is_err() {
        return Err(UsageError::new("an agent's subject is the agent's id (a UUID); `baton agent list` shows it"));
    }
    let tenant = args.role.belongs_to_tenant().then(|| args.tenant.clone());
    Ok(Caller { tenant, subject: args.subject.clone(), role: args.role })
}
