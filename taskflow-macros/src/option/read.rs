//! From written options to typed ones. Rules that concern one option alone are checked here.

use std::time::Duration;

use syn::{Expr, Lit, LitStr, Path};

use super::Sp;
use super::list::{Item, Value, parse};
use super::reader::{Reader, Zero};
use super::table::{Key, Place, look_up};
use crate::errors::Errors;
use crate::schedule::{self, Bound};

/// Every option of every attribute; those that were not written, or were written wrongly, are `None`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) id: Option<Sp<String>>,
    pub(crate) retries: Option<Sp<u32>>,
    pub(crate) retry_delay: Option<Sp<Duration>>,
    pub(crate) backoff: Option<Sp<Backoff>>,
    pub(crate) max_retry_delay: Option<Sp<Duration>>,
    /// The function that judges errors.
    pub(crate) retry_on: Option<Expr>,
    pub(crate) timeout: Option<Sp<Duration>>,
    pub(crate) blocking: Option<Sp<bool>>,
    /// Present when each attempt has a process of its own.
    pub(crate) isolation: Option<Sp<()>>,
    /// Present when attempts run on executors of Spark.
    pub(crate) executor: Option<Sp<()>>,
    /// The limit of that process, in bytes.
    pub(crate) memory: Option<Sp<u64>>,
    pub(crate) deferrable: Option<Sp<bool>>,
    pub(crate) sensor: Sensor,
    pub(crate) pool: Option<Sp<String>>,
    pub(crate) pool_slots: Option<Sp<u32>>,
    pub(crate) priority: Option<Sp<i32>>,
    /// The variant of `TriggerRule`.
    pub(crate) trigger_rule: Option<Sp<&'static str>>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) doc: Option<Sp<String>>,
    pub(crate) krate: Option<Path>,
    pub(crate) scheduling: Scheduling,
    pub(crate) max_active_runs: Option<Sp<u32>>,
    pub(crate) max_active_tasks: Option<Sp<u32>>,
    pub(crate) fail_fast: Option<Sp<bool>>,
    /// How long after what: the variant of `DeadlineReference`.
    pub(crate) deadline: Option<Sp<(Duration, &'static str)>>,
    pub(crate) callbacks: Callbacks,
    pub(crate) task_defaults: Option<Box<Options>>,
    pub(crate) default: Option<Expr>,
    pub(crate) range: Option<Expr>,
    pub(crate) choices: Vec<Lit>,
    pub(crate) pattern: Option<LitStr>,
    pub(crate) help: Option<Sp<String>>,
}

/// The options that only a sensor has.
#[derive(Default)]
pub(crate) struct Sensor {
    pub(crate) poke_interval: Option<Sp<Duration>>,
    pub(crate) backoff: Option<Sp<Backoff>>,
    pub(crate) max_poke_interval: Option<Sp<Duration>>,
    pub(crate) timeout: Option<Sp<Duration>>,
    pub(crate) soft_fail: Option<Sp<bool>>,
}

/// The options of a DAG that concern its schedule.
#[derive(Default)]
pub(crate) struct Scheduling {
    pub(crate) schedule: Option<Sp<String>>,
    pub(crate) timezone: Option<Sp<String>>,
    pub(crate) start: Option<Sp<(String, Bound)>>,
    pub(crate) end: Option<Sp<(String, Bound)>>,
    pub(crate) catchup: Option<Sp<bool>>,
}

/// Who is told of what.
#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) on_success: Option<Expr>,
    pub(crate) on_failure: Option<Expr>,
    pub(crate) on_retry: Option<Expr>,
    pub(crate) on_skip: Option<Expr>,
    pub(crate) on_deadline_missed: Option<Expr>,
}

impl Callbacks {
    /// Each with the name of its option.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Expr)> {
        let all = [
            ("on_success", &self.on_success),
            ("on_failure", &self.on_failure),
            ("on_retry", &self.on_retry),
            ("on_skip", &self.on_skip),
            ("on_deadline_missed", &self.on_deadline_missed),
        ];
        all.into_iter().filter_map(|(name, callback)| Some((name, callback.as_ref()?)))
    }
}

/// How the wait between attempts grows.
#[derive(Clone, Copy)]
pub(crate) enum Backoff {
    Constant,
    Exponential(f64),
}

/// Gives every option its type. Unknown, repeated and ill-formed ones are reported and left out.
pub(crate) fn read(items: Vec<Item>, place: Place, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    let mut seen = Vec::new();
    for item in items {
        let Some(key) = look_up(&item, place, &mut seen, errors) else { continue };
        let mut reader = Reader { key, item: &item, errors };
        match key {
            Key::Id => options.id = reader.text().and_then(|id| reader.checked_id(id)),
            Key::Retries => options.retries = reader.integer(),
            Key::RetryDelay => options.retry_delay = reader.duration(Zero::Allowed),
            Key::Backoff => options.backoff = reader.backoff(),
            Key::MaxRetryDelay => options.max_retry_delay = reader.duration(Zero::Rejected),
            Key::RetryOn => options.retry_on = reader.judge(),
            Key::Timeout => options.timeout = reader.duration(Zero::Rejected),
            Key::Blocking => options.blocking = reader.flag(),
            Key::Isolation => options.isolation = reader.isolation(),
            Key::Executor => options.executor = reader.executor(),
            Key::Memory => options.memory = reader.size(),
            Key::Deferrable => options.deferrable = reader.flag(),
            Key::PokeInterval => options.sensor.poke_interval = reader.duration(Zero::Rejected),
            Key::PokeBackoff => options.sensor.backoff = reader.backoff(),
            Key::MaxPokeInterval => options.sensor.max_poke_interval = reader.duration(Zero::Rejected),
            Key::PokeTimeout => options.sensor.timeout = reader.duration(Zero::Rejected),
            Key::SoftFail => options.sensor.soft_fail = reader.flag(),
            Key::Pool => options.pool = reader.text().and_then(|pool| reader.not_empty(pool)),
            Key::PoolSlots => options.pool_slots = reader.positive(),
            Key::Priority => options.priority = reader.integer(),
            Key::TriggerRule => options.trigger_rule = reader.trigger_rule(),
            Key::Tags => options.tags = reader.texts(),
            Key::Doc => options.doc = reader.text(),
            Key::Crate => options.krate = reader.path(),
            Key::Schedule => options.scheduling.schedule = reader.checked(schedule::check_schedule),
            Key::Timezone => options.scheduling.timezone = reader.checked(schedule::check_timezone),
            Key::Start => options.scheduling.start = reader.bound(),
            Key::End => options.scheduling.end = reader.bound(),
            Key::Catchup => options.scheduling.catchup = reader.flag(),
            Key::MaxActiveRuns => options.max_active_runs = reader.positive(),
            Key::MaxActiveTasks => options.max_active_tasks = reader.positive(),
            Key::FailFast => options.fail_fast = reader.flag(),
            Key::Deadline => options.deadline = reader.deadline(),
            Key::OnSuccess => options.callbacks.on_success = reader.callback(),
            Key::OnFailure => options.callbacks.on_failure = reader.callback(),
            Key::OnRetry => options.callbacks.on_retry = reader.callback(),
            Key::OnSkip => options.callbacks.on_skip = reader.callback(),
            Key::OnDeadlineMissed => options.callbacks.on_deadline_missed = reader.callback(),
            Key::TaskDefaults => {
                if let Value::List(group) = &item.value {
                    let items = parse(group.stream(), errors);
                    options.task_defaults = Some(Box::new(read(items, Place::TaskDefaults, errors)));
                }
            }
            Key::Default => options.default = reader.expr().cloned(),
            Key::Range => options.range = reader.range(),
            Key::Choices => options.choices = reader.choices(),
            Key::Pattern => options.pattern = reader.pattern(),
            Key::Help => options.help = reader.text(),
        }
    }
    options
}
