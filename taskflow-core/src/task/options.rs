//! The options of a task, which can be set in three places.

use std::time::Duration;

use super::{Backoff, Callbacks, Deadline, Executor, Respondents, SensorOptions, TriggerRule};

/// The table of the options of a task. Each row is one option:
///
/// ```text
/// name: type = not set, merge(how), hash(how), show(how);
/// ```
///
/// - `merge`: how [`TaskOptions::or`] combines two of them: `first` takes the first that is set,
///   `list` the first that is not empty, `nested` merges their parts.
/// - `hash`: when the structural hash of a DAG includes it among the task defaults: `always`,
///   `if_some`, `if_any` or `never`. An option that is added later is `if_some` or `if_any`, so
///   that the hashes of graphs without it stay the same.
/// - `show`: how pictures of a DAG show it among the task defaults, a function of `render`.
///
/// What a node makes of an option is a row of `node_options`, the table of the resolved options.
macro_rules! task_options {
    ($consumer:ident) => {
        $consumer! {
            /// The number of retries. Default 0.
            retries: Option<u32> = None, merge(first), hash(always), show(value);
            /// The wait before the first retry. Default 10 seconds.
            retry_delay: Option<Duration> = None, merge(first), hash(always), show(duration);
            /// How the wait grows. Default [`Backoff::Constant`].
            backoff: Option<Backoff> = None, merge(first), hash(always), show(backoff);
            /// The longest wait. Default 24 hours.
            max_retry_delay: Option<Duration> = None, merge(first), hash(always), show(duration);
            /// How long one attempt may run. Default: no limit.
            timeout: Option<Duration> = None, merge(first), hash(always), show(duration);
            /// How long all attempts may take together. Default: no limit.
            total_timeout: Option<Duration> = None, merge(first), hash(if_some), show(duration);
            /// The pool whose slots it occupies while it runs. Default: none.
            pool: Option<&'static str> = None, merge(first), hash(always), show(value);
            /// How many slots of the pool. Default 1.
            pool_slots: Option<u32> = None, merge(first), hash(always), show(value);
            /// Of the ready tasks, those with the highest priority start first. Default 0.
            priority: Option<i32> = None, merge(first), hash(always), show(value);
            /// The trigger rule for upstreams connected by order alone. Default `all_success`.
            trigger_rule: Option<TriggerRule> = None, merge(first), hash(always), show(rule);
            /// The time by which it should have succeeded.
            deadline: Option<Deadline> = None, merge(first), hash(if_some), show(deadline);
            /// Where its attempts run. Default: in the process of the engine. Not a task default of
            /// a DAG.
            executor: Option<Executor> = None, merge(first), hash(never), show(nothing);
            /// Options of sensors only.
            sensor: SensorOptions = SensorOptions::NONE, merge(nested), hash(always), show(nothing);
            /// The callbacks of the task.
            callbacks: Callbacks = Callbacks::NONE, merge(nested), hash(if_any), show(callbacks);
            /// Tags for searching and filtering.
            tags: &'static [&'static str] = &[], merge(list), hash(always), show(tags);
            /// Connections that the configuration must have when a run starts.
            connections: &'static [&'static str] = &[], merge(list), hash(if_any), show(tags);
            /// Secrets that the configuration must have when a run starts.
            secrets: &'static [&'static str] = &[], merge(list), hash(if_any), show(tags);
            /// Who may answer its question. Set where it asks; not a task default of a DAG.
            respondents: Option<Respondents> = None, merge(first), hash(never), show(nothing);
        }
    };
}
pub(crate) use task_options;

/// The option of two that is in force. `Option::or` is not const.
macro_rules! merged {
    (first, $own:expr, $fallback:expr) => {
        if $own.is_some() { $own } else { $fallback }
    };
    (list, $own:expr, $fallback:expr) => {
        if $own.is_empty() { $fallback } else { $own }
    };
    (nested, $own:expr, $fallback:expr) => {
        $own.or($fallback)
    };
}

macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $unset:expr, merge($merge:ident), hash($hash:ident), show($show:ident);
    )*) => {
        /// Options of a task; `None` means "not set here".
        ///
        /// They come from the call (`extract(day).retries(5)`), from `#[task(..)]` and from the
        /// task defaults of `#[dag(..)]`, in this order of precedence.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct TaskOptions {
            $($(#[$doc])* pub $name: $ty,)*
        }

        impl TaskOptions {
            /// No option set.
            pub const NONE: TaskOptions = TaskOptions { $($name: $unset,)* };

            /// These options, with `fallback` for those that are not set. Tags are only taken from
            /// `fallback` if `self` has none.
            #[must_use]
            pub const fn or(self, fallback: TaskOptions) -> TaskOptions {
                TaskOptions { $($name: merged!($merge, self.$name, fallback.$name),)* }
            }
        }
    };
}

task_options!(define);
