//! The text of the progress view: a line with a bar for the whole run, then the tasks that take long.

use console::{measure_text_width, truncate_str};

use super::super::terminal::Paint;
use super::super::words;
use super::sample::{Retry, Running, Sample, attempts};
use crate::dag::Plan;
use crate::time::Timestamp;

/// How many tasks are named.
pub(super) const NAMED: usize = 8;

/// The view, for a terminal of this width.
pub(super) fn lines(sample: &Sample, plan: &Plan, started: Timestamp, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![headline(sample, plan, started, width, paint)];
    let id = |task: u32| plan.nodes()[task as usize].id();
    let named = sample.longest.iter().map(|run| run.task).chain(sample.retries.iter().map(|retry| retry.task));
    let column = named.map(|task| measure_text_width(id(task))).max().unwrap_or(0).min(width / 2);
    let name = |task: u32| {
        let name = truncate_str(id(task), column, "..");
        let padding = " ".repeat(column.saturating_sub(measure_text_width(&name)));
        format!("  {name}{padding}")
    };

    for run in &sample.longest {
        let elapsed = paint.faint(&format!("{:>10}", words::ticking(run.elapsed)));
        lines.push(format!("{}{elapsed}{}", name(run.task), steps(run, plan)));
    }
    let more = sample.running.saturating_sub(sample.longest.len());
    if more > 0 && sample.longest.len() == NAMED {
        lines.push(paint.faint(&format!("  .. and {more} more")));
    }
    for retry in &sample.retries {
        lines.push(format!("{}{}", name(retry.task), paint.odd(&countdown(retry, plan))));
    }
    let more = sample.waiting.saturating_sub(sample.retries.len());
    if more > 0 {
        lines.push(paint.faint(&format!("  .. and {more} more to retry")));
    }
    lines.iter().map(|line| truncate_str(line, width, "..").into_owned()).collect()
}

/// `delays ━━━━──────────── 12/40  9 s  2 running  1 failed`
fn headline(sample: &Sample, plan: &Plan, started: Timestamp, width: usize, paint: Paint) -> String {
    let elapsed = paint.faint(&words::ticking(sample.now.since(started)));
    let mut parts = vec![format!("{}/{}", sample.done, sample.total), elapsed];
    let mut number = |count: usize, name: &str, colour: &dyn Fn(&str) -> String| {
        if count > 0 {
            parts.push(colour(&format!("{count} {name}")));
        }
    };
    number(sample.running, "running", &str::to_owned);
    number(sample.failed, "failed", &|text| paint.bad(text));
    number(sample.upstream_failed, "upstream_failed", &|text| paint.bad(text));
    number(sample.skipped, "skipped", &|text| paint.odd(text));
    number(sample.cancelled, "cancelled", &|text| paint.odd(text));
    number(sample.waiting, "to retry", &|text| paint.odd(text));
    if sample.halted {
        parts.push(paint.odd("stopping"));
    }
    let cells = if width < 100 { 16 } else { 32 };
    let id = truncate_str(plan.id(), width / 3, "..");
    format!("{} {} {}", paint.strong(&id), bar(sample, cells, paint), parts.join("  "))
}

/// The share of tasks that are done.
fn bar(sample: &Sample, cells: usize, paint: Paint) -> String {
    let full = sample.done * cells / sample.total.max(1);
    format!("{}{}", paint.good(&"━".repeat(full)), paint.faint(&"─".repeat(cells - full)))
}

/// What a task says of its progress, and whether this is not its first attempt.
fn steps(run: &Running, plan: &Plan) -> String {
    let mut text = String::new();
    if let Some((done, total)) = run.progress {
        let done = done.min(total);
        let percent = u128::from(done) * 100 / u128::from(total.max(1));
        text = format!("  {percent:>3} %  {done}/{total}");
    }
    if run.attempt > 1 {
        text += &format!("  attempt {}/{}", run.attempt, attempts(plan, run.task));
    }
    text
}

fn countdown(retry: &Retry, plan: &Plan) -> String {
    // Rounded up: at "0 s" it is tried.
    let left = std::time::Duration::from_secs(retry.left.as_millis().div_ceil(1000) as u64);
    format!("  attempt {}/{} in {}", retry.attempt, attempts(plan, retry.task), words::seconds(left))
}
