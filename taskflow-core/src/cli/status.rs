//! `status [RUN]`: shows the state of a run and its tasks.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::grid::{self, Cell, Column, SPARE, Table};
use super::home::Home;
use super::terminal::{Paint, Terminal};
use super::{args, fit, format, run_args, runs, waits};
use crate::base::Timestamp;
use crate::base::text::one_line;
use crate::journal::{AttemptHistory, Delivery, Edit, MissedTaskDeadline, RunHistory, TaskHistory, WaitHistory};
use crate::ops::{self, EventDocument, RunStatus, TriggeredRun};
use crate::run::{RunState, TaskState, TriggeredBy};

/// More tasks are shown with `--all` only.
const ROWS: usize = 50;

pub(super) fn command() -> Command {
    Command::new("status")
        .about("Show the state of a run and its tasks")
        .arg(run_args::run_or_last())
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Show every task of a large run"))
}

pub(super) fn status(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal()?;
    let history = home.wait(ops::history(&journal, run_args::run_name(matches)))?;
    let triggered = home.wait(ops::triggered_runs(&journal, &history))?;
    let events = home.wait(ops::emitted_by(&journal, &history))?;
    if args::wants_json(matches) {
        let status = RunStatus::of(&history).with_triggered(triggered).with_events(events);
        return run_args::print_json(&status, terminal);
    }
    let shown = rows(&history, matches.get_flag("all"));
    let hidden = taking_part(&history) - shown.len();
    let mut text = fit::prose(&header(&history, terminal.paint_stdout()), terminal.width_stdout(), 4);
    text += &tree(&triggered, 2, terminal.paint_stdout());
    text += &emitted(&events, matches.get_flag("all"), terminal.paint_stdout());
    if !shown.is_empty() {
        text += "\n";
        text += &table(&history, &shown, terminal);
        text += &waiting(&history, &shown, home.flag());
        text += &links(&history, &shown, matches.get_flag("all"), terminal.paint_stdout());
    }
    terminal.print(&text)?;
    if hidden > 0 {
        terminal.note(&format!("and {hidden} more; --all shows them"));
    }
    Ok(Exit::Success)
}

/// `run 12 of delays: failed in 1.23 s, 40 tasks: 38 success, 2 failed`, and the facts about the
/// whole run.
fn header(history: &RunHistory, paint: Paint) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_header(&mut text, history, paint);
    text
}

fn write_header(text: &mut String, history: &RunHistory, paint: Paint) -> std::fmt::Result {
    let started = history.started().unwrap_or(history.created);
    let took = match (history.state, history.ended) {
        (RunState::Running, _) => format!(" for {}", format::duration(Timestamp::now().since(started))),
        (_, Some(ended)) => format!(" in {}", format::duration(ended.since(started))),
        (_, None) => String::new(),
    };
    let (number, dag) = (history.number, paint.strong(&history.info.dag_id));
    let state = grid::painted(history.state, paint);
    writeln!(text, "run {number} of {dag}: {state}{took}, {}", counts(history))?;
    if let Some(reason) = &history.halt_reason {
        writeln!(text, "  {} {}", paint.faint("reason:"), one_line(reason))?;
    }
    writeln!(text, "  {} {}", paint.faint("id"), one_line(&history.info.run_id))?;
    if let Some(TriggeredBy { run_id, task_id, .. }) = &history.info.triggered_by {
        writeln!(text, "  {} `{task_id}` of {}", paint.faint("triggered by"), one_line(run_id))?;
    }
    for consumed in history.info.triggering_events.iter().flat_map(|events| &events.consumed) {
        let (what, param) = (format::consumed(consumed), &consumed.param);
        writeln!(text, "  {} {what} as `{param}`", paint.faint("consumed"))?;
    }
    if runs::is_about_another_time(history.info.logical_date, history.created) {
        writeln!(text, "  {} {}", paint.faint("logical date"), history.info.logical_date)?;
    }
    for (number, session) in (1..).zip(&history.sessions) {
        let verb = if number == 1 { "started" } else { "resumed" };
        writeln!(text, "  {} {} by {}", paint.faint(verb), format::time(session.at), one_line(&session.worker))?;
    }
    for retry in &history.run_retries {
        let (number, at) = (retry.number, format::time(retry.started.unwrap_or(retry.due)));
        let word = if retry.started.is_some() { "retried" } else { "to be retried" };
        writeln!(text, "  {} {at} (retry {number})", paint.faint(word))?;
    }
    if let Some(missed) = &history.missed_deadline {
        let why = if missed.reason.is_empty() { String::new() } else { format!(": {}", one_line(&missed.reason)) };
        writeln!(text, "  {} {}{why}", paint.faint("missed its deadline"), format::time(missed.deadline))?;
    }
    for missed in &history.missed_task_deadlines {
        let (deadline, task) = (format::time(missed.deadline), &missed.task);
        writeln!(text, "  {} {task}, {deadline}{}", paint.faint("missed deadline of"), open(missed))?;
    }
    for edit in &history.edits {
        writeln!(text, "  {}", edited(edit, paint))?;
    }
    let mut groups: Vec<_> = history.groups.iter().collect();
    groups.sort_unstable();
    for (group, (retry, due)) in groups {
        writeln!(text, "  {} group {group}, retry {retry} from {} on", paint.faint("retried"), format::time(*due))?;
    }
    if let Some(ended) = history.ended {
        writeln!(text, "  {} {}", paint.faint("ended"), format::time(ended))?;
    }
    write_deliveries(text, history, paint)?;
    if history.state == RunState::Interrupted {
        let resume = format!("`resume {number}`");
        writeln!(text, "  no process is running it: {} continues it", paint.good(&resume))?;
    }
    Ok(())
}

/// ` (3 elements were open)`
pub(super) fn open(missed: &MissedTaskDeadline) -> String {
    match missed.open {
        0 | 1 => String::new(),
        count => format!(" ({count} elements were open)"),
    }
}

/// Which notifications of callbacks were delivered, and which were not.
fn write_deliveries(text: &mut String, history: &RunHistory, paint: Paint) -> std::fmt::Result {
    let delivered = history.deliveries.iter().filter(|delivery| delivery.error.is_none()).count();
    if delivered > 0 {
        writeln!(text, "  {} {}", paint.faint("callbacks notified"), format::count(delivered, "notification"))?;
    }
    let failed = history.deliveries.iter().filter_map(|delivery| Some((delivery, delivery.error.as_ref()?)));
    for (Delivery { notification, callback, attempts, next, .. }, error) in failed {
        let next = match next {
            Some(next) => format!("retry after {}", format::time(*next)),
            None => "given up".to_owned(),
        };
        let tries = if *attempts == 1 { "one attempt".to_owned() } else { format!("{attempts} attempts") };
        let (callback, notification) = (one_line(callback), one_line(notification));
        writeln!(text, "  {} `{callback}` was not notified: {notification}", paint.faint("callback"))?;
        writeln!(text, "    {} ({tries}, {next})", format::first_line(error))?;
    }
    Ok(())
}

/// `40 tasks: 38 success, 2 failed`, without those that are not part of the run.
pub(super) fn counts(history: &RunHistory) -> String {
    let mut counts = history.counts();
    counts.retain(|&(state, _)| state != TaskState::Removed);
    counts.sort_by_key(|&(state, _)| grid::place_of(state));
    let (mut drawn, mut removed, mut elements) = (0, 0, 0);
    for task in &history.tasks {
        let is_removed = task.state == TaskState::Removed;
        if task.id.ends_with(']') {
            elements += usize::from(!is_removed);
        } else {
            drawn += 1;
            removed += usize::from(is_removed);
        }
    }
    let total = format::tasks(drawn, removed, elements);
    let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {}", display_name(*state))).collect();
    if counts.is_empty() { total } else { format!("{total}: {}", counts.join(", ")) }
}

/// The word `none` would read as if there were no task.
fn display_name(state: TaskState) -> &'static str {
    if state == TaskState::None { "waiting" } else { state.name() }
}

/// `cleared 2026-..: load, count (by ada: wrong file)`
fn edited(edit: &Edit, paint: Paint) -> String {
    let what = match edit.marked {
        Some(state) => format!("marked {state}"),
        None => "cleared".to_owned(),
    };
    let (by, reason) = (one_line(&edit.by), one_line(&edit.reason));
    let note = match (&*by, &*reason) {
        ("", "") => String::new(),
        ("", reason) => format!(" ({reason})"),
        (by, "") => format!(" (by {by})"),
        (by, reason) => format!(" (by {by}: {reason})"),
    };
    format!("{} {} {}{note}", paint.faint(&what), format::time(edit.at), format::some(&edit.tasks, 5))
}

/// The indexes of the tasks to show; of many, those that need attention first.
fn rows(history: &RunHistory, all: bool) -> Vec<usize> {
    let takes_part = |&place: &usize| history.tasks[place].state != TaskState::Removed;
    let rows = history.in_order().filter(takes_part);
    if all || taking_part(history) <= ROWS {
        return rows.collect();
    }
    let mut by_urgency: [Vec<usize>; URGENCY.len() + 1] = Default::default();
    for place in rows {
        let equal = &mut by_urgency[urgency(history.tasks[place].state)];
        if equal.len() < ROWS {
            equal.push(place);
        }
    }
    let mut rows = by_urgency.concat();
    rows.truncate(ROWS);
    rows
}

/// How many tasks are part of the run.
fn taking_part(history: &RunHistory) -> usize {
    history.tasks.iter().filter(|task| task.state != TaskState::Removed).count()
}

/// The states by how much they need attention.
const URGENCY: [TaskState; 11] = [
    TaskState::Failed,
    TaskState::Running,
    TaskState::UpForRetry,
    TaskState::Deferred,
    TaskState::UpForReschedule,
    TaskState::Scheduled,
    TaskState::Cancelled,
    TaskState::UpstreamFailed,
    TaskState::None,
    TaskState::Skipped,
    TaskState::Success,
];

fn urgency(state: TaskState) -> usize {
    URGENCY.iter().position(|&known| known == state).unwrap_or(URGENCY.len())
}

fn table(history: &RunHistory, rows: &[usize], terminal: &Terminal) -> String {
    let mut table = Table::new([
        Column::new("task"),
        Column::new("state"),
        Column::number("attempts").rank(2),
        Column::new("start").rank(SPARE),
        Column::number("duration").rank(1),
        Column::reason("why"),
    ]);
    let begun = history.started().unwrap_or(history.created);
    for &place in rows {
        let task = &history.tasks[place];
        let last = task.attempts.last();
        // As in the summary of a run: all attempts, but those before it was cleared.
        let first = task.attempts.iter().find(|attempt| attempt.number > task.uncounted_attempts).or(last);
        let took = last.zip(first).and_then(|(last, first)| took(history, first.started, last));
        table.add_row([
            Cell::new(named(task)),
            grid::state(task.state),
            Cell::new(last.map(|_| task.attempts.len().to_string()).unwrap_or_default()),
            Cell::new(first.map(|attempt| format::clock(attempt.started, begun)).unwrap_or_default()),
            Cell::new(took.map(format::duration).unwrap_or_default()),
            Cell::new(why(history, place)),
        ]);
    }
    table.render(terminal.width_stdout(), terminal.paint_stdout())
}

/// `load[3] (2013-03)`
fn named(task: &TaskHistory) -> String {
    format::task(&task.id, task.label.as_deref())
}

/// The triggered runs, a line each: `triggered run 8 of load by `fetch`: success`
fn tree(triggered: &[TriggeredRun], indent: usize, paint: Paint) -> String {
    let mut text = String::new();
    for TriggeredRun { task_id, number, dag_id, state, triggered, .. } in triggered {
        let state = grid::painted(*state, paint);
        let what = paint.faint("triggered");
        text += &format!("{}{what} run {number} of {dag_id} by `{task_id}`: {state}\n", " ".repeat(indent));
        text += &tree(triggered, indent + 2, paint);
    }
    text
}

/// The events of assets, a line each; of many, the first unless all are wanted.
fn emitted(events: &[EventDocument], all: bool, paint: Paint) -> String {
    let line = |event: &EventDocument| {
        let (number, asset) = (event.number, one_line(&event.asset));
        let partition = event.partition.as_ref().map(|partition| format!(" {}", one_line(partition)));
        let (partition, task) = (partition.unwrap_or_default(), one_line(event.task.as_deref().unwrap_or_default()));
        format!("  {} event {number} of {asset}{partition} by `{task}`\n", paint.faint("emitted"))
    };
    let shown = if all { events.len() } else { events.len().min(ROWS) };
    let mut text: String = events[..shown].iter().map(line).collect();
    if shown < events.len() {
        text += &format!("  and {} more events; --all shows them\n", events.len() - shown);
    }
    text
}

/// How to send what tasks wait for.
fn waiting(history: &RunHistory, rows: &[usize], home: Option<&Path>) -> String {
    if history.state.is_terminal() {
        return String::new();
    }
    let mut text = String::new();
    for &place in rows {
        let task = &history.tasks[place];
        let Some(wait) = task.waits_for.as_ref().map(WaitHistory::view) else { continue };
        if let Some(answer) = waits::answer(&wait, Some(history.number), home) {
            let subject = waits::subject(&wait, Timestamp::now());
            text += &format!("\nwaits: {}: {subject}\n  {answer}\n", named(task));
        }
    }
    text
}

/// The links of the tasks, a line each; of many, the first unless all are wanted.
fn links(history: &RunHistory, rows: &[usize], all: bool, paint: Paint) -> String {
    let tasks = rows.iter().map(|&place| &history.tasks[place]);
    let links = tasks.flat_map(|task| task.links.iter().map(move |link| (task, link)));
    let lines = links.map(|(task, link)| {
        let (name, url) = (one_line(&link.name), one_line(&link.url));
        format!("  {} {} {url}\n", task.id, paint.faint(&name))
    });
    let mut lines: Vec<String> = lines.collect();
    if !all && lines.len() > ROWS {
        let more = lines.len() - ROWS;
        lines.truncate(ROWS);
        lines.push(format!("  and {more} more links; --all shows them\n"));
    }
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

/// The time from the start of the first attempt to the end of the last one, so far if it is
/// running.
fn took(history: &RunHistory, started: Timestamp, attempt: &AttemptHistory) -> Option<std::time::Duration> {
    let until = match attempt.ended {
        Some(ended) => ended,
        None if history.state == RunState::Running => Timestamp::now(),
        None => return None,
    };
    Some(until.since(started))
}

/// A short reason for the state of the task, unless the state needs none.
fn why(history: &RunHistory, place: usize) -> String {
    const LONGEST: usize = 160;
    let task = &history.tasks[place];
    let reason = match task.state {
        TaskState::Success if task.marked => "marked".to_owned(),
        TaskState::Success => String::new(),
        TaskState::Running if history.state == RunState::Running => String::new(),
        TaskState::UpForReschedule | TaskState::Deferred if !history.state.is_terminal() => {
            let wait = task.waits_for.as_ref().map(WaitHistory::view);
            wait.map(|wait| format!("waits: {}", waits::subject(&wait, Timestamp::now()))).unwrap_or_default()
        }
        TaskState::Failed if !task.marked => task.failure.as_ref().map(ToString::to_string).unwrap_or_default(),
        _ => history.explain_at(place).why.into_iter().next().unwrap_or_default(),
    };
    format::cut(format::first_line(&reason), LONGEST)
}
