//! Users, sessions and tokens.

use super::of_every_store;
use crate::base::Timestamp;
use crate::store::account_rows::{AccountKind, AccountRow, AccountStore};

of_every_store!(
    a_name_and_a_secret_are_taken_once,
    a_change_needs_the_state_that_it_began_with,
    what_belongs_to_a_user_is_removed_together,
    what_was_not_used_is_removed,
);

fn account(kind: AccountKind, name: &str, secret: Option<&str>, owner: &str) -> AccountRow {
    AccountRow {
        kind,
        name: name.to_owned(),
        secret: secret.map(str::to_owned),
        owner: owner.to_owned(),
        state: "{}".to_owned(),
        used: Timestamp::from_nanos(1),
    }
}

async fn a_name_and_a_secret_are_taken_once(store: &impl AccountStore) {
    let kim = account(AccountKind::User, "kim", None, "");
    assert!(store.add_account(&kim, None).await.unwrap());
    assert!(!store.add_account(&AccountRow { state: "other".to_owned(), ..kim.clone() }, None).await.unwrap());
    let token = account(AccountKind::Token, "kim", Some("digest"), "kim");
    assert!(store.add_account(&token, None).await.unwrap(), "a token may be called like a user");
    assert!(!store.add_account(&AccountRow { name: "another".to_owned(), ..token.clone() }, None).await.unwrap());
    assert!(
        store.add_account(&account(AccountKind::User, "lee", None, ""), None).await.unwrap(),
        "users have no secrets"
    );
    assert_eq!(store.account(AccountKind::User, "kim").await.unwrap(), Some(kim));
    assert_eq!(store.account(AccountKind::Session, "kim").await.unwrap(), None);
    assert_eq!(store.account_of_secret(AccountKind::Token, "digest").await.unwrap(), Some(token));
    assert_eq!(store.account_of_secret(AccountKind::Session, "digest").await.unwrap(), None);
    let names: Vec<String> = store.accounts(AccountKind::User).await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["kim", "lee"]);
}

async fn a_change_needs_the_state_that_it_began_with(store: &impl AccountStore) {
    let kim = account(AccountKind::User, "kim", None, "");
    assert!(!store.change_account(&kim, "new", None).await.unwrap(), "there is none");
    store.add_account(&kim, None).await.unwrap();
    assert!(store.change_account(&kim, "new", None).await.unwrap());
    assert!(!store.change_account(&kim, "newer", None).await.unwrap(), "it has changed meanwhile");
    assert_eq!(store.account(AccountKind::User, "kim").await.unwrap().unwrap().state, "new");
}

async fn what_belongs_to_a_user_is_removed_together(store: &impl AccountStore) {
    for (kind, name, owner) in [
        (AccountKind::Session, "1", "kim"),
        (AccountKind::Session, "2", "kim"),
        (AccountKind::Session, "3", "lee"),
        (AccountKind::Token, "1", "kim"),
    ] {
        store.add_account(&account(kind, name, Some(&format!("{}{name}", kind.name())), owner), None).await.unwrap();
    }
    assert_eq!(store.remove_accounts_of(AccountKind::Session, "kim", None).await.unwrap(), 2);
    assert_eq!(store.accounts(AccountKind::Session).await.unwrap().len(), 1);
    assert!(store.remove_account(AccountKind::Token, "1", None).await.unwrap());
    assert!(!store.remove_account(AccountKind::Token, "1", None).await.unwrap());
}

async fn what_was_not_used_is_removed(store: &impl AccountStore) {
    for name in ["old", "new"] {
        store.add_account(&account(AccountKind::Session, name, Some(name), "kim"), None).await.unwrap();
    }
    store.use_account(AccountKind::Session, "new", Timestamp::from_nanos(10)).await.unwrap();
    store.use_account(AccountKind::Session, "new", Timestamp::from_nanos(5)).await.unwrap();
    store.use_account(AccountKind::Session, "none", Timestamp::from_nanos(5)).await.unwrap();
    assert_eq!(store.account(AccountKind::Session, "new").await.unwrap().unwrap().used, Timestamp::from_nanos(10));
    assert_eq!(store.remove_unused(AccountKind::Session, Timestamp::from_nanos(10)).await.unwrap(), 1);
    assert_eq!(store.accounts(AccountKind::Session).await.unwrap().len(), 1);
}
