//! TLS of a channel: whom it trusts, and the certificate that it shows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, InvalidMessage};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::identity::TlsIdentity;
use super::roots::{RootsError, roots};
use super::{H2, IdentityError, provider};

#[derive(Debug, thiserror::Error)]
pub enum ClientTlsError {
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("TLS can't be set up")]
    Setup(#[from] rustls::Error),
}

/// Whom a channel trusts. The files are read for each connection, so that new ones need no restart. The default trusts whom this machine trusts.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// Whose certificates are trusted; `None`: what this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// What is shown to a server that asks for it.
    pub identity: Option<TlsIdentity>,
}

impl ClientTls {
    /// A connection to this address, whose server has shown a good certificate for it and speaks HTTP/2.
    pub(crate) async fn connect(&self, address: &Uri) -> io::Result<TlsStream<TcpStream>> {
        let no_address = || io::Error::new(io::ErrorKind::InvalidInput, "no address");
        let host = address.host().ok_or_else(no_address)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let socket = TcpStream::connect((host.as_str(), address.port_u16().unwrap_or(443))).await?;
        socket.set_nodelay(true)?;
        let mut config = self.config().map_err(io::Error::other)?;
        config.alpn_protocols = vec![H2.to_vec()];
        let name = ServerName::try_from(host).map_err(|_| no_address())?;
        TlsConnector::from(Arc::new(config)).connect(name, socket).await.map_err(in_words)
    }

    fn config(&self) -> Result<ClientConfig, ClientTlsError> {
        let trusting = trusting(self.ca_file.as_deref())?;
        Ok(match &self.identity {
            None => trusting.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read()?;
                trusting.with_client_auth_cert(chain, key)?
            }
        })
    }
}

/// What a person can do about it, where it is known.
fn in_words(error: io::Error) -> io::Error {
    let text = match error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "it does not speak TLS: write http://, if plain text is meant"
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "its certificate is of an authority that is not trusted here; SSL_CERT_FILE names one that is"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "its certificate is for another name than that of the address",
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired",
        _ => return error,
    };
    io::Error::new(error.kind(), text)
}

type Trusting = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn trusting(ca_file: Option<&Path>) -> Result<Trusting, ClientTlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots(ca_file)?))
}

/// Shows no certificate, and trusts what the file has, or without one what this machine trusts.
pub(crate) fn anonymous(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ClientTlsError> {
    Ok(Arc::new(trusting(ca_file)?.with_no_client_auth()))
}
