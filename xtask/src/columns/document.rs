//! Splits a file into passages, and verifies that re-wrapping changes only whitespace.

use super::comments::line_comments;
use super::passage::{Breaks, Line, Passage};
use super::{CODE, width};

/// The language of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Markdown,
}

/// A line that is too wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooWide {
    /// The number of the line, from 1.
    pub(crate) line: usize,
    pub(crate) width: usize,
    /// The greatest permitted width.
    pub(crate) limit: usize,
}

/// The text of a file.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    parts: Vec<Part<'a>>,
}

#[derive(Debug)]
enum Part<'a> {
    /// Prose from the line `start`, with this before each line.
    Prose { start: usize, prefix: Prefix<'a>, passage: Passage<'a> },
    /// A line of code. `comment` says whether a comment follows the code.
    Code { index: usize, comment: bool },
}

/// The start of a line of prose: indentation, comment marker, and the space after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix<'a> {
    text: &'a str,
    space: &'static str,
}

impl<'a> Document<'a> {
    pub(crate) fn new(text: &'a str, language: Language) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let parts = match language {
            Language::Rust => rust(text, &lines),
            Language::Markdown => {
                let passage = Passage { lines: lines.clone(), offset: 0, breaks: Breaks::Markdown, code: None };
                vec![Part::Prose { start: 0, prefix: Prefix { text: "", space: "" }, passage }]
            }
        };
        Self { text, lines, parts }
    }

    /// The lines that are too wide, in order.
    pub(crate) fn too_wide(&self) -> Vec<TooWide> {
        let mut found = Vec::new();
        let mut report = |index: usize, limit| {
            found.push(TooWide { line: index + 1, width: width(self.lines[index].trim_end()), limit });
        };
        for part in &self.parts {
            match part {
                Part::Prose { start, passage, .. } => {
                    passage.too_wide().into_iter().for_each(|(index, limit)| report(start + index, limit));
                }
                Part::Code { index, comment } if *comment && width(self.lines[*index]) > CODE => report(*index, CODE),
                Part::Code { .. } => {}
            }
        }
        found
    }

    /// The text after re-wrapping, if that changes it.
    ///
    /// # Errors
    ///
    /// If more than whitespace in prose would change, which is a bug of this program.
    pub(crate) fn rewrapped(&self, language: Language) -> Result<Option<String>, &'static str> {
        let mut new = String::with_capacity(self.text.len() + 64);
        for part in &self.parts {
            match part {
                Part::Prose { start, prefix, passage } => {
                    for line in passage.rewrapped() {
                        match line {
                            Line::Kept(index) => new.push_str(self.lines[start + index]),
                            Line::New(line) => new.extend([prefix.text, prefix.space, &line]),
                        }
                        new.push('\n');
                    }
                }
                Part::Code { index, .. } => new.extend([self.lines[*index], "\n"]),
            }
        }
        if !self.text.ends_with('\n') {
            new.pop();
        }
        if new == self.text {
            return Ok(None);
        }
        if Document::new(&new, language).words() != self.words() {
            return Err("re-wrapping would change more than whitespace");
        }
        Ok(Some(new))
    }

    /// The document without the whitespace of its prose: lines of code, words with the marker of
    /// their comment, and empty lines.
    fn words(&self) -> Vec<(&str, &str)> {
        let mut words = Vec::new();
        for part in &self.parts {
            match part {
                Part::Prose { prefix, passage, .. } => {
                    for line in &passage.lines {
                        let empty = line.trim().is_empty().then_some("");
                        words.extend(line.split_whitespace().chain(empty).map(|word| (prefix.text, word)));
                    }
                }
                Part::Code { index, .. } => words.push(("", self.lines[*index])),
            }
        }
        words
    }
}

/// The parts of a Rust file.
fn rust<'a>(text: &str, lines: &[&'a str]) -> Vec<Part<'a>> {
    let mut comments = line_comments(text).into_iter().peekable();
    let mut parts: Vec<Part<'a>> = Vec::new();
    // The column of the comment after the code of the line before. It may continue below.
    let mut beside = None;
    for (index, line) in lines.iter().enumerate() {
        let comment = comments.next_if(|comment| comment.line == index);
        let marker = comment.filter(|comment| comment.alone && beside != Some(comment.at)).and_then(|comment| {
            let length = marker(&line[comment.at..])?;
            Some(comment.at + length)
        });
        let Some(length) = marker else {
            beside = comment.map(|comment| comment.at);
            parts.push(Part::Code { index, comment: comment.is_some() });
            continue;
        };
        beside = None;

        let (text, content) = line.split_at(length);
        let content = content.strip_prefix(' ').unwrap_or(content);
        match parts.last_mut() {
            Some(Part::Prose { prefix, passage, .. }) if prefix.text == text => passage.lines.push(content),
            _ => {
                let breaks = if text.ends_with("//") { Breaks::Plain } else { Breaks::Markdown };
                let prefix = Prefix { text, space: " " };
                let passage = Passage { lines: vec![content], offset: width(text) + 1, breaks, code: Some(CODE) };
                parts.push(Part::Prose { start: index, prefix, passage });
            }
        }
    }
    parts
}

/// The length of the comment marker. `None` for a line of four or more slashes.
fn marker(comment: &str) -> Option<usize> {
    let slashes = comment.len() - comment.trim_start_matches('/').len();
    match slashes {
        2 if comment[2..].starts_with('!') => Some(3),
        2 | 3 => Some(slashes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str, language: Language) -> String {
        let new = Document::new(text, language).rewrapped(language).expect("only whitespace changes");
        new.unwrap_or_else(|| text.to_owned())
    }

    fn wide(text: &str, language: Language) -> Vec<usize> {
        Document::new(text, language).too_wide().into_iter().map(|wide| wide.line).collect()
    }

    const WORDS: &str = "several words that fill a line with more than one hundred columns, if they are written in one \
                         line of a file";

    #[test]
    fn comments_wrap_behind_their_indentation_and_marker() {
        for marker in ["//", "///", "//!", "    ///", "        //"] {
            let text = format!("{marker} {WORDS}\n{marker}\n{marker} short\nfn f() {{}}\n");
            let new = fixed(&text, Language::Rust);
            assert!(new.lines().all(|line| line.len() <= 100), "{new}");
            assert!(new.lines().take(2).all(|line| line.starts_with(&format!("{marker} "))), "{new}");
            assert!(new.ends_with(&format!("\n{marker}\n{marker} short\nfn f() {{}}\n")), "{new}");
            assert_eq!(wide(&text, Language::Rust), [1]);
            assert_eq!(wide(&new, Language::Rust), [0; 0]);
        }
    }

    #[test]
    fn comments_of_another_kind_are_not_joined() {
        let text = format!("/// {WORDS}\n// a\n    // b\n");
        assert!(fixed(&text, Language::Rust).ends_with("a file\n// a\n    // b\n"));
    }

    #[test]
    fn comments_in_strings_and_after_code_stay() {
        let text = format!("let a = \"\n// {WORDS}\n\";\nf(); // {WORDS}\n     // {WORDS}\n//// {WORDS}\n");
        assert_eq!(fixed(&text, Language::Rust), text);
        assert_eq!(wide(&text, Language::Rust), [0; 0]);
        let text = format!("f(); // {WORDS} and more of them\n");
        assert_eq!(wide(&text, Language::Rust), [1]);
    }

    #[test]
    fn code_in_documentation_may_be_as_wide_as_code() {
        let code = |width: usize| format!("/// ```\n/// {}\n/// ```\n", "x".repeat(width - 4));
        assert_eq!(wide(&code(120), Language::Rust), [0; 0]);
        assert_eq!(wide(&code(121), Language::Rust), [2]);
        assert_eq!(fixed(&code(121), Language::Rust), code(121));
    }

    #[test]
    fn code_in_markdown_may_have_any_width() {
        assert_eq!(wide(&format!("```\n{WORDS}\n```\n"), Language::Markdown), [0; 0]);
        assert_eq!(wide(&format!("a\n\n{WORDS}\n"), Language::Markdown), [3]);
    }

    #[test]
    fn a_file_without_a_final_line_break_stays_without() {
        let new = fixed(WORDS, Language::Markdown);
        assert!(new.contains('\n') && !new.ends_with('\n'), "{new}");
    }

    /// Random files of pieces that are easily mistaken for each other.
    #[test]
    fn wrapping_twice_changes_nothing_more() {
        const PIECES: [&str; 24] = [
            "word",
            "words",
            "`code span`",
            "`",
            "``",
            "-",
            "1.",
            "2)",
            "#",
            "##",
            "|",
            ">",
            "https://example.org/a/b",
            "\n",
            "\n",
            "\n\n",
            "\n- ",
            "\n  ",
            "\n    ",
            "\n```\n",
            ".",
            "  ",
            "<b>",
            "[a]: ",
        ];
        let mut state = 1_u64;
        for case in 0..3000 {
            let mut text = String::new();
            for _ in 0..120 {
                // A linear congruential generator, with the constants of Knuth's MMIX.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let piece = if state >> 63 == 0 { "wording" } else { PIECES[(state >> 33) as usize % PIECES.len()] };
                text.extend([piece, " "]);
            }
            let rust: String = text.lines().map(|line| format!("  {} {line}\n", ["//", "///"][case % 2])).collect();
            for (text, language) in [(&text, Language::Markdown), (&rust, Language::Rust)] {
                let once = fixed(text, language);
                assert_eq!(fixed(&once, language), once, "{text}");
                let document = Document::new(&once, language);
                let kept =
                    document.too_wide().into_iter().all(|wide| text.contains(once.lines().nth(wide.line - 1).unwrap()));
                assert!(kept, "{once}");
            }
        }
    }
}
