//! `cargo xtask columns`: checks the width of comments and Markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::columns::{Document, Language};
use crate::failure::Failure;
use crate::sources;
use crate::workspace;

/// Re-wraps paragraphs that are too wide before checking.
pub(crate) const FIX: &str = "--fix";

/// Programs whose expected compiler messages contain line numbers. They are checked, but not
/// changed.
const UNCHANGED: &str = "tests/ui";

pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let root = workspace::root();
    if words.iter().any(|word| word == FIX) {
        let changed = fix(&root)?;
        println!("re-wrapped {changed} files");
    }
    check(&root)
}

/// Reports every line of prose that is too wide.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let mut message = String::new();
    each_file(root, |file, text, language| {
        for wide in Document::new(text, language).too_wide() {
            let _ = writeln!(message, "  {file}:{}: {} columns, {} at most", wide.line, wide.width, wide.limit);
        }
        Ok(())
    })?;
    if message.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "\nerror: lines of comments or Markdown are too wide:\n{message}\
         `cargo xtask columns {FIX}` re-wraps paragraphs; headings, code and {UNCHANGED} must be edited by hand."
    )))
}

/// Re-wraps every paragraph that is too wide. Returns how many files it changed.
fn fix(root: &Path) -> Result<usize, Failure> {
    let mut changed = 0;
    each_file(root, |file, text, language| {
        if Path::new(file).starts_with(UNCHANGED) {
            return Ok(());
        }
        let new = Document::new(text, language).rewrapped(language);
        let new = new.map_err(|why| Failure::new(format!("error: cannot re-wrap {file}: {why}")))?;
        if let Some(new) = new {
            changed += 1;
            fs::write(root.join(file), new)
                .map_err(|error| Failure::new(format!("error: cannot write {file}: {error}")))?;
        }
        Ok(())
    })?;
    Ok(changed)
}

/// Calls `work` with the path from the root, the text and the language of each file.
fn each_file(root: &Path, mut work: impl FnMut(&str, &str, Language) -> Result<(), Failure>) -> Result<(), Failure> {
    let unreadable = |path: &Path, error| Failure::new(format!("error: cannot read {}: {error}", path.display()));
    for path in sources::files(root, &["rs", "md"]).map_err(|error| unreadable(root, error))? {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let is_rust = path.extension().is_some_and(|end| end == "rs");
        let language = if is_rust { Language::Rust } else { Language::Markdown };
        let file = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        work(&file, &text, language)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn wide() -> String {
        "word ".repeat(30)
    }

    #[test]
    fn a_line_that_is_too_wide_is_named_with_its_file() {
        let dir = Scratch::new("columns-check");
        dir.write("src/a.rs", &format!("fn a() {{}}\n// {}\n", wide()));
        dir.write("b.md", "short\n");
        let message = check(dir.path()).expect_err("a line is too wide").to_string();
        assert!(message.contains("\n  src/a.rs:2: 152 columns, 100 at most\n"), "{message}");
    }

    #[test]
    fn fixing_leaves_nothing_to_report() {
        let dir = Scratch::new("columns-fix");
        dir.write("src/a.rs", &format!("/// {}\nfn a() {{}}\n", wide()));
        dir.write("b.md", &wide());
        assert_eq!(fix(dir.path()).expect("files can be written"), 2);
        check(dir.path()).expect("nothing is too wide");
        assert_eq!(fix(dir.path()).expect("files can be written"), 0);
    }

    #[test]
    fn programs_with_expected_messages_are_not_rewritten() {
        let dir = Scratch::new("columns-ui");
        dir.write("tests/ui/a.rs", &format!("// {}\n", wide()));
        assert_eq!(fix(dir.path()).expect("files can be read"), 0);
        assert!(check(dir.path()).is_err());
    }
}
