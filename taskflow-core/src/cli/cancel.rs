//! `cancel RUN`: ends a run early, whichever process runs it.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::ops::{CancelPreview, CancelledRun, ExternalJob, ExternalJobState};
use crate::run::RunState;

pub(super) fn command() -> Command {
    Command::new("cancel")
        .about("Cancel a run, even if another process is running it")
        .arg(run_args::run())
        .arg(run_args::reason())
        .arg(run_args::by())
        .arg(Arg::new("no-wait").long("no-wait").action(ArgAction::SetTrue).help("Do not wait until the run has ended"))
        .arg(run_args::dry_run("List the tasks that would end early or not run at all, and change nothing"))
        .arg(run_args::token("Cancel the run only as a preview with this token has shown"))
}

pub(super) fn cancel(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let (run, note) = (run_args::run_name(matches), run_args::note(matches));
    if matches.get_flag("dry-run") {
        return preview(&source.preview_cancel(run)?, matches, terminal);
    }
    let requested = |run: &CancelledRun| {
        if let CancelledRun { number, worker: Some(worker), .. } = run {
            terminal.note(&format!("run {number} is running in process {worker}, which was asked to cancel it"));
        }
    };
    let (token, waits) = (run_args::token_of(matches), !matches.get_flag("no-wait"));
    let cancelled = source.cancel(run, token, &note, waits, requested)?;
    requested(&cancelled);
    let number = cancelled.number;
    for job in &cancelled.jobs {
        terminal.note(&about(job));
    }
    match &cancelled.triggered[..] {
        [] => {}
        [run] => terminal.note(&format!("run {run}, which a task waited for, is cancelled as well")),
        runs => terminal.note(&format!("runs {}, which tasks waited for, are cancelled as well", listed(runs))),
    }
    match cancelled.state {
        RunState::Running if !cancelled.teardowns.is_empty() => terminal.note(&format!(
            "run {number} is cancelled except for its teardowns: `resume {number}` runs {}",
            cancelled.teardowns.join(", ")
        )),
        RunState::Running => {}
        RunState::Cancelled => terminal.note(&format!("run {number} is cancelled")),
        state => terminal.note(&format!("run {number} ended before it could be cancelled (state: {state})")),
    }
    if args::wants_json(matches) {
        run_args::print_json(&cancelled, terminal)?;
    }
    Ok(Exit::Success)
}

fn preview(preview: &CancelPreview, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    if args::wants_json(matches) {
        return run_args::print_json(preview, terminal);
    }
    let CancelPreview { number, worker, tasks, running, teardowns, jobs, triggered, token, .. } = preview;
    run_args::print_tasks(tasks, terminal)?;
    if let Some(worker) = worker {
        let ends = match running.len() {
            0 => "which runs none of its tasks now".to_owned(),
            running => format!("which ends {} that it runs now", format::count(running, "task")),
        };
        terminal.note(&format!("run {number} is running in process {worker}, {ends}"));
    }
    if !teardowns.is_empty() {
        terminal.note(&format!("its teardowns are left to run: {}", format::some(teardowns, 10)));
    }
    for job in jobs {
        terminal.note(&about(job));
    }
    match &triggered[..] {
        [] => {}
        [run] => terminal.note(&format!("run {run}, which a task waits for, would be cancelled as well")),
        runs => terminal.note(&format!("runs {}, which tasks wait for, would be cancelled as well", listed(runs))),
    }
    terminal.note(&format!("nothing was cancelled; --token {token} cancels exactly this"));
    Ok(Exit::Success)
}

fn listed(runs: &[i64]) -> String {
    runs.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

fn about(ExternalJob { task, system, job, state, .. }: &ExternalJob) -> String {
    match state {
        ExternalJobState::Open => format!("the job of `{task}` on {system}, {job}, would be ended"),
        ExternalJobState::Ended => format!("the job of `{task}` on {system}, {job}, has ended"),
        ExternalJobState::Unconfirmed => {
            format!(
                "the job of `{task}` on {system}, {job}, was asked to end but has not confirmed it; check the cluster"
            )
        }
        ExternalJobState::Unreachable { reason } => {
            format!(
                "the job of `{task}` on {system}, {job}, may still be running, because it cannot be reached: {reason}"
            )
        }
    }
}
