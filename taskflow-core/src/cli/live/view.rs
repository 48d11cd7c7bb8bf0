//! The text of the progress view: a line with a bar for the whole run, then long-running tasks.

use console::{measure_text_width, truncate_str};

use super::super::fit::wrapped;
use super::super::format;
use super::super::terminal::Paint;
use super::sample::{Retry, Running, Sample, Wait};
use crate::dag::Plan;
use crate::render::palette::Mark;
use crate::run::TaskState;

/// How many tasks are named.
pub(super) const NAMED: usize = 8;

/// The indentation of an answer that has lines of its own, and how many of them it may have.
const ANSWER: usize = 4;
const ANSWER_LINES: usize = 4;

/// The view, for a terminal of this width.
pub(super) fn lines(sample: &Sample, plan: &Plan, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![headline(sample, plan, width, paint)];
    let named = sample.longest.iter().map(|run| &run.id).chain(sample.retries.iter().map(|retry| &retry.id));
    let column = named.map(|id| measure_text_width(id)).max().unwrap_or(0).min(width / 2);
    let name = |id: &str| {
        let name = truncate_str(id, column, "…");
        let padding = " ".repeat(column.saturating_sub(measure_text_width(&name)));
        format!("{name}{padding}")
    };
    let glyph = |state: TaskState| format!("  {}", paint.glyph(Mark::of(state.name())));

    for run in &sample.longest {
        let elapsed = paint.faint(&format!("{:>10}", format::ticking(run.elapsed)));
        lines.push(format!("{}{}{elapsed}{}", glyph(TaskState::Running), name(&run.id), steps(run)));
    }
    let more = sample.running.saturating_sub(sample.longest.len());
    if more > 0 && sample.longest.len() == NAMED {
        lines.push(paint.faint(&format!("  … and {more} more")));
    }
    for retry in &sample.retries {
        let left = paint.faint(&format!("{:>10}", countdown(retry)));
        let attempt = format!("  attempt {}/{}", retry.attempt, retry.attempts);
        lines.push(format!("{}{}{left}{attempt}", glyph(TaskState::UpForRetry), name(&retry.id)));
    }
    let more = sample.waiting.saturating_sub(sample.retries.len());
    if more > 0 {
        lines.push(paint.faint(&format!("  … and {more} more to retry")));
    }
    for wait in &sample.waits {
        let Wait { id, subject, answer } = wait;
        let line = format!("{}{id} waits: {subject}", glyph(TaskState::Deferred));
        let fits = |answer: &String| measure_text_width(&line) + 2 + measure_text_width(answer) <= width;
        match answer {
            Some(answer) if fits(answer) => lines.push(format!("{line}  {}", paint.faint(answer))),
            // Somebody types it: nothing of it is cut.
            Some(answer) => {
                lines.push(line);
                let answer = wrapped(answer, width.saturating_sub(ANSWER), ANSWER_LINES);
                lines.extend(answer.iter().map(|part| format!("{}{}", " ".repeat(ANSWER), paint.faint(part))));
            }
            None => lines.push(line),
        }
    }
    let more = sample.idle.saturating_sub(sample.waits.len());
    if more > 0 {
        lines.push(paint.faint(&format!("  … and {more} more that wait")));
    }
    lines.iter().map(|line| truncate_str(line, width, "…").into_owned()).collect()
}

/// `delays ━━━━──────────── 12/40  9 s  2 running  1 failed`
fn headline(sample: &Sample, plan: &Plan, width: usize, paint: Paint) -> String {
    let elapsed = paint.faint(&format::ticking(sample.elapsed));
    let mut parts = vec![format!("{}/{}", sample.done, sample.total), elapsed];
    let mut number = |count: usize, state: TaskState, name: &str| {
        if count > 0 {
            parts.push(paint.state(Mark::of(state.name()), &format!("{count} {name}")));
        }
    };
    number(sample.running, TaskState::Running, "running");
    number(sample.failed, TaskState::Failed, "failed");
    number(sample.upstream_failed, TaskState::UpstreamFailed, "upstream_failed");
    number(sample.skipped, TaskState::Skipped, "skipped");
    number(sample.cancelled, TaskState::Cancelled, "cancelled");
    number(sample.waiting, TaskState::UpForRetry, "to retry");
    number(sample.idle, TaskState::Deferred, "deferred");
    if let Some((retry, left)) = sample.run_retry {
        parts.push(paint.odd(&format!("retry {retry} of the run in {}", format::seconds(left))));
    }
    if sample.halted {
        parts.push(paint.odd("stopping"));
    }
    let cells = if width < 100 { 16 } else { 32 };
    let id = truncate_str(plan.id(), width / 3, "…");
    format!("{} {} {}", paint.strong(&id), bar(sample, cells, paint), parts.join("  "))
}

/// The share of tasks that are done.
fn bar(sample: &Sample, cells: usize, paint: Paint) -> String {
    let full = sample.done * cells / sample.total.max(1);
    format!("{}{}", paint.good(&"━".repeat(full)), paint.faint(&"─".repeat(cells - full)))
}

/// The progress that a task reports, and its attempt if it is not the first.
fn steps(run: &Running) -> String {
    let mut text = String::new();
    if let Some((done, total)) = run.progress {
        let done = done.min(total);
        let percent = u128::from(done) * 100 / u128::from(total.max(1));
        text = format!("  {percent:>3} %  {done}/{total}");
    }
    if run.attempt > 1 {
        text += &format!("  attempt {}/{}", run.attempt, run.attempts);
    }
    text
}

/// `in 4 s`, where a running task has its elapsed time.
fn countdown(retry: &Retry) -> String {
    // Rounded up: at "0 s" it is retried.
    let left = std::time::Duration::from_secs(retry.left.as_millis().div_ceil(1000) as u64);
    format!("in {}", format::seconds(left))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::base::SourceLocation;
    use crate::dag::{Dag, NodeIndex, add_task};
    use crate::task::{Body, Kind, TaskDef, TaskOptions};
    use crate::value::{AnyValue, TypeInfo};

    static LOAD: TaskDef = TaskDef {
        id: "load",
        module: "",
        doc: "",
        location: SourceLocation { file: "", line: 0, column: 0 },
        inputs: &[],
        output: TypeInfo::of::<()>(),
        options: {
            let mut options = TaskOptions::NONE;
            options.retries = Some(3);
            options
        },
        takes_context: false,
        isolation: None,
        waiting: crate::task::Waiting::Never,
        kind: Kind::Sync,
        produces: None,
        body: Body::Sync(|_, _| Ok(AnyValue::new(()))),
    };

    /// Tasks `load`, `load_2`, .. and the last one with a long name.
    fn plan() -> Arc<Plan> {
        let dag = Dag::build("delays", || {
            (0..9).for_each(|_| {
                add_task::<(), 0>(&LOAD, []);
            });
            add_task::<(), 0>(&LOAD, []).id("a_name_that_is_as_long_as_the_terminal_is_wide_and_a_little_longer")
        });
        Arc::clone(dag.unwrap().plan())
    }

    /// `load`, `load_2`, .. and the last one with a long name.
    fn id(task: u32) -> String {
        plan().node(NodeIndex::new(task)).id().to_owned()
    }

    fn running(task: u32, millis: u64) -> Running {
        Running { id: id(task), attempts: 4, elapsed: Duration::from_millis(millis), attempt: 1, progress: None }
    }

    fn shown(sample: &Sample, width: usize) -> String {
        lines(sample, &plan(), width, Paint(false)).join("\n")
    }

    #[test]
    fn the_view_shows_a_bar_and_the_slow_tasks() {
        let sample = Sample {
            elapsed: Duration::from_millis(12_300),
            total: 40,
            done: 10,
            failed: 1,
            upstream_failed: 2,
            running: 3,
            waiting: 1,
            longest: vec![
                Running { progress: Some((340, 1000)), ..running(0, 4_250) },
                Running { attempt: 2, ..running(1, 61_000) },
            ],
            retries: vec![Retry { id: id(2), attempts: 4, attempt: 3, left: Duration::from_millis(3_100) }],
            ..Sample::default()
        };
        assert_eq!(
            shown(&sample, 80),
            "delays ━━━━──────────── 10/40  12 s  3 running  1 failed  2 upstream_failed  1 …
  load       4.2 s   34 %  340/1000
  load_2  1 m 01 s  attempt 2/4
  load_3    in 4 s  attempt 3/4"
        );
        assert!(shown(&sample, 120).starts_with("delays ━━━━━━━━──────────────────────── 10/40  12 s  3 running"));
    }

    fn wait(id: &str, subject: &str, answer: Option<&str>) -> Wait {
        Wait { id: id.to_owned(), subject: subject.to_owned(), answer: answer.map(str::to_owned) }
    }

    /// B10: the view says what a task waits for and how to answer.
    #[test]
    fn a_question_is_shown_with_its_answer_beside_it_or_below() {
        let answer = "answer with: features release 7 start_review --value '\"Approved\"'";
        let waits = vec![wait("start_review", "score 96: review?", Some(answer))];
        let sample = Sample { total: 3, done: 1, idle: 1, waits, ..Sample::default() };
        assert_eq!(
            shown(&sample, 120).lines().nth(1),
            Some(&*format!("  start_review waits: score 96: review?  {answer}"))
        );
        assert_eq!(
            shown(&sample, 60).lines().skip(1).collect::<Vec<_>>(),
            [
                "  start_review waits: score 96: review?",
                "    answer with: features release 7 start_review --value",
                "    '\"Approved\"'"
            ]
        );
    }

    /// B10: so many that they would fill the screen.
    #[test]
    fn the_number_of_other_tasks_that_wait_is_shown() {
        let waits = vec![wait("landed", "the next poke", None), wait("told", "event `go`", None)];
        let sample = Sample { total: 9, idle: 7, waits, ..Sample::default() };
        assert_eq!(
            shown(&sample, 60).lines().skip(1).collect::<Vec<_>>(),
            ["  landed waits: the next poke", "  told waits: event `go`", "  … and 5 more that wait"]
        );
    }

    #[test]
    fn a_pending_retry_of_the_run_is_shown() {
        let run_retry = Some((1, Duration::from_secs(90)));
        let sample = Sample { total: 3, done: 3, failed: 1, run_retry, ..Sample::default() };
        assert_eq!(shown(&sample, 80), "delays ━━━━━━━━━━━━━━━━ 3/3  0.0 s  1 failed  retry 1 of the run in 1 m 30 s");
    }

    #[test]
    fn at_most_eight_running_tasks_are_named() {
        let sample = Sample {
            total: 20,
            running: 20,
            longest: (0..8).map(|task| running(task, 1_000)).collect(),
            ..Sample::default()
        };
        let text = shown(&sample, 80);
        assert_eq!(text.lines().count(), 1 + 8 + 1, "{text}");
        assert!(text.ends_with("\n  … and 12 more"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let sample = Sample { total: 10, running: 1, longest: vec![running(9, 1_000)], ..Sample::default() };
        for width in [20, 40, 80, 120] {
            let text = shown(&sample, width);
            assert!(text.lines().all(|line| measure_text_width(line) <= width), "{width}: {text}");
        }
        assert!(shown(&sample, 40).ends_with("  a_name_that_is_as_l…     1.0 s"), "{}", shown(&sample, 40));
    }

    #[test]
    fn a_run_that_is_being_cancelled_is_marked() {
        let sample = Sample { total: 3, done: 1, cancelled: 1, running: 2, halted: true, ..Sample::default() };
        assert!(shown(&sample, 80).ends_with("1/3  0.0 s  2 running  1 cancelled  stopping"));
    }
}
