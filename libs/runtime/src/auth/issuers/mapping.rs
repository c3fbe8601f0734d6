//! What the claims of an issuer's token mean: tenant, role and subject. An issuer can give no more than its configuration lists.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::claim_path::ClaimPath;
use crate::auth::{Caller, Role, TenantId, TokenError};

/// Who the bearer of an issuer's token is.
#[derive(Clone, Debug)]
pub(super) struct ClaimMapping {
    pub(super) tenants: TenantRule,
    pub(super) roles: RoleRule,
    pub(super) subject: ClaimPath,
    /// Where an agent's token has the agent's id.
    pub(super) agent: ClaimPath,
}

/// Of which tenants an issuer's tokens can be.
#[derive(Clone, Debug)]
pub(super) enum TenantRule {
    /// Of none: it gives only roles that belong to none.
    Nobody,
    /// Of this one, whatever its tokens say.
    Only(TenantId),
    /// Of the one that the claim names, if it is among the granted.
    Named {
        claim: ClaimPath,
        /// Empty: the claim has the tenant's id.
        names: BTreeMap<String, TenantId>,
        /// `None`: any tenant.
        granted: Option<Vec<TenantId>>,
    },
}

/// Which roles an issuer's tokens can give.
#[derive(Clone, Debug)]
pub(super) enum RoleRule {
    /// This one, whatever its tokens say.
    Only(Role),
    /// The first of the granted that the claim names.
    Named {
        claim: ClaimPath,
        /// Empty: the claim has the role's name.
        names: BTreeMap<String, Role>,
        granted: Vec<Role>,
    },
}

impl ClaimMapping {
    /// The bearer of a token with these claims.
    pub(super) fn caller(&self, claims: &Value) -> Result<Caller, TokenError> {
        let role = self.roles.role(claims)?;
        let tenant = if role.belongs_to_tenant() { Some(self.tenants.tenant(claims)?) } else { None };
        let subject = if role == Role::Agent { self.agent_id(claims)? } else { self.subject(claims)? };
        Ok(Caller { tenant, subject, role })
    }

    fn subject(&self, claims: &Value) -> Result<String, TokenError> {
        let missing = TokenError::Invalid("it does not say who its bearer is, where auth.issuers.subject_claim looks");
        self.subject.text(claims).map(str::to_owned).ok_or(missing)
    }

    /// However the issuer writes it, it is one id.
    fn agent_id(&self, claims: &Value) -> Result<String, TokenError> {
        let missing =
            TokenError::Invalid("it does not say which agent its bearer is, where auth.issuers.agent_claim looks");
        let text = self.agent.text(claims).ok_or(missing)?;
        let id = Uuid::try_parse(text).map_err(|_| {
            TokenError::Invalid(
                "its agent's id is no UUID; let auth.issuers.agent_claim name a claim that has the agent's id in Baton",
            )
        })?;
        Ok(id.hyphenated().to_string())
    }
}

impl TenantRule {
    fn tenant(&self, claims: &Value) -> Result<TenantId, TokenError> {
        let (claim, names, granted) = match self {
            Self::Nobody => return Err(TokenError::Invalid("its issuer has no tenants")),
            Self::Only(tenant) => return Ok(tenant.clone()),
            Self::Named { claim, names, granted } => (claim, names, granted),
        };
        let text = claim
            .text(claims)
            .ok_or(TokenError::Invalid("it names no tenant, where auth.issuers.tenant_claim looks"))?;
        let known = if names.is_empty() { text.parse().ok() } else { names.get(text).cloned() };
        let tenant = known.filter(|tenant| granted.as_ref().is_none_or(|it| it.contains(tenant)));
        tenant.ok_or(TokenError::Invalid("it is of a tenant that its issuer may not grant (auth.issuers.tenants)"))
    }
}

impl RoleRule {
    fn role(&self, claims: &Value) -> Result<Role, TokenError> {
        let (claim, names, granted) = match self {
            Self::Only(role) => return Ok(*role),
            Self::Named { claim, names, granted } => (claim, names, granted),
        };
        let role_of = |text: &&str| if names.is_empty() { text.parse().ok() } else { names.get(*text).copied() };
        let has: Vec<Role> = claim.texts(claims).iter().filter_map(role_of).collect();
        let first = granted.iter().find(|role| has.contains(role)).copied();
        first.ok_or(TokenError::Invalid(
            "it has no role that its issuer may grant (auth.issuers.roles, where auth.issuers.role_claim looks)",
        ))
    }

    /// Whether some token can have this role.
    pub(super) fn may_grant(&self, role: Role) -> bool {
        match self {
            Self::Only(only) => *only == role,
            Self::Named { granted, .. } => granted.contains(&role),
        }
    }
}
