//! A sensor that waits for a file.

use std::io;
use std::time::{Duration, SystemTime};

use super::SENSOR;
use crate::base::BoxError;
use crate::dag::{IntoArg, Output, add_task};
use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, TypeInfo};

static DEF: TaskDef = TaskDef {
    id: "file_landed",
    doc: "Waits until a file exists and is no longer written to.",
    inputs: &[
        InputDef { name: "path", ty: TypeInfo::of::<String>() },
        InputDef { name: "settle", ty: TypeInfo::of::<Duration>() },
    ],
    output: TypeInfo::of_value::<String>(),
    body: Body::Sync(poke),
    ..SENSOR
};

/// A sensor for a file: returns its path when the file exists and has not been written to for
/// `settle`.
///
/// A file that is written in place exists before it is complete. A `settle` of zero accepts a file
/// at once, which is right for files that are moved into place. Directories and other entries count
/// as well. If the path cannot be checked, for example for lack of permission, the sensor fails.
#[track_caller]
pub fn file_landed(path: impl IntoArg<String>, settle: impl IntoArg<Duration>) -> Output<String> {
    add_task(&DEF, [path.into_arg(), settle.into_arg()])
}

fn poke(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (path, settle) = (inputs.shared::<String>(0), inputs.shared::<Duration>(1));
    let failed = |error: io::Error| BoxError::from(format!("cannot access {path}: {error}"));
    let written = match std::fs::metadata(&*path).and_then(|meta| meta.modified()) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Interrupt::not_yet().into()),
        Err(error) => return Err(failed(error)),
    };
    // A time in the future, from a file server with its own clock, counts as now.
    let quiet = SystemTime::now().duration_since(written).unwrap_or_default();
    if quiet >= *settle { Ok(AnyValue::new(String::clone(&path))) } else { Err(Interrupt::not_yet().into()) }
}
