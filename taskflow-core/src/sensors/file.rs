//! A file has landed.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::SENSOR;
use crate::base::BoxError;
use crate::dag::{IntoArg, Output, add_task};
use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef};
use crate::value::TypeInfo;

static DEF: TaskDef = TaskDef {
    id: "file_landed",
    doc: "Waits until a file is there and has settled.",
    inputs: &[
        InputDef { name: "path", ty: TypeInfo::of::<String>() },
        InputDef { name: "settle", ty: TypeInfo::of::<Duration>() },
    ],
    output: TypeInfo::of_value::<String>(),
    body: Body::Sync(look),
    ..SENSOR
};

/// A sensor for a file: gives its path when it is there and has not been written to for `settle`.
///
/// Whoever writes a file in place is not done when it is there. With a `settle` of zero the file counts at once, which is
/// right for files that are moved into place. What is no file, a directory say, counts as well. A path that cannot be
/// looked at, because it is not permitted, is an error of the sensor.
#[track_caller]
pub fn file_landed(path: impl IntoArg<String>, settle: impl IntoArg<Duration>) -> Output<String> {
    add_task(&DEF, [path.into_arg(), settle.into_arg()])
}

fn look(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (path, settle) = (inputs.shared::<String>(0), inputs.shared::<Duration>(1));
    let said = |error: io::Error| BoxError::from(format!("cannot look at {path}: {error}"));
    let written = match std::fs::metadata(&*path).and_then(|meta| meta.modified()) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Interrupt::not_yet().into()),
        Err(error) => return Err(said(error)),
    };
    // A time in the future, of a file server with a clock of its own, is as good as now.
    let quiet = SystemTime::now().duration_since(written).unwrap_or_default();
    if quiet >= *settle { Ok(Arc::new(String::clone(&path))) } else { Err(Interrupt::not_yet().into()) }
}
