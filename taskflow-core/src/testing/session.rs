//! Simulates a run across crashes of its process.
//!
//! 1. The first session starts the run; each later one resumes it from the stored entries. Nothing
//!    else is passed on: machine, values and queues are dropped with their session.
//! 2. A session ends with the run, with a crash, or because the store failed. What was not stored
//!    is then lost, and the clock may have changed.
//! 3. After each session the journal is folded and compared with the state of the session, if all
//!    of it was stored. Stored successes are remembered, because those tasks must not run again.

use std::sync::Arc;

use super::invariants::differences;
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
    /// The graph has mistakes.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// The test names tasks or parameters that do not exist, or values of the wrong type.
    #[error("the test is not about this DAG:\n- {}", .0.join("\n- "))]
    Mistakes(Vec<String>),
    /// The run could not start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run could not be resumed.
    #[error("the run cannot continue after a crash: {0}")]
    Resume(#[from] JournalError),
    /// The run never ends.
    #[error(
        "nothing can happen any more, and the run has not ended; tasks that have not ended: {}. They wait for something that \
         the test does not have (a lost worker without a `timeout`, an event without a `send_event`, a message of a thread or of the network)\n{log}", .tasks.join(", ")
    )]
    Stuck {
        /// The tasks that are running or deferred.
        tasks: Vec<String>,
        /// The log up to then.
        log: String,
    },
    /// The engine has violated an invariant: a bug in taskflow.
    #[error("the engine has broken its promises:\n- {}\n{log}", .broken.join("\n- "))]
    Broken {
        /// The violated invariants.
        broken: Vec<String>,
        /// The log up to then.
        log: String,
    },
}

/// The options of a simulated run.
#[derive(Clone)]
pub(super) struct RecordOptions {
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
pub(super) fn play<T: Value>(terms: &RecordOptions, scene: &mut TestWorld) -> Result<RunReport<T>, TestError> {
    let mut now = scene.start;
    loop {
        let request = request::<T>(terms, scene, now)?;
        let asyncs = Asyncs::Virtual;
        let stage = SimConfig { workers: terms.workers, at_once: usize::MAX, asyncs, start: now };
        let Simulated { report, end, now: ended } = request.simulate(stage, scene)?;
        now = ended;
        let is_whole = match &end {
            End::Over => report.state() != RunState::Interrupted,
            End::Crashed { unsaved } => !unsaved,
            End::Stuck(_) => false,
        };
        scene.session_is_over();
        remember(terms, scene, is_whole.then_some(&report), end == End::Over)?;
        if !scene.broken.is_empty() {
            return Err(TestError::Broken { broken: std::mem::take(&mut scene.broken), log: scene.log.text() });
        }
        match end {
            End::Over if report.state() != RunState::Interrupted => {
                still_owed(terms, scene)?;
                return Ok(report);
            }
            End::Over => scene.log.note(now, "the session ends: its journal cannot be written"),
            End::Crashed { .. } => scene.log.note(now, "the process dies"),
            End::Stuck(tasks) => return Err(TestError::Stuck { tasks, log: scene.log.text() }),
        }
        let gap = std::mem::take(&mut scene.faults.restart_gap);
        now = Timestamp::from_nanos(now.as_nanos().saturating_add(gap));
        scene.log.note(now, "another process takes the run");
    }
}

/// The request for the run, new or resumed from its stored entries.
fn request<T: Value>(terms: &RecordOptions, scene: &TestWorld, now: Timestamp) -> Result<RunRequest<T>, TestError> {
    let run_id = &terms.info.run_id;
    let known = scene.journal.as_ref().map(|journal| journal.history(run_id)).transpose()?.flatten();
    let request = match (&scene.journal, known) {
        (Some(journal), Some(_)) => journal.resume(run_id, &terms.plan, now)?,
        (journal, _) => {
            let (plan, params) = (Arc::clone(&terms.plan), Params::of(terms.params.clone()));
            let request = RunRequest::of_plan(plan, terms.info.clone(), params);
            match journal {
                Some(journal) => request.recorded(Box::new(journal.opening())),
                None => request,
            }
        }
    };
    // The observer makes the machine produce events; the world sees them.
    let request = request.observe(|_: &crate::run::Event| {});
    Ok(request.seed(terms.seed).fail_fast(terms.fail_fast).durability(terms.durability))
}

/// Checks that every notification was delivered.
fn still_owed(terms: &RecordOptions, scene: &TestWorld) -> Result<(), TestError> {
    let Some(journal) = &scene.journal else { return Ok(()) };
    let pending = journal.pending(&terms.info.run_id, &terms.plan)?;
    if pending.is_empty() {
        return Ok(());
    }
    let broken = pending.iter().map(|pending| format!("a callback was never told: {}", pending.notification)).collect();
    Err(TestError::Broken { broken, log: scene.log.text() })
}

/// Compares the stored run with the session, and remembers what must not happen again.
fn remember<T>(
    terms: &RecordOptions,
    scene: &mut TestWorld,
    whole: Option<&RunReport<T>>,
    is_over: bool,
) -> Result<(), TestError> {
    let Some(journal) = &scene.journal else { return Ok(()) };
    let Some(history) = journal.history(&terms.info.run_id)? else {
        scene.knows::<()>(&[]);
        if whole.is_some() && is_over {
            scene.broken.push("the run has ended, and nothing of it is stored".to_owned());
        }
        return Ok(());
    };
    scene.knows(&history.events);
    if let Some(report) = whole {
        scene.broken.extend(differences(&history, report, is_over));
    }
    let settled = history.tasks.iter().filter(|task| task.state == TaskState::Success);
    scene.settled.extend(settled.map(|task| task.id.clone()));
    Ok(())
}
