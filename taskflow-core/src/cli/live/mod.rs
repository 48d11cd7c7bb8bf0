//! A run in progress: how it is shown, and signals that end it early.

mod bar;
#[cfg(unix)]
pub(super) mod capture;
mod echo;
mod log;
mod sample;
#[cfg(unix)]
mod screen;
mod signals;
mod view;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use self::bar::Bar;
pub(super) use self::echo::Echo;
use self::log::Log;
use self::sample::Sample;
pub(super) use self::signals::{Signal, Signals};
use super::terminal::Terminal;
use super::{format, waits};
use crate::base::{Failure, Timestamp};
use crate::dag::Plan;
use crate::engine::{ChangedTask, Engine, LiveFollower, RunControl, RunHandle, RunReport};
use crate::run::{AdmissionWait, RunInfo, RunProgress, TaskState, WaitView};
use crate::value::AnyValue;

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) report: RunReport,
    /// The result of the DAG, or why it cannot be computed.
    pub(super) result: Result<Option<AnyValue>, Failure>,
    /// The signal that ended it early.
    pub(super) signal: Option<Signal>,
    /// Its number, if it is stored.
    pub(super) number: Option<i64>,
}

/// A shorter run is not shown: the view would only flicker.
const FIRST_LOOK: Duration = Duration::from_millis(150);
/// Between two refreshes of what is shown.
const INTERVAL: Duration = Duration::from_millis(100);
/// Between two checks for the number of a run that has just started.
const NUMBER_INTERVAL: Duration = Duration::from_millis(2);
/// How long the first line waits for the number.
const NUMBER_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two looks at a run of which nothing else is shown.
const QUIET_INTERVAL: Duration = Duration::from_secs(1);
/// A refresh takes at most this fraction of the time.
const MAX_SHARE: u32 = 100;

/// Follows the run to its end.
pub(super) async fn follow(
    handle: RunHandle<()>,
    mut watcher: Watcher,
    home: Option<PathBuf>,
    mut echo: Option<Echo>,
    signals: &mut Signals,
    stopping: &Stopping<'_>,
    terminal: &Terminal,
) -> Ended {
    let control = handle.control();
    let mut about = RunName { number: None, home };
    let (mut stopped_by, mut waits, mut store_wait) = (None, None, None);
    let mut finished = pin!(handle.finished());
    let start = Instant::now();
    // Follows from the first refresh on: nothing is collected for a short run.
    let mut follower = None;
    let mut next_look = start + if watcher.awaits_opening() { NUMBER_INTERVAL } else { FIRST_LOOK };
    let (report, result) = loop {
        tokio::select! {
            biased;
            ended = &mut finished => break ended,
            signal = signals.next() => {
                if stopped_by.is_some() {
                    watcher.quit("stopped at once", terminal);
                    std::process::exit(signal.exit().code().into());
                }
                stopped_by = Some(signal);
                watcher.open(control.number(), terminal);
                // Counted first: tasks that are asked to stop may end before the message is
                // printed.
                let message = stopping.message(&control, signal);
                stopping.engine.drain(signal.reason());
                watcher.note(&message, terminal);
            }
            () = sleep_until(next_look) => {
                let before = Instant::now();
                watcher.store_waits(&control, &mut store_wait, terminal);
                if watcher.is_quiet() && echo.is_none() {
                    next_look = before + QUIET_INTERVAL;
                    continue;
                }
                let awaits_number = watcher.awaits_opening() && control.is_recorded() && control.number().is_none();
                if awaits_number && start.elapsed() < NUMBER_TIMEOUT {
                    next_look = before + NUMBER_INTERVAL;
                    continue;
                }
                about.number = control.number();
                watcher.open(about.number, terminal);
                watcher.waits(&control, &mut waits, terminal);
                if follower.is_none() {
                    follower = control.follow();
                }
                if let Some(follower) = &mut follower {
                    refresh(follower, &mut watcher, &mut echo, &about, terminal);
                }
                next_look = Instant::now() + INTERVAL.max(before.elapsed() * MAX_SHARE);
            }
        }
    };
    let number = control.number();
    watcher.open(number, terminal);
    if !watcher.is_quiet() || echo.is_some() {
        let wants = |state: TaskState| echo.is_some() || watcher.wants(state);
        let (progress, changed) = LiveFollower::ended(&report, wants);
        if let Some(echo) = echo {
            echo.rest(&changed).iter().for_each(|line| watcher.note(line, terminal));
        }
        about.number = number;
        watcher.end(&progress, &changed, &about, terminal);
    }
    Ended { report, result, signal: stopped_by, number }
}

/// Waits until the runs that this one has triggered have ended, because they would end with the
/// process. After a signal it waits for the grace time at most; another signal ends the waiting at
/// once.
pub(super) async fn wait_for_triggered(
    engine: &Engine,
    ended: &Ended,
    signals: &mut Signals,
    grace: Duration,
    terminal: Option<&Terminal>,
) {
    const INTERVAL: Duration = Duration::from_millis(20);

    let until = ended.signal.map(|_| Instant::now() + grace);
    let mut terminal = terminal.filter(|_| ended.signal.is_none());
    // Runs that end with this one need a moment.
    let first_note = Instant::now() + INTERVAL;
    loop {
        let left = engine.run_count();
        if left == 0 || until.is_some_and(|until| Instant::now() >= until) {
            return;
        }
        if Instant::now() > first_note
            && let Some(terminal) = terminal.take()
        {
            let runs = format::count(left, "triggered run");
            terminal.note(&format!("waiting for {runs} to end; Ctrl-C leaves the rest to `resume`"));
        }
        tokio::select! {
            biased;
            _ = signals.next() => return,
            () = sleep(INTERVAL) => {}
        }
    }
}

/// Shows what has changed.
fn refresh(
    follower: &mut LiveFollower,
    watcher: &mut Watcher,
    echo: &mut Option<Echo>,
    about: &RunName,
    terminal: &Terminal,
) {
    let Some(changed) = follower.refresh(|state| echo.is_some() || watcher.wants(state)) else { return };
    watcher.update(follower.progress(), &changed, about, terminal);
    if let Some(echo) = echo {
        let now = follower.progress().now;
        echo.apply(&changed, now);
        echo.new_lines(now).iter().for_each(|line| watcher.note(line, terminal));
    }
}

/// What happens at the first signal.
pub(super) struct Stopping<'a> {
    /// The engine of the run and of those that it triggers.
    pub(super) engine: &'a Engine,
    pub(super) grace: Duration,
    /// The command that resumes the run with this number.
    pub(super) resume: &'a dyn Fn(i64) -> String,
}

impl Stopping<'_> {
    /// The line after the first signal.
    fn message(&self, control: &RunControl, signal: Signal) -> String {
        let running = match control.running().len() {
            0 => String::new(),
            count => {
                format!(": waiting up to {} for {}", format::seconds(self.grace), format::count(count, "running task"))
            }
        };
        let next = match control.number() {
            Some(number) => format!("the run can be resumed with `{}`", (self.resume)(number)),
            // It has just begun, or its store is locked: then it leaves, and may never be stored.
            None if control.is_recorded() => {
                "the run is not stored yet; once it is, it can be resumed with `resume`".to_owned()
            }
            None => "the run is not stored, so it is cancelled and cannot be resumed".to_owned(),
        };
        format!("stopping{running}; {} stops at once; {next}", signal.again())
    }
}

/// How commands name the run.
#[derive(Debug)]
pub(super) struct RunName {
    /// Its number, once it is stored.
    number: Option<i64>,
    /// The directory that `--home` names.
    home: Option<PathBuf>,
}

impl RunName {
    /// How to send what a task waits for.
    fn answer(&self, wait: &WaitView) -> Option<String> {
        waits::answer(wait, self.number, &super::shell::home_flags(self.home.as_deref()))
    }
}

/// How a run is shown.
#[derive(Debug)]
pub(super) enum Watcher {
    /// Not at all.
    Quiet,
    Lines {
        log: Log,
        /// The first line, until it is printed: it waits a moment for the number of the run.
        opening: Option<Opening>,
    },
    View {
        plan: Arc<Plan>,
        /// The first line, printed above the view when it is first shown.
        opening: Option<Opening>,
        /// The progress view, once it is shown.
        bar: Option<Bar>,
    },
}

/// The first line about a run.
#[derive(Debug)]
pub(super) struct Opening {
    at: Timestamp,
    dag: String,
    run: String,
    tasks: usize,
    resumed: bool,
}

impl Opening {
    /// `delays: run 12 (manual__..) of 40 tasks`, or `delays: resumed run ..`
    fn line(&self, number: Option<i64>) -> String {
        let Opening { at, dag, run, tasks, resumed } = self;
        let run = number.map_or_else(|| run.clone(), |number| format!("{number} ({run})"));
        let run_word = if *resumed { "resumed run" } else { "run" };
        format!("{} {dag}: {run_word} {run} of {}", format::time(*at), format::count(*tasks, "task"))
    }
}

impl Watcher {
    /// For a run that is about to start.
    pub(super) fn new(info: &RunInfo, plan: &Arc<Plan>, resumed: bool, terminal: &Terminal) -> Self {
        let at = Timestamp::now();
        let (dag, run) = (plan.id().to_owned(), info.run_id.clone());
        let opening = Some(Opening { at, dag, run, tasks: plan.task_count(), resumed });
        match terminal.live {
            true => Watcher::View { plan: Arc::clone(plan), opening, bar: None },
            false => Watcher::Lines { log: Log::new(plan, at), opening },
        }
    }

    fn is_quiet(&self) -> bool {
        matches!(self, Watcher::Quiet)
    }

    /// Whether its first line is still to be printed.
    fn awaits_opening(&self) -> bool {
        matches!(self, Watcher::Lines { opening: Some(_), .. })
    }

    /// Prints the first line. In a view it is printed when the view is shown: a short run needs
    /// none.
    fn open(&mut self, number: Option<i64>, terminal: &Terminal) {
        let opening = match self {
            Watcher::Quiet => None,
            Watcher::Lines { opening, .. } => opening.take(),
            Watcher::View { opening, bar, .. } => opening.take_if(|_| bar.is_some() && number.is_some()),
        };
        if let Some(opening) = opening {
            self.note(&opening.line(number), terminal);
        }
    }

    /// Reports what the run waits for before it starts, if that has changed.
    fn waits(&self, control: &RunControl, last: &mut Option<AdmissionWait>, terminal: &Terminal) {
        let wait = control.waits_for().filter(|wait| !wait.active.is_empty() || !wait.ahead.is_empty());
        if let Some(wait) = wait.filter(|wait| last.as_ref() != Some(wait)) {
            self.note(&wait.to_string(), terminal);
            *last = Some(wait);
        }
    }

    /// Warns when the run begins to wait for a store that another process has locked.
    fn store_waits(&self, control: &RunControl, last: &mut Option<Arc<str>>, terminal: &Terminal) {
        let wait = control.store_wait();
        // The line of another wait can be the same.
        if let Some(line) = wait.as_ref()
            && last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, line))
        {
            self.note(&terminal.warning(line), terminal);
        }
        *last = wait;
    }

    /// Whether it shows changes to this state one by one.
    fn wants(&self, state: TaskState) -> bool {
        match self {
            Watcher::Quiet | Watcher::View { .. } => false,
            Watcher::Lines { log, .. } => log.wants(state),
        }
    }

    fn update(&mut self, progress: &RunProgress, changed: &[ChangedTask], about: &RunName, terminal: &Terminal) {
        match self {
            Watcher::Quiet => {}
            Watcher::Lines { log, .. } => {
                log.new_lines(progress, changed, about).iter().for_each(|line| terminal.note(line));
            }
            Watcher::View { plan, bar, .. } => {
                bar.get_or_insert_with(|| Bar::new(*terminal)).show(&Sample::of(progress, about, view::NAMED), plan);
            }
        }
    }

    fn note(&self, line: &str, terminal: &Terminal) {
        match self {
            Watcher::View { bar: Some(bar), .. } => bar.note(line),
            _ => terminal.note(line),
        }
    }

    /// Prints the last line.
    fn quit(&self, line: &str, terminal: &Terminal) {
        match self {
            Watcher::View { bar: Some(bar), .. } => bar.quit(line),
            _ => terminal.note(line),
        }
    }

    /// Shows the rest of a run that has ended.
    fn end(self, progress: &RunProgress, changed: &[ChangedTask], about: &RunName, terminal: &Terminal) {
        match self {
            Watcher::Quiet | Watcher::View { bar: None, .. } => {}
            Watcher::Lines { mut log, .. } => {
                log.new_lines(progress, changed, about).iter().for_each(|line| terminal.note(line));
            }
            Watcher::View { bar: Some(bar), .. } => bar.end(),
        }
    }
}
