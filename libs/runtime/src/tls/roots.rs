//! Whose certificates are trusted.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};

#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("can't read certificates from {}: {problem}; name a PEM file with the certificates of whoever signs the other side's", path.display())]
    File { path: PathBuf, problem: String },
    #[error("has no certificate in it: {}; name a PEM file with the certificates of whoever signs the other side's", .0.display())]
    Empty(PathBuf),
    #[error("this machine has no certificates (Debian: install ca-certificates); install them, or name a file")]
    NoneHere,
}

/// What the file has, or without one what this machine trusts.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, RootsError> {
    ca_file.map_or_else(of_machine, of_file)
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
