//! What the previews of changes to a run share: the token that binds a change to its preview, and
//! the words for what has changed in between.
//!
//! A token is a checksum. It cannot say what the preview has shown, so an error says what there is
//! now.

use sha2::{Digest, Sha256};

use crate::journal::RunHistory;

/// How many tasks an error names.
const NAMED: usize = 10;

/// A checksum of what is to become of tasks, of these tasks, and of the states that they are in.
pub(super) fn token(history: &RunHistory, what: &str, tasks: &[String]) -> String {
    let mut hash = Sha256::new();
    hash.update(&history.info.run_id);
    hash.update([0]);
    hash.update(what);
    for id in tasks {
        let Some(task) = history.task(id) else { continue };
        hash.update([0]);
        hash.update(id);
        hash.update([0]);
        hash.update(task.state.name());
        hash.update((task.attempts.len() as u64).to_be_bytes());
        hash.update(u64::from(task.cleared).to_be_bytes());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Tasks with their states: `load (failed)`.
pub(super) fn with_states(history: &RunHistory, tasks: &[String]) -> Vec<String> {
    let shown = |id: &String| match history.task(id) {
        Some(task) => format!("{id} ({})", task.state),
        None => id.clone(),
    };
    tasks.iter().map(shown).collect()
}

/// `they are load (failed), report (skipped)`, of tasks with their states.
pub(super) fn they_are(tasks: &[String]) -> String {
    if tasks.is_empty() { "there are none".to_owned() } else { format!("they are {}", few(tasks)) }
}

/// The first tasks of a list, and how many more there are.
pub(super) fn few(tasks: &[String]) -> String {
    match tasks.len().saturating_sub(NAMED) {
        0 => tasks.join(", "),
        more => format!("{} and {more} more", tasks[..NAMED].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_tasks_an_error_names_a_few() {
        let tasks: Vec<String> = (1..=12).map(|task| format!("t{task} (failed)")).collect();
        assert_eq!(they_are(&[]), "there are none");
        assert_eq!(they_are(&tasks[..2]), "they are t1 (failed), t2 (failed)");
        assert!(they_are(&tasks[..10]).ends_with(", t10 (failed)"));
        assert!(they_are(&tasks).ends_with(", t10 (failed) and 2 more"));
    }
}
