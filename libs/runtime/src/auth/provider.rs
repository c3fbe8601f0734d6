//! The cryptography of the JWT library: HMAC-SHA-256 for Baton's own tokens, and what ring verifies for those of other issuers.
//!
//! The library's own providers link every algorithm that a JWT may name, among them the `rsa` crate, whose timing tells private keys
//! (RUSTSEC-2023-0071). Baton signs with one algorithm, and ring, which TLS needs too, verifies the others.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use super::{hs256, public_key};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: hs256::signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes it the library's provider, if there is none yet.
pub(super) fn install() {
    // An error means that it is installed already.
    let _ = PROVIDER.install_default();
}

/// The family of the key has to be that of the algorithm, whatever a token says.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library's type")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    match algorithm.family() {
        AlgorithmFamily::Hmac => hs256::verifier(*algorithm, key),
        _ => public_key::verifier(*algorithm, key),
    }
}
