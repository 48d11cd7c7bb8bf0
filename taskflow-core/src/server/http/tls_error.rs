//! What is wrong with the certificate of a server.

use std::path::PathBuf;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The program was built without the feature.
    #[error(
        "this program is built without the feature `tls` of taskflow, which HTTPS needs; add it in Cargo.toml, or put a \
         proxy with HTTPS in front of the server"
    )]
    NoFeature,
    /// A file cannot be read.
    #[error("the {what} {} cannot be read: {source}", path.display())]
    Unreadable {
        /// What it should be: `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not a {what} in PEM: {reason}", path.display())]
    NotPem {
        /// What it should be: `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what helps.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error(
        "the key {} does not belong to the certificate {}; the first certificate of the file must be that of the server",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate or the key has a form that is not supported.
    #[error("the certificate {} and the key {} cannot be used: {reason}", certificate.display(), key.display())]
    Unsupported {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
