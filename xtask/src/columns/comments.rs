//! Finds the line comments of a Rust file.
//!
//! This is a lexer for a small part of Rust: strings, characters, lifetimes and block comments. It
//! does not mistake `//` inside a string for a comment.

/// A comment that begins with `//`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineComment {
    /// The index of its line, from 0.
    pub(super) line: usize,
    /// The position of `//` in the line, in bytes.
    pub(super) at: usize,
    /// Whether nothing but spaces precedes it.
    pub(super) alone: bool,
}

/// Every line comment of `source`, in order.
pub(super) fn line_comments(source: &str) -> Vec<LineComment> {
    let mut lexer = Lexer { source, at: 0 };
    let mut starts = Vec::new();
    while let Some(start) = lexer.next_comment() {
        starts.push(start);
    }

    let mut starts = starts.into_iter().peekable();
    let mut comments = Vec::new();
    let mut offset = 0;
    for (line, text) in source.split_inclusive('\n').enumerate() {
        let end = offset + text.len();
        if let Some(start) = starts.next_if(|start| *start < end) {
            let at = start - offset;
            comments.push(LineComment { line, at, alone: text[..at].trim().is_empty() });
        }
        offset = end;
    }
    comments
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Skips to the next line comment and over it. Returns where it begins.
    fn next_comment(&mut self) -> Option<usize> {
        loop {
            let rest = self.rest();
            let next = rest.chars().next()?;
            if rest.starts_with("//") {
                let start = self.at;
                self.at += rest.find('\n').unwrap_or(rest.len());
                return Some(start);
            }
            if rest.starts_with("/*") {
                self.skip_block_comment();
            } else if next == '"' {
                self.at += 1;
                self.skip_quoted('"');
            } else if next == '\'' {
                self.skip_character_or_lifetime();
            } else if next.is_alphabetic() || next == '_' {
                self.skip_word();
            } else {
                self.at += next.len_utf8();
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Skips to the end of the file if `text` does not occur any more.
    fn skip_past(&mut self, text: &str) {
        let rest = self.rest();
        self.at += rest.find(text).map_or(rest.len(), |found| found + text.len());
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
            } else {
                self.at += rest.chars().next().map_or(0, char::len_utf8);
            }
            if depth == 0 || self.rest().is_empty() {
                return;
            }
        }
    }

    /// Skips the rest of a literal whose opening quote is behind.
    fn skip_quoted(&mut self, quote: char) {
        while let Some(next) = self.rest().chars().next() {
            self.at += next.len_utf8();
            if next == quote {
                return;
            }
            if next == '\\' {
                self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            }
        }
    }

    fn skip_character_or_lifetime(&mut self) {
        self.at += 1;
        let mut chars = self.rest().chars();
        match (chars.next(), chars.next()) {
            (Some('\\'), _) => self.skip_quoted('\''),
            (Some(one), Some('\'')) => self.at += one.len_utf8() + 1,
            // A lifetime: its name is skipped as a word.
            _ => {}
        }
    }

    /// Skips a name or a number, or the raw string that such a word introduces.
    fn skip_word(&mut self) {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += length;
        if matches!(&rest[..length], "r" | "br" | "cr") {
            let after = self.rest();
            let hashes = after.len() - after.trim_start_matches('#').len();
            if after[hashes..].starts_with('"') {
                self.at += hashes + 1;
                self.skip_past(&format!("\"{}", "#".repeat(hashes)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(usize, usize, bool)> {
        line_comments(source).into_iter().map(|comment| (comment.line, comment.at, comment.alone)).collect()
    }

    #[test]
    fn comments_alone_and_after_code_are_found() {
        let source = "// one\nlet a = 1; // two\n    /// three\n//! four";
        assert_eq!(found(source), [(0, 0, true), (1, 11, false), (2, 4, true), (3, 0, true)]);
    }

    #[test]
    fn slashes_in_strings_are_not_comments() {
        for source in [
            r#"let a = "// no";"#,
            r##"let a = r#"x" // no"#;"##,
            r#"let a = br"\"; "// no""#,
            r#"let a = "\"// no";"#,
            "let a = \"line\n    // no\n\";",
            "let a = b\"// no\";",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }

    #[test]
    fn characters_and_lifetimes_do_not_open_strings() {
        for source in [r#"m('"'); // yes"#, r"m('\''); // yes", "f::<'a, 'b>(); // yes", "r#type(b'\"'); // yes"] {
            assert_eq!(found(source).len(), 1, "{source}");
        }
    }

    #[test]
    fn block_comments_hide_line_comments() {
        assert_eq!(found("/* // no /* nested */ // no\n // no */ // yes"), [(1, 10, false)]);
    }

    #[test]
    fn raw_strings_end_at_their_own_mark() {
        assert_eq!(found("r##\"a\"# // no\n\"##; // yes\n// yes").len(), 2);
    }
}
