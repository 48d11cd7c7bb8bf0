//! The options of a task, as written at one of three places.

use std::time::Duration;

use super::{Backoff, Callbacks, Executor, SensorOptions, TriggerRule};

/// Options of a task; `None` means "not said here".
///
/// They come from the call (`extract(day).retries(5)`), from `#[task(..)]`, and from the task defaults of `#[dag(..)]`;
/// the nearest one that says something wins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskOptions {
    /// How many more attempts a failed one may have. Default 0.
    pub retries: Option<u32>,
    /// The wait before the first retry. Default 10 seconds.
    pub retry_delay: Option<Duration>,
    /// How the wait grows. Default [`Backoff::Constant`].
    pub backoff: Option<Backoff>,
    /// The longest wait. Default 24 hours.
    pub max_retry_delay: Option<Duration>,
    /// How long one attempt may run. Default: no limit.
    pub timeout: Option<Duration>,
    /// The pool whose slots it takes while it runs. Default: none.
    pub pool: Option<&'static str>,
    /// How many slots of the pool. Default 1.
    pub pool_slots: Option<u32>,
    /// Among ready tasks the highest goes first. Default 0.
    pub priority: Option<i32>,
    /// When to run, seen from upstreams connected by order alone. Default `all_success`.
    pub trigger_rule: Option<TriggerRule>,
    /// Where its attempts run. Default: in the process of the engine.
    pub executor: Option<Executor>,
    /// What only a sensor has.
    pub sensor: SensorOptions,
    /// Who is told of what happens to it.
    pub callbacks: Callbacks,
    /// Words to find it by.
    pub tags: &'static [&'static str],
}

impl TaskOptions {
    /// Nothing said.
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

    /// These options where they say something, `fallback` elsewhere. Tags stay those of `self` when there are any.
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
