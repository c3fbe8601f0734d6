//! Minting tokens for callers, and verifying them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Role, TenantId};

/// Both the issuer and the audience of every token.
const BATON: &str = "baton";
/// How much the clocks of two machines may differ.
const LEEWAY_S: i64 = 5;
/// In bytes. Longer subjects are refused, because the subject is stored with each of the caller's changes.
const LONGEST_SUBJECT: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired; get a new one")]
    Expired,
    /// It is malformed, forged, not valid yet, or has another audience.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    #[error("the token can't be signed")]
    Signing,
}

/// The claims that are read. The library checks issuer and audience.
#[derive(Debug, Deserialize)]
struct TokenClaims {
    sub: String,
    tenant: Option<TenantId>,
    role: Role,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
}

/// The claims that are written.
#[derive(Debug, Serialize)]
struct IssuedClaims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
    role: Role,
    iat: i64,
    exp: i64,
    aud: &'static str,
    iss: &'static str,
}

pub(super) fn mint(key: &EncodingKey, caller: &Caller, now_us: i64, ttl: Duration) -> Result<String, TokenError> {
    check(caller)?;
    let seconds = now_us.div_euclid(1_000_000);
    let claims = IssuedClaims {
        sub: &caller.subject,
        tenant: caller.tenant.as_ref(),
        role: caller.role,
        iat: seconds,
        exp: seconds.saturating_add_unsigned(ttl.as_secs()),
        aud: BATON,
        iss: BATON,
    };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, key).map_err(|_| TokenError::Signing)
}

/// A caller whose token is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub caller: Caller,
    /// When the token is valid no longer.
    pub expires_us: i64,
}

/// Verifies tokens; cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    state: Arc<VerifierState>,
    /// In seconds: tokens that are good for longer are refused.
    longest_s: i64,
}

struct VerifierState {
    key: DecodingKey,
    validation: Validation,
    /// Tokens with a valid signature and valid claims: a client sends the same one with each call.
    verified: Mutex<HashMap<Box<str>, Arc<VerifiedToken>>>,
}

/// At this number of remembered tokens all are forgotten, which costs each client one verification.
const MAX_REMEMBERED: usize = 4_096;
/// For a token, if the configuration says nothing.
const LONGEST: Duration = Duration::from_hours(24 * 90);

/// The contents of a token whose signature is valid. Its times are checked at each call.
struct VerifiedToken {
    caller: Caller,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
}

impl Verifier {
    pub(super) fn new(key: DecodingKey) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The library skips the check of a claim that is absent, unless it is required.
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[BATON]);
        validation.set_issuer(&[BATON]);
        // The library would use the system's time; Baton uses its own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let state = Arc::new(VerifierState { key, validation, verified: Mutex::default() });
        Self { state, longest_s: LONGEST.as_secs().cast_signed() }
    }

    /// Refuses tokens that are good for longer than this.
    #[must_use]
    pub fn with_longest(self, longest: Duration) -> Self {
        Self { longest_s: longest.as_secs().cast_signed(), ..self }
    }

    /// The token's bearer, if it is valid at this time.
    pub fn verify(&self, token: &str, now_us: i64) -> Result<Admission, TokenError> {
        let known = self.state.verified().get(token).cloned();
        let verified = match known {
            Some(verified) => verified,
            None => self.state.remember(token, self.state.read(token)?),
        };
        verified.at(now_us, self.longest_s)
    }
}

impl VerifierState {
    fn verified(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<VerifiedToken>>> {
        self.verified.lock()
    }

    fn remember(&self, token: &str, verified: VerifiedToken) -> Arc<VerifiedToken> {
        let verified = Arc::new(verified);
        let mut known = self.verified();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(token.into(), Arc::clone(&verified));
        verified
    }

    /// Checks everything that does not depend on the time.
    fn read(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        let read = jsonwebtoken::decode::<TokenClaims>(token, &self.key, &self.validation)
            .map_err(|error| TokenError::Invalid(explain(error.kind())))?;
        // A verifier that does not know a critical header must refuse the token (RFC 7515, 4.1.11).
        if read.header.crit.is_some() {
            return Err(TokenError::Invalid("it has critical headers (crit), and none is known"));
        }
        let TokenClaims { sub, tenant, role, exp, iat, nbf } = read.claims;
        let caller = Caller { tenant, subject: sub, role };
        check(&caller)?;
        Ok(VerifiedToken { caller, exp, iat, nbf })
    }
}

impl VerifiedToken {
    fn at(&self, now_us: i64, longest_s: i64) -> Result<Admission, TokenError> {
        let seconds = now_us.div_euclid(1_000_000);
        if self.exp.saturating_add(LEEWAY_S) <= seconds {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY_S) > seconds) {
            return Err(TokenError::Invalid("it is not good yet"));
        }
        // From now on, and from when it was issued if it says so: neither may be longer.
        let from = self.iat.map_or(seconds, |iat| iat.min(seconds));
        if self.exp.saturating_sub(LEEWAY_S) > from.saturating_add(longest_s) {
            return Err(TokenError::Invalid(
                "it is good for longer than auth.max_token_days allows; get one for a shorter time",
            ));
        }
        let expires_us = self.exp.saturating_add(LEEWAY_S).saturating_mul(1_000_000);
        Ok(Admission { caller: self.caller.clone(), expires_us })
    }
}

/// Does not print the key.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// The rules for every caller, at minting and at reading.
fn check(caller: &Caller) -> Result<(), TokenError> {
    if caller.subject.is_empty() || caller.subject.len() > LONGEST_SUBJECT {
        return Err(TokenError::Invalid("its subject is empty or too long"));
    }
    if !caller.subject.chars().all(is_plain) || caller.subject.trim() != caller.subject {
        return Err(TokenError::Invalid("its subject has characters that can't be seen"));
    }
    if caller.role == Role::Agent && !is_canonical_id(&caller.subject) {
        return Err(TokenError::Invalid("an agent's id is written in lower case, with hyphens and nothing around it"));
    }
    match (caller.role, &caller.tenant) {
        (role, Some(_)) if !role.belongs_to_tenant() => {
            Err(TokenError::Invalid("services and operators belong to no tenant"))
        }
        (role, None) if !role.belongs_to_tenant() => Ok(()),
        (_, Some(_)) => Ok(()),
        (_, None) => Err(TokenError::Invalid("it names no tenant")),
    }
}

/// Whether the character shows unambiguously in a log and on a terminal: no control characters, no spaces but U+0020, none
/// that join, separate or reorder the letters around them.
fn is_plain(it: char) -> bool {
    let is_hidden = matches!(it, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    it == ' ' || !(it.is_control() || it.is_whitespace() || is_hidden)
}

/// A UUID can be written in several ways, and ids are compared as text in some places: with another spelling a caller would
/// be the agent in one half of the API and not in the other. A text that is no UUID is no agent's id anywhere.
fn is_canonical_id(subject: &str) -> bool {
    Uuid::try_parse(subject).map_or(true, |id| id.hyphenated().to_string() == subject)
}

/// The message does not repeat any part of the token.
fn explain(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "it was not signed by this installation",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is not HS256",
        ErrorKind::InvalidIssuer => "it was not issued by baton",
        ErrorKind::InvalidAudience => "it is not meant for baton",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing; exp, aud, iss and sub are needed",
        ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => "a claim is missing or malformed",
        _ => "it is not a signed JWT",
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
