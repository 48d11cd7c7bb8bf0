//! Starting runs, and what changes one.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{noted, params};
use crate::base::{Interval, Timestamp};
use crate::cli::error::CliError;
use crate::cli::source::{Client, Source, segment};
use crate::journal::{Note, TaskFilter};
use crate::ops::{
    self, CancelPreview, CancelledRun, ClearPreview, Cleared, MarkPreview, Marked, RunStatus, RunSummaryDocument,
    SentEvent,
};

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

impl Source {
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
}
