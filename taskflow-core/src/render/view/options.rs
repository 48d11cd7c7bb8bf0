//! Options as a list of those that were set.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::base::units;
use crate::dag::{DagOptions, NodeOptions, Teardown};
use crate::render::text;
use crate::task::{
    Backoff, CallbackKind, Callbacks, Deadline, DeadlineReference, Isolation, RetryPolicy, SensorPolicy, TaskOptions,
    TriggerRule, Waiting,
};

/// Options that differ from the defaults, by the names they have in `#[task(..)]` and `#[dag(..)]`. As JSON an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionList(Vec<(&'static str, Value)>);

impl OptionList {
    /// Whether everything is as by default.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The options, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    fn push(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    fn push_some(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// Who is told of what.
    fn told(&mut self, callbacks: &Callbacks) {
        for occasion in CallbackKind::ALL {
            let name = match occasion {
                CallbackKind::Success => "on_success",
                CallbackKind::Failure => "on_failure",
                CallbackKind::Retry => "on_retry",
                CallbackKind::Skip => "on_skip",
                CallbackKind::DeadlineMissed => "on_deadline_missed",
            };
            self.push_some(name, callbacks.on(occasion).map(|callback| callback.notifier().name()));
        }
    }

    // The structs are taken apart by name: an option that is added later cannot be forgotten here.

    pub(super) fn of_dag(options: &DagOptions) -> Self {
        let DagOptions {
            schedule,
            timezone,
            start,
            end,
            catchup,
            max_active_runs,
            max_active_tasks,
            timeout,
            fail_fast,
            retries,
            retry_delay,
            deadline,
            callbacks,
            tags,
            task_defaults,
        } = *options;
        let mut list = OptionList::default();
        list.push_some("schedule", schedule);
        list.push_some("timezone", timezone);
        list.push_some("start", start);
        list.push_some("end", end);
        list.push_some("catchup", catchup.then_some(true));
        list.push_some("max_active_runs", max_active_runs);
        list.push_some("max_active_tasks", max_active_tasks);
        list.push_some("timeout", timeout.map(text::duration));
        list.push_some("fail_fast", fail_fast.then_some(true));
        list.push_some("retries", retries);
        list.push_some("retry_delay", retry_delay.map(text::duration));
        list.push_some("deadline", deadline.map(deadline_text));
        list.told(&callbacks);
        list.push_some("tags", (!tags.is_empty()).then(|| tags.to_vec()));
        let defaults = OptionList::of_defaults(&task_defaults);
        if !defaults.is_empty() {
            list.push(
                "task_defaults",
                serde_json::Map::from_iter(defaults.0.into_iter().map(|(k, v)| (k.to_owned(), v))),
            );
        }
        list
    }

    fn of_defaults(options: &TaskOptions) -> Self {
        let TaskOptions {
            retries,
            retry_delay,
            backoff,
            max_retry_delay,
            timeout,
            pool,
            pool_slots,
            priority,
            trigger_rule,
            // Not among the defaults of a DAG.
            executor: _,
            sensor: _,
            callbacks,
            tags,
        } = *options;
        let mut list = OptionList::default();
        list.push_some("retries", retries);
        list.push_some("retry_delay", retry_delay.map(text::duration));
        list.push_some("backoff", backoff.map(backoff_text));
        list.push_some("max_retry_delay", max_retry_delay.map(text::duration));
        list.push_some("timeout", timeout.map(text::duration));
        list.push_some("pool", pool);
        list.push_some("pool_slots", pool_slots);
        list.push_some("priority", priority);
        list.push_some("trigger_rule", trigger_rule.map(TriggerRule::name));
        list.told(&callbacks);
        list.push_some("tags", (!tags.is_empty()).then(|| tags.to_vec()));
        list
    }

    /// With what belongs to the task or to its place in the graph, and not to the call.
    pub(super) fn of_place(mut self, isolation: Option<Isolation>, is_setup: bool) -> Self {
        if let Some(isolation) = isolation {
            self.push("isolation", "process");
            self.push_some("memory", isolation.memory.map(units::bytes));
        }
        self.push_some("setup", is_setup.then_some(true));
        self
    }

    pub(super) fn of_node(options: &NodeOptions) -> Self {
        let NodeOptions {
            retry: RetryPolicy { retries, delay, backoff, max_delay },
            timeout,
            pool,
            pool_slots,
            priority,
            trigger_rule,
            executor,
            teardown,
            waiting,
            callbacks,
            sensor,
            tags,
        } = *options;
        let other = |value: Duration, default: Duration| (value != default).then(|| text::duration(value));
        let mut list = OptionList::default();
        list.push_some("deferrable", (waiting == Waiting::Deferrable).then_some(true));
        list.push_some("retries", (retries != 0).then_some(retries));
        list.push_some("retry_delay", other(delay, RetryPolicy::DEFAULT_DELAY));
        list.push_some("backoff", (backoff != Backoff::default()).then(|| backoff_text(backoff)));
        list.push_some("max_retry_delay", other(max_delay, RetryPolicy::DEFAULT_MAX_DELAY));
        list.push_some(if sensor.is_some() { "execution_timeout" } else { "timeout" }, timeout.map(text::duration));
        if let Some(SensorPolicy { poke_interval, backoff, max_poke_interval, timeout, soft_fail }) = sensor {
            list.push_some("poke_interval", other(poke_interval, SensorPolicy::DEFAULT_POKE_INTERVAL));
            list.push_some("backoff", (backoff != Backoff::default()).then(|| backoff_text(backoff)));
            list.push_some("max_poke_interval", other(max_poke_interval, RetryPolicy::DEFAULT_MAX_DELAY));
            list.push_some("timeout", other(timeout, SensorPolicy::DEFAULT_TIMEOUT));
            list.push_some("soft_fail", soft_fail.then_some(true));
        }
        list.push_some("executor", executor.map(|executor| executor.to_string()));
        list.push_some("pool", pool);
        list.push_some("pool_slots", (pool_slots != 1).then_some(pool_slots));
        list.push_some("priority", (priority != 0).then_some(priority));
        // The rule of a teardown follows from its being one.
        let rule = (trigger_rule != TriggerRule::default() && teardown.is_none()).then_some(trigger_rule.name());
        list.push_some("trigger_rule", rule);
        list.push_some("teardown", teardown.is_some().then_some(true));
        list.push_some("on_failure_fail_run", (teardown == Some(Teardown::FailsRun)).then_some(true));
        list.told(&callbacks);
        list.push_some("tags", (!tags.is_empty()).then(|| tags.to_vec()));
        list
    }
}

fn backoff_text(backoff: Backoff) -> String {
    match backoff {
        Backoff::Constant => "constant".to_owned(),
        Backoff::Exponential { factor } => format!("exponential x{factor}"),
    }
}

fn deadline_text(Deadline { after, reference, .. }: Deadline) -> String {
    let reference = match reference {
        DeadlineReference::LogicalDate => "logical_date",
        DeadlineReference::Queued => "queued",
        DeadlineReference::Started => "start",
    };
    format!("{} after {reference}", text::duration(after))
}

impl Serialize for OptionList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
