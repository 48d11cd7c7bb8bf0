//! The settings of `[serve.oidc]`, checked.

use std::time::Duration;

use super::exchange::Client;
use super::outgoing::is_safe;
use super::provider::Provider;
use super::{Inner, OidcError};
use crate::config::{Config, ConfigError, GroupRole, Secret};
use crate::ops::accounts::GroupRoles;
use crate::server::BasePath;
use crate::server::auth::proxy::roles;

const SESSION: Duration = Duration::from_secs(12 * 3_600);

/// The provider of a configuration; `None` if there is none.
pub(super) fn read(config: &Config, base_path: &BasePath) -> Result<Option<Inner>, OidcError> {
    let Some(oidc) = config.settings().oidc() else { return Ok(None) };
    let issuer = oidc.issuer.ok_or(OidcError::missing("issuer", "the address of the provider"))?;
    if !is_safe(issuer) || issuer.contains(['?', '#']) {
        return Err(OidcError::Issuer { issuer: issuer.to_owned() });
    }
    let id = oidc.client_id.ok_or(OidcError::missing("client_id", "the name of this server at the provider"))?;
    let public_url = config.settings().public_url().ok_or(OidcError::PublicUrl)?;
    let secret = oidc.client_secret.map(|name| secret(config, name)).transpose()?;
    let scopes = oidc.scopes.unwrap_or_else(|| vec!["profile", "email"]);
    let scopes = std::iter::once("openid").chain(scopes.into_iter().filter(|scope| *scope != "openid"));
    Ok(Some(Inner {
        name: oidc.name.map_or_else(|| host(issuer).to_owned(), str::to_owned),
        client: Client { id: id.to_owned(), secret, redirect: redirect(public_url, base_path) },
        provider: Provider::new(issuer.to_owned()),
        scopes: scopes.collect::<Vec<_>>().join(" "),
        name_claim: oidc.name_claim.unwrap_or("preferred_username").to_owned(),
        groups_claim: oidc.groups_claim.unwrap_or("groups").to_owned(),
        roles: roles_of(oidc.groups)?,
        session: oidc.session.unwrap_or(SESSION),
    }))
}

/// The secret of the client. Its name may be the secret itself, by mistake, and is not shown.
fn secret(config: &Config, name: &str) -> Result<Secret, OidcError> {
    config.secret(name).map_err(|error| match error {
        ConfigError::Missing { .. } => OidcError::NoSecret,
        error => OidcError::Secret(error),
    })
}

/// What each group may do. Without any group nobody could log in.
fn roles_of(groups: &[GroupRole]) -> Result<GroupRoles, OidcError> {
    match groups {
        [] => Err(OidcError::missing("groups", "a role for each group that may log in")),
        groups => Ok(roles(groups)),
    }
}

/// Where the provider leads back to. `public_url` may have the base path, or leave it to us.
fn redirect(public_url: &str, base_path: &BasePath) -> String {
    let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    let path = host.find('/').map_or("", |at| &host[at..]);
    let base = if path.ends_with(base_path.as_str()) { "" } else { base_path.as_str() };
    format!("{public_url}{base}/login/oidc/callback")
}

fn host(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [serve]
        public_url = "https://flow.example.com"
        [serve.oidc]
        issuer = "https://id.example.com/realms/main"
        client_id = "taskflow"
        client_secret = "oidc-client"
        groups = { admins = "admin" }
        [secrets]
        oidc-client = "correct horse"
    "#;

    fn read_text(text: &str) -> Result<Option<Inner>, String> {
        read(&Config::from_toml(text).unwrap(), &BasePath::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mistake_names_its_setting() {
        assert!(read_text("").unwrap().is_none());
        let good = read_text(GOOD).unwrap().unwrap();
        assert_eq!((&*good.name, &*good.scopes), ("id.example.com", "openid profile email"));
        for (from, to, expected) in [
            ("issuer = \"https://id.example.com/realms/main\"", "", "`issuer` is missing in [serve.oidc]"),
            ("https://id", "http://id", "`issuer` in [serve.oidc] must begin with https://"),
            ("client_id = \"taskflow\"", "", "`client_id` is missing in [serve.oidc]"),
            ("groups = { admins = \"admin\" }", "", "`groups` is missing in [serve.oidc]"),
            ("public_url = \"https://flow.example.com\"", "", "`public_url` in [serve]"),
            ("\"oidc-client\"\n", "\"s3cr3t-text\"\n", "`client_secret` in [serve.oidc] must be the name of a secret"),
            ("= \"correct horse\"", "= { env = \"NONE\" }", "the environment variable NONE is not set"),
        ] {
            let error = read_text(&GOOD.replacen(from, to, 1)).err().unwrap_or_default();
            assert!(error.contains(expected) && !error.contains("s3cr3t"), "{from}: {error}");
        }
    }

    #[test]
    fn the_way_back_has_the_base_path_once() {
        let base = |path: &str| path.parse::<BasePath>().unwrap();
        let callback = |public: &str, path: &str| redirect(public, &base(path));
        assert_eq!(callback("https://a", ""), "https://a/login/oidc/callback");
        assert_eq!(callback("https://a", "/team/dags"), "https://a/team/dags/login/oidc/callback");
        assert_eq!(callback("https://flow", "/flow"), "https://flow/flow/login/oidc/callback");
        assert_eq!(callback("https://a/team/dags", "/team/dags"), "https://a/team/dags/login/oidc/callback");
    }
}
