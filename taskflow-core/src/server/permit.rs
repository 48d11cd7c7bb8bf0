//! Rights as types: a handler reaches a run, a DAG or a backfill only through a permit. The permit
//! for a run is decided by the DAG of the run, whatever the address says.

use std::marker::PhantomData;

use super::ServerState;
use super::auth::Visitor;
use super::keys::{DagKey, RunKey};
use super::problem::{Problem, several_runs};
use crate::base::nearest;
use crate::dag::DagDef;
use crate::journal::{JournalError, RunHistory, RunSummary, word_of};
use crate::ops::accounts::Right as RightName;
use crate::ops::{self, AuditTarget, BackfillStatus, OpsError};

/// A right to runs and DAGs.
pub(super) trait Right {
    const NAME: RightName;
}

macro_rules! right {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl Right for $name {
            const NAME: RightName = RightName::$name;
        }
    };
}

right!(
    /// The right to read.
    View
);
right!(
    /// The right to read logs.
    ViewLogs
);
right!(
    /// The right to read what tasks returned.
    ViewValues
);
right!(
    /// The right to start, change and end runs.
    Operate
);
right!(
    /// The right to set the state of tasks by hand.
    Mark
);
right!(
    /// The right to read the audit trail.
    Audit
);

/// The right `R` to `T`.
pub(super) struct Permit<R, T> {
    target: T,
    right: PhantomData<R>,
}

impl<R: Right> Permit<R, RunSummary> {
    pub(super) async fn of_run(visitor: &Visitor, key: &RunKey) -> Result<Self, Problem> {
        let name = key.as_str();
        let unknown = || Problem::from(JournalError::UnknownRun { run: name.to_owned() });
        let sees_all = visitor.principal().may_everywhere(RightName::View);
        let run = match visitor.journal.find(name).await {
            Ok(run) => run,
            // The message names runs, perhaps of other DAGs.
            // Nobody knows any more of which DAG a pruned run was.
            Err(JournalError::AmbiguousRun { .. } | JournalError::PrunedRun { .. }) if !sees_all => {
                return Err(unknown());
            }
            Err(error) => return Err(error.into()),
        };
        visitor.check(R::NAME, &run.info.dag_id, || AuditTarget::run(&run.info, Some(run.number)), unknown)?;
        // The command line also accepts parts of ids.
        let number = name.strip_prefix('#').unwrap_or(name);
        if run.info.run_id != name && run.number.to_string() != number {
            return Err(several_runs(name, vec![run.info.run_id]));
        }
        Ok(Permit { target: run, right: PhantomData })
    }

    pub(super) fn run(&self) -> &RunSummary {
        &self.target
    }

    /// Its id, which is part of the names of its files. Operations take [its word](Self::word).
    pub(super) fn run_id(&self) -> &str {
        &self.target.info.run_id
    }

    /// The word that names this run to operations. Its id can be the number of another run, perhaps
    /// of another DAG: ids of old runs can.
    pub(super) fn word(&self) -> String {
        word_of(self.target.number)
    }

    /// The history of the run, with the deadline that it missed.
    pub(super) async fn history(&self, state: &ServerState) -> Result<RunHistory, Problem> {
        Ok(ops::history(&state.journal, &self.word()).await?)
    }
}

impl<R: Right> Permit<R, &'static DagDef> {
    pub(super) fn of_dag(visitor: &Visitor, key: &DagKey) -> Result<Self, Problem> {
        let id = key.as_str();
        let unknown = || {
            let seen = visitor.dags.iter().map(|dag| dag.id).filter(|dag| visitor.may(RightName::View, dag));
            let near = nearest(id, seen).map(str::to_owned);
            Problem::not_found(format!("there is no DAG `{id}`")).candidates(near.into_iter().collect())
        };
        let dag = visitor.dags.iter().find(|dag| dag.id == id).ok_or_else(unknown)?;
        visitor.check(R::NAME, dag.id, || AuditTarget::dag(dag.id), unknown)?;
        Ok(Permit { target: dag, right: PhantomData })
    }

    pub(super) fn dag(&self) -> &'static DagDef {
        self.target
    }
}

impl<R: Right> Permit<R, BackfillStatus> {
    pub(super) async fn of_backfill(visitor: &Visitor, number: i64) -> Result<Self, Problem> {
        let backfill = ops::backfill_status(&visitor.journal, number).await?;
        let target = || AuditTarget { backfill: Some(number), ..AuditTarget::dag(&backfill.dag_id) };
        visitor.check(R::NAME, &backfill.dag_id, target, || OpsError::UnknownBackfill { number }.into())?;
        Ok(Permit { target: backfill, right: PhantomData })
    }

    pub(super) fn number(&self) -> i64 {
        self.target.number
    }

    pub(super) fn backfill(self) -> BackfillStatus {
        self.target
    }
}
