//! The ids in addresses.

use super::problem::Problem;

/// The most bytes of an id.
const LONGEST: usize = 512;

/// A segment of a path that can be an id. It was percent-decoded once, by the router.
fn segment(what: &str, text: String) -> Result<String, Problem> {
    let is_hostile = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%');
    if text.is_empty() || text.len() > LONGEST || text.contains("..") || text == "." || text.chars().any(is_hostile) {
        return Err(Problem::bad_request(format!("this is not the id of a {what}")));
    }
    Ok(text)
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        pub(super) struct $name(String);

        impl $name {
            pub(super) fn parse(text: String) -> Result<Self, Problem> {
                segment($what, text).map($name)
            }

            pub(super) fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

key!(
    /// The number or the whole id of a run.
    RunKey,
    "run"
);
key!(
    /// The id of a DAG.
    DagKey,
    "DAG"
);
key!(
    /// The id of a task.
    TaskKey,
    "task"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_segments_are_no_ids() {
        let long = "a".repeat(LONGEST + 1);
        for hostile in
            ["", ".", "..", "../x", "a/b", "a\\b", "%2e", "%252F", "a\0b", "a\nb", "a\u{7f}", "a\u{85}b", &long]
        {
            assert!(RunKey::parse(hostile.to_owned()).is_err(), "{hostile:?}");
        }
        for id in ["1", "manual__2026-11-28T10:00:00+00:00__delays", "load[3]", "group.load", "größe"] {
            assert_eq!(TaskKey::parse(id.to_owned()).ok().map(|key| key.as_str().to_owned()), Some(id.to_owned()));
        }
    }
}
