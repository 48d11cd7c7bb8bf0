//! Users whom a provider of OpenID Connect knows.
//!
//! # The life of such a user
//!
//! 1. The pair of issuer and subject is the person. Its digest is the `secret` of the row, which is
//!    unique in the store, so a person has one row in all processes. Names and addresses may change
//!    or be given to somebody else, and decide nothing.
//! 2. The first log-in adds the row. Its name is the name at that time, `~`, and the beginning of
//!    the digest: `kim~3f9a2b71c4d0`. It stays as it is, so it names the person in the audit trail
//!    and in histories. No user with a password can be called so.
//! 3. Each log-in stores the groups, and the roles that they have then. When `serve` starts, the
//!    roles are found again from the stored groups, because the configuration may have changed.
//! 4. Whom no group gives a role is nobody: there is no log-in, and sessions and tokens of the user
//!    do not work until there is one again.
//! 5. There is no password, and roles cannot be given by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::AccountError;
use super::rights::Grant;
use super::secret::{digest, random_secret};
use super::sessions::{NewSession, begin, by_session};
use super::users::{StoredUser, UserState, change, encode, find_identity, stored_users, trail, words};
use crate::base::account;
use crate::base::schema::Schema;
use crate::journal::Journal;
use crate::ops::audit::{Action, acting_as, acting_instead, changed};
use crate::ops::{Actor, OpsError, Via};
use crate::store::{AccountKind, AccountRow};

/// How many digits of the digest are part of the name.
const DIGITS: usize = 12;
/// The most characters of the name of a person that are part of the name of the user.
const LONGEST: usize = 48;

/// Who somebody is to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The person there: never another one's.
    pub subject: String,
    /// The groups at the last log-in.
    pub groups: Vec<String>,
}

impl Identity {
    /// A person of a provider, who is in these groups.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>, groups: Vec<String>) -> Self {
        // Providers name them in any order.
        let groups = groups.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        Identity { issuer: issuer.into(), subject: subject.into(), groups }
    }

    /// The digest of issuer and subject. The length keeps the two apart.
    pub(super) fn digest(&self) -> String {
        digest(&format!("oidc {} {}{}", self.issuer.len(), self.issuer, self.subject))
    }

    /// The name of the user of this person, who calls themselves `called`.
    fn user_name(&self, called: &str) -> String {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-');
        let plain = called.trim().chars().map(|c| if is_plain(c) { c } else { '-' });
        let plain: String = plain.skip_while(|c| !c.is_alphanumeric()).take(LONGEST).collect();
        let plain = if plain.is_empty() { "user" } else { &plain };
        format!("{plain}~{}", &self.digest()[..DIGITS])
    }
}

/// The roles of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRoles(BTreeMap<String, Vec<Grant>>);

impl GroupRoles {
    /// Gives a group these roles too.
    pub fn add(&mut self, group: &str, grants: Vec<Grant>) {
        self.0.entry(group.to_owned()).or_default().extend(grants);
    }

    /// The roles of somebody who is in these groups.
    pub fn of(&self, groups: &[String]) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::new();
        for grant in groups.iter().filter_map(|group| self.0.get(group)).flatten() {
            if !grants.contains(grant) {
                grants.push(grant.clone());
            }
        }
        grants
    }
}

/// Begins a session of a person whom a provider has authenticated; it lasts no longer than
/// `lasts`. `called` is their name there. `None` if none of their groups has a role: then their
/// sessions and tokens do not work any more.
///
/// # Errors
///
/// When the store cannot be read or written.
///
/// ```
/// use std::time::Duration;
///
/// use taskflow::journal::Journal;
/// use taskflow::ops::accounts::{Grant, GroupRoles, Identity, Role, enter, session};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskflow::ops::OpsError> {
/// let journal = Journal::in_memory()?;
/// let mut roles = GroupRoles::default();
/// roles.add("finance", Grant::of_role(Role::Viewer, ["tag:finance"])?);
/// let day = Duration::from_secs(86_400);
///
/// let kim = Identity::new("https://id.example.com", "248289761001", vec!["finance".to_owned()]);
/// let entered = enter(&journal, &kim, "kim", &roles, day).await?.expect("the group has a role");
/// assert!(entered.user.starts_with("kim~"));
///
/// let nobody = Identity::new("https://id.example.com", "248289761001", vec![]);
/// assert!(enter(&journal, &nobody, "kim", &roles, day).await?.is_none());
/// assert!(session(&journal, &entered.secret).await?.is_none());
/// # Ok(()) }
/// ```
pub async fn enter(
    journal: &Journal,
    identity: &Identity,
    called: &str,
    roles: &GroupRoles,
    lasts: Duration,
) -> Result<Option<NewSession>, OpsError> {
    let grants = roles.of(&identity.groups);
    let known = find_identity(journal, &identity.digest()).await?;
    let name = known.as_ref().map_or_else(|| identity.user_name(called), |user| user.name().to_owned());
    let journal = &acting_instead(journal, &by_session(&name));
    let user = match known {
        Some(user) => update(journal, user, identity, grants).await?,
        None if grants.is_empty() => return Ok(None),
        None => add(journal, identity, called, grants).await?,
    };
    if user.state.is_nobody() {
        return Ok(None);
    }
    let trail = trail(journal, Action::LogIn, user.name());
    let begun = begin(trail.journal(), &user, Some(lasts)).await;
    trail.end(begun).await.map(Some)
}

/// Stores the groups of a log-in, and their roles.
async fn update(
    journal: &Journal,
    mut user: StoredUser,
    identity: &Identity,
    grants: Vec<Grant>,
) -> Result<StoredUser, OpsError> {
    if user.state.identity.as_ref() == Some(identity) && user.state.grants == grants {
        return Ok(user);
    }
    // The log-in that is stored last counts.
    let enter = |state: &mut UserState| {
        state.identity = Some(identity.clone());
        state.grants.clone_from(&grants);
    };
    if user.state.grants == grants {
        // Groups without a role are no change that the trail has to know.
        change(journal, &mut user, enter).await?;
    } else {
        set_grants(journal, &mut user, &grants, enter).await?;
    }
    Ok(user)
}

/// Gives a user other roles, with a change that does so.
async fn set_grants(
    journal: &Journal,
    user: &mut StoredUser,
    grants: &[Grant],
    set: impl Fn(&mut UserState),
) -> Result<(), OpsError> {
    let trail = trail(journal, Action::UsersRole, user.name());
    let roles = |grants: &[Grant]| json!({ "roles": words(grants) });
    changed(trail.journal(), roles(&user.state.grants), roles(grants));
    let stored = change(trail.journal(), user, set).await;
    trail.end(stored).await
}

async fn add(journal: &Journal, identity: &Identity, called: &str, grants: Vec<Grant>) -> Result<StoredUser, OpsError> {
    let now = journal.now();
    let state = UserState {
        // Nothing has it.
        password: String::new(),
        grants: grants.clone(),
        created: now,
        generation: random_secret()?,
        identity: Some(identity.clone()),
    };
    let row = AccountRow {
        kind: AccountKind::User,
        name: identity.user_name(called),
        secret: Some(identity.digest()),
        owner: String::new(),
        state: encode(&state),
        used: now,
    };
    let trail = trail(journal, Action::UsersAdd, &row.name);
    changed(trail.journal(), json!({}), json!({ "roles": words(&grants) }));
    if trail.journal().add_account(&row).await? {
        return Ok(StoredUser { row, state });
    }
    // Another log-in of this person was faster.
    match find_identity(journal, &identity.digest()).await? {
        Some(user) => update(journal, user, identity, grants).await,
        None => Err(AccountError::UserExists { name: row.name }.into()),
    }
}

/// Gives the users of a provider the roles that their stored groups have now. Those of other
/// providers have none; `None`: there is no provider. Returns how many users have changed.
///
/// # Errors
///
/// When the store cannot be read or written.
pub async fn apply_groups(journal: &Journal, provider: Option<(&str, &GroupRoles)>) -> Result<u64, OpsError> {
    let service = Actor { name: account(), via: Via::Service };
    let journal = &acting_as(journal, &service);
    let mut count = 0;
    for mut user in stored_users(journal).await? {
        let Some(identity) = &user.state.identity else { continue };
        let grants = match provider {
            Some((issuer, roles)) if issuer == identity.issuer => roles.of(&identity.groups),
            _ => Vec::new(),
        };
        if user.state.grants != grants {
            set_grants(journal, &mut user, &grants, |state| state.grants.clone_from(&grants)).await?;
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::accounts::{
        NewToken, Right, Role, add_user, create_token, has_password, log_in, remove_user, session, set_password,
        set_role, token, users,
    };

    const LASTS: Duration = Duration::from_secs(3_600);
    const ISSUER: &str = "https://id.example.com";

    fn roles(roles: &[(&str, Role)]) -> GroupRoles {
        let mut map = GroupRoles::default();
        for (group, role) in roles {
            map.add(group, Grant::of_role(*role, []).unwrap());
        }
        map
    }

    fn kim(groups: &[&str]) -> Identity {
        Identity::new(ISSUER, "sub", groups.iter().map(|&group| group.to_owned()).collect())
    }

    #[test]
    fn a_name_is_that_of_one_person() {
        let name = |issuer: &str, subject: &str, called: &str| Identity::new(issuer, subject, vec![]).user_name(called);
        let one = name(ISSUER, "1", "kim");
        assert!(one.starts_with("kim~") && one.len() == 4 + DIGITS, "{one}");
        assert_eq!(one[4..], name(ISSUER, "1", "lee")[4..]);
        for other in
            [name(ISSUER, "2", "kim"), name("https://other", "1", "kim"), name("https://id.example.co", "m1", "kim")]
        {
            assert_ne!(one, other);
        }
        assert!(name(ISSUER, "1", " <b>Kim Ö</b>").starts_with("b-Kim-Ö--b-~"));
        assert!(name(ISSUER, "1", "///").starts_with("user~"));
        assert!(name(ISSUER, "1", &"x".repeat(500)).len() < 64);
    }

    #[tokio::test]
    async fn roles_follow_the_groups_of_the_last_log_in() {
        let journal = Journal::in_memory().unwrap();
        let map = roles(&[("dev", Role::Operator), ("all", Role::Viewer)]);
        let first = enter(&journal, &kim(&["dev", "other"]), "kim", &map, LASTS).await.unwrap().unwrap();
        let may =
            async |right| session(&journal, &first.secret).await.unwrap().map(|kim| kim.access.may(right, "a", &[]));
        assert_eq!(may(Right::Operate).await, Some(true));
        // Another name, other groups: the same user, with other rights in the old session too.
        let second = enter(&journal, &kim(&["all"]), "Kim", &map, LASTS).await.unwrap().unwrap();
        assert_eq!(first.user, second.user);
        assert_eq!((may(Right::Operate).await, may(Right::View).await), (Some(false), Some(true)));
        assert_eq!(users(&journal).await.unwrap()[0].identity, Some(kim(&["all"])));
    }

    #[tokio::test]
    async fn whom_no_group_gives_a_role_is_nobody() {
        let journal = Journal::in_memory().unwrap();
        let map = roles(&[("dev", Role::Operator)]);
        assert!(enter(&journal, &kim(&["other"]), "kim", &map, LASTS).await.unwrap().is_none());
        assert_eq!(users(&journal).await.unwrap(), [], "a refused log-in leaves no user");
        let entered = enter(&journal, &kim(&["dev"]), "kim", &map, LASTS).await.unwrap().unwrap();
        let new = NewToken {
            name: "ci".to_owned(),
            owner: Some(entered.user.clone()),
            grants: Grant::of_role(Role::Viewer, []).unwrap(),
            expires_after: Some(LASTS),
        };
        let created = create_token(&journal, new).await.unwrap();
        let works = async || {
            let session = session(&journal, &entered.secret).await.unwrap().is_some();
            (session, token(&journal, &created.token).await.unwrap().is_some())
        };
        assert_eq!(works().await, (true, true));
        // The configuration changes: another role for the group, none, another provider, none.
        for (map, expected) in [
            (Some((ISSUER, &map)), true),
            (Some((ISSUER, &roles(&[("dev", Role::Viewer)]))), true),
            (Some((ISSUER, &GroupRoles::default())), false),
            (Some((ISSUER, &map)), true),
            (Some(("https://other", &map)), false),
            (None, false),
        ] {
            apply_groups(&journal, map).await.unwrap();
            assert_eq!(works().await, (expected, expected), "{map:?}");
        }
        assert_eq!(apply_groups(&journal, Some((ISSUER, &map))).await.unwrap(), 1);
        assert_eq!(works().await, (true, true));
        // The person leaves the group.
        assert!(enter(&journal, &kim(&[]), "kim", &map, LASTS).await.unwrap().is_none());
        assert_eq!(works().await, (false, false));
    }

    #[tokio::test]
    async fn a_user_of_a_provider_has_no_password_and_no_role_by_hand() {
        let journal = Journal::in_memory().unwrap();
        let map = roles(&[("dev", Role::Operator)]);
        let entered = enter(&journal, &kim(&["dev"]), "kim", &map, LASTS).await.unwrap().unwrap();
        let name = &*entered.user;
        for password in ["", "several good words"] {
            assert!(log_in(&journal, name, password).await.unwrap().is_none());
            assert!(!has_password(&journal, name, password).await.unwrap());
        }
        for refused in [
            set_password(&journal, name, "several good words").await.map(drop),
            set_role(&journal, name, vec![]).await.map(drop),
        ] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("[serve.oidc.groups]"), "{refused}");
        }
        assert!(add_user(&journal, name, "several good words", vec![]).await.is_err());
        // A user with a password who is called like the person is another one.
        add_user(&journal, "kim", "several good words", vec![]).await.unwrap();
        assert_eq!(users(&journal).await.unwrap().len(), 2);
        remove_user(&journal, name).await.unwrap();
        assert!(session(&journal, &entered.secret).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn two_first_log_ins_at_once_are_one_user() {
        let journal = Journal::in_memory().unwrap();
        let map = roles(&[("dev", Role::Operator)]);
        let (kim, unnamed) = (kim(&["dev"]), "");
        let (one, other) =
            tokio::join!(enter(&journal, &kim, "kim", &map, LASTS), enter(&journal, &kim, unnamed, &map, LASTS));
        assert_eq!(one.unwrap().unwrap().user, other.unwrap().unwrap().user);
        assert_eq!(users(&journal).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn log_ins_of_one_person_at_once_all_succeed() {
        let journal = Journal::in_memory().unwrap();
        let roles = roles(&[("a", Role::Viewer), ("b", Role::Operator)]);
        enter(&journal, &kim(&["a"]), "kim", &roles, LASTS).await.unwrap().unwrap();
        let stale = find_identity(&journal, &kim(&[]).digest()).await.unwrap().unwrap();
        // Two others come first: one with the same role, one with another.
        enter(&journal, &kim(&["a", "x"]), "kim", &roles, LASTS).await.unwrap().unwrap();
        enter(&journal, &kim(&["b"]), "kim", &roles, LASTS).await.unwrap().unwrap();
        for groups in [&["a", "y"][..], &["b", "z"]] {
            let kim = kim(groups);
            let updated = update(&journal, stale.clone(), &kim, roles.of(&kim.groups)).await.unwrap();
            assert_eq!(updated.state.grants, roles.of(&kim.groups));
            let stored = find_identity(&journal, &kim.digest()).await.unwrap().unwrap();
            assert_eq!(stored.state.identity, Some(kim));
        }
    }
}
