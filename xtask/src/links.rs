//! Finds links in the Markdown files that lead nowhere: to a file or a heading that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::sources;

/// What precedes the target of a link or a picture, and what ends it.
const MARKS: [(&str, char); 3] = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];

/// The links below `root` that lead nowhere, each with its file and line. Links to other sites are
/// not followed.
///
/// # Errors
///
/// If a file cannot be read.
pub(crate) fn broken(root: &Path) -> io::Result<Vec<String>> {
    let mut broken = Vec::new();
    for path in sources::files(root, &["md"])? {
        let shown = path.strip_prefix(root).unwrap_or(&path).display();
        for (line, text) in prose(&fs::read_to_string(&path)?) {
            for target in targets(&text) {
                if let Some(problem) = problem(&path, &target)? {
                    broken.push(format!("{shown}:{line}: the link to {target} leads nowhere: {problem}"));
                }
            }
        }
    }
    Ok(broken)
}

/// Why a link in a file leads nowhere.
fn problem(file: &Path, target: &str) -> io::Result<Option<String>> {
    // Another site, or an item of rustdoc.
    if target.contains(':') {
        return Ok(None);
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { file.to_owned() } else { file.with_file_name("").join(path) };
    if !path.exists() {
        return Ok(Some("there is no such file".to_owned()));
    }
    let has_headings = path.extension().is_some_and(|end| end == "md");
    if anchor.is_empty() || !has_headings || anchors(&fs::read_to_string(path)?).contains(anchor) {
        return Ok(None);
    }
    Ok(Some(format!("no heading has the anchor `{anchor}`")))
}

/// The lines outside of blocks of code with their numbers, without code inside of them.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((number, line.split('`').step_by(2).collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// The targets of the links and pictures of a line.
fn targets(line: &str) -> Vec<String> {
    let of_mark = |(mark, end): (&'static str, char)| {
        line.match_indices(mark).filter_map(move |(at, _)| Some(line[at + mark.len()..].split_once(end)?.0.to_owned()))
    };
    MARKS.into_iter().flat_map(of_mark).collect()
}

/// The anchors of the headings, made as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let heading = line.trim_start_matches('#');
        if is_code || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let repeated = (1..).map(|count| format!("{anchor}-{count}")).find(|name| !anchors.contains(name));
        anchors.insert(if anchors.contains(&anchor) { repeated.unwrap_or_default() } else { anchor });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn links_to_missing_files_and_headings_are_found() {
        let dir = Scratch::new("links");
        dir.write("docs/b.md", "# Users and rights\n\n## A `code` heading, twice\n\n## A `code` heading, twice\n");
        dir.write("docs/c.png", "");
        dir.write(
            "a.md",
            "[one](docs/b.md) [two](docs/b.md#users-and-rights) [three](docs/b.md#a-code-heading-twice-1)\n\
             <img src=\"docs/c.png\"> [site](https://example.org/none.md) `[no](link.md)`\n\
             ```text\n[none](none.md)\n```\n\
             [gone](docs/gone.md) [part](docs/b.md#parts) <source srcset=\"docs/d.png\"> [here](#nowhere)\n",
        );
        let broken = broken(dir.path()).expect("the files can be read");
        let names: Vec<&str> = broken.iter().filter_map(|link| link.split(' ').nth(4)).collect();
        assert_eq!(names, ["docs/gone.md", "docs/b.md#parts", "#nowhere", "docs/d.png"], "{broken:?}");
        assert!(broken[1].starts_with("a.md:6: ") && broken[1].ends_with("no heading has the anchor `parts`"));
    }
}
