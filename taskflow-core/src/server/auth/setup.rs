//! The set-up token, which creates the first user.
//!
//! `serve --setup` prints it. It works for an hour and once; until then the server shows nothing
//! but the set-up page.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ops::accounts::{AccountError, digest, random_secret};

/// How long it works.
const VALID: Duration = Duration::from_secs(3_600);

/// A token that works once.
pub(in crate::server) struct SetupToken {
    /// Its digest and when it was made; none once it was used.
    state: Mutex<Option<(String, Instant)>>,
    /// Held by who uses it, so that one user is created.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for SetupToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetupToken").finish_non_exhaustive()
    }
}

impl SetupToken {
    /// A token, with its text.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub(in crate::server) fn new(now: Instant) -> Result<(Self, String), AccountError> {
        let text = random_secret()?;
        Ok((SetupToken { state: Mutex::new(Some((digest(&text), now))), turn: tokio::sync::Mutex::default() }, text))
    }

    /// Whether this is the token. It stays usable, so that a weak password can be typed again.
    pub(in crate::server) fn is(&self, text: &str, now: Instant) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |(known, since): &(String, Instant)| {
            *known == digest(text.trim()) && now.saturating_duration_since(*since) < VALID
        };
        state.as_ref().is_some_and(is_same)
    }

    /// Waits until nobody else uses it.
    pub(in crate::server) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Uses it up. Returns whether it was still there.
    pub(in crate::server) fn take(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_works_for_an_hour_and_once() {
        let now = Instant::now();
        let (token, text) = SetupToken::new(now).unwrap();
        assert!(token.is(&text, now) && token.is(&format!(" {text}\n"), now));
        assert!(!token.is("", now) && !token.is(&text[1..], now) && !token.is(&text, now + VALID));
        assert!(token.take() && !token.take() && !token.is(&text, now));
    }
}
