//! What changes runs, schedules and backfills.
//!
//! A verb that runs tasks in this process has no counterpart here: a service is asked to run them,
//! by a method of the [`Client`].

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::reads::given;
use super::{Client, Events, Source, own_dag, segment};
use crate::base::{Interval, Timestamp};
use crate::cli::error::CliError;
use crate::cli::schedules;
use crate::journal::{Note, Prune, TaskFilter};
use crate::log::LogLevel;
use crate::ops::{
    self, AssetEmission, BackfillPreview, BackfillStatus, CancelPreview, CancelledBackfill, CancelledRun, ClearPreview,
    Cleared, ExtendedBackfill, MarkPreview, Marked, NewAssetEvent, PastSlots, Pruned, ResetSchedule, RunStatus,
    RunSummaryDocument, SentEvent, StartedBackfill,
};
use crate::schedule::{BackfillRequest, Catchup, Pause, Unpause};
use crate::store::SyncMode;

/// A run that a service is asked to start.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct TriggerAsked {
    /// The given texts of parameters, by name.
    pub(in crate::cli) params: BTreeMap<String, Vec<String>>,
    pub(in crate::cli) logical_date: Option<Timestamp>,
    pub(in crate::cli) interval: Option<Interval>,
}

/// The tasks that a service is asked to clear, as the flags name them.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct ClearAsked {
    /// All, if there is none.
    pub(in crate::cli) tasks: Option<Vec<String>>,
    pub(in crate::cli) failed: bool,
    pub(in crate::cli) upstream: bool,
    pub(in crate::cli) downstream: bool,
}

/// A backfill as the flags describe it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct BackfillAsked {
    pub(in crate::cli) dag: String,
    /// The slots, as they were typed.
    pub(in crate::cli) slots: Vec<String>,
    /// The same as this program understands it, if it has the DAG.
    pub(in crate::cli) request: BackfillRequest,
    /// The limit, if a flag gives one.
    pub(in crate::cli) limit: Option<u32>,
}

/// The members of a body about who and why.
fn noted(note: &Note, mut members: Value) -> Value {
    members["by"] = json!(note.by);
    members["reason"] = json!(note.reason);
    members
}

/// Parameters as a body has them: a text, or a list of texts.
fn params(texts: &BTreeMap<String, Vec<String>>) -> Value {
    let value = |texts: &Vec<String>| match &**texts {
        [text] => json!(text),
        texts => json!(texts),
    };
    texts.iter().map(|(name, texts)| (name.clone(), value(texts))).collect::<serde_json::Map<_, _>>().into()
}

impl ClearAsked {
    /// The same for an operation.
    pub(in crate::cli) fn filter(&self) -> TaskFilter {
        let mut filter = self.tasks.clone().map_or_else(TaskFilter::all, TaskFilter::tasks);
        if self.failed {
            filter = filter.failed();
        }
        if self.upstream {
            filter = filter.upstream();
        }
        if self.downstream {
            filter = filter.downstream();
        }
        filter
    }

    fn body(&self) -> Value {
        let ClearAsked { tasks, failed, upstream, downstream } = self;
        json!({ "tasks": tasks, "failed": failed, "upstream": upstream, "downstream": downstream })
    }
}

impl BackfillAsked {
    fn body(&self) -> Value {
        let BackfillRequest { scope, order, seed, as_one_run, params: texts, .. } = &self.request;
        json!({
            "dag": self.dag,
            "slots": self.slots,
            "scope": scope,
            "order": order,
            "seed": seed,
            "limit": self.limit,
            "as_one_run": as_one_run,
            "params": params(texts),
        })
    }
}

impl Source {
    pub(in crate::cli) fn pause(&self, dag: &str, note: &Note, until: Option<Timestamp>) -> Result<Pause, CliError> {
        match self {
            Source::Home(home) => {
                home.wait(ops::pause(&home.create_journal(SyncMode::Full)?, own_dag(dag)?, note, until))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "until": until }));
                client.send("PUT", &format!("/dags/{}/pause", segment(dag)), &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn unpause(
        &self,
        dag: &str,
        note: &Note,
        catchup: Catchup,
        events: Unpause,
    ) -> Result<Vec<PastSlots>, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                home.wait(ops::unpause(&journal, own_dag(dag)?, note, catchup, events))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "catchup": catchup.name(), "events": events.name() }));
                client.send("DELETE", &format!("/dags/{}/pause", segment(dag)), &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn reset_schedule(&self, dag: &str, note: &Note) -> Result<ResetSchedule, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::reset_schedule(&home.journal()?, own_dag(dag)?, note)),
            Source::Server(client) => client.send(
                "POST",
                &format!("/dags/{}/reset-schedule", segment(dag)),
                &[],
                &noted(note, json!({})),
                None,
            ),
        }
    }

    /// What clearing would clear, with a token for exactly that.
    pub(in crate::cli) fn preview_clear(&self, run: &str, asked: &ClearAsked) -> Result<ClearPreview, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::preview_clear(&home.journal()?, run, &asked.filter())),
            Source::Server(client) => preview(client, run, "clear", &asked.body()),
        }
    }

    /// What retrying would clear, with a token for exactly that.
    pub(in crate::cli) fn preview_retry(&self, run: &str) -> Result<Cleared, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::preview_retry(&home.journal()?, run)),
            Source::Server(client) => preview(client, run, "retry", &json!({})),
        }
    }

    /// What marking would change, with a token for exactly that.
    pub(in crate::cli) fn preview_mark(
        &self,
        run: &str,
        tasks: &[String],
        mark: &ops::Mark,
    ) -> Result<MarkPreview, CliError> {
        match self {
            Source::Home(home) => {
                home.wait(ops::preview_mark(&home.journal()?, run, &TaskFilter::tasks(tasks.to_vec()), mark))
            }
            Source::Server(client) => preview(client, run, "mark", &marks(tasks, mark)),
        }
    }

    /// What cancelling would end, with a token for exactly that.
    pub(in crate::cli) fn preview_cancel(&self, run: &str) -> Result<CancelPreview, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::preview_cancel(&home.journal()?, run, Some(home.config()))),
            Source::Server(client) => preview(client, run, "cancel", &json!({})),
        }
    }

    /// Clears tasks without running them.
    pub(in crate::cli) fn only_clear(&self, run: &str, asked: &ClearAsked, note: &Note) -> Result<Cleared, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::clear(&home.journal()?, run, &asked.filter(), note)),
            Source::Server(client) => {
                let mut body = noted(note, asked.body());
                body["run"] = json!(false);
                client.send("POST", &format!("/runs/{}/clear", segment(&client.run_name(run)?)), &[], &body, None)
            }
        }
    }

    /// Cancels a run; with the token of a preview, exactly that. Unless `waits` is unset, waits
    /// until it has ended; `requested` is called once a process was asked to end it.
    pub(in crate::cli) fn cancel(
        &self,
        run: &str,
        token: Option<&str>,
        note: &Note,
        waits: bool,
        requested: impl FnOnce(&CancelledRun) + Send,
    ) -> Result<CancelledRun, CliError> {
        let client = match self {
            Source::Home(home) => {
                let (journal, config) = (home.journal()?, Some(home.config()));
                return match (waits, token) {
                    (true, _) => home.wait(ops::cancel_and_wait(&journal, run, token, note, config, requested)),
                    (false, Some(token)) => home.wait(ops::cancel_previewed(&journal, run, token, note, config)),
                    (false, None) => home.wait(ops::cancel(&journal, run, note, config)),
                };
            }
            Source::Server(client) => client,
        };
        let run = segment(&client.run_name(run)?);
        let cancelled = |client: &Client| -> Result<CancelledRun, CliError> {
            client.send("POST", &format!("/runs/{run}/cancel"), &[], &noted(note, json!({})), token)
        };
        let mut cancelled = cancelled(client)?;
        if waits && cancelled.worker.is_some() {
            requested(&cancelled);
            loop {
                let wait = [("wait", "30s".to_owned())];
                let status: RunStatus = client.get(&format!("/runs/{run}"), &wait)?;
                if !status.state.is_active() {
                    (cancelled.state, cancelled.worker) = (status.state, None);
                    break;
                }
            }
        }
        Ok(cancelled)
    }

    pub(in crate::cli) fn send_event(
        &self,
        run: &str,
        key: &str,
        value: &Value,
        note: &Note,
    ) -> Result<SentEvent, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::send_event(&home.journal()?, run, key, value, note)),
            Source::Server(client) => {
                let body = noted(note, json!({ "key": key, "value": value }));
                client.send("POST", &format!("/runs/{}/release", segment(&client.run_name(run)?)), &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn emit(
        &self,
        asset: &str,
        event: NewAssetEvent,
        note: &Note,
    ) -> Result<AssetEmission, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                let emitted = home.wait(ops::emit(&journal, asset, event, note));
                home.close(&journal);
                emitted
            }
            Source::Server(client) => {
                let NewAssetEvent { payload, partition, key, .. } = event;
                let body = json!({
                    "asset": asset,
                    "payload": payload,
                    "partition": partition,
                    "key": key,
                    "by": note.by,
                });
                client.send("POST", "/events", &[], &body, None)
            }
        }
    }

    pub(in crate::cli) fn preview_backfill(&self, asked: &BackfillAsked) -> Result<BackfillPreview, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.existing_journal()?;
                home.wait(ops::preview_backfill(journal.as_ref(), own_dag(&asked.dag)?, &asked.request))
            }
            Source::Server(client) => {
                client.send("POST", "/backfills", &[("dry_run", "true".to_owned())], &asked.body(), None)
            }
        }
    }

    /// Starts a backfill; with the token of a preview, exactly that.
    pub(in crate::cli) fn start_backfill(
        &self,
        asked: &BackfillAsked,
        token: Option<&str>,
        note: &Note,
    ) -> Result<StartedBackfill, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.create_journal(SyncMode::Full)?;
                home.wait(ops::start_backfill(&journal, own_dag(&asked.dag)?, &asked.request, token, note))
            }
            Source::Server(client) => client.send("POST", "/backfills", &[], &noted(note, asked.body()), token),
        }
    }

    /// `pause`, `resume`.
    pub(in crate::cli) fn set_backfill(
        &self,
        verb: &str,
        number: i64,
        note: &Note,
    ) -> Result<BackfillStatus, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                match verb {
                    "pause" => home.wait(ops::pause_backfill(&journal, number, note)),
                    _ => home.wait(ops::resume_backfill(&journal, number, note)),
                }
            }
            Source::Server(client) => {
                let path = format!("/backfills/{number}/{verb}");
                let status: BackfillStatus = client.send("POST", &path, &[], &noted(note, json!({})), None)?;
                Ok(status.in_own_zone())
            }
        }
    }

    pub(in crate::cli) fn retry_backfill(&self, number: i64, note: &Note) -> Result<StartedBackfill, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::retry_backfill(&home.journal()?, number, note)),
            Source::Server(client) => {
                client.send("POST", &format!("/backfills/{number}/retry"), &[], &noted(note, json!({})), None)
            }
        }
    }

    pub(in crate::cli) fn limit_backfill(
        &self,
        number: i64,
        limit: u32,
        note: &Note,
    ) -> Result<BackfillStatus, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::limit_backfill(&home.journal()?, number, limit, note)),
            Source::Server(client) => {
                let body = noted(note, json!({ "limit": limit }));
                client.send("POST", &format!("/backfills/{number}/limit"), &[], &body, None)
            }
        }
    }

    /// Extends a backfill to a day or a time, which a home understands as `understood` does.
    pub(in crate::cli) fn extend_backfill(
        &self,
        number: i64,
        to: &str,
        note: &Note,
        understood: impl Fn(&str, &BackfillStatus) -> Result<Timestamp, CliError>,
    ) -> Result<ExtendedBackfill, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                let status = home.wait(ops::backfill_status(&journal, number))?;
                home.wait(ops::extend_backfill(&journal, number, understood(to, &status)?, note))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "to": to }));
                let extended: ExtendedBackfill =
                    client.send("POST", &format!("/backfills/{number}/extend"), &[], &body, None)?;
                Ok(ExtendedBackfill { status: extended.status.in_own_zone(), ..extended })
            }
        }
    }

    pub(in crate::cli) fn cancel_backfill(
        &self,
        number: i64,
        running: bool,
        note: &Note,
    ) -> Result<CancelledBackfill, CliError> {
        match self {
            Source::Home(home) => {
                home.wait(ops::cancel_backfill(&home.journal()?, number, running, note, Some(home.config())))
            }
            Source::Server(client) => {
                let body = noted(note, json!({ "running": running }));
                client.send("POST", &format!("/backfills/{number}/cancel"), &[], &body, None)
            }
        }
    }

    /// The process that carries backfills out, if one does.
    pub(in crate::cli) fn serving_process(&self) -> Option<String> {
        match self {
            Source::Home(home) => ops::serving_process(home.path()).ok().flatten().map(|service| service.worker),
            Source::Server(client) => Some(client.shown().to_owned()),
        }
    }

    /// Who paused a DAG, if it has a schedule and is paused.
    pub(in crate::cli) fn pause_of(&self, dag: &str) -> Result<Option<Pause>, CliError> {
        match self {
            Source::Home(home) => {
                let (journal, dag) = (home.journal()?, own_dag(dag)?);
                schedules::pause_of(dag, &journal, home)
            }
            Source::Server(client) => {
                let status: ops::DagStatus = client.get(&format!("/dags/{}", segment(dag)), &[])?;
                Ok(status.pause.filter(|_| status.schedule.is_some()))
            }
        }
    }

    /// The runs that pruning would delete, and how many events; a service does not count events.
    pub(in crate::cli) fn would_prune(&self, prune: &Prune) -> Result<(Vec<RunSummaryDocument>, u64, u64), CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                let runs = home.wait(ops::would_prune(&journal, prune))?;
                let events = home.wait(ops::would_prune_events(&journal, prune))?;
                let audit = home.wait(ops::would_prune_audit(&journal, prune))?;
                Ok((runs.iter().map(RunSummaryDocument::of).collect(), events, audit))
            }
            Source::Server(client) => {
                let runs =
                    client.send("POST", "/db/prune", &[("dry_run", "true".to_owned())], &prune_body(prune), None)?;
                Ok((runs, 0, 0))
            }
        }
    }

    pub(in crate::cli) fn prune(&self, prune: &Prune) -> Result<Pruned, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::prune(&home.journal()?, prune, Some(home.config()))),
            Source::Server(client) => client.send("POST", "/db/prune", &[], &prune_body(prune), None),
        }
    }
}

/// Asks a service what a change of a run would do.
fn preview<T: DeserializeOwned>(client: &Client, run: &str, verb: &str, body: &Value) -> Result<T, CliError> {
    let path = format!("/runs/{}/{verb}", segment(&client.run_name(run)?));
    client.send("POST", &path, &[("dry_run", "true".to_owned())], body, None)
}

/// The members of a body about the tasks to mark.
fn marks(tasks: &[String], mark: &ops::Mark) -> Value {
    let mut body = json!({ "state": mark.state.name(), "tasks": tasks });
    if let Some(value) = &mark.value {
        body["value"] = value.clone();
    }
    body
}

fn prune_body(prune: &Prune) -> Value {
    let states: Vec<&str> = prune.states.iter().map(|state| state.name()).collect();
    json!({
        "older_than": format!("{}s", prune.older_than.as_secs()),
        "dag": prune.dag,
        "state": states,
        "audit": prune.audit,
    })
}

impl Client {
    /// Queues a run.
    pub(in crate::cli) fn trigger(&self, dag: &str, asked: &TriggerAsked) -> Result<RunSummaryDocument, CliError> {
        let TriggerAsked { params: texts, logical_date, interval } = asked;
        let body = json!({
            "params": params(texts),
            "logical_date": logical_date,
            "interval_start": interval.map(|interval| interval.start),
            "interval_end": interval.map(|interval| interval.end),
        });
        self.send("POST", &format!("/dags/{}/runs", segment(dag)), &[], &body, None)
    }

    /// Clears tasks, which the service runs; with the token of a preview, exactly that.
    pub(in crate::cli) fn clear(
        &self,
        run: &str,
        asked: &ClearAsked,
        token: Option<&str>,
        note: &Note,
    ) -> Result<Cleared, CliError> {
        let path = format!("/runs/{}/clear", segment(&self.run_name(run)?));
        self.send("POST", &path, &[], &noted(note, asked.body()), token)
    }

    /// Clears failed tasks, which the service runs; with the token of a preview, exactly that.
    pub(in crate::cli) fn retry(&self, run: &str, token: Option<&str>, note: &Note) -> Result<Cleared, CliError> {
        let path = format!("/runs/{}/retry", segment(&self.run_name(run)?));
        self.send("POST", &path, &[], &noted(note, json!({})), token)
    }

    /// Sets the state of tasks; with the token of a preview, exactly that.
    pub(in crate::cli) fn mark(
        &self,
        run: &str,
        tasks: &[String],
        mark: &ops::Mark,
        token: Option<&str>,
        note: &Note,
    ) -> Result<Marked, CliError> {
        let body = noted(note, marks(tasks, mark));
        self.send("POST", &format!("/runs/{}/mark", segment(&self.run_name(run)?)), &[], &body, token)
    }

    /// Continues a run.
    pub(in crate::cli) fn resume(&self, run: &str) -> Result<RunSummaryDocument, CliError> {
        self.send("POST", &format!("/runs/{}/resume", segment(&self.run_name(run)?)), &[], &json!({}), None)
    }

    /// The lines of the logs of a run, by time.
    pub(in crate::cli) fn log(
        &self,
        run_id: &str,
        task: Option<&str>,
        attempt: Option<u32>,
    ) -> Result<String, CliError> {
        let query = given([("task", task.map(str::to_owned)), ("attempt", attempt.map(|attempt| attempt.to_string()))]);
        self.text(&format!("/runs/{}/log", segment(run_id)), &query)
    }

    /// The same lines as events, several in each, and new ones until the run has ended.
    pub(in crate::cli) fn follow_log(
        &self,
        run_id: &str,
        task: Option<&str>,
        attempt: Option<u32>,
        level: LogLevel,
    ) -> Events<'_> {
        let query = given([
            ("follow", Some("true".to_owned())),
            ("task", task.map(str::to_owned)),
            ("attempt", attempt.map(|attempt| attempt.to_string())),
            ("level", Some(level.as_str().to_ascii_lowercase())),
        ]);
        self.events(format!("/runs/{}/log", segment(run_id)), query)
    }
}
