//! TLS: the certificate of the server, read from files and read again when they change.
//!
//! # A new certificate
//!
//! 1. [`Tls::load`] reads both files before anything starts. What is wrong with one is an error
//!    that names it.
//! 2. Each connection takes the configuration that is current when it is accepted, and keeps it.
//! 3. [`Tls::renew`] reads the files again if they have changed, or if somebody asks for it. Files
//!    that do not fit together change nothing: a tool may have replaced one of the two so far. The
//!    next change tries again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls_error::TlsError;
use super::validity::{Validity, validity};
use crate::base::Timestamp;

/// The certificate of a server. Cheap to clone; clones are renewed together.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Current>,
    /// The files as they were last read.
    seen: Mutex<[Seen; 2]>,
}

#[derive(Clone)]
struct Current {
    config: Arc<ServerConfig>,
    validity: Option<Validity>,
}

/// What changes when a file does.
type Seen = Option<(SystemTime, u64)>;

impl Tls {
    /// Reads a certificate, followed by those that lead to its root, and its key; both in PEM.
    ///
    /// # Errors
    ///
    /// When one cannot be read or used.
    pub fn load(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let seen = [seen(&certificate), seen(&key)];
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Tls(Arc::new(Inner { certificate, key, current, seen: Mutex::new(seen) })))
    }

    /// Reads the files again if they have changed, or in any case if `is_asked`. `None`: they have
    /// not changed.
    pub(crate) fn renew(&self, is_asked: bool) -> Option<Result<(), TlsError>> {
        let Inner { certificate, key, current, seen: before } = &*self.0;
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        let now = [seen(certificate), seen(key)];
        if !is_asked && *before == now {
            return None;
        }
        *before = now;
        Some(read(certificate, key).map(|new| *current.write().unwrap_or_else(PoisonError::into_inner) = new))
    }

    fn current(&self) -> Current {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The encrypted connection, once both sides agree on one.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.current().config).accept(stream).await.ok()
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> &Path {
        &self.0.certificate
    }

    /// When the certificate expires, as far as it can be read.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.current().validity.map(|validity| validity.until)
    }

    /// What clients will say about the certificate at this time, if it is not valid then.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let Validity { from, until } = self.current().validity?;
        let path = self.0.certificate.display();
        if now > until {
            return Some(format!("the certificate {path} has expired at {until}; clients refuse it"));
        }
        (now < from).then(|| format!("the certificate {path} is valid from {from} on; clients refuse it before"))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}

fn seen(path: &Path) -> Seen {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

fn read(certificate: &Path, key: &Path) -> Result<Current, TlsError> {
    let chain = read_chain(certificate)?;
    let validity = chain.first().and_then(|certificate| validity(certificate));
    let unsupported = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
        }
        error => {
            let reason = match error {
                rustls::Error::InvalidCertificate(error) => {
                    format!("the certificate must be one of X.509, version 3 ({error:?})")
                }
                error => error.to_string(),
            };
            TlsError::Unsupported { certificate: certificate.to_owned(), key: key.to_owned(), reason }
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unsupported)?
        .with_no_client_auth()
        .with_single_cert(chain, read_key(key)?)
        .map_err(unsupported)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Current { config: Arc::new(config), validity })
}

fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { what, path: path.to_owned(), source })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read_file("certificate", path)?;
    let not_pem = |reason: String| TlsError::NotPem { what: "certificate", path: path.to_owned(), reason };
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| not_pem(format!("it is damaged ({error:?})")))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(not_pem(match has_key(&text) {
        true => "it has a private key only; are the two files swapped?".to_owned(),
        false => "it has no line `-----BEGIN CERTIFICATE-----`; `openssl x509 -inform der -in FILE` converts one that \
                  is binary"
            .to_owned(),
    }))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read_file("key", path)?;
    let not_pem = |reason: &str| TlsError::NotPem { what: "key", path: path.to_owned(), reason: reason.to_owned() };
    let has = |line: &str| text.windows(line.len()).any(|part| part == line.as_bytes());
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
            not_pem("it is encrypted; `openssl pkey -in FILE -out NEW` removes the password")
        }
        pem::Error::NoItemsFound if has("-----BEGIN CERTIFICATE-----") => {
            not_pem("it has a certificate only; are the two files swapped?")
        }
        pem::Error::NoItemsFound => not_pem("it has no line `-----BEGIN PRIVATE KEY-----`"),
        // The error could quote the file.
        _ => not_pem("it is damaged"),
    })
}

fn has_key(text: &[u8]) -> bool {
    PrivateKeyDer::from_pem_slice(text).is_ok()
}
