//! Lines to copy into a terminal.

use std::path::Path;

use crate::ops::Home;

/// How the program of this server is called, with its home.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    name: String,
    home: Option<String>,
}

impl Program {
    pub(crate) fn of(home: &Home) -> Program {
        let path = std::env::current_exe().ok();
        let name = path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let is_default = home.path() == Path::new(Home::DEFAULT);
        Program {
            name: name.unwrap_or_else(|| "taskflow".to_owned()),
            home: (!is_default).then(|| home.path().display().to_string()),
        }
    }

    /// A call of the program, as a shell of Unix reads it.
    pub(crate) fn line(&self, words: &[&str]) -> String {
        let home = self.home.iter().flat_map(|home| ["--home", home]);
        let words = std::iter::once(&*self.name).chain(words.iter().copied()).chain(home);
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell of Unix reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        let program = Program { name: "my dags".to_owned(), home: Some("/srv/it's".to_owned()) };
        assert_eq!(program.line(&["clear", "7", "fetch[3]"]), r"'my dags' clear 7 'fetch[3]' --home '/srv/it'\''s'");
    }
}
