//! Sessions: who has logged in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rights::Access;
use super::secret::{digest, random_secret};
use super::users::{StoredUser, decode, encode, find, verified};
use crate::base::Timestamp;
use crate::journal::{Journal, JournalError};
use crate::ops::{Actor, OpsError, Via};
use crate::store::{AccountKind, AccountRow};

/// A session that is not used for this long has ended.
const IDLE: Duration = Duration::from_secs(12 * 3_600);
/// A session ends after this long, however it is used.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How often the last use is stored.
const NOTED: Duration = Duration::from_secs(60);

/// Somebody whose session or token is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// Who.
    pub actor: Actor,
    /// The user that the session or the token belongs to. A token of the command line has none.
    pub user: Option<String>,
    /// What they may do.
    pub access: Access,
}

/// A session that has begun.
#[derive(Clone)]
#[non_exhaustive]
pub struct NewSession {
    /// The name of the user.
    pub user: String,
    /// What the browser presents from now on. It is nowhere else.
    pub secret: String,
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The stored state of a session.
#[derive(Debug, Serialize, Deserialize)]
struct SessionState {
    created: Timestamp,
    generation: String,
    /// When it ends at the latest, if that is before [`LONGEST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Timestamp>,
}

/// Begins a session of a user. `None` if there is no such user or the password is wrong, which take
/// the same time. Sessions that have ended by themselves are deleted.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn log_in(journal: &Journal, name: &str, password: &str) -> Result<Option<NewSession>, OpsError> {
    let Some(user) = verified(journal, name, password).await? else { return Ok(None) };
    begin(journal, &user, None).await.map(Some)
}

/// Begins a session of a user, which lasts no longer than `lasts`.
pub(super) async fn begin(
    journal: &Journal,
    user: &StoredUser,
    lasts: Option<Duration>,
) -> Result<NewSession, OpsError> {
    let (accounts, now) = (journal.accounts(), journal.now());
    let oldest = Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos(IDLE)));
    accounts.remove_unused(AccountKind::Session, oldest).await.map_err(JournalError::from)?;
    let secret = random_secret()?;
    let ends = lasts.map(|lasts| Timestamp::from_nanos(now.as_nanos().saturating_add(nanos(lasts))));
    let state = SessionState { created: now, generation: user.state.generation.clone(), ends };
    let row = AccountRow {
        kind: AccountKind::Session,
        name: random_secret()?,
        secret: Some(digest(&secret)),
        owner: user.name().to_owned(),
        state: encode(&state),
        used: now,
    };
    // Two random numbers are never the same.
    accounts.add_account(&row).await.map_err(JournalError::from)?;
    Ok(NewSession { user: row.owner, secret })
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// Whose session it is, if it has not ended. Records that it is used.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn session(journal: &Journal, secret: &str) -> Result<Option<Authenticated>, OpsError> {
    let (accounts, now) = (journal.accounts(), journal.now());
    let found = accounts.account_of_secret(AccountKind::Session, &digest(secret)).await.map_err(JournalError::from)?;
    let Some(row) = found else { return Ok(None) };
    let state: SessionState = decode(&row)?;
    // A time in the future is that of a clock that went back.
    let (idle, age) = (now.since(row.used), now.since(state.created));
    if idle > IDLE || age > LONGEST || state.ends.is_some_and(|ends| ends <= now) {
        accounts.remove_account(AccountKind::Session, &row.name).await.map_err(JournalError::from)?;
        return Ok(None);
    }
    let user = find(journal, &row.owner).await?.filter(|user| user.state.generation == state.generation);
    let Some(user) = user.filter(|user| !user.state.is_nobody()) else { return Ok(None) };
    if idle >= NOTED {
        accounts.use_account(AccountKind::Session, &row.name, now).await.map_err(JournalError::from)?;
    }
    Ok(Some(Authenticated {
        actor: Actor { name: user.name().to_owned(), via: Via::Session },
        user: Some(user.name().to_owned()),
        access: Access::of(user.state.grants),
    }))
}

/// Ends all sessions of a user, in all browsers. Returns how many there were.
///
/// # Errors
///
/// When the store cannot be written.
pub async fn log_out(journal: &Journal, user: &str) -> Result<u64, OpsError> {
    Ok(journal.accounts().remove_accounts_of(AccountKind::Session, user).await.map_err(JournalError::from)?)
}
