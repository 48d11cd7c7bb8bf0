//! Rights as types: a handler reaches a run only through a permit, which is decided by the DAG of
//! the run, whatever the address says.

use std::marker::PhantomData;

use super::ServerState;
use super::keys::RunKey;
use super::problem::Problem;
use crate::journal::{JournalError, RunHistory, RunSummary};
use crate::ops::{self, OpsError};

/// The right to read.
pub(super) struct View;

/// The right `R` to `T`.
pub(super) struct Permit<R, T> {
    target: T,
    right: PhantomData<R>,
}

impl Permit<View, RunSummary> {
    /// The permit to read a run. The only principal is the user of this machine, who may read all.
    pub(super) async fn view_run(state: &ServerState, key: &RunKey) -> Result<Self, Problem> {
        let name = key.as_str();
        let run = state.journal.find(name).await.map_err(OpsError::from)?;
        // The command line also accepts parts of ids. An address names one run, today and tomorrow.
        if run.info.run_id != name && run.number.to_string() != name {
            return Err(OpsError::from(JournalError::UnknownRun { run: name.to_owned() }).into());
        }
        Ok(Permit { target: run, right: PhantomData })
    }

    /// The run.
    pub(super) fn summary(&self) -> &RunSummary {
        &self.target
    }

    /// The history of the run, with the deadline that it missed.
    pub(super) async fn history(&self, state: &ServerState) -> Result<RunHistory, Problem> {
        Ok(ops::history(&state.journal, &self.target.info.run_id).await?)
    }
}
