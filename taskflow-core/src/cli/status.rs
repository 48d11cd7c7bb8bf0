//! `status [RUN]`: shows the state of a run and its tasks.

use std::collections::HashMap;
use std::fmt::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::grid::{self, Cell, Column, SPARE, Table};
use super::source::{Run, Source};
use super::terminal::{Paint, Terminal};
use super::{args, fit, format, run_args, runs, waits};
use crate::base::Timestamp;
use crate::base::text::one_line;
use crate::journal::{Delivery, Edit, MissedTaskDeadline, WaitHistory};
use crate::ops::{AttemptStatus, EventDocument, GroupRetry, Reason, RunStatus, TaskStatus, TriggeredRun};
use crate::run::{RunState, TaskState, TriggeredBy};

/// More tasks are shown with `--all` only.
const ROWS: usize = 50;

pub(super) fn command() -> Command {
    Command::new("status")
        .about("Show the state of a run and its tasks")
        .arg(run_args::run_or_last())
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Show every task of a large run"))
}

pub(super) fn status(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let run = source.run(run_args::run_name(matches))?;
    if args::wants_json(matches) {
        return run_args::print_json(&run.whole(), terminal);
    }
    let (status, every, paint) = (&run.status, matches.get_flag("all"), terminal.paint_stdout());
    let (shown, hidden) = rows(&run, every);
    let mut header = header(&run, paint);
    let wait = status.queue_wait.as_ref();
    header += &wait.map(|wait| format!("  {} {wait}\n", paint.faint("queued"))).unwrap_or_default();
    let mut text = fit::prose(&header, terminal.width_stdout(), 4);
    text += &fit::prose(&tree(&status.triggered, 2, paint), terminal.width_stdout(), 4);
    if status.more_triggered > 0 {
        text += &format!("  and {} more triggered runs\n", status.more_triggered);
    }
    text += &fit::prose(&emitted(status, every, paint), terminal.width_stdout(), 4);
    if !shown.is_empty() {
        text += "\n";
        text += &table(&run, &shown, terminal)?;
        text += &waiting(status, &shown, &source.flags());
        text += &links(&shown, every, paint);
    }
    terminal.print(&text)?;
    if hidden > 0 {
        terminal.note(&format!("and {hidden} more; --all shows them"));
    }
    Ok(Exit::Success)
}

/// `run 12 of delays: failed in 1.23 s, 40 tasks: 38 success, 2 failed`, and the facts about the
/// whole run.
fn header(run: &Run<'_>, paint: Paint) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_header(&mut text, &run.status, &counts(run), paint);
    text
}

fn write_header(text: &mut String, run: &RunStatus, counts: &str, paint: Paint) -> std::fmt::Result {
    let started = run.started.unwrap_or(run.created);
    let took = match (run.state, run.ended) {
        (RunState::Running, _) => format!(" for {}", format::duration(Timestamp::now().since(started))),
        (_, Some(ended)) => format!(" in {}", format::duration(ended.since(started))),
        (_, None) => String::new(),
    };
    let (number, dag) = (run.number, paint.strong(&run.dag_id));
    let state = grid::painted(run.state, paint);
    writeln!(text, "run {number} of {dag}: {state}{took}, {counts}")?;
    if let Some(reason) = &run.halt_reason {
        writeln!(text, "  {} {}", paint.faint("reason:"), one_line(reason))?;
    }
    writeln!(text, "  {} {}", paint.faint("id"), one_line(&run.run_id))?;
    if let Some(TriggeredBy { run_id, task_id, .. }) = &run.triggered_by {
        writeln!(text, "  {} `{task_id}` of {}", paint.faint("triggered by"), one_line(run_id))?;
    }
    for consumed in run.triggering_events.iter().flat_map(|events| &events.consumed) {
        let (what, param) = (format::consumed(consumed), &consumed.param);
        writeln!(text, "  {} {what} as `{param}`", paint.faint("consumed"))?;
    }
    if runs::is_about_another_time(run.logical_date, run.created) {
        writeln!(text, "  {} {}", paint.faint("logical date"), run.logical_date)?;
    }
    for (number, session) in (1..).zip(&run.sessions) {
        let verb = if number == 1 { "started" } else { "resumed" };
        writeln!(text, "  {} {} by {}", paint.faint(verb), format::time(session.at), one_line(&session.worker))?;
    }
    for retry in &run.run_retries {
        let (number, at) = (retry.number, format::time(retry.started.unwrap_or(retry.due)));
        let word = if retry.started.is_some() { "retried" } else { "to be retried" };
        writeln!(text, "  {} {at} (retry {number})", paint.faint(word))?;
    }
    if let Some(missed) = &run.missed_deadline {
        let why = if missed.reason.is_empty() { String::new() } else { format!(": {}", one_line(&missed.reason)) };
        writeln!(text, "  {} {}{why}", paint.faint("missed its deadline"), format::time(missed.deadline))?;
    }
    for missed in &run.missed_task_deadlines {
        let (deadline, task) = (format::time(missed.deadline), &missed.task);
        writeln!(text, "  {} {task}, {deadline}{}", paint.faint("missed deadline of"), open(missed))?;
    }
    for edit in &run.edits {
        writeln!(text, "  {}", edited(edit, paint))?;
    }
    for GroupRetry { group, number, due, .. } in &run.group_retries {
        writeln!(text, "  {} group {group}, retry {number} from {} on", paint.faint("retried"), format::time(*due))?;
    }
    if let Some(ended) = run.ended {
        writeln!(text, "  {} {}", paint.faint("ended"), format::time(ended))?;
    }
    write_deliveries(text, run, paint)?;
    if run.state == RunState::Interrupted {
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
fn write_deliveries(text: &mut String, run: &RunStatus, paint: Paint) -> std::fmt::Result {
    let delivered = run.deliveries.iter().filter(|delivery| delivery.error.is_none()).count();
    if delivered > 0 {
        writeln!(text, "  {} {}", paint.faint("callbacks notified"), format::count(delivered, "notification"))?;
    }
    let failed = run.deliveries.iter().filter_map(|delivery| Some((delivery, delivery.error.as_ref()?)));
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
pub(super) fn counts(run: &Run<'_>) -> String {
    let mut counts: Vec<(TaskState, usize)> = Vec::new();
    let (mut drawn, mut removed, mut elements) = (0, 0, 0);
    for task in run.tasks() {
        let is_removed = task.state == TaskState::Removed;
        if task.id.ends_with(']') {
            elements += usize::from(!is_removed);
        } else {
            drawn += 1;
            removed += usize::from(is_removed);
        }
        match counts.iter_mut().find(|(state, _)| *state == task.state) {
            _ if is_removed => {}
            Some((_, count)) => *count += 1,
            None => counts.push((task.state, 1)),
        }
    }
    counts.sort_by_key(|&(state, _)| grid::place_of(state));
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

/// The tasks to show, and how many are not shown; of many, those that need attention first.
fn rows(run: &Run<'_>, all: bool) -> (Vec<TaskStatus>, usize) {
    let taking_part = || run.tasks().filter(|task| task.state != TaskState::Removed);
    let total = taking_part().count();
    if all || total <= ROWS {
        return (taking_part().map(|task| run.task(task.place)).collect(), 0);
    }
    let mut by_urgency: [Vec<usize>; URGENCY.len() + 1] = Default::default();
    for task in taking_part() {
        let equal = &mut by_urgency[urgency(task.state)];
        if equal.len() < ROWS {
            equal.push(task.place);
        }
    }
    let places = by_urgency.into_iter().flatten().take(ROWS);
    (places.map(|place| run.task(place)).collect(), total - ROWS)
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

fn table(run: &Run<'_>, rows: &[TaskStatus], terminal: &Terminal) -> Result<String, CliError> {
    let mut table = Table::new([
        Column::new("task"),
        Column::new("state"),
        Column::number("attempts").rank(2),
        Column::new("start").rank(SPARE),
        Column::number("duration").rank(1),
        Column::reason("why"),
    ]);
    let (run, why) = (&run.status, reasons(run, rows)?);
    let begun = run.started.unwrap_or(run.created);
    for task in rows {
        let last = task.attempts.last();
        // As in the summary of a run: all attempts, but those before it was cleared.
        let first = task.attempts.iter().find(|attempt| attempt.number > task.earlier_attempts).or(last);
        let took = last.zip(first).and_then(|(last, first)| took(run, first.started, last));
        table.add_row([
            Cell::new(named(task)),
            grid::state(task.state),
            Cell::new(last.map(|_| task.attempts.len().to_string()).unwrap_or_default()),
            Cell::new(first.map(|attempt| format::clock(attempt.started, begun)).unwrap_or_default()),
            Cell::new(took.map(format::duration).unwrap_or_default()),
            Cell::new(why.get(&*task.id).map_or("", String::as_str)),
        ]);
    }
    Ok(table.render(terminal.width_stdout(), terminal.paint_stdout()))
}

/// `load[3] (2013-03)`
fn named(task: &TaskStatus) -> String {
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
fn emitted(status: &RunStatus, all: bool, paint: Paint) -> String {
    let events = &status.events;
    let line = |event: &EventDocument| {
        let (number, asset) = (event.number, one_line(&event.asset));
        let partition = event.partition.as_ref().map(|partition| format!(" {}", one_line(partition)));
        let (partition, task) = (partition.unwrap_or_default(), one_line(event.task.as_deref().unwrap_or_default()));
        format!("  {} event {number} of {asset}{partition} by `{task}`\n", paint.faint("emitted"))
    };
    let shown = if all { events.len() } else { events.len().min(ROWS) };
    let mut text: String = events[..shown].iter().map(line).collect();
    let hidden = events.len() - shown;
    match status.more_events as usize {
        0 if hidden == 0 => {}
        0 => text += &format!("  and {hidden} more events; --all shows them\n"),
        more => text += &format!("  and {} more events; `events` lists all\n", hidden + more),
    }
    text
}

/// How to send what tasks wait for.
fn waiting(run: &RunStatus, rows: &[TaskStatus], flags: &[String]) -> String {
    if run.state.is_terminal() {
        return String::new();
    }
    let mut text = String::new();
    for task in rows {
        let Some(wait) = task.waits_for.as_ref().map(WaitHistory::view) else { continue };
        if let Some(answer) = waits::answer(&wait, Some(run.number), flags) {
            let subject = waits::subject(&wait, Timestamp::now());
            let who = waits::respondents(&wait).map(|who| format!("  {who}\n")).unwrap_or_default();
            text += &format!("\nwaits: {}: {subject}\n{who}  {answer}\n", named(task));
        }
    }
    text
}

/// The links of the tasks, a line each; of many, the first unless all are wanted.
fn links(rows: &[TaskStatus], all: bool, paint: Paint) -> String {
    let links = rows.iter().flat_map(|task| task.links.iter().map(move |link| (task, link)));
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
fn took(run: &RunStatus, started: Timestamp, attempt: &AttemptStatus) -> Option<std::time::Duration> {
    let until = match attempt.ended {
        Some(ended) => ended,
        None if run.state == RunState::Running => Timestamp::now(),
        None => return None,
    };
    Some(until.since(started))
}

/// A short reason for the state of each task, by id, unless the state needs none.
fn reasons<'r>(run: &Run<'_>, rows: &'r [TaskStatus]) -> Result<HashMap<&'r str, String>, CliError> {
    const LONGEST: usize = 160;
    let (mut reasons, mut others) = (HashMap::new(), Vec::new());
    for task in rows {
        let reason = match task.state {
            TaskState::Success if task.marked => "marked".to_owned(),
            TaskState::Success => continue,
            TaskState::Running if run.status.state == RunState::Running => continue,
            TaskState::UpForReschedule | TaskState::Deferred if !run.status.state.is_terminal() => {
                let wait = task.waits_for.as_ref().map(WaitHistory::view);
                wait.map(|wait| format!("waits: {}", waits::subject(&wait, Timestamp::now()))).unwrap_or_default()
            }
            TaskState::Failed if !task.marked => task.reason.as_ref().map(Reason::in_words).unwrap_or_default(),
            _ => {
                others.push(&*task.id);
                continue;
            }
        };
        reasons.insert(&*task.id, reason);
    }
    if !others.is_empty() {
        let mut explained = run.explain_all(&others)?;
        for task in others {
            let Some(place) = explained.iter().position(|explanation| explanation.task == task) else { continue };
            let why = explained.swap_remove(place).why;
            reasons.insert(task, why.into_iter().next().unwrap_or_default());
        }
    }
    for reason in reasons.values_mut() {
        *reason = format::cut(format::first_line(reason), LONGEST);
    }
    Ok(reasons)
}
