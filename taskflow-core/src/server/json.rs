//! JSON for clients: everything that the API and its streams send as JSON is written here.
//!
//! Characters that control a terminal or turn the writing direction are escaped, as in the output
//! of the command line: a client that shows a document or a line of it as it came is not misled.
//! It stays the same document.

use serde::Serialize;

use crate::base::text::visible_json;

/// The document in several lines, with a line break at its end.
pub(super) fn pretty(document: &impl Serialize) -> serde_json::Result<String> {
    Ok(safe(&serde_json::to_string_pretty(document)?) + "\n")
}

/// The document in one line, for one whose maps have texts for keys: it can always be written.
pub(super) fn line(document: &impl Serialize) -> String {
    safe(&serde_json::to_string(document).unwrap_or_default())
}

/// JSON that others have written.
pub(super) fn safe(json: &str) -> String {
    visible_json(json).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_are_escaped_and_the_document_stays_the_same() {
        let text = "a\u{9b}31m\u{202e}b\u{feff}\u{1b}[2J\u{e0041}";
        assert_eq!(line(&text), r#""a\u009b31m\u202eb\ufeff\u001b[2J\udb40\udc41""#);
        assert_eq!(serde_json::from_str::<String>(&line(&text)).unwrap(), text);
        assert_eq!(pretty(&["\u{202e}"]).unwrap(), "[\n  \"\\u202e\"\n]\n");
    }
}
