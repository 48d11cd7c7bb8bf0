//! What went wrong in a run: its failures, those with the same message together, and what followed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::address;
use super::marks::Mark;
use super::times::{Clock, Moment};
use crate::base::Failure;
use crate::base::text::bounded;
use crate::journal::{RunHistory, TaskHistory, normalised};
use crate::log::LogName;
use crate::log::lines::{Line, last_lines};
use crate::ops::{Home, Reason, SimilarFailures};
use crate::run::TaskState;

/// How many groups of failures are shown, and how many last lines of a log.
const GROUPS: usize = 5;
const LAST_LINES: usize = 12;
/// The most bytes of a message.
const MESSAGE: usize = 4_000;
/// How many tasks are named.
const NAMED: usize = 6;

/// Failures of one task, or of elements of one list, with the same message.
#[derive(Clone, Debug)]
pub(crate) struct FailureGroup {
    pub(crate) mark: Mark,
    pub(crate) task: String,
    pub(crate) label: String,
    pub(crate) href: String,
    /// `failed after 3 attempts`, `3 of 1200 elements failed`.
    pub(crate) what: String,
    pub(crate) at: Option<Moment>,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) location: String,
    /// The end of the log of the last attempt.
    pub(crate) last_lines: Vec<Line>,
    pub(crate) log: String,
    /// The message without numbers, by which failures are the same.
    key: String,
    /// Whether earlier runs failed with the same message: `was in none of the 50 runs before it`.
    pub(crate) seen: String,
    /// Some of those runs: their numbers and addresses.
    pub(crate) seen_in: Vec<(i64, String)>,
}

/// The failures of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    pub(crate) groups: Vec<FailureGroup>,
    /// How many groups are left out.
    pub(crate) more: usize,
    /// What did not run as a result: `report, clean and 848 more`.
    pub(crate) not_run: String,
    pub(crate) not_run_count: usize,
}

/// The id of a task without the numbers of elements: `fetch[3]` is `fetch`.
pub(crate) fn base_id(id: &str) -> String {
    let (mut base, mut depth) = (String::with_capacity(id.len()), 0u32);
    for letter in id.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            letter if depth == 0 => base.push(letter),
            _ => {}
        }
    }
    base
}

impl Failures {
    /// The failures of a run. Reads the logs of the failed attempts that are shown: it blocks.
    pub(crate) fn of(history: &RunHistory, home: &Home, clock: &Clock) -> Failures {
        let mut failed: Vec<&TaskHistory> =
            history.tasks.iter().filter(|task| task.state == TaskState::Failed).collect();
        failed.sort_by_key(|task| task.since);
        let mut order: Vec<Vec<&TaskHistory>> = Vec::new();
        let mut known: BTreeMap<(String, String), usize> = BTreeMap::new();
        for task in failed {
            let message = task.failure.as_ref().map(|failure| normalised(&failure.to_string())).unwrap_or_default();
            let place = *known.entry((base_id(&task.id), message)).or_insert(order.len());
            match order.get_mut(place) {
                Some(group) => group.push(task),
                None => order.push(vec![task]),
            }
        }
        let mut elements: BTreeMap<String, usize> = BTreeMap::new();
        for task in history.tasks.iter().filter(|task| task.id.contains('[')) {
            *elements.entry(base_id(&task.id)).or_default() += 1;
        }
        let not_run: Vec<String> = history
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::UpstreamFailed)
            .map(|task| task.id.to_string())
            .collect();
        Failures {
            more: order.len().saturating_sub(GROUPS),
            groups: order
                .iter()
                .take(GROUPS)
                .map(|group| FailureGroup::of(group, &elements, history, home, clock))
                .collect(),
            not_run_count: not_run.len(),
            not_run: some(&not_run),
        }
    }
}

impl Failures {
    /// With the earlier runs that failed with the same messages.
    pub(crate) fn seen_in(mut self, similar: &[SimilarFailures]) -> Failures {
        for group in &mut self.groups {
            let Some(known) = similar.iter().find(|similar| similar.message == group.key) else { continue };
            group.seen = match (known.runs.len(), known.of_runs) {
                (_, 0) => String::new(),
                (0, 1) => "was not in the run before it".to_owned(),
                (0, all) => format!("was in none of the {all} runs before it"),
                (1, 1) => "was in the run before it".to_owned(),
                (seen, all) => format!("was in {seen} of the {all} runs before it"),
            };
            group.seen_in = known.runs.iter().take(NAMED).map(|&run| (run, address::run(run))).collect();
        }
        self
    }
}

/// The first names, and how many more there are.
pub(crate) fn some(names: &[String]) -> String {
    match names.len() {
        0 => String::new(),
        1 => names[0].clone(),
        2..=NAMED => format!("{} and {}", names[..names.len() - 1].join(", "), names[names.len() - 1]),
        all => format!("{} and {} more", names[..NAMED].join(", "), all - NAMED),
    }
}

impl FailureGroup {
    fn of(
        group: &[&TaskHistory],
        elements: &BTreeMap<String, usize>,
        history: &RunHistory,
        home: &Home,
        clock: &Clock,
    ) -> FailureGroup {
        let task = group[0];
        let attempt = task.attempts.last().map_or(0, |attempt| attempt.number);
        let attempts = if attempt > 1 { format!(" after {attempt} attempts") } else { String::new() };
        let what = match (group.len(), elements.get(&base_id(&task.id))) {
            _ if task.marked => "was marked as failed".to_owned(),
            (1, _) => format!("failed{attempts}"),
            (several, Some(all)) => format!("and {} other elements of {all} failed{attempts}", several - 1),
            (several, None) => format!("and {} others failed{attempts}", several - 1),
        };
        let reason = task.failure.as_deref().map(Reason::of);
        let has_attempt = attempt > 0;
        FailureGroup {
            mark: Mark::of("failed"),
            task: task.id.to_string(),
            label: task.label.as_deref().unwrap_or_default().to_owned(),
            href: address::task(history.number, &task.id),
            what,
            at: task.since.map(|since| clock.at(since)),
            message: message(task.failure.as_ref()),
            causes: reason.iter().flat_map(|reason| &reason.causes).map(|cause| short(cause)).collect(),
            location: reason.and_then(|reason| reason.location).unwrap_or_default(),
            last_lines: match has_attempt {
                true => {
                    let (run, task) = (history.info.run_id.clone(), task.id.to_string());
                    last_lines(&home.logs(), &LogName { run, task, attempt }, LAST_LINES)
                }
                false => Vec::new(),
            },
            log: if has_attempt { address::log(history.number, &task.id, attempt) } else { String::new() },
            key: task.failure.as_ref().map(|failure| normalised(&failure.to_string())).unwrap_or_default(),
            seen: String::new(),
            seen_in: Vec::new(),
        }
    }
}

/// The message of a failure.
pub(crate) fn message(failure: Option<&Arc<Failure>>) -> String {
    match failure.map(|failure| Reason::of(failure)) {
        Some(reason) if reason.kind == "panic" => format!("panicked: {}", short(&reason.message)),
        Some(reason) => short(&reason.message),
        None => String::new(),
    }
}

fn short(text: &str) -> String {
    bounded(text.trim_end(), MESSAGE).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_belong_to_their_task() {
        assert_eq!(base_id("cities[0].fetch[12]"), "cities.fetch");
    }

    #[test]
    fn only_the_first_names_are_listed() {
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(some(&names), "a, b and c");
        let many: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
        assert_eq!(some(&many), "t0, t1, t2, t3, t4, t5 and 4 more");
    }
}
