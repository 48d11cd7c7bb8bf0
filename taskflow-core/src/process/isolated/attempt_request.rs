//! Packs the request and the inputs for the process of an attempt.

use std::sync::atomic::Ordering;

use tracing::level_filters::LevelFilter;

use super::wire::{self, AttemptRequest};
use crate::base::{Failure, QUIET, catch};
use crate::task::{Identity, Inputs, TaskDef};

/// What the process of the attempt shares with the engine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reach {
    /// The parent it must not outlive; zero if that is on another machine.
    pub(crate) parent: i32,
    /// The memory limit, in bytes.
    pub(crate) memory: Option<u64>,
    /// Whether it can access the directory of the run.
    pub(crate) artifacts: bool,
}

/// The request and the inputs, one frame each.
///
/// # Errors
///
/// If an input cannot be serialized.
pub(crate) fn pack(
    def: &'static TaskDef,
    mut inputs: Inputs,
    identity: &Identity,
    reach: Reach,
) -> Result<Vec<Vec<u8>>, Failure> {
    let Identity { run, task_id, attempt, max_attempts, generation, around, .. } = identity;
    let request = AttemptRequest {
        parent: reach.parent,
        module: def.module.to_owned(),
        id: def.id.to_owned(),
        line: def.location.line,
        column: def.location.column,
        run: (**run).clone(),
        task_id: task_id.clone(),
        attempt: *attempt,
        max_attempts: *max_attempts,
        generation: *generation,
        memory: reach.memory,
        level: LevelFilter::current().to_string(),
        inputs: u32::try_from(def.inputs.len()).unwrap_or(u32::MAX),
        quiet: QUIET.load(Ordering::Relaxed),
        pulled: if def.takes_context { around.pullable_xcoms() } else { Vec::new() },
        artifacts: if def.takes_context && reach.artifacts { around.artifact_path().ok() } else { None },
    };
    let lost = |what: String, why: String| Failure::Error { chain: vec![what, why], retryable: false };
    let mut frames = vec![wire::encode(&request).map_err(|why| lost("the request cannot be sent".to_owned(), why))?];
    for (index, input) in def.inputs.iter().enumerate() {
        let bytes = catch(|| input.ty.encode(&inputs.erased(index)))?;
        let what = || format!("the input `{}` cannot be sent to the process of the task", input.name);
        frames.push(bytes.map_err(|why| lost(what(), why))?);
    }
    Ok(frames)
}
