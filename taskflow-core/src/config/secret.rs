//! Secret texts.

use std::fmt;
use std::sync::Arc;

use crate::log::mask;

/// A password, token or key: a text that is only visible through [`expose`](Secret::expose).
///
/// From its creation on, the text is masked in logs, failures, previews and all output of the
/// command line, in the whole process; see [`mask`]. (A text of fewer than four characters cannot
/// be distinguished from ordinary words and is not masked.)
///
/// A secret is not a [`Value`](crate::value::Value): it cannot be returned by a task or be a
/// parameter, because values are stored. Request it where it is used, with
/// [`TaskContext::secret`](crate::task::TaskContext::secret).
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
    /// Creates a secret, which is masked everywhere from now on.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        mask(&text);
        Secret(text.into())
    }

    /// A text whose secret parts are already masked.
    pub(super) fn of_masked_parts(text: String) -> Self {
        Secret(text.into())
    }

    /// The text itself. The caller is responsible for where it goes.
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
