//! An endpoint answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::SENSOR;
use crate::base::{Address, Answer, BoxError, http};
use crate::dag::{Arg, IntoArg, Output, add_task};
use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef};
use crate::value::{Constant, TypeInfo};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an endpoint has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HttpAnswer {
    /// The status: 200 and so on.
    pub status: u16,
    /// The body, as text. Up to 1 MiB; more is an error of the sensor.
    pub body: String,
}

impl HttpAnswer {
    /// The body, read as JSON; `None` if it is no `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.body).ok()
    }
}

/// When an answer is the one that is waited for: a constant of the graph, whose JSON is its name.
struct Wanted(fn(&HttpAnswer) -> bool);

static DEF: TaskDef = TaskDef {
    id: "http_answers",
    doc: "Waits until an endpoint answers as it is to.",
    inputs: &[
        InputDef { name: "url", ty: TypeInfo::of::<String>() },
        InputDef { name: "wanted", ty: TypeInfo::of::<&'static str>() },
    ],
    output: TypeInfo::of_value::<HttpAnswer>(),
    body: Body::Sync(ask),
    ..SENSOR
};

/// A sensor for an endpoint: gives its answer when a GET is answered with a status from 200 to 299.
///
/// Another status, no connection and no answer within 30 seconds are waited out. An address that is none, or one that answers
/// 401 or 403, is an error of the sensor: it would not come right by waiting.
#[track_caller]
pub fn http_ok(url: impl IntoArg<String>) -> Output<HttpAnswer> {
    let wanted = Constant::opaque(Wanted(|answer| (200..300).contains(&answer.status)), "status 2xx");
    add_task(&DEF, [url.into_arg(), Arg::constant(wanted)])
}

/// As [`http_ok`], until `wanted` says that this is the answer. It is asked about answers of every status but 401 and 403.
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::sensors::http_where;
///
/// #[derive(serde::Deserialize)]
/// struct Export { state: String }
///
/// #[dag]
/// fn exported(url: String) -> String {
///     let answer = http_where(url, |answer| answer.json::<Export>().is_some_and(|export| export.state == "done"));
///     answer.map(|answer| answer.body.clone())
/// }
/// # assert!(exported::def().plan().is_ok());
/// ```
#[track_caller]
pub fn http_where(url: impl IntoArg<String>, wanted: fn(&HttpAnswer) -> bool) -> Output<HttpAnswer> {
    let wanted = Constant::opaque(Wanted(wanted), "where");
    add_task(&DEF, [url.into_arg(), Arg::constant(wanted)])
}

fn ask(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (url, wanted) = (inputs.shared::<String>(0), inputs.shared::<Wanted>(1));
    let address = Address::new(&url)?;
    let answer = match http::get(&address, PATIENCE) {
        Ok(Answer { status, .. }) if matches!(status, 401 | 403) => {
            return Err(BoxError::from(format!("{address} answered with status {status}: it wants other credentials")));
        }
        Ok(Answer { status, body }) => HttpAnswer { status, body },
        Err(error) => {
            tracing::debug!(target: "taskflow", "{error}");
            return Err(Interrupt::not_yet().into());
        }
    };
    if (wanted.0)(&answer) { Ok(Arc::new(answer)) } else { Err(Interrupt::not_yet().into()) }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wanted")
    }
}
