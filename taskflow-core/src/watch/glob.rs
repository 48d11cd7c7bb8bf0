//! Finds the files that match a pattern.
//!
//! `*` is any text without `/`, `?` any one character but `/`, and a part `**` any number of
//! directories. As in a shell, neither matches the dot that hidden files begin with: files that are
//! still being written often have such names.

use std::io;
use std::path::{Path, PathBuf};

/// Calls `found` for each file that matches. Symbolic links to files count as files; `**` does not
/// follow links to directories. Calls `lists` with each directory before it looks for names in it,
/// whether it exists or not.
///
/// # Errors
///
/// If a directory cannot be read. One that does not exist holds no files.
pub(super) fn find(pattern: &str, lists: &mut impl FnMut(&Path), found: &mut impl FnMut(PathBuf)) -> io::Result<()> {
    let (root, rest) = match pattern.strip_prefix('/') {
        Some(rest) => (PathBuf::from("/"), rest),
        None => (PathBuf::new(), pattern),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    below(&root, &parts, lists, found)
}

fn below(
    directory: &Path,
    parts: &[&str],
    lists: &mut impl FnMut(&Path),
    found: &mut impl FnMut(PathBuf),
) -> io::Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        return Ok(());
    };
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let is_pattern = part.contains(['*', '?']);
    if !is_pattern {
        let path = directory.join(part);
        if !rest.is_empty() {
            return below(&path, rest, lists, found);
        }
        lists(here);
        if path.is_file() {
            found(path);
        }
        return Ok(());
    }
    lists(here);
    let entries = match std::fs::read_dir(here) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries?,
    };
    let any_depth = *part == "**";
    if any_depth {
        below(directory, rest, lists, found)?;
    }
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // A name that is not text matches nothing.
        let Some(name) = name.to_str() else { continue };
        let path = directory.join(name);
        if any_depth {
            if !name.starts_with('.') && entry.file_type()?.is_dir() {
                below(&path, parts, lists, found)?;
            }
        } else if is_match(part, name) {
            match rest.is_empty() {
                true if path.is_file() => found(path),
                true => {}
                false => below(&path, rest, lists, found)?,
            }
        }
    }
    Ok(())
}

/// Whether a name matches one part of a pattern.
fn is_match(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // Where the last `*` is, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&c) if c == '?' || c == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((of, taken)) = star else {
                    return false;
                };
                star = Some((of, taken + 1));
                (at, in_name) = (of + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        let yes = [("*.csv", "a.csv"), ("*", "a"), ("a?c", "abc"), ("*a*b*", "xaybz"), ("a*", "a"), (".*", ".hidden")];
        for (pattern, name) in yes {
            assert!(is_match(pattern, name), "{pattern} {name}");
        }
        let no = [("*.csv", "a.csv.tmp"), ("a?c", "ac"), ("*", ".hidden"), ("a", "ab"), ("*a", "ab"), ("", "a")];
        for (pattern, name) in no {
            assert!(!is_match(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_directories() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.csv", "b.txt", "x/c.csv", "x/y/d.csv", "x/.z/e.csv", ".f.csv"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "1").unwrap();
        }
        let found = |pattern: &str| {
            let mut paths = Vec::new();
            let pattern = dir.path().join(pattern);
            find(pattern.to_str().unwrap(), &mut |_| {}, &mut |path| paths.push(path)).unwrap();
            let mut names: Vec<String> =
                paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(found("*.csv"), ["a.csv"]);
        assert_eq!(found("*/*.csv"), ["x/c.csv"]);
        assert_eq!(found("**/*.csv"), ["a.csv", "x/c.csv", "x/y/d.csv"]);
        assert_eq!(found("x/c.csv"), ["x/c.csv"]);
        assert_eq!(found("none/*.csv"), [""; 0]);
        assert_eq!(found("a.csv/*"), [""; 0]);
    }

    #[test]
    fn directories_are_named_before_they_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("x/y")).unwrap();
        let listed = |pattern: &str| {
            let mut paths = std::collections::BTreeSet::new();
            let pattern = dir.path().join(pattern);
            let mut lists = |path: &Path| {
                paths.insert(path.strip_prefix(dir.path()).unwrap().display().to_string());
            };
            find(pattern.to_str().unwrap(), &mut lists, &mut |_| {}).unwrap();
            Vec::from_iter(paths)
        };
        assert_eq!(listed("*.csv"), [""]);
        assert_eq!(listed("x/y/*.csv"), ["x/y"]);
        assert_eq!(listed("*/*.csv"), ["", "x"]);
        assert_eq!(listed("**/*.csv"), ["", "x", "x/y"]);
        assert_eq!(listed("x/*/done"), ["x", "x/y"]);
        assert_eq!(listed("none/*.csv"), ["none"]);
    }
}
