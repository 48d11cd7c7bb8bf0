//! Without the feature `tls` there is no certificate.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use tokio::net::TcpStream;

use super::tls_error::TlsError;
use crate::base::Timestamp;

/// The certificate of a server; without the feature `tls` there is none.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Private: to an empty enum, the compiler takes the code that uses it for unreachable.
    never: Infallible,
}

impl Tls {
    /// Always an error.
    ///
    /// # Errors
    ///
    /// That there is no such feature.
    pub fn load(_: impl Into<PathBuf>, _: impl Into<PathBuf>) -> Result<Self, TlsError> {
        Err(TlsError::NoFeature)
    }

    pub(crate) fn renew(&self, _: bool) -> Option<Result<(), TlsError>> {
        match self.never {}
    }

    pub(super) async fn accept(&self, _: TcpStream) -> Option<TcpStream> {
        match self.never {}
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> &Path {
        match self.never {}
    }

    pub(crate) fn expires(&self) -> Option<Timestamp> {
        match self.never {}
    }

    /// What clients will say about the certificate at this time, if it is not valid then.
    pub fn warning(&self, _: Timestamp) -> Option<String> {
        match self.never {}
    }
}
