//! The caller, for handlers.

use std::fmt;
use std::str::FromStr;

use baton_api::ApiError;
use serde::{Deserialize, Serialize};
use tonic::Status;

/// The role of a caller; [`super::access`] says which methods each may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes calls and hands them over.
    Agent,
    /// Looks after agents and their calls.
    Supervisor,
    /// Configures a tenant.
    Admin,
    /// Reads what happened.
    Analyst,
    /// A program of the tenant: a CRM, a dialler. It acts for agents whom it names.
    #[serde(rename = "service-account")]
    ServiceAccount,
    /// Runs the installation: creates tenants and grants their plans. Belongs to no tenant.
    Operator,
    /// A Baton service. Belongs to no tenant.
    Service,
    /// Drives the simulated switch.
    Simulator,
    /// A customer in one chat, whose interaction is the subject of the token.
    Visitor,
}

impl Role {
    /// All roles, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Agent,
        Self::Supervisor,
        Self::Admin,
        Self::Analyst,
        Self::ServiceAccount,
        Self::Operator,
        Self::Service,
        Self::Simulator,
        Self::Visitor,
    ];

    /// Whether its bearer sees the data of one tenant, and of no other.
    pub fn belongs_to_tenant(self) -> bool {
        !matches!(self, Self::Operator | Self::Service)
    }

    /// The word in the token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::ServiceAccount => "service-account",
            Self::Operator => "operator",
            Self::Service => "service",
            Self::Simulator => "simulator",
            Self::Visitor => "visitor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no role {text:?}; the roles are {names}")
        })
    }
}

/// The text is not a tenant's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's id is 1 to 63 characters of a-z, 0-9 and -, and does not begin with -")]
pub struct InvalidTenant;

/// A tenant's id: a slug, so that it can be part of a subject, a file name or an address as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TenantId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenant;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let slug = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        let valid = (1..=63).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(slug);
        if valid { Ok(Self(text)) } else { Err(InvalidTenant) }
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> Self {
        tenant.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The contents of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The tenant whose data the caller sees. `None` exactly for the roles that belong to none.
    pub tenant: Option<TenantId>,
    /// The caller's id within the tenant; for an agent, the agent's id.
    pub subject: String,
    pub role: Role,
}

impl Caller {
    pub fn of_tenant(tenant: TenantId, subject: impl Into<String>, role: Role) -> Self {
        Self { tenant: Some(tenant), subject: subject.into(), role }
    }

    /// Who runs the installation.
    pub fn operator(name: impl Into<String>) -> Self {
        Self { tenant: None, subject: name.into(), role: Role::Operator }
    }

    /// One of Baton's services.
    pub fn service(name: impl Into<String>) -> Self {
        Self { tenant: None, subject: name.into(), role: Role::Service }
    }

    /// The caller's tenant; an error for the roles that belong to none.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.tenant.as_ref().ok_or_else(|| {
            ApiError::permission_denied(format!(
                "The role {} belongs to no tenant; call this with a tenant's token.",
                self.role
            ))
        })
    }
}

/// Gets the caller from a request.
pub trait CallerExt {
    /// An error only for an open path, which needs no token.
    fn caller(&self) -> Result<&Caller, Status>;
}

impl<T> CallerExt for tonic::Request<T> {
    fn caller(&self) -> Result<&Caller, Status> {
        self.extensions().get().ok_or_else(|| {
            Status::from(ApiError::unauthenticated(
                baton_api::error::ErrorReason::TokenMissing,
                "This method needs a caller: send a bearer token.",
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_slugs() {
        for good in ["a", "demo", "7-eleven", &"x".repeat(63)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "Demo", "a b", "a.b", "a/../b", "ä", &"x".repeat(64)] {
            assert_eq!(bad.parse::<TenantId>(), Err(InvalidTenant), "{bad}");
        }
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().contains("supervisor"));
    }

    #[test]
    fn a_service_has_no_tenant() {
        assert!(Caller::service("transfer").tenant().is_err());
    }
}
