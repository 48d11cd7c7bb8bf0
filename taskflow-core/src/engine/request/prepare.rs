//! The checks of a request, and what a driver needs of it.

use std::sync::Arc;

use super::{OpenRecorder, RunError, RunRequest};
use crate::base::{ErrorKind, Timestamp};
use crate::callback::PendingCallback;
use crate::config::Config;
use crate::dag::{Params, Plan};
use crate::engine::engine::Engine;
use crate::engine::observer::Observer;
use crate::engine::recorder_error::RecorderError;
use crate::machine::{Machine, Settings};
use crate::run::{Durability, Restored, RunInfo, RunType};
use crate::schedule::Zone;
use crate::value::AnyValue;

/// A request that passed every check.
pub(in crate::engine) struct Prepared {
    pub(in crate::engine) config: Option<Config>,
    pub(in crate::engine) plan: Arc<Plan>,
    pub(in crate::engine) info: Arc<RunInfo>,
    pub(in crate::engine) machine: Machine,
    pub(in crate::engine) params: Vec<AnyValue>,
    pub(in crate::engine) observers: Vec<Box<dyn Observer>>,
    pub(in crate::engine) open_recorder: Option<OpenRecorder>,
    pub(in crate::engine) restored: Option<Restored>,
    pub(in crate::engine) pending_callbacks: Vec<PendingCallback>,
    pub(in crate::engine) in_process: bool,
    pub(in crate::engine) without_callbacks: bool,
    pub(in crate::engine) durability: Durability,
}

impl<T> RunRequest<T> {
    /// Checks the request and turns it into what a driver needs.
    pub(in crate::engine) fn prepare(mut self) -> Result<Prepared, RunError> {
        if self.durability == Durability::Ephemeral {
            if self.restored.is_some() {
                let reason = "a resumed run is already stored, so it cannot be ephemeral";
                return Err(RunError::Journal(RecorderError::new(ErrorKind::Invalid, reason)));
            }
            self.open_recorder = None;
        }
        let plan = self.plan?;
        let manual = || RunInfo::manual(plan.id(), self.logical_date.unwrap_or_else(Timestamp::now));
        let info = self.info.unwrap_or_else(manual);
        let info = Arc::new(plan.options().complete(info));
        let params = final_params(&plan, &self.params, &self.defaults, &info)?;
        let defaults = Settings::default();
        let settings = Settings {
            fail_fast: self.fail_fast.unwrap_or(plan.options().fail_fast),
            timeout: plan.options().timeout,
            grace: self.grace.unwrap_or(defaults.grace),
            seed: self.seed.unwrap_or_else(|| seed_of(&info.run_id)),
            logical_date: info.logical_date,
            slot: (info.run_type == RunType::Scheduled).then_some(info.logical_date),
            is_backfill: info.run_type == RunType::Backfill,
            zone: plan.options().timezone().unwrap_or(Zone::UTC),
            observed: !self.observers.is_empty(),
            recorded: self.open_recorder.is_some() || (plan.has_callbacks() && !self.without_callbacks),
        };
        let mut machine = Machine::new(Arc::clone(&plan), self.selection.as_ref(), settings);
        if let Some(restored) = &self.restored {
            machine.restore(restored);
        }
        Ok(Prepared {
            config: self.engine.as_ref().and_then(Engine::config).cloned(),
            plan,
            info,
            machine,
            params,
            observers: self.observers,
            open_recorder: self.open_recorder,
            restored: self.restored,
            pending_callbacks: self.pending_callbacks,
            in_process: self.in_process,
            without_callbacks: self.without_callbacks,
            durability: self.durability,
        })
    }
}

/// The checked values of the parameters, with those that are taken from their defaults.
pub(super) fn final_params(
    plan: &Plan,
    params: &Params,
    defaults: &[usize],
    info: &RunInfo,
) -> Result<Vec<AnyValue>, RunError> {
    let given = params.values().len();
    if given != plan.params().len() {
        return Err(RunError::ParamCount { dag: plan.id().to_owned(), expected: plan.params().len(), given });
    }
    let mut params = params.values().to_vec();
    for (place, param) in plan.params().iter().enumerate() {
        match defaults.contains(&place) {
            true => params[place] = param.value_of_default(info)?,
            false => param.check(&params[place])?,
        }
    }
    Ok(params)
}

/// FNV-1a: the same for the same id, in every build.
fn seed_of(run_id: &str) -> u64 {
    run_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
