//! Rights as types: a handler reaches a run or a DAG only through a permit. The permit for a run is
//! decided by the DAG of the run, whatever the address says.

use std::marker::PhantomData;

use super::ServerState;
use super::keys::{DagKey, RunKey};
use super::problem::{Problem, several_runs};
use crate::base::nearest;
use crate::dag::DagDef;
use crate::journal::{RunHistory, RunSummary};
use crate::ops;

/// The right to read.
pub(super) struct View;
/// The right to start, change and end runs.
pub(super) struct Operate;
/// The right to set the state of tasks by hand.
pub(super) struct Mark;

/// A right to runs and DAGs.
pub(super) trait Right {}

impl Right for View {}
impl Right for Operate {}
impl Right for Mark {}

/// The right `R` to `T`.
///
/// The only principal is the user of this machine so far, who has all rights.
pub(super) struct Permit<R, T> {
    target: T,
    right: PhantomData<R>,
}

impl<R: Right> Permit<R, RunSummary> {
    pub(super) async fn of_run(state: &ServerState, key: &RunKey) -> Result<Self, Problem> {
        let name = key.as_str();
        let run = state.journal.find(name).await?;
        // The command line also accepts parts of ids.
        if run.info.run_id != name && run.number.to_string() != name {
            return Err(several_runs(name, vec![run.info.run_id]));
        }
        Ok(Permit { target: run, right: PhantomData })
    }

    pub(super) fn run(&self) -> &RunSummary {
        &self.target
    }

    pub(super) fn run_id(&self) -> &str {
        &self.target.info.run_id
    }

    /// The history of the run, with the deadline that it missed.
    pub(super) async fn history(&self, state: &ServerState) -> Result<RunHistory, Problem> {
        Ok(ops::history(&state.journal, self.run_id()).await?)
    }
}

impl<R: Right> Permit<R, &'static DagDef> {
    pub(super) fn of_dag(state: &ServerState, key: &DagKey) -> Result<Self, Problem> {
        let id = key.as_str();
        let unknown = || {
            let near = nearest(id, state.dags.iter().map(|dag| dag.id)).map(str::to_owned);
            Problem::not_found(format!("there is no DAG `{id}`")).candidates(near.into_iter().collect())
        };
        let dag = state.dags.iter().find(|dag| dag.id == id).ok_or_else(unknown)?;
        Ok(Permit { target: dag, right: PhantomData })
    }

    pub(super) fn dag(&self) -> &'static DagDef {
        self.target
    }
}
