//! Calls of this program, as people type them.

use std::path::Path;

use crate::base::text::is_unsafe;

/// A call of this program with the same home, as a shell takes it.
pub(super) fn call<T: AsRef<str>>(words: &[T], home: Option<&Path>) -> String {
    call_with(words, &home_flags(home))
}

/// A call of this program with these flags.
pub(super) fn call_with<T: AsRef<str>>(words: &[T], flags: &[String]) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "taskflow".to_owned());
    let words = words.iter().map(|word| word.as_ref().to_owned());
    let flags = flags.iter().cloned();
    let words: Vec<String> = [program].into_iter().chain(words).chain(flags).map(|word| quoted(&word)).collect();
    words.join(" ")
}

/// The flags that name a home.
pub(super) fn home_flags(home: Option<&Path>) -> Vec<String> {
    home.iter().flat_map(|home| ["--home".to_owned(), home.display().to_string()]).collect()
}

/// Quotes a word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let is_special = |c: char| c == '\n' || c == '\t' || is_unsafe(c);
    if !word.contains(is_special) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    // A terminal does not show these characters, and a shell takes their escapes in this form.
    let escaped = word.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => r"\n".to_owned(),
        c if is_special(c) && u32::from(c) < 0x10000 => format!("\\u{:04x}", u32::from(c)),
        c if is_special(c) => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("--day=2013-01-07"), "--day=2013-01-07");
        assert_eq!(quoted("--name=Ada L"), "'--name=Ada L'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(
            quoted("--text=it's\n\x1b[2J\\ \u{202e}\u{e0041}"),
            r"$'--text=it\'s\n\u001b[2J\\ \u202e\U000e0041'"
        );
    }
}
