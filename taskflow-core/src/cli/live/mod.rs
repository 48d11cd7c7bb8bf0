//! A run while it goes on: who watches it, and what ends it early.

mod bar;
#[cfg(unix)]
pub(super) mod capture;
mod log;
mod sample;
#[cfg(unix)]
mod screen;
mod signals;
mod view;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::bar::Bar;
use self::log::Log;
use self::sample::Sample;
pub(super) use self::signals::{Signal, Signals};
use super::terminal::Terminal;
use super::words;
use crate::dag::Plan;
use crate::engine::{RunControl, RunHandle, RunReport};
use crate::task::RunInfo;
use crate::time::Timestamp;
use crate::value::AnyValue;

/// A run that is over.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) report: RunReport,
    pub(super) result: Option<AnyValue>,
    /// What ended it early.
    pub(super) signal: Option<Signal>,
}

/// A run that is over sooner is not watched at all: a view that comes and goes in that time only flickers.
const FIRST_LOOK: Duration = Duration::from_millis(150);
/// Between two looks.
const PACE: Duration = Duration::from_millis(100);
/// A look holds the engine still: looking takes at most this part of the time.
const SHARE: u32 = 100;

/// Watches the run to its end.
pub(super) async fn follow(
    handle: RunHandle<()>,
    mut watcher: Watcher,
    mut signals: Signals,
    grace: Duration,
    terminal: &Terminal,
) -> Ended {
    let control = handle.control();
    let mut stopped_by = None;
    let mut finished = pin!(handle.finished());
    let mut next_look = Instant::now() + FIRST_LOOK;
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
                // Told as it is now: what is asked to end may end before we have said so.
                let told = waiting(&control, grace, signal);
                control.cancel(signal.reason());
                watcher.note(&told, terminal);
            }
            () = sleep_until(next_look), if !watcher.is_blind() => {
                let before = Instant::now();
                watcher.look(&control, terminal);
                next_look = Instant::now() + PACE.max(before.elapsed() * SHARE);
            }
        }
    };
    watcher.end(&report, terminal);
    Ended { report, result, signal: stopped_by }
}

/// What is said after the first Ctrl-C.
fn waiting(control: &RunControl, grace: Duration, signal: Signal) -> String {
    let again = match signal {
        Signal::Interrupt => "Ctrl-C again",
        Signal::Terminate => "a second signal",
    };
    let grace = words::seconds(grace);
    match control.running().len() {
        0 => signal.reason().to_owned(),
        running => format!(
            "{}: {} running may take {grace} to end; {again} stops at once",
            signal.reason(),
            words::count(running, "task")
        ),
    }
}

/// Who watches.
#[derive(Debug)]
pub(super) enum Watcher {
    /// Nobody.
    Quiet,
    Lines(Log),
    /// The view, once there is one.
    View(Option<Bar>),
}

impl Watcher {
    /// For a run that is about to start.
    pub(super) fn new(info: &RunInfo, plan: &Plan, terminal: &Terminal) -> Self {
        if terminal.live {
            return Watcher::View(None);
        }
        let (now, tasks) = (words::time(Timestamp::now()), words::count(plan.len(), "task"));
        terminal.note(&format!("{now} {}: run {} of {tasks}", plan.id(), info.run_id));
        Watcher::Lines(Log::new(plan))
    }

    fn is_blind(&self) -> bool {
        matches!(self, Watcher::Quiet)
    }

    fn look(&mut self, control: &RunControl, terminal: &Terminal) {
        match self {
            Watcher::Quiet => {}
            Watcher::Lines(log) => {
                let news = control.look(|look| log.news(look.tasks(), look.now()));
                news.unwrap_or_default().iter().for_each(|line| terminal.note(line));
            }
            Watcher::View(bar) => {
                let Some((sample, plan, started)) =
                    control.look(|look| (Sample::take(look, view::NAMED), Arc::clone(look.plan()), look.started()))
                else {
                    return;
                };
                bar.get_or_insert_with(Bar::new).show(&sample, &plan, started);
            }
        }
    }

    fn note(&self, line: &str, terminal: &Terminal) {
        match self {
            Watcher::View(Some(bar)) => bar.note(line),
            _ => terminal.note(line),
        }
    }

    /// The last thing that is said.
    fn quit(&self, line: &str, terminal: &Terminal) {
        match self {
            Watcher::View(Some(bar)) => bar.quit(line),
            _ => terminal.note(line),
        }
    }

    fn end(self, report: &RunReport, terminal: &Terminal) {
        match self {
            Watcher::Quiet | Watcher::View(None) => {}
            Watcher::Lines(mut log) => {
                log.news(report.tasks(), report.ended()).iter().for_each(|line| terminal.note(line));
            }
            Watcher::View(Some(bar)) => bar.end(),
        }
    }
}
