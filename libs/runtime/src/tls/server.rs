//! A listener's TLS: its certificate, and whose certificates it wants to see.
//!
//! Where clients have to have a certificate, it is not enough that the right authority has signed it: its name (a DNS name in `subjectAltName`) has
//! to be on a list, and nobody else gets as far as a call.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::identity::{IdentityError, TlsIdentity, problem};
use super::roots::{RootsError, roots};
use super::validity::Validity;
use super::{H2, HTTP_1, provider};
use crate::clock::Clock;

/// Between two looks at the files.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("the certificate {} and its key can't be used: {}", certificate.display(), problem(source))]
    Pair { certificate: PathBuf, source: rustls::Error },
    #[error("the certificates of clients can't be checked: {0}")]
    Clients(#[from] VerifierBuilderError),
    #[error("{0:?} is no name; write a DNS name, as certificates have it")]
    Name(String),
}

/// All clones are the same.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<ServedConfig>);

#[derive(Debug)]
struct ServedConfig {
    files: ServerTlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

#[derive(Debug)]
struct ServerTlsFiles {
    identity: TlsIdentity,
    /// `None`: clients need no certificate.
    clients: Option<Clients>,
}

/// Who may connect.
#[derive(Debug)]
struct Clients {
    ca_file: PathBuf,
    names: Vec<ServerName<'static>>,
}

impl ServerTls {
    /// For clients that need no certificate.
    pub fn open(identity: TlsIdentity) -> Result<Self, TlsSetupError> {
        Self::new(ServerTlsFiles { identity, clients: None })
    }

    /// For clients with a certificate that one of `ca_file` has signed, for one of these names.
    pub fn for_named(identity: TlsIdentity, ca_file: PathBuf, names: &[String]) -> Result<Self, TlsSetupError> {
        let parsed = names.iter().map(|name| {
            let parsed = ServerName::try_from(name.clone()).ok().filter(|it| matches!(it, ServerName::DnsName(_)));
            parsed.ok_or_else(|| TlsSetupError::Name(name.clone()))
        });
        let names = parsed.collect::<Result<_, _>>()?;
        Self::new(ServerTlsFiles { identity, clients: Some(Clients { ca_file, names }) })
    }

    fn new(files: ServerTlsFiles) -> Result<Self, TlsSetupError> {
        let current = RwLock::new(Arc::new(files.config()?));
        files.warn_of_validity();
        Ok(Self(Arc::new(ServedConfig { files, current })))
    }

    /// The connection, once its client has shown what it has to.
    pub(crate) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.0.current.read());
        TlsAcceptor::from(config).accept(socket).await
    }

    /// The listed name for which the client's certificate is; `None` where clients show none.
    pub(crate) fn client_name(&self, stream: &TlsStream<TcpStream>) -> Option<String> {
        let clients = self.0.files.clients.as_ref()?;
        let certificate = ParsedCertificate::try_from(stream.get_ref().1.peer_certificates()?.first()?).ok()?;
        let name = clients.names.iter().find(|name| verify_server_name(&certificate, name).is_ok())?;
        Some(name.to_str().into_owned())
    }

    /// Looks each `period` whether the files have changed. Never ends. Connections that are open keep what they have begun with.
    pub(crate) async fn keep_fresh(&self, period: Duration) {
        let mut seen = self.0.files.contents();
        let mut is_reported = false;
        loop {
            // ServerTlsFiles change in real time, also where calls are simulated.
            Clock::real().sleep(period).await;
            let contents = self.0.files.contents();
            if contents == seen && !is_reported {
                continue;
            }
            seen = contents;
            is_reported = !self.reload(is_reported);
        }
    }

    /// Whether the files could be read. Logged when it is news.
    fn reload(&self, is_reported: bool) -> bool {
        let certificate = self.0.files.identity.certificate.display().to_string();
        match self.0.files.config() {
            Ok(config) => {
                *self.0.current.write() = Arc::new(config);
                tracing::info!(certificate, "a certificate was read again");
                self.0.files.warn_of_validity();
                true
            }
            Err(error) => {
                if !is_reported {
                    tracing::warn!(certificate, %error, "a certificate has changed and can't be used: the last one is");
                }
                false
            }
        }
    }
}

impl ServerTlsFiles {
    /// What is compared to know whether they have changed.
    fn contents(&self) -> Vec<Option<Vec<u8>>> {
        let clients = self.clients.as_ref().map(|it| &it.ca_file);
        let all = [Some(&self.identity.certificate), Some(&self.identity.key), clients];
        all.into_iter().flatten().map(|path| std::fs::read(path).ok()).collect()
    }

    /// Clients refuse a certificate that is not valid now; the listener is opened all the same, as it may be renewed meanwhile.
    fn warn_of_validity(&self) {
        let certificate = self.identity.certificate.display();
        match self.identity.validity_at(Clock::real().wall_us()) {
            Ok(Validity::Expired) => tracing::warn!(%certificate, "a certificate is no longer valid: renew it"),
            Ok(Validity::NotYet) => tracing::warn!(%certificate, "a certificate is not valid yet"),
            Ok(Validity::Valid) | Err(_) => {}
        }
    }

    fn config(&self) -> Result<ServerConfig, TlsSetupError> {
        let (chain, key) = self.identity.read()?;
        let unusable = |source| TlsSetupError::Pair { certificate: self.identity.certificate.clone(), source };
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(Arc::new(clients.verifier()?)),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1.to_vec()];
        Ok(config)
    }
}

impl Clients {
    fn verifier(&self) -> Result<NamedClients, TlsSetupError> {
        let roots = Arc::new(roots(Some(&self.ca_file))?);
        let signed = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
        Ok(NamedClients { signed, names: self.names.clone() })
    }
}

/// Accepts certificates for some names.
#[derive(Debug)]
struct NamedClients {
    /// Whether the right authority has signed it.
    signed: Arc<dyn ClientCertVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ClientCertVerifier for NamedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.signed.verify_client_cert(end_entity, intermediates, now)?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let is_listed = self.names.iter().any(|name| verify_server_name(&certificate, name).is_ok());
        if is_listed { Ok(verified) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}
