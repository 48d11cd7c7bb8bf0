//! What a form shows before it is sent: what becomes of tasks, of runs, of DAGs.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use super::marks::Mark;
use crate::journal::RunHistory;

/// How much a preview names.
const NAMED: usize = 200;
/// How many reasons it gives why something stays as it is.
const REASONS: usize = 10;

/// What a form is about: a task, a run or a DAG.
#[derive(Clone, Debug)]
pub(crate) struct Affected {
    pub(crate) id: String,
    /// Its present state.
    pub(crate) from: Mark,
    /// What becomes of it: another state, or `runs again`.
    pub(crate) to: Cow<'static, str>,
}

/// What a form shows before it is sent. Empty if nothing can be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preview {
    pub(crate) affected: Vec<Affected>,
    /// How many others are affected.
    pub(crate) more: usize,
    /// What is left alone, what stops, and what follows.
    pub(crate) notes: Vec<String>,
}

impl Preview {
    /// What becomes of these tasks, and how many others of the run stay as they are.
    pub(crate) fn of(history: &RunHistory, tasks: &[String], to: &'static str) -> Preview {
        let state_of = |id: &String| history.task(id).map_or("none", |task| task.state.name());
        let affected = |id: &String| Affected { id: id.clone(), from: Mark::of(state_of(id)), to: to.into() };
        Preview {
            affected: tasks.iter().take(NAMED).map(affected).collect(),
            more: tasks.len().saturating_sub(NAMED),
            notes: left_alone(history, tasks).into_iter().collect(),
        }
    }

    /// What becomes of several runs or DAGs, and sentences that say why others stay as they are.
    pub(crate) fn of_several(mut affected: Vec<Affected>, left_alone: &[String]) -> Preview {
        let more = affected.len().saturating_sub(NAMED);
        affected.truncate(NAMED);
        let mut notes: Vec<String> =
            left_alone.iter().take(REASONS).map(|reason| format!("Left alone: {reason}")).collect();
        if left_alone.len() > REASONS {
            notes.push(format!("{} others are left alone.", left_alone.len() - REASONS));
        }
        Preview { affected, more, notes }
    }

    /// Whether it shows nothing, because too little is known yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.affected.is_empty() && self.notes.is_empty()
    }

    /// With another sentence.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Preview {
        self.notes.push(note.into());
        self
    }
}

/// `2 other tasks stay as they are: 1 success, 1 skipped.`
fn left_alone(history: &RunHistory, tasks: &[String]) -> Option<String> {
    let affected: HashSet<&str> = tasks.iter().map(String::as_str).collect();
    let mut states: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for task in history.tasks.iter().filter(|task| !affected.contains(&*task.id)) {
        let mark = Mark::of(task.state.name());
        *states.entry((mark.urgency(), mark.words)).or_default() += 1;
    }
    let count: usize = states.values().sum();
    let states: Vec<String> = states.iter().map(|((_, words), count)| format!("{count} {words}")).collect();
    let states = states.join(", ");
    match count {
        0 => None,
        1 => Some(format!("1 other task stays as it is: {states}.")),
        several => Some(format!("{several} other tasks stay as they are: {states}.")),
    }
}
