//! An issuer's configuration, checked: what is wrong with it is said all at once, before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use jsonwebtoken::{Algorithm, AlgorithmFamily};

use super::claim_path::ClaimPath;
use super::mapping::{ClaimMapping, RoleRule, TenantRule};
use crate::auth::token::BATON;
use crate::auth::{Role, TenantId};
use crate::config::{AuthConfig, IssuerConfig};
use crate::tls;

/// In bytes, of the texts that name an issuer or an audience.
const LONGEST_NAME: usize = 512;
/// Any tenant.
const ANY: &str = "*";

#[derive(Clone, Debug)]
pub(super) struct IssuerSettings {
    pub(super) issuer: String,
    pub(super) audience: Vec<String>,
    pub(super) source: KeySource,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) mapping: ClaimMapping,
    pub(super) longest: Duration,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub(super) enum KeySource {
    Url {
        url: Uri,
        /// `None`: the machine's certificates.
        ca_file: Option<PathBuf>,
    },
    File(PathBuf),
}

impl IssuerSettings {
    /// Of all issuers; or each problem, with the key that has it.
    pub(super) fn all(config: &AuthConfig) -> Result<Vec<Self>, Vec<String>> {
        let (mut all, mut problems, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (at, issuer) in config.issuers.iter().enumerate() {
            let mut check = IssuerCheck::default();
            let settings = Self::check(issuer, &mut check);
            if !seen.insert(&issuer.issuer) && !issuer.issuer.is_empty() {
                check.found("issuer", "is that of another one, too; write one [[auth.issuers]] for it");
            }
            let name = if issuer.issuer.is_empty() { String::new() } else { format!(" ({})", issuer.issuer) };
            problems.extend(check.0.into_iter().map(|problem| format!("auth.issuers[{at}]{name}: {problem}")));
            all.extend(settings);
        }
        if problems.is_empty() { Ok(all) } else { Err(problems) }
    }

    /// `None` if there are problems.
    fn check(config: &IssuerConfig, check: &mut IssuerCheck) -> Option<Self> {
        check.issuer(&config.issuer);
        check.audience(&config.audience);
        let algorithms = check.algorithms(&config.algorithms);
        let source = check.source(config);
        let roles = check.roles(config);
        let tenants = check.tenants(config, roles.as_ref());
        check.claim("subject_claim", &config.subject_claim);
        let subject = ClaimPath::new(&config.subject_claim);
        let agent = if config.agent_claim.is_empty() { subject.clone() } else { ClaimPath::new(&config.agent_claim) };
        if !check.0.is_empty() {
            return None;
        }
        let mapping = ClaimMapping { tenants: tenants?, roles: roles?, subject, agent };
        let (issuer, audience) = (config.issuer.clone(), config.audience.clone());
        let longest = config.max_token_ms.duration();
        Some(Self { issuer, audience, source: source?, algorithms, mapping, longest })
    }
}

/// The problems of one issuer.
#[derive(Default)]
struct IssuerCheck(Vec<String>);

impl IssuerCheck {
    fn found(&mut self, key: &str, problem: &str) {
        self.0.push(format!("{key}: {problem}"));
    }

    fn issuer(&mut self, issuer: &str) {
        match issuer {
            "" => self.found("issuer", "is missing; write the claim `iss` of its tokens, exactly as they have it"),
            BATON => self.found("issuer", "is that of Baton's own key; another issuer has another name"),
            it if it.len() > LONGEST_NAME => self.found("issuer", "is longer than 512 bytes"),
            _ => {}
        }
    }

    fn audience(&mut self, audience: &[String]) {
        if audience.is_empty() || audience.iter().any(|it| it.is_empty() || it.len() > LONGEST_NAME) {
            let problem = "is missing or empty; write what the claim `aud` of tokens for Baton has, so that tokens for other programs are refused";
            self.found("audience", problem);
        }
    }

    fn algorithms(&mut self, names: &[String]) -> Vec<Algorithm> {
        let public: Vec<Algorithm> = [AlgorithmFamily::Rsa, AlgorithmFamily::Ec, AlgorithmFamily::Ed]
            .iter()
            .flat_map(|family| family.algorithms().iter().copied())
            .collect();
        let mut chosen = Vec::new();
        for name in names {
            match Algorithm::from_str(name).ok().filter(|it| public.contains(it)) {
                Some(algorithm) => chosen.push(algorithm),
                None => self.found(
                    "algorithms",
                    &format!("there is no {name:?} for issuers; there are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA (a secret that both sides know, as in HS256, is never accepted)"),
                ),
            }
        }
        if names.is_empty() { public } else { chosen }
    }

    fn source(&mut self, config: &IssuerConfig) -> Option<KeySource> {
        match (config.jwks_url.as_str(), &config.jwks_file) {
            ("", None) => self.found("jwks_url", "is missing; write where the issuer publishes its keys, or jwks_file"),
            ("", Some(file)) => {
                if config.ca_file.is_some() {
                    self.found("ca_file", "is for jwks_url; leave it out");
                }
                return Some(KeySource::File(file.clone()));
            }
            (_, Some(_)) => self.found("jwks_file", "stands beside jwks_url; leave one of them out"),
            (url, None) => return self.url(url, config.ca_file.clone()),
        }
        None
    }

    fn url(&mut self, text: &str, ca_file: Option<PathBuf>) -> Option<KeySource> {
        let url = text.parse::<Uri>().ok().filter(|it| it.host().is_some_and(|host| !host.is_empty()));
        let Some(url) = url else {
            self.found("jwks_url", &format!("{text:?} is no address; write https://…"));
            return None;
        };
        if url.authority().is_some_and(|it| it.as_str().contains('@')) {
            self.found("jwks_url", "has a user or a password in it; keys are public, leave them out");
        }
        let is_near = url.host().is_some_and(is_loopback);
        match (url.scheme_str(), &ca_file) {
            (Some("https"), _) => {
                if let Err(error) = tls::anonymous(ca_file.as_deref()) {
                    self.found("ca_file", &error.to_string());
                }
            }
            (Some("http"), None) if is_near => {}
            (Some("http"), Some(_)) if is_near => self.found("ca_file", "is for https; leave it out"),
            _ => self.found(
                "jwks_url",
                "must begin with https://; http:// is for this machine alone (127.0.0.1, ::1, localhost)",
            ),
        }
        Some(KeySource::Url { url, ca_file })
    }

    fn claim(&mut self, key: &str, path: &str) {
        if path.is_empty() {
            self.found(key, "is empty; write the name of a claim, or a JSON pointer (/realm_access/roles)");
        }
    }

    fn roles(&mut self, config: &IssuerConfig) -> Option<RoleRule> {
        let granted: Vec<Role> = config.roles.iter().filter_map(|name| self.role("roles", name)).collect();
        let mut names = BTreeMap::new();
        for (value, name) in &config.role_names {
            let Some(role) = self.role("role_names", name) else { continue };
            if !granted.contains(&role) {
                self.found(
                    "role_names",
                    &format!("{value:?} leads to {role}, which is not among roles; add it there, or leave it out"),
                );
            }
            names.insert(value.clone(), role);
        }
        match (granted.as_slice(), config.role_claim.as_str()) {
            // What is wrong with them has been said.
            (known, _) if known.len() < config.roles.len() => None,
            ([], _) => {
                self.found("roles", "is missing; list the roles that its tokens may give, the one that counts first if there are several");
                None
            }
            ([only], "") => {
                if !names.is_empty() {
                    self.found(
                        "role_names",
                        "has no effect without role_claim; leave it out, or write where tokens name the role",
                    );
                }
                Some(RoleRule::Only(*only))
            }
            (_, "") => {
                self.found("role_claim", "is missing; write where tokens name the role, or list one role alone");
                None
            }
            (_, claim) => Some(RoleRule::Named { claim: ClaimPath::new(claim), names, granted }),
        }
    }

    fn role(&mut self, key: &str, name: &str) -> Option<Role> {
        match name.parse() {
            Ok(Role::Simulator) => {
                self.found(key, "the simulated switch takes tokens of Baton's own key alone; leave simulator out");
                None
            }
            Ok(Role::Visitor) => {
                self.found(key, "Baton makes the tokens of visitors itself; leave visitor out");
                None
            }
            Ok(role) => Some(role),
            Err(error) => {
                self.found(key, &error);
                None
            }
        }
    }

    fn tenants(&mut self, config: &IssuerConfig, roles: Option<&RoleRule>) -> Option<TenantRule> {
        let has_any = config.tenants.iter().any(|it| it == ANY);
        let mut granted = Vec::new();
        for id in config.tenants.iter().filter(|it| *it != ANY) {
            granted.extend(self.tenant("tenants", id));
        }
        if has_any && config.tenants.len() > 1 {
            self.found("tenants", "has \"*\" beside others; \"*\" is all tenants, and stands alone");
        }
        let names = self.tenant_names(config, &granted, has_any);
        let needs_tenant =
            roles.is_none_or(|it| Role::ALL.into_iter().any(|role| role.belongs_to_tenant() && it.may_grant(role)));
        match (config.tenants.as_slice(), config.tenant_claim.as_str()) {
            ([], _) if !needs_tenant => Some(TenantRule::Nobody),
            (_, _) if !needs_tenant => {
                self.found("tenants", "the roles operator and service belong to no tenant; leave it out");
                None
            }
            ([], _) => {
                self.found(
                    "tenants",
                    "is missing; list the tenants of whom its tokens may be, one alone if all are of one tenant",
                );
                None
            }
            (_, _) if !has_any && granted.len() < config.tenants.len() => None,
            ([only], "") if only != ANY => {
                if !names.is_empty() {
                    self.found(
                        "tenant_names",
                        "has no effect without tenant_claim; leave it out, or write where tokens name the tenant",
                    );
                }
                granted.pop().map(TenantRule::Only)
            }
            (_, "") => {
                self.found("tenant_claim", "is missing; write where tokens name the tenant, or list one tenant alone");
                None
            }
            (_, claim) => {
                let granted = (!has_any).then_some(granted);
                Some(TenantRule::Named { claim: ClaimPath::new(claim), names, granted })
            }
        }
    }

    fn tenant_names(
        &mut self,
        config: &IssuerConfig,
        granted: &[TenantId],
        has_any: bool,
    ) -> BTreeMap<String, TenantId> {
        let mut names = BTreeMap::new();
        for (value, id) in &config.tenant_names {
            let Some(tenant) = self.tenant("tenant_names", id) else { continue };
            if !has_any && !granted.contains(&tenant) {
                self.found(
                    "tenant_names",
                    &format!("{value:?} leads to {tenant}, which is not among tenants; add it there, or leave it out"),
                );
            }
            names.insert(value.clone(), tenant);
        }
        names
    }

    fn tenant(&mut self, key: &str, id: &str) -> Option<TenantId> {
        id.parse().map_err(|error| self.found(key, &format!("{id:?}: {error}"))).ok()
    }
}

/// Whether the host is this machine, so that nobody is between.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
