//! A request as its handler gets it: checked against the fields of its route.
//!
//! 1. The segments of the path are percent-decoded once, by the router.
//! 2. Parameters of the query that the route does not have are refused, with the nearest one.
//! 3. The body of a request that changes something is a JSON object of at most 1 MiB. It may be
//!    left out. Members that the route does not have are refused.
//!    A raw route takes the body as bytes, because its signature covers them.
//! 4. Each value has the type of its field from then on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::acting::{Acting, client};
use super::auth::{Peer, Visitor, note_of_current};
use super::bodies;
use super::costly::Turn;
use super::hooks;
use super::keys::{DagKey, RunKey, TaskKey};
use super::permit::{Permit, Right};
use super::problem::Problem;
use super::routes::{self, Field, Kind, PARAM, Route};
use crate::base::{Timestamp, did_you_mean};
use crate::dag::DagDef;
use crate::journal::{Journal, Note, RunSummary};
use crate::ops::{BackfillStatus, Client};

/// The most bytes of a body.
const BODY: usize = 1 << 20;
/// The most characters of a text in the history.
const TEXT: usize = 10_000;
/// The most parameters of a query.
const PARAMETERS: usize = 100;

/// A checked request.
pub(super) struct Call {
    pub(super) state: Visitor,
    /// The journal of the service, for whoever has sent the request.
    pub(super) service: Journal,
    pub(super) headers: HeaderMap,
    /// The path, without the query.
    pub(super) path: String,
    /// The body as it was sent, of a route that is [`raw`](Route::is_raw).
    pub(super) raw: Vec<u8>,
    pub(super) client: Client,
    pub(super) peer: Option<Peer>,
    /// Of a request that costs much. A thread that works for it holds it too.
    pub(super) turn: Option<Arc<Turn>>,
    params: Vec<(String, String)>,
    args: Map<String, Value>,
}

/// Reads and checks a request.
pub(super) async fn read(
    route: &Route,
    state: Visitor,
    params: Vec<(String, String)>,
    request: Request,
) -> Result<Call, Problem> {
    let (head, body) = request.into_parts();
    let mut args = Map::new();
    query(route.query, head.uri.query().unwrap_or_default(), &mut args)?;
    let mut raw = Vec::new();
    if route.is_raw {
        let limit = state.home.config().settings().webhook_limit().unwrap_or(hooks::LIMIT);
        raw = json_body(&head.headers, body, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    } else if head.method != Method::GET && head.method != Method::HEAD {
        members(route.body, object(&head.headers, body).await?, &mut args)?;
    }
    for field in route.query.iter().chain(route.body) {
        if field.is_required && !args.contains_key(field.name) {
            return Err(Problem::invalid(format!("`{}` is needed", field.name)).at(field.name));
        }
    }
    let (client, peer) = (client(&head.headers, &head.extensions), head.extensions.get::<Peer>().copied());
    let Acting(service) = Acting::from(&state, client.clone(), &head.extensions);
    Ok(Call {
        state,
        service,
        headers: head.headers,
        path: head.uri.path().to_owned(),
        raw,
        client,
        peer,
        turn: None,
        params,
        args,
    })
}

fn query(fields: &[Field], text: &str, args: &mut Map<String, Value>) -> Result<(), Problem> {
    let mut given: Vec<(String, Vec<String>)> = Vec::new();
    for (count, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count >= PARAMETERS {
            return Err(Problem::bad_request(format!("a query has at most {PARAMETERS} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        match given.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => given.push((name, vec![value])),
        }
    }
    for (name, texts) in given {
        let field = find(fields, &name, "query parameter")?;
        args.insert(name, field.of_texts(&texts)?);
    }
    Ok(())
}

/// Decodes a part of a query, in which `+` is a space.
fn decoded(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    let decoded = decoded.map_err(|_| Problem::bad_request("the query is not percent-encoded UTF-8"))?;
    Ok(decoded.into_owned())
}

/// The body as an object; empty if there is none.
async fn object(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Problem> {
    let bytes = json_body(headers, body, BODY).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad_request(format!("the body is not a JSON object: {error}")))
}

/// The bytes of a body of this media type; empty if there is none.
async fn json_body(headers: &HeaderMap, body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let is_json = headers.get(header::CONTENT_TYPE).map(|media_type| {
        let media_type = media_type.to_str().unwrap_or_default();
        media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    let bytes = bodies::read(headers, body, most).await?;
    if !bytes.is_empty() && is_json != Some(true) {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body must be JSON");
        return Err(problem.next("send the header `Content-Type: application/json`"));
    }
    Ok(bytes.into())
}

/// For fuzzing: reads a text as the query, the body and the spans of all routes.
pub(super) fn read_any(text: &str) {
    let _ = span(text);
    for route in routes::all() {
        let _ = query(route.query, text, &mut Map::new());
        if let Ok(Value::Object(body)) = serde_json::from_str(text) {
            let _ = members(route.body, body, &mut Map::new());
        }
    }
}

/// Reads `30s`, `15m`, `12h`, `30d`, `2w`.
fn span(text: &str) -> Option<Duration> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number = text[..text.len() - 1].parse::<u32>().ok().filter(|_| !text.starts_with('+'))?;
    Some(Duration::from_secs(u64::from(number) * unit))
}

fn members(fields: &[Field], body: Map<String, Value>, args: &mut Map<String, Value>) -> Result<(), Problem> {
    for (name, value) in body {
        let field = find(fields, &name, "member")?;
        // `null` is a value where any JSON is; elsewhere it means that there is none.
        if !value.is_null() || matches!(field.kind, Kind::Json) {
            args.insert(name, field.of_json(value)?);
        }
    }
    Ok(())
}

fn find<'f>(fields: &'f [Field], name: &str, what: &str) -> Result<&'f Field, Problem> {
    let names = || fields.iter().map(|field| field.name);
    fields.iter().find(|field| field.is_named(name)).ok_or_else(|| {
        let problem = Problem::bad_request(format!("there is no {what} `{name}`{}", did_you_mean(name, names())));
        let next = match fields {
            [] => format!("this address has no {what}s"),
            _ => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
        };
        problem.at(name).next(next)
    })
}

impl Field {
    fn of_texts(&self, texts: &[String]) -> Result<Value, Problem> {
        if let Kind::Texts = self.kind {
            let all = texts.iter().flat_map(|text| text.split(',')).filter(|text| !text.is_empty());
            return Ok(all.map(|text| Value::String(text.to_owned())).collect());
        }
        if let Kind::Params = self.kind {
            // A value may have commas.
            return self.of_json(texts.iter().map(|text| Value::String(text.clone())).collect());
        }
        let [text] = texts else {
            return Err(Problem::bad_request(format!("`{}` is given several times", self.name)).at(self.name));
        };
        let value = match self.kind {
            Kind::Number(..) => text.parse::<i64>().map(Value::from).unwrap_or_default(),
            Kind::Switch => match &**text {
                "" | "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::Null,
            },
            _ => Value::String(text.clone()),
        };
        self.of_json(value)
    }

    fn of_json(&self, value: Value) -> Result<Value, Problem> {
        let fits = match (self.kind, &value) {
            (Kind::Json, _) | (Kind::Object, Value::Object(_)) | (Kind::Switch, Value::Bool(_)) => true,
            (Kind::Text, Value::String(text)) => text.chars().count() <= TEXT,
            (Kind::Time, Value::String(text)) => text.parse::<Timestamp>().is_ok(),
            (Kind::Span(most), Value::String(text)) => span(text).is_some_and(|span| span.as_secs() <= most),
            (Kind::Word(words), Value::String(text)) => words.contains(&&**text),
            (Kind::Number(least, most), Value::Number(number)) => {
                number.as_i64().is_some_and(|number| (least..=most).contains(&number))
            }
            (Kind::Texts, Value::Array(items)) => items.iter().all(Value::is_string),
            (Kind::Params, Value::Array(items)) => {
                items.iter().all(|item| item.as_str().is_some_and(|text| text.chars().count() <= TEXT))
            }
            _ => false,
        };
        if fits {
            Ok(value)
        } else {
            Err(Problem::bad_request(format!("`{}` is not {}", self.name, self.kind)).at(self.name))
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Text => write!(f, "a text of at most {TEXT} characters"),
            Kind::Word(words) => write!(f, "one of {}", words.join(", ")),
            Kind::Number(least, most) => write!(f, "a whole number from {least} to {most}"),
            Kind::Switch => f.write_str("true or false"),
            Kind::Time => f.write_str("a time such as 2026-01-31T06:00:00Z"),
            Kind::Span(u64::MAX) => f.write_str("a duration such as 90s, 12h or 30d"),
            Kind::Span(most) => write!(f, "a duration of at most {most}s such as 30s"),
            Kind::Texts => f.write_str("a list of texts"),
            Kind::Params => write!(f, "a list of texts of at most {TEXT} characters each"),
            Kind::Json => f.write_str("JSON"),
            Kind::Object => f.write_str("a JSON object"),
        }
    }
}

impl Call {
    /// A segment of the path.
    pub(super) fn param(&self, name: &str) -> String {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The permit for the run that the path names.
    pub(super) async fn run<R: Right>(&self) -> Result<Permit<R, RunSummary>, Problem> {
        Permit::of_run(&self.state, &RunKey::parse(self.param("run"))?).await
    }

    /// The permit for a run that a member of the body names.
    pub(super) async fn run_named<R: Right>(&self, name: &str) -> Result<Permit<R, RunSummary>, Problem> {
        Permit::of_run(&self.state, &RunKey::parse(name.to_owned())?).await
    }

    /// The permit for a DAG that a member of the body names.
    pub(super) fn dag_named<R: Right>(&self, name: &str) -> Result<Permit<R, &'static DagDef>, Problem> {
        Permit::of_dag(&self.state, &DagKey::parse(name.to_owned())?)
    }

    /// The permit for the backfill that the path names.
    pub(super) async fn backfill<R: Right>(&self) -> Result<Permit<R, BackfillStatus>, Problem> {
        Permit::of_backfill(&self.state, self.number_of_path("backfill")?).await
    }

    /// The permit for the DAG that the path names.
    pub(super) fn dag<R: Right>(&self) -> Result<Permit<R, &'static DagDef>, Problem> {
        Permit::of_dag(&self.state, &DagKey::parse(self.param("dag"))?)
    }

    /// The permit for the DAG that a field names, if it does.
    pub(super) fn dag_of_field<R: Right>(&self, name: &str) -> Result<Option<Permit<R, &'static DagDef>>, Problem> {
        let Some(dag) = self.text(name) else { return Ok(None) };
        Permit::of_dag(&self.state, &DagKey::parse(dag.to_owned())?).map(Some)
    }

    /// The task that the path names.
    pub(super) fn task(&self) -> Result<TaskKey, Problem> {
        TaskKey::parse(self.param("task"))
    }

    /// The asset that the path names.
    pub(super) fn asset(&self) -> Result<String, Problem> {
        let asset = self.param("asset");
        if asset.is_empty() || asset.chars().any(char::is_control) {
            return Err(Problem::bad_request("this is not the name of an asset"));
        }
        Ok(asset)
    }

    /// The place after which a stream begins; empty if the client names none. A browser that
    /// connects again sends the header, and has the parameter of its first request.
    pub(super) fn place(&self) -> &str {
        self.header("last-event-id").or_else(|| self.text("after")).unwrap_or_default()
    }

    /// A number of the path.
    pub(super) fn number_of_path<N: std::str::FromStr>(&self, name: &str) -> Result<N, Problem> {
        let text = self.param(name);
        text.parse().map_err(|_| Problem::not_found(format!("`{name}` is a number")))
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.args.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.value(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.as_i64()
    }

    pub(super) fn size(&self, name: &str) -> Option<usize> {
        self.number(name).and_then(|number| usize::try_from(number).ok())
    }

    /// The parameters of runs that the query names, with their texts.
    pub(super) fn run_params(&self) -> Vec<(String, String)> {
        let mut params = Vec::new();
        for (name, texts) in &self.args {
            if let Some(param) = name.strip_prefix(PARAM) {
                let texts = texts.as_array().into_iter().flatten().filter_map(Value::as_str);
                params.extend(texts.map(|text| (param.to_owned(), text.to_owned())));
            }
        }
        params
    }

    /// At most how many a list has.
    pub(super) fn limit(&self) -> u32 {
        self.number("limit").and_then(|limit| u32::try_from(limit).ok()).unwrap_or(50)
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn span(&self, name: &str) -> Option<Duration> {
        span(self.text(name)?)
    }

    /// Who asks for the change, and why.
    pub(super) fn note(&self) -> Note {
        let note = note_of_current(self.text("reason").unwrap_or_default());
        match self.text("by").map(str::trim) {
            // Whoever is known by name signs with this name.
            Some(by) if !by.is_empty() && !self.state.principal().is_named() => Note { by: by.to_owned(), ..note },
            _ => note,
        }
    }

    /// The only value of a header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of a preview, in `If-Match`.
    pub(super) fn token(&self) -> Option<&str> {
        self.header("if-match").map(|token| token.trim().trim_matches('"'))
    }

    /// The parameters of the query as they were checked.
    pub(super) fn args(&self) -> &Map<String, Value> {
        &self.args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, is_required: false, about: "" }
    }

    fn read(text: &str) -> Result<Map<String, Value>, String> {
        let fields = [
            field("dag", Kind::Text),
            field("limit", Kind::Number(1, 9)),
            field("state", Kind::Texts),
            field("all", Kind::Switch),
            field("param.{name}", Kind::Params),
        ];
        let mut args = Map::new();
        let read = query(&fields, text, &mut args);
        read.map(|()| args).map_err(|problem| String::from_utf8(problem.json()).unwrap_or_default())
    }

    #[test]
    fn a_query_has_the_types_of_its_fields() {
        let args = read("dag=a%20b+c&limit=3&state=failed,queued&state=running&all").unwrap();
        let expected = serde_json::json!({
            "dag": "a b c", "limit": 3, "state": ["failed", "queued", "running"], "all": true,
        });
        assert_eq!(Value::Object(args), expected);
        let args = read("param.month=2013-01&param.a%26b=1,2&param.month=").unwrap();
        assert_eq!(Value::Object(args), serde_json::json!({ "param.month": ["2013-01", ""], "param.a&b": ["1,2"] }));
    }

    #[test]
    fn a_query_is_refused_with_what_would_be_right() {
        for (text, why) in [
            ("stat=failed", "did you mean `state`"),
            ("limit=10", "`limit` is not a whole number from 1 to 9"),
            ("limit=x", "`limit` is not a whole number"),
            ("dag=1&dag=2", "`dag` is given several times"),
            ("dag=%ff", "not percent-encoded UTF-8"),
            ("all=perhaps", "`all` is not true or false"),
            ("param.=1", "there is no query parameter `param.`"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
