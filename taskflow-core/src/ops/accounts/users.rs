//! Users: who they are, and their roles.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::AccountError;
use super::identity::Identity;
use super::password;
use super::rights::Grant;
use super::secret::random_secret;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::base::text::bounded;
use crate::journal::{Journal, JournalError};
use crate::ops::OpsError;
use crate::ops::audit::{Action, AuditTarget, Trail, changed};
use crate::store::{AccountKind, AccountRow};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct UserDocument {
    /// The name.
    pub name: String,
    /// The roles.
    pub grants: Vec<Grant>,
    /// When the user was added.
    pub created: Timestamp,
    /// Who it is to the provider that authenticates them; `None`: they have a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// What has ended with a user or a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct EndedCredentials {
    /// How many sessions.
    pub sessions: u64,
    /// How many tokens.
    pub tokens: u64,
}

/// The stored state of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserState {
    pub(super) password: String,
    pub(super) grants: Vec<Grant>,
    pub(super) created: Timestamp,
    pub(super) generation: String,
    /// Of a user without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Identity>,
}

impl UserState {
    /// Whether the provider knows the user, and no group gives a role.
    pub(super) fn is_nobody(&self) -> bool {
        self.identity.is_some() && self.grants.is_empty()
    }
}

/// A user as stored.
#[derive(Clone, Debug)]
pub(super) struct StoredUser {
    pub(super) row: AccountRow,
    pub(super) state: UserState,
}

impl StoredUser {
    fn document(self) -> UserDocument {
        let UserState { grants, created, identity, .. } = self.state;
        UserDocument { name: self.row.name, grants, created, identity }
    }
}

/// Checks that a text can be the name of a user or a token.
///
/// # Errors
///
/// When it cannot.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let is_valid = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-');
    let begins_well = name.starts_with(char::is_alphanumeric) && !name.contains("..");
    if begins_well && name.chars().count() <= 64 && name.chars().all(is_valid) {
        return Ok(());
    }
    Err(AccountError::InvalidName { name: bounded(name, 100).into_owned() })
}

/// The row of an operation on the account with this name, which may be none.
pub(super) fn trail(journal: &Journal, action: Action, name: &str) -> Trail {
    let trail = Trail::begin(journal, action, AuditTarget::default(), "");
    changed(trail.journal(), json!({}), json!({ "name": bounded(name, 100) }));
    trail
}

/// Roles in words: `operator of delays, viewer of tag:finance`.
pub(crate) fn words(grants: &[Grant]) -> String {
    if grants.is_empty() {
        return "no role".to_owned();
    }
    let words = grants.iter().map(Grant::to_string).collect::<Vec<_>>().join(", ");
    bounded(&words, 500).into_owned()
}

pub(super) fn encode(state: &impl Serialize) -> String {
    // States are plain structures, which can be JSON.
    serde_json::to_string(state).unwrap_or_default()
}

pub(super) fn decode<'s, T: Deserialize<'s>>(row: &'s AccountRow) -> Result<T, AccountError> {
    serde_json::from_str(&row.state).map_err(|error| AccountError::Unreadable {
        kind: row.kind.name(),
        name: row.name.clone(),
        reason: error.to_string(),
    })
}

/// The user with this name, as stored.
pub(super) async fn find(journal: &Journal, name: &str) -> Result<Option<StoredUser>, OpsError> {
    let row = journal.accounts().account(AccountKind::User, name).await.map_err(JournalError::from)?;
    let stored = row.map(|row| Ok::<_, AccountError>(StoredUser { state: decode(&row)?, row }));
    Ok(stored.transpose()?)
}

/// The user of a person whom a provider knows, by the digest of the identity.
pub(super) async fn find_identity(journal: &Journal, digest: &str) -> Result<Option<StoredUser>, OpsError> {
    let row = journal.accounts().account_of_secret(AccountKind::User, digest).await.map_err(JournalError::from)?;
    let stored = row.map(|row| Ok::<_, AccountError>(StoredUser { state: decode(&row)?, row }));
    Ok(stored.transpose()?)
}

/// All users as stored, by name.
pub(super) async fn stored_users(journal: &Journal) -> Result<Vec<StoredUser>, OpsError> {
    let rows = journal.accounts().accounts(AccountKind::User).await.map_err(JournalError::from)?;
    let stored = rows.into_iter().map(|row| Ok(StoredUser { state: decode(&row)?, row }));
    stored.collect::<Result<_, AccountError>>().map_err(OpsError::from)
}

/// A user whose password and roles are decided here.
async fn own(journal: &Journal, name: &str) -> Result<StoredUser, OpsError> {
    let user = known(journal, name).await?;
    match user.state.identity {
        Some(_) => Err(AccountError::OfProvider { name: name.to_owned() }.into()),
        None => Ok(user),
    }
}

async fn known(journal: &Journal, name: &str) -> Result<StoredUser, OpsError> {
    let found = find(journal, name).await?;
    Ok(found.ok_or_else(|| AccountError::UnknownUser { name: name.to_owned() })?)
}

pub(super) async fn store(journal: &Journal, user: &StoredUser) -> Result<(), OpsError> {
    match journal.change_account(&user.row, &encode(&user.state)).await? {
        true => Ok(()),
        false => Err(AccountError::Changed { name: user.row.name.clone() }.into()),
    }
}

/// How often a change is tried again that meets another one.
const TRIES: usize = 5;

/// Changes a user. If somebody else has changed the user meanwhile, what is there then is changed.
pub(super) async fn change(
    journal: &Journal,
    user: &mut StoredUser,
    change: impl Fn(&mut UserState),
) -> Result<(), OpsError> {
    for _ in 0..TRIES {
        change(&mut user.state);
        match store(journal, user).await {
            Err(OpsError::Account(AccountError::Changed { .. })) => *user = known(journal, user.name()).await?,
            stored => return stored,
        }
    }
    Err(AccountError::Changed { name: user.name().to_owned() }.into())
}

/// Whether there are users.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn has_users(journal: &Journal) -> Result<bool, OpsError> {
    let rows = journal.accounts().accounts(AccountKind::User).await.map_err(JournalError::from)?;
    Ok(!rows.is_empty())
}

/// Whether a user has a password: without one, the log-in page needs no form.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn has_passwords(journal: &Journal) -> Result<bool, OpsError> {
    Ok(stored_users(journal).await?.iter().any(|user| user.state.identity.is_none()))
}

/// All users, by name.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn users(journal: &Journal) -> Result<Vec<UserDocument>, OpsError> {
    Ok(stored_users(journal).await?.into_iter().map(StoredUser::document).collect())
}

/// The user with this name.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn user(journal: &Journal, name: &str) -> Result<Option<UserDocument>, OpsError> {
    Ok(find(journal, name).await?.map(StoredUser::document))
}

/// Adds a user.
///
/// # Errors
///
/// When the name is taken or cannot be a name, the password is too weak, or the store cannot be
/// written.
///
/// ```
/// use taskflow::journal::Journal;
/// use taskflow::ops::accounts::{Grant, Role, add_user, log_in};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskflow::ops::OpsError> {
/// let journal = Journal::in_memory()?;
/// add_user(&journal, "kim", "a long good password", Grant::of_role(Role::Operator, ["delays"])?).await?;
/// assert!(log_in(&journal, "kim", "a long good password").await?.is_some());
/// assert!(log_in(&journal, "kim", "another password").await?.is_none());
/// # Ok(()) }
/// ```
pub async fn add_user(
    journal: &Journal,
    name: &str,
    password: &str,
    grants: Vec<Grant>,
) -> Result<UserDocument, OpsError> {
    let trail = trail(journal, Action::UsersAdd, name);
    changed(trail.journal(), json!({}), json!({ "roles": words(&grants) }));
    let added = add(trail.journal(), name, password, grants).await;
    trail.end(added).await
}

async fn add(journal: &Journal, name: &str, password: &str, grants: Vec<Grant>) -> Result<UserDocument, OpsError> {
    check_name(name)?;
    password::accept(name, password)?;
    let exists = || AccountError::UserExists { name: name.to_owned() };
    if find(journal, name).await?.is_some() {
        return Err(exists().into());
    }
    let now = journal.now();
    let state = UserState {
        password: password::hash(password).await?,
        grants,
        created: now,
        generation: random_secret()?,
        identity: None,
    };
    let row = AccountRow {
        kind: AccountKind::User,
        name: name.to_owned(),
        secret: None,
        owner: String::new(),
        state: encode(&state),
        used: now,
    };
    match journal.add_account(&row).await? {
        true => Ok(StoredUser { row, state }.document()),
        false => Err(exists().into()),
    }
}

/// Removes a user, with all sessions and tokens.
///
/// # Errors
///
/// When there is no such user, or the store cannot be written.
pub async fn remove_user(journal: &Journal, name: &str) -> Result<EndedCredentials, OpsError> {
    let trail = trail(journal, Action::UsersRemove, name);
    let removed = remove(trail.journal(), name).await;
    trail.end(removed).await
}

async fn remove(journal: &Journal, name: &str) -> Result<EndedCredentials, OpsError> {
    if !journal.remove_account(AccountKind::User, name).await? {
        return Err(AccountError::UnknownUser { name: name.to_owned() }.into());
    }
    end_credentials(journal, name).await
}

/// Gives a user another password. All sessions and tokens of the user end: whoever has used the old
/// password may have made them.
///
/// # Errors
///
/// When there is no such user, a provider authenticates the user, the password is too weak, or the
/// store cannot be written.
pub async fn set_password(journal: &Journal, name: &str, password: &str) -> Result<EndedCredentials, OpsError> {
    let trail = trail(journal, Action::UsersPassword, name);
    let ended = change_password(trail.journal(), name, password).await;
    trail.end(ended).await
}

async fn change_password(journal: &Journal, name: &str, password: &str) -> Result<EndedCredentials, OpsError> {
    let mut user = own(journal, name).await?;
    password::accept(name, password)?;
    user.state.password = password::hash(password).await?;
    user.state.generation = random_secret()?;
    store(journal, &user).await?;
    end_credentials(journal, name).await
}

/// Gives a user other roles, from the next request on.
///
/// # Errors
///
/// When there is no such user, the user has the roles of groups, or the store cannot be written.
pub async fn set_role(journal: &Journal, name: &str, grants: Vec<Grant>) -> Result<UserDocument, OpsError> {
    let trail = trail(journal, Action::UsersRole, name);
    let set = change_role(trail.journal(), name, grants).await;
    trail.end(set).await
}

async fn change_role(journal: &Journal, name: &str, grants: Vec<Grant>) -> Result<UserDocument, OpsError> {
    let mut user = own(journal, name).await?;
    changed(journal, json!({ "roles": words(&user.state.grants) }), json!({ "roles": words(&grants) }));
    user.state.grants = grants;
    store(journal, &user).await?;
    Ok(user.document())
}

/// Whether this is the password of a user.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn has_password(journal: &Journal, name: &str, password: &str) -> Result<bool, OpsError> {
    Ok(verified(journal, name, password).await?.is_some())
}

/// The user with this name and this password. It takes as long whether there is such a user or not.
pub(super) async fn verified(journal: &Journal, name: &str, given: &str) -> Result<Option<StoredUser>, OpsError> {
    let user = find(journal, name).await?;
    let is_right = password::verify(given, user.as_ref().map(|user| &*user.state.password)).await;
    let Some(mut user) = user.filter(|_| is_right) else { return Ok(None) };
    if password::is_outdated(&user.state.password) {
        let (before, hash) = (user.state.password.clone(), password::hash(given).await?);
        // Another log-in may have done the same, or somebody has set another password meanwhile.
        let renew = |state: &mut UserState| {
            if state.password == before {
                state.password.clone_from(&hash);
            }
        };
        change(journal, &mut user, renew).await?;
    }
    Ok(Some(user))
}

/// Deletes what has ended already.
async fn end_credentials(journal: &Journal, name: &str) -> Result<EndedCredentials, OpsError> {
    let sessions = journal.remove_accounts_of(AccountKind::Session, name).await?;
    let tokens = journal.remove_accounts_of(AccountKind::Token, name).await?;
    Ok(EndedCredentials { sessions, tokens })
}

impl StoredUser {
    pub(super) fn name(&self) -> &str {
        &self.row.name
    }
}

/// For fuzzing: reads a text as the stored state of a user.
pub(super) fn read_any(text: &str) {
    let _ = (check_name(text), serde_json::from_str::<UserState>(text));
}
