//! Tokens: what programs present.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::AccountError;
use super::rights::{Access, Grant, Right};
use super::secret::{digest, is_token, new_token};
use super::sessions::Authenticated;
use super::users::{StoredUser, check_name, decode, encode, find, trail, words};
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::journal::{Journal, JournalError};
use crate::ops::audit::{Action, changed};
use crate::ops::{Actor, OpsError, Via};
use crate::store::{AccountKind, AccountRow};

/// When a token expires, unless somebody chooses another time.
pub const DEFAULT_EXPIRY: Duration = Duration::from_secs(90 * 86_400);
/// The most days until a token expires.
const MOST_DAYS: u64 = 3_660;
/// How often the last use is stored.
const NOTED: Duration = Duration::from_secs(60);

/// A token to be created.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name, unique among all tokens.
    pub name: String,
    /// The user that it belongs to: it may never do more than this user, and ends with the user or
    /// with the password. Without one it stands for itself.
    pub owner: Option<String>,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// How long it is valid. `None`: until it is revoked, which only an admin of all DAGs may
    /// choose.
    pub expires_after: Option<Duration>,
}

/// A token as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct TokenDocument {
    /// The name.
    pub name: String,
    /// The user that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// When it was created.
    pub created: Timestamp,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// Whether it has expired.
    pub expired: bool,
}

/// A token that was created.
#[derive(Clone, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct CreatedToken {
    /// What programs present. It is nowhere else.
    pub token: String,
    /// The rest of it.
    #[serde(flatten)]
    pub document: TokenDocument,
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedToken").field("document", &self.document).finish_non_exhaustive()
    }
}

/// The stored state of a token.
#[derive(Debug, Serialize, Deserialize)]
struct TokenState {
    grants: Vec<Grant>,
    created: Timestamp,
    expires: Option<Timestamp>,
    /// That of the user that it belongs to.
    generation: String,
}

fn document(row: &AccountRow, state: TokenState, now: Timestamp) -> TokenDocument {
    TokenDocument {
        name: row.name.clone(),
        owner: (!row.owner.is_empty()).then(|| row.owner.clone()),
        grants: state.grants,
        created: state.created,
        expires: state.expires,
        last_used: (row.used > state.created).then_some(row.used),
        expired: state.expires.is_some_and(|expires| expires <= now),
    }
}

/// Creates a token.
///
/// # Errors
///
/// When the name is taken or cannot be a name, there is no such user, it would expire too late, or
/// the store cannot be written.
pub async fn create_token(journal: &Journal, new: NewToken) -> Result<CreatedToken, OpsError> {
    let trail = trail(journal, Action::TokensCreate, &new.name);
    changed(trail.journal(), json!({}), json!({ "owner": new.owner, "roles": words(&new.grants) }));
    let created = create(trail.journal(), new).await;
    trail.end(created).await
}

async fn create(journal: &Journal, new: NewToken) -> Result<CreatedToken, OpsError> {
    let NewToken { name, owner, grants, expires_after } = new;
    check_name(&name)?;
    let user = match &owner {
        Some(owner) => {
            let user = find(journal, owner).await?;
            Some(user.ok_or_else(|| AccountError::UnknownUser { name: owner.clone() })?)
        }
        None => None,
    };
    let is_limited = expires_after.is_some_and(|span| span <= Duration::from_secs(MOST_DAYS * 86_400));
    // The groups of somebody who has left a provider are never read again.
    let is_trusted = |user: &StoredUser| {
        user.state.identity.is_none() && Access::of(user.state.grants.clone()).may_everywhere(Right::Admin)
    };
    let may_last = || user.as_ref().is_none_or(is_trusted);
    if !is_limited && (expires_after.is_some() || !may_last()) {
        return Err(AccountError::InvalidExpiry { most: MOST_DAYS }.into());
    }
    let now = journal.now();
    let expires = expires_after.map(|span| {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Timestamp::from_nanos(now.as_nanos().saturating_add(nanos))
    });
    changed(journal, json!({}), json!({ "expires": expires }));
    let generation = user.map(|user| user.state.generation).unwrap_or_default();
    let state = TokenState { grants, created: now, expires, generation };
    let token = new_token()?;
    let row = AccountRow {
        kind: AccountKind::Token,
        name,
        secret: Some(digest(&token)),
        owner: owner.unwrap_or_default(),
        state: encode(&state),
        used: now,
    };
    match journal.add_account(&row).await? {
        true => Ok(CreatedToken { token, document: document(&row, state, now) }),
        false => Err(AccountError::TokenExists { name: row.name }.into()),
    }
}

/// The tokens, of a user or of all, by name.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn tokens(journal: &Journal, owner: Option<&str>) -> Result<Vec<TokenDocument>, OpsError> {
    let rows = journal.accounts().accounts(AccountKind::Token).await.map_err(JournalError::from)?;
    let wanted = rows.iter().filter(|row| owner.is_none_or(|owner| row.owner == owner));
    let documents = wanted.map(|row| Ok(document(row, decode(row)?, journal.now())));
    documents.collect::<Result<_, AccountError>>().map_err(OpsError::from)
}

/// Ends a token. With an owner, only a token of this user.
///
/// # Errors
///
/// When there is no such token, or the store cannot be written.
pub async fn revoke_token(journal: &Journal, name: &str, owner: Option<&str>) -> Result<(), OpsError> {
    let trail = trail(journal, Action::TokensRevoke, name);
    let revoked = revoke(trail.journal(), name, owner).await;
    trail.end(revoked).await
}

async fn revoke(journal: &Journal, name: &str, owner: Option<&str>) -> Result<(), OpsError> {
    let unknown = || AccountError::UnknownToken { name: name.to_owned() };
    if let Some(owner) = owner {
        let row = journal.accounts().account(AccountKind::Token, name).await.map_err(JournalError::from)?;
        row.filter(|row| row.owner == owner).ok_or_else(unknown)?;
    }
    match journal.remove_account(AccountKind::Token, name).await? {
        true => Ok(()),
        false => Err(unknown().into()),
    }
}

/// Whose token it is, if it is valid. Records that it is used.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn token(journal: &Journal, text: &str) -> Result<Option<Authenticated>, OpsError> {
    if !is_token(text) {
        return Ok(None);
    }
    let (accounts, now) = (journal.accounts(), journal.now());
    let found = accounts.account_of_secret(AccountKind::Token, &digest(text)).await.map_err(JournalError::from)?;
    let Some(row) = found else { return Ok(None) };
    let state: TokenState = decode(&row)?;
    if state.expires.is_some_and(|expires| expires <= now) {
        return Ok(None);
    }
    let mut access = Access::of(state.grants);
    let (mut user, mut groups) = (None, Vec::new());
    if !row.owner.is_empty() {
        let owner = find(journal, &row.owner).await?.filter(|owner| owner.state.generation == state.generation);
        let Some(owner) = owner.filter(|owner| !owner.state.is_nobody()) else { return Ok(None) };
        user = Some(row.owner.clone());
        access = access.within(owner.state.grants);
        groups = owner.state.identity.map(|identity| identity.groups).unwrap_or_default();
    }
    if now.since(row.used) >= NOTED {
        accounts.use_account(AccountKind::Token, &row.name, now).await.map_err(JournalError::from)?;
    }
    let actor = Actor { name: row.name, via: Via::Token };
    Ok(Some(Authenticated { actor, user, access, groups, confirmed: None }))
}

/// For fuzzing: reads a text as a token, and as its stored state.
pub(super) fn read_any(text: &str) {
    let _ = (is_token(text), serde_json::from_str::<TokenState>(text));
}
