//! Metrics in the text format of Prometheus.
//!
//! - Counters and histograms are kept here, from the events of the service and the requests.
//! - Gauges are read from the store when somebody asks for the metrics; so are the attempts of the
//!   runs that have ended since ([`tasks`]), and the events that were stored since ([`events`]).
//!
//! Labels are ids of DAGs, names of assets, states, and the paths of routes with their names in
//! braces. Of DAGs there are at most [`DAGS`], and of assets [`ASSETS`]; further ones are `other`.
//! Ids of runs and tasks are no labels.

mod events;
mod process;
mod queues;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

use super::ServerState;
use super::problem::Problem;
use crate::asset::Assets;
use crate::base::{Histogram, Timestamp};
use crate::log;
use crate::ops::{self, ScheduleStates};
use crate::run::RunState;
use crate::schedule::Note;
use crate::service::ServiceEvent;
use crate::store::RunFilter;

/// The most values of a label `dag`.
const DAGS: usize = 1_000;
/// The most values of a label `asset`.
const ASSETS: usize = 1_000;

/// The metrics of a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    series: Mutex<Series>,
    ended: Mutex<tasks::Ended>,
    /// The number of the last event that is counted.
    counted_event: tokio::sync::Mutex<i64>,
    /// Whether the store was in trouble when the service last used it.
    in_trouble: AtomicBool,
}

#[derive(Debug, Default)]
struct Series {
    /// By name and labels.
    counters: BTreeMap<(&'static str, String), u64>,
    histograms: BTreeMap<(&'static str, String), Histogram>,
    dags: BTreeSet<String>,
    assets: BTreeSet<String>,
    /// The DAGs whose schedules have noted that the clock went back, since it was last counted.
    clock_noted_by: BTreeSet<&'static str>,
}

impl Series {
    fn count(&mut self, name: &'static str, labels: String, by: u64) {
        *self.counters.entry((name, labels)).or_default() += by;
    }

    fn observe(&mut self, name: &'static str, labels: String, value: Duration) {
        self.histograms.entry((name, labels)).or_insert_with(Histogram::of_seconds).observe(value.as_secs_f64());
    }

    /// Counts that the clock went back, once for all schedules: each of them notes it once, and
    /// again only when the clock has been there again in between.
    fn clock_went_back(&mut self, dag: &'static str) {
        if self.clock_noted_by.is_empty() || self.clock_noted_by.contains(dag) {
            self.clock_noted_by.clear();
            self.count("taskflow_clock_went_back_total", labels(&[]), 1);
        }
        self.clock_noted_by.insert(dag);
    }

    /// The value of the label for a DAG.
    fn dag(&mut self, dag: &str) -> String {
        among(&mut self.dags, DAGS, dag)
    }

    /// The value of the label for an asset.
    fn asset(&mut self, asset: &str) -> String {
        among(&mut self.assets, ASSETS, asset)
    }
}

/// The name, if it is one of the first so many; `other` otherwise.
fn among(known: &mut BTreeSet<String>, most: usize, name: &str) -> String {
    if known.contains(name) || known.len() < most {
        known.insert(name.to_owned());
        return name.to_owned();
    }
    "other".to_owned()
}

impl Metrics {
    /// The metrics of a server that starts when the last event has this number. The events of the
    /// assets of the program are counted from 0, so that the first one is seen to come.
    pub(super) fn new(last_event: i64) -> Self {
        let metrics = Metrics { inner: Arc::new(Inner { counted_event: last_event.into(), ..Inner::default() }) };
        let mut series = metrics.series();
        for asset in Assets::all() {
            let asset = series.asset(asset.name);
            series.count("taskflow_events_total", labels(&[("asset", &asset)]), 0);
        }
        drop(series);
        metrics
    }

    fn series(&self) -> std::sync::MutexGuard<'_, Series> {
        self.inner.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, tasks::Ended> {
        self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store was in trouble when the service last used it.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.inner.in_trouble.load(Ordering::Relaxed)
    }

    /// Counts a request.
    pub(super) fn request(&self, method: &str, path: &str, status: StatusCode, took: Duration) {
        let class = status.as_u16() / 100;
        let mut series = self.series();
        let route = labels(&[("method", method), ("route", path)]);
        let with_status = labels(&[("method", method), ("route", path), ("status", &format!("{class}xx"))]);
        series.count("taskflow_http_requests_total", with_status, 1);
        series.observe("taskflow_http_request_seconds", route, took);
    }

    /// Counts an attempt to log in: `succeeded`, `failed`, or `limited`, which was not looked at.
    pub(super) fn log_in(&self, outcome: &str) {
        self.series().count("taskflow_log_ins_total", labels(&[("outcome", outcome)]), 1);
    }

    /// Counts a delivery to a webhook of the configuration, or to `other`.
    pub(super) fn delivery(&self, webhook: &str, outcome: &'static str) {
        let labels = labels(&[("webhook", webhook), ("outcome", outcome)]);
        self.series().count("taskflow_webhook_deliveries_total", labels, 1);
    }

    /// Counts a request that was refused because there were too many.
    pub(super) fn limited(&self) {
        self.series().count("taskflow_http_requests_limited_total", labels(&[]), 1);
    }

    /// Counts a stream whose reader was away for too long.
    pub(super) fn reset(&self) {
        self.series().count("taskflow_sse_resets_total", labels(&[]), 1);
    }

    /// Counts a costly request that found no turn in time.
    pub(super) fn busy(&self) {
        self.series().count("taskflow_http_requests_busy_total", labels(&[]), 1);
    }

    /// Counts what the service did.
    pub(super) fn observe(&self, event: &ServiceEvent) {
        let mut series = self.series();
        match event {
            ServiceEvent::Due { dag, late, .. } => {
                let dag = series.dag(dag);
                series.count("taskflow_slots_total", labels(&[("dag", &dag), ("outcome", "run")]), 1);
                series.observe("taskflow_slot_to_run_seconds", labels(&[]), *late);
            }
            ServiceEvent::Recorded { dag, record, .. } => {
                let dag = series.dag(dag);
                let labels = labels(&[("dag", &dag), ("outcome", record.fate.name())]);
                series.count("taskflow_slots_total", labels, record.count);
            }
            ServiceEvent::Started { run, resumed: false, .. } => {
                let delay = Timestamp::now().since(run.created);
                series.observe("taskflow_run_start_delay_seconds", labels(&[]), delay);
            }
            ServiceEvent::Ended { number, dag_id, state, started, took } => {
                self.ended().push(*number, *started);
                let dag = series.dag(dag_id);
                let labels = labels(&[("dag", &dag), ("state", state.name())]);
                series.count("taskflow_runs_total", labels.clone(), 1);
                series.observe("taskflow_run_duration_seconds", labels, *took);
            }
            ServiceEvent::Noted { dag, note: Note::DeadlineMissed(missed), .. } => {
                let dag = series.dag(dag);
                series.count("taskflow_deadlines_missed_total", labels(&[("dag", &dag)]), missed.count);
            }
            ServiceEvent::Watched { source, count, .. } => {
                series.count("taskflow_watcher_events_total", labels(&[("watcher", source)]), *count as u64);
            }
            ServiceEvent::WatchFailed { source, .. } => {
                series.count("taskflow_watcher_errors_total", labels(&[("watcher", source)]), 1);
            }
            ServiceEvent::Noted { dag, note: Note::ClockWentBack { .. }, .. } => series.clock_went_back(dag),
            ServiceEvent::ClockBehind { .. } => series.count("taskflow_clock_went_back_total", labels(&[]), 1),
            ServiceEvent::Trouble { .. } => self.inner.in_trouble.store(true, Ordering::Relaxed),
            ServiceEvent::Recovered { .. } => self.inner.in_trouble.store(false, Ordering::Relaxed),
            _ => {}
        }
    }

    /// All metrics as text.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(super) async fn expose(&self, state: &ServerState) -> Result<String, Problem> {
        let mut text = Exposition::default();
        let build = labels(&[("version", env!("CARGO_PKG_VERSION"))]);
        text.gauge("taskflow_build_info", "The version of taskflow.", [(build, 1.0)]);
        let turn = state.handle.last_turn().map(|turn| (labels(&[]), seconds(turn)));
        text.gauge("taskflow_scheduler_last_tick_timestamp_seconds", "When the service last looked for work.", turn);
        self.schedules(state, &mut text).await?;
        let polls = state.handle.last_polls().into_iter();
        let polls = polls.map(|(source, last)| (labels(&[("watcher", &source)]), seconds(last)));
        let help = "When the watcher has last looked at its source, or was told of something new.";
        text.gauge("taskflow_watcher_last_poll_timestamp_seconds", help, polls);
        let clients = state.streams.open() as f64;
        text.gauge("taskflow_sse_clients", "Open streams of server-sent events.", [(labels(&[]), clients)]);
        self.gauges(state, &mut text).await?;
        self.count_attempts(state).await?;
        self.count_events(&state.journal).await?;
        let bytes = |value: Option<u64>| value.map(|value| (labels(&[]), value as f64));
        text.gauge("taskflow_journal_bytes", "The size of the store.", bytes(state.home.store_bytes()));
        let help = "What is left for the home in its file system.";
        text.gauge("taskflow_disk_free_bytes", help, bytes(state.home.free_space()));
        let batches = state.service.batches();
        text.histogram(
            "taskflow_journal_batch_seconds",
            "How long the store took for a batch.",
            [("", &batches.seconds)],
        );
        text.histogram("taskflow_journal_batch_entries", "How many entries a batch had.", [("", &batches.entries)]);
        if let Some(tls) = &state.options.tls {
            let help = "When the certificate of the server expires.";
            let expires = tls.expires().map(|expires| (labels(&[]), seconds(expires)));
            text.gauge("taskflow_tls_certificate_expiry_timestamp_seconds", help, expires);
        }
        let help = "Records that were not logged because their attempt emitted them too fast.";
        text.counter("taskflow_log_dropped_total", help, [(labels(&[]), log::dropped_records())]);
        process::expose(&mut text);
        let series = self.series();
        for &(name, help) in &COUNTERS {
            let of_name = series.counters.iter().filter(|((known, _), _)| *known == name);
            text.counter(name, help, of_name.map(|((_, labels), value)| (labels.clone(), *value)));
        }
        for &(name, help) in &HISTOGRAMS {
            let of_name = series.histograms.iter().filter(|((known, _), _)| *known == name);
            text.histogram(name, help, of_name.map(|((_, labels), value)| (labels.as_str(), value)));
        }
        Ok(text.0)
    }

    /// The gauges about slots that are due.
    async fn schedules(&self, state: &ServerState, text: &mut Exposition) -> Result<(), Problem> {
        let states = ScheduleStates::read(&state.journal, &state.dags).await?;
        let lag = states.oldest_undecided().map_or(0.0, |due| state.journal.now().since(due).as_secs_f64());
        let help = "How long the slot is due that waits for the longest time for a decision; 0 if none is.";
        text.gauge("taskflow_scheduler_lag_seconds", help, [(labels(&[]), lag)]);
        let mut waiting: BTreeMap<String, f64> = BTreeMap::new();
        for ((dag, wait), slots) in states.waiting() {
            let dag = self.series().dag(dag);
            *waiting.entry(labels(&[("dag", &dag), ("because", wait.name())])).or_default() += slots as f64;
        }
        text.gauge("taskflow_slots_waiting", "Slots that are due and wait; 1000 stands for more.", waiting);
        Ok(())
    }

    /// Counts the attempts of the runs that have ended since somebody last asked.
    async fn count_attempts(&self, state: &ServerState) -> Result<(), Problem> {
        let ended = self.ended().take();
        for (number, since) in ended {
            if let Some((run, waits)) = tasks::ended(&state.journal, number, since).await? {
                let mut series = self.series();
                series.attempts(&run, since);
                series.waits(waits);
            }
        }
        Ok(())
    }

    async fn gauges(&self, state: &ServerState, text: &mut Exposition) -> Result<(), Problem> {
        let journal = &state.journal;
        let (mut paused, mut pending, mut next, mut succeeded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for dag in ops::dags(Some(journal), &state.dags).await?.into_iter().take(DAGS) {
            let label = labels(&[("dag", &dag.dag_id)]);
            paused.push((label.clone(), f64::from(u8::from(dag.pause.is_some()))));
            pending.extend(dag.pending_events.map(|count| (label.clone(), count as f64)));
            next.extend(dag.next.map(|next| (label.clone(), seconds(next))));
            let filter = RunFilter {
                dag: Some(dag.dag_id.clone()),
                states: vec![RunState::Success],
                limit: Some(1),
                ..RunFilter::default()
            };
            let last = journal.runs(&filter).await?.into_iter().next().and_then(|run| run.ended);
            succeeded.extend(last.map(|ended| (label, seconds(ended))));
        }
        text.gauge("taskflow_dag_paused", "Whether the DAG is paused.", paused);
        text.gauge("taskflow_dag_next_slot_timestamp_seconds", "The next slot of the DAG.", next);
        let help = "When the last successful run of the DAG ended.";
        text.gauge("taskflow_run_last_success_timestamp_seconds", help, succeeded);
        text.gauge("taskflow_events_pending", "Events that are pending for the DAG.", pending);
        let states = vec![RunState::Queued, RunState::Running, RunState::Interrupted];
        let mut open: BTreeMap<String, f64> = BTreeMap::new();
        for run in journal.runs(&RunFilter { states, ..RunFilter::default() }).await? {
            let dag = self.series().dag(&run.info.dag_id);
            *open.entry(labels(&[("dag", &dag), ("state", run.state.name())])).or_default() += 1.0;
        }
        text.gauge("taskflow_runs", "Runs that have not ended, by state.", open);
        queues::expose(state, text).await?;
        let undelivered = journal.undelivered().await?;
        let help = "Runs with callbacks that have not been delivered.";
        text.gauge("taskflow_deliveries_pending", help, [(labels(&[]), undelivered as f64)]);
        let mut slots = Vec::new();
        for backfill in ops::list_backfills(journal, None, None, Some(100)).await? {
            let number = backfill.number.to_string();
            let open = [("pending", backfill.pending), ("active", backfill.active.len() as u64)];
            if open.iter().all(|(_, count)| *count == 0) {
                continue;
            }
            slots.extend(open.map(|(fate, count)| (labels(&[("backfill", &number), ("fate", fate)]), count as f64)));
        }
        text.gauge("taskflow_backfill_slots", "Slots of backfills that have not ended.", slots);
        Ok(())
    }
}

const COUNTERS: [(&str, &str); 14] = [
    ("taskflow_slots_total", "Slots by what became of them."),
    ("taskflow_runs_total", "Runs of this service that have ended, by state."),
    ("taskflow_task_attempts_total", "Attempts of tasks in runs of this service that have ended."),
    ("taskflow_deadlines_missed_total", "Slots that have missed their deadlines."),
    ("taskflow_events_total", "Events that were stored, by asset."),
    ("taskflow_watcher_events_total", "Events that watchers have stored."),
    ("taskflow_watcher_errors_total", "Failures of watchers."),
    ("taskflow_webhook_deliveries_total", "Deliveries to webhooks, by what became of them."),
    ("taskflow_clock_went_back_total", "How often the clock was behind the schedules."),
    ("taskflow_http_requests_limited_total", "Requests that were refused because somebody sent too many."),
    ("taskflow_http_requests_busy_total", "Costly requests that were refused because others took too long."),
    ("taskflow_http_requests_total", "HTTP requests by route and class of status."),
    ("taskflow_sse_resets_total", "Streams of changes whose reader was away for too long."),
    ("taskflow_log_ins_total", "Attempts to log in by outcome."),
];

const HISTOGRAMS: [(&str, &str); 6] = [
    ("taskflow_slot_to_run_seconds", "From a slot to its stored run."),
    ("taskflow_run_start_delay_seconds", "From the creation of a run to its start."),
    ("taskflow_run_duration_seconds", "How long runs took."),
    ("taskflow_task_duration_seconds", "How long attempts of tasks took."),
    ("taskflow_task_queue_seconds", "How long tasks were ready before they started."),
    ("taskflow_http_request_seconds", "How long HTTP requests took."),
];

/// The text format.
#[derive(Debug, Default)]
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn gauge(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (String, f64)>) {
        self.head(name, "gauge", help);
        for (labels, value) in values {
            self.line(format_args!("{name}{} {value}", braced(&labels)));
        }
    }

    fn counter(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (String, impl fmt::Display)>) {
        self.head(name, "counter", help);
        for (labels, value) in values {
            self.line(format_args!("{name}{} {value}", braced(&labels)));
        }
    }

    fn histogram<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (&'a str, &'a Histogram)>) {
        self.head(name, "histogram", help);
        for (labels, histogram) in values {
            let Histogram { count, sum, .. } = histogram;
            let comma = if labels.is_empty() { "" } else { "," };
            for (bound, below) in histogram.cumulative() {
                self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}"));
            }
            self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}"));
            self.line(format_args!("{name}_sum{} {sum}", braced(labels)));
            self.line(format_args!("{name}_count{} {count}", braced(labels)));
        }
    }
}

/// Labels without the braces, escaped: `dag="daily",state="failed"`
fn labels(labels: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    labels.collect::<Vec<_>>().join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(labels(&[("dag", "a\"b\\c\nd"), ("state", "x")]), r#"dag="a\"b\\c\nd",state="x""#);
    }

    #[test]
    fn a_histogram_counts_what_is_below_each_bound() {
        let mut histogram = Histogram::of_seconds();
        [0.0005, 0.002, 0.002, 1e9].into_iter().for_each(|value| histogram.observe(value));
        let mut text = Exposition::default();
        text.histogram("x_seconds", "Help.", [("a=\"b\"", &histogram)]);
        for line in [
            "# TYPE x_seconds histogram",
            "x_seconds_bucket{a=\"b\",le=\"0.001\"} 1",
            "x_seconds_bucket{a=\"b\",le=\"0.004\"} 3",
            "x_seconds_bucket{a=\"b\",le=\"+Inf\"} 4",
            "x_seconds_count{a=\"b\"} 4",
        ] {
            assert!(text.0.lines().any(|known| known == line), "{line}: {}", text.0);
        }
    }

    #[test]
    fn the_label_of_a_dag_has_a_most() {
        let mut series = Series::default();
        let labels: BTreeSet<String> = (0..DAGS + 10).map(|dag| series.dag(&format!("dag{dag}"))).collect();
        assert_eq!(labels.len(), DAGS + 1);
        assert!(labels.contains("other") && series.dag("dag0") == "dag0");
    }
}
