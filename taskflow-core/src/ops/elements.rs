//! The elements of a mapped task: a summary of all, and some of them. Both are made of the rollup
//! of the run, in one pass.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::error::OpsError;
use crate::base::schema::Schema;
use crate::journal::{Journal, JournalError, Rollup, RollupNode, RunSummary};
use crate::run::TaskState;

/// How many of the longest elements a summary names, how many examples of a failure, how many bars
/// the histogram has, and how many parts the strip.
const LONGEST: usize = 10;
const EXAMPLES: usize = 3;
const BARS: usize = 40;
const PARTS: usize = 1_000;

/// What the elements of a mapped task have come to.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct ElementsSummary {
    /// The number of the run.
    pub run: i64,
    /// The id of the task, without the numbers of elements.
    pub task: String,
    /// How many elements it has.
    pub count: usize,
    /// How many are in which state, the most frequent first.
    pub states: Vec<StateCount>,
    /// How long their last attempts took, if any has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<Durations>,
    /// The failures by message, those that happened first at the beginning.
    pub failures: Vec<ElementFailures>,
    /// The worst state of each of at most 1,000 equal parts of the elements, in their order.
    pub strip: Vec<TaskState>,
}

/// How many elements are in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct StateCount {
    /// The state.
    pub state: TaskState,
    /// How many are in it.
    pub count: usize,
}

/// How long elements took, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct Durations {
    /// How many have ended.
    pub count: usize,
    /// Half of them took at most so long.
    pub p50_ms: u32,
    /// 95 of 100 took at most so long.
    pub p95_ms: u32,
    /// 99 of 100 took at most so long.
    pub p99_ms: u32,
    /// The ones that took longest, the longest first.
    pub longest: Vec<Element>,
    /// At most 40 bars, each a constant factor wider than the one before.
    pub histogram: Vec<Bar>,
}

/// A bar of a histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct Bar {
    /// Its elements took so many milliseconds or more.
    pub from_ms: u32,
    /// They took less than so many; the last bar includes it.
    pub to_ms: u32,
    /// How many they are.
    pub count: usize,
}

/// Elements that failed with the same message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct ElementFailures {
    /// The message, with `#` for numbers.
    pub message: String,
    /// The whole message of the one that failed first.
    pub sample: String,
    /// How many they are.
    pub count: usize,
    /// The ids of the first of them.
    pub examples: Vec<String>,
}

/// An element of a mapped task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct Element {
    /// The id of the task instance: `fetch[733]`.
    pub id: String,
    /// Its place among all elements, from 0.
    pub index: usize,
    /// Its label, if the list has labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its state.
    pub state: TaskState,
    /// How many attempts it had; 255 stands for more, too.
    pub attempts: u8,
    /// How long the last one took, in milliseconds, if it has ended.
    pub took_ms: Option<u32>,
    /// The message of its failure, with `#` for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Selects elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElementQuery {
    /// In one of these states; in any if empty.
    pub states: Vec<TaskState>,
    /// With this text in the label.
    pub label: Option<String>,
    /// With this text in the message, of which numbers are `#`.
    pub message: Option<String>,
    /// From this place on.
    pub first: usize,
    /// Up to this place.
    pub last: Option<usize>,
    /// Without so many of those that fit.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
}

/// Some elements of a mapped task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct ElementList {
    /// How many fit.
    pub count: usize,
    /// Those that were asked for.
    pub elements: Vec<Element>,
}

/// The mapped task of a run.
struct Mapped {
    run: i64,
    rollup: Arc<Rollup>,
    node: RollupNode,
}

async fn mapped(journal: &Journal, run: &RunSummary, task: &str) -> Result<Mapped, OpsError> {
    let rollup = journal.rollup(run.number).await?;
    let node = rollup.node(task).filter(|node| node.is_mapped).cloned();
    let node = node.ok_or_else(|| JournalError::UnknownTask {
        run: run.info.run_id.clone(),
        task: task.to_owned(),
        nearest: None,
    })?;
    Ok(Mapped { run: run.number, rollup, node })
}

/// Whether a task of a run has an instance for each element of a list.
///
/// # Errors
///
/// When the run is damaged, or the store cannot be read.
pub async fn is_mapped(journal: &Journal, run: &RunSummary, task: &str) -> Result<bool, OpsError> {
    // A rollup is not needed for the id of an instance.
    if task.contains('[') {
        return Ok(false);
    }
    Ok(journal.rollup(run.number).await?.node(task).is_some_and(|node| node.is_mapped))
}

/// What the elements of a mapped task have come to.
///
/// # Errors
///
/// When the run has no such task, is damaged, or the store cannot be read.
pub async fn elements_summary(journal: &Journal, run: &RunSummary, task: &str) -> Result<ElementsSummary, OpsError> {
    Ok(mapped(journal, run, task).await?.summary())
}

/// The elements of a mapped task that a query selects, in their order.
///
/// # Errors
///
/// When the run has no such task, is damaged, or the store cannot be read.
pub async fn elements(
    journal: &Journal,
    run: &RunSummary,
    task: &str,
    query: &ElementQuery,
) -> Result<ElementList, OpsError> {
    let of = mapped(journal, run, task).await?;
    let labels = journal.rollup_labels(run.number, &of.rollup).await?;
    let label = |at: usize| labels.get(at).cloned().flatten();
    let messages = of.messages();
    let (start, text) = (of.node.tasks.start, |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase()));
    let (in_label, in_message) = (text(&query.label), text(&query.message));
    let last = query
        .last
        .map_or(of.node.tasks.end, |last| of.node.tasks.end.min(start.saturating_add(last).saturating_add(1)));
    let fits = |&at: &usize| {
        let has = |text: &Option<String>, of: Option<&str>| {
            text.as_ref().is_none_or(|text| of.is_some_and(|of| of.to_lowercase().contains(text)))
        };
        (query.states.is_empty() || query.states.contains(&of.rollup.task(at).state))
            && has(&in_label, label(at).as_deref())
            && has(&in_message, messages.get(&at).copied())
    };
    let (mut count, mut found) = (0, Vec::new());
    for at in (start.saturating_add(query.first).min(last)..last).filter(fits) {
        if count >= query.skip && found.len() < query.limit {
            found.push(Element { label: label(at).map(|label| label.to_string()), ..of.element(at, &messages) });
        }
        count += 1;
    }
    Ok(ElementList { count, elements: found })
}

impl Mapped {
    /// The messages of the elements that failed.
    fn messages(&self) -> HashMap<usize, &str> {
        let failures = self.rollup.failures().iter();
        failures.flat_map(|failure| failure.tasks.iter().map(|&at| (at as usize, &*failure.message))).collect()
    }

    fn element(&self, at: usize, messages: &HashMap<usize, &str>) -> Element {
        let task = self.rollup.task(at);
        Element {
            id: self.rollup.id_of(at),
            index: at - self.node.tasks.start,
            label: None,
            state: task.state,
            attempts: task.attempts,
            took_ms: task.took,
            message: messages.get(&at).map(|&message| message.to_owned()),
        }
    }

    fn summary(&self) -> ElementsSummary {
        let states = self.rollup.states(&self.node);
        let mut counts: Vec<StateCount> = Vec::new();
        for &state in states {
            match counts.iter_mut().find(|known| known.state == state) {
                Some(known) => known.count += 1,
                None => counts.push(StateCount { state, count: 1 }),
            }
        }
        counts.sort_by_key(|known| std::cmp::Reverse(known.count));
        let of_node = |failure: &&crate::journal::RollupFailure| {
            failure.tasks.first().is_some_and(|&first| self.node.tasks.contains(&(first as usize)))
        };
        let failures = self.rollup.failures().iter().filter(of_node).map(|failure| ElementFailures {
            message: failure.message.clone(),
            sample: failure.sample.clone(),
            count: failure.tasks.len(),
            examples: failure.tasks.iter().take(EXAMPLES).map(|&at| self.rollup.id_of(at as usize)).collect(),
        });
        let parts = states.len().min(PARTS);
        let part = |at: usize| {
            let part = &states[at * states.len() / parts..(at + 1) * states.len() / parts];
            part.iter().copied().min_by_key(|state| urgency(*state)).unwrap_or_default()
        };
        ElementsSummary {
            run: self.run,
            task: self.node.id.to_string(),
            count: states.len(),
            states: counts,
            took: self.durations(),
            failures: failures.collect(),
            strip: (0..parts).map(part).collect(),
        }
    }

    fn durations(&self) -> Option<Durations> {
        let tasks = self.node.tasks.clone();
        let mut took: Vec<(u32, usize)> = tasks.filter_map(|at| Some((self.rollup.task(at).took?, at))).collect();
        took.sort_unstable();
        let percentile = |percent: usize| took[(took.len() * percent).div_ceil(100).clamp(1, took.len()) - 1].0;
        let (&(least, _), &(most, _)) = (took.first()?, took.last()?);
        let messages = self.messages();
        Some(Durations {
            count: took.len(),
            p50_ms: percentile(50),
            p95_ms: percentile(95),
            p99_ms: percentile(99),
            longest: took.iter().rev().take(LONGEST).map(|&(_, at)| self.element(at, &messages)).collect(),
            histogram: histogram(&took, least, most),
        })
    }
}

/// Which states are the worst: the lower, the worse.
fn urgency(state: TaskState) -> u8 {
    use TaskState as S;
    match state {
        S::Failed => 0,
        S::UpstreamFailed => 1,
        S::Running => 2,
        S::None | S::Scheduled | S::UpForRetry | S::UpForReschedule | S::Deferred => 3,
        S::Skipped | S::Cancelled | S::Removed => 4,
        S::Success => 5,
    }
}

/// The bars of durations, which are sorted.
fn histogram(took: &[(u32, usize)], least: u32, most: u32) -> Vec<Bar> {
    let low = f64::from(least.max(1));
    let factor = (f64::from(most.max(1)) / low).powf(1.0 / BARS as f64);
    let mut edges: Vec<u32> = (0..=BARS).map(|bar| (low * factor.powi(bar as i32)).round() as u32).collect();
    (edges[0], edges[BARS]) = (least, most.saturating_add(1));
    edges.dedup();
    let bars = edges.windows(2).map(|pair| {
        let place = |edge: u32| took.partition_point(|&(took, _)| took < edge);
        Bar { from_ms: pair[0], to_ms: pair[1], count: place(pair[1]) - place(pair[0]) }
    });
    bars.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_of_a_histogram_hold_every_duration_once() {
        for took in [vec![0], vec![5; 9], vec![0, 0, 1, 2, 900, 86_400_000], (1..5_000).collect()] {
            let took: Vec<(u32, usize)> = took.into_iter().zip(0..).collect();
            let bars = histogram(&took, took[0].0, took[took.len() - 1].0);
            assert_eq!(bars.iter().map(|bar| bar.count).sum::<usize>(), took.len(), "{bars:?}");
            assert!(bars.len() <= BARS && bars.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms), "{bars:?}");
        }
    }
}
