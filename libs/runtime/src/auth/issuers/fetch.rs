//! Fetching what an issuer publishes. What answers may be anybody: the answer is bounded in size and time, and followed nowhere.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::settings::KeySource;
use crate::clock::Clock;
use crate::tls::{self, ClientTlsError};

/// In bytes. A JWK set of a dozen keys with their certificates has some 20 KiB.
pub(super) const LARGEST: usize = 64 * 1024;
/// For the whole of it.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("there was no whole answer within {} s", .0.as_secs_f32())]
    Late(Duration),
    #[error("the address can't be reached")]
    Connect(#[source] io::Error),
    #[error("TLS failed")]
    Tls(#[source] io::Error),
    #[error("TLS failed")]
    Setup(#[from] ClientTlsError),
    #[error("the connection broke")]
    Http(#[source] hyper::Error),
    #[error("the answer was {0}, and redirects are not followed; jwks_url has to be where the keys are")]
    Redirect(StatusCode),
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("the answer is larger than 64 KiB")]
    TooLarge,
    #[error("jwks_url is no address")]
    Address,
    #[error("can't read {}", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl KeySource {
    /// What is published there now, within `longest`.
    pub(super) async fn fetch(&self, longest: Duration) -> Result<Bytes, FetchError> {
        let fetched = async {
            match self {
                Self::Url { url, ca_file } => over_http(url, ca_file.as_deref()).await,
                Self::File(path) => of_file(path).await,
            }
        };
        // Others answer in real time, also where calls are simulated.
        Clock::real().timeout(longest, fetched).await.unwrap_or(Err(FetchError::Late(longest)))
    }
}

async fn of_file(path: &Path) -> Result<Bytes, FetchError> {
    let failed = |source| FetchError::File { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut text = Vec::new();
    file.take(LARGEST as u64 + 1).read_to_end(&mut text).await.map_err(failed)?;
    if text.len() > LARGEST { Err(FetchError::TooLarge) } else { Ok(text.into()) }
}

async fn over_http(url: &Uri, ca_file: Option<&Path>) -> Result<Bytes, FetchError> {
    let is_https = url.scheme_str() == Some("https");
    let host = url.host().ok_or(FetchError::Address)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let socket = TcpStream::connect((host, port)).await.map_err(FetchError::Connect)?;
    if !is_https {
        return exchange(socket, url).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Address)?;
    let tls = TlsConnector::from(tls::anonymous(ca_file)?);
    exchange(tls.connect(name, socket).await.map_err(FetchError::Tls)?, url).await
}

/// One request, one answer.
async fn exchange<S>(stream: S, url: &Uri) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(LARGEST).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(FetchError::Http)?;
    let request = request(url)?;
    let answer = async move {
        let response = sender.send_request(request).await.map_err(FetchError::Http)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => return Err(FetchError::Redirect(status)),
            status => return Err(FetchError::Status(status)),
        }
        let collected = Limited::new(response.into_body(), LARGEST).collect().await;
        collected.map(http_body_util::Collected::to_bytes).map_err(broken)
    };
    match select(Box::pin(answer), Box::pin(connection)).await {
        Either::Left((answer, _)) => answer,
        // The other side has closed it; what has come is still to be read.
        Either::Right((_, answer)) => answer.await,
    }
}

fn request(url: &Uri) -> Result<Request<Empty<Bytes>>, FetchError> {
    let path = url.path_and_query().map_or("/", |it| it.as_str());
    let host = url.authority().ok_or(FetchError::Address)?.as_str();
    let request = Request::get(path)
        .header(HOST, host)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, "baton")
        .body(Empty::new());
    request.map_err(|_| FetchError::Address)
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> FetchError {
    if error.is::<LengthLimitError>() {
        return FetchError::TooLarge;
    }
    match error.downcast::<hyper::Error>() {
        Ok(error) => FetchError::Http(*error),
        Err(error) => FetchError::Connect(io::Error::other(error)),
    }
}
