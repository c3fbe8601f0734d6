//! The identity with which a channel calls.

use std::sync::Arc;
use std::time::Duration;

use baton_api::ApiError;
use http::HeaderValue;
use parking_lot::Mutex;

use crate::auth::{Caller, SigningKey};
use crate::clock::micros;

/// How long a service's own token is valid; a new one is minted after half of it.
const TOKEN_TTL: Duration = Duration::from_mins(10);

/// A service that calls others with tokens that it mints for itself. All clones share the current token.
#[derive(Clone, Debug)]
pub struct ServiceIdentity(Arc<TokenSource>);

#[derive(Debug)]
struct TokenSource {
    key: SigningKey,
    caller: Caller,
    current: Mutex<Option<CachedToken>>,
}

#[derive(Debug)]
struct CachedToken {
    header: HeaderValue,
    renew_at_us: i64,
}

impl ServiceIdentity {
    pub fn new(key: SigningKey, name: &str) -> Self {
        Self(Arc::new(TokenSource { key, caller: Caller::service(name), current: Mutex::new(None) }))
    }

    fn header(&self, now_us: i64) -> Result<HeaderValue, ApiError> {
        let mut current = self.0.current.lock();
        if let Some(cached) = current.as_ref().filter(|it| now_us < it.renew_at_us) {
            return Ok(cached.header.clone());
        }
        let token = self.0.key.mint(&self.0.caller, now_us, TOKEN_TTL);
        let token = token.map_err(|error| ApiError::internal(error.to_string()))?;
        let header = bearer(&token).ok_or_else(|| ApiError::internal("A token is no header."))?;
        let renew_at_us = now_us.saturating_add(micros(TOKEN_TTL / 2));
        *current = Some(CachedToken { header: header.clone(), renew_at_us });
        Ok(header)
    }
}

/// The source of a channel's token.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    Service(ServiceIdentity),
    Token(HeaderValue),
    Anonymous,
}

impl Identity {
    pub(super) fn header(&self, now_us: i64) -> Result<Option<HeaderValue>, ApiError> {
        match self {
            Self::Service(service) => service.header(now_us).map(Some),
            Self::Token(header) => Ok(Some(header.clone())),
            Self::Anonymous => Ok(None),
        }
    }
}

/// The `authorization` header, marked as sensitive so that it is never printed.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_again_and_renewed_long_before_it_expires() {
        let identity = ServiceIdentity::new(SigningKey::generate(), "transfer");
        let first = identity.header(0).unwrap();
        assert_eq!(identity.header(299_000_000).unwrap(), first);
        assert_ne!(identity.header(300_000_000).unwrap(), first);
    }

    #[test]
    fn a_token_is_never_printed() {
        let identity = Identity::Token(bearer("secret").unwrap());
        assert!(!format!("{identity:?}").contains("secret"));
    }
}
