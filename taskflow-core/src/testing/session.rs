//! Simulates a run across crashes of its process.
//!
//! 1. The first session starts the run; each later one resumes it from the stored entries. Nothing
//!    else is passed on: machine, values and queues are dropped with their session.
//! 2. A session ends with the run, with a crash, or because the store failed. What was not stored
//!    is then lost, and the clock may have changed.
//! 3. A run that has ended may be edited: tasks are cleared or marked, and the next session runs
//!    what that opens.
//! 4. After each session the journal is folded and compared with the state of the session, if all
//!    of it was stored. Stored successes are remembered, because those tasks must not run again.
//! 5. After its first session the store has a newer run, which this one is said to have triggered.

use std::sync::Arc;

use super::invariants::{differences, of_attempts, of_starts, rollup_differences};
use super::test_world::TestWorld;
use crate::base::Timestamp;
use crate::dag::{BuildErrors, Params, Plan};
use crate::engine::{Asyncs, End, RunError, RunReport, RunRequest, SimConfig, Simulated};
use crate::journal::JournalError;
use crate::run::{Durability, RunInfo, RunState, TaskState};
use crate::value::{AnyValue, Value};

/// Why a test has no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The graph is invalid.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// The test names tasks or parameters that do not exist, or values of the wrong type.
    #[error("the test does not match the DAG:\n- {}", .0.join("\n- "))]
    Mistakes(Vec<String>),
    /// The run could not start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run could not be resumed.
    #[error("the run cannot be resumed after a crash: {0}")]
    Resume(#[from] JournalError),
    /// The run never ends.
    #[error(
        "the run is stuck; unfinished tasks: {}. They wait for something that the test does not provide (the `timeout` of a lost \
         worker, the `send_event` of an event, a message from a thread or the network)\n{log}", .tasks.join(", ")
    )]
    Stuck {
        /// The tasks that are running or deferred.
        tasks: Vec<String>,
        /// The log up to then.
        log: String,
    },
    /// The engine has violated an invariant: a bug in taskflow.
    #[error("the engine has violated its guarantees:\n- {}\n{log}", .broken.join("\n- "))]
    Broken {
        /// The violated invariants.
        broken: Vec<String>,
        /// The log up to then.
        log: String,
    },
}

/// The options of a simulated run.
#[derive(Clone)]
pub(super) struct SimOptions {
    pub(super) plan: Arc<Plan>,
    pub(super) info: RunInfo,
    pub(super) params: Vec<AnyValue>,
    pub(super) workers: usize,
    /// The seed of the run's own random choices: the jitter of retries.
    pub(super) seed: u64,
    pub(super) fail_fast: bool,
    pub(super) durability: Durability,
}

/// Runs it to its end, in as many sessions as necessary.
pub(super) fn run_sessions<T: Value>(options: &SimOptions, world: &mut TestWorld) -> Result<RunReport<T>, TestError> {
    let mut now = world.start;
    loop {
        let request = request::<T>(options, world, now)?;
        let asyncs = Asyncs::Virtual;
        let config = SimConfig { workers: options.workers, at_once: usize::MAX, asyncs, start: now };
        let Simulated { report, end, now: ended } = request.simulate(config, world)?;
        now = ended;
        let is_whole = match &end {
            End::Over => report.state() != RunState::Interrupted,
            End::Crashed { unsaved } => !unsaved,
            End::Stuck(_) => false,
        };
        world.end_session();
        remember(options, world, is_whole.then_some(&report), end == End::Over, now)?;
        if !world.broken.is_empty() {
            return Err(TestError::Broken { broken: std::mem::take(&mut world.broken), log: world.log.text() });
        }
        match end {
            End::Over if report.state() != RunState::Interrupted => {
                check_delivered(options, world)?;
                if !world.edit(options, now)? {
                    return Ok(report);
                }
            }
            End::Over => world.log.note(now, "the session ends: the journal cannot be written"),
            End::Crashed { .. } => world.log.note(now, "the process dies"),
            End::Stuck(tasks) => return Err(TestError::Stuck { tasks, log: world.log.text() }),
        }
        let gap = std::mem::take(&mut world.faults.restart_gap);
        now = Timestamp::from_nanos(now.as_nanos().saturating_add(gap));
        world.log.note(now, "another process resumes the run");
    }
}

/// The request for the run, new or resumed from its stored entries.
fn request<T: Value>(options: &SimOptions, world: &TestWorld, now: Timestamp) -> Result<RunRequest<T>, TestError> {
    let run_id = &options.info.run_id;
    let known = world.journal.as_ref().map(|journal| journal.history(run_id)).transpose()?.flatten();
    let request = match (&world.journal, known) {
        (Some(journal), Some(_)) => journal.resume(run_id, &options.plan, now)?,
        (journal, _) => {
            let (plan, params) = (Arc::clone(&options.plan), Params::of(options.params.clone()));
            let request = RunRequest::of_plan(plan, options.info.clone(), params);
            match journal {
                Some(journal) => request.recorded(Box::new(journal.opening())),
                None => request,
            }
        }
    };
    // The observer makes the machine produce events; the world sees them.
    let request = request.observe(|_: &crate::run::Event| {});
    Ok(request.seed(options.seed).fail_fast(options.fail_fast).durability(options.durability))
}

/// Checks that every notification was delivered.
fn check_delivered(options: &SimOptions, world: &TestWorld) -> Result<(), TestError> {
    let Some(journal) = &world.journal else { return Ok(()) };
    let pending = journal.pending(&options.info.run_id, &options.plan)?;
    if pending.is_empty() {
        return Ok(());
    }
    let broken =
        pending.iter().map(|pending| format!("a callback was never notified: {}", pending.notification)).collect();
    Err(TestError::Broken { broken, log: world.log.text() })
}

/// Compares the stored run with the session, and remembers what must not happen again.
fn remember<T>(
    options: &SimOptions,
    world: &mut TestWorld,
    whole: Option<&RunReport<T>>,
    is_over: bool,
    now: Timestamp,
) -> Result<(), TestError> {
    let Some(journal) = &world.journal else { return Ok(()) };
    let Some(history) = journal.history(&options.info.run_id)? else {
        world.resend_lost_events::<()>(&[]);
        if whole.is_some() && is_over {
            world.broken.push("the run has ended, but nothing of it is stored".to_owned());
        }
        return Ok(());
    };
    let last = journal.last_after_triggering(&options.info, now)?;
    if last != options.info.run_id {
        world.broken.push(format!("`last` is {last}, which {} has triggered", options.info.run_id));
    }
    world.resend_lost_events(&history.events);
    world.broken.extend(rollup_differences(&history));
    if let Some(report) = whole {
        world.broken.extend(differences(&history, report, is_over));
        let called = Some(&world.called).filter(|_| !world.clock_was_set);
        let attempts = history.tasks.iter().flat_map(|task| of_attempts(&task.id, &task.attempts, is_over, called));
        world.broken.extend(attempts);
        for task in report.tasks() {
            let attempts = task.attempts().into_iter().map(|attempt| (attempt.number, attempt.started));
            world.broken.extend(of_starts(&task.id(), attempts, &world.called));
        }
    }
    for task in &history.tasks {
        let attempts = task.attempts.iter().map(|attempt| (attempt.number, attempt.started));
        world.broken.extend(of_starts(&task.id, attempts, &world.called));
    }
    let succeeded = history.tasks.iter().filter(|task| task.state == TaskState::Success);
    world.succeeded.extend(succeeded.map(|task| task.id.to_string()));
    Ok(())
}
