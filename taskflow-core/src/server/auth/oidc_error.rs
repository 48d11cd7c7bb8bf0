//! What is wrong with the settings of `[serve.oidc]`.

use crate::config::ConfigError;

/// Why no provider can be asked: what is wrong with the settings of `[serve.oidc]`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// The program was built without the feature.
    #[error(
        "[serve.oidc] of taskflow.toml needs a program that is built with the feature `oidc` of taskflow; add it in \
         Cargo.toml, or remove the table"
    )]
    NoFeature,
    /// A setting is missing.
    #[error("`{setting}` is missing in [serve.oidc] of taskflow.toml: {meaning}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// What it means.
        meaning: &'static str,
    },
    /// The issuer is no address that may be asked.
    #[error(
        "`issuer` in [serve.oidc] must begin with https:// and have no query, unless the provider runs on this machine; \
         it is `{issuer}`"
    )]
    Issuer {
        /// The issuer.
        issuer: String,
    },
    /// Nothing says where the provider leads back to.
    #[error(
        "[serve.oidc] needs `public_url` in [serve] of taskflow.toml, the address at which people reach the server: \
         the provider leads back to `public_url` and /login/oidc/callback"
    )]
    PublicUrl,
    /// There is no such secret. The text may be the secret itself, and is not shown.
    #[error(
        "`client_secret` in [serve.oidc] must be the name of a secret, and there is none of this name; define it in \
         [secrets], such as `oidc = {{ env = \"OIDC_SECRET\" }}`, and write `client_secret = \"oidc\"`"
    )]
    NoSecret,
    /// The secret cannot be read.
    #[error("`client_secret` in [serve.oidc]: {0}")]
    Secret(#[source] ConfigError),
}

impl OidcError {
    #[cfg(feature = "oidc")]
    pub(super) fn missing(setting: &'static str, meaning: &'static str) -> Self {
        OidcError::Missing { setting, meaning }
    }
}
