//! When a certificate is valid.

use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};

use super::identity::{IdentityError, TlsIdentity, problem};
use super::provider;

/// Whether a certificate is valid at a time. Who has signed it is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Valid,
    NotYet,
    Expired,
}

impl TlsIdentity {
    /// Of the certificate itself, at this time in microseconds since the epoch.
    pub fn validity_at(&self, at_us: i64) -> Result<Validity, IdentityError> {
        let failed = |problem: String| IdentityError::Certificate { path: self.certificate.clone(), problem };
        let (chain, _) = self.read()?;
        let own = chain.first().ok_or_else(|| failed("there is none in it".to_owned()))?;
        let parsed = ParsedCertificate::try_from(own).map_err(|error| failed(problem(&error)))?;
        let at = UnixTime::since_unix_epoch(Duration::from_micros(at_us.max(0).unsigned_abs()));
        let algorithms = provider().signature_verification_algorithms.all;
        // No authority is trusted, so it never succeeds; the time is looked at before that.
        let wrong = verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], at, algorithms);
        Ok(match wrong {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => Validity::Expired,
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            )) => Validity::NotYet,
            _ => Validity::Valid,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_authority::TestAuthority;
    use super::*;

    /// The authority of tests signs from 1975 to 4096, as rcgen does.
    #[test]
    fn a_certificate_is_valid_from_its_first_day_to_its_last() {
        let folder = tempfile::tempdir().unwrap();
        let identity = TestAuthority::new(&folder.path().join("ca.crt")).identity(folder.path(), "a", "a.example");
        let year_us = 31_557_600_000_000_i64;
        let at = |year: i64| identity.validity_at((year - 1970) * year_us).unwrap();
        assert_eq!([at(1971), at(2026), at(4097)], [Validity::NotYet, Validity::Valid, Validity::Expired]);
        std::fs::write(&identity.certificate, "none").unwrap();
        assert!(identity.validity_at(0).is_err());
    }
}
