//! A sensor that waits for a time.

use super::SENSOR;
use crate::base::Timestamp;
use crate::dag::{IntoArg, Output, add_task};
use crate::task::{Body, InputDef, Inputs, Kind, Produced, TaskContext, TaskDef, Waiting};
use crate::value::{AnyValue, TypeInfo};

static DEF: TaskDef = TaskDef {
    id: "time_reached",
    doc: "Waits until a time.",
    inputs: &[InputDef { name: "time", ty: TypeInfo::of::<Timestamp>() }],
    output: TypeInfo::of_value::<Timestamp>(),
    takes_context: true,
    kind: Kind::Sync,
    waiting: Waiting::Deferrable,
    body: Body::Sync(wait),
    ..SENSOR
};

/// Returns a time when it is reached; at once if it has passed. It does not poke, but is deferred.
#[track_caller]
pub fn time_reached(time: impl IntoArg<Timestamp>) -> Output<Timestamp> {
    add_task(&DEF, [time.into_arg()])
}

fn wait(inputs: &mut Inputs, context: Option<&TaskContext>) -> Produced {
    let time = inputs.shared::<Timestamp>(0);
    if let Some(context) = context {
        context.defer_until(*time)?;
    }
    Ok(AnyValue::new(*time))
}
