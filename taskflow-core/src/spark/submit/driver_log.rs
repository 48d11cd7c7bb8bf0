//! Parses the output of Spark and the job: log4j records, ids, tracebacks.

use std::collections::VecDeque;

/// How many of the last lines are kept for error messages.
const LAST: usize = 10;
/// How many lines of a traceback are kept.
const TRACE: usize = 200;
/// How many consecutive Java stack frames are shown; a hundred of Spark's own follow. The log has
/// them all.
const CALLS: usize = 4;

/// A log4j level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A record in Spark's log: `26/11/22 08:40:55 INFO SparkContext: Running Spark version 4.3.0`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) level: Level,
    pub(super) logger: &'a str,
    pub(super) message: &'a str,
}

impl<'a> Record<'a> {
    /// Parses a line. A line that is not a record continues the previous one.
    pub(super) fn read(line: &'a str) -> Option<Record<'a>> {
        let (date, rest) = line.split_once(' ')?;
        let (time, rest) = rest.split_once(' ')?;
        let digits =
            |text: &str, separator: char| text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(separator);
        if !(digits(date, '/') || digits(date, '-')) || !digits(time, ':') {
            return None;
        }
        let (level, rest) = rest.trim_start().split_once(' ')?;
        let level = match level {
            "TRACE" | "DEBUG" => Level::Debug,
            "INFO" => Level::Info,
            "WARN" => Level::Warn,
            "ERROR" | "FATAL" => Level::Error,
            _ => return None,
        };
        let (logger, message) = rest.split_once(": ").unwrap_or(("", rest));
        Some(Record { level, logger: logger.trim(), message })
    }
}

/// Forwards Spark's log to the log of the attempt.
#[derive(Debug)]
pub(super) struct LogForwarder(Level);

impl Default for LogForwarder {
    fn default() -> Self {
        // Lines before the first record come from scripts and the JVM.
        LogForwarder(Level::Info)
    }
}

impl LogForwarder {
    pub(super) fn forward(&mut self, line: &str) {
        let (logger, message) = match Record::read(line) {
            Some(Record { level, logger, message }) => {
                self.0 = level;
                (logger, message)
            }
            None => ("", line),
        };
        match self.0 {
            Level::Debug => tracing::debug!(target: "spark", logger, "{message}"),
            Level::Info => tracing::info!(target: "spark", logger, "{message}"),
            Level::Warn => tracing::warn!(target: "spark", logger, "{message}"),
            Level::Error => tracing::error!(target: "spark", logger, "{message}"),
        }
    }
}

/// What a line of the log reveals of the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogEvent {
    Application(String),
    /// The port of the driver's web UI.
    Ui(u16),
    /// The cluster has no resources for it yet.
    NoResources,
    /// It has resources.
    Running,
}

impl LogEvent {
    pub(super) fn read(line: &str) -> Option<LogEvent> {
        let Record { message, .. } = Record::read(line)?;
        if let Some(id) = message.strip_prefix("Connected to Spark cluster with app ID ") {
            return Some(LogEvent::Application(id.trim().to_owned()));
        }
        if let Some((_, port)) = message.split_once("Successfully started service 'SparkUI' on port ") {
            return port.trim_end_matches('.').trim().parse().ok().map(LogEvent::Ui);
        }
        if message.starts_with("Initial job has not accepted any resources") {
            return Some(LogEvent::NoResources);
        }
        let is_running = message.contains("Registered executor ") || message.starts_with("Starting task ");
        if is_running || message.starts_with("Starting executor ID driver") {
            return Some(LogEvent::Running);
        }
        None
    }
}

/// The end of a stream, for the message of a failure.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputTail {
    last: VecDeque<String>,
    /// The last traceback.
    trace: Vec<String>,
    /// Whether the script has run to its end.
    complete: bool,
}

impl OutputTail {
    pub(super) fn push(&mut self, line: &str) {
        let begins = line.starts_with("Traceback (most recent call last):")
            || line.starts_with("Exception in thread \"")
            || line.starts_with("Error: ");
        if begins {
            self.trace.clear();
        }
        if begins || (!self.trace.is_empty() && self.trace.len() < TRACE && Record::read(line).is_none()) {
            self.trace.push(line.to_owned());
        }
        if !line.trim().is_empty() {
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(line.to_owned());
        }
    }

    /// The traceback, if there is one, with the Java stack frames nearest to the cause.
    pub(super) fn trace(&self) -> Option<String> {
        let is_call = |line: &String| line.trim_start().starts_with("at ") && line.starts_with(['\t', ' ']);
        let mut shown: Vec<String> = Vec::new();
        for lines in self.trace.chunk_by(|one, next| is_call(one) == is_call(next)) {
            let calls = if lines.first().is_some_and(is_call) { CALLS.min(lines.len()) } else { lines.len() };
            shown.extend_from_slice(&lines[..calls]);
            if calls < lines.len() {
                shown.push(format!("\t.. and {} more", lines.len() - calls));
            }
        }
        (!shown.is_empty()).then(|| shown.join("\n"))
    }

    pub(super) fn mark_complete(&mut self) {
        self.complete = true;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The last lines.
    pub(super) fn last(&self) -> String {
        self.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn last_line(&self) -> &str {
        self.last.back().map_or("", String::as_str)
    }
}

/// For fuzzing: reads the lines of a driver.
pub(super) fn read_any(text: &str) {
    let (mut forwarder, mut tail) = (LogForwarder::default(), OutputTail::default());
    for line in text.lines() {
        let _ = LogEvent::read(line);
        forwarder.forward(line);
        tail.push(line);
    }
    let _ = (tail.trace(), tail.last(), tail.last_line());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_a_level_and_a_logger() {
        let line = "26/11/22 08:40:55 WARN TaskSchedulerImpl: Initial job has not accepted any resources; check";
        let record = Record::read(line).unwrap();
        assert_eq!((record.level, record.logger), (Level::Warn, "TaskSchedulerImpl"));
        assert_eq!(LogEvent::read(line), Some(LogEvent::NoResources));
        assert!(Record::read("2026-11-22 08:40:55,123 ERROR Utils: no").is_some());
        for line in
            ["", "WARNING: Using incubator modules: jdk.incubator.vector", "\tat a.b(C.java:1)", "1/2 3:4 MAYBE x: y"]
        {
            assert_eq!(Record::read(line), None, "{line}");
        }
    }

    #[test]
    fn ids_are_taken_only_from_the_lines_that_announce_them() {
        let id = "26/11/22 08:40:55 INFO StandaloneSchedulerBackend: Connected to Spark cluster with app ID app-20261122084055-0000";
        assert_eq!(LogEvent::read(id), Some(LogEvent::Application("app-20261122084055-0000".to_owned())));
        let pages = "26/11/22 08:40:55 INFO Utils: Successfully started service 'SparkUI' on port 4040.";
        assert_eq!(LogEvent::read(pages), Some(LogEvent::Ui(4040)));
        assert_eq!(LogEvent::read("reading my_application_v2.jar"), None);
    }

    #[test]
    fn only_the_java_stack_frames_nearest_to_the_cause_are_shown() {
        let mut kept = OutputTail::default();
        kept.push("Exception in thread \"main\" java.lang.IllegalStateException: no rows");
        (0..90).for_each(|call| kept.push(&format!("\tat org.apache.spark.Call{call}.run(Call.scala)")));
        kept.push("Caused by: java.io.IOException: disk");
        kept.push("\tat a.b.C.read(C.java:1)");
        kept.push("\t... 12 more");
        let trace = kept.trace().unwrap();
        assert!(trace.contains("Call3.run") && !trace.contains("Call4.run") && trace.contains("\t.. and 86 more\n"));
        assert!(
            trace.ends_with("Caused by: java.io.IOException: disk\n\tat a.b.C.read(C.java:1)\n\t... 12 more"),
            "{trace}"
        );
    }

    #[test]
    fn the_last_traceback_is_kept_without_the_log_lines_after_it() {
        let mut kept = OutputTail::default();
        let lines = [
            "hello",
            "Traceback (most recent call last):",
            "  File \"a.py\", line 1",
            "ValueError: no",
            "26/11/22 08:40:55 INFO A: b",
        ];
        lines.iter().for_each(|line| kept.push(line));
        assert_eq!(
            kept.trace().as_deref(),
            Some("Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: no")
        );
    }
}
