//! Calls of this program, as people type them.

use std::path::Path;

/// A call of this program with the same home, as a shell takes it.
pub(super) fn call<T: AsRef<str>>(words: &[T], home: Option<&Path>) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "taskflow".to_owned());
    let home = home.iter().flat_map(|home| ["--home".to_owned(), home.display().to_string()]);
    let words = words.iter().map(|word| word.as_ref().to_owned());
    let words: Vec<String> = [program].into_iter().chain(words).chain(home).map(|word| quoted(&word)).collect();
    words.join(" ")
}

/// Quotes a word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("--day=2013-01-07"), "--day=2013-01-07");
        assert_eq!(quoted("--name=Ada L"), "'--name=Ada L'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
