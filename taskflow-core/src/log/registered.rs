//! Redacts registered secrets only, in failures and in the output of the command line.
//!
//! Text that only looks like a secret stays: `unexpected token: ;` is an ordinary error.

use std::borrow::Cow;

use super::redact::{REDACTED, Redactor, replace};
use crate::base::{Failure, bound_message};

impl Redactor {
    /// Returns the text with the secrets registered with [`mask`](super::mask) replaced; borrowed
    /// if there are none.
    ///
    /// ```
    /// taskflow::log::mask("open sesame");
    /// let redactor = taskflow::log::Redactor::current();
    /// assert_eq!(redactor.registered("token: open sesame, password=x"), "token: ***, password=x");
    /// ```
    pub fn registered<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.places(text);
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replace(text, found)) }
    }

    /// Like [`registered`](Self::registered) for JSON, which stays valid: a number that contains a
    /// secret is replaced as a whole.
    pub fn registered_json<'t>(&self, json: &'t str) -> Cow<'t, str> {
        if self.secrets.is_none() {
            return Cow::Borrowed(json);
        }
        let mut redacted = String::with_capacity(json.len());
        let mut rest = json;
        while let Some(sign) = rest.chars().next() {
            let (token, behind) = rest.split_at(match sign {
                '"' => end_of_text(rest),
                '-' | '0'..='9' => rest.find([',', ']', '}', ' ', '\n', '\r', '\t']).unwrap_or(rest.len()),
                _ => sign.len_utf8(),
            });
            match (sign, self.registered(token)) {
                ('-' | '0'..='9', Cow::Owned(_)) => redacted = redacted + "\"" + REDACTED + "\"",
                (_, token) => redacted.push_str(&token),
            }
            rest = behind;
        }
        Cow::Owned(redacted)
    }

    /// Also redacts prefixes of registered secrets that truncation has left: `key: swordf… 12 more
    /// bytes` becomes `key: ***… 12 more bytes`. Prefixes of fewer than four characters stay.
    pub(crate) fn beginnings<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found = Vec::new();
        for secret in self.secrets.iter().flat_map(|secrets| secrets.iter()) {
            for (end, _) in text.match_indices('…') {
                let lengths = secret.char_indices().map(|(length, _)| length).skip(4);
                let begun = lengths.filter(|&length| text[..end].ends_with(&secret[..length]));
                found.extend(begun.map(|length| end - length..end));
            }
        }
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replace(text, found)) }
    }

    /// Redacts registered secrets in the failure of an attempt, and cuts what is too long.
    pub(crate) fn failure(&self, failure: &mut Failure) {
        self.failure_unbounded(failure);
        failure.bound();
    }

    /// The same for the reason of a skip or the error of a callback.
    pub(crate) fn reason(&self, reason: &mut String) {
        self.message(reason);
        bound_message(reason);
    }

    fn failure_unbounded(&self, failure: &mut Failure) {
        match failure {
            Failure::Error { chain, .. } => chain.iter_mut().for_each(|message| self.message(message)),
            Failure::Panic { message, .. } => self.message(message),
            Failure::Skipped { reason } | Failure::Cancelled { reason } => self.message(reason),
            Failure::Crashed { stderr, .. } => stderr.iter_mut().for_each(|line| self.message(line)),
            Failure::TimedOut { .. }
            | Failure::OutOfTime { .. }
            | Failure::NothingFound { .. }
            | Failure::UpstreamFailed { .. }
            | Failure::Lost { .. } => {}
        }
    }

    /// Redacts registered secrets in a message.
    pub(crate) fn message(&self, message: &mut String) {
        if let Cow::Owned(redacted) = self.registered(message) {
            *message = redacted;
        }
    }
}

/// The offset after the string literal at the beginning of the JSON.
fn end_of_text(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Redactor, mask};

    #[test]
    fn redacted_json_is_still_valid() {
        mask("48151623");
        mask("say \"mellon\" and it's open\\");
        let value = json!({"pin": 48_151_623_u64, "n": [1, -2.5, 1_481_516_230_u64, null], "door": "say \"mellon\" and it's open\\!",
            "48151623": true});
        let text = serde_json::to_string_pretty(&value).expect("keys are texts");
        let redacted: Value = serde_json::from_str(&Redactor::current().registered_json(&text)).expect("it is JSON");
        assert_eq!(redacted, json!({"pin": "***", "n": [1, -2.5, "***", null], "door": "***!", "***": true}));
    }

    #[test]
    fn a_cut_leaves_no_prefix_of_a_secret() {
        mask("swordfish");
        let redactor = Redactor::current();
        assert_eq!(redactor.beginnings("key: swordf… 12 more bytes"), "key: ***… 12 more bytes");
        assert_eq!(redactor.beginnings("the word… and the swo…"), "the word… and the swo…");
    }

    #[test]
    fn text_that_only_resembles_a_secret_is_unchanged() {
        assert_eq!(Redactor::current().registered("unexpected token: `;`"), "unexpected token: `;`");
    }
}
