//! `baton token`: mints a token with the data folder's own key.

use std::path::PathBuf;
use std::time::Duration;

use baton_runtime::Clock;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::output::{Output, OutputArgs};
use super::session::DEFAULT_TENANT;
use super::word;
use crate::failure::UsageError;
use crate::folder;

/// A server takes no longer one by default (`auth.max_token_days`).
const LONGEST_TTL: Duration = Duration::from_hours(90 * 24);

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Whose data its bearer sees; not for the roles operator and service, which belong to no tenant [default: demo].
    #[arg(long)]
    tenant: Option<TenantId>,
    /// agent, supervisor, admin, analyst, service-account, operator, service or simulator.
    #[arg(long)]
    role: Role,
    /// Who its bearer is; for an agent, the agent's id.
    #[arg(long)]
    subject: String,
    /// How long it is good: 90s, 30m, 1h, 7d; at most 90d.
    #[arg(long, default_value = "1h", value_parser = lifetime)]
    ttl: Duration,
    /// The data folder with the key.
    #[arg(long, value_name = "DIR", default_value = "./baton-data", conflicts_with = "key")]
    data: PathBuf,
    /// The key file, if it is not that of the data folder.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &TokenArgs) -> anyhow::Result<()> {
    let caller = caller(args)?;
    let file = args.key.clone().unwrap_or_else(|| folder::key_file(&args.data));
    let key = SigningKey::load(&file)?.ok_or_else(|| {
        let message =
            format!("there is no key at {}; name the data folder of a `baton up` with --data", file.display());
        UsageError::new(message)
    })?;
    let unusable = |error| UsageError::new(format!("--subject {:?}: {error}", args.subject));
    let token = key.mint(&caller, Clock::real().now_us(), args.ttl).map_err(unusable)?;
    Output::new(&args.output).value(&json!({ "token": token, "ttl_s": args.ttl.as_secs() }), &token)
}

/// A tenant that would not be in the token is a misunderstanding: the bearer sees more, or something else, than was meant.
fn tenant(args: &TokenArgs) -> Result<Option<TenantId>, UsageError> {
    match (&args.tenant, args.role.belongs_to_tenant()) {
        (Some(tenant), false) => Err(UsageError::new(format!(
            "a token for the role {} belongs to no tenant, and --tenant {tenant} would not be in it\n  Leave out --tenant, or choose a role of the tenant, such as supervisor or admin.",
            args.role
        ))),
        (None, false) => Ok(None),
        (Some(tenant), true) => Ok(Some(tenant.clone())),
        (None, true) => Ok(Some(DEFAULT_TENANT.parse().map_err(|error| UsageError(format!("{error}")))?)),
    }
}

/// Nobody can take a token back before its time is over, so that time is bounded.
fn lifetime(text: &str) -> Result<Duration, String> {
    let ttl = word::parse_duration(text)?;
    if ttl > LONGEST_TTL {
        return Err(format!(
            "is too long: a token is good for at most {}d, because nobody can take it back; mint a new one in time",
            LONGEST_TTL.as_secs() / 86_400
        ));
    }
    Ok(ttl)
}

fn caller(args: &TokenArgs) -> Result<Caller, UsageError> {
    if args.role == Role::Agent && Uuid::try_parse(&args.subject).is_err() {
        return Err(UsageError::new("an agent's subject is the agent's id (a UUID); `baton agent list` shows it"));
    }
    Ok(Caller { tenant: tenant(args)?, subject: args.subject.clone(), role: args.role })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(role: Role, tenant: Option<&str>) -> TokenArgs {
        TokenArgs {
            tenant: tenant.map(|it| it.parse().unwrap()),
            role,
            subject: "eve".to_owned(),
            ttl: Duration::from_hours(1),
            data: PathBuf::new(),
            key: None,
            output: OutputArgs::default(),
        }
    }

    #[test]
    fn n11_a_tenant_that_would_be_dropped_is_refused() {
        for role in [Role::Operator, Role::Service] {
            let refused = caller(&args(role, Some("acme"))).unwrap_err().to_string();
            assert!(refused.contains("--tenant acme"), "{refused}");
            assert_eq!(caller(&args(role, None)).unwrap().tenant, None);
        }
        let of = |tenant| caller(&args(Role::Supervisor, tenant)).unwrap().tenant.map(|it| it.to_string());
        assert_eq!((of(None).as_deref(), of(Some("acme")).as_deref()), (Some("demo"), Some("acme")));
    }

    #[test]
    fn n11_a_lifetime_has_a_bound() {
        assert_eq!(lifetime("90d"), Ok(LONGEST_TTL));
        assert!(lifetime("4000d").unwrap_err().contains("at most 90d"));
        assert!(lifetime("31536001s").is_err());
    }
}
