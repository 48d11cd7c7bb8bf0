//! Sessions: who has logged in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rights::Access;
use super::secret::{digest, random_secret};
use super::users::{StoredUser, decode, encode, find, trail, verified};
use crate::base::Timestamp;
use crate::journal::{Journal, JournalError};
use crate::ops::audit::{Action, acting_instead};
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
    /// The groups of the user, as the provider said at the last log-in. Users with a password have
    /// none.
    pub groups: Vec<String>,
    /// When the user of a session has given the password. Tokens and users of a provider have
    /// none.
    pub confirmed: Option<Timestamp>,
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
    /// When the password was given again.
    #[serde(default)]
    confirmed: Option<Timestamp>,
    /// When it ends at the latest, if that is before [`LONGEST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Timestamp>,
    /// The address that the user has logged in from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

impl SessionState {
    /// When the session ends at the latest, however it is used.
    fn last(&self) -> Timestamp {
        let longest = self.created + LONGEST;
        self.ends.map_or(longest, |ends| ends.min(longest))
    }

    /// Whether it has ended by itself.
    fn has_ended(&self, used: Timestamp, now: Timestamp) -> bool {
        // A time in the future is that of a clock that went back.
        now.since(used) > IDLE || now.since(self.created) > LONGEST || self.ends.is_some_and(|ends| ends <= now)
    }
}

/// A session of a user, as it is shown to them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionDocument {
    /// What [`end_session`] ends it by. It is no secret: nobody is known by it.
    pub id: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// When it ends at the latest. One that is not used for 12 hours ends earlier.
    pub ends: Timestamp,
    /// The address that the user has logged in from, if it is known.
    pub from: Option<String>,
    /// Whether it is the one that was asked with.
    pub is_current: bool,
}

/// Begins a session of a user. `None` if there is no such user or the password is wrong, which take
/// the same time. Sessions that have ended by themselves are deleted. The user is who acts: a
/// journal that is signed by somebody else leaves a row of the user.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn log_in(journal: &Journal, name: &str, password: &str) -> Result<Option<NewSession>, OpsError> {
    let Some(user) = verified(journal, name, password).await? else { return Ok(None) };
    let trail = trail(&acting_instead(journal, &by_session(user.name())), Action::LogIn, user.name());
    let begun = begin(trail.journal(), &user, None).await;
    trail.end(begun).await.map(Some)
}

pub(super) fn by_session(user: &str) -> Actor {
    Actor { name: user.to_owned(), via: Via::Session }
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
    let from = journal.signature().and_then(|signature| signature.peer.clone());
    let state = SessionState { created: now, generation: user.state.generation.clone(), confirmed: None, ends, from };
    let row = AccountRow {
        kind: AccountKind::Session,
        name: random_secret()?,
        secret: Some(digest(&secret)),
        owner: user.name().to_owned(),
        state: encode(&state),
        used: now,
    };
    // Two random numbers are never the same.
    journal.add_account(&row).await?;
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
    if state.has_ended(row.used, now) {
        accounts.remove_account(AccountKind::Session, &row.name, None).await.map_err(JournalError::from)?;
        return Ok(None);
    }
    let user = find(journal, &row.owner).await?.filter(|user| user.state.generation == state.generation);
    let Some(user) = user.filter(|user| !user.state.is_nobody()) else { return Ok(None) };
    if now.since(row.used) >= NOTED {
        accounts.use_account(AccountKind::Session, &row.name, now).await.map_err(JournalError::from)?;
    }
    // A user of a provider has no password to confirm anything with.
    let has_password = user.state.identity.is_none();
    Ok(Some(Authenticated {
        actor: by_session(user.name()),
        user: Some(user.name().to_owned()),
        access: Access::of(user.state.grants),
        groups: user.state.identity.map(|identity| identity.groups).unwrap_or_default(),
        confirmed: has_password.then_some(state.confirmed.unwrap_or(state.created)),
    }))
}

/// Notes that the user of a session has given the password again. Returns whether it is the right
/// one, and the session has not ended.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn confirm_session(journal: &Journal, secret: &str, password: &str) -> Result<bool, OpsError> {
    let accounts = journal.accounts();
    let found = accounts.account_of_secret(AccountKind::Session, &digest(secret)).await.map_err(JournalError::from)?;
    let Some(row) = found else { return Ok(false) };
    let state: SessionState = decode(&row)?;
    let user = verified(journal, &row.owner, password).await?;
    if user.is_none_or(|user| user.state.generation != state.generation) {
        return Ok(false);
    }
    let state = SessionState { confirmed: Some(journal.now()), ..state };
    // Whoever was faster has confirmed it too.
    accounts.change_account(&row, &encode(&state), None).await.map_err(JournalError::from)?;
    Ok(true)
}

/// The sessions of a user that have not ended, the one that was used last first. `secret` is that
/// of the session that asks.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn sessions(journal: &Journal, user: &str, secret: &str) -> Result<Vec<SessionDocument>, OpsError> {
    let (now, current) = (journal.now(), digest(secret));
    let Some(owner) = find(journal, user).await? else { return Ok(Vec::new()) };
    let mut documents = Vec::new();
    for row in journal.accounts().accounts(AccountKind::Session).await.map_err(JournalError::from)? {
        if row.owner != user {
            continue;
        }
        let state: SessionState = decode(&row)?;
        if state.generation != owner.state.generation || state.has_ended(row.used, now) {
            continue;
        }
        documents.push(SessionDocument {
            created: state.created,
            used: row.used,
            ends: state.last(),
            from: state.from,
            is_current: row.secret.as_ref() == Some(&current),
            id: row.name,
        });
    }
    documents.sort_by(|one, other| other.used.cmp(&one.used).then_with(|| one.id.cmp(&other.id)));
    Ok(documents)
}

/// Ends one session of a user. Returns whether there was one.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn end_session(journal: &Journal, user: &str, id: &str) -> Result<bool, OpsError> {
    let found = journal.accounts().account(AccountKind::Session, id).await.map_err(JournalError::from)?;
    if found.is_none_or(|row| row.owner != user) {
        return Ok(false);
    }
    let trail = trail(journal, Action::LogOut, user);
    let ended = trail.journal().remove_account(AccountKind::Session, id).await;
    trail.end(ended.map_err(OpsError::from)).await
}

/// Ends all sessions of a user, in all browsers. Returns how many there were.
///
/// # Errors
///
/// When the store cannot be written.
pub async fn log_out(journal: &Journal, user: &str) -> Result<u64, OpsError> {
    let trail = trail(journal, Action::LogOut, user);
    let ended = trail.journal().remove_accounts_of(AccountKind::Session, user).await;
    trail.end(ended.map_err(OpsError::from)).await
}

/// For fuzzing: reads a text as the stored state of a session.
pub(super) fn read_any(text: &str) {
    if let Ok(state) = serde_json::from_str::<SessionState>(text) {
        let _ = (state.last(), state.has_ended(Timestamp::EPOCH, Timestamp::MAX));
    }
}
