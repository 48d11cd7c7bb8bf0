//! Why an operation was not carried out.

use std::path::PathBuf;

use super::backfill_preview::BackfillTotals;
use super::preview::they_are;
use crate::base::{BoxError, ErrorKind, Interval, Timestamp};
use crate::config::ConfigError;
use crate::dag::{BuildErrors, ParamDef, ParamError, ScheduleError, SelectionError};
use crate::engine::{RunError, UnknownPool};
use crate::journal::{JournalError, pruning};
use crate::run::{QuestionRespondents, RunState, TaskState};
use crate::schedule::{BackfillError, SharedSlots};
use crate::store::StoreError;

/// Why an operation was not carried out. Unless the variant says otherwise, nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpsError {
    /// The journal refused it, or cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A user or a token cannot be changed so.
    #[cfg(feature = "server")]
    #[error(transparent)]
    Account(#[from] super::accounts::AccountError),
    /// The run could not be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The configuration has mistakes, or lacks something.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The graph of the DAG has mistakes.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// A parameter of the DAG does not accept its value.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The DAG has no such task.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The configuration sets the size of a pool that the program does not declare.
    #[error("[pools] of the configuration: {0}")]
    Pool(#[source] UnknownPool),
    /// The home holds no runs yet.
    #[error("no runs yet in {}", home.display())]
    NoHome {
        /// The directory.
        home: PathBuf,
    },
    /// The home cannot be created or written.
    #[error("{source}")]
    NotWritable {
        /// The directory.
        home: PathBuf,
        /// What the store or the operating system reports.
        source: BoxError,
    },
    /// An option of the schedule of the DAG is not valid.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The DAG has no schedule.
    #[error("the DAG `{dag}` has no schedule; `run {dag}` starts it")]
    NoSchedule {
        /// The DAG.
        dag: String,
    },
    /// The runs of the DAG have no data intervals.
    #[error("runs of `{dag}` have no data interval, because its schedule has no intervals; leave it out")]
    WithoutIntervals {
        /// The DAG.
        dag: String,
    },
    /// A data interval does not end after its start.
    #[error("the interval {interval} is empty: its end must be later than its start")]
    EmptyInterval {
        /// The interval.
        interval: Interval,
    },
    /// The DAG is paused already.
    #[error("the DAG `{dag}` is already paused, by {by}; `unpause {dag}` ends that")]
    Paused {
        /// The DAG.
        dag: String,
        /// Who paused it.
        by: String,
    },
    /// The DAG is not paused.
    #[error("the DAG `{dag}` is not paused")]
    NotPaused {
        /// The DAG.
        dag: String,
    },
    /// The schedule of the DAG is not ahead of the clock.
    #[error("the schedule of `{dag}` is not ahead of the clock: there is nothing to reset")]
    NotAhead {
        /// The DAG.
        dag: String,
    },
    /// The stored state of the schedule of a DAG cannot be read.
    #[error("{error}; `reset-schedule {dag}` makes the schedule anew from its runs")]
    UnreadableSchedule {
        /// The DAG.
        dag: String,
        /// What is wrong.
        error: String,
    },
    /// Another process serves the home.
    #[error("{by} already serves this home; a home has one `serve`")]
    Served {
        /// The process, `host:process`.
        by: String,
    },
    /// The schedule of the DAG does not allow the backfill.
    #[error("the DAG `{dag}` cannot be backfilled: {source}")]
    Backfill {
        /// The DAG.
        dag: String,
        /// Why.
        source: BackfillError,
    },
    /// All slots of the backfill would be left alone.
    #[error("there is nothing to backfill: {left}")]
    NothingToBackfill {
        /// How many slots would be left alone, and why.
        left: String,
    },
    /// Another backfill of the DAG has pending slots in common with this one.
    #[error("backfill {backfill} still has {} of these slots, {}; cancel it or choose other slots",
        shared.count, crate::ops::backfill_status::from_to(shared.first, shared.last))]
    BackfillOverlap {
        /// The number of the other backfill.
        backfill: i64,
        /// The slots.
        shared: SharedSlots,
    },
    /// The slots, or the runs that they have, have changed since the preview.
    #[error("the backfill has changed since its preview: it was {previewed}, now it is {now}; preview it again")]
    BackfillChanged {
        /// What the preview has shown.
        previewed: BackfillTotals,
        /// What a preview would show now.
        now: BackfillTotals,
    },
    /// Other tasks would be cleared than the preview has shown, or they have changed since.
    #[error(
        "the tasks to clear of run {number} have changed since the preview: now {}; preview it again",
        they_are(now)
    )]
    ClearChanged {
        /// The number of the run.
        number: i64,
        /// The tasks that would be cleared now, with their states.
        now: Vec<String>,
    },
    /// Other tasks would be retried than the preview has shown, or they have changed since.
    #[error(
        "the tasks to retry of run {number} have changed since the preview: now {}; preview it again",
        they_are(now)
    )]
    RetryChanged {
        /// The number of the run.
        number: i64,
        /// The tasks that would be retried now, with their states.
        now: Vec<String>,
    },
    /// The run has ended since the preview, another process runs it, or other tasks are open.
    #[error("run {number} has changed since the preview: {now}; preview it again")]
    CancelChanged {
        /// The number of the run.
        number: i64,
        /// The state that it is in now, in words.
        now: String,
    },
    /// Marking would change other tasks than a preview has shown.
    #[error(
        "the tasks to mark of run {number} have changed since the preview: now {}; preview it again",
        they_are(now)
    )]
    MarkChanged {
        /// The number of the run.
        number: i64,
        /// The tasks that would be marked now, with their states.
        now: Vec<String>,
    },
    /// Other runs would be deleted than a preview has shown, or they have other states by now.
    #[error("the runs to delete have changed since the preview: now {}; preview it again", they_are(now))]
    PruneChanged {
        /// The runs that would be deleted now, with their states.
        now: Vec<String>,
    },
    /// The text is no token of a preview.
    #[error("`{token}` is not the token of a preview")]
    InvalidToken {
        /// The text.
        token: String,
    },
    /// The DAG has no such parameter.
    #[error("the DAG `{dag}` has no parameter `{param}`; {}", it_has(known))]
    UnknownParam {
        /// The DAG.
        dag: String,
        /// The parameter.
        param: String,
        /// The parameters that it has.
        known: Vec<String>,
    },
    /// The program does not have the DAG any more, and its runs were deleted.
    #[error("the DAG `{dag}` is not in this program any more, and its runs were pruned{}", pruning(*at, by.as_deref()))]
    PrunedDag {
        /// The DAG.
        dag: String,
        /// When, if the audit trail has it.
        at: Option<Timestamp>,
        /// By whom, if the audit trail has it.
        by: Option<String>,
    },
    /// Something was pruned, and something else could not be, such as the files of a deleted run.
    #[error("{error}; deleted: {}", pruned.counts())]
    PrunedInPart {
        /// What was deleted.
        pruned: super::upkeep::Pruned,
        /// Why the rest was not.
        error: Box<OpsError>,
    },
    /// There is no backfill with this number.
    #[error("there is no backfill {number}; `backfills` lists them")]
    UnknownBackfill {
        /// The number.
        number: i64,
    },
    /// This program does not have the DAG of the backfill.
    #[error("backfill {number} is of the DAG `{dag}`, which this program does not have")]
    ForeignBackfill {
        /// The number of the backfill.
        number: i64,
        /// The DAG.
        dag: String,
    },
    /// The state of the backfill does not allow the operation.
    #[error("backfill {number} is {state}{hint}")]
    BackfillState {
        /// The number.
        number: i64,
        /// Its state.
        state: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// No run of the backfill has failed.
    #[error("no run of backfill {number} has failed and still is")]
    NothingFailedInBackfill {
        /// The number.
        number: i64,
    },
    /// The program has no such asset.
    #[error(
        "the program declares no asset `{asset}`{}",
        nearest.as_ref().map_or_else(|| "; `assets` lists them".to_owned(), |near| format!("; did you mean `{near}`?"))
    )]
    UnknownAsset {
        /// The asset.
        asset: String,
        /// The asset with the most similar name.
        nearest: Option<String>,
    },
    /// An event of an asset does not have the types of the asset.
    #[error("this is no event of asset `{asset}`: {reason}")]
    InvalidEvent {
        /// The asset.
        asset: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no event with this number.
    #[error("there is no event {number}; `events` lists the last ones")]
    UnknownEvent {
        /// The number.
        number: i64,
    },
    /// There is no interrupted run to resume.
    #[error("there is no interrupted run to resume; `runs` lists all runs, `retry` runs failed tasks again")]
    NoneInterrupted,
    /// The run has no failed task.
    #[error("run {number} has no failed task{}", nothing_failed(*number, *state))]
    NothingFailed {
        /// The number of the run.
        number: i64,
        /// Its state.
        state: RunState,
    },
    /// The run has ended before.
    #[error("run {number} has already ended (state: {state})")]
    Ended {
        /// The number of the run.
        number: i64,
        /// Its state.
        state: RunState,
    },
    /// The run has not ended.
    #[error("run {number} has not ended (state: {state}); `cancel {number}` ends it")]
    NotEnded {
        /// The number of the run.
        number: i64,
        /// Its state.
        state: RunState,
    },
    /// Only a task that is marked as a success can have a value.
    #[error("only a task marked as success can have a value; the state is {state}")]
    ValueWithoutSuccess {
        /// The state that the task was to be marked with.
        state: TaskState,
    },
    /// The task returned nothing, because it did not succeed.
    #[error("task `{task}` of run {number} has no value (state: {state})")]
    NoValue {
        /// The number of the run.
        number: i64,
        /// The task.
        task: String,
        /// Its state.
        state: TaskState,
    },
    /// The task does not ask anything now.
    #[error("task `{task}` of run {number} asks nothing now (state: {state})")]
    NoQuestion {
        /// The number of the run.
        number: i64,
        /// The task.
        task: String,
        /// Its state.
        state: TaskState,
    },
    /// Whoever wants to answer a question may not: others may.
    #[error("{}", may_not_answer(*number, task, who.as_deref(), *has_asked, respondents))]
    MayNotAnswer {
        /// The number of the run.
        number: i64,
        /// The task that asks.
        task: String,
        /// Who wants to answer; `None`: a journal that is not signed.
        who: Option<String>,
        /// Whether they have asked for the run, which the question does not allow.
        has_asked: bool,
        /// Who may answer.
        respondents: QuestionRespondents,
    },
    /// The stored value of a task cannot be decoded.
    #[error(
        "the value of task `{task}` of run {number} is damaged: {reason}; `clear {number} {task}` computes it again"
    )]
    DamagedValue {
        /// The number of the run.
        number: i64,
        /// The task.
        task: String,
        /// What is wrong.
        reason: String,
    },
    /// What a replayed task returned cannot be shown as JSON.
    #[error("the value of task `{task}` cannot be shown: {reason}")]
    NotJson {
        /// The task.
        task: String,
        /// Why.
        reason: String,
    },
}

impl OpsError {
    /// The stored state of the schedule of a DAG, or its deadlines, cannot be read.
    pub(crate) fn unreadable_schedule(dag: &str, error: &JournalError) -> Self {
        OpsError::UnreadableSchedule { dag: dag.to_owned(), error: error.to_string() }
    }

    /// A DAG with these parameters has no other.
    pub(crate) fn unknown_param(dag: &str, param: &str, known: &[ParamDef]) -> Self {
        let known = known.iter().map(|param| param.name.to_owned()).collect();
        OpsError::UnknownParam { dag: dag.to_owned(), param: param.to_owned(), known }
    }

    /// The store, and who has locked it, if another process has.
    pub(crate) fn locked_store(&self) -> Option<(&str, Option<&str>)> {
        let OpsError::Journal(JournalError::Store(StoreError::Busy { place, holder, .. })) = self else { return None };
        Some((place.as_str(), holder.as_deref()))
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            OpsError::Journal(error) => error.kind(),
            #[cfg(feature = "server")]
            OpsError::Account(error) => error.kind(),
            OpsError::Run(error) => error.kind(),
            OpsError::Config(error) => error.kind(),
            OpsError::Build(errors) => errors.kind(),
            OpsError::Param(error) => error.kind(),
            OpsError::Selection(error) => error.kind(),
            OpsError::Pool(error) => error.kind(),
            OpsError::PrunedInPart { error, .. } => error.kind(),
            OpsError::NoHome { .. }
            | OpsError::NoValue { .. }
            | OpsError::NoQuestion { .. }
            | OpsError::NoneInterrupted
            | OpsError::UnknownAsset { .. }
            | OpsError::UnknownEvent { .. }
            | OpsError::PrunedDag { .. }
            | OpsError::UnknownBackfill { .. } => ErrorKind::NotFound,
            OpsError::NothingFailed { .. }
            | OpsError::Ended { .. }
            | OpsError::NotEnded { .. }
            | OpsError::Paused { .. }
            | OpsError::NotPaused { .. }
            | OpsError::NotAhead { .. }
            | OpsError::Served { .. }
            | OpsError::NothingToBackfill { .. }
            | OpsError::BackfillOverlap { .. }
            | OpsError::BackfillChanged { .. }
            | OpsError::ClearChanged { .. }
            | OpsError::RetryChanged { .. }
            | OpsError::CancelChanged { .. }
            | OpsError::MarkChanged { .. }
            | OpsError::PruneChanged { .. }
            | OpsError::ForeignBackfill { .. }
            | OpsError::BackfillState { .. }
            | OpsError::NothingFailedInBackfill { .. } => ErrorKind::Conflict,
            OpsError::ValueWithoutSuccess { .. }
            | OpsError::InvalidEvent { .. }
            | OpsError::Schedule(_)
            | OpsError::NoSchedule { .. }
            | OpsError::WithoutIntervals { .. }
            | OpsError::EmptyInterval { .. }
            | OpsError::Backfill { .. }
            | OpsError::MayNotAnswer { .. }
            | OpsError::InvalidToken { .. }
            | OpsError::UnknownParam { .. } => ErrorKind::Invalid,
            OpsError::NotWritable { .. } => ErrorKind::Unavailable,
            OpsError::DamagedValue { .. } | OpsError::UnreadableSchedule { .. } | OpsError::NotJson { .. } => {
                ErrorKind::Damaged
            }
        }
    }
}

/// The parameters of a DAG.
fn it_has(params: &[String]) -> String {
    match params {
        [] => "it has none".to_owned(),
        params => format!("it has `{}`", params.join("`, `")),
    }
}

/// Why somebody may not answer, and who may.
fn may_not_answer(
    number: i64,
    task: &str,
    who: Option<&str>,
    has_asked: bool,
    respondents: &QuestionRespondents,
) -> String {
    let who = who.map_or_else(|| "a program that acts for nobody".to_owned(), |name| format!("`{name}`"));
    let why = if has_asked { ", having asked for the run" } else { "" };
    format!("{who} may not answer `{task}` of run {number}{why}; it is answered by {}", respondents.in_words())
}

/// What to do about a run without failed tasks.
fn nothing_failed(number: i64, state: RunState) -> String {
    match state {
        RunState::Interrupted => format!("; `resume {number}` continues it"),
        state => format!(" (state: {state}); `clear {number} TASK` runs any task again"),
    }
}
