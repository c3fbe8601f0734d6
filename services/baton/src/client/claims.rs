//! What a token says of its bearer, to be compared with what the command line says.
//!
//! A token decides in whose name a command runs, whatever else is said: without the comparison, a command could change another tenant
//! than the one that it names. Nothing is verified here, which is the server's to do; what can't be read, it refuses.

use baton_runtime::auth::{Role, TenantId};
use jsonwebtoken::dangerous::insecure_decode_claims;
use serde::Deserialize;
use uuid::Uuid;

use super::session::Principal;
use crate::failure::UsageError;

/// Where a token, or a tenant, was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatedIn {
    CommandLine,
    Context,
}

/// Texts, so that a token of a later version is read, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct StatedClaims {
    sub: String,
    tenant: Option<String>,
    role: String,
}

#[derive(Debug, Clone)]
pub(super) struct BearerClaims {
    stated: StatedClaims,
    source: StatedIn,
}

impl BearerClaims {
    /// `None` if it is no token that can be read.
    pub(super) fn of(token: &str, source: StatedIn) -> Option<Self> {
        Some(Self { stated: insecure_decode_claims(token).ok()?, source })
    }

    /// A context's tenant is for tokens that have one.
    pub(super) fn check_tenant(&self, tenant: &TenantId, source: StatedIn) -> Result<(), UsageError> {
        let is_of = match &self.stated.tenant {
            Some(own) if own == tenant.as_str() => return Ok(()),
            None if source == StatedIn::Context => return Ok(()),
            Some(own) => format!("is of the tenant {own}"),
            None => format!("is for the role {} and belongs to no tenant", self.stated.role),
        };
        let (named, leave) = match source {
            StatedIn::CommandLine => (format!("--tenant names {tenant}"), "Leave out --tenant"),
            StatedIn::Context => (format!("the context's tenant is {tenant}"), "Use another context (--context)"),
        };
        Err(UsageError::new(format!(
            "{} {is_of}, and {named}: whose data is meant?\n  {leave}, or give a token of that tenant: `baton token --tenant {tenant}` mints one.",
            self.token()
        )))
    }

    /// The chat that a visitor's token is of.
    pub(super) fn visited_chat(&self) -> Option<&str> {
        (self.stated.role == Role::Visitor.name()).then_some(&self.stated.sub)
    }

    /// An agent's name is compared when it is known which agent that is: see [`BearerClaims::check_agent`].
    pub(super) fn check_acting(&self, acting: &Principal) -> Result<(), UsageError> {
        let is_agent = acting.role == Role::Agent;
        let is_theirs = acting.role.name() == self.stated.role && (is_agent || acting.subject == self.stated.sub);
        if is_theirs && is_agent && Uuid::try_parse(&acting.subject).is_ok() {
            return self.check_agent(&acting.subject, &acting.subject);
        }
        if is_theirs { Ok(()) } else { Err(self.other_bearer(acting.role, &acting.subject)) }
    }

    /// Whether the token is this agent's, whom the command line calls `name`.
    pub(super) fn check_agent(&self, agent_id: &str, name: &str) -> Result<(), UsageError> {
        let is_theirs = match (Uuid::try_parse(agent_id), Uuid::try_parse(&self.stated.sub)) {
            (Ok(agent), Ok(own)) => agent == own,
            _ => agent_id == self.stated.sub,
        };
        if is_theirs { Ok(()) } else { Err(self.other_bearer(Role::Agent, name)) }
    }

    fn other_bearer(&self, role: Role, subject: &str) -> UsageError {
        let (own_role, own) = (&self.stated.role, &self.stated.sub);
        UsageError::new(format!(
            "{} is for {own_role}:{own}, and --as says {role}:{subject}: in whose name?\n  Leave out --as, or give a token for {role}:{subject}: `baton token --role {role}` mints one.",
            self.token()
        ))
    }

    fn token(&self) -> &'static str {
        match self.source {
            StatedIn::CommandLine => "the token of --token or BATON_TOKEN",
            StatedIn::Context => "the context's token",
        }
    }
}

#[cfg(test)]
mod tests {
    use baton_runtime::auth::{Caller, SigningKey};

    use super::*;

    const ADA: &str = "01980000-0000-7000-8000-0000000000a1";
    /// `{"sub":"x","role":"astronaut","orbit":1}`
    const OF_A_LATER_VERSION: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4Iiwicm9sZSI6ImFzdHJvbmF1dCIsIm9yYml0IjoxfQ.c2ln";

    fn claims(role: Role, subject: &str) -> BearerClaims {
        let tenant = role.belongs_to_tenant().then(|| "demo".to_owned());
        let stated = StatedClaims { sub: subject.to_owned(), tenant, role: role.to_string() };
        BearerClaims { stated, source: StatedIn::CommandLine }
    }

    #[test]
    fn a_token_is_read_also_one_of_a_later_version_and_anything_else_is_the_servers_to_refuse() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_create(&folder.path().join("key")).unwrap();
        let caller = Caller::of_tenant("demo".parse().unwrap(), "eve", Role::Admin);
        let minted = key.mint(&caller, 0, std::time::Duration::from_secs(1)).unwrap();
        let read = BearerClaims::of(&minted, StatedIn::Context).unwrap();
        assert_eq!(read.stated, claims(Role::Admin, "eve").stated);
        assert_eq!(BearerClaims::of(OF_A_LATER_VERSION, StatedIn::Context).unwrap().stated.role, "astronaut");
        for wrong in ["", "t", "a.b", "a.b.c", "e30.e30.x", "..", "a.\u{1b}.c"] {
            assert!(BearerClaims::of(wrong, StatedIn::Context).is_none(), "{wrong}");
        }
    }

    #[test]
    fn only_a_visitors_token_is_of_a_chat() {
        assert_eq!(claims(Role::Visitor, "019").visited_chat(), Some("019"));
        assert_eq!(claims(Role::Agent, ADA).visited_chat(), None);
    }

    #[test]
    fn the_tenant_of_the_token_is_the_one_that_is_named() {
        let [demo, acme] = ["demo", "acme"].map(|it| it.parse::<TenantId>().unwrap());
        let token = claims(Role::Admin, "eve");
        assert!(token.check_tenant(&demo, StatedIn::CommandLine).is_ok());
        let refused = token.check_tenant(&acme, StatedIn::CommandLine).unwrap_err().to_string();
        assert!(refused.contains("tenant demo, and --tenant names acme"), "{refused}");
        assert!(refused.contains("`baton token --tenant acme`"), "{refused}");
        assert!(
            token.check_tenant(&acme, StatedIn::Context).unwrap_err().to_string().contains("context's tenant is acme")
        );
        let operator = claims(Role::Operator, "eve");
        assert!(operator.check_tenant(&demo, StatedIn::CommandLine).unwrap_err().to_string().contains("no tenant"));
        assert!(operator.check_tenant(&demo, StatedIn::Context).is_ok());
    }

    #[test]
    fn the_bearer_of_the_token_is_the_one_of_as() {
        let eve = claims(Role::Supervisor, "eve");
        let check = |token: &BearerClaims, acting: &str| token.check_acting(&acting.parse().unwrap());
        assert!(check(&eve, "supervisor:eve").is_ok());
        for other in ["supervisor:bob", "admin:eve", "agent:Ada", "simulator:eve"] {
            let refused = check(&eve, other).unwrap_err().to_string();
            assert!(refused.contains(other) && refused.contains("supervisor:eve"), "{refused}");
        }
        let ada = claims(Role::Agent, ADA);
        assert!(check(&ada, "agent:Ada").is_ok(), "a name is compared later");
        assert!(check(&ada, &format!("agent:{}", ADA.to_uppercase())).is_ok());
        assert!(check(&ada, &format!("agent:{}", ADA.replace("a1", "a2"))).is_err());
        assert!(ada.check_agent(ADA, "Ada").is_ok());
        assert!(ada.check_agent("b", "Ben").unwrap_err().to_string().contains("--as says agent:Ben"));
    }
}
