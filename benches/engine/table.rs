//! The findings as markdown.

use std::fmt::Write as _;

use crate::shape::Shape;
use crate::suite::{End, Findings, Row, least_and_median};

/// A table with one line per shape and size, and one column per contender: the nanoseconds per task
/// in the fastest run, and in parentheses the duration of the run relative to taskflow.
pub(crate) fn overview(rows: &[Row], limit: u64) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let names = first.contenders.iter().map(|(contender, _)| contender.name());
    let mut text = format!("| shape | n | {} |\n", names.collect::<Vec<_>>().join(" | "));
    let _ = writeln!(text, "|---|---:|{}", "---:|".repeat(first.contenders.len()));
    for row in rows {
        text.push_str(&overview_line(row, limit));
    }
    text
}

/// A line of the [`overview`].
pub(crate) fn overview_line(row: &Row, limit: u64) -> String {
    let reference = row.reference();
    let mut text = format!("| {} | {} |", row.shape.name(), thousands(row.n as u64));
    for (contender, findings) in &row.contenders {
        let cell = match (findings.least_run(), findings.end) {
            (Some(run), _) => match reference.filter(|_| !contender.is_taskflow()) {
                Some(reference) => format!("{} ({})", findings.a_task(run), ratio(run, reference)),
                None => findings.a_task(run),
            },
            (None, End::Failed) => "failed".to_owned(),
            (None, _) => format!("> {limit} s"),
        };
        let _ = write!(text, " {cell} |");
    }
    text.push('\n');
    text
}

/// A table with one line per cell and all findings.
pub(crate) fn details(rows: &[Row], limit: u64) -> String {
    let mut text = String::from(
        "| shape | n | contender | tasks | build, ns/task | run, ns/task: least | median | runs | times taskflow | \
         memory built, B/task | memory of a run, B/task |\n|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let reference = row.reference();
        for (contender, findings) in &row.contenders {
            let start = format!("| {} | {} | {} |", row.shape.name(), thousands(row.n as u64), contender.name());
            let Some((least, median)) = least_and_median(&findings.runs) else {
                let why = if findings.end == End::Failed { "failed".to_owned() } else { format!("> {limit} s") };
                let build = least_and_median(&findings.builds).map(|(build, _)| findings.a_task(build));
                let tasks = if findings.tasks > 0 { thousands(findings.tasks) } else { String::new() };
                let _ = writeln!(text, "{start} {tasks} | {} | {why} | | | | | |", build.unwrap_or_default());
                continue;
            };
            let build = least_and_median(&findings.builds).map_or(0, |(build, _)| build);
            let times = reference.map_or_else(String::new, |reference| ratio(least, reference));
            let memory =
                |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| thousands(bytes / findings.tasks.max(1)));
            let _ = writeln!(
                text,
                "{start} {} | {} | {} | {} | {} | {times} | {} | {} |",
                thousands(findings.tasks),
                findings.a_task(build),
                findings.a_task(least),
                findings.a_task(median),
                thousands(findings.runs.len() as u64),
                memory(findings.built_memory),
                memory(findings.run_memory),
            );
        }
    }
    text
}

/// The legend of the tables.
pub(crate) fn legend(rows: &[Row]) -> String {
    let mut text = String::new();
    for shape in Shape::ALL.into_iter().filter(|shape| rows.iter().any(|row| row.shape == *shape)) {
        let _ = writeln!(text, "- {}: {}", shape.name(), shape.description());
    }
    text.push('\n');
    for (contender, _) in rows.first().map_or(&[][..], |row| &row.contenders) {
        let _ = writeln!(text, "- {}: {}", contender.name(), contender.description());
    }
    text
}

impl Row {
    /// The fastest run of taskflow.
    fn reference(&self) -> Option<u64> {
        let (_, findings) = self.contenders.iter().find(|(contender, _)| contender.is_taskflow())?;
        findings.least_run()
    }
}

impl Findings {
    fn least_run(&self) -> Option<u64> {
        self.runs.iter().copied().min()
    }

    /// Nanoseconds per task, from the duration of a run.
    fn a_task(&self, nanoseconds: u64) -> String {
        let each = nanoseconds as f64 / self.tasks.max(1) as f64;
        if each < 9.95 { format!("{each:.1}") } else { thousands(each.round() as u64) }
    }
}

fn ratio(time: u64, reference: u64) -> String {
    let ratio = time as f64 / reference.max(1) as f64;
    if ratio < 9.95 { format!("{ratio:.2}x") } else { format!("{ratio:.0}x") }
}

/// 1234567 as 1,234,567.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
