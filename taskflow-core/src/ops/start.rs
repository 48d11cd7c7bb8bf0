//! Starting a run.
//!
//! A run is prepared in two steps, because the defaults of parameters may depend on it: [`draft`]
//! (or [`draft_of_interval`]) decides its id and its logical date, then its parameters and options
//! are set, and [`start`] returns a request.

use std::sync::Arc;

use serde_json::json;

use super::audit::{Action, AuditTarget, Trail, changed};
use super::error::OpsError;
use super::respondents::requesters;
use crate::base::{Interval, Timestamp};
use crate::dag::{DagDef, Params, Plan, Selection};
use crate::engine::RunRequest;
use crate::journal::{Journal, RunSummary};
use crate::run::{Durability, RunInfo};

/// A run that has not been started.
#[derive(Debug)]
#[must_use = "a draft does nothing until it is started"]
pub struct Draft {
    plan: Arc<Plan>,
    info: RunInfo,
    params: Params,
    selection: Option<Selection>,
    fail_fast: Option<bool>,
}

/// A manual run of a DAG. Its logical date is the current time unless one is given.
///
/// # Errors
///
/// When the graph of the DAG has mistakes.
pub fn draft(dag: &'static DagDef, logical_date: Option<Timestamp>) -> Result<Draft, OpsError> {
    Ok(Draft::of(dag.plan()?, RunInfo::manual(dag.id, logical_date.unwrap_or_else(Timestamp::now))))
}

/// A manual run of a DAG about this data interval. Its logical date is the end of the interval, as
/// that of a slot, unless one is given.
///
/// # Errors
///
/// When the graph of the DAG has mistakes, its runs have no data intervals, or the interval is
/// empty.
pub fn draft_of_interval(
    dag: &'static DagDef,
    interval: Interval,
    logical_date: Option<Timestamp>,
) -> Result<Draft, OpsError> {
    let plan = dag.plan()?;
    if !plan.options().has_intervals() {
        return Err(OpsError::WithoutIntervals { dag: dag.id.to_owned() });
    }
    if interval.start >= interval.end {
        return Err(OpsError::EmptyInterval { interval });
    }
    let info = RunInfo::manual(dag.id, logical_date.unwrap_or(interval.end)).with_interval(Some(interval));
    Ok(Draft::of(plan, info))
}

impl Draft {
    fn of(plan: Arc<Plan>, info: RunInfo) -> Self {
        let info = plan.options().complete(info);
        Draft { plan, info, params: Params::default(), selection: None, fail_fast: None }
    }

    /// The graph.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The run.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// Sets the id of the run. It must be unique in the store.
    ///
    /// If a deletion of a run with this id was cut short, `db prune` deletes the files that it has
    /// left, and so does whoever starts a run that [`trigger`] has queued. The log of a run that
    /// [`start`] begins before that follows that of the deleted one.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.info.run_id = id.into();
        self
    }

    /// Sets the values of the parameters, all of them in order.
    pub fn params(mut self, params: Params) -> Self {
        self.params = params;
        self
    }

    /// Runs only a task and everything upstream of it.
    ///
    /// # Errors
    ///
    /// When the DAG has no such task.
    pub fn only(mut self, task: &str) -> Result<Self, OpsError> {
        self.selection = Some(Selection::only(&self.plan, task)?);
        Ok(self)
    }

    /// Runs only a task, everything downstream of it, and what they need.
    ///
    /// # Errors
    ///
    /// When the DAG has no such task.
    pub fn from(mut self, task: &str) -> Result<Self, OpsError> {
        self.selection = Some(Selection::from(&self.plan, task)?);
        Ok(self)
    }

    /// Whether the first failure ends the run. Default: the option of the DAG.
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = Some(fail_fast);
        self
    }
}

/// Stores a run as queued, for the process that serves the home. Only its parameters and its
/// logical date are stored: what else a draft selects is up to the process that starts it.
///
/// # Errors
///
/// When a parameter is out of range, or the store cannot be written.
pub async fn trigger(draft: Draft, journal: &Journal) -> Result<RunSummary, OpsError> {
    let Draft { plan, info, params, .. } = draft;
    let info = info.for_requesters(requesters(journal));
    let trail = Trail::begin(journal, Action::Trigger, AuditTarget::run(&info, None), "");
    started_with(trail.journal(), &plan, "queued");
    let request = RunRequest::<()>::of_plan(plan, info, params);
    let queued = trail.journal().enqueue(request).await;
    trail.end(queued.map_err(OpsError::from)).await
}

/// The names of its parameters; their values are stored with the run.
fn started_with(journal: &Journal, plan: &Plan, state: &str) {
    let names: Vec<&str> = plan.params().iter().map(|param| param.name).collect();
    changed(journal, json!({}), json!({ "state": state, "params": names, "graph": plan.hash() }));
}

/// Returns the request for a run, which is stored in `journal` with this durability if there is
/// one. The run starts with [`RunRequest::start`], which reports parameters that are out of range.
pub fn start(draft: Draft, journal: Option<(&Journal, Durability)>) -> RunRequest<()> {
    let Draft { plan, info, params, selection, fail_fast } = draft;
    let info = info.for_requesters(journal.as_ref().map(|(journal, _)| requesters(journal)).unwrap_or_default());
    let target = AuditTarget::run(&info, None);
    let mut request = RunRequest::of_plan(Arc::clone(&plan), info, params);
    if let Some(selection) = selection {
        request = request.select(selection);
    }
    if let Some(fail_fast) = fail_fast {
        request = request.fail_fast(fail_fast);
    }
    match journal {
        Some((journal, durability)) => {
            let trail = Trail::begin(journal, Action::Run, target, "");
            started_with(trail.journal(), &plan, "running");
            request.durability(durability).journal(trail.journal())
        }
        None => request,
    }
}
