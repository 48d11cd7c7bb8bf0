//! Whether a DAG takes the data interval of its run: one run for a range of slots makes no sense
//! otherwise.

use std::time::Duration;

use super::error::OpsError;
use crate::base::{Interval, Timestamp, catch};
use crate::dag::{DagDef, ParamDef};
use crate::run::RunInfo;
use crate::task::TaskDef;

/// Whether a parameter of the DAG is an interval, or has a default that depends on the interval of
/// the run, or a task could ask its context for it. If nothing does, a run with another interval
/// does the same.
///
/// # Errors
///
/// When the graph has mistakes.
pub(super) fn takes_interval(dag: &'static DagDef, at: Timestamp) -> Result<bool, OpsError> {
    let plan = dag.plan()?;
    let asks = |def: &&TaskDef| def.takes_context && def.module != TaskDef::BUILT_IN && def.module != TaskDef::TRIGGER;
    let is_interval = |def: &ParamDef| def.ty.path() == std::any::type_name::<Interval>();
    Ok(plan.params().iter().any(|def| is_interval(def) || depends_on_interval(def, dag, at))
        || plan.defs().iter().any(asks))
}

/// Whether the default of a parameter is another one if the interval begins earlier.
fn depends_on_interval(def: &ParamDef, dag: &DagDef, at: Timestamp) -> bool {
    const DAY: Duration = Duration::from_secs(86_400);

    let default = |length: Duration| {
        let interval = Some(Interval { start: at - length, end: at });
        let info = dag.options.complete(RunInfo::scheduled(dag.id, at, interval));
        // It is code of the user, which may fail for either.
        let value = catch(|| def.default_for(&info)).ok()??;
        value.ok().and_then(|value| def.ty.encode(&value).ok())
    };
    default(DAY) != default(400 * DAY)
}
