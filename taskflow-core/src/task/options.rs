//! The options of a task, which can be set in three places.

use std::time::Duration;

use super::{Backoff, Callbacks, Executor, SensorOptions, TriggerRule};

/// Options of a task; `None` means "not set here".
///
/// They come from the call (`extract(day).retries(5)`), from `#[task(..)]` and from the task
/// defaults of `#[dag(..)]`, in this order of precedence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskOptions {
    /// The number of retries. Default 0.
    pub retries: Option<u32>,
    /// The wait before the first retry. Default 10 seconds.
    pub retry_delay: Option<Duration>,
    /// How the wait grows. Default [`Backoff::Constant`].
    pub backoff: Option<Backoff>,
    /// The longest wait. Default 24 hours.
    pub max_retry_delay: Option<Duration>,
    /// How long one attempt may run. Default: no limit.
    pub timeout: Option<Duration>,
    /// The pool whose slots it occupies while it runs. Default: none.
    pub pool: Option<&'static str>,
    /// How many slots of the pool. Default 1.
    pub pool_slots: Option<u32>,
    /// Of the ready tasks, those with the highest priority start first. Default 0.
    pub priority: Option<i32>,
    /// The trigger rule for upstreams connected by order alone. Default `all_success`.
    pub trigger_rule: Option<TriggerRule>,
    /// Where its attempts run. Default: in the process of the engine.
    pub executor: Option<Executor>,
    /// Options of sensors only.
    pub sensor: SensorOptions,
    /// The callbacks of the task.
    pub callbacks: Callbacks,
    /// Tags for searching and filtering.
    pub tags: &'static [&'static str],
}

impl TaskOptions {
    /// No option set.
    pub const NONE: TaskOptions = TaskOptions {
        retries: None,
        retry_delay: None,
        backoff: None,
        max_retry_delay: None,
        timeout: None,
        pool: None,
        pool_slots: None,
        priority: None,
        trigger_rule: None,
        executor: None,
        sensor: SensorOptions::NONE,
        callbacks: Callbacks::NONE,
        tags: &[],
    };

    /// These options, with `fallback` for those that are not set. Tags are only taken from
    /// `fallback` if `self` has none.
    #[must_use]
    pub const fn or(self, fallback: TaskOptions) -> TaskOptions {
        // `Option::or` is not const.
        macro_rules! first {
            ($($field:ident),*) => {
                TaskOptions {
                    $($field: if self.$field.is_some() { self.$field } else { fallback.$field },)*
                    sensor: self.sensor.or(fallback.sensor),
                    callbacks: self.callbacks.or(fallback.callbacks),
                    tags: if self.tags.is_empty() { fallback.tags } else { self.tags },
                }
            };
        }
        first!(
            retries,
            retry_delay,
            backoff,
            max_retry_delay,
            timeout,
            pool,
            pool_slots,
            priority,
            trigger_rule,
            executor
        )
    }
}
