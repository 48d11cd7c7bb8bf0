//! `run [DAG]`: one run of a DAG, from its flags to its exit code.
//!
//! 1. Everything said is checked: the DAG, its graph, the values of its parameters, the tasks named. Whatever is wrong
//!    is refused before anything starts.
//! 2. The run is started, and watched until it is over ([`live`](super::live)).
//! 3. What came of it is told ([`summary`](super::summary)): the result on stdout, the rest on stderr.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;

use super::choose::Dags;
use super::live::{self, Ended, Signals, Watcher};
use super::stop::{Exit, Stop};
use super::terminal::Terminal;
use super::{args, flags, summary};
use crate::dag::{DagDef, Params, Plan, Selection, SelectionError};
use crate::engine::{Engine, RunRequest, RunState};
use crate::panics::QUIET;
use crate::task::RunInfo;
use crate::time::Timestamp;

/// How long running tasks may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn run(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, Stop> {
    // With several DAGs the name is a subcommand, whose flags are the DAG's; with one it is an optional word.
    let (name, matches) = match matches.subcommand() {
        Some((name, matches)) => (Some(name), matches),
        None if dags.has_one() => (matches.get_one::<String>("dag").map(String::as_str), matches),
        None => (None, matches),
    };
    let dag = dags.find(name)?;
    let asked = Asked::read(matches, dag)?;
    let ended = asked.run(terminal)?;
    let exit = exit(&ended);
    summary::tell(&asked, &ended, terminal)?;
    Ok(exit)
}

fn exit(ended: &Ended) -> Exit {
    match (ended.report.state(), ended.signal) {
        (RunState::Success, _) => Exit::Success,
        (_, Some(signal)) => signal.exit(),
        _ => Exit::Failure,
    }
}

/// A run as it was asked for, checked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) plan: Arc<Plan>,
    pub(super) params: Params,
    pub(super) json: bool,
    pub(super) quiet: bool,
    /// The flags of the DAG as they were given.
    pub(super) given: Vec<String>,
    info: RunInfo,
    selection: Option<Selection>,
    fail_fast: Option<bool>,
    jobs: Option<NonZeroUsize>,
}

impl Asked {
    fn read(matches: &ArgMatches, dag: &'static DagDef) -> Result<Self, Stop> {
        let plan = dag.plan().map_err(|errors| Stop::Failure(errors.to_string()))?;
        let date = matches.get_one::<Timestamp>("logical-date").copied();
        let info = RunInfo::manual(dag.id, date.unwrap_or_else(Timestamp::now));
        let (params, given) = flags::read(matches, plan.params(), &args::taken(), &info).map_err(Stop::Usage)?;
        let selection = selection(matches, &plan).map_err(|unknown| Stop::usage(unknown.to_string()))?;
        Ok(Asked {
            params,
            json: args::wants_json(matches),
            quiet: matches.get_flag("quiet"),
            given,
            info,
            selection,
            fail_fast: matches.get_one::<bool>("fail-fast").copied(),
            jobs: matches.get_one::<NonZeroUsize>("jobs").copied(),
            plan,
        })
    }

    fn run(&self, terminal: &Terminal) -> Result<Ended, Stop> {
        let mut request =
            RunRequest::of_plan(Arc::clone(&self.plan), self.info.clone(), self.params.clone()).grace(GRACE);
        if let Some(jobs) = self.jobs {
            let engine = Engine::builder().max_active_tasks(jobs).build();
            request = request.engine(&engine.map_err(|unknown| Stop::Failure(unknown.to_string()))?);
        }
        if let Some(selection) = self.selection.clone() {
            request = request.select(selection);
        }
        if let Some(fail_fast) = self.fail_fast {
            request = request.fail_fast(fail_fast);
        }
        // The summary reports panics. Whoever asks for backtraces gets them from the hook they come from.
        QUIET.store(std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0"), Ordering::Relaxed);

        let cannot = |error: std::io::Error| Stop::Failure(format!("cannot start what the run needs: {error}"));
        #[cfg(unix)]
        let aside = if self.json { Some(live::capture::Aside::start().map_err(cannot)?) } else { None };

        // Ours is for signals and the clock only. The run starts outside of it: async tasks get a runtime with threads.
        let watching = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let signals = watching.block_on(async { Signals::listen() }).map_err(cannot)?;
        let watcher = match self.quiet {
            true => Watcher::Quiet,
            false => Watcher::new(&self.info, &self.plan, terminal),
        };
        let handle = request.start().map_err(|error| Stop::Failure(error.to_string()))?;
        let ended = watching.block_on(live::follow(handle, watcher, signals, GRACE, terminal));

        #[cfg(unix)]
        if let Some(aside) = aside {
            aside.end()?;
        }
        Ok(ended)
    }
}

fn selection(matches: &ArgMatches, plan: &Plan) -> Result<Option<Selection>, SelectionError> {
    let named = |flag| matches.get_one::<String>(flag);
    match (named("only"), named("from")) {
        (Some(task), _) => Selection::only(plan, task).map(Some),
        (_, Some(task)) => Selection::from(plan, task).map(Some),
        (None, None) => Ok(None),
    }
}
