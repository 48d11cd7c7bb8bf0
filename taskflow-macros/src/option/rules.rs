//! Rules that involve more than one option.

use super::Options;
use super::kind::Growth;
use crate::errors::Errors;
use crate::schedule;

/// Rejects options of a task, or of `default(..)`, that contradict each other.
pub(crate) fn check_task(options: &mut Options, errors: &mut Errors) {
    if let (Some(slots), None) = (&options.pool_slots, &options.pool) {
        errors.at(slots.span, "`pool_slots` has no effect without a pool; add `pool = \"..\"`");
    }
    if let (Some(on_change), None) = (&options.on_change, &options.produces) {
        errors.at(on_change.span, "`on_change` has no effect on a task that produces no asset; add `produces = ..`");
    }
    check_retries(options, errors);
    check_timeouts(options, errors);
    check_pokes(options, errors);
    check_process(options, errors);
}

fn check_retries(options: &Options, errors: &mut Errors) {
    let Options { retries, retry_delay, backoff, max_retry_delay, .. } = options;
    if let (Some(delay), Some(limit)) = (retry_delay, max_retry_delay)
        && delay.value > limit.value
    {
        errors.at(limit.span, "`max_retry_delay` is shorter than `retry_delay`; change one of the two");
    }
    if let (Some(backoff), Some(delay)) = (backoff, retry_delay)
        && delay.value.is_zero()
        && matches!(backoff.value, Growth::Exponential(_))
    {
        errors.at(backoff.span, "a `retry_delay` of zero cannot grow; make it longer or remove `backoff`");
    }
    if let Some(retries) = retries
        && retries.value == 0
    {
        let spans = [
            retry_delay.as_ref().map(|option| option.span),
            backoff.as_ref().map(|option| option.span),
            max_retry_delay.as_ref().map(|option| option.span),
        ];
        if let Some(span) = spans.into_iter().flatten().next() {
            errors.at(span, "this option has no effect with `retries = 0`; remove one of the two");
        }
    }
}

fn check_timeouts(options: &Options, errors: &mut Errors) {
    if let (Some(timeout), Some(total)) = (&options.timeout, &options.total_timeout)
        && timeout.value > total.value
    {
        errors.at(
            total.span,
            "`total_timeout` is shorter than `timeout`, which limits one attempt; change one of the two",
        );
    }
}

fn check_pokes(options: &Options, errors: &mut Errors) {
    let Some(interval) = &options.poke_interval else { return };
    if let Some(limit) = &options.max_poke_interval
        && interval.value > limit.value
    {
        errors.at(limit.span, "`max_poke_interval` is shorter than `poke_interval`; change one of the two");
    }
    if let Some(timeout) = &options.sensor_timeout
        && interval.value > timeout.value
    {
        errors.at(
            timeout.span,
            "`timeout` is shorter than `poke_interval`, so the sensor would poke only twice; change one of the two",
        );
    }
}

/// Rules about where attempts run.
fn check_process(options: &mut Options, errors: &mut Errors) {
    let isolated = options.isolation.is_some();
    let deferrable = options.deferrable.as_ref().is_some_and(|deferrable| deferrable.value);
    if let (Some(memory), false) = (&options.memory, isolated) {
        errors.at(
            memory.span,
            "`memory` limits the process of an isolated task, and this task is not isolated; add \
             `isolation = \"process\"`",
        );
    }
    if let (Some(isolation), true) = (&options.isolation, deferrable) {
        errors.at(
            isolation.span,
            "a task with a process of its own cannot be deferred; split it into a deferrable task and an isolated one",
        );
    }
    let Some(executor) = &options.executor else { return };
    if isolated {
        errors.at(executor.span, "a task on an executor already runs in a process of its own; remove `isolation`");
    }
    if deferrable {
        errors.at(
            executor.span,
            "a task on an executor cannot be deferred; split it into a deferrable task and one on the executor",
        );
    }
    if isolated || deferrable {
        // Without it the generated definition is valid, and the compiler does not report the
        // contradiction again.
        options.executor = None;
    }
}

/// The options of a DAG that are written, valid or not.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    pub(crate) schedule: bool,
    pub(crate) except: bool,
}

/// What starts the runs of a DAG, beside people and programs.
#[derive(Clone, Copy)]
pub(crate) struct StartsWith {
    /// It has a schedule, possibly an invalid one.
    pub(crate) schedule: bool,
    /// It has event parameters.
    pub(crate) events: bool,
}

/// Rejects a callback that would never be called. In `default(..)` it is for the tasks that have a
/// deadline.
pub(crate) fn check_deadline_of_task(options: &Options, errors: &mut Errors) {
    if let (Some(callback), None) = (&options.on_deadline_missed, &options.deadline) {
        errors
            .on(callback, "`on_deadline_missed` has no effect without a deadline; add `deadline = \"2h after start\"`");
    }
}

/// Rejects options of a DAG that contradict each other.
pub(crate) fn check_dag(options: &mut Options, written: Written, starts: StartsWith, errors: &mut Errors) {
    check_schedule(options, written, starts, errors);
    check_events(options, starts, errors);
    if let (Some(callback), None) = (&options.on_deadline_missed, &options.deadline) {
        errors.on(
            callback,
            "`on_deadline_missed` of a DAG has no effect without a deadline; add `deadline = \"2h after start\"`, or write \
             `default(on_deadline_missed = ..)` for the deadlines of its tasks",
        );
    }
    if options.retries.as_ref().is_none_or(|retries| retries.value == 0) {
        if let Some(delay) = &options.retry_delay {
            errors.at(
                delay.span,
                "`retry_delay` of a DAG is the delay before a failed run is retried, and runs of this DAG are not \
                 retried; add `retries = 1`, or write `default(retry_delay = ..)` for its tasks",
            );
        }
        if let Some(callback) = &options.on_retry {
            errors.on(
                callback,
                "`on_retry` of a DAG is called when a failed run is retried, and runs of this DAG are not retried; \
                 add `retries = 1`, or write `default(on_retry = ..)` for its tasks",
            );
        }
    }
    if let Some(defaults) = &mut options.task_defaults {
        check_task(defaults, errors);
    }
}

/// Rules about options for a schedule beside events.
fn check_events(options: &Options, starts: StartsWith, errors: &mut Errors) {
    let dependent = [
        ("wait", "is how long a slot waits for events", options.wait.as_ref().map(|wait| wait.span)),
        ("events", "says how a schedule and events start runs", options.events.as_ref().map(|events| events.span)),
    ];
    for (name, meaning, span) in dependent {
        let missing = match starts {
            StartsWith { events: false, .. } => "an event parameter: `#[event(ASSET)] name: Events<..>`",
            StartsWith { schedule: false, .. } => "a schedule: `schedule = \"@daily\"`",
            StartsWith { schedule: true, events: true } => continue,
        };
        if let Some(span) = span {
            errors.at(span, format!("`{name}` {meaning}; add {missing}, or remove `{name}`"));
        }
    }
    if let (Some(wait), Some(events)) = (&options.wait, &options.events)
        && events.value == "Or"
    {
        errors.at(wait.span, "with `events = \"or\"` a slot does not wait for events; remove `wait`");
    }
}

fn check_schedule(options: &Options, written: Written, starts: StartsWith, errors: &mut Errors) {
    if !starts.schedule {
        let dependent = [
            ("start", options.start.as_ref().map(|start| start.span)),
            ("end", options.end.as_ref().map(|end| end.span)),
            ("catchup", options.catchup.as_ref().map(|catchup| catchup.span)),
            // Events start the runs of a day as well, and can be paused.
            ("timezone", options.timezone.as_ref().map(|zone| zone.span).filter(|_| !starts.events)),
            ("except", options.except.as_ref().map(syn::spanned::Spanned::span)),
            ("shift", options.shift.as_ref().map(|shift| shift.span)),
            ("first", options.first.as_ref().map(|first| first.span)),
            ("catchup_window", options.catchup_window.as_ref().map(|window| window.span)),
            ("overlap", options.overlap.as_ref().map(|overlap| overlap.span)),
            ("after_previous", options.after_previous.as_ref().map(|flag| flag.span)),
            ("spread", options.spread.as_ref().map(|spread| spread.span)),
            ("paused", options.paused.as_ref().map(|paused| paused.span).filter(|_| !starts.events)),
            (
                "pause_after_failures",
                options.pause_after_failures.as_ref().map(|limit| limit.span).filter(|_| !starts.events),
            ),
        ];
        for (name, span) in dependent {
            if let Some(span) = span {
                errors.at(
                    span,
                    format!(
                        "`{name}` has no effect without a schedule; add `schedule = \"@daily\"` or remove `{name}`"
                    ),
                );
            }
        }
    }
    if let (Some(except), Some(schedule)) = (&options.except, &options.schedule)
        && let Some(preset) = schedule.value.without_days()
    {
        errors.on(except, format!("`except` has no effect with `{preset}`, which has no days; remove one of the two"));
    }
    if let (Some(shift), false, true) = (&options.shift, written.except, written.schedule) {
        errors.at(shift.span, "`shift` has no effect without `except`; add `except = HOLIDAYS` or remove `shift`");
    }
    if let (Some(start), Some(end)) = (&options.start, &options.end) {
        let zone = schedule::time_zone(options.timezone.as_ref().map(|zone| &*zone.value));
        if end.value.1.is_before(start.value.1, &zone) {
            let (start, end_text) = (&start.value.0, &end.value.0);
            errors.at(end.span, format!("`end`, {end_text}, is before `start`, {start}; swap the two"));
        }
    }
}
