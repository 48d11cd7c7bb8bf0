//! What ends by the clock.

use std::time::Duration;

use super::{
    Grant, NewToken, Role, add_user, confirm_session, create_token, log_in, session, set_password, token, tokens,
};
use crate::base::Timestamp;
use crate::journal::{JournalClock, ManualJournal};

const PASSWORD: &str = "several good words";
const HOUR: u64 = 3_600;

/// A time some hours after the beginning.
fn hour(hours: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(Duration::from_secs(hours * HOUR).as_nanos()).expect("hours fit"))
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_after_a_week() {
    let clock = JournalClock::at(hour(0));
    let manual = ManualJournal::with_clock(clock.clone());
    let journal = manual.journal();
    add_user(journal, "kim", PASSWORD, Grant::of_role(Role::Viewer, []).unwrap()).await.unwrap();
    let log_in = async || log_in(journal, "kim", PASSWORD).await.unwrap().unwrap().secret;
    let works = async |secret: &str| session(journal, secret).await.unwrap().is_some();
    let (idle, used) = (log_in().await, log_in().await);
    for hours in (11..=7 * 24).step_by(11) {
        clock.set(hour(hours));
        assert!(works(&used).await, "after {hours} hours");
    }
    assert!(!works(&idle).await, "nobody has used it");
    clock.set(hour(7 * 24 + 1));
    assert!(!works(&used).await, "a week has passed");
    // A clock that goes back brings none to life, and ends none.
    let new = log_in().await;
    clock.set(hour(1));
    assert!(!works(&idle).await && works(&new).await);
}

#[tokio::test]
async fn a_session_knows_when_the_password_was_given() {
    let clock = JournalClock::at(hour(0));
    let manual = ManualJournal::with_clock(clock.clone());
    let journal = manual.journal();
    for name in ["kim", "lee"] {
        add_user(journal, name, PASSWORD, Grant::of_role(Role::Viewer, []).unwrap()).await.unwrap();
    }
    let secret = log_in(journal, "kim", PASSWORD).await.unwrap().unwrap().secret;
    let confirmed = async || session(journal, &secret).await.unwrap().unwrap().confirmed;
    clock.set(hour(1));
    assert_eq!(confirmed().await, Some(hour(0)), "that of the log-in");
    assert!(!confirm_session(journal, &secret, "other good words").await.unwrap());
    assert!(!confirm_session(journal, "none", PASSWORD).await.unwrap());
    assert_eq!(confirmed().await, Some(hour(0)));
    assert!(confirm_session(journal, &secret, PASSWORD).await.unwrap());
    assert_eq!(confirmed().await, Some(hour(1)));
    // A session of an old password cannot be confirmed with the new one.
    set_password(journal, "kim", "other good words").await.unwrap();
    assert!(!confirm_session(journal, &secret, "other good words").await.unwrap());
}

#[tokio::test]
async fn a_token_expires() {
    let clock = JournalClock::at(hour(0));
    let manual = ManualJournal::with_clock(clock.clone());
    let journal = manual.journal();
    let new = NewToken {
        name: "ci".to_owned(),
        owner: None,
        grants: Grant::of_role(Role::Viewer, []).unwrap(),
        expires_after: Some(Duration::from_secs(HOUR)),
    };
    let created = create_token(journal, new).await.unwrap();
    let works = async || token(journal, &created.token).await.unwrap().is_some();
    assert!(works().await);
    assert_eq!(tokens(journal, None).await.unwrap()[0].last_used, None, "the first minute is not noted");
    clock.set(Timestamp::from_nanos(hour(1).as_nanos() - 1));
    assert!(works().await);
    assert!(tokens(journal, None).await.unwrap()[0].last_used.is_some());
    clock.set(hour(1));
    assert!(!works().await && tokens(journal, None).await.unwrap()[0].expired);
}
