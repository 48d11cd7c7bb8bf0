//! Limited previews of stored values for display: the first rows, the beginnings of long texts, the
//! names of all parts.
//!
//! A preview is created from the bytes, without the type, and the first kilobytes of a large value
//! are sufficient: the header of a list contains its length. Omitted parts are marked. Each part of
//! a value gets a share of the limit, so that a large part does not hide those after it.
//!
//! Data that JSON cannot represent is written as in [`json`](super::json). Values under keys that
//! name a secret are hidden.

use std::fmt::Write;

use super::json::{self, Sixteen};
use super::msgpack::{Chunk, Reader, Token};
use crate::log::Redactor;

/// A preview of a stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preview {
    /// JSON, with the fields in their stored order; for a table, its first rows as text.
    pub(crate) json: String,
    /// Whether it shows the whole value: nothing omitted, hidden or damaged.
    pub(crate) complete: bool,
}

/// Lists and maps below this level only show their size. Limits the recursion.
const MAX_LEVELS: usize = 32;

/// Replaces a value that does not fit.
const CUT: &str = "\"…\"";

/// Space for `, "… 4294967295 more": "…"` and a bracket: the end of a list or map that is cut.
const CLOSING: usize = 40;

/// The smallest share of an entry, enough for a number, as long as there is space.
const SCALAR: usize = 24;

/// Displays a stored value of the named type in at most `limit` bytes of JSON, at least five.
///
/// The bytes are untrusted. If they end early or are not MessagePack from some point on, the part
/// before that is shown.
pub(crate) fn preview(bytes: &[u8], ty: &str, limit: usize) -> Preview {
    if super::is_table(bytes) {
        let text = super::table_file::preview(bytes, limit);
        return Preview { json: text, complete: false };
    }
    let mut shown =
        Shown { reader: Reader::new(bytes), json: String::new(), complete: true, sixteen: Sixteen::of_type(ty) };
    shown.value(limit, MAX_LEVELS);
    // Bytes after the value are not part of it and not shown.
    Preview { json: shown.json, complete: shown.complete && shown.reader.is_at_end() }
}

struct Shown<'a> {
    reader: Reader<'a>,
    json: String,
    complete: bool,
    sixteen: Sixteen,
}

impl<'a> Shown<'a> {
    /// Writes the next value in at most `room` bytes and skips it.
    fn value(&mut self, room: usize, levels: usize) {
        match self.reader.token() {
            Ok(Token::List(len)) => self.list(len, room, levels),
            Ok(Token::Map(len)) => self.map(len, room, levels),
            Ok(Token::Text(chunk)) => self.text(chunk, room),
            Ok(token) => {
                let json = json::scalar(token, self.sixteen).to_string();
                if json.len() <= room { self.json.push_str(&json) } else { self.cut() }
            }
            Err(_) => {
                self.reader.end();
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        self.complete = false;
        self.json.push_str(CUT);
    }

    fn text(&mut self, chunk: Chunk<'_>, room: usize) {
        self.complete &= !chunk.is_cut();
        // Only read the beginning of a text of many megabytes.
        let seen = chunk.bytes.get(..room).unwrap_or(chunk.bytes);
        let cut = seen.len() < chunk.len as usize;
        let whole = quoted(&String::from_utf8_lossy(seen));
        if !cut && whole.len() <= room {
            self.json.push_str(&whole);
            return;
        }
        self.complete = false;
        let content = String::from_utf8_lossy(valid_prefix(seen));
        // In bytes: the number of omitted characters is unknown, because they may not have been
        // read.
        let mark = |shown: usize| format!("… {} more bytes", (chunk.len as usize).saturating_sub(shown));
        let mut left = room.saturating_sub(mark(0).len() + 2);
        let fits = |&character: &char| match left.checked_sub(escaped_len(character)) {
            Some(less) => {
                left = less;
                true
            }
            None => false,
        };
        let shown: String = content.chars().take_while(fits).collect();
        if shown.is_empty() {
            self.json.push_str(CUT);
        } else {
            self.json.push_str(&quoted(&format!("{shown}{}", mark(shown.len()))));
        }
    }

    fn list(&mut self, len: u32, room: usize, levels: usize) {
        if self.summary(len, ('[', ']'), room, levels) {
            return;
        }
        let end = self.json.len() + room;
        self.json.push('[');
        for index in 0..len {
            let left = len - index;
            let separator = if index == 0 { "" } else { ", " };
            let Some(share) = self.share(end, left, separator.len()) else {
                let _ = write!(self.json, "{separator}\"… {left} more\"");
                self.skip(u64::from(left));
                break;
            };
            self.json.push_str(separator);
            self.value(share, levels - 1);
        }
        self.json.push(']');
    }

    fn map(&mut self, len: u32, room: usize, levels: usize) {
        if self.summary(len, ('{', '}'), room, levels) {
            return;
        }
        let end = self.json.len() + room;
        self.json.push('{');
        for index in 0..len {
            let left = len - index;
            let separator = if index == 0 { "" } else { ", " };
            // Besides the colon, a short key and a cut value must fit.
            let share = self.share(end, left, separator.len() + 2).filter(|&share| share >= 16);
            let Some(share) = share else {
                let _ = write!(self.json, "{separator}\"… {left} more\": {CUT}");
                self.skip(2 * u64::from(left));
                break;
            };
            self.json.push_str(separator);
            let start = self.json.len();
            let name = self.key(share - CUT.len(), levels);
            self.json.push_str(": ");
            let share = share.saturating_sub(self.json.len() - start - 2);
            if Redactor::is_secret_name(&name) {
                self.complete = false;
                self.json.push_str("\"***\"");
                self.skip(1);
            } else {
                self.value(share, levels - 1);
            }
        }
        self.json.push('}');
    }

    /// Writes a key in at most `room` bytes and returns its text.
    fn key(&mut self, room: usize, levels: usize) -> String {
        let start = self.json.len();
        let mut reader = self.reader.clone();
        let token = reader.token();
        // The JSON of any key is text, and that text becomes the key.
        self.value(room, levels.min(2));
        let json = self.json.split_off(start);
        let (shown, text) = match serde_json::from_str::<String>(&json) {
            // The displayed key may be cut before the part that marks it as a secret.
            Ok(shown) => match token {
                Ok(Token::Text(chunk)) => (shown, String::from_utf8_lossy(chunk.bytes).into_owned()),
                _ => (shown.clone(), shown),
            },
            Err(_) => (json.clone(), json),
        };
        let quoted = quoted(&shown);
        self.json.push_str(if quoted.len() <= room { &quoted } else { CUT });
        text
    }

    /// Writes the size of a list or map that does not fit or is nested too deeply. An empty one is
    /// written as such.
    fn summary(&mut self, len: u32, (open, close): (char, char), room: usize, levels: usize) -> bool {
        if len > 0 && room > CLOSING && levels > 0 {
            return false;
        }
        let per_entry = if open == '{' { 2 } else { 1 };
        let summary = format!("\"{open}… {len}{close}\"");
        match len {
            0 => {
                self.json.push(open);
                self.json.push(close);
            }
            _ if summary.len() <= room => self.json.push_str(&summary),
            _ => self.json.push_str(CUT),
        }
        if len > 0 {
            self.skip(per_entry * u64::from(len));
        }
        true
    }

    /// How many bytes the next of `left` entries may take, after `extra` bytes before it: its even
    /// share, or a fourth of everything for the first entries, because a few complete rows are more
    /// useful than many stubs. `None` if no more fit.
    fn share(&self, end: usize, left: u32, extra: usize) -> Option<usize> {
        let reserve = if left == 1 { 1 } else { CLOSING };
        let room = end.checked_sub(self.json.len() + reserve + extra)?;
        let share = (room / left as usize).max(room / 4).max(room.min(SCALAR));
        (share >= CUT.len() && !self.reader.is_at_end()).then_some(share)
    }

    /// Skips values that are not shown.
    fn skip(&mut self, values: u64) {
        self.complete = false;
        if self.reader.skip(values).is_err() {
            self.reader.end();
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text before a character that is cut by the end.
fn valid_prefix(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or_default(),
        _ => bytes,
    }
}

/// The number of bytes a character takes in JSON.
fn escaped_len(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    fn stored<T: Serialize>(value: T) -> Vec<u8> {
        rmp_serde::to_vec_named(&value).unwrap()
    }

    fn shown<T: Serialize>(value: T, limit: usize) -> String {
        preview(&stored(value), "", limit).json
    }

    #[derive(Clone, Serialize)]
    struct Report {
        title: String,
        rows: Vec<(u32, f64)>,
        count: usize,
    }

    fn report(rows: u32) -> Report {
        let rows: Vec<_> = (0..rows).map(|row| (row, f64::from(row) / 2.0)).collect();
        Report { title: "delays".to_owned(), count: rows.len(), rows }
    }

    #[test]
    fn a_value_that_fits_is_shown_in_full_and_in_order() {
        let preview = preview(&stored(report(2)), "", 1000);
        assert_eq!(preview.json, r#"{"title": "delays", "rows": [[0, 0.0], [1, 0.5]], "count": 2}"#);
        assert!(preview.complete);
    }

    #[test]
    fn a_long_list_shows_how_much_is_omitted() {
        assert_eq!(shown((1..=1000).collect::<Vec<_>>(), 60), r#"[1, 2, 3, 4, 5, "… 995 more"]"#);
    }

    #[test]
    fn a_large_part_does_not_hide_those_after_it() {
        let preview = preview(&stored(report(1000)), "", 150);
        assert_eq!(preview.json, r#"{"title": "delays", "rows": "[… 1000]", "count": 1000}"#);
        assert!(!preview.complete);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shown("é".repeat(1000), 40), "\"ééééééééé… 1982 more bytes\"");
        assert_eq!(shown("\n\"".repeat(1000), 30), "\"\\n\\\"\\n\\\"… 1996 more bytes\"");
    }

    #[test]
    fn a_large_map_shows_how_much_is_omitted() {
        let map: BTreeMap<String, u32> = (0..100).map(|n| (format!("key-{n:03}"), n)).collect();
        assert_eq!(shown(map, 100), r#"{"key-000": 0, "key-001": 1, "key-002": 2, "… 97 more": "…"}"#);
    }

    #[test]
    fn secrets_are_hidden_with_their_contents() {
        let value =
            serde_json::json!({"db_password": "hunter2", "oauth": {"AccessToken": ["a", {"b": 1}], "user": "me"}});
        let preview = preview(&stored(value), "", 1000);
        assert_eq!(preview.json, r#"{"db_password": "***", "oauth": {"AccessToken": "***", "user": "me"}}"#);
        assert!(!preview.complete);
    }

    #[test]
    fn a_secret_stays_hidden_when_its_name_is_cut() {
        let value = BTreeMap::from([(format!("{}_password", "x".repeat(100)), "hunter2")]);
        for limit in 0..300 {
            assert!(!shown(&value, limit).contains("hunter"), "{limit}");
        }
    }

    #[test]
    fn values_that_json_cannot_express_are_readable() {
        let mut bytes = stored((f64::NAN, f32::NEG_INFINITY, u64::MAX, BTreeMap::from([((1, "a"), 2)])));
        assert_eq!(preview(&bytes, "", 200).json, r#"["NaN", "-inf", "18446744073709551615", {"[1, \"a\"]": 2}]"#);
        bytes = [&[0xc4, 12][..], &[7; 12]].concat();
        assert_eq!(preview(&bytes, "", 200).json, r#""<12 bytes>""#);
    }

    #[test]
    fn a_prefix_of_a_value_is_enough() {
        let bytes = stored(report(1000));
        assert_eq!(
            preview(&bytes[..40], "", 1000).json,
            r#"{"title": "delays", "rows": [[0, 0.0], [1, "…"], "… 998 more"], "… 1 more": "…"}"#
        );
        let text = stored("x".repeat(1_000_000));
        assert_eq!(preview(&text[..15], "", 1000).json, "\"xxxxxxxxxx… 999990 more bytes\"");
        let binary = [0xc6, 0x40, 0, 0, 0, 1, 2, 3];
        assert_eq!(preview(&binary, "", 1000).json, "\"<1073741824 bytes>\"");
        assert_eq!(preview(&[], "", 1000).json, "\"…\"");
    }

    #[test]
    fn deep_nesting_shows_its_size_at_the_bottom() {
        let json = preview(&[[0x91; 5000].as_slice(), &[1]].concat(), "", 10_000).json;
        assert_eq!(json, format!("{}\"[… 1]\"{}", "[".repeat(MAX_LEVELS), "]".repeat(MAX_LEVELS)));
    }

    fn check(bytes: &[u8], limit: usize) {
        let preview = preview(bytes, "", limit);
        assert!(preview.json.len() <= limit.max(CUT.len()), "{} > {limit}: {}", preview.json.len(), preview.json);
        serde_json::from_str::<serde_json::Value>(&preview.json)
            .unwrap_or_else(|error| panic!("{error}: {}", preview.json));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_previewed_as_json_within_the_limit(bytes: Vec<u8>, limit in 0..500_usize) {
            check(&bytes, limit);
        }

        #[test]
        fn every_prefix_of_a_value_is_previewed_as_json_within_the_limit(
            value in vec(btree_map(any::<(Option<bool>, String)>(), (any::<f64>(), vec(any::<Option<i64>>(), 0..30)), 0..6), 0..6),
            len: usize,
            limit in 0..5000_usize,
        ) {
            let bytes = stored(value);
            check(&bytes[..len % (bytes.len() + 1)], limit);
            check(&bytes, limit);
        }
    }
}
