//! Options as a list of those that differ from the defaults.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::base::units;
use crate::dag::{DagOptions, NodeOptions, Teardown, dag_options, node_options};
use crate::task::{
    Backoff, CallbackKind, Callbacks, Deadline, Isolation, RetryPolicy, SensorPolicy, TaskOptions, TriggerRule,
    Waiting, task_options,
};

/// Options that differ from the defaults, by the names they have in `#[task(..)]` and `#[dag(..)]`.
/// As JSON an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionList(Vec<(&'static str, Value)>);

impl OptionList {
    /// What a group that is drawn as one node says of itself.
    #[cfg(feature = "server")]
    pub(in crate::render) fn of_group(tasks: usize) -> Self {
        let mut list = OptionList::default();
        list.push("tasks", tasks);
        list
    }

    /// Whether every option has its default.
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

    /// The callbacks of each kind.
    fn callbacks(&mut self, callbacks: &Callbacks) {
        for kind in CallbackKind::ALL {
            let name = match kind {
                CallbackKind::Success => "on_success",
                CallbackKind::Failure => "on_failure",
                CallbackKind::Retry => "on_retry",
                CallbackKind::Skip => "on_skip",
                CallbackKind::DeadlineMissed => "on_deadline_missed",
                CallbackKind::Cancel => "on_cancel",
            };
            self.push_some(name, callbacks.on(kind).map(|callback| callback.notifier().name()));
        }
    }

    /// Adds what belongs to the task or to its place in the graph rather than to the call.
    pub(super) fn of_place(mut self, isolation: Option<Isolation>, is_setup: bool) -> Self {
        if let Some(isolation) = isolation {
            self.push("isolation", "process");
            self.push_some("memory", isolation.memory.map(units::bytes));
        }
        self.push_some("setup", is_setup.then_some(true));
        self
    }
}

macro_rules! dag {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $unset:expr, hash($hash:ident), show($show:ident);
    )*) => {
        impl OptionList {
            pub(super) fn of_dag(options: &DagOptions) -> Self {
                let mut list = OptionList::default();
                $(dag_option::$show(&mut list, stringify!($name), options.$name);)*
                list
            }
        }
    };
}

dag_options!(dag);

macro_rules! defaults {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $unset:expr, merge($merge:ident), hash($hash:ident), show($show:ident);
    )*) => {
        impl OptionList {
            fn of_defaults(options: &TaskOptions) -> Self {
                let mut list = OptionList::default();
                $(task_option::$show(&mut list, stringify!($name), options.$name);)*
                list
            }
        }
    };
}

task_options!(defaults);

macro_rules! node {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $resolve:expr, hash($hash:ident), show($place:literal: $show:ident);
    )*) => {
        impl OptionList {
            pub(super) fn of_node(options: &NodeOptions) -> Self {
                let mut shown: Vec<(u8, OptionList)> = Vec::new();
                $({
                    let mut list = OptionList::default();
                    node_option::$show(&mut list, stringify!($name), options.$name, options);
                    shown.push(($place, list));
                })*
                shown.sort_by_key(|&(place, _)| place);
                OptionList(shown.into_iter().flat_map(|(_, list)| list.0).collect())
            }
        }
    };
}

node_options!(node);

/// How the rows of `dag_options` are shown.
mod dag_option {
    use super::{OptionList, TaskOptions};

    pub(super) use super::task_option::{callbacks, deadline, duration, tags, value};

    pub(super) fn switch(list: &mut OptionList, name: &'static str, value: bool) {
        list.push_some(name, value.then_some(true));
    }

    pub(super) fn name(list: &mut OptionList, name: &'static str, value: Option<impl ToString>) {
        list.push_some(name, value.map(|value| value.to_string()));
    }

    #[allow(clippy::large_types_passed_by_value, reason = "all rows are shown by functions of values")]
    pub(super) fn defaults(list: &mut OptionList, name: &'static str, value: TaskOptions) {
        let defaults = OptionList::of_defaults(&value).0.into_iter();
        let defaults: serde_json::Map<_, _> = defaults.map(|(name, value)| (name.to_owned(), value)).collect();
        list.push_some(name, (!defaults.is_empty()).then_some(defaults));
    }
}

/// How the rows of `task_options` are shown.
mod task_option {
    use super::{Backoff, Callbacks, Deadline, Duration, OptionList, TriggerRule, Value, backoff_text, units};

    pub(super) fn deadline(list: &mut OptionList, name: &'static str, value: Option<Deadline>) {
        list.push_some(name, value.map(|deadline| deadline.to_string()));
    }

    pub(super) fn value(list: &mut OptionList, name: &'static str, value: Option<impl Into<Value>>) {
        list.push_some(name, value);
    }

    pub(super) fn duration(list: &mut OptionList, name: &'static str, value: Option<Duration>) {
        list.push_some(name, value.map(units::duration));
    }

    pub(super) fn backoff(list: &mut OptionList, name: &'static str, value: Option<Backoff>) {
        list.push_some(name, value.map(backoff_text));
    }

    pub(super) fn rule(list: &mut OptionList, name: &'static str, value: Option<TriggerRule>) {
        list.push_some(name, value.map(TriggerRule::name));
    }

    pub(super) fn callbacks(list: &mut OptionList, _name: &'static str, value: Callbacks) {
        list.callbacks(&value);
    }

    pub(super) fn tags(list: &mut OptionList, name: &'static str, value: &[&str]) {
        list.push_some(name, (!value.is_empty()).then(|| value.to_vec()));
    }

    pub(super) fn nothing<T>(_list: &mut OptionList, _name: &'static str, _value: T) {}
}

/// How the rows of `node_options` are shown: what differs from the defaults.
mod node_option {
    use super::{
        Backoff, Callbacks, Deadline, Duration, NodeOptions, OptionList, RetryPolicy, SensorPolicy, Teardown,
        TriggerRule, Value, Waiting, backoff_text, task_option, units,
    };
    use crate::task::{Executor, Respondents};

    fn other(value: Duration, default: Duration) -> Option<String> {
        (value != default).then(|| units::duration(value))
    }

    pub(super) fn value(list: &mut OptionList, name: &'static str, value: Option<impl Into<Value>>, _: &NodeOptions) {
        list.push_some(name, value);
    }

    pub(super) fn waiting(list: &mut OptionList, _name: &'static str, value: Waiting, _: &NodeOptions) {
        list.push_some("deferrable", (value == Waiting::Deferrable).then_some(true));
    }

    pub(super) fn retry(list: &mut OptionList, _name: &'static str, value: RetryPolicy, _: &NodeOptions) {
        let RetryPolicy { retries, delay, backoff, max_delay } = value;
        list.push_some("retries", (retries != 0).then_some(retries));
        list.push_some("retry_delay", other(delay, RetryPolicy::DEFAULT_DELAY));
        list.push_some("backoff", (backoff != Backoff::default()).then(|| backoff_text(backoff)));
        list.push_some("max_retry_delay", other(max_delay, RetryPolicy::DEFAULT_MAX_DELAY));
    }

    pub(super) fn timeout(list: &mut OptionList, name: &'static str, value: Option<Duration>, options: &NodeOptions) {
        // The `timeout` of a sensor limits its search.
        let name = if options.sensor.is_some() { "execution_timeout" } else { name };
        list.push_some(name, value.map(units::duration));
    }

    pub(super) fn duration(list: &mut OptionList, name: &'static str, value: Option<Duration>, _: &NodeOptions) {
        list.push_some(name, value.map(units::duration));
    }

    pub(super) fn sensor(list: &mut OptionList, _name: &'static str, value: Option<SensorPolicy>, _: &NodeOptions) {
        let Some(SensorPolicy { poke_interval, backoff, max_poke_interval, timeout, soft_fail }) = value else {
            return;
        };
        list.push_some("poke_interval", other(poke_interval, SensorPolicy::DEFAULT_POKE_INTERVAL));
        list.push_some("backoff", (backoff != Backoff::default()).then(|| backoff_text(backoff)));
        list.push_some("max_poke_interval", other(max_poke_interval, RetryPolicy::DEFAULT_MAX_DELAY));
        list.push_some("timeout", other(timeout, SensorPolicy::DEFAULT_TIMEOUT));
        list.push_some("soft_fail", soft_fail.then_some(true));
    }

    pub(super) fn executor(list: &mut OptionList, name: &'static str, value: Option<Executor>, _: &NodeOptions) {
        list.push_some(name, value.map(|executor| executor.to_string()));
    }

    pub(super) fn pool_slots(list: &mut OptionList, name: &'static str, value: u32, _: &NodeOptions) {
        list.push_some(name, (value != 1).then_some(value));
    }

    pub(super) fn priority(list: &mut OptionList, name: &'static str, value: i32, _: &NodeOptions) {
        list.push_some(name, (value != 0).then_some(value));
    }

    pub(super) fn trigger_rule(list: &mut OptionList, name: &'static str, value: TriggerRule, options: &NodeOptions) {
        // The rule of a teardown follows from its being one.
        let is_shown = value != TriggerRule::default() && options.teardown.is_none();
        list.push_some(name, is_shown.then_some(value.name()));
    }

    pub(super) fn teardown(list: &mut OptionList, name: &'static str, value: Option<Teardown>, _: &NodeOptions) {
        list.push_some(name, value.is_some().then_some(true));
        list.push_some("on_failure_fail_run", (value == Some(Teardown::FailsRun)).then_some(true));
    }

    pub(super) fn deadline(list: &mut OptionList, name: &'static str, value: Option<Deadline>, _: &NodeOptions) {
        task_option::deadline(list, name, value);
    }

    pub(super) fn callbacks(list: &mut OptionList, name: &'static str, value: Callbacks, _: &NodeOptions) {
        task_option::callbacks(list, name, value);
    }

    pub(super) fn respondents(list: &mut OptionList, _name: &'static str, value: Option<Respondents>, _: &NodeOptions) {
        let Some(Respondents { answered_by, four_eyes }) = value else { return };
        task_option::tags(list, "answered_by", answered_by);
        list.push_some("four_eyes", four_eyes.then_some(true));
    }

    pub(super) fn tags(list: &mut OptionList, name: &'static str, value: &[&str], _: &NodeOptions) {
        task_option::tags(list, name, value);
    }
}

fn backoff_text(backoff: Backoff) -> String {
    match backoff {
        Backoff::Constant => "constant".to_owned(),
        Backoff::Exponential { factor } => format!("exponential x{factor}"),
    }
}

#[cfg(feature = "server")]
impl crate::base::schema::Schema for OptionList {
    fn shape() -> crate::base::schema::Shape {
        crate::base::schema::Shape::Map(<Value as crate::base::schema::Schema>::shape)
    }
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
