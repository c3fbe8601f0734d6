//! Tokens for visitors: customers in a chat, who have no issuer. Baton makes them with the key of the installation, and accepts them beside
//! those of issuers, for the few methods that visitors may call and for the one chat that is their subject.

use std::time::Duration;

use super::{Caller, Role, SigningKey, TenantId, TokenError};

/// Makes tokens for visitors, and for nobody else.
#[derive(Clone, Debug)]
pub struct VisitorTokens(Option<SigningKey>);

impl VisitorTokens {
    /// Without a key, none are made.
    pub fn new(key: Option<SigningKey>) -> Self {
        Self(key)
    }

    /// A token for the visitor of this chat; `None` without a key.
    ///
    /// # Errors
    /// The token can't be signed.
    pub fn mint(
        &self,
        tenant: &TenantId,
        chat: &str,
        now_us: i64,
        ttl: Duration,
    ) -> Result<Option<String>, TokenError> {
        let caller = Caller::of_tenant(tenant.clone(), chat, Role::Visitor);
        self.0.as_ref().map(|key| key.mint(&caller, now_us, ttl)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Issuers, Verifier};

    #[test]
    fn a_visitors_token_is_good_where_other_tokens_of_the_key_are_refused() {
        let (key, tenant) = (SigningKey::generate(), "acme".parse::<TenantId>().unwrap());
        let verifier: Verifier = key.verifier().with_issuers(Issuers::default()).own_for(&[Role::Visitor]);
        let hour = Duration::from_hours(1);
        let token = VisitorTokens::new(Some(key.clone())).mint(&tenant, "chat-1", 0, hour).unwrap().unwrap();
        let visitor = verifier.verify(&token, 0).unwrap().caller;
        assert_eq!(visitor, Caller::of_tenant(tenant.clone(), "chat-1", Role::Visitor));
        assert_eq!(verifier.verify(&token, 3_700_000_000), Err(TokenError::Expired));
        let admin = key.mint(&Caller::of_tenant(tenant.clone(), "eve", Role::Admin), 0, hour).unwrap();
        assert!(matches!(verifier.verify(&admin, 0), Err(TokenError::Invalid(_))));
        assert_eq!(VisitorTokens::new(None).mint(&tenant, "chat-1", 0, hour), Ok(None));
    }
}
