//! Users, their sessions and tokens, and what each may do.
//!
//! | file | what |
//! |---|---|
//! | `rights` | [`Right`], [`Role`], [`DagPattern`], [`Grant`]; [`Access`] decides. |
//! | `users` | [`add_user`], [`users()`], [`remove_user`], [`set_password`], [`set_role`]. |
//! | `sessions` | [`log_in`], [`session`], [`sessions()`], [`confirm_session`], [`end_session`], [`log_out`]. |
//! | `identity` | Users of a provider of OpenID Connect: [`Identity`], [`GroupRoles`], [`enter`]. |
//! | `tokens` | [`create_token`], [`tokens()`], [`revoke_token`], [`token`]. |
//! | `password` | Hashes passwords, and refuses weak ones. |
//! | `secret` | Random secrets, their text and their digests. |
//! | `error` | [`AccountError`]. |
//!
//! # When a secret stops working
//!
//! A session or a token is checked against the store on each use, so what one process ends no other
//! process accepts any more.
//!
//! 1. A user has a random *generation*. A session, and a token that belongs to a user, carries the
//!    generation it was made in, and works in no other.
//! 2. A new password begins a new generation. Removing the user ends all; a user who is added later
//!    under the same name has another generation.
//! 3. What a session may do is read from its user each time. What a token may do is bounded by both
//!    its own grants and those of its user.
//! 4. The rows of what has ended are deleted afterwards. If that is interrupted, they stay and do
//!    not work.

mod error;
mod identity;
mod password;
mod rights;
mod secret;
mod sessions;
#[cfg(all(test, feature = "testing"))]
mod tests;
mod tokens;
mod users;

pub use error::AccountError;
pub use identity::{GroupRoles, Identity, apply_groups, enter};
pub use rights::{Access, DagPattern, Grant, Right, Role};
pub use sessions::{
    Authenticated, NewSession, SessionDocument, confirm_session, end_session, log_in, log_out, session, sessions,
};
pub use tokens::{CreatedToken, DEFAULT_EXPIRY, NewToken, TokenDocument, create_token, revoke_token, token, tokens};
pub use users::{
    EndedCredentials, UserDocument, add_user, check_name, has_password, has_passwords, has_users, remove_user,
    set_password, set_role, user, users,
};

#[cfg(feature = "oidc")]
pub(crate) use secret::is_same_secret;
pub(crate) use secret::{digest, random_secret};
#[cfg(feature = "server")]
pub(crate) use users::words as roles_in_words;

/// For fuzzing: reads a text as the stored state of each kind of account, and as what one may do.
pub(super) fn read_any(text: &str) {
    let _ = (text.parse::<Role>(), text.parse::<DagPattern>());
    sessions::read_any(text);
    tokens::read_any(text);
    users::read_any(text);
}
