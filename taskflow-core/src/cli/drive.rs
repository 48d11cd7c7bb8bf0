//! A run in this process, from its start to what is told of its end: what `run` shares with the
//! verbs that go on with a run.
//!
//! 1. The run is started, and watched until it is over ([`live`](super::live)). Runs that it has
//!    triggered are waited for.
//! 2. What came of it is told ([`summary`](super::summary)): the result on stdout, the rest on
//!    stderr.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use super::error::{CliError, Exit};
use super::live::{self, Echo, Ended, Signals, Watcher};
use super::terminal::Terminal;
use super::{args, setup, summary};
use crate::base::QUIET;
use crate::config::Config;
use crate::dag::{Params, Plan};
use crate::engine::{Engine, RunRequest};
use crate::log::{self, AlreadyInstalled, LogSink};
use crate::run::RunState;

/// How long running tasks may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

/// How a run is watched, whatever its verb.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunFlags {
    pub(super) json: bool,
    pub(super) quiet: bool,
    jobs: Option<NonZeroUsize>,
    /// Whether the records of tasks are shown as they come.
    echo: bool,
}

/// The flags for it.
pub(super) fn options() -> Vec<Arg> {
    let mut options = vec![
        Arg::new("jobs")
            .long("jobs")
            .short('j')
            .value_name("N")
            .value_parser(|text: &str| text.parse::<NonZeroUsize>().map_err(|_| "not a number of tasks, at least 1"))
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
                .help("Show what tasks log, as it comes (on stderr)"),
        );
    }
    options
}

impl RunFlags {
    pub(super) fn read(matches: &ArgMatches, config: &Config) -> Self {
        RunFlags {
            json: args::wants_json(matches),
            quiet: matches.get_flag("quiet"),
            jobs: matches.get_one::<NonZeroUsize>("jobs").copied().or(config.settings().jobs()),
            echo: cfg!(feature = "sqlite") && matches.get_flag("logs"),
        }
    }
}

/// A run that is about to start.
pub(super) struct RunInvocation {
    pub(super) flags: RunFlags,
    pub(super) request: RunRequest<()>,
    /// Where its logs go, if it is kept.
    pub(super) logs: Option<PathBuf>,
    /// Whether it has been run before.
    pub(super) goes_on: bool,
    /// The flags of the DAG as they were given.
    pub(super) given: Vec<String>,
    pub(super) config: Config,
}

/// What is known of a run beside its report.
#[derive(Debug)]
pub(super) struct RunOutput {
    pub(super) plan: Arc<Plan>,
    pub(super) params: Params,
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) given: Vec<String>,
}

/// Runs it, and tells what came of it.
pub(super) fn drive(invocation: RunInvocation, terminal: &Terminal) -> Result<Exit, CliError> {
    let RunInvocation { flags, request, logs, goes_on, given, config } = invocation;
    let Some((plan, info, params)) = request.known() else {
        unreachable!("requests of the command line know their run")
    };
    let told =
        RunOutput { plan: Arc::clone(plan), params: params.clone(), json: flags.json, quiet: flags.quiet, given };
    let info = info.clone();
    let grace = config.settings().grace().unwrap_or(GRACE);
    let engine = engine(&flags, &config)?;
    let request = request.grace(grace).engine(&engine);
    // The summary reports panics. Whoever asks for backtraces gets them from the hook they come
    // from.
    quiet_panics();

    let cannot = |error: std::io::Error| CliError::Failure(format!("cannot start what the run needs: {error}"));
    let sink = logs.map(|logs| capture(logs, flags.echo, &config, terminal)).transpose().map_err(cannot)?;
    #[cfg(unix)]
    let aside = if flags.json { Some(live::capture::Aside::start().map_err(cannot)?) } else { None };

    // Ours is for signals and the clock only. The run starts outside of it: async tasks get a
    // runtime with threads.
    let watching = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let mut signals = watching.block_on(async { Signals::listen() }).map_err(cannot)?;
    let watcher = match flags.quiet {
        true => Watcher::Quiet,
        false => Watcher::new(&info, &told.plan, goes_on, terminal),
    };
    let echo = sink.as_ref().filter(|_| flags.echo).map(|sink| Echo::new(sink, &info.run_id, terminal.paint_stderr()));
    let handle = request.start()?;
    let ended = watching.block_on(live::follow(handle, watcher, echo, &mut signals, grace, terminal));
    watching.block_on(live::stay(&engine, &ended, &mut signals, grace, (!flags.quiet).then_some(terminal)));

    #[cfg(unix)]
    if let Some(aside) = aside {
        aside.end()?;
    }
    if let Some(sink) = sink {
        sink.flush();
        if let Some(error) = sink.status().first_error {
            terminal.warn(&format!("some of what tasks logged is missing: {error}"));
        }
    }
    let exit = exit(&ended);
    summary::tell(&told, &ended, terminal)?;
    Ok(exit)
}

/// The engine for a run, with the limits that are given.
fn engine(flags: &RunFlags, config: &Config) -> Result<Engine, CliError> {
    let mut builder = Engine::builder().config(config);
    if let Some(jobs) = flags.jobs {
        builder = builder.max_active_tasks(jobs);
    }
    if let Some(workers) = config.settings().workers() {
        builder = builder.workers(workers);
    }
    for (name, slots) in config.pools() {
        builder = builder.pool(name, slots);
    }
    builder.build().map_err(|unknown| CliError::usage(format!("[pools] of the configuration: {unknown}")))
}

fn exit(ended: &Ended) -> Exit {
    match (ended.report.state(), ended.signal) {
        (RunState::Success, _) => Exit::Success,
        (_, Some(signal)) => signal.exit(),
        _ => Exit::Failure,
    }
}

/// Keeps panics of tasks from the hook that prints them, unless backtraces are asked for.
pub(super) fn quiet_panics() {
    QUIET.store(std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0"), Ordering::Relaxed);
}

/// Sends what tasks log to its files.
fn capture(logs: PathBuf, echo: bool, config: &Config, terminal: &Terminal) -> std::io::Result<LogSink> {
    let sink = setup::sink(logs, config)?;
    let installed = match config.settings().log_filter() {
        Some(filter) => log::init_with(sink.clone(), filter.clone()),
        None => log::init(sink.clone()),
    };
    match installed {
        // The program has its own subscriber, and shows or keeps records as it likes.
        Err(taken @ AlreadyInstalled::Subscriber) if echo => terminal.warn(&format!("--logs shows nothing: {taken}")),
        Ok(()) | Err(_) => {}
    }
    Ok(sink)
}
