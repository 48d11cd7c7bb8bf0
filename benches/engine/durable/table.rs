//! The findings as markdown.

use std::fmt::Write as _;

use super::contender::Contender;
use super::findings::Findings;
use super::job::{Job, sync_name};
use crate::suite::least_and_median;
use crate::table::thousands;

const HEAD: &str = "\
| shape | n | sync | contender | µs/task: least | median | tasks/s | commits | database, B/task | memory of a run, B/task |
|---|---:|---|---|---:|---:|---:|---:|---:|---:|
";

pub(super) fn table(cells: &[(Job, Findings)]) -> String {
    cells.iter().map(|(job, found)| line(job, found)).fold(HEAD.to_owned(), |text, line| text + &line)
}

/// One line of the table. The minimum is closest to the cost of the code; the rate is that of the
/// median.
pub(super) fn line(job: &Job, found: &Findings) -> String {
    let start = format!(
        "| {} | {} | {} | {} |",
        job.shape.name(),
        thousands(job.n as u64),
        sync_name(job.sync),
        job.contender.name()
    );
    let Some((least, median)) = least_and_median(&found.runs) else {
        let why = if found.cut_off { "too slow" } else { "failed" };
        return format!("{start} {why} | | | | | |\n");
    };
    let tasks = found.tasks.max(1);
    let each = |nanoseconds: u64| format!("{:.2}", nanoseconds as f64 / tasks as f64 / 1e3);
    let rate = thousands((tasks as f64 * 1e9 / median.max(1) as f64) as u64);
    let some = |number: u64| if number > 0 { thousands(number) } else { String::new() };
    let memory = found.memory.map_or_else(String::new, |bytes| thousands(bytes / tasks));
    let (commits, database) = (some(found.rows.segments), some(found.database / tasks));
    format!("{start} {} | {} | {rate} | {commits} | {database} | {memory} |\n", each(least), each(median))
}

/// The legend of the table.
pub(super) fn legend(contenders: &[Contender]) -> String {
    let mut text = String::new();
    for contender in contenders {
        let _ = writeln!(text, "- {}: {}", contender.name(), contender.description());
    }
    text
}
