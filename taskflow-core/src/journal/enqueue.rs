//! Creates runs that wait for a process to claim them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use super::error::JournalError;
use super::graph::Graph;
use super::journal::Journal;
use super::{RunSummary, params, run_ids};
use crate::base::{Timestamp, catch};
use crate::dag::{DagDef, ParamDef, ParamError, Params, Plan};
use crate::engine::RunRequest;
use crate::run::RunInfo;
use crate::store::{Append, AppendTarget, Appended, NewRun, build_id};
use crate::value::AnyValue;

impl Journal {
    /// Stores a run as `queued`. Any process whose program has the DAG can start it with
    /// [`resume`](Journal::resume); until then it can be cancelled and gets
    /// [events](Journal::send_event).
    ///
    /// The store keeps the DAG, the parameters and the logical date of the request. Everything else
    /// about a request, such as its engine, its selection or its observer, is up to the process
    /// that starts the run.
    ///
    /// # Errors
    ///
    /// When the graph or a parameter has a mistake, a run with this id already exists, or the store
    /// cannot be written.
    pub async fn enqueue<T>(&self, request: RunRequest<T>) -> Result<RunSummary, JournalError> {
        let QueuedRun { plan, new } = QueuedRun::new(request, self.now())?;
        let run_id = new.info.run_id.clone();
        let refused = |reason: String| JournalError::Nothing { run: run_id.clone(), reason };
        let store = &self.inner.store;
        let snapshot = Graph::of(&plan).encode();
        store.put_graph(plan.hash(), &snapshot).await?;
        self.amend_params(&new.params);
        let audit = self.audit_row().map(Box::new);
        let run = AppendTarget::New(Box::new(new));
        let append = Append { run, segment: None, update: None, events: Vec::new(), audit };
        match store.append(&[append]).await?.first() {
            Some(&Appended::Stored(number)) => {
                self.audit_stored();
                // A deletion may have removed it before the run referred to it.
                store.put_graph(plan.hash(), &snapshot).await?;
                let row = store.run(number).await?;
                row.map(RunSummary::of).ok_or_else(|| JournalError::UnknownRun { run: run_id.clone() })
            }
            _ => Err(refused(run_ids::taken(&**store, &run_id).await)),
        }
    }
}

/// A run that is to be stored as queued.
#[derive(Debug)]
pub(crate) struct QueuedRun {
    pub(super) plan: Arc<Plan>,
    pub(super) new: NewRun,
}

impl QueuedRun {
    /// A run of a DAG that nobody starts by hand. Its parameters are the values that are `known`,
    /// those read from the texts that `given` returns, or their defaults, which are code of the
    /// user.
    ///
    /// # Errors
    ///
    /// Why it cannot be made: the graph has mistakes, a parameter has no valid value, or a default
    /// panicked.
    pub(crate) fn of_dag<'a>(
        dag: &'static DagDef,
        info: RunInfo,
        known: &HashMap<&'static str, AnyValue>,
        given: impl Fn(&ParamDef) -> Option<Vec<&'a str>>,
        created: Timestamp,
    ) -> Result<Self, String> {
        let make = || {
            let plan = dag.plan().map_err(|errors| errors.to_string())?;
            let info = dag.options.complete(info);
            let params = Params::from_text(plan.params(), &info, known, given);
            let params =
                params.map_err(|errors| errors.iter().map(ParamError::to_string).collect::<Vec<_>>().join("; "))?;
            QueuedRun::new(RunRequest::<()>::of_plan(plan, info, params), created).map_err(|error| error.to_string())
        };
        catch(AssertUnwindSafe(make)).unwrap_or_else(|crash| Err(format!("a default of a parameter {crash}")))
    }

    /// Checks a request.
    ///
    /// # Errors
    ///
    /// When the graph or a parameter has a mistake.
    pub(crate) fn new<T>(request: RunRequest<T>, created: Timestamp) -> Result<Self, JournalError> {
        let (plan, info, values) = request.checked().map_err(|error| JournalError::Start(Box::new(error)))?;
        let refused = |reason: String| JournalError::Nothing { run: info.run_id.clone(), reason };
        if let Some(reason) = run_ids::refused(&info.run_id) {
            return Err(refused(reason));
        }
        let new = NewRun {
            info: (*info).clone(),
            graph: plan.hash().to_owned(),
            build: build_id().to_owned(),
            owner: None,
            params: params::encode(plan.params(), &values).map_err(refused)?,
            tasks: plan.task_count() as u32,
            created,
            // Nothing happens before a process starts it, which marks it then.
            has_callbacks: false,
        };
        Ok(QueuedRun { plan, new })
    }
}
