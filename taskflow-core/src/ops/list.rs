//! Listing runs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::OpsError;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::{DagDef, Registry};
use crate::journal::{Journal, RunSummary};
use crate::run::{RunState, RunType};
use crate::store::{RunCursor, RunFilter};

/// How many runs are looked at for those that fit what no index knows, and how many at once.
const LOOKED_AT: usize = 10_000;
const AT_ONCE: u32 = 1_000;
/// How far runs are counted.
const COUNTED: u32 = 10_000;

/// Runs, newest first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunList {
    /// At most as many as the filter allows.
    pub runs: Vec<RunSummary>,
    /// Whether older runs match the filter too, or may match it.
    pub more: bool,
    /// Where the next page begins, if there is one: [`RunFilter::after`].
    pub next: Option<RunCursor>,
}

/// Lists the runs that match a filter, newest first.
///
/// Who has asked for a run is in no index, nor are its parameters. With
/// [`RunFilter::requested_by`] or [`RunFilter::params`], the 10,000 newest runs that match the rest
/// of the filter are looked at, and [`RunList::next`] goes on behind them: so a page can have fewer
/// runs than its limit, or none, and yet a next one.
///
/// # Errors
///
/// When the store cannot be read, or the DAG of the filter has no such parameter.
pub async fn list_runs(journal: &Journal, filter: &RunFilter) -> Result<RunList, OpsError> {
    check_params(filter)?;
    if filter.is_unindexed() {
        return look_for(journal, filter, LOOKED_AT, AT_ONCE).await;
    }
    // Reading one more than the limit shows whether there are more.
    let limit = filter.limit.map(|limit| limit.saturating_add(1));
    let mut runs = journal.runs(&RunFilter { limit, ..filter.clone() }).await?;
    let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
    let more = runs.len() > most;
    runs.truncate(most);
    let next = runs.last().filter(|_| more).map(|run| run.cursor(filter.order));
    Ok(RunList { runs, more, next })
}

/// Refuses parameters that the DAG of a filter does not have, if the filter shows its runs. Of a
/// DAG that the program does not have, or cannot draw, they are not known.
fn check_params(filter: &RunFilter) -> Result<(), OpsError> {
    let Some(dag) = filter.dag.as_deref().filter(|_| !filter.params.is_empty()) else { return Ok(()) };
    if filter.among.as_ref().is_some_and(|among| !among.iter().any(|known| known == dag)) {
        return Ok(());
    }
    let Some(Ok(plan)) = Registry::dags().into_iter().find(|known| known.id == dag).map(DagDef::plan) else {
        return Ok(());
    };
    let is_known = |name: &str| plan.params().iter().any(|param| param.name == name);
    match filter.params.iter().find(|(name, _)| !is_known(name)) {
        Some((name, _)) => Err(OpsError::unknown_param(dag, name, plan.params())),
        None => Ok(()),
    }
}

/// How many runs match a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunCount {
    /// How many were found.
    pub count: u64,
    /// Whether there may be more: counting ends at 10,000 runs, or before that if the runs have to
    /// be looked at.
    pub more: bool,
}

/// How many runs match a filter, whatever its place, its order and its limit.
///
/// # Errors
///
/// As [`list_runs`].
pub async fn count_runs(journal: &Journal, filter: &RunFilter) -> Result<RunCount, OpsError> {
    check_params(filter)?;
    if filter.is_unindexed() {
        let filter = RunFilter { after: None, limit: None, ..filter.clone() };
        let list = look_for(journal, &filter, LOOKED_AT, AT_ONCE).await?;
        return Ok(RunCount { count: list.runs.len() as u64, more: list.more });
    }
    let (count, more) = journal.count_runs(filter, COUNTED).await?;
    Ok(RunCount { count, more })
}

/// Lists the runs that fit what no index knows, among so many.
async fn look_for(journal: &Journal, filter: &RunFilter, looked_at: usize, at_once: u32) -> Result<RunList, OpsError> {
    let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut rest = RunFilter { requested_by: None, params: Vec::new(), limit: Some(at_once), ..filter.clone() };
    let (mut runs, mut looked): (Vec<RunSummary>, usize) = (Vec::new(), 0);
    loop {
        let some = journal.runs(&rest).await?;
        let is_last = some.len() < at_once as usize;
        looked += some.len();
        let with_params = match filter.params.is_empty() {
            true => None,
            false => Some(journal.with_params(&filter.params, &some).await?),
        };
        for run in some {
            let place = run.cursor(filter.order);
            let has_params = with_params.as_ref().is_none_or(|numbers| numbers.contains(&run.number));
            if has_params && filter.is_requested(&run.info) {
                if runs.len() == most {
                    // The next page begins with this run.
                    return Ok(RunList { runs, more: true, next: rest.after });
                }
                runs.push(run);
            }
            rest.after = Some(place);
        }
        if is_last || looked >= looked_at {
            let next = rest.after.filter(|_| !is_last);
            return Ok(RunList { runs, more: next.is_some(), next });
        }
    }
}

/// A run in a list, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct RunSummaryDocument {
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// Its state.
    pub state: RunState,
    /// What started it.
    pub run_type: RunType,
    /// Its logical date.
    pub logical_date: Timestamp,
    /// When it was created.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many tasks its graph has.
    pub tasks: u32,
    /// How many tasks are in which state; empty until the run has ended.
    #[schema(as = "std::collections::BTreeMap<String, u32>")]
    pub counts: Map<String, Value>,
    /// The process that ran it last, `host:process`.
    pub worker: String,
    /// The build of the program that started it.
    pub build: String,
    /// The structural hash of its graph.
    pub version: String,
}

impl RunSummaryDocument {
    /// The document of a run.
    pub fn of(run: &RunSummary) -> Self {
        RunSummaryDocument {
            number: run.number,
            run_id: run.info.run_id.clone(),
            dag_id: run.info.dag_id.clone(),
            state: run.state,
            run_type: run.info.run_type,
            logical_date: run.info.logical_date,
            created: run.created,
            ended: run.ended,
            tasks: run.tasks,
            counts: run.counts.iter().map(|(state, count)| (state.name().to_owned(), (*count).into())).collect(),
            worker: run.worker.clone(),
            build: run.build.clone(),
            version: run.graph.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dag::{Dag, Params};
    use crate::engine::RunRequest;
    use crate::run::RunInfo;
    use crate::store::RunOrder;

    /// Ten runs, of which kim has asked for the first, the second and the seventh. A page looks at
    /// four of them.
    #[tokio::test]
    async fn a_page_of_what_somebody_has_asked_for_goes_on_behind_the_runs_that_it_has_looked_at() {
        let journal = Journal::in_memory().unwrap();
        let dag = Dag::draw("requested_runs", |dag| _ = dag.add("hello", |_| Ok(()))).unwrap();
        for number in 1..=10 {
            let name = if [1, 2, 7].contains(&number) { "kim" } else { "lee" };
            let info = RunInfo::manual("requested_runs", Timestamp::now()).for_requesters(vec![name.to_owned()]);
            let request = RunRequest::<()>::of_plan(Arc::clone(dag.plan()), info, Params::default());
            journal.enqueue(request).await.unwrap();
        }
        let by_kim = |limit| {
            let requested_by = Some("kim".to_owned());
            RunFilter { requested_by, limit, order: RunOrder::Number, ..RunFilter::default() }
        };
        let numbers = |runs: &[RunSummary]| runs.iter().map(|run| run.number).collect::<Vec<_>>();
        let pages = async |limit: u32| {
            let mut filter = by_kim(Some(limit));
            let mut pages = Vec::new();
            loop {
                let list = look_for(&journal, &filter, 4, 2).await.unwrap();
                assert_eq!(list.more, list.next.is_some());
                pages.push(numbers(&list.runs));
                if list.next.is_none() {
                    return pages;
                }
                filter.after = list.next;
            }
        };
        assert_eq!(pages(50).await, [vec![7], vec![], vec![2, 1]]);
        assert_eq!(pages(1).await, [vec![7], vec![], vec![2], vec![1]]);
        let counted = count_runs(&journal, &by_kim(Some(1))).await.unwrap();
        assert_eq!((counted.count, counted.more), (3, false));
        // All are looked at here.
        assert_eq!(numbers(&list_runs(&journal, &by_kim(None)).await.unwrap().runs), [7, 2, 1]);
        assert_eq!(numbers(&journal.runs(&by_kim(Some(2))).await.unwrap()), [7, 2]);
    }
}
