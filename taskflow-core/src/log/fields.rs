//! Reads the fields of events and spans, on the thread of the task.
//!
//! Values are limited here, before they are queued: a message of a gigabyte costs the task time to
//! format, but no memory.

use std::error::Error;
use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// The longest message or field value that is logged, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;
/// How much text after the limit is searched for secrets: a secret up to this long that spans the
/// cut is still recognised.
const MARGIN: usize = 4 * 1024;

/// The message and the fields of an event, or the fields of a span.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) map: Map<String, Value>,
}

impl Fields {
    /// All fields. The message of a span is a field like any other.
    pub(super) fn into_map(mut self) -> Map<String, Value> {
        if !self.message.is_empty() {
            self.map.insert("message".to_owned(), self.message.into());
        }
        self.map
    }

    fn insert(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", value) => self.message = value.to_string(),
            // tracing-log passes the origin of a record of the `log` crate in these; the metadata
            // contains it.
            ("log.target" | "log.module_path" | "log.file" | "log.line", _) => {}
            (_, value) => {
                self.map.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value);
            }
        }
    }

    fn insert_text(&mut self, field: &Field, write: impl FnOnce(&mut Bounded) -> fmt::Result) {
        let mut text = Bounded::default();
        // If formatting fails, the text written so far is logged.
        let _ = write(&mut text);
        self.insert(field, Value::String(text.finish()));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        self.insert(field, number.unwrap_or_else(|| value.to_string().into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.insert(field, i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.insert(field, u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert_text(field, |text| text.write_str(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert_text(field, |text| {
            write!(text, "{value}")?;
            let mut source = value.source();
            while let Some(cause) = source {
                write!(text, ": {cause}")?;
                source = cause.source();
            }
            Ok(())
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert_text(field, |text| write!(text, "{value:?}"));
    }
}

/// A text that stores its beginning and counts the remaining bytes.
#[derive(Debug, Default)]
struct Bounded {
    text: String,
    lost: usize,
}

impl fmt::Write for Bounded {
    /// Never fails: some implementations of `Debug` panic on an error.
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = if self.lost == 0 { (LONGEST + MARGIN).saturating_sub(self.text.len()) } else { 0 };
        let end = part.floor_char_boundary(room);
        self.text.push_str(&part[..end]);
        self.lost += part.len() - end;
        Ok(())
    }
}

impl Bounded {
    fn finish(self) -> String {
        if self.text.len() <= LONGEST {
            return self.text;
        }
        // Redact before cutting: half a secret is not recognised.
        let mut text = super::redact(&self.text).into_owned();
        let end = text.floor_char_boundary(LONGEST);
        let cut = text.len() - end + self.lost;
        text.truncate(end);
        if cut > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, ".. [{cut} more bytes were cut]");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Bounded, LONGEST};

    fn bounded(parts: &[&str]) -> String {
        let mut text = Bounded::default();
        for part in parts {
            text.write_str(part).unwrap();
        }
        text.finish()
    }

    #[test]
    fn a_text_that_fits_is_unchanged() {
        assert_eq!(bounded(&["a", "", "é"]), "aé");
        assert_eq!(bounded(&["x".repeat(LONGEST).as_str()]).len(), LONGEST);
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        let text = bounded(&[&"x".repeat(LONGEST - 1), "é and more", &"y".repeat(LONGEST)]);
        assert!(text.starts_with(&"x".repeat(LONGEST - 1)));
        assert_eq!(&text[LONGEST - 1..], ".. [65547 more bytes were cut]");
    }

    #[test]
    fn a_secret_across_the_cut_is_not_cut_in_half() {
        crate::log::mask("lies-across-the-cut");
        let text = bounded(&[&"x".repeat(LONGEST - 5), "lies-across-the-cut", &"y".repeat(LONGEST)]);
        assert!(!text.contains("lies"));
        assert!(text.contains("x***yy.. ["), "{}", &text[LONGEST - 10..]);
    }
}
