//! An attempt to log in, which a cookie keeps.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::base::Timestamp;
use crate::ops::accounts::{AccountError, is_same_secret, random_secret};

/// How long a person may take at the provider, in seconds.
pub(in crate::server) const PATIENCE: u64 = 600;

/// An attempt to log in.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::server) struct Attempt {
    secret: String,
    /// When it began, in seconds.
    since: u64,
    /// The page to go to afterwards.
    next: String,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Attempt {
    /// A new one.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub(in crate::server) fn new(next: &str, now: Timestamp) -> Result<Self, AccountError> {
        Ok(Attempt { secret: random_secret()?, since: seconds(now), next: next.to_owned() })
    }

    /// The value of its cookie.
    pub(in crate::server) fn text(&self) -> String {
        format!("{}.{}.{}", self.secret, self.since, utf8_percent_encode(&self.next, NON_ALPHANUMERIC))
    }

    /// The attempt of a cookie, unless it began too long ago.
    pub(in crate::server) fn of_text(text: &str, now: Timestamp) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let (secret, since, next) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let next = percent_decode_str(next).decode_utf8().ok()?.into_owned();
        // What a browser holds may be anything.
        let is_secret = secret.len() == 43 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_recent = seconds(now).abs_diff(since) <= PATIENCE;
        (is_secret && is_recent).then(|| Attempt { secret: secret.to_owned(), since, next })
    }

    /// The page to go to afterwards, as the cookie has it.
    pub(in crate::server) fn next(&self) -> &str {
        &self.next
    }

    /// What comes back with the code.
    pub(in crate::server) fn state(&self) -> String {
        self.digest("state")
    }

    /// Whether this came back.
    pub(in crate::server) fn is_answered_by(&self, state: &str) -> bool {
        is_same_secret(self.state(), state)
    }

    /// What the ID token must have.
    pub(super) fn nonce(&self) -> String {
        self.digest("nonce")
    }

    /// What the exchange of the code needs.
    pub(super) fn verifier(&self) -> String {
        self.digest("verifier")
    }

    /// What the provider is told of the verifier.
    pub(super) fn challenge(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.verifier()))
    }

    fn digest(&self, label: &str) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(format!("taskflow {label} {}", self.text())))
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_cookie_keeps_an_attempt_for_ten_minutes() {
        let now = Timestamp::now();
        let attempt = Attempt::new("/runs?state=failed;x=ä", now).unwrap();
        let text = attempt.text();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte)), "{text}");
        assert_eq!(Attempt::of_text(&text, now), Some(attempt));
        assert!(Attempt::of_text(&text, now + Duration::from_secs(PATIENCE - 1)).is_some());
        assert_eq!(Attempt::of_text(&text, now + Duration::from_secs(PATIENCE + 2)), None);
        for broken in ["", "a", "a.b.c", "..", &text[1..], &text.replace('.', " "), &format!("é{}", &text[2..])] {
            assert_eq!(Attempt::of_text(broken, now), None, "{broken}");
        }
    }

    #[test]
    fn a_changed_cookie_is_another_attempt() {
        let now = Timestamp::now();
        let attempt = Attempt::new("/dags", now).unwrap();
        let changed = Attempt::of_text(&attempt.text().replace("dags", "runs"), now).unwrap();
        assert!(attempt.is_answered_by(&attempt.state()) && !changed.is_answered_by(&attempt.state()));
        assert!(!attempt.is_answered_by("") && !attempt.is_answered_by(&attempt.nonce()));
        let all = [attempt.state(), attempt.nonce(), attempt.verifier(), attempt.challenge()];
        // RFC 7636: a verifier has 43 to 128 characters.
        assert!(all.iter().all(|text| text.len() == 43), "{all:?}");
        assert!(all.iter().enumerate().all(|(at, text)| !all[at + 1..].contains(text)), "{all:?}");
    }
}
