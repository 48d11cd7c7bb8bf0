//! The verbs of a program, as its help lists them.

/// The verbs, with those below them: `db prune`. `call` returns what the program prints.
pub(crate) fn verbs(call: impl Fn(&[&str]) -> String) -> Vec<String> {
    let all = names(&call(&["--help"]), |line| line.ends_with(':') && line != "Options:");
    assert!(all.len() >= 18, "{all:?}");
    let below = |verb: String| {
        let parts = names(&call(&[&verb, "--help"]), |line| line == "Commands:");
        // What is below these are the DAGs.
        match parts.is_empty() || ["run", "trigger", "backfill"].contains(&&*verb) {
            true => vec![verb],
            false => parts.iter().map(|part| format!("{verb} {part}")).collect(),
        }
    };
    all.into_iter().flat_map(below).collect()
}

/// The names at the beginnings of the lines below a title.
fn names(help: &str, is_title: impl Fn(&str) -> bool) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in help.lines() {
        match line.strip_prefix("  ") {
            Some(entry) if inside => names.extend(entry.split(' ').next().map(str::to_owned)),
            Some(_) => {}
            None => inside = is_title(line),
        }
    }
    names.retain(|name| !name.is_empty() && !name.starts_with('-'));
    names
}
