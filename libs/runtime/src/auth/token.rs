//! What a token says: minting Baton's own, reading them, and the rules for tokens of every issuer.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Caller, Role, TenantId};

/// Both the issuer and the audience of every token.
pub(super) const BATON: &str = "baton";
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
    /// Nobody knows yet: the keys of its issuer have to be fetched.
    #[error("the token can't be checked now: {0}")]
    Unavailable(&'static str),
    #[error("the token can't be signed")]
    Signing,
}

/// The claims that are read. The library checks issuer and audience.
#[derive(Debug, Deserialize)]
struct TokenClaims {
    sub: String,
    tenant: Option<TenantId>,
    role: Role,
    #[serde(flatten)]
    times: TokenTimes,
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

/// Reads tokens that Baton's own key has signed.
pub(super) struct OwnTokens {
    key: DecodingKey,
    validation: Validation,
}

impl OwnTokens {
    pub(super) fn new(key: DecodingKey) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The library skips the check of a claim that is absent, unless it is required.
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[BATON]);
        validation.set_issuer(&[BATON]);
        // The library would use the system's time; Baton uses its own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { key, validation }
    }

    /// Checks everything that does not depend on the time.
    pub(super) fn read(&self, token: &str) -> Result<(Caller, TokenTimes), TokenError> {
        let read = jsonwebtoken::decode::<TokenClaims>(token, &self.key, &self.validation)
            .map_err(|error| TokenError::Invalid(explain(error.kind())))?;
        refuse_critical(&read.header)?;
        let TokenClaims { sub, tenant, role, times } = read.claims;
        let caller = Caller { tenant, subject: sub, role };
        check(&caller)?;
        Ok((caller, times))
    }
}

/// When a token is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct TokenTimes {
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
}

/// How long a token may be good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) longest_s: i64,
    /// What a token that is good for longer is told.
    pub(super) refusal: &'static str,
}

impl TokenTimes {
    /// Of the claims of an issuer; some write fractions of seconds.
    pub(super) fn of(claims: &Value) -> Result<Self, TokenError> {
        let malformed = TokenError::Invalid("a claim is missing or malformed");
        let exp = seconds(claims.get("exp")).ok_or(malformed.clone())?.ok_or(malformed.clone())?;
        let iat = seconds(claims.get("iat")).ok_or(malformed.clone())?;
        let nbf = seconds(claims.get("nbf")).ok_or(malformed)?;
        Ok(Self { exp, iat, nbf })
    }

    /// When the token is valid no longer, in microseconds; an error if it is not valid at this time.
    pub(super) fn check(self, now_us: i64, lifetime: Lifetime) -> Result<i64, TokenError> {
        let seconds = now_us.div_euclid(1_000_000);
        if self.exp.saturating_add(LEEWAY_S) <= seconds {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY_S) > seconds) {
            return Err(TokenError::Invalid("it is not good yet"));
        }
        // From now on, and from when it was issued if it says so: neither may be longer.
        let from = self.iat.map_or(seconds, |iat| iat.min(seconds));
        if self.exp.saturating_sub(LEEWAY_S) > from.saturating_add(lifetime.longest_s) {
            return Err(TokenError::Invalid(lifetime.refusal));
        }
        Ok(self.exp.saturating_add(LEEWAY_S).saturating_mul(1_000_000))
    }
}

/// `Some(None)` if there is none; `None` if it is no number.
#[expect(clippy::option_option, reason = "none and malformed are different answers")]
fn seconds(claim: Option<&Value>) -> Option<Option<i64>> {
    match claim {
        None | Some(Value::Null) => Some(None),
        Some(value) => {
            let whole = value.as_i64().or_else(|| value.as_f64().map(|it| it.floor() as i64));
            whole.map(Some)
        }
    }
}

/// A verifier that does not know a critical header must refuse the token (RFC 7515, 4.1.11).
pub(super) fn refuse_critical(header: &Header) -> Result<(), TokenError> {
    if header.crit.is_some() {
        return Err(TokenError::Invalid("it has critical headers (crit), and none is known"));
    }
    Ok(())
}

/// The rules for every caller, at minting and at reading.
pub(super) fn check(caller: &Caller) -> Result<(), TokenError> {
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
