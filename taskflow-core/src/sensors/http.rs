//! Sensors that wait for an HTTP endpoint.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::SENSOR;
use crate::base::{Address, Answer, BoxError, http};
use crate::dag::{Arg, IntoArg, Output, add_task};
use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, Constant, TypeInfo};

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The response of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HttpAnswer {
    /// The status code, such as 200.
    pub status: u16,
    /// The body, as text. Up to 1 MiB; more is an error of the sensor.
    pub body: String,
}

impl HttpAnswer {
    /// Parses the body as JSON; `None` if it is not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.body).ok()
    }
}

/// Decides whether a response is the expected one: a constant of the graph, whose JSON is its name.
struct Wanted(fn(&HttpAnswer) -> bool);

static DEF: TaskDef = TaskDef {
    id: "http_answers",
    doc: "Waits until an endpoint returns the expected response.",
    inputs: &[
        InputDef { name: "url", ty: TypeInfo::of::<String>() },
        InputDef { name: "wanted", ty: TypeInfo::of::<&'static str>() },
    ],
    output: TypeInfo::of_value::<HttpAnswer>(),
    body: Body::Sync(ask),
    ..SENSOR
};

/// A sensor for an endpoint: returns the response when a GET request succeeds with a status from
/// 200 to 299.
///
/// It keeps waiting on other statuses, failed connections and no response within 30 seconds. An
/// invalid address, the status 401 or 403, or a redirect to another origin is an error of the
/// sensor, because waiting would not help. Redirects within the same scheme, host and port are
/// followed.
///
/// Any address is asked. If it is a parameter of the DAG, whoever starts a run chooses whom this
/// machine asks, also addresses that others do not reach: bound it with `choices` or `pattern`.
#[track_caller]
pub fn http_ok(url: impl IntoArg<String>) -> Output<HttpAnswer> {
    let wanted = Constant::opaque(Wanted(|answer| (200..300).contains(&answer.status)), "status 2xx");
    add_task(&DEF, [url.into_arg(), Arg::constant(wanted)])
}

/// Like [`http_ok`], until `wanted` accepts a response. It is called for responses with every
/// status except 401 and 403, and for a redirect only if that leads to another origin.
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
    let answer = match http::get(&address, TIMEOUT) {
        Ok(Answer { status, .. }) if matches!(status, 401 | 403) => {
            return Err(BoxError::from(format!("{address} rejected the credentials (status {status})")));
        }
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(target: "taskflow", "{error}");
            return Err(Interrupt::not_yet().into());
        }
    };
    let reason = answer.redirect.is_some().then(|| answer.excerpt());
    let answer = HttpAnswer { status: answer.status, body: answer.body };
    match reason {
        _ if (wanted.0)(&answer) => Ok(AnyValue::new(answer)),
        Some(reason) => Err(BoxError::from(format!("{address} answered with status {}{reason}", answer.status))),
        None => Err(Interrupt::not_yet().into()),
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wanted")
    }
}
