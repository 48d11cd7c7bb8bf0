//! A text that must not be seen.

use std::fmt;
use std::sync::Arc;

use crate::log::mask;

/// A password, a token, a key: a text that is only seen by who asks for it with [`expose`](Secret::expose).
///
/// From its making on the text is kept out of logs, failures, previews and everything that the command line prints, in the
/// whole process; see [`mask`]. (One of fewer than four characters cannot be told from ordinary words, and is not.)
///
/// A secret is no [`Value`](crate::value::Value): it cannot be returned by a task or be a parameter, because values are
/// stored. Take it where it is used, with [`TaskContext::secret`](crate::task::TaskContext::secret).
///
/// ```
/// use taskflow::config::Secret;
///
/// let token = Secret::new("correct horse");
/// assert_eq!(format!("{token} {token:?}"), "*** ***");
/// assert_eq!(token.expose(), "correct horse");
/// assert_eq!(taskflow::log::redact("sent correct horse"), "sent ***");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// A secret, from now on masked wherever it appears.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        mask(&text);
        Secret(text.into())
    }

    /// A text whose secret parts are masked already, and whose other parts are no secrets.
    pub(super) fn of_masked_parts(text: String) -> Self {
        Secret(text.into())
    }

    /// The text itself. Whoever has it takes care of where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
