//! Users and tokens.
//!
//! A password, and the token that is made, are sent where nobody else can read them: over TLS, or
//! to this machine. Nothing here prints or stores them.

use serde_json::{Value, json};

use super::{Client, Source, segment};
use crate::cli::error::CliError;
use crate::ops::OpsError;
use crate::ops::accounts::{
    self, AccountError, CreatedToken, DagPattern, EndedCredentials, Grant, NewToken, TokenDocument, UserDocument,
};
use crate::store::SyncMode;

/// The members of a body about roles. All grants of a call have the same role.
fn with_grants(grants: &[Grant], mut members: Value) -> Value {
    let patterns = grants.iter().filter(|grant| grant.dags != DagPattern::All);
    let patterns: Vec<String> = patterns.map(|grant| grant.dags.to_string()).collect();
    members["role"] = json!(grants.first().map(|grant| grant.role));
    members["dags"] = json!(patterns);
    members
}

fn user_path(name: &str) -> String {
    format!("/users/{}", segment(name))
}

impl Source {
    pub(in crate::cli) fn users(&self) -> Result<Vec<UserDocument>, CliError> {
        match self {
            Source::Home(home) => match home.existing_journal()? {
                Some(journal) => home.wait(accounts::users(&journal)),
                None => Ok(Vec::new()),
            },
            Source::Server(client) => client.list("/users", &[], usize::MAX),
        }
    }

    /// Checks that there is a user, and that a password can be sent: nobody types one for nothing.
    pub(in crate::cli) fn check_user(&self, name: &str) -> Result<(), CliError> {
        let is_known = match self {
            Source::Home(home) => home.wait(accounts::user(&home.journal()?, name))?.is_some(),
            Source::Server(client) => {
                client.check_private()?;
                self.users()?.iter().any(|user| user.name == name)
            }
        };
        if is_known { Ok(()) } else { Err(OpsError::from(AccountError::UnknownUser { name: name.to_owned() }).into()) }
    }

    /// Checks that a name can be that of a new user, and that a password can be sent.
    pub(in crate::cli) fn check_new_user(&self, name: &str) -> Result<(), CliError> {
        accounts::check_name(name).map_err(OpsError::from)?;
        match self {
            Source::Home(_) => Ok(()),
            Source::Server(client) => client.check_private(),
        }
    }

    pub(in crate::cli) fn add_user(
        &self,
        name: &str,
        password: &str,
        grants: Vec<Grant>,
    ) -> Result<UserDocument, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                let added = home.wait(accounts::add_user(&journal, name, password, grants));
                home.close(&journal);
                added
            }
            Source::Server(client) => {
                client.check_private()?;
                let body = with_grants(&grants, json!({ "name": name, "password": password }));
                client.send("POST", "/users", &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn remove_user(&self, name: &str) -> Result<EndedCredentials, CliError> {
        match self {
            Source::Home(home) => home.wait(accounts::remove_user(&home.journal()?, name)),
            Source::Server(client) => client.send("DELETE", &user_path(name), &[], &json!({}), None),
        }
    }

    pub(in crate::cli) fn set_password(&self, name: &str, password: &str) -> Result<EndedCredentials, CliError> {
        match self {
            Source::Home(home) => home.wait(accounts::set_password(&home.journal()?, name, password)),
            Source::Server(client) => {
                client.check_private()?;
                let path = format!("{}/password", user_path(name));
                client.send("PUT", &path, &[], &json!({ "password": password }), None)
            }
        }
    }

    pub(in crate::cli) fn set_role(&self, name: &str, grants: Vec<Grant>) -> Result<UserDocument, CliError> {
        match self {
            Source::Home(home) => home.wait(accounts::set_role(&home.journal()?, name, grants)),
            Source::Server(client) => {
                let path = format!("{}/role", user_path(name));
                client.send("PUT", &path, &[], &with_grants(&grants, json!({})), None)
            }
        }
    }

    pub(in crate::cli) fn tokens(&self) -> Result<Vec<TokenDocument>, CliError> {
        match self {
            Source::Home(home) => match home.existing_journal()? {
                Some(journal) => home.wait(accounts::tokens(&journal, None)),
                None => Ok(Vec::new()),
            },
            Source::Server(client) => client.list("/tokens", &[], usize::MAX),
        }
    }

    /// Creates a token. Of a service, it belongs to the user who asks, unless it names another one.
    pub(in crate::cli) fn create_token(&self, new: NewToken) -> Result<CreatedToken, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                let created = home.wait(accounts::create_token(&journal, new));
                home.close(&journal);
                created
            }
            Source::Server(client) => {
                client.check_private()?;
                let NewToken { name, owner, grants, expires_after } = new;
                let expires = expires_after.map(|span| format!("{}s", span.as_secs()));
                let members = json!({ "name": name, "user": owner, "expires": expires, "lasts": expires.is_none() });
                client.send("POST", "/tokens", &[], &with_grants(&grants, members), None)
            }
        }
    }

    pub(in crate::cli) fn revoke_token(&self, name: &str) -> Result<(), CliError> {
        match self {
            Source::Home(home) => home.wait(accounts::revoke_token(&home.journal()?, name, None)),
            Source::Server(client) => {
                let path = format!("/tokens/{}", segment(name));
                client.send::<Value>("DELETE", &path, &[], &json!({}), None).map(drop)
            }
        }
    }
}

impl Client {
    /// Refuses to send what others could read on its way.
    fn check_private(&self) -> Result<(), CliError> {
        if self.is_private() {
            return Ok(());
        }
        Err(CliError::usage(format!(
            "a password or a token would cross the network to {} as plain text; use https, or an SSH tunnel to the \
             machine",
            self.shown()
        )))
    }
}
