//! A run across the deaths of its process.
//!
//! 1. The first session begins the run; each further one resumes it from what is stored. Nothing else is handed on: machine,
//!    values and queues are dropped with their session.
//! 2. A session ends with the run, with a crash, or because the store failed. What was not stored is lost then, and the
//!    clock may have been set meanwhile.
//! 3. After each session the journal is folded and compared with the state that the session had, if all of it was stored;
//!    successes that are stored are remembered, because those tasks must not run again.

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
    /// The test names tasks or parameters that are not there, or gives values that do not fit.
    #[error("the test is not about this DAG:\n- {}", .0.join("\n- "))]
    Mistakes(Vec<String>),
    /// The run could not start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run could not be resumed.
    #[error("the run cannot go on after a crash: {0}")]
    Resume(#[from] JournalError),
    /// The run never comes to its end.
    #[error(
        "nothing can happen any more, and the run has not ended; tasks that have not ended: {}. They wait for something that \
         the test does not have (a lost worker without a `timeout`, an event without a `release`, a message of a thread or of the network)\n{log}", .tasks.join(", ")
    )]
    Stuck {
        /// The tasks that run or are deferred.
        tasks: Vec<String>,
        /// What happened until then.
        log: String,
    },
    /// The engine has broken a promise: a bug of taskflow.
    #[error("the engine has broken its promises:\n- {}\n{log}", .broken.join("\n- "))]
    Broken {
        /// Which.
        broken: Vec<String>,
        /// What happened until then.
        log: String,
    },
}

/// How a run is simulated.
#[derive(Clone)]
pub(super) struct RecordOptions {
    pub(super) plan: Arc<Plan>,
    pub(super) info: RunInfo,
    pub(super) params: Vec<AnyValue>,
    pub(super) workers: usize,
    /// Of what the run leaves to chance itself: the jitter of retries.
    pub(super) seed: u64,
    pub(super) fail_fast: bool,
    pub(super) durability: Durability,
}

/// Runs it to its end, through as many sessions as that takes.
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

/// The run from its beginning, or from what is stored of it.
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
    // The observer is what makes the machine keep events; the scene sees them.
    let request = request.observe(|_: &crate::run::Event| {});
    Ok(request.seed(terms.seed).fail_fast(terms.fail_fast).durability(terms.durability))
}

/// Whoever was to be told was told.
fn still_owed(terms: &RecordOptions, scene: &TestWorld) -> Result<(), TestError> {
    let Some(journal) = &scene.journal else { return Ok(()) };
    let pending = journal.pending(&terms.info.run_id, &terms.plan)?;
    if pending.is_empty() {
        return Ok(());
    }
    let broken = pending.iter().map(|pending| format!("a callback was never told: {}", pending.notification)).collect();
    Err(TestError::Broken { broken, log: scene.log.text() })
}

/// Compares what is stored with what was, and notes what must not happen again.
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
