//! TLS to an issuer: whose certificates are trusted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

#[derive(Debug, thiserror::Error)]
pub(super) enum RootsError {
    #[error("can't read certificates from {}: {problem}; write the file with the certificates of whoever signs the issuer's, as PEM", path.display())]
    File { path: PathBuf, problem: String },
    #[error("has no certificate in it: {}; write the file with the certificates of whoever signs the issuer's, as PEM", .0.display())]
    Empty(PathBuf),
    #[error("this machine has no certificates (Debian: install ca-certificates); install them, or write ca_file")]
    NoneHere,
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Trusts what the file has, or without one what this machine trusts. Read anew for each connection, so that a new file needs no restart.
pub(super) fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, RootsError> {
    let roots = match ca_file {
        Some(path) => of_file(path)?,
        None => of_machine()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn of_file(path: &Path) -> Result<RootCertStore, RootsError> {
    let unreadable = |error: PemError| match error {
        PemError::Io(error) if error.kind() == io::ErrorKind::NotFound => "there is no such file".to_owned(),
        error => error.to_string(),
    };
    let failed = |problem| RootsError::File { path: path.to_owned(), problem };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|it| failed(unreadable(it)))? {
        let certificate = certificate.map_err(|it| failed(unreadable(it)))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(RootsError::Empty(path.to_owned())) } else { Ok(roots) }
}

/// Some of a machine's certificates may be too old to be understood; the others do.
fn of_machine() -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(RootsError::NoneHere) } else { Ok(roots) }
}
