//! TLS on both sides of a connection, by rustls with ring.
//!
//! - [`server`]: a listener's certificate, read again when its files change, and which clients have to have one of their own.
//! - [`client`]: whom a channel trusts, and the certificate that it shows.
//! - [`roots`], [`identity`]: the files; [`validity`]: when a certificate is valid.
//!
//! A file is read again, never written. What can't be read is reported once, and what was read last goes on.

mod client;
mod identity;
mod roots;
mod server;
mod validity;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub(crate) use client::anonymous;
pub use client::{ClientTls, ClientTlsError};
pub use identity::{IdentityError, TlsIdentity};
pub use roots::RootsError;
pub(crate) use server::PERIOD;
pub use server::{ServerTls, TlsSetupError};
pub use validity::Validity;

/// HTTP/2 and HTTP/1.1, as they are called in a handshake.
const H2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
pub(crate) mod test_authority;
