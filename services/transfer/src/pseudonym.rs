//! The customers' pseudonyms: who counts calls can tell that two are of one customer, and not who it is.
//!
//! A pseudonym is HMAC-SHA256 of the customer's number under a key of the tenant's own, cut to 128 bits. It is the same for the
//! same number as long as the tenant exists, differs between tenants, and can't be found by trying all numbers without the key,
//! which never leaves this service's database.

use baton_runtime::ids;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;

const KEY_BYTES: usize = 32;
const PSEUDONYM_BYTES: usize = 16;

/// A tenant's key; empty for a tenant that had none yet.
#[derive(Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct PseudonymKey(Vec<u8>);

impl PseudonymKey {
    pub(crate) fn fresh() -> Self {
        Self(ids::random_bytes::<KEY_BYTES>().to_vec())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 32 hexadecimal digits; empty for a customer without a number.
    pub(crate) fn of(&self, customer: &str) -> String {
        if customer.is_empty() || self.is_empty() {
            return String::new();
        }
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(customer.as_bytes());
        let code = mac.finalize().into_bytes();
        code.iter().take(PSEUDONYM_BYTES).fold(String::new(), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Does not print the key.
impl std::fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PseudonymKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_the_same_in_one_tenant_and_another_in_each_other() {
        let (acme, rival) = (PseudonymKey::fresh(), PseudonymKey::fresh());
        assert_eq!(acme.of("+32470000000"), acme.of("+32470000000"));
        assert_ne!(acme.of("+32470000000"), acme.of("+32470000001"));
        assert_ne!(acme.of("+32470000000"), rival.of("+32470000000"));
        assert_eq!(acme.of("+32470000000").len(), 32);
        assert_eq!(acme.of(""), "");
    }

    #[test]
    fn it_is_the_published_hmac() {
        // RFC 4231, test case 2.
        assert_eq!(
            PseudonymKey(b"Jefe".to_vec()).of("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c7"
        );
    }
}
