//! The log of a simulated run, as reproducible text.

use std::cmp::Ordering;
use std::fmt::Write as _;

use crate::base::Timestamp;
use crate::run::Event;

/// Lines, each with the virtual time since the start.
#[derive(Clone, Debug)]
pub(super) struct EventLog {
    start: Timestamp,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    at: Timestamp,
    /// The task, and its states before and after; `None` for events of the run as a whole.
    task: Option<(String, &'static str)>,
    text: String,
}

impl EventLog {
    pub(super) fn new(start: Timestamp) -> Self {
        EventLog { start, lines: Vec::new() }
    }

    pub(super) fn on_event(&mut self, event: &Event, task: &str) {
        let line = match event {
            Event::Task { at, attempt, from, to, .. } => {
                let text = match attempt {
                    0 => format!("{from} -> {to}"),
                    _ => format!("{from} -> {to} #{attempt}"),
                };
                Line { at: *at, task: Some((task.to_owned(), to.name())), text }
            }
            Event::Run { at, to } => Line { at: *at, task: None, text: format!("the run ends: {to}") },
            Event::RunRetry { at, retry, due } => {
                let text = format!("the run has failed, retry {retry} in {:?}", due.since(*at));
                Line { at: *at, task: None, text }
            }
            Event::TaskDeadlineMissed { at, .. } => {
                Line { at: *at, task: None, text: format!("{task} has missed its deadline") }
            }
            Event::DeadlineMissed { at, .. } => {
                Line { at: *at, task: None, text: "the run has missed its deadline".to_owned() }
            }
        };
        self.lines.push(line);
    }

    /// Adds an event of the run as a whole.
    pub(super) fn note(&mut self, at: Timestamp, text: &str) {
        self.lines.push(Line { at, task: None, text: text.to_owned() });
    }

    /// The position of the first change of a task to this state.
    pub(super) fn first(&self, task: &str, state: &str) -> Option<usize> {
        let is_it = |line: &Line| line.task.as_ref().is_some_and(|(id, to)| id == task && *to == state);
        self.lines.iter().position(is_it)
    }

    /// The position of the last change of a task.
    pub(super) fn last(&self, task: &str) -> Option<usize> {
        self.lines.iter().rposition(|line| line.task.as_ref().is_some_and(|(id, _)| id == task))
    }

    /// The whole log, one line per event.
    pub(super) fn text(&self) -> String {
        let width = self.lines.iter().filter_map(|line| Some(line.task.as_ref()?.0.chars().count())).max().unwrap_or(0);
        let mut text = String::new();
        for line in &self.lines {
            let since = match line.at.cmp(&self.start) {
                Ordering::Less => format!("-{:?}", self.start.since(line.at)),
                Ordering::Equal => "+0s".to_owned(),
                Ordering::Greater => format!("+{:?}", line.at.since(self.start)),
            };
            let task = line.task.as_ref().map_or("", |(id, _)| id);
            // Writing to a `String` cannot fail.
            let _ = match task {
                "" => writeln!(text, "{since:<9} {}", line.text),
                task => writeln!(text, "{since:<9} {task:<width$}  {}", line.text),
            };
        }
        text
    }
}
