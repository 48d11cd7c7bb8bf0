//! What tasks of a run see of other runs in the same journal.

use std::sync::Arc;

use super::adopted::AdoptedRun;
use super::edit::Note;
use super::error::JournalError;
use super::history::RunHistory;
use super::journal::Journal;
use super::params;
use super::task_filter::TaskFilter;
use super::task_wait::TaskWait;
use crate::base::Timestamp;
use crate::dag::Plan;
use crate::engine::{Archive, ArchiveFuture, EndedRun, OpenRecorder, PastRun, RecorderError, RunRequest, returned};
use crate::run::{RunState, TaskState};
use crate::store::{RunFilter, RunOrder, RunRow};
use crate::task::TaskContext;
use crate::value::AnyValue;

fn boxed<'a, T>(future: impl Future<Output = Result<T, JournalError>> + Send + 'a) -> ArchiveFuture<'a, T> {
    Box::pin(async move { future.await.map_err(RecorderError::from) })
}

impl Journal {
    /// The result of a successful run; `None` if the task that makes it has no value.
    async fn result_of(&self, history: &RunHistory, plan: &Plan) -> Result<Option<AnyValue>, JournalError> {
        let Some(source) = plan.result() else { return Ok(Some(AnyValue::new(()))) };
        let run = &history.info.run_id;
        if let Some(place) = source.as_param() {
            let damaged = |what| JournalError::DamagedRun { run: run.clone(), what };
            let stored = self.inner.store.params(history.number).await?.unwrap_or_default();
            let stored = params::decode(&stored).map_err(damaged)?;
            let changed = |reason| JournalError::Changed { run: run.clone(), reason };
            let params = params::restore(&stored, plan.params(), &history.info).map_err(changed)?;
            return Ok(params.values().get(place as usize).cloned());
        }
        let Some(node) = source.as_task() else { return Ok(None) };
        let id = plan.node(node).id();
        let Some(task) = history.task(id) else { return Ok(None) };
        let failed = |reason| JournalError::Value { run: run.clone(), task: id.to_owned(), reason };
        let Some(bytes) = self.value_bytes(history, task).await? else { return Ok(None) };
        let ty = plan.def(node).output;
        let was = history.place(id).map(|place| history.type_at(place).to_owned())?;
        if was != ty.short() {
            return Err(failed(format!("it was a {was} and is a {} now", ty.short())));
        }
        ty.decode(&bytes).map(Some).map_err(failed)
    }
}

impl Journal {
    /// As [`Journal::adopt_row`], for a task.
    async fn adopt_for(&self, row: &RunRow, plan: &Arc<Plan>, task: &TaskContext) -> Result<AdoptedRun, JournalError> {
        let mut wait = TaskWait::of(self, task);
        loop {
            match self.adopt_row(row, Some(plan)).await {
                Ok(adopted) => return Ok(adopted),
                Err(error) => wait.after(error).await?,
            }
        }
    }
}

impl Archive for Journal {
    fn find<'a>(&'a self, run_id: &'a str) -> ArchiveFuture<'a, Option<PastRun>> {
        boxed(async move { Ok(self.inner.store.run_by_id(run_id).await?.map(past)) })
    }

    fn latest<'a>(&'a self, dag: &'a str, date: Option<Timestamp>) -> ArchiveFuture<'a, Option<PastRun>> {
        boxed(async move {
            let filter = RunFilter { dag: Some(dag.to_owned()), about: date, limit: Some(1), ..RunFilter::default() };
            let rows = self.inner.store.runs(&filter).await?;
            Ok(rows.into_iter().next().map(past))
        })
    }

    fn awaits(&self, run: &PastRun) {
        if run.state == RunState::Queued {
            self.note_awaited(&run.info.run_id);
        }
    }

    fn success_before<'a>(&'a self, dag: &'a str, date: Timestamp) -> ArchiveFuture<'a, Option<PastRun>> {
        boxed(async move {
            let filter = RunFilter {
                dag: Some(dag.to_owned()),
                states: vec![RunState::Success],
                logical_before: Some(date),
                order: RunOrder::LogicalDate,
                limit: Some(1),
                ..RunFilter::default()
            };
            Ok(self.inner.store.runs(&filter).await?.into_iter().next().map(past))
        })
    }

    fn end<'a>(&'a self, run_id: &'a str, plan: &'a Plan) -> ArchiveFuture<'a, EndedRun> {
        boxed(async move {
            let history = self.history_of(self.row_with_id(run_id).await?).await?;
            let state = history.state;
            if state != RunState::Success {
                return Ok(EndedRun { state, result: None, why: story(&history) });
            }
            let made = self.result_of(&history, plan).await?.map(|value| returned(plan, value)).transpose();
            let (result, why) = match made {
                Ok(Some(value)) => (Some(value), String::new()),
                Ok(None) => (None, format!("ended as {state} without a result: the task that produces it was skipped")),
                Err(failure) => (None, format!("ended as {state}, but its result cannot be computed: {failure}")),
            };
            Ok(EndedRun { state, result, why })
        })
    }

    fn task<'a>(&'a self, run_id: &'a str, task: &'a str) -> ArchiveFuture<'a, Option<TaskState>> {
        boxed(async move {
            let history = self.history_of(self.row_with_id(run_id).await?).await?;
            Ok(history.task(task).map(|task| task.state))
        })
    }

    fn value<'a>(&'a self, run_id: &'a str, task: &'a str) -> ArchiveFuture<'a, Option<(String, Vec<u8>)>> {
        boxed(async move {
            let history = self.history_of(self.row_with_id(run_id).await?).await?;
            Ok(Journal::value(self, &history, task).await?.map(|value| (value.ty, value.bytes)))
        })
    }

    fn make_room<'a>(&'a self, run_id: &'a str, task: &'a TaskContext) -> ArchiveFuture<'a, ()> {
        boxed(async move {
            let mut wait = TaskWait::of(self, task);
            while let Err(error) = self.delete_files_of_none(run_id).await {
                wait.after(error).await?;
            }
            Ok(())
        })
    }

    fn resume<'a>(
        &'a self,
        run_id: &'a str,
        plan: &'a Arc<Plan>,
        task: &'a TaskContext,
    ) -> ArchiveFuture<'a, RunRequest<()>> {
        boxed(async move {
            let row = self.row_with_id(run_id).await?;
            let mut adopted = self.adopt_for(&row, plan, task).await?;
            adopted.prepare_unattended().await?;
            adopted.resume_plan(plan, Timestamp::now()).await
        })
    }

    fn retry<'a>(
        &'a self,
        run_id: &'a str,
        plan: &'a Arc<Plan>,
        params: &'a [AnyValue],
        by: &'a str,
        task: &'a TaskContext,
    ) -> ArchiveFuture<'a, Option<RunRequest<()>>> {
        boxed(async move {
            let row = self.row_with_id(run_id).await?;
            let stored = self.inner.store.params(row.number).await?;
            if params::encode(plan.params(), params).ok() != stored {
                return Ok(None);
            }
            let mut adopted = self.adopt_for(&row, plan, task).await?;
            let note = Note { by: by.to_owned(), reason: "the task that waits for this run is retried".to_owned() };
            let failed = TaskFilter::all().failed().downstream();
            let mut wait = TaskWait::of(self, task);
            loop {
                match adopted.store_clear(&failed, &note).await {
                    Ok(_) => break,
                    Err(JournalError::Nothing { .. }) => return Ok(None),
                    Err(error) => wait.after(error).await?,
                }
            }
            while let Err(error) = adopted.drop_cancellations().await {
                wait.after(error).await?;
            }
            drop(wait);
            adopted.resume_plan(plan, Timestamp::now()).await.map(Some)
        })
    }

    fn open_recorder(&self) -> OpenRecorder {
        let journal = self.clone();
        Box::new(move |run| journal.begin(run))
    }
}

fn past(row: RunRow) -> PastRun {
    PastRun { state: row.present_state(), info: row.info }
}

/// Why a run did not succeed, in a few words.
fn story(history: &RunHistory) -> String {
    let failed = history.tasks.iter().filter(|task| task.state == TaskState::Failed);
    let first = failed.min_by_key(|task| task.order);
    let state = history.state;
    match (first.and_then(|task| Some((&task.id, task.failure.as_ref()?))), &history.halt_reason) {
        (Some((task, failure)), _) => format!("ended as {state}: task `{task}`: {failure}"),
        (None, Some(reason)) => format!("ended as {state}: {reason}"),
        (None, None) => format!("ended as {state}"),
    }
}
