//! What a run is about, and what happened to it beside its tasks.

use super::times::{Clock, took_for};
use crate::journal::RunHistory;
use crate::ops::EventDocument;

/// A name with a value.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// An address below the base path, or empty.
    pub(crate) href: String,
    /// A second line, in a softer ink.
    pub(crate) hint: String,
}

impl Fact {
    pub(crate) fn new(name: &'static str, value: impl Into<String>) -> Fact {
        Fact { name, value: value.into(), href: String::new(), hint: String::new() }
    }

    pub(crate) fn to(self, href: String) -> Fact {
        Fact { href, ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Fact {
        Fact { hint: hint.into(), ..self }
    }
}

/// Something that happened to a run.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: String,
    pub(crate) relative: String,
    pub(crate) iso: String,
    pub(crate) what: String,
    pub(crate) detail: String,
}

/// The head of the page of a run. `parent` is the address of the run that has triggered it, or
/// empty.
pub(crate) fn facts(history: &RunHistory, parent: &str, clock: &Clock) -> Vec<Fact> {
    let info = &history.info;
    let date = clock.at(info.logical_date);
    let mut facts = vec![Fact::new("Logical date", date.text).hint(date.relative)];
    if let Some(interval) = info.data_interval() {
        let (from, to) = (clock.at(interval.start), clock.at(interval.end));
        facts.push(Fact::new("Data interval", from.text).hint(format!("to {}", to.text)));
    }
    let mut run_type = Fact::new("Run type", info.run_type.name());
    if let Some(by) = &info.triggered_by {
        run_type = run_type.hint(format!("by {} of another run", by.task_id)).to(parent.to_owned());
    }
    facts.push(run_type);
    let created = clock.at(history.created);
    let started = history.started();
    match started {
        Some(started) => {
            let waited = started.since(history.created);
            let at = clock.at(started);
            facts.push(Fact::new("Started", at.text).hint(match waited.as_secs() {
                0 => at.relative,
                _ => format!("{}, waited {}", at.relative, took_for(waited)),
            }));
        }
        None => facts.push(Fact::new("Queued", created.text).hint(created.relative)),
    }
    if let Some(ended) = history.ended {
        let at = clock.at(ended);
        facts.push(Fact::new("Ended", at.text).hint(at.relative));
    }
    if let Some(session) = history.sessions.last() {
        let times = match history.sessions.len() {
            1 => String::new(),
            several => format!("process {several} of this run"),
        };
        facts.push(Fact::new("Process", session.worker.clone()).hint(times));
    }
    facts.push(Fact::new("Run id", info.run_id.clone()));
    facts
}

/// What people and the service did with a run, the first first.
pub(crate) fn events(history: &RunHistory, emitted: &[EventDocument], clock: &Clock) -> Vec<Event> {
    let mut all: Vec<(crate::base::Timestamp, String, String)> = Vec::new();
    for (place, session) in history.sessions.iter().enumerate() {
        let what = if place == 0 { "Started" } else { "Continued" };
        all.push((session.at, what.to_owned(), format!("by process {}, build {}", session.worker, session.build)));
    }
    for edit in &history.edits {
        let tasks = super::failures::some(&edit.tasks);
        let what = match edit.marked {
            Some(state) => format!("{} marked {tasks} as {}", edit.by, state.name()),
            None => format!("{} cleared {tasks}", edit.by),
        };
        all.push((edit.at, what, edit.reason.clone()));
    }
    for retry in &history.run_retries {
        let at = retry.started.unwrap_or(retry.due);
        all.push((at, format!("Retry {} of the run", retry.number), String::new()));
    }
    if let Some(missed) = &history.missed_deadline {
        all.push((missed.deadline, "The deadline passed".to_owned(), missed.reason.clone()));
    }
    for missed in &history.missed_task_deadlines {
        all.push((missed.deadline, format!("The deadline of {} passed", missed.task), String::new()));
    }
    for event in emitted {
        let task = event.task.as_deref().unwrap_or_default();
        all.push((event.emitted, format!("{task} emitted event {} of {}", event.number, event.asset), String::new()));
    }
    if let Some(ended) = history.ended {
        let reason = history.halt_reason.clone().unwrap_or_default();
        all.push((ended, format!("Ended: {}", history.state.name()), reason));
    }
    all.sort_by_key(|event| event.0);
    let event = |(at, what, detail)| {
        let moment = clock.at(at);
        Event { at: moment.clock, relative: moment.full, iso: moment.iso, what, detail }
    };
    all.into_iter().map(event).collect()
}
