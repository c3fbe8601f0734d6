//! Who the bearer of a token is: whichever key has signed it, Baton's own or that of an issuer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;

use super::issuers::{IssuedToken, Issuers, KeyInUse};
use super::token::{BATON, Lifetime, OwnTokens, TokenTimes};
use super::{Caller, Role, TokenError, provider};

/// At this number of remembered tokens all are forgotten, which costs each client one verification.
const MAX_REMEMBERED: usize = 4_096;
const OWN_REFUSED: TokenError = TokenError::Invalid(
    "tokens of Baton's own key are not accepted here (auth.development_key); get one from your issuer",
);
/// For a token of Baton's own key, if the configuration says nothing.
const LONGEST: Duration = Duration::from_hours(24 * 90);

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
    /// `None`: tokens of Baton's own key are refused.
    own: Option<Arc<OwnTokens>>,
    issuers: Issuers,
    /// Tokens of Baton's own key are good for these alone; `None`: for everybody.
    own_for: Option<&'static [Role]>,
    /// In seconds: tokens of Baton's own key that are good for longer are refused.
    longest_s: i64,
    /// Tokens with a valid signature and valid claims: a client sends the same one with each call.
    verified: Arc<Mutex<HashMap<Box<str>, Arc<VerifiedToken>>>>,
}

/// The contents of a token whose signature is valid. Its times are checked at each call.
struct VerifiedToken {
    caller: Caller,
    times: TokenTimes,
    /// `None`: of Baton's own key.
    issued: Option<(KeyInUse, Lifetime)>,
}

impl VerifiedToken {
    /// Whether it was verified with a key that is still good.
    fn is_good(&self) -> bool {
        self.issued.as_ref().is_none_or(|(key, _)| key.is_published())
    }
}

/// The claim that is read before anything is verified: it chooses the key.
#[derive(Deserialize)]
struct NamedIssuer {
    iss: String,
}

impl Verifier {
    pub(super) fn new(key: DecodingKey) -> Self {
        Self { own: Some(Arc::new(OwnTokens::new(key))), ..Self::of_issuers(Issuers::default()) }
    }

    /// Accepts tokens of these issuers, and none of Baton's own key.
    pub fn of_issuers(issuers: Issuers) -> Self {
        provider::install();
        Self { own: None, own_for: None, issuers, longest_s: LONGEST.as_secs().cast_signed(), verified: Arc::default() }
    }

    /// Accepts tokens of these issuers, too.
    #[must_use]
    pub fn with_issuers(self, issuers: Issuers) -> Self {
        Self { issuers, verified: Arc::default(), ..self }
    }

    /// Refuses tokens of Baton's own key that are good for longer than this.
    #[must_use]
    pub fn with_longest(self, longest: Duration) -> Self {
        Self { longest_s: longest.as_secs().cast_signed(), ..self }
    }

    /// Accepts tokens of Baton's own key of these roles alone; everybody else needs one of an issuer.
    #[must_use]
    pub fn own_for(self, roles: &'static [Role]) -> Self {
        Self { own_for: Some(roles), ..self }
    }

    /// The token's bearer, if it is valid at this time.
    pub fn verify(&self, token: &str, now_us: i64) -> Result<Admission, TokenError> {
        let known = self.verified().get(token).cloned();
        let verified = match known.filter(|it| it.is_good()) {
            Some(verified) => verified,
            None => self.read_anew(token)?,
        };
        let is_for = |roles: &[Role]| roles.contains(&verified.caller.role);
        if verified.issued.is_none() && !self.own_for.is_none_or(is_for) {
            return Err(OWN_REFUSED);
        }
        let lifetime = verified.issued.as_ref().map_or_else(|| self.lifetime(), |(_, lifetime)| *lifetime);
        let expires_us = verified.times.check(now_us, lifetime)?;
        Ok(Admission { caller: verified.caller.clone(), expires_us })
    }

    #[cfg(test)]
    pub(super) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    fn lifetime(&self) -> Lifetime {
        let refusal = "it is good for longer than auth.max_token_days allows; get one for a shorter time";
        Lifetime { longest_s: self.longest_s, refusal }
    }

    fn read_anew(&self, token: &str) -> Result<Arc<VerifiedToken>, TokenError> {
        match self.read(token) {
            Ok(verified) => Ok(self.remember(token, verified)),
            Err(error) => {
                self.verified().remove(token);
                Err(error)
            }
        }
    }

    /// Checks everything that does not depend on the time.
    fn read(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        if self.issuers.is_empty()
            && let Some(own) = &self.own
        {
            return read_own(own, token);
        }
        let not_a_token = |_| TokenError::Invalid("it is not a signed JWT of an algorithm that is known");
        let header = jsonwebtoken::decode_header(token).map_err(not_a_token)?;
        let NamedIssuer { iss } = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| TokenError::Invalid("it does not say who has issued it (iss)"))?;
        if iss == BATON {
            let own = self.own.as_ref();
            return read_own(own.ok_or(OWN_REFUSED)?, token);
        }
        let unknown = TokenError::Invalid("its issuer is not one that is accepted (auth.issuers)");
        let IssuedToken { caller, times, key, lifetime } =
            self.issuers.read(token, &header, &iss).unwrap_or(Err(unknown))?;
        Ok(VerifiedToken { caller, times, issued: Some((key, lifetime)) })
    }

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
}

fn read_own(own: &OwnTokens, token: &str) -> Result<VerifiedToken, TokenError> {
    let (caller, times) = own.read(token)?;
    Ok(VerifiedToken { caller, times, issued: None })
}

/// Does not print the key.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(..)")
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
