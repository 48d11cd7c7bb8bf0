//! The settings of log-in with OpenID Connect: `[serve.oidc]`.

use std::time::Duration;

use super::group::GroupRole;
use super::setting::Datum;
use super::settings::Settings;

/// The setting that names the secret of the client.
pub(super) const SECRET: &str = "serve.oidc.client_secret";
/// The names of its settings begin with this.
pub(super) const PREFIX: &str = "serve.oidc.";

/// The settings of `[serve.oidc]`, as written. What is not set is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OidcSettings<'s> {
    /// The address of the provider.
    pub issuer: Option<&'s str>,
    /// What people call the provider.
    pub name: Option<&'s str>,
    /// The name of this server at the provider.
    pub client_id: Option<&'s str>,
    /// The name of the secret with which this server authenticates itself.
    pub client_secret: Option<&'s str>,
    /// What is asked for besides `openid`.
    pub scopes: Option<Vec<&'s str>>,
    /// The claim with the name of a person.
    pub name_claim: Option<&'s str>,
    /// The claim with the groups of a person.
    pub groups_claim: Option<&'s str>,
    /// What each group may do.
    pub groups: &'s [GroupRole],
    /// How long a session lasts at most.
    pub session: Option<Duration>,
}

impl Settings {
    /// The settings of `[serve.oidc]`, if there are any.
    pub fn oidc(&self) -> Option<OidcSettings<'_>> {
        self.has_oidc().then(|| OidcSettings {
            issuer: self.text("serve.oidc.issuer"),
            name: self.text("serve.oidc.name"),
            client_id: self.text("serve.oidc.client_id"),
            client_secret: self.text(SECRET),
            scopes: match self.datum("serve.oidc.scopes") {
                Some(Datum::Texts(scopes)) => Some(scopes.iter().map(String::as_str).collect()),
                _ => None,
            },
            name_claim: self.text("serve.oidc.name_claim"),
            groups_claim: self.text("serve.oidc.groups_claim"),
            groups: self.groups("serve.oidc.groups"),
            session: self.span("serve.oidc.session"),
        })
    }

    /// Whether one of its settings is set.
    pub(super) fn has_oidc(&self) -> bool {
        self.iter().any(|(setting, given)| given.is_some() && setting.name.starts_with(PREFIX))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn groups_have_roles_for_all_or_some_dags() {
        let config = Config::from_toml(
            r#"
            [serve.oidc]
            issuer = "https://id.example.com/"
            scopes = ["profile", "groups"]
            session = "8h"

            [serve.oidc.groups]
            admins = "admin"
            "Team A" = [{ role = "operator", dags = ["team_a.*", "tag:finance"] }, "viewer"]
            "#,
        )
        .unwrap();
        let oidc = config.settings().oidc().unwrap();
        assert_eq!((oidc.issuer, oidc.client_id), (Some("https://id.example.com/"), None));
        assert_eq!(oidc.scopes.as_deref(), Some(&["profile", "groups"][..]));
        assert_eq!(oidc.session.map(|span| span.as_secs()), Some(8 * 3_600));
        let groups: Vec<_> = oidc.groups.iter().map(ToString::to_string).collect();
        assert_eq!(groups, ["Team A = operator of team_a.* tag:finance", "Team A = viewer", "admins = admin"]);
        assert_eq!(Config::from_toml("").unwrap().settings().oidc(), None);
    }

    #[test]
    fn a_group_without_a_role_is_a_mistake() {
        for groups in [
            "{}",
            "\"admin\"",
            "{ a = \"root\" }",
            "{ a = { dags = [\"x\"] } }",
            "{ a = { role = \"viewer\", dags = [] } }",
            "{ a = { role = \"viewer\", dag = [\"x\"] } }",
            "{ a = 1 }",
            "{ \"\" = \"viewer\" }",
            "{ a = { role = \"viewer\", dags = [\"*\"] } }",
        ] {
            let refused = Config::from_toml(&format!("[serve.oidc]\ngroups = {groups}")).unwrap_err().to_string();
            assert!(refused.contains("line 2 of the text: `groups` must be roles of groups"), "{groups}: {refused}");
        }
        let unknown = Config::from_toml("[serve.oidc]\nissuers = \"x\"").unwrap_err().to_string();
        assert!(unknown.contains("unknown key `issuers` in [serve.oidc]; did you mean `issuer`?"), "{unknown}");
        let flat = Config::from_toml("[serve]\noidc = \"x\"").unwrap_err().to_string();
        assert!(flat.contains("`oidc` must be a table: `[serve.oidc]`"), "{flat}");
    }
}
