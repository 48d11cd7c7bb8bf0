//! A run in this process, from its start to its summary: shared by `run` and the verbs that resume
//! a run.
//!
//! 1. Starts the run and follows it until it has ended ([`live`](super::live)), with the runs that
//!    it has triggered.
//! 2. Prints a summary ([`summary`](super::summary)): the result to stdout, the rest to stderr.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::{Arg, ArgAction, ArgMatches};
#[cfg(feature = "sqlite")]
use tracing_subscriber::filter::Targets;

use super::error::{CliError, Exit};
use super::live::{self, Echo, Ended, Signals, Stopping, Watcher};
use super::terminal::Terminal;
use super::{args, format, setup, summary};
use crate::base::QUIET;
use crate::config::Config;
use crate::dag::{Params, Plan};
use crate::engine::{Engine, RunRequest};
use crate::log::LogSink;
#[cfg(feature = "sqlite")]
use crate::log::{self, AlreadyInstalled};
use crate::ops;
use crate::run::{GraphChanges, RunState};

/// How a run is shown, for every verb that runs something.
#[derive(Clone, Debug)]
pub(super) struct RunFlags {
    pub(super) json: bool,
    pub(super) quiet: bool,
    jobs: Option<NonZeroUsize>,
    /// Whether log records of tasks are shown immediately.
    echo: bool,
    /// The directory that `--home` names.
    home: Option<PathBuf>,
}

/// The flags of [`RunFlags`].
pub(super) fn options() -> Vec<Arg> {
    let mut options = vec![
        Arg::new("jobs")
            .long("jobs")
            .short('j')
            .value_name("N")
            .value_parser(|text: &str| text.parse::<NonZeroUsize>().map_err(|_| "not a number of at least 1"))
            .help("Run at most N tasks at once"),
        Arg::new("quiet")
            .long("quiet")
            .short('q')
            .action(ArgAction::SetTrue)
            .help("Show no progress and no summary; errors are still reported"),
    ];
    if cfg!(feature = "sqlite") {
        options.push(
            Arg::new("logs")
                .long("logs")
                .action(ArgAction::SetTrue)
                .help("Show log records of tasks as they are written (on stderr)"),
        );
    }
    options
}

impl RunFlags {
    pub(super) fn read(matches: &ArgMatches) -> Self {
        RunFlags {
            json: args::wants_json(matches),
            quiet: matches.get_flag("quiet"),
            jobs: matches.get_one::<NonZeroUsize>("jobs").copied(),
            echo: cfg!(feature = "sqlite") && matches.get_flag("logs"),
            home: setup::home_flag(matches),
        }
    }

    /// An engine with the limits of the configuration and of the flags.
    pub(super) fn engine(&self, config: &Config) -> Result<Engine, CliError> {
        Ok(ops::engine(config, self.jobs)?)
    }

    /// Whether log records of tasks are shown.
    #[cfg(feature = "sqlite")]
    pub(super) fn shows_logs(&self) -> bool {
        self.echo
    }
}

/// A run that is about to start.
pub(super) struct RunInvocation {
    pub(super) flags: RunFlags,
    pub(super) request: RunRequest<()>,
    /// Where it is stored, with its logs.
    #[cfg(feature = "sqlite")]
    pub(super) home: Option<ops::Home>,
    /// Whether it is resumed.
    pub(super) resumed: bool,
    /// The given flags of the DAG's parameters.
    pub(super) given: Vec<String>,
    pub(super) config: Config,
}

/// What the summary needs beside the report.
#[derive(Debug)]
pub(super) struct RunOutput {
    pub(super) plan: Arc<Plan>,
    pub(super) params: Params,
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) given: Vec<String>,
    /// The directory that `--home` names.
    pub(super) home: Option<PathBuf>,
}

/// Runs it and prints the summary.
pub(super) fn drive(invocation: RunInvocation, terminal: &Terminal) -> Result<Exit, CliError> {
    #[cfg(feature = "sqlite")]
    let home = invocation.home;
    let RunInvocation { flags, request, resumed, given, config, .. } = invocation;
    let Some((plan, info, params)) = request.known() else {
        unreachable!("requests of the command line know their run")
    };
    let output = RunOutput {
        plan: Arc::clone(plan),
        params: params.clone(),
        json: flags.json,
        quiet: flags.quiet,
        given,
        home: flags.home.clone(),
    };
    let info = info.clone();
    if !request.graph_changes().is_empty() {
        graph_changed(request.graph_changes(), terminal);
    }
    let grace = ops::grace(&config);
    let engine = flags.engine(&config)?;
    let request = request.grace(grace).engine(&engine);
    // The summary reports panics. Backtraces, if asked for, are printed by the panic hook.
    quiet_panics();

    let cannot = |error: std::io::Error| CliError::Failure(format!("cannot start the run: {error}"));
    #[cfg(feature = "sqlite")]
    let sink = home.map(|home| capture(&home, flags.echo, terminal)).transpose().map_err(cannot)?;
    #[cfg(not(feature = "sqlite"))]
    let sink: Option<LogSink> = None;
    #[cfg(unix)]
    let redirect = if flags.json { Some(live::capture::StdoutRedirect::start().map_err(cannot)?) } else { None };

    // This runtime serves signals and the clock only. The run starts outside of it: async tasks get
    // one with threads.
    let watching = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let mut signals = watching.block_on(async { Signals::listen() }).map_err(cannot)?;
    let watcher = match flags.quiet {
        true => Watcher::Quiet,
        false => Watcher::new(&info, &output.plan, resumed, terminal),
    };
    let echo = sink.as_ref().filter(|_| flags.echo).map(|sink| Echo::new(sink, &info.run_id, terminal.paint_stderr()));
    let handle = request.start()?;
    let resume = |number: i64| summary::resume_command(&output, number);
    let stopping = Stopping { engine: &engine, grace, resume: &resume };
    let ended =
        watching.block_on(live::follow(handle, watcher, output.home.clone(), echo, &mut signals, &stopping, terminal));
    watching.block_on(live::wait_for_triggered(
        &engine,
        &ended,
        &mut signals,
        grace,
        (!flags.quiet).then_some(terminal),
    ));

    #[cfg(unix)]
    if let Some(redirect) = redirect {
        redirect.end()?;
    }
    if let Some(sink) = sink {
        sink.flush();
        if let Some(error) = sink.status().first_error {
            terminal.warn(&format!("some log records of tasks are missing: {error}"));
        }
    }
    engine.blocking_warnings().iter().for_each(|warning| terminal.warn(warning));
    let exit = exit(&ended);
    summary::print_summary(&output, &ended, terminal)?;
    Ok(exit)
}

/// Says what is new or gone before anything runs.
fn graph_changed(changes: &GraphChanges, terminal: &Terminal) {
    const NAMED: usize = 10;
    let list = |what: &str, tasks: &[String]| match tasks {
        [] => None,
        tasks => Some(format!("{what} {}", format::some(tasks, NAMED))),
    };
    let parts = [list("new:", &changes.new), list("gone:", &changes.gone)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    terminal.note(&format!("the graph has changed since the run was last run; {}", parts.join("; ")));
    if !changes.renumbered.is_empty() {
        terminal.warn(&format!(
            "the calls of {} are numbered in the order of the calls, and there are more or fewer of them than before: \
             a task with the same id may be another call; `.id(..)` gives a call an id that stays",
            format::some(&changes.renumbered, NAMED)
        ));
    }
}

fn exit(ended: &Ended) -> Exit {
    match (ended.report.state(), ended.signal) {
        (RunState::Success, _) => Exit::Success,
        (_, Some(signal)) => signal.exit(),
        _ => Exit::Failure,
    }
}

/// Keeps the panic hook from printing panics of tasks, unless backtraces are asked for.
pub(super) fn quiet_panics() {
    QUIET.store(std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0"), Ordering::Relaxed);
}

/// Writes what tasks log to the files of the home.
#[cfg(feature = "sqlite")]
pub(super) fn capture(home: &ops::Home, echo: bool, terminal: &Terminal) -> std::io::Result<LogSink> {
    capture_with(home, echo, terminal, log::init_with)
}

/// Like [`capture`], for a service: what it warns of goes to the terminal.
#[cfg(feature = "sqlite")]
pub(super) fn capture_for_service(home: &ops::Home, echo: bool, terminal: Terminal) -> std::io::Result<LogSink> {
    let warn = move |line: &str| terminal.warn(line);
    capture_with(home, echo, &terminal, |sink, filter| log::init_for_service(sink, filter, warn))
}

#[cfg(feature = "sqlite")]
fn capture_with(
    home: &ops::Home,
    echo: bool,
    terminal: &Terminal,
    install: impl FnOnce(LogSink, Targets) -> Result<(), AlreadyInstalled>,
) -> std::io::Result<LogSink> {
    let sink = home.log_sink()?;
    let filter = home.config().settings().log_filter().cloned().unwrap_or_else(log::default_targets);
    report_taken(install(sink.clone(), filter), echo, terminal);
    Ok(sink)
}

#[cfg(feature = "sqlite")]
fn report_taken(installed: Result<(), AlreadyInstalled>, echo: bool, terminal: &Terminal) {
    match installed {
        // The program has its own subscriber, which decides what is shown.
        Err(taken @ AlreadyInstalled::Subscriber) if echo => terminal.warn(&format!("--logs shows nothing: {taken}")),
        Ok(()) | Err(_) => {}
    }
}
