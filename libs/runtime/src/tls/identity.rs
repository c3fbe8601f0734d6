//! A certificate and its key, in two PEM files.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("can't read a certificate from {}: {problem}; name a PEM file, the server's certificate first", path.display())]
    Certificate { path: PathBuf, problem: String },
    #[error("can't read a key from {}: {problem}; name a PEM file with the key of the certificate", path.display())]
    Key { path: PathBuf, problem: String },
}

/// Where a certificate with its chain is, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TlsIdentity {
    pub(super) fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), IdentityError> {
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(|error| IdentityError::Key { path: self.key.clone(), problem: error.to_string() })?;
        Ok((chain(&self.certificate)?, key))
    }
}

/// What is wrong with a certificate, in words where the library has none.
pub(super) fn problem(error: &rustls::Error) -> String {
    let text = error.to_string();
    match error {
        rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
        _ if text.contains("UnsupportedCertVersion") => {
            "it is an X.509 certificate of version 1; make one of version 3, with its names in subjectAltName"
                .to_owned()
        }
        _ => text,
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let failed = |problem: String| IdentityError::Certificate { path: path.to_owned(), problem };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let chain: Result<Vec<_>, _> = certificates.collect();
    let chain = chain.map_err(|error| failed(error.to_string()))?;
    if chain.is_empty() { Err(failed("there is none in it".to_owned())) } else { Ok(chain) }
}
