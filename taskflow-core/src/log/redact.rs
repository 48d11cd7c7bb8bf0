//! Redaction of secrets in logs: by field name, by value and by context in a text.
//!
//! The writer thread redacts just before it writes, so it costs the tasks nothing, and a secret
//! registered late is still redacted in records that have not been written.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::record::LogRecord;
use super::{encodings, patterns};

/// The replacement of a secret.
pub(super) const REDACTED: &str = "***";
/// Shorter secrets cannot be distinguished from ordinary words.
const SHORTEST: usize = 4;

/// The registered secrets; `None` in most processes, which then pay for a single load.
static SECRETS: RwLock<Option<Arc<[String]>>> = RwLock::new(None);
static ANY: AtomicBool = AtomicBool::new(false);

/// Registers a secret for the whole process: every later occurrence in messages, fields and other
/// texts that pass through [`redact`] becomes `***`. So do its usual encodings: percent-encoded in
/// either case, as in a form, escaped as in JSON (also JSON inside JSON) or by `{:?}`, and the
/// whole secret in base64.
///
/// Other forms cannot be recognised: a part of the secret, its hash, base64 of a longer text that
/// contains it, hexadecimal digits, compressed or encrypted data.
///
/// Values of fewer than four characters are ignored: masking them in ordinary words would reveal
/// them. Surrounding white space does not count. In a value of several lines, each longer line is a
/// secret too, because it may be printed alone. A secret cannot be unregistered.
///
/// ```
/// taskflow::log::mask("correct horse");
/// assert_eq!(taskflow::log::redact("login with correct horse"), "login with ***");
/// ```
pub fn mask(value: &str) {
    let mut forms = Vec::new();
    let value = value.trim();
    add_forms(value, SHORTEST, &mut forms);
    if value.contains('\n') {
        value.lines().for_each(|line| add_forms(line.trim(), 2 * SHORTEST, &mut forms));
    }
    if forms.is_empty() {
        return;
    }
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    let known = secrets.clone().unwrap_or_default();
    forms.retain(|form| !known.contains(form));
    if forms.is_empty() {
        return;
    }
    *secrets = Some(known.iter().cloned().chain(forms).collect());
    ANY.store(true, Ordering::Release);
}

/// Adds the forms of a secret when printed with `{:?}` or as JSON, and in base64.
fn add_forms(value: &str, shortest: usize, forms: &mut Vec<String>) {
    if value.chars().count() < shortest {
        return;
    }
    // Without the surrounding quotes.
    let inside = |quoted: String| quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
    let json = Value::from(value).to_string();
    let printed = [value.to_owned(), value.escape_debug().to_string(), inside(format!("{value:?}")), inside(json)];
    for form in printed.into_iter().chain(encodings::base64(value.as_bytes())) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
}

/// Returns the text with secrets replaced: registered ones, values of names such as `password`, and
/// passwords in URLs.
///
/// Borrowed if there are none. [`Redactor::is_secret_name`] lists the names.
///
/// ```
/// use taskflow::log::redact;
///
/// assert_eq!(redact("connecting to postgres://etl:hunter2@db/main"), "connecting to postgres://etl:***@db/main");
/// assert_eq!(redact("Authorization: Bearer eyJhbGciOi"), "Authorization: ***");
/// assert_eq!(redact("rows: 3"), "rows: 3");
/// ```
pub fn redact(text: &str) -> Cow<'_, str> {
    Redactor::current().text(text)
}

/// Finds secrets in many texts. It uses the secrets registered when it is created.
#[derive(Clone)]
pub struct Redactor {
    pub(super) secrets: Option<Arc<[String]>>,
}

impl Redactor {
    /// Uses the secrets registered now.
    pub fn current() -> Self {
        let secrets =
            ANY.load(Ordering::Acquire).then(|| SECRETS.read().unwrap_or_else(PoisonError::into_inner).clone());
        Redactor { secrets: secrets.flatten() }
    }

    /// Whether a field of this name always holds a secret: the name contains `password`, `passwd`,
    /// `passphrase`, `secret`, `token`, `api_key`, `access_key`, `authorization`, `private_key` or
    /// `credential`. Ignores case, `_` and `-`.
    pub fn is_secret_name(name: &str) -> bool {
        patterns::is_secret_name(name)
    }

    /// Returns the text with secrets replaced; borrowed if there are none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found = self.places(text);
        if text.bytes().any(|byte| matches!(byte, b'=' | b':')) {
            patterns::pairs(text, &mut found);
            patterns::urls(text, &mut found);
        }
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replace(text, found)) }
    }

    /// Where the text contains registered secrets, as they are or encoded.
    pub(super) fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let Some(secrets) = &self.secrets else { return found };
        for secret in secrets.iter() {
            occurrences(text, secret, &mut found);
        }
        encodings::encoded(text, secrets, &mut found);
        found
    }

    /// Redacts a value at any depth: members with secret names, and secrets in texts.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.json(value)),
            Value::Object(map) => self.map(map),
            // A secret can consist of digits.
            Value::Number(_) if self.secrets.is_some() => {
                if let Cow::Owned(redacted) = self.text(&value.to_string()) {
                    *value = redacted.into();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn map(&self, map: &mut Map<String, Value>) {
        for (name, value) in map {
            if patterns::is_secret_name(name) {
                *value = REDACTED.into();
            } else {
                self.json(value);
            }
        }
    }

    /// Redacts a record.
    pub(super) fn record(&self, record: &mut LogRecord) {
        if let Cow::Owned(redacted) = self.text(&record.message) {
            record.message = redacted;
        }
        self.map(&mut record.fields);
        for span in &mut record.spans {
            self.map(&mut span.fields);
        }
    }
}

impl std::fmt::Debug for Redactor {
    /// Hides the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// Adds every occurrence of the secret, including overlapping ones.
pub(super) fn occurrences(text: &str, secret: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(secret)) {
        let start = from + at;
        found.push(start..start + secret.len());
        // Continue at the next character, where an overlapping occurrence could start.
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
    }
}

/// Replaces the ranges with `***`; overlapping ranges are merged.
pub(super) fn replace(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let mut redacted = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        if place.start >= done {
            redacted.push_str(&text[done..place.start]);
            redacted.push_str(REDACTED);
        }
        done = done.max(place.end);
    }
    redacted.push_str(&text[done..]);
    redacted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Redactor, mask, redact};

    #[test]
    fn values_under_telltale_names_are_hidden() {
        for (text, expected) in [
            ("password=hunter2", "password=***"),
            ("DB_PASSWORD = hunter2, user = me", "DB_PASSWORD = ***, user = me"),
            ("the api-key: abc; next", "the api-key: ***; next"),
            (r#"{"accessToken": "a \" b", "n": 1}"#, r#"{"accessToken": "***", "n": 1}"#),
            (r#"{\"secret\":\"x y\",\"n\":1}"#, r#"{\"secret\":\"***\",\"n\":1}"#),
            (r#"Login { passwd: Some("a b"), n: 1 }"#, r#"Login { passwd: Some("***"), n: 1 }"#),
            ("GET /?token=abc&page=2", "GET /?token=***&page=2"),
            ("Authorization: Bearer a.b.c, ok", "Authorization: ***, ok"),
            (r#"credentials: ["a", "b"] end"#, "credentials: *** end"),
            ("é\"secret\"='ü ö'é", "é\"secret\"='***'é"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        for text in
            ["", "rows: 3", "token::Kind", "password:", "secret", "a = b", "http://host:80/a@b", "http://h/a:b@c"]
        {
            assert!(matches!(redact(text), std::borrow::Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        assert_eq!(redact("at postgres://me:p@ss@host:5432/db?x=y now"), "at postgres://me:***@host:5432/db?x=y now");
        assert_eq!(redact("redis://:pw@h"), "redis://:***@h");
        assert_eq!(redact("amqp://me:pa/ss@h/v"), "amqp://me:***@h/v");
    }

    #[test]
    fn registered_secrets_are_hidden_everywhere() {
        mask("abra-cadabra");
        mask("cadabra-simsala");
        mask("say \"friend\"");
        assert_eq!(redact("<abra-cadabra>"), "<***>");
        assert_eq!(redact("<abra-cadabra-simsala>"), "<***>");
        assert_eq!(redact(&format!("{:?}", "say \"friend\"")), "\"***\"");
    }

    #[test]
    fn each_long_line_of_a_secret_is_a_secret() {
        mask("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nshort\n");
        assert_eq!(redact("got MIIEvQIBADANBgkq, short"), "got ***, short");
    }

    #[test]
    fn values_too_short_to_be_secrets_are_ignored() {
        mask("abc");
        mask(" ");
        assert_eq!(redact("abc def"), "abc def");
    }

    #[test]
    fn json_is_redacted_at_any_depth() {
        mask("9182736455");
        let mut value = json!({"a": [{"apiKey": {"x": 1}}], "url": "ftp://a:b@c", "n": 9_182_736_455_u64, "m": 1});
        Redactor::current().json(&mut value);
        assert_eq!(value, json!({"a": [{"apiKey": "***"}], "url": "ftp://a:***@c", "n": "***", "m": 1}));
    }

    #[test]
    fn case_underscores_and_hyphens_in_names_do_not_matter() {
        let more =
            ["passwd", "ssh-passphrase", "clientSecret", "access_token", "API-Key", "Authorization", "credentials"];
        for name in
            ["PASSWORD", "db_pass_word", "X-Api-Key", "privateKey", "my_tokens", "aws_secret"].iter().chain(&more)
        {
            assert!(Redactor::is_secret_name(name), "{name}");
        }
        for name in ["", "pass", "key", "keys", "author", "api", "private", "flight", "toke", "é", "user"] {
            assert!(!Redactor::is_secret_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn redacting_arbitrary_text_does_not_panic(text in r#"(secret|é|token|[:="'\\\[\]{}(),@/ ]|://|\PC){0,30}"#) {
            // Redaction is idempotent.
            let once = redact(&text).into_owned();
            redact(&once);
        }
    }
}
