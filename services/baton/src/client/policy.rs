//! `baton policy`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::transfer::v1::policy_service_client::PolicyServiceClient;
use baton_api::transfer::v1::{
    GetPolicyRequest, ListProfilesRequest, Policy, UpdatePolicyRequest, ValidatePolicyRequest,
};
use baton_runtime::auth::Role;
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use super::output::Column;
use super::refusal::OrRefusal;
use super::session::ClientSession;
use super::{output, word};
use crate::failure::{KnownFailure, UsageError};
use crate::policy_check::PolicyCheckArgs;

const POLICY: &str = "baton.transfer.v1.Policy";

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    #[command(flatten)]
    Tenants(TenantsPolicyCommand),
    /// Explore everything that can happen under a policy, and say what can go wrong, with the shortest way there; needs no server.
    Check(PolicyCheckArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantsPolicyCommand {
    /// Show the tenant's policy.
    Show,
    /// Set the tenant's whole policy: overrides that are not given are no longer there. It counts for calls that begin from then
    /// on; a call keeps the policy with which it began.
    Set(PolicySetArgs),
    /// Say whether a policy could be set, without setting it; prints all of it as it would be in force.
    Validate(PolicySetArgs),
    /// List the built-in profiles, or show one as TOML.
    Profiles {
        /// The profile to show.
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PolicySetArgs {
    /// The built-in profile that it stands on.
    #[arg(long)]
    profile: String,
    /// TOML with the fields that differ from the profile [default: none differ].
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
}

impl PolicySetArgs {
    fn policy(self) -> anyhow::Result<Policy> {
        let overrides_toml = match &self.overrides {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| UsageError::new(format!("--overrides {} can't be read: {error}", file.display())))?,
            None => String::new(),
        };
        Ok(Policy { profile: self.profile, overrides_toml, ..Policy::default() })
    }
}

pub(crate) async fn run(session: &ClientSession, command: TenantsPolicyCommand) -> anyhow::Result<()> {
    match command {
        TenantsPolicyCommand::Show => show(session).await,
        TenantsPolicyCommand::Set(args) => set(session, args).await,
        TenantsPolicyCommand::Validate(args) => validate(session, args).await,
        TenantsPolicyCommand::Profiles { name } => profiles(session, name).await,
    }
}

async fn show(session: &ClientSession) -> anyhow::Result<()> {
    let mut client = PolicyServiceClient::new(session.reader_channel()?);
    let policy = client.get_policy(GetPolicyRequest {}).await.or_refusal()?.policy.context("the answer is empty")?;
    session.out.one(POLICY, &policy, text)
}

async fn set(session: &ClientSession, args: PolicySetArgs) -> anyhow::Result<()> {
    let mut client = PolicyServiceClient::new(session.channel_for_role(Role::Admin)?);
    let before = client.get_policy(GetPolicyRequest {}).await.or_refusal()?.policy.unwrap_or_default();
    let had_overrides = !before.overrides_toml.trim().is_empty();
    // With the etag of what was read: an override that somebody else has set meanwhile is not lost unseen.
    let file = args.overrides.clone();
    let policy = Policy { etag: before.etag, ..args.policy()? };
    let request = UpdatePolicyRequest {
        request_id: session.request_id(),
        policy: Some(policy),
        update_mask: Some(FieldMask { paths: vec!["*".to_owned()] }),
    };
    let updated = client.update_policy(request).await.or_refusal().map_err(|error| named(error, file.as_deref()))?;
    let policy = updated.policy.context("the answer is empty")?;
    if had_overrides && policy.overrides_toml.trim().is_empty() {
        output::diagnostic("There were overrides, and now there are none; --overrides sets some.");
    }
    session.out.one(POLICY, &policy, text)
}

async fn validate(session: &ClientSession, args: PolicySetArgs) -> anyhow::Result<()> {
    let file = args.overrides.clone();
    let request = ValidatePolicyRequest { policy: Some(args.policy()?) };
    let mut client = PolicyServiceClient::new(session.reader_channel()?);
    let valid = client.validate_policy(request).await.or_refusal().map_err(|error| named(error, file.as_deref()))?;
    session.out.one("baton.transfer.v1.ValidatePolicyResponse", &valid, |it| it.toml.clone())
}

/// The error of overrides, with the name of their file.
fn named(error: anyhow::Error, overrides: Option<&Path>) -> anyhow::Error {
    let refused = error.downcast_ref::<KnownFailure>().map(|it| (it.kind, it.text.strip_prefix("overrides:")));
    match (refused, overrides) {
        (Some((kind, Some(rest))), Some(file)) => {
            KnownFailure { kind, text: format!("{}:{rest}", file.display()) }.into()
        }
        _ => error,
    }
}

fn text(policy: &Policy) -> String {
    let entitlements = word::or_dash(policy.entitlements.join(", "));
    let overrides = match policy.overrides_toml.trim() {
        "" => "none".to_owned(),
        overrides => format!("\n{overrides}"),
    };
    format!(
        "Policy version {}\n  profile       {}\n  entitlements  {entitlements}\n  overrides     {overrides}",
        policy.version, policy.profile
    )
}

async fn profiles(session: &ClientSession, name: Option<String>) -> anyhow::Result<()> {
    let mut client = PolicyServiceClient::new(session.reader_channel()?);
    let profiles = client.list_profiles(ListProfilesRequest::default()).await.or_refusal()?.profiles;
    let profile = "baton.transfer.v1.Profile";
    let Some(name) = name else {
        return session.out.list(profile, &profiles, &[Column::id("profile"), Column::always("what it is")], |it| {
            let first = it.toml.lines().next().unwrap_or_default();
            vec![it.name.clone(), first.trim_start_matches(['#', ' ']).to_owned()]
        });
    };
    let found = profiles.iter().find(|it| it.name == name);
    let missing =
        || KnownFailure::not_found(format!("there is no profile {name:?}; `baton policy profiles` lists them"));
    let found = found.ok_or_else(missing)?;
    session.out.one(profile, found, |it| it.toml.clone())
}

#[cfg(test)]
mod tests {
    use crate::failure::FailureKind;

    use super::*;

    #[test]
    fn an_error_in_overrides_names_their_file() {
        let failed = |text: &str| KnownFailure { kind: FailureKind::NotNow, text: text.to_owned() }.into();
        let wrong = || failed("overrides:3: there is no field `x`");
        assert_eq!(named(wrong(), Some(Path::new("bad1.toml"))).to_string(), "bad1.toml:3: there is no field `x`");
        assert_eq!(named(wrong(), None).to_string(), "overrides:3: there is no field `x`");
        assert_eq!(named(failed("no such profile"), Some(Path::new("bad1.toml"))).to_string(), "no such profile");
    }
}
