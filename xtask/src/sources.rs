//! Finds the source files of the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All files in `dir` and below with one of these extensions, sorted. Skips hidden directories and
/// directories named `target`.
pub(crate) fn files(dir: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(dir, extensions, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(dir: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        if kind.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                collect(&path, extensions, found)?;
            }
        } else if kind.is_file() && path.extension().is_some_and(|end| extensions.iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn build_output_and_hidden_directories_are_skipped() {
        let dir = Scratch::new("sources");
        for file in ["b.rs", "a/c.md", "a/d.txt", "target/e.rs", ".git/f.rs"] {
            dir.write(file, "");
        }
        let found = files(dir.path(), &["rs", "md"]).expect("the directory is readable");
        assert_eq!(found, [dir.path().join("a/c.md"), dir.path().join("b.rs")]);
    }
}
