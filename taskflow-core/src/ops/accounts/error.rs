//! Why an operation on users or tokens was not carried out.

use super::rights::Role;
use crate::base::ErrorKind;

/// Why an operation on users or tokens was not carried out. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// There is no such user.
    #[error("there is no user `{name}`; `users list` shows all")]
    UnknownUser {
        /// The name.
        name: String,
    },
    /// There is a user with this name.
    #[error("the user `{name}` exists; `users password {name}` and `users role {name}` change it")]
    UserExists {
        /// The name.
        name: String,
    },
    /// There is no such token.
    #[error("there is no token `{name}`; `tokens list` shows all")]
    UnknownToken {
        /// The name.
        name: String,
    },
    /// There is a token with this name.
    #[error("the token `{name}` exists; choose another name, or `tokens revoke {name}` first")]
    TokenExists {
        /// The name.
        name: String,
    },
    /// The text cannot be the name of a user or a token.
    #[error(
        "`{name}` cannot be a name: a name has 1 to 64 letters, digits and the characters . _ @ + -, and begins with a \
         letter or a digit"
    )]
    InvalidName {
        /// The text.
        name: String,
    },
    /// The password is too easy to guess, or too long.
    #[error("the password {reason}")]
    WeakPassword {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is no role.
    #[error("`{role}` is not a role; the roles are {}", Role::names())]
    UnknownRole {
        /// The text.
        role: String,
    },
    /// The text is not a pattern over DAGs.
    #[error(
        "`{pattern}` is not a pattern over DAGs: it is the id of a DAG, the beginning of ids such as `team_a.*`, or a \
         tag such as `tag:finance`; leave it out for all DAGs"
    )]
    InvalidPattern {
        /// The text.
        pattern: String,
    },
    /// The token would expire too late.
    #[error("a token expires after at most {most} days; without a limit only an admin of all DAGs can make one")]
    InvalidExpiry {
        /// The most days.
        most: u64,
    },
    /// A provider authenticates the user.
    #[error(
        "`{name}` logs in with OpenID Connect: the password is the provider's, and the roles are those of the groups \
         in [serve.oidc.groups] of taskflow.toml"
    )]
    OfProvider {
        /// The name.
        name: String,
    },
    /// Another process has changed the user meanwhile.
    #[error("the user `{name}` was changed by another process at the same time; try again")]
    Changed {
        /// The name.
        name: String,
    },
    /// The operating system has no random numbers.
    #[error("the operating system provides no random numbers: {reason}")]
    Random {
        /// What it reports.
        reason: String,
    },
    /// The stored state of a user or a token cannot be read.
    #[error("the stored state of the {kind} `{name}` cannot be read: {reason}")]
    Unreadable {
        /// `user`, `session` or `token`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl AccountError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            AccountError::UnknownUser { .. } | AccountError::UnknownToken { .. } => ErrorKind::NotFound,
            AccountError::UserExists { .. }
            | AccountError::TokenExists { .. }
            | AccountError::OfProvider { .. }
            | AccountError::Changed { .. } => ErrorKind::Conflict,
            AccountError::InvalidName { .. }
            | AccountError::WeakPassword { .. }
            | AccountError::UnknownRole { .. }
            | AccountError::InvalidPattern { .. }
            | AccountError::InvalidExpiry { .. } => ErrorKind::Invalid,
            AccountError::Random { .. } => ErrorKind::Unavailable,
            AccountError::Unreadable { .. } => ErrorKind::Damaged,
        }
    }
}
