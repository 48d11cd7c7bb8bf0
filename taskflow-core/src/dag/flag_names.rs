//! The flags of the command line that parameters have.

use super::ParamDef;

/// Names that no parameter can have as a flag, because they are those of `run` and `trigger`. The
/// same for every set of features, so that scripts work with all.
pub(crate) const TAKEN_FLAGS: [&str; 17] = [
    "output",
    "help",
    "version",
    "home",
    "config",
    "server",
    "logical-date",
    "at",
    "interval",
    "jobs",
    "only",
    "from",
    "fail-fast",
    "quiet",
    "logs",
    "durability",
    "sync",
];

/// The same for `backfill`.
#[cfg(any(all(feature = "cli", feature = "sqlite"), feature = "server"))]
pub(crate) fn taken_flags_of_backfill() -> Vec<&'static str> {
    let own = ["missing", "failed", "all", "order", "seed", "limit", "as-one-run", "reason", "by", "dry-run", "token"];
    TAKEN_FLAGS.into_iter().chain(own).collect()
}

/// The names of the flags of parameters, without the dashes. Those that clash with `taken` are
/// renamed.
pub(crate) fn flag_names(params: &[ParamDef], taken: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(params.len());
    for param in params {
        // A leading underscore means "unused" in Rust and nothing to the person who runs the DAG.
        let mut name = param.name.trim_start_matches('_').replace('_', "-");
        while name.is_empty() || taken.contains(&&*name) || names.contains(&name) {
            name.insert_str(0, "param-");
        }
        names.push(name);
    }
    names
}
