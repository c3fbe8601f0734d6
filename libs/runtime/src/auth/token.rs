//! Tokens: minted for a caller, and read back into one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Role, TenantId};

/// Both the issuer and the audience of every token.
const BATON: &str = "baton";
/// How much the clocks of two machines may differ.
const LEEWAY_S: i64 = 5;
/// Longer subjects are refused: the subject is stored with all that a caller does.
const LONGEST_SUBJECT: usize = 128;

/// The token is no good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good, and is no longer.
    #[error("the token has expired; get a new one")]
    Expired,
    /// It is malformed, forged, not yet good, or meant for somebody else.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// It can't be signed.
    #[error("the token can't be signed")]
    Signing,
}

/// What a token says about its caller. Issuer and audience are checked by the library.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    tenant: Option<TenantId>,
    role: Role,
    exp: i64,
    nbf: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Minted<'a> {
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
    let claims = Minted {
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

/// Reads tokens; cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Verifying>);

struct Verifying {
    key: DecodingKey,
    validation: Validation,
    /// Tokens whose signature and claims were good: a client sends the same one with each call.
    good: Mutex<HashMap<Box<str>, Arc<Good>>>,
}

/// When so many are remembered, all are forgotten: who calls is read anew at the price of one verification.
const REMEMBERED: usize = 4_096;

/// What a good token says. Whether it is good *now* is asked each time.
struct Good {
    caller: Caller,
    exp: i64,
    nbf: Option<i64>,
}

impl Verifier {
    pub(super) fn new(key: DecodingKey) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The library skips the check of a claim that is absent, unless it is required.
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[BATON]);
        validation.set_issuer(&[BATON]);
        // The library would ask the system for the time; we go by the clock that Baton goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self(Arc::new(Verifying { key, validation, good: Mutex::default() }))
    }

    /// Who the token's bearer is, if it is good at this time.
    pub fn verify(&self, token: &str, now_us: i64) -> Result<Caller, TokenError> {
        let known = self.0.good().get(token).cloned();
        let good = match known {
            Some(good) => good,
            None => self.0.remember(token, self.0.read(token)?),
        };
        good.at(now_us)
    }
}

impl Verifying {
    fn good(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Good>>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, token: &str, good: Good) -> Arc<Good> {
        let good = Arc::new(good);
        let mut known = self.good();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(token.into(), Arc::clone(&good));
        good
    }

    /// All that does not change with time.
    fn read(&self, token: &str) -> Result<Good, TokenError> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| TokenError::Invalid(explain(error.kind())))?;
        // Whoever signed it says that it means something else to those who don't know these headers (RFC 7515, 4.1.11).
        if read.header.crit.is_some() {
            return Err(TokenError::Invalid("it has critical headers (crit), and none is known"));
        }
        let Claims { sub, tenant, role, exp, nbf } = read.claims;
        let caller = Caller { tenant, subject: sub, role };
        check(&caller)?;
        Ok(Good { caller, exp, nbf })
    }
}

impl Good {
    fn at(&self, now_us: i64) -> Result<Caller, TokenError> {
        let seconds = now_us.div_euclid(1_000_000);
        if self.exp.saturating_add(LEEWAY_S) <= seconds {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY_S) > seconds) {
            return Err(TokenError::Invalid("it is not good yet"));
        }
        Ok(self.caller.clone())
    }
}

/// Prints nothing of the key.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// What holds for every caller, whoever signed for it.
fn check(caller: &Caller) -> Result<(), TokenError> {
    if caller.subject.is_empty() || caller.subject.len() > LONGEST_SUBJECT {
        return Err(TokenError::Invalid("its subject is empty or too long"));
    }
    if !caller.subject.chars().all(is_plain) || caller.subject.trim() != caller.subject {
        return Err(TokenError::Invalid("its subject has characters that can't be seen"));
    }
    if caller.role == Role::Agent && !is_as_ids_are_written(&caller.subject) {
        return Err(TokenError::Invalid("an agent's id is written in lower case, with hyphens and nothing around it"));
    }
    match (caller.role, &caller.tenant) {
        (Role::Service, Some(_)) => Err(TokenError::Invalid("a service belongs to no tenant")),
        (Role::Service, None) | (_, Some(_)) => Ok(()),
        (_, None) => Err(TokenError::Invalid("it names no tenant")),
    }
}

/// Seen as what it is, in a log and on a terminal: no control characters, no spaces but the plain one, none that join, part
/// or turn the letters around them.
fn is_plain(it: char) -> bool {
    let is_hidden = matches!(it, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    it == ' ' || !(it.is_control() || it.is_whitespace() || is_hidden)
}

/// A UUID can be written in several ways. Where ids are compared as text only one of them is the agent, and one who is an
/// agent to half of the API is worse than none. What is no UUID at all is nobody's id anywhere.
fn is_as_ids_are_written(subject: &str) -> bool {
    Uuid::try_parse(subject).map_or(true, |id| id.hyphenated().to_string() == subject)
}

/// Says what is wrong with a token without repeating any of it.
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
