//! The last runs of a DAG as bars: a row of the list of DAGs.
//!
//! A list has a hundred strips. The bars of a family are one path, and only the runs that did not
//! succeed are links of their own: the strip is a link to all runs of its DAG.

use std::fmt::Write as _;

use super::address;
use super::marks::Mark;
use super::times::{Clock, took_for};
use crate::journal::RunSummary;
use crate::run::RunState;

/// How many runs a strip has.
pub(crate) const RUNS: u32 = 25;
/// The distance from one bar to the next, and the height of a strip.
const STEP: usize = 7;
const HEIGHT: u32 = 24;

/// The last runs of a DAG, the newest on the right.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    /// The bars of each family of states, as the data of a path. Where colours cannot be told
    /// apart, the height of a bar says that its run failed.
    pub(crate) paths: Vec<(&'static str, String)>,
    /// The runs that did not succeed, the oldest first.
    pub(crate) links: Vec<BarLink>,
    /// The strip in words.
    pub(crate) words: String,
    pub(crate) width: usize,
}

/// The place of a bar, and the run that it leads to.
#[derive(Clone, Debug)]
pub(crate) struct BarLink {
    pub(crate) x: usize,
    pub(crate) href: String,
    pub(crate) title: String,
}

impl Strip {
    /// The strip of these runs, the newest first.
    pub(crate) fn of(runs: &[RunSummary], clock: &Clock) -> Strip {
        let most = RUNS as usize;
        let longest = runs.iter().filter_map(took_of).max().unwrap_or_default().max(1);
        let (mut paths, mut links): (Vec<(&str, String)>, _) = (Vec::new(), Vec::new());
        for (at, run) in runs.iter().take(most).enumerate().rev() {
            let mark = Mark::of(run.state.name());
            let took = took_of(run);
            let height = match mark.family {
                "bad" => HEIGHT - 2,
                "blocked" => 16,
                _ => took.map_or(7, |took| 4 + scaled(took, longest)),
            };
            let x = (most - 1 - at) * STEP;
            let place = paths.iter().position(|(family, _)| *family == mark.family).unwrap_or_else(|| {
                paths.push((mark.family, String::new()));
                paths.len() - 1
            });
            // Writing to a string cannot fail.
            let _ = write!(paths[place].1, "M{x} {}h5v{height}h-5z", HEIGHT - 1 - height);
            if run.state != RunState::Success {
                let duration = run.ended.map(|ended| format!(", {}", took_for(ended.since(run.created))));
                let (about, duration) = (clock.at(run.info.logical_date).text, duration.unwrap_or_default());
                let title = format!("Run {}, {about}: {}{duration}", run.number, mark.words);
                links.push(BarLink { x, href: address::run(run.number), title });
            }
        }
        Strip { paths, links, words: in_words(runs), width: most * STEP - 2 }
    }
}

fn took_of(run: &RunSummary) -> Option<u128> {
    Some(run.ended?.since(run.created).as_millis())
}

/// From 0 to 9, by the logarithm: a run that takes ten times as long is not ten times as high.
fn scaled(took: u128, longest: u128) -> u32 {
    let digits = |number: u128| 128 - (number + 1).leading_zeros();
    digits(took) * 9 / digits(longest).max(1)
}

/// `the last 25 runs: 22 success, 3 failed`.
fn in_words(runs: &[RunSummary]) -> String {
    let states = [
        RunState::Failed,
        RunState::Interrupted,
        RunState::Running,
        RunState::Queued,
        RunState::Success,
        RunState::Cancelled,
    ];
    let counts = states.iter().filter_map(|state| {
        let count = runs.iter().filter(|run| run.state == *state).count();
        (count > 0).then(|| format!("{count} {}", state.name()))
    });
    match runs.len() {
        0 => "no runs yet".to_owned(),
        1 => format!("the only run: {}", runs[0].state.name()),
        several => format!("the last {several} runs: {}", counts.collect::<Vec<_>>().join(", ")),
    }
}

/// The median duration of the runs that succeeded, in milliseconds.
pub(crate) fn typical(runs: &[RunSummary]) -> Option<u64> {
    let took = runs.iter().filter(|run| run.state == RunState::Success).filter_map(took_of);
    let mut took: Vec<u64> = took.filter_map(|took| u64::try_from(took).ok()).collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}
