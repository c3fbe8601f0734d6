//! HMAC-SHA-256, with which Baton signs its own tokens, and no other algorithm of its family.

use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use sha2::Sha256;

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(secret).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library's type")]
pub(super) fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?))
}

/// An error for a key that is not a secret: a public key is known to everybody, and would be one.
pub(super) fn verifier(algorithm: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if key.family() != AlgorithmFamily::Hmac {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Hs256::new(algorithm, key.try_get_as_bytes()?)?))
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::provider::install;

    /// RFC 7515, appendix A.1.
    #[test]
    fn s17_it_signs_as_the_standards_example_and_knows_no_other_algorithm() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
        let (header, claims) = (
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        );
        let message = format!("{header}.{claims}");
        let key = EncodingKey::from_urlsafe_base64_secret(secret).unwrap();
        install();
        let signed = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        assert_eq!(signed, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let reader = DecodingKey::from_secret(key.as_bytes());
        let verify = |signature: &str, algorithm| {
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &reader, algorithm)
        };
        assert!(verify(&signed, Algorithm::HS256).unwrap());
        assert!(!verify("eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", Algorithm::HS256).unwrap());
        assert!(!verify("", Algorithm::HS256).unwrap());
        for other in [Algorithm::HS384, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(verify(&signed, other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_public_key_is_no_secret() {
        install();
        let public = b"a public key";
        let signed = jsonwebtoken::crypto::sign(b"x", &EncodingKey::from_secret(public), Algorithm::HS256).unwrap();
        let with = |key: DecodingKey| jsonwebtoken::crypto::verify(&signed, b"x", &key, Algorithm::HS256);
        assert!(with(DecodingKey::from_secret(public)).unwrap());
        for key in
            [DecodingKey::from_rsa_der(public), DecodingKey::from_ec_der(public), DecodingKey::from_ed_der(public)]
        {
            assert!(with(key).is_err());
        }
    }
}
