//! Makes foreign text safe to show.
//!
//! Errors, log messages, reasons, labels, links, keys, run ids, file names and answers of servers
//! come from anywhere. On a terminal, control characters in them could erase or forge what it
//! shows, write to the clipboard or set its title; characters that turn the writing direction or
//! take no space make a text look like another one. Here they become visible: ESC becomes
//! `\u{1b}`.
//!
//! The command line escapes everything that it prints (`cli::terminal`). Use [`one_line`] where a
//! line break in the text could pass for the next line of the output.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal or a reader could be misled by the character. Line breaks and tabs are not
/// included.
pub(crate) fn is_unsafe(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\t');
    let turns_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let separates_lines = matches!(c, '\u{2028}' | '\u{2029}');
    // Emoji and some scripts need U+200C and U+200D.
    let is_invisible = matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    is_control || turns_direction || separates_lines || is_invisible
}

/// The text with unsafe characters made visible. Line breaks and tabs stay.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "used by the command line only"))]
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe)
}

/// Like [`visible`], in one line: line breaks and tabs become `\n` and `\t`.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "used by the command line only"))]
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t') || is_unsafe(c))
}

/// A JSON document in which unsafe characters are escaped as JSON does: it stays the same document.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "used by the command line only"))]
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    // JSON allows them inside strings only, except for the line break after a document.
    replaced(json, is_unsafe, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, wanted: impl Fn(char) -> bool) -> Cow<'_, str> {
    replaced(text, wanted, |c, out| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.extend(c.escape_unicode()),
    })
}

fn replaced(text: &str, wanted: impl Fn(char) -> bool, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let Some(first) = text.find(&wanted) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        if wanted(c) { replace(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The beginning of a text that is longer than `most` bytes, with a note about the rest; borrowed
/// if it is not.
pub(crate) fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(most);
    let rest = super::units::bytes((text.len() - end) as u64);
    Cow::Owned(format!("{}… ({rest} more)", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_a_terminal_or_a_reader_becomes_visible() {
        assert_eq!(visible("\x1b[2J\r\u{9b}31m\u{202e}\u{7f}\0"), r"\u{1b}[2J\r\u{9b}31m\u{202e}\u{7f}\u{0}");
        assert_eq!(visible("a\u{2028}b\u{feff}c\u{e0041}"), r"a\u{2028}b\u{feff}c\u{e0041}");
        assert_eq!(one_line("one\n\ttwo"), r"one\n\ttwo");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["", "größe\n\tüber 12 µs", "日本語", "שלום", "👩\u{200d}💻", "naïve…"] {
            assert!(matches!(visible(text), Cow::Borrowed(_)), "{text}");
            assert!(matches!(visible_json(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn escaped_json_is_the_same_document() {
        let value = serde_json::json!({"\u{9b}": ["\u{202e}x\x7f", "\x1b[2J\n", "\u{e0041}"]});
        let json = serde_json::to_string_pretty(&value).unwrap();
        let shown = visible_json(&json);
        assert!(shown.chars().all(|c| !is_unsafe(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_long_text_is_cut_between_characters_with_a_note() {
        assert_eq!(bounded("größe", 7), "größe");
        assert_eq!(bounded("größe", 3), "gr… (5 bytes more)");
    }
}
