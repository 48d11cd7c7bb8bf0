//! The files of the project, for commands that read them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Every file below `dir` with one of these extensions, sorted. Hidden folders and those named
/// `target` are left out.
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
    fn sources_are_found_and_what_is_built_is_not() {
        let dir = Scratch::new("sources");
        for file in ["b.rs", "a/c.md", "a/d.txt", "target/e.rs", ".git/f.rs"] {
            dir.write(file, "");
        }
        let found = files(dir.path(), &["rs", "md"]).expect("the directory is readable");
        assert_eq!(found, [dir.path().join("a/c.md"), dir.path().join("b.rs")]);
    }
}
