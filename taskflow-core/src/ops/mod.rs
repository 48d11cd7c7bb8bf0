//! Operations: what people do with DAGs and runs.
//!
//! Each operation is one function with a typed answer, which can be serialised, and a typed error
//! with a [kind](OpsError::kind). The command line calls them, and so can any other program. None
//! of them prints anything.
//!
//! | file | operation |
//! |---|---|
//! | `home` | Opens the directory that holds the runs: [`Home`]. |
//! | `settings` | Turns a configuration into an engine and its options: [`engine()`], [`durability`], [`fail_fast`], [`sync_mode`]. |
//! | `start` | Starts or queues a run: [`draft`], [`draft_of_interval`], [`start()`], [`trigger()`]. |
//! | `resume` | Continues runs that were interrupted: [`interrupted`], [`resume()`]. |
//! | `clear` | Clears tasks so that they run again: [`clear()`], [`would_clear`], [`clear_and_run`]; [`preview_clear`], [`clear_previewed`]. |
//! | `retry` | Runs failed tasks again: [`retry()`], [`preview_retry`], [`retry_previewed`]. |
//! | `mark` | Sets the state of tasks: [`mark()`], [`preview_mark`], [`mark_previewed`]. |
//! | `cancel` | Ends a run early, with its jobs on clusters: [`cancel()`], [`cancel_and_wait`], [`preview_cancel`], [`cancel_previewed`]. |
//! | `preview` | What the previews of changes to a run share. |
//! | `send_event` | Sends an event that tasks wait for: [`send_event()`]. |
//! | `approvals` | The questions that tasks ask people: [`approvals()`], [`approval`]. |
//! | `respondents` | Who may answer a question. |
//! | `answer_form` | How a question can be answered: [`AnswerForm`]. |
//! | `replay` | Runs one task again without storing anything: [`replay()`]. |
//! | `schedule_lag` | How far the service is behind the schedules, and which slots wait. |
//! | `schedules` | The slots of schedules to come: [`next_slots`]; [`pause`], [`unpause`], [`reset_schedule`]. |
//! | `slots` | What became of slots, and when: [`slots()`], [`past_slots`]. |
//! | `slot_counts` | How many of the last slots have no run. |
//! | `slot_span` | The slots in a span of time, past and to come: [`slots_between`], [`calendar`], [`past_intervals`]. |
//! | `deadlines` | The deadlines of slots: [`missed_deadlines`], and the [`history`] of a run with it. |
//! | `accounts` | Users, sessions, tokens and rights: [`accounts`]. |
//! | `actor` | Who does something: [`Actor`]. |
//! | `deadline_list` | The deadlines that are due next, and those that were missed: [`deadlines()`]. |
//! | `deliveries` | The notifications that were not delivered: [`deliveries()`]. |
//! | `dags` | The DAGs of a program and of a home, with their schedules: [`dags`]. |
//! | `dag_document` | A DAG with its parameters and tasks: [`dag()`]. |
//! | `served` | The process that serves a home: [`serving_process`]. |
//! | `doctor` | What keeps a home from working: [`doctor()`]. |
//! | `situation` | What a step of a schedule needs to know of the runs. |
//! | `backfill_preview` | What a backfill would do: [`preview_backfill`]. |
//! | `backfills` | Starts backfills and changes them: [`start_backfill`], [`pause_backfill`], [`resume_backfill`], [`cancel_backfill`], [`limit_backfill`], [`extend_backfill`], [`retry_backfill`]. |
//! | `backfill_slots` | The slots of a backfill, and what has become of each: [`backfill_slots()`]. |
//! | `backfill_status` | Backfills as documents: [`backfill_status()`], [`list_backfills`]. |
//! | `condition` | What the next run needs that events start, as a tree. |
//! | `consumers` | The DAGs with event parameters: [`consumers()`], [`stored_events`], [`seen_event`]. |
//! | `event_groups` | The groups of pending events: keys and periods. |
//! | `assets` | The assets of the program: [`assets()`]. |
//! | `events`, `emit_preview` | The events of assets: [`emit`], [`preview_emit`], [`events()`], [`event`], [`emitted_by`]. |
//! | `lineage` | Where a run comes from, and what comes from it: [`lineage()`]. |
//! | `list` | Lists runs, and counts them: [`list_runs`], [`count_runs`]. |
//! | `run_export` | A list of runs as text, page by page: [`RunPages`], [`RunListFormat`]. |
//! | `elements` | The elements of a mapped task: [`elements_summary`], [`elements()`]. |
//! | `status` | A run and its tasks as a document: [`RunStatus`]. |
//! | `queue_wait` | Why a queued run has not started: [`queue_wait()`]. |
//! | `pools` | The pools and limits of a home, and who waits for them: [`limits`]. |
//! | `pruned_dag` | What is known of a DAG that is gone with its runs: [`pruned_dag()`]. |
//! | `similar_failures` | Which earlier runs failed with the same message: [`similar_failures()`]. |
//! | `webhooks` | The webhooks of the configuration, checked against the program. |
//! | `versions` | The graphs of a DAG and what changed between them: [`versions()`]. |
//! | `run_events` | The events of a run, and the runs on their other sides: [`run_events()`]. |
//! | `tasks_changed` | What the audit trail says of tasks. |
//! | `takes_interval` | Whether a DAG takes the data interval of its run. |
//! | `triggered` | The runs that a run has triggered: [`triggered_runs`]. |
//! | `value` | Reads what tasks returned: [`value()`], [`values`]; their beginnings: [`value_preview`], [`value_previews`]. |
//! | `upkeep` | Keeps the store in order: [`prune`], [`prune_previewed`], [`would_prune`], [`would_prune_events`], [`would_prune_audit`], [`check`], [`vacuum`]. |
//! | `prune_preview` | What a prune would delete: [`preview_prune`]. |
//! | `prune_run` | Deletes one run: [`prune_run()`]. |
//! | `audit` | The audit trail: [`audit()`], [`AuditPages`], [`acting_as`], [`acting_as_member`], [`audit_refusal`]. |
//! | `reason` | A failure as a document: [`Reason`]. |
//! | `error` | [`OpsError`]. |

#[cfg(feature = "server")]
pub mod accounts;
mod actor;
mod answer_form;
mod approvals;
mod assets;
mod audit;
mod backfill_preview;
mod backfill_slots;
mod backfill_status;
mod backfills;
mod cancel;
mod clear;
mod condition;
mod consumers;
mod dag_document;
mod dags;
mod deadline_list;
mod deadlines;
mod deliveries;
mod doctor;
mod elements;
mod emit_preview;
mod error;
mod event_groups;
mod events;
#[cfg(feature = "sqlite")]
mod home;
mod lineage;
mod list;
mod mark;
mod pools;
mod preview;
mod prune_preview;
mod prune_run;
mod pruned_dag;
mod queue_wait;
mod reason;
mod replay;
mod respondents;
mod resume;
mod retry;
mod run_events;
mod run_export;
#[cfg(feature = "server")]
mod schedule_lag;
mod schedules;
mod send_event;
mod served;
mod settings;
mod similar_failures;
mod situation;
#[cfg(feature = "sqlite")]
mod slot_counts;
mod slot_span;
mod slots;
mod start;
mod status;
mod takes_interval;
mod tasks_changed;
mod triggered;
mod upkeep;
mod value;
mod versions;
#[cfg(feature = "server")]
mod webhooks;

pub use actor::{Actor, Via};
pub use answer_form::AnswerForm;
pub use approvals::{AnswerDeadline, Approval, ApprovalInput, approval, approvals};
pub use assets::{AssetDags, AssetDocument, asset, assets, dags_of_assets};
pub use audit::{
    Action, AuditEntry, AuditList, AuditPages, AuditQuery, AuditTarget, Outcome, acting_as, acting_as_member, audit,
    audit_refusal,
};
#[cfg(feature = "server")]
pub(crate) use audit::{Client, Membership, acting_from};
pub use backfill_preview::{BackfillFateCount, BackfillOverlap, BackfillPreview, BackfillTotals, preview_backfill};
pub use backfill_slots::{BackfillSlot, BackfillSlots, backfill_slots};
pub use backfill_status::{BackfillRun, BackfillStatus, backfill_status, list_backfills};
#[cfg(feature = "server")]
pub(crate) use backfills::invalid_params;
#[cfg(feature = "testing")]
pub(crate) use backfills::resume_backfill_of;
pub(crate) use backfills::run_of_backfill;
pub use backfills::{
    CancelledBackfill, ExtendedBackfill, StartedBackfill, cancel_backfill, extend_backfill, limit_backfill,
    pause_backfill, resume_backfill, retry_backfill, start_backfill,
};
pub use cancel::{
    CancelPreview, CancelledRun, ExternalJob, ExternalJobState, cancel, cancel_and_wait, cancel_previewed,
    preview_cancel,
};
pub(crate) use clear::reprocess;
pub use clear::{ClearPreview, Cleared, Rerun, clear, clear_and_run, clear_previewed, preview_clear, would_clear};
pub use condition::{Condition, ConditionKind};
pub(crate) use consumers::raw as raw_event;
pub use consumers::{ConsumerInput, ConsumerStatus, consumers, seen_event, stored_events};
pub use dag_document::{DagDocument, ParamDocument, dag};
pub use dags::{DagStatus, LastRun, dags};
pub use deadline_list::{DeadlineList, DueDeadline, MissedSlotDeadline, deadlines};
pub(crate) use deadlines::{DueSlots, due_slots};
pub use deadlines::{history, missed_deadlines};
pub use deliveries::{FailedDelivery, deliveries};
#[cfg(feature = "sqlite")]
pub use doctor::doctor;
pub use doctor::{Diagnosis, Finding, FindingKind, Severity};
pub use elements::{
    Bar, Durations, Element, ElementFailures, ElementList, ElementQuery, ElementsSummary, StateCount, elements,
    elements_summary, is_mapped,
};
pub use emit_preview::{EmitEffect, EventEffect, preview_emit};
pub use error::OpsError;
pub(crate) use event_groups::GroupReader;
pub use events::{
    AssetEmission, EventDocument, EventQuery, NewAssetEvent, RunEmissions, emit, emitted_by, event, events,
};
#[cfg(feature = "server")]
pub(crate) use events::{check_asset, events_after};
#[cfg(feature = "sqlite")]
pub use home::Home;
pub use lineage::{Lineage, LineageRun, lineage};
pub use list::{RunCount, RunList, RunSummaryDocument, count_runs, list_runs};
pub use mark::{Mark, MarkPreview, Marked, mark, mark_previewed, preview_mark};
#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "for the metrics of the server"))]
pub(crate) use pools::pools;
pub use pools::{LimitStatus, PoolStatus, QueuedRunStatus, SlotHolder, SlotWaiter, limits};
pub use prune_preview::{PrunePreview, preview_prune};
pub use prune_run::prune_run;
pub use pruned_dag::pruned_dag;
pub use queue_wait::{QueueWait, QueuedDag, queue_wait};
pub use reason::Reason;
pub use replay::{Replayed, replay};
#[cfg(feature = "server")]
pub(crate) use respondents::Respondent;
pub(crate) use resume::resume_unattended;
pub use resume::{interrupted, resume};
pub use retry::{preview_retry, retry, retry_previewed};
pub use run_events::{NeighbourRun, RunEvents, run_events};
pub use run_export::{RunListFormat, RunPages};
#[cfg(feature = "server")]
pub(crate) use schedule_lag::ScheduleStates;
#[cfg(feature = "cli")]
pub(crate) use schedules::schedule_note;
pub use schedules::{NextSlot, NextSlots, ResetSchedule, next_slots, pause, pause_of, reset_schedule, unpause};
pub use send_event::{SentEvent, send_event};
pub(crate) use served::{SERVE_DAGS, SERVE_LIMIT, SERVE_LOCK};
pub use served::{ServingProcess, serving_process};
pub use settings::{
    DEFAULT_GRACE, DEFAULT_MAX_ACTIVE_RUNS, durability, engine, fail_fast, grace, max_active_runs, sync_mode,
};
pub use similar_failures::{SimilarFailures, similar_failures};
#[cfg(feature = "server")]
pub(crate) use situation::active_runs;
pub(crate) use situation::{
    ActiveEventRuns, CONSUMING, Counting, active_event_runs_of_dags, active_runs_of_dags, failures, is_counted,
    runs_of_backfills, runs_of_dags, unsuccessful,
};
#[cfg(feature = "server")]
pub(crate) use slot_counts::slot_counts;
#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "for the grid of the server"))]
pub(crate) use slot_span::slots_without_runs;
pub use slot_span::{CalendarDay, CalendarMonth, SlotSpan, SlotStatus, calendar, past_intervals, slots_between};
pub use slots::{PastSlots, SlotQuery, SlotTimes, past_slots, slots};
pub use start::{Draft, draft, draft_of_interval, start, trigger};
pub use status::{AttemptStatus, GroupRetry, RunStatus, TaskStatus};
#[cfg(feature = "server")]
pub(crate) use triggered::bounded as bounded_triggered;
pub use triggered::{TriggeredRun, triggered_runs};
#[cfg(feature = "sqlite")]
pub use upkeep::check;
pub use upkeep::{
    Checked, Pruned, Vacuumed, prune, prune_previewed, vacuum, would_prune, would_prune_audit, would_prune_events,
};
pub use value::{ValueDocument, ValuePreview, ValuePreviews, value, value_preview, value_previews, values};
pub use versions::{DagVersion, versions};
#[cfg(feature = "server")]
pub(crate) use webhooks::check_webhooks;

/// For fuzzing: reads a text as rows of the audit trail and of accounts.
pub(crate) fn read_any(text: &str) {
    audit::read_any(text);
    #[cfg(feature = "server")]
    accounts::read_any(text);
}
