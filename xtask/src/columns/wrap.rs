//! Breaks the words of a paragraph into lines.

use super::width;

/// Breaks `text` into lines. `room` is the width of a line without its prefix.
///
/// Whitespace between words becomes one space or a line break; nothing else changes. Code spans
/// that fit on a line are not broken. A line never begins with a word that Markdown reads as the
/// start of a list item, a heading, a table and so on.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces(text, room) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&piece) <= room => {
                line.push(' ');
                line.push_str(&piece);
            }
            _ => lines.push(piece),
        }
    }
    lines
}

/// The parts of `text` between which a line may break.
fn pieces(text: &str, room: usize) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let spans = code_spans(&text);
    let inside =
        |at: usize| spans.iter().any(|(from, to)| (*from..*to).contains(&at) && width(&text[*from..*to]) <= room);

    let mut pieces: Vec<String> = Vec::new();
    let mut start = 0;
    let breaks = text.match_indices(' ').map(|(at, _)| at).chain([text.len()]);
    for at in breaks {
        if inside(at) {
            continue;
        }
        let piece = &text[start..at];
        start = at + 1;
        match pieces.last_mut() {
            Some(last) if begins_structure(piece) => {
                last.push(' ');
                last.push_str(piece);
            }
            _ if piece.is_empty() => {}
            _ => pieces.push(piece.to_owned()),
        }
    }
    pieces
}

/// The code spans of `text`, from the first backtick to after the last.
fn code_spans(text: &str) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        runs.push((start, length));
        at = start + length;
    }

    let mut spans = Vec::new();
    let mut index = 0;
    while let Some((start, length)) = runs.get(index).copied() {
        // A run of backticks without a second run of its length does not open a code span.
        let partner = runs[index + 1..].iter().position(|(_, other)| *other == length);
        index += 1;
        if let Some(offset) = partner {
            let (end, _) = runs[index + offset];
            spans.push((start, end + length));
            index += offset + 1;
        }
    }
    spans
}

/// Whether `text` has a special meaning in Markdown at the start of a line.
pub(super) fn begins_structure(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    is_list_marker(word)
        || is_heading(word)
        || is_rule(word)
        || begins_html(word)
        || ["```", "~~~", "|", ">"].iter().any(|start| word.starts_with(start))
        || may_define_link(word)
}

/// Whether `word` is `-`, `*`, `+`, `1.` or `1)`.
pub(super) fn is_list_marker(word: &str) -> bool {
    let number = word.strip_suffix(['.', ')']).unwrap_or_default();
    let is_number = !number.is_empty() && number.len() <= 9 && number.bytes().all(|byte| byte.is_ascii_digit());
    matches!(word, "-" | "*" | "+") || is_number
}

/// Whether `word` opens a heading: one to six `#`.
pub(super) fn is_heading(word: &str) -> bool {
    (1..=6).contains(&word.len()) && word.bytes().all(|byte| byte == b'#')
}

/// Whether `word` underlines a heading or separates sections.
pub(super) fn is_rule(word: &str) -> bool {
    let mut bytes = word.bytes();
    let first = bytes.next();
    matches!(first, Some(b'-' | b'=' | b'*' | b'_')) && bytes.all(|byte| Some(byte) == first)
}

/// Whether `word` begins an HTML tag or comment.
pub(super) fn begins_html(word: &str) -> bool {
    let after = word.strip_prefix('<').and_then(|rest| rest.chars().next());
    after.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
        && !word.split('>').next().unwrap_or_default().contains("://")
}

/// Whether `word` may begin the definition of a link: `[name]: https://..`.
fn may_define_link(word: &str) -> bool {
    word.starts_with('[') && word.contains("]:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_lines_up_to_the_width() {
        assert_eq!(wrap("aa bb  cc\ndd e", 5), ["aa bb", "cc dd", "e"]);
    }

    #[test]
    fn a_word_that_is_too_wide_has_a_line_of_its_own() {
        assert_eq!(wrap("see https://example.org/long now", 10), ["see", "https://example.org/long", "now"]);
    }

    #[test]
    fn width_is_counted_in_characters() {
        assert_eq!(wrap("äää ööö", 7), ["äää ööö"]);
    }

    #[test]
    fn a_code_span_stays_on_one_line() {
        assert_eq!(wrap("call `f(a, b)`, then", 12), ["call", "`f(a, b)`,", "then"]);
        assert_eq!(wrap("a ``b ` c`` d", 9), ["a", "``b ` c``", "d"]);
    }

    #[test]
    fn a_code_span_wider_than_a_line_breaks() {
        assert_eq!(wrap("`one two three` x", 9), ["`one two", "three` x"]);
    }

    #[test]
    fn a_lone_backtick_protects_nothing() {
        assert_eq!(wrap("a ` b cc dd", 6), ["a ` b", "cc dd"]);
    }

    #[test]
    fn a_line_never_begins_with_a_special_word_of_markdown() {
        for word in ["-", "*", "+", "12.", "3)", "#", "---", "=", ">=", "|", "```rust", "<br>", "<!--", "[a]:"] {
            assert_eq!(
                wrap(&format!("aaa bbb {word} ccc"), 7),
                ["aaa".to_owned(), format!("bbb {word}"), "ccc".to_owned()]
            );
        }
        for word in ["-1", "#[task]", "<https://a>", "12", "**a**", "_a", "[`a`]"] {
            assert_eq!(wrap(&format!("aaaa bbb {word}"), 8), ["aaaa bbb".to_owned(), word.to_owned()]);
        }
    }
}
