//! Without the feature `oidc` there is no provider.

use super::OidcError;
use crate::config::Config;
use crate::ops::accounts::GroupRoles;
use crate::server::BasePath;

/// A provider that authenticates users; without the feature `oidc` there is none.
#[derive(Clone, Debug)]
pub enum Oidc {}

impl Oidc {
    /// Always `None`.
    ///
    /// # Errors
    ///
    /// When a provider is configured.
    pub fn of(config: &Config, _: &BasePath) -> Result<Option<Self>, OidcError> {
        if config.settings().oidc().is_some() { Err(OidcError::NoFeature) } else { Ok(None) }
    }

    pub(in crate::server) fn name(&self) -> &str {
        match *self {}
    }

    pub(in crate::server) fn issuer(&self) -> &str {
        match *self {}
    }

    pub(in crate::server) fn roles(&self) -> &GroupRoles {
        match *self {}
    }
}
