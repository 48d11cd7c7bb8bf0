//! Texts that fit a width, in cells of the terminal: a wide character has two, a colour none.

use console::measure_text_width;

/// The text in at most `width` cells: cut after a word if there is one near the end.
pub(super) fn cut(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let (start, _) = fitting(text, width.saturating_sub(1));
    let words = start.trim_end();
    let end = match words.rfind(char::is_whitespace) {
        Some(end) if words.len() == start.len() && measure_text_width(&words[..end]) * 3 >= width * 2 => &words[..end],
        _ => words,
    };
    format!("{}…", end.trim_end_matches([' ', ',', ';', ':']))
}

/// The longest beginning of the text with at most `width` cells, and the rest.
fn fitting(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    let mut buffer = [0; 4];
    for (at, character) in text.char_indices() {
        used += measure_text_width(character.encode_utf8(&mut buffer));
        if used > width {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// Prose that fits the terminal: lines are broken between words, and continue with this
/// indentation. Colours have no width.
pub(super) fn prose(text: &str, width: Option<u16>, indent: usize) -> String {
    let Some(width) = width.map(usize::from) else { return text.to_owned() };
    let line = |line: &str| {
        if measure_text_width(line) <= width {
            return line.to_owned();
        }
        let mut broken = String::new();
        let mut used = 0;
        for word in line.split_inclusive(' ') {
            let long = measure_text_width(word.trim_end());
            if used + long > width && used > indent {
                broken.truncate(broken.trim_end_matches(' ').len());
                broken += "\n";
                broken += &" ".repeat(indent);
                used = indent;
            }
            broken += word;
            used += measure_text_width(word);
        }
        broken
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The text in at most `most` lines, broken between words; the last one is cut.
pub(super) fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && lines.len() + 1 < most && measure_text_width(rest) > width {
        let (start, _) = fitting(rest, width + 1);
        let end = start.rfind(' ').filter(|&end| end > 0).unwrap_or_else(|| fitting(rest, width).0.len());
        let (line, left) = rest.split_at(end);
        lines.push(line.trim_end().to_owned());
        rest = left.trim_start();
    }
    if !rest.is_empty() {
        lines.push(cut(rest, width));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words() {
        let text = "run 1 of labelled: failed in 126 ms, 3 tasks: 2 failed\n  id manual__2026-11-28";
        assert_eq!(
            prose(text, Some(30), 2),
            "run 1 of labelled: failed in\n  126 ms, 3 tasks: 2 failed\n  id manual__2026-11-28"
        );
        assert_eq!(prose(text, Some(10), 2).lines().nth(6), Some("  failed"));
        assert_eq!(prose(text, None, 2), text);
        assert_eq!(prose("a_word_that_does_not_fit", Some(10), 2), "a_word_that_does_not_fit");
    }

    #[test]
    fn texts_are_cut_after_a_word_near_the_end() {
        assert_eq!(cut("the file has not landed", 18), "the file has not…");
        assert_eq!(cut("the_file_has_not_landed", 18), "the_file_has_not_…");
        assert_eq!(cut("the file_has_not_landed", 18), "the file_has_not_…");
        assert_eq!(cut("航班加载失败", 7), "航班加…");
        assert_eq!(cut("landed", 6), "landed");
        assert_eq!(cut("landed", 1), "…");
    }
}
